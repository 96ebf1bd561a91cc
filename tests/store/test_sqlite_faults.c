// A load on SQLite while its file can't be written: what was acknowledged is there afterwards, nothing else is, and the
// store has gone on by itself. (A disk that is full: test_full_disk.c; a sync that fails ends the process:
// test_sqlite.c.)
#include "tests/cmocka.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"
#include "tests/store/load.h"
#include "tests/store/sick_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LANES = 24, NOBODY = 65534 };

struct scene {
    struct sick_disk *disk;
    struct bed bed;
    struct load *load;
};

static int set_up(void **state) {
    static const struct bed_variant variant = {.kind = &kind_sqlite, .threaded = true};
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->disk = sick_disk_install();
    bed_create(&scene->bed, &variant);
    bed_open(&scene->bed, item_tables);
    scene->load = load_new(&scene->bed, LANES);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    scene->disk->write_error = 0;
    load_stop(scene->load);
    bed_destroy(&scene->bed);
    load_free(scene->load);
    free(scene);
    return 0;
}

static void run_until_down(struct scene *scene) {
    struct store_stats stats;
    do {
        if (store_poll(scene->bed.store) == 0)
            sched_yield();
        store_stats(scene->bed.store, &stats);
    } while (!stats.down);
    assert_int_equal(store_room(scene->bed.store), 0); // new work is refused
}

// The file system was remounted read-only, or somebody took the right to write away.
static void test_read_only(void **state) {
    struct scene *scene = *state;
    static const int errors[] = {EROFS, EACCES, EPERM};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        load_run(scene->load, 200);
        scene->disk->write_error = errors[i];
        run_until_down(scene);
        scene->disk->write_error = 0;
        load_run(scene->load, 200);
        assert_true(store_room(scene->bed.store) > 0);
    }
    load_check(scene->load);
    bed_reopen(&scene->bed);
    load_check(scene->load);
}

// ---- Another process --------------------------------------------------------------------------------------------

struct holder {
    pid_t pid;
    int hold, held; // a byte into `hold` lets go
};

// A process that does `sql` on the file, says so, and closes it when told. A program of its own: SQLite must not be
// used on both sides of a fork.
static struct holder hold(const struct scene *scene, const char *sql) {
    int to[2], from[2];
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execl("/proc/self/exe", "hold", "--hold", scene->bed.place, sql, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    return (struct holder){.pid = pid, .hold = to[1], .held = from[0]};
}

static void await_held(const struct holder *holder) {
    char byte;
    assert_int_equal(read(holder->held, &byte, 1), 1);
}

static void let_go(struct holder *holder) {
    close(holder->hold);
    close(holder->held);
    int status;
    assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int be_holder(const char *path, const char *sql) {
    sqlite3 *db;
    char byte;
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_busy_timeout(db, 60000) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
        return 1;
    }
    if (write(STDOUT_FILENO, "x", 1) != 1)
        return 1;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}

// A tool holds the file for longer than a batch waits.
static void test_locked_by_another_process(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 200);
    struct holder holder = hold(scene, "BEGIN IMMEDIATE");
    run_until_down(scene);
    await_held(&holder);
    let_go(&holder);
    load_run(scene->load, 200);
    load_check(scene->load);
}

// A backup that reads for long keeps the log from being copied back, and nobody from writing.
static void test_read_by_another_process(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 50);
    struct holder holder = hold(scene, "BEGIN; SELECT COUNT(*) FROM item");
    await_held(&holder);
    load_run(scene->load, 3000);
    struct store_stats stats;
    store_stats(scene->bed.store, &stats);
    assert_int_equal(stats.retries, 0);
    let_go(&holder);
    load_run(scene->load, 500);
    load_check(scene->load);
}

// A process that was killed while it held the lock holds nothing.
static void test_the_holder_is_killed(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 50);
    struct holder holder = hold(scene, "BEGIN IMMEDIATE; UPDATE pair SET value = -1");
    await_held(&holder);
    run_until_down(scene);
    kill(holder.pid, SIGKILL);
    assert_int_equal(waitpid(holder.pid, NULL, 0), holder.pid);
    close(holder.hold);
    close(holder.held);
    load_run(scene->load, 200);
    load_check(scene->load);
}

// ---- At the start -----------------------------------------------------------------------------------------------

// A file of somebody else's. Root may write any file, so the child that tries is not root.
static void test_may_not_be_written(void **state) {
    struct scene *scene = *state;
    bed_close(&scene->bed);
    char folder[160], lock[160];
    snprintf(folder, sizeof folder, "%s", scene->bed.place);
    *strrchr(folder, '/') = '\0';
    snprintf(lock, sizeof lock, "%s.lock", scene->bed.place);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(chmod(lock, 0666), 0);
    assert_int_equal(chmod(scene->bed.place, 0444), 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store;
        struct error error = {0};
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(2);
        bool opened = store_open(store_sqlite(scene->bed.place), &scene->bed.options, &store, &error);
        if (write(ends[1], error.text, strlen(error.text)) < 0)
            _exit(3);
        _exit(opened ? 1 : 0);
    }
    char said[ERR_TEXT_MAX] = {0};
    close(ends[1]);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!strstr(said, "may not be written") || !strstr(said, scene->bed.place))
        fail_msg("%s", said);
    assert_int_equal(chmod(scene->bed.place, 0644), 0);
    bed_open(&scene->bed, item_tables);
    load_run(scene->load, 50);
    load_check(scene->load);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--hold") == 0)
        return be_holder(argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        TEST(test_read_only),
        TEST(test_locked_by_another_process),
        TEST(test_read_by_another_process),
        TEST(test_the_holder_is_killed),
        TEST(test_may_not_be_written),
    };
    return cmocka_run_group_tests_name("sqlite that fails", tests, NULL, NULL);
}
