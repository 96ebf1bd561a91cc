#include "tests/store/faults.h"

#include "tests/cmocka.h"
#include "tests/servers/cutter.h"
#include "tests/servers/mariadb.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"
#include "tests/store/load.h"

#include <mysql.h>
#include <mysqld_error.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { LANES = 24 };

struct scene {
    struct bed_variant variant;
    struct bed bed;
    struct load *load;
    MYSQL *other; // another client of the same server
};

static int set_up_with(void **state, bool plain) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->variant = (struct bed_variant){.kind = &kind_mariadb, .threaded = true, .plain = plain, .server = *state};
    bed_create(&scene->bed, &scene->variant);
    bed_open(&scene->bed, item_tables);
    scene->load = load_new(&scene->bed, LANES);
    *state = scene;
    return 0;
}

int faults_set_up(void **state) {
    return set_up_with(state, false);
}

int faults_set_up_plain(void **state) {
    return set_up_with(state, true);
}

int faults_tear_down(void **state) {
    struct scene *scene = *state;
    if (scene->other)
        mysql_close(scene->other);
    load_stop(scene->load);
    bed_destroy(&scene->bed);
    load_free(scene->load);
    free(scene);
    return 0;
}

// Opens the bed's store once more, in another way.
static void open_with(struct scene *scene, const struct store_mariadb_options *how) {
    struct store_mariadb_options options = *how;
    options.database = scene->bed.place;
    options.overlaps = true;
    options.unix_socket = how->unix_socket ? how->unix_socket : mariadb_socket(scene->variant.server);
    bed_close(&scene->bed);
    struct error error = {0};
    if (!store_open(store_mariadb(&options), &scene->bed.options, &scene->bed.store, &error))
        fail_msg("%s", error.text);
}

static MYSQL *connect_other(struct scene *scene) {
    MYSQL *mysql = mysql_init(NULL);
    assert_non_null(mysql);
    if (!mysql_real_connect(mysql, NULL, "root", "", scene->bed.place, 0, mariadb_socket(scene->variant.server), 0))
        fail_msg("%s", mysql_error(mysql));
    return mysql;
}

static void other_does(struct scene *scene, const char *sql) {
    if (!scene->other)
        scene->other = connect_other(scene);
    if (mysql_query(scene->other, sql) != 0)
        fail_msg("%s: %s", sql, mysql_error(scene->other));
}

static struct store_stats stats(struct scene *scene) {
    struct store_stats now;
    store_stats(scene->bed.store, &now);
    return now;
}

static void await_retries(struct scene *scene, int64_t n) {
    int64_t until = stats(scene).retries + n;
    while (stats(scene).retries < until)
        if (store_poll(scene->bed.store) == 0) // the lanes go on
            sched_yield();
}

// ---- Servers that end -------------------------------------------------------------------------------------------

void faults_killed_under_load(void **state) {
    struct scene *scene = *state;
    for (size_t round = 0; round < 5; round++) {
        load_run(scene->load, 90 + 37 * round);
        mariadb_kill(scene->variant.server);
        mariadb_restart(scene->variant.server);
    }
    load_run(scene->load, 100);
    load_check(scene->load);
}

void faults_shut_down_and_started_again(void **state) {
    struct scene *scene = *state;
    for (size_t round = 0; round < 2; round++) {
        load_run(scene->load, 150);
        mariadb_shut_down(scene->variant.server);
        mariadb_restart(scene->variant.server);
    }
    load_run(scene->load, 100);
    load_check(scene->load);
}

// New work is refused meanwhile; what was taken waits. The back-off keeps the tries few.
void faults_gone_for_long(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 100);
    mariadb_kill(scene->variant.server);
    await_retries(scene, 20);
    assert_int_equal(store_room(scene->bed.store), 0);
    assert_true(stats(scene).down);
    mariadb_restart(scene->variant.server);
    load_run(scene->load, 100);
    load_check(scene->load);
    assert_true(store_room(scene->bed.store) > 0);
}

// The server hangs for longer than an answer is waited for, anywhere in a transaction: nothing is lost, and nothing is
// done twice when it goes on with what it had begun.
void faults_hangs_for_long(void **state) {
    struct scene *scene = *state;
    open_with(scene, &(struct store_mariadb_options){.user = "root", .answer_timeout_ms = 1000});
    for (int round = 0; round < 3; round++) {
        load_run(scene->load, 60);
        mariadb_pause(scene->variant.server);
        await_retries(scene, 2);
        mariadb_resume(scene->variant.server);
    }
    load_run(scene->load, 60);
    load_check(scene->load);
}

// ---- Connections and statements that are ended ------------------------------------------------------------------

// TiDB has no compound statements. What it says of its connections may be over when they are to be ended.
static void end_each_from_here(struct scene *scene, const char *how, const char *which) {
    char sql[300];
    snprintf(sql, sizeof sql,
             "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = DATABASE() AND %s",
             which);
    other_does(scene, sql);
    MYSQL_RES *ids = mysql_store_result(scene->other);
    assert_non_null(ids);
    for (MYSQL_ROW row; (row = mysql_fetch_row(ids));) {
        snprintf(sql, sizeof sql, "%s %s", how, row[0]);
        if (mysql_query(scene->other, sql) != 0 && mysql_errno(scene->other) != ER_NO_SUCH_THREAD)
            fail_msg("%s: %s", sql, mysql_error(scene->other));
    }
    mysql_free_result(ids);
}

static void end_each(struct scene *scene, const char *how, const char *which) {
    char sql[500];
    if (mariadb_is_tidb(scene->variant.server)) {
        end_each_from_here(scene, how, which);
        return;
    }
    // One that has ended meanwhile is no error.
    snprintf(sql, sizeof sql,
             "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1094 BEGIN END; FOR c IN (SELECT id FROM "
             "information_schema.processlist WHERE id <> CONNECTION_ID() AND db = DATABASE() AND %s) DO EXECUTE "
             "IMMEDIATE CONCAT('%s ', c.id); END FOR; END",
             which, how);
    other_does(scene, sql);
}

// Until the fault has hit some batches.
static void run_until_hit(struct scene *scene, void (*fault)(void *ctx)) {
    enum { HITS = 5, ROUNDS_MAX = 200 };
    load_run(scene->load, 50);
    for (int round = 0; stats(scene).retries < HITS; round++) {
        assert_true(round < ROUNDS_MAX);
        load_run_under(scene->load, 200, fault, scene);
    }
    load_run(scene->load, 50);
    load_check(scene->load);
}

// The same where what is hit once more while it is rolled back leaves its locks behind for 20 s (TiDB).
static void run_hit_by_hit(struct scene *scene, void (*fault)(void *ctx)) {
    enum { HITS = 3 };
    load_run(scene->load, 50);
    for (int hit = 0; hit < HITS; hit++)
        for (int64_t before = stats(scene).retries; stats(scene).retries == before; load_run(scene->load, 20))
            fault(scene);
    load_check(scene->load);
}

static void kill_connections(void *ctx) {
    struct scene *scene = ctx;
    // Wherever they happen to be: between batches, in one, in COMMIT.
    end_each(scene, "KILL CONNECTION", "command <> 'Sleep'");
}

void faults_connections_are_killed(void **state) {
    run_until_hit(*state, kill_connections);
}

void faults_connections_are_killed_one_by_one(void **state) {
    run_hit_by_hit(*state, kill_connections);
}

static void kill_queries(void *ctx) {
    end_each(ctx, "KILL QUERY", "command <> 'Sleep'");
}

void faults_queries_are_killed(void **state) {
    run_until_hit(*state, kill_queries);
}

void faults_queries_are_killed_one_by_one(void **state) {
    run_hit_by_hit(*state, kill_queries);
}

// Cut right before the server sees COMMIT, and right after it has done it, before its answer.
void faults_cut_in_commit(void **state) {
    struct scene *scene = *state;
    char path[160];
    snprintf(path, sizeof path, "%s.cut", mariadb_socket(scene->variant.server));
    struct cutter *cutter = cutter_start(path, mariadb_socket(scene->variant.server));
    open_with(scene, &(struct store_mariadb_options){.user = "root", .unix_socket = path});
    for (int round = 0; round < 30; round++) {
        cutter_cut(cutter, round % 2 ? CUT_AFTER_COMMIT : CUT_BEFORE_COMMIT);
        load_run(scene->load, 40);
    }
    assert_int_equal(cutter_count(cutter), 30);
    load_check(scene->load);
    bed_close(&scene->bed);
    cutter_stop(cutter);
}

static void was_taken(void *ctx, const struct error *error, bool taken) {
    if (error)
        fail_msg("%s", error->text);
    *(int *)ctx = taken;
}

// By another instance, which is not kept waiting for the dead one's locks.
static void take_over(struct scene *scene) {
    struct store_identity identity;
    store_identity(scene->bed.store, &identity);
    struct store_instance_row dead = {.incarnation = identity.incarnation};
    str_copy(str_c(identity.name), dead.name, sizeof dead.name);
    const struct store_mariadb_options options = {
        .user = "root", .database = scene->bed.place, .unix_socket = mariadb_socket(scene->variant.server)};
    struct store_options with = scene->bed.options;
    with.instance = "heir";
    with.wake = NULL;
    struct store *heir;
    struct error error = {0};
    if (!store_open(store_mariadb(&options), &with, &heir, &error))
        fail_msg("%s", error.text);
    for (int taken = 0; taken != 1;) { // not before its lease is over
        taken = -1;
        store_take_over(heir, &dead, was_taken, &taken);
        while (taken < 0) {
            store_poll(heir);
            sched_yield();
        }
    }
    store_close(heir);
}

// [E7] A process that is stopped between its fence and COMMIT holds the lock that a take-over needs. The server ends
// its transaction, and its batch has no effect.
void faults_stopped_in_a_transaction(void **state) {
    struct scene *scene = *state;
    char path[160];
    snprintf(path, sizeof path, "%s.cut", mariadb_socket(scene->variant.server));
    struct cutter *cutter = cutter_start(path, mariadb_socket(scene->variant.server));
    scene->bed.options.lease_ms = 500;
    open_with(scene, &(struct store_mariadb_options){.user = "root", .unix_socket = path});
    load_run(scene->load, 40);
    load_pause(scene->load);
    cutter_cut(cutter, CUT_KEEP_COMMIT);
    struct item row = item("late", "ann", 1, 0);
    struct fate fate = {0};
    bed_write(&scene->bed, &item_table, STORE_PUT, &row, NULL, &fate);
    while (cutter_count(cutter) == 0)
        sched_yield();
    take_over(scene);
    cutter_let_go(cutter);
    bed_drain(&scene->bed);
    assert_int_equal(fate.code, ERR_ACCEPTANCE_UNKNOWN);
    assert_int_equal(
        mariadb_ask(scene->variant.server, scene->bed.place, "SELECT COUNT(*) FROM item WHERE id = 'late'"), 0);
    bed_close(&scene->bed);
    cutter_stop(cutter);
}

// ---- Locks ------------------------------------------------------------------------------------------------------

// Another client holds the instance's row and then wants the lanes' rows, of which a batch has locked some before it
// waits for the instance's: a deadlock. The server ends the one that has changed less, the batch.
void faults_deadlock(void **state) {
    struct scene *scene = *state;
    other_does(scene, "CREATE TABLE weight (n INT PRIMARY KEY) ENGINE=InnoDB");
    for (int round = 0; round < 5; round++) {
        load_run(scene->load, 100);
        other_does(scene, "BEGIN");
        other_does(scene, "INSERT INTO weight SELECT seq FROM seq_1_to_5000");
        other_does(scene, "UPDATE instance SET address = 'elsewhere'");
        // The writer has to meet the lock; lanes that wait for it stop the load.
        while (mariadb_ask(scene->variant.server, NULL,
                           "SELECT variable_value FROM information_schema.global_status WHERE variable_name = "
                           "'Innodb_row_lock_current_waits'") == 0)
            store_poll(scene->bed.store);
        int64_t before = stats(scene).retries;
        other_does(scene, "SELECT * FROM pair WHERE name = 'lane' FOR UPDATE");
        mysql_free_result(mysql_store_result(scene->other));
        other_does(scene, "ROLLBACK");
        load_run(scene->load, 1);
        assert_true(stats(scene).retries > before);
    }
    load_check(scene->load);
}

static long long ask(struct scene *scene, const char *sql) {
    return mariadb_ask(scene->variant.server, scene->bed.place, sql);
}

static void await_waiting(struct scene *scene, long long n) {
    while (ask(scene, "SELECT COUNT(*) FROM information_schema.data_lock_waits") < n)
        store_poll(scene->bed.store);
}

static void must(MYSQL *mysql, const char *sql) {
    if (mysql_query(mysql, sql) != 0)
        fail_msg("%s: %s", sql, mysql_error(mysql));
    mysql_free_result(mysql_store_result(mysql));
}

// TiDB ends whoever closes the circle, so that must be the batch: it has its first row and waits for its second, which
// `guard` holds; `other` has the instance's row and waits for the batch's first; then the guard lets go, and the batch
// wants the instance's. Where something took too long in between, there was no circle.
void faults_closes_a_deadlock(void **state) {
    static const char count[] = "SELECT COUNT(DISTINCT deadlock_id) FROM information_schema.deadlocks";
    static const char want[] = "SELECT * FROM item WHERE id = 'a' FOR UPDATE";
    struct scene *scene = *state;
    MYSQL *guard = connect_other(scene);
    struct item first = item("a", "ann", 0, 0);
    struct pair second = {.name = "b"};
    bed_put(&scene->bed, &item_table, &first);
    bed_put(&scene->bed, &pair_table, &second);
    long long before = ask(scene, count);
    while (ask(scene, count) == before) {
        must(guard, "BEGIN");
        must(guard, "SELECT * FROM pair WHERE name = 'b' FOR UPDATE");
        other_does(scene, "BEGIN");
        other_does(scene, "UPDATE instance SET address = 'elsewhere'");
        first.amount++;
        struct store_write *write = store_write_new(scene->bed.store);
        store_row(write, &item_table, STORE_PUT, &first);
        store_row(write, &pair_table, STORE_PUT, &second);
        struct fate fate = {0};
        bed_submit(&scene->bed, write, NULL, &fate);
        await_waiting(scene, 1);
        assert_int_equal(mysql_send_query(scene->other, want, sizeof want - 1), 0);
        await_waiting(scene, 2);
        must(guard, "ROLLBACK");
        if (mysql_read_query_result(scene->other) == 0)
            mysql_free_result(mysql_store_result(scene->other));
        other_does(scene, "ROLLBACK");
        bed_drain(&scene->bed);
        assert_int_equal(fate.code, ERR_OK);
    }
    assert_true(stats(scene).retries > 0);
    struct answer answer = bed_read(&scene->bed, &(struct store_query){.table = &item_table, .limit = 2});
    assert_int_equal(answer.n, 1);
    assert_int_equal(((const struct item *)answer.rows)->amount, first.amount);
    mysql_close(guard);
}

// A lock that is held for longer than a batch waits.
void faults_lock_wait_ends(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 50);
    other_does(scene, "BEGIN");
    other_does(scene, "UPDATE instance SET address = 'elsewhere'");
    await_retries(scene, 1);
    other_does(scene, "ROLLBACK");
    load_run(scene->load, 50);
    load_check(scene->load);
}

// A server that ends what takes half a second, isolates more than is needed and checks less: a batch may wait for a
// lock for longer, and has what it needs. (tests/store/test_contract_mariadb.c has more such defaults.)
void faults_odd_defaults(void **state) {
    struct scene *scene = *state;
    other_does(scene, "SET GLOBAL max_statement_time = 0.5");
    other_does(scene, "SET GLOBAL tx_isolation = 'SERIALIZABLE'");
    other_does(scene, "SET GLOBAL unique_checks = 0");
    other_does(scene, "SET GLOBAL foreign_key_checks = 0");
    open_with(scene, &(struct store_mariadb_options){.user = "root"});
    load_run(scene->load, 50);
    int64_t before = stats(scene).retries;
    other_does(scene, "BEGIN");
    other_does(scene, "UPDATE instance SET address = 'elsewhere'");
    while (mariadb_ask(scene->variant.server, scene->bed.place,
                       "SELECT MAX(time_ms) FROM information_schema.processlist WHERE db = DATABASE() AND "
                       "id <> CONNECTION_ID() AND command = 'Execute'") < 800) {
        store_poll(scene->bed.store);
        assert_int_equal(stats(scene).retries, before);
    }
    assert_int_equal(mariadb_ask(scene->variant.server, NULL,
                                 "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND "
                                 "trx_isolation_level = 'READ COMMITTED' AND trx_unique_checks = 1 AND "
                                 "trx_foreign_key_checks = 1"),
                     1);
    other_does(scene, "ROLLBACK");
    load_run(scene->load, 50);
    assert_int_equal(stats(scene).retries, before);
    other_does(scene, "SET GLOBAL max_statement_time = 0");
    other_does(scene, "SET GLOBAL tx_isolation = 'REPEATABLE-READ'");
    other_does(scene, "SET GLOBAL unique_checks = 1");
    other_does(scene, "SET GLOBAL foreign_key_checks = 1");
    load_check(scene->load);
}

// An operator locks the tables, to copy them or to alter one.
void faults_tables_are_locked(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 50);
    other_does(scene, "LOCK TABLES item WRITE, pair WRITE");
    await_retries(scene, 1);
    other_does(scene, "UNLOCK TABLES");
    load_run(scene->load, 50);
    load_check(scene->load);
}

// A list that takes longer than one may, here since somebody holds its table: the server ends it, and it fails alone
// and at once. Nothing waits for it meanwhile.
void faults_a_list_is_stuck(void **state) {
    struct scene *scene = *state;
    enum { LISTS = 8 };
    struct reading lists[LISTS], lookup;
    open_with(scene, &(struct store_mariadb_options){.user = "root", .answer_timeout_ms = 1000});
    struct item row = item("a", "ann", 1, 0);
    bed_put(&scene->bed, &item_table, &row);
    other_does(scene, "LOCK TABLES item WRITE");
    int64_t before = stats(scene).retries;
    for (int i = 0; i < LISTS; i++)
        bed_ask(&scene->bed, &(struct store_query){.table = &item_table, .limit = 10, .list = true}, &lists[i]);
    bed_ask(&scene->bed, &(struct store_query){.table = &pair_table, .limit = 10}, &lookup);
    bed_await(&scene->bed, &lookup);
    assert_int_equal(lookup.answer.code, ERR_OK);
    assert_false(lists[LISTS - 1].answered);
    bed_drain(&scene->bed);
    for (int i = 0; i < LISTS; i++)
        assert_int_equal(lists[i].answer.code, ERR_STORE_UNAVAILABLE);
    assert_int_equal(stats(scene).retries, before);
    assert_false(stats(scene).down);
    other_does(scene, "UNLOCK TABLES");
    assert_int_equal(bed_read(&scene->bed, &(struct store_query){.table = &item_table, .limit = 10, .list = true}).code,
                     ERR_OK);
}

// ---- Servers that take nothing ----------------------------------------------------------------------------------

void faults_read_only_server(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 50);
    // With connections that may write all the same it takes a lock to hold them back.
    other_does(scene, "SET GLOBAL read_only = 1");
    kill_connections(scene);
    end_each(scene, "KILL CONNECTION", "1 = 1");
    await_retries(scene, 5);
    other_does(scene, "SET GLOBAL read_only = 0");
    load_run(scene->load, 50);
    load_check(scene->load);
}

// TiDB has no other way to refuse what root writes, too.
void faults_super_read_only(void **state) {
    struct scene *scene = *state;
    load_run(scene->load, 50);
    other_does(scene, "SET GLOBAL tidb_super_read_only = 1");
    await_retries(scene, 5);
    assert_true(stats(scene).down);
    other_does(scene, "SET GLOBAL tidb_super_read_only = 0");
    other_does(scene, "SET GLOBAL tidb_restricted_read_only = 0");
    load_run(scene->load, 50);
    load_check(scene->load);
}

void faults_too_many_connections(void **state) {
    struct scene *scene = *state;
    // As an account that has no connection of last resort, as root has.
    other_does(scene, "DROP USER IF EXISTS txc@localhost");
    other_does(scene, "CREATE USER txc@localhost");
    other_does(scene, "GRANT ALL ON *.* TO txc@localhost");
    if (!mariadb_is_tidb(scene->variant.server))
        other_does(scene, "REVOKE SUPER, CONNECTION ADMIN ON *.* FROM txc@localhost");
    open_with(scene, &(struct store_mariadb_options){.user = "txc"});
    load_run(scene->load, 50);
    // Whenever the store's connections are gone, the crowd takes their places.
    enum { MOST = 12 };
    MYSQL *crowd[MOST];
    int n = 0;
    other_does(scene, "SET GLOBAL max_connections = 10");
    for (int64_t before = stats(scene).retries; stats(scene).retries < before + 4;) {
        end_each(scene, "KILL CONNECTION", "user = 'txc'");
        while (n < MOST && (crowd[n] = mysql_init(NULL)) &&
               mysql_real_connect(crowd[n], NULL, "txc", "", NULL, 0, mariadb_socket(scene->variant.server), 0))
            n++;
        assert_true(n < MOST);
        mysql_close(crowd[n]);
        store_poll(scene->bed.store);
    }
    while (n > 0)
        mysql_close(crowd[--n]);
    load_run(scene->load, 50);
    other_does(scene, "SET GLOBAL max_connections = 151");
    load_check(scene->load);
}
