// Disks that are really full: the load goes on where it can, is told STORE_FULL where it can't, and all of it goes on
// by itself once there is space.
#include "tests/cmocka.h"
#include "tests/servers/mariadb.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"
#include "tests/store/load.h"
#include "tests/store/small_disk.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { LANES = 24 };

struct scene {
    char disk[SCRATCH_PATH_MAX];
    struct bed_variant variant;
    struct bed bed;
    struct load *load;
};

static struct scene *scene_new(unsigned megabytes) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    small_disk_make(megabytes, scene->disk);
    return scene;
}

static void scene_open(struct scene *scene) {
    scene->variant.threaded = true;
    bed_create(&scene->bed, &scene->variant);
    bed_open(&scene->bed, item_tables);
    scene->load = load_new(&scene->bed, LANES);
    load_allow(scene->load, ERR_STORE_FULL);
}

static void scene_free(struct scene *scene) {
    load_stop(scene->load);
    bed_destroy(&scene->bed);
    load_free(scene->load);
    mariadb_stop(scene->variant.server);
    small_disk_remove(scene->disk);
    free(scene);
}

static bool is_down(const struct scene *scene) {
    struct store_stats stats;
    store_stats(scene->bed.store, &stats);
    return stats.down;
}

// Runs into the full disk and on, several times. A MariaDB whose pages find no place may end itself (InnoDB does, where
// the binary log does not refuse the transaction before); then it is started again once there is space.
static void fill_and_clear(struct scene *scene, unsigned kilobytes) {
    for (int round = 0; round < 3; round++) {
        load_run(scene->load, 200);
        small_disk_fill(scene->disk, kilobytes);
        size_t failed = load_failed(scene->load);
        while (load_failed(scene->load) < failed + 100 && !is_down(scene))
            if (store_poll(scene->bed.store) == 0)
                sched_yield();
        small_disk_clear(scene->disk);
        if (scene->variant.server)
            mariadb_restart(scene->variant.server);
        size_t done = load_done(scene->load);
        while (load_done(scene->load) < done + 200)
            load_run(scene->load, 10);
    }
    load_check(scene->load);
}

// Reading goes on while nothing can be written.
static void read_while_full(struct scene *scene) {
    load_run(scene->load, 50);
    small_disk_fill(scene->disk, 0);
    while (load_failed(scene->load) == 0)
        load_run(scene->load, 1);
    load_pause(scene->load);
    struct answer answer = bed_read(&scene->bed, &(struct store_query){.table = &item_table, .limit = 5});
    assert_int_equal(answer.code, ERR_OK);
    assert_int_equal(answer.n, 5);
    small_disk_clear(scene->disk);
}

static const char *sqlite_disk;

static void create_there(struct bed *bed) {
    snprintf(bed->place, sizeof bed->place, "%s/store.db", sqlite_disk);
}

static struct store_backend *backend_there(struct bed *bed) {
    return store_sqlite(bed->place);
}

static void test_sqlite(void **state) {
    (void)state;
    static const struct bed_kind there = {.name = "sqlite", .create = create_there, .backend = backend_there};
    struct scene *scene = scene_new(16);
    sqlite_disk = scene->disk;
    scene->variant.kind = &there;
    scene_open(scene);
    read_while_full(scene);
    fill_and_clear(scene, 300);
    bed_reopen(&scene->bed);
    load_check(scene->load);
    scene_free(scene);
}

static void mariadb(bool durable) {
    struct scene *scene = scene_new(400);
    scene->variant.kind = &kind_mariadb;
    scene->variant.server = mariadb_start(&(struct mariadb_options){.durable = durable, .folder = scene->disk});
    scene_open(scene);
    fill_and_clear(scene, 1000);
    scene_free(scene);
}

static void test_mariadb(void **state) {
    (void)state;
    mariadb(false);
}

static void test_mariadb_with_binary_log(void **state) {
    (void)state;
    mariadb(true);
}

int main(void) {
    small_disk_prepare();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sqlite),
        cmocka_unit_test(test_mariadb),
        cmocka_unit_test(test_mariadb_with_binary_log),
    };
    return cmocka_run_group_tests_name("a full disk", tests, NULL, NULL);
}
