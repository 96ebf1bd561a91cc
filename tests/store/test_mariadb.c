// What is MariaDB's own: a server that is killed, that hangs, that is full, that is set up badly.
#include "store/mysql_conn.h"
#include "tests/cmocka.h"
#include "tests/scratch.h"
#include "tests/servers/cutter.h"
#include "tests/servers/mariadb.h"
#include "tests/store/bed.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"
#include "tests/store/offered.h"

#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_up_with(void **state, bool threaded, bool plain) {
    struct bed *bed = calloc(1, sizeof *bed);
    struct bed_variant *variant = calloc(1, sizeof *variant);
    assert_non_null(bed);
    assert_non_null(variant);
    *variant = (struct bed_variant){.kind = &kind_mariadb, .threaded = threaded, .plain = plain, .server = *state};
    bed_create(bed, variant);
    bed_open(bed, item_tables);
    *state = bed;
    return 0;
}

static int set_up(void **state) {
    return set_up_with(state, true, false);
}

static int set_up_inline(void **state) {
    return set_up_with(state, false, false);
}

static int tear_down(void **state) {
    struct bed *bed = *state;
    const struct bed_variant *variant = bed->variant;
    bed_destroy(bed);
    free(bed);
    free((void *)(uintptr_t)variant);
    return 0;
}

static size_t count(struct bed *bed) {
    struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .count = true});
    assert_int_equal(answer.code, ERR_OK);
    return answer.n;
}

static struct item numbered(int i) {
    struct item row = item("", "x", i, 0);
    snprintf(row.id, sizeof row.id, "%08d", i);
    return row;
}

// Inserts go on while the server is killed again and again: each is called back once, as done, and is there once. An
// insert that was repeated although its commit had taken place would fail with CONFLICT.
static void test_killed_and_restarted(void **state) {
    struct bed *bed = *state;
    enum { ROUNDS = 5, ROUND = 300 };
    struct fate *fates = calloc((size_t)ROUNDS * ROUND, sizeof *fates);
    assert_non_null(fates);
    int n = 0;
    for (int round = 0; round < ROUNDS; round++) {
        // Killed in the middle of things, at another place each time.
        int last = n + 60 + 47 * round;
        for (; n <= last; n++) {
            struct item row = numbered(n);
            bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fates[n]);
            if (n % 20 == 19)
                bed_step(bed);
        }
        mariadb_kill(bed->variant->server);
        mariadb_restart(bed->variant->server);
        bed_drain(bed);
    }
    for (int i = 0; i < n; i++) {
        if (fates[i].code != ERR_OK)
            fail_msg("write %d: %s", i, fates[i].text);
    }
    assert_int_equal(count(bed), n);
    bed_reopen(bed);
    assert_int_equal(count(bed), n);
    free(fates);
}

static void test_reads_survive_a_restart(void **state) {
    struct bed *bed = *state;
    struct item row = numbered(1);
    bed_put(bed, &item_table, &row);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(count(bed), 1);
        mariadb_kill(bed->variant->server);
        mariadb_restart(bed->variant->server);
    }
    assert_int_equal(count(bed), 1);
}

// The bed's database, through a proxy that can cut its connections.
static struct cutter *open_through_cutter(struct bed *bed) {
    char path[160];
    snprintf(path, sizeof path, "%s.cut", mariadb_socket(bed->variant->server));
    struct cutter *cutter = cutter_start(path, mariadb_socket(bed->variant->server));
    bed_close(bed);
    const struct store_mariadb_options options = {.user = "root", .database = bed->place, .unix_socket = path};
    struct error error = {0};
    if (!store_open(store_mariadb(&options), &bed->options, &bed->store, &error))
        fail_msg("%s", error.text);
    return cutter;
}

// The connection is cut while COMMIT is under way, before the server sees it and after the server has answered.
// Inserts: a batch that were done twice would conflict, one that were given up would be missing.
static void test_cut_at_commit(void **state) {
    struct bed *bed = *state;
    struct cutter *cutter = open_through_cutter(bed);
    enum { CUTS = 10, EACH = 7 };
    struct fate fates[CUTS * EACH] = {0};
    for (int n = 0; n < CUTS; n++) {
        cutter_cut(cutter, n % 2 ? CUT_AFTER_COMMIT : CUT_BEFORE_COMMIT);
        for (int i = 0; i < EACH; i++) {
            struct item row = numbered(n * EACH + i);
            bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fates[n * EACH + i]);
        }
        bed_drain(bed);
        assert_int_equal(cutter_count(cutter), n + 1);
    }
    for (int i = 0; i < CUTS * EACH; i++)
        assert_int_equal(fates[i].code, ERR_OK);
    assert_int_equal(count(bed), CUTS * EACH);
    struct store_identity identity;
    store_identity(bed->store, &identity);
    assert_int_equal(identity.incarnation, 2 + CUTS); // each was found out by raising it
    bed_close(bed);
    cutter_stop(cutter);
}

// Three groups of operations, which are three statements; two rows of each.
static void write_three_ways(struct bed *bed, int from) {
    struct store_write *write = store_write_new(bed->store);
    for (int i = from; i < from + 6; i++) {
        struct item row = numbered(i), gone = numbered(i - 4);
        store_row(write, &item_table, i % 2 ? STORE_INSERT : STORE_PUT, &row);
        if (i < from + 2)
            store_row(write, &item_table, STORE_DELETE, &gone);
    }
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
}

// Each answer would be a moment in which nothing is done for the commit, on a busy machine a long one: the statements
// and the fence are sent one behind the other. What one of them came to is looked at all the same.
static void test_statements_do_not_wait_for_answers(void **state) {
    struct bed *bed = *state;
    struct cutter *cutter = open_through_cutter(bed);
    write_three_ways(bed, 10); // which prepares them
    for (int round = 1; round <= 3; round++) {
        cutter_cut(cutter, CUT_KEEP_ANSWERS);
        write_three_ways(bed, 10 + 6 * round);
        assert_int_equal(cutter_count(cutter), round);
    }
    size_t there = count(bed);
    cutter_cut(cutter, CUT_KEEP_ANSWERS);
    struct fate fate = {0};
    struct store_write *write = store_write_new(bed->store);
    struct item gone = numbered(28), taken = numbered(29), other = numbered(99);
    store_row(write, &item_table, STORE_DELETE, &gone);
    store_row(write, &item_table, STORE_INSERT, &taken);
    store_row(write, &item_table, STORE_PUT, &other);
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_STORE_CONFLICT);
    assert_int_equal(cutter_count(cutter), 4);
    assert_int_equal(count(bed), there);
    bed_close(bed);
    cutter_stop(cutter);
}

// The first of them have come when the connection is lost: what they say is of a transaction that is gone.
static void test_cut_among_answers(void **state) {
    struct bed *bed = *state;
    struct cutter *cutter = open_through_cutter(bed);
    write_three_ways(bed, 10);
    for (int round = 1; round <= 5; round++) {
        cutter_cut(cutter, CUT_AMONG_ANSWERS);
        write_three_ways(bed, 10 + 6 * round); // whose inserts would conflict if it were there already
        assert_int_equal(cutter_count(cutter), round);
        write_three_ways(bed, 110 + 6 * round);
    }
    bed_close(bed);
    cutter_stop(cutter);
}

// In the middle of a page's rows: the whole page is read again.
static void test_cut_in_answer(void **state) {
    struct bed *bed = *state;
    struct cutter *cutter = open_through_cutter(bed);
    static const char bytes[ITEM_BODY_MAX];
    enum { ROWS = 20 };
    for (int i = 0; i < ROWS; i++) {
        struct item row = numbered(i);
        row.body = str_n(bytes, sizeof bytes);
        bed_put(bed, &item_table, &row);
    }
    for (int n = 0; n < 5; n++) {
        cutter_cut(cutter, CUT_IN_ANSWER);
        struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .limit = ROWS});
        if (answer.code != ERR_OK)
            fail_msg("%s", answer.text);
        assert_int_equal(answer.n, ROWS);
        assert_int_equal(cutter_count(cutter), n + 1);
    }
    bed_close(bed);
    cutter_stop(cutter);
}

static void kill_connections(struct bed *bed) {
    mariadb_run(bed->variant->server, bed->place,
                "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
                "AND db = DATABASE()) DO EXECUTE IMMEDIATE CONCAT('KILL CONNECTION ', c.id); END FOR; END");
}

static void test_connections_are_killed(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < 5; i++) {
        struct item row = numbered(i);
        bed_put(bed, &item_table, &row);
        kill_connections(bed);
        assert_int_equal(count(bed), i + 1);
    }
}

// A row lock of someone else's: the batch waits, is told that it waited too long, and is tried again.
static void test_lock_wait_is_tried_again(void **state) {
    struct bed *bed = *state;
    char sql[400];
    mariadb_run(bed->variant->server, NULL, "SET GLOBAL event_scheduler = ON");
    snprintf(sql, sizeof sql,
             "CREATE EVENT hold ON SCHEDULE AT CURRENT_TIMESTAMP DO BEGIN START TRANSACTION; "
             "UPDATE instance SET lease_until_ms = 1; DO GET_LOCK('held', 0); DO SLEEP(4); COMMIT; END");
    mariadb_run(bed->variant->server, bed->place, sql);
    mariadb_run(bed->variant->server, NULL,
                "BEGIN NOT ATOMIC WHILE IS_FREE_LOCK('held') DO DO SLEEP(0.01); END WHILE; END");
    struct item row = numbered(1);
    bed_put(bed, &item_table, &row);
    struct store_stats stats;
    store_stats(bed->store, &stats);
    assert_true(stats.retries >= 1);
    assert_int_equal(count(bed), 1);
}

static void other_does(MYSQL *other, const char *sql) {
    if (mysql_query(other, sql) != 0)
        fail_msg("%s: %s", sql, mysql_error(other));
    mysql_free_result(mysql_store_result(other));
}

// [E13] the second of four statements that are on their way loses a deadlock, and with it the first; what comes behind
// it runs in a transaction of its own, which must not be committed
static void test_deadlock_in_the_middle_of_a_commit(void **state) {
    struct bed *bed = *state;
    MYSQL *other = mysql_init(NULL);
    assert_non_null(
        mysql_real_connect(other, NULL, "root", "", bed->place, 0, mariadb_socket(bed->variant->server), 0));
    other_does(other, "CREATE TABLE weight (n INT PRIMARY KEY) ENGINE=InnoDB");
    for (int round = 1; round <= 3; round++) {
        struct item gone = item("a", "x", 0, 0), kept = item("b", "x", round, 0), added = numbered(round);
        struct fate fate = {0};
        bed_put(bed, &item_table, &gone);
        bed_put(bed, &item_table, &kept);
        other_does(other, "BEGIN");
        other_does(other, "INSERT INTO weight SELECT seq FROM seq_1_to_5000"); // the lighter one loses
        other_does(other, "SELECT * FROM item WHERE id = 'b' FOR UPDATE");
        struct store_write *write = store_write_new(bed->store);
        kept.amount += 100;
        store_row(write, &item_table, STORE_DELETE, &gone);
        store_row(write, &item_table, STORE_PUT, &kept);
        store_row(write, &item_table, STORE_INSERT, &added);
        bed_submit(bed, write, NULL, &fate);
        while (mariadb_ask(bed->variant->server, NULL,
                           "SELECT variable_value FROM information_schema.global_status WHERE variable_name = "
                           "'Innodb_row_lock_current_waits'") == 0)
            sched_yield();
        other_does(other, "SELECT * FROM item WHERE id = 'a' FOR UPDATE");
        other_does(other, "ROLLBACK");
        bed_drain(bed);
        assert_int_equal(fate.code, ERR_OK);
        struct store_stats stats;
        store_stats(bed->store, &stats);
        assert_int_equal(stats.retries, round);
        assert_item(bed, &kept);
        assert_item(bed, &added);
        assert_no_item(bed, "a");
    }
    mysql_close(other);
}

// Rows that can be larger than a packet that is allowed.
static struct big {
    char id[17];
    struct str body;
} big_row;
static const struct store_column big_columns[] = {
    {.name = "id", .type = STORE_TEXT, .max = 16},
    {.name = "body", .type = STORE_BLOB, .max = 4000000, .offset = 24},
};
static const struct store_table big_table = {
    .name = "big", .row_size = sizeof big_row, .columns = big_columns, .n_columns = 2, .n_key = 1, .since = 1};
static const struct store_table *const big_tables[] = {&big_table, NULL};

static const struct big *big_of(const char *id, size_t bytes) {
    static const char zeros[2000000];
    assert_true(bytes <= sizeof zeros);
    snprintf(big_row.id, sizeof big_row.id, "%s", id);
    big_row.body = str_n(zeros, bytes);
    return &big_row;
}

static void open_with_small_packets(struct bed *bed) {
    mariadb_run(bed->variant->server, NULL, "SET GLOBAL max_allowed_packet = 1048576");
    bed_close(bed);
    bed_open(bed, big_tables);
}

// One that fits is on its way when it is found that the other one does not.
static void write_past_the_packet(struct bed *bed, struct fate *fate) {
    struct store_write *write = store_write_new(bed->store);
    store_row(write, &big_table, STORE_PUT, big_of("before", 10));
    store_row(write, &big_table, STORE_PUT, big_of("big", 2000000));
    bed_submit(bed, write, NULL, fate);
}

static void test_row_past_the_packet(void **state) {
    struct bed *bed = *state;
    struct fate too_big = {0}, fits[8] = {0};
    open_with_small_packets(bed);
    write_past_the_packet(bed, &too_big);
    // Together larger than a packet, each by itself not.
    for (int i = 0; i < 8; i++) {
        char id[8];
        snprintf(id, sizeof id, "fits%d", i);
        bed_write(bed, &big_table, STORE_PUT, big_of(id, 400000), NULL, &fits[i]);
    }
    bed_drain(bed);
    mariadb_run(bed->variant->server, NULL, "SET GLOBAL max_allowed_packet = 16777216");
    assert_int_equal(too_big.code, ERR_STORE_REFUSED);
    assert_non_null(strstr(too_big.text, "max_allowed_packet"));
    for (int i = 0; i < 8; i++)
        assert_int_equal(fits[i].code, ERR_OK);
    struct answer all = bed_read(bed, &(struct store_query){.table = &big_table, .limit = 100});
    assert_int_equal(all.n, 8);
}

// [E2] what is rolled back while answers are to come leaves none of them to be taken for a COMMIT's
static void test_answers_of_what_was_refused_are_no_others(void **state) {
    struct bed *bed = *state;
    struct fate too_big = {0}, after = {0};
    open_with_small_packets(bed);
    struct cutter *cutter = open_through_cutter(bed);
    bed_put(bed, &big_table, big_of("first", 10));
    write_past_the_packet(bed, &too_big);
    bed_drain(bed);
    assert_int_equal(too_big.code, ERR_STORE_REFUSED);
    cutter_cut(cutter, CUT_BEFORE_COMMIT);
    bed_write(bed, &big_table, STORE_PUT, big_of("after", 10), NULL, &after);
    bed_drain(bed);
    assert_int_equal(cutter_count(cutter), 1);
    assert_int_equal(after.code, ERR_OK);
    assert_int_equal(bed_read(bed, &(struct store_query){.table = &big_table, .count = true}).n, 2);
    mariadb_run(bed->variant->server, NULL, "SET GLOBAL max_allowed_packet = 16777216");
    bed_close(bed);
    cutter_stop(cutter);
}

// Rows that the server has looked at or sorted so far.
static long long rows_touched(struct bed *bed) {
    return mariadb_ask(
        bed->variant->server, NULL,
        "SELECT SUM(variable_value) FROM information_schema.global_status WHERE variable_name IN "
        "('Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd', 'Handler_read_rnd_next', 'Sort_rows')");
}

static void test_pages_come_from_an_index(void **state) {
    struct bed *bed = *state;
    enum { ROWS = 4000 };
    struct store_write *write = store_write_new(bed->store);
    for (int i = 0; i < ROWS; i++) {
        struct item row = numbered(i);
        row.rank = i % 4;
        snprintf(row.owner, sizeof row.owner, "owner%d", i % 4);
        store_row(write, &item_table, STORE_INSERT, &row);
    }
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    mariadb_run(bed->variant->server, bed->place, "ANALYZE TABLE item");
    struct item after = item("00002000", "owner1", 2000, 1);
    const struct store_cond owner = {.column = "owner", .cmp = STORE_EQ, .text = STR("owner1")};
    const struct store_cond late = {.column = "amount", .cmp = STORE_LE, .integer = 3000};
    const struct store_query queries[] = {
        {.table = &item_table, .limit = 9, .after = &after},
        {.table = &item_table, .limit = 9, .after = &after, .descending = true},
        {.table = &item_table, .limit = 9, .order = item_by_rank},
        {.table = &item_table, .limit = 9, .after = &after, .order = item_by_owner_amount, .conds = {owner, late}},
        {.table = &item_table, .limit = 9, .order = item_by_owner_amount, .conds = {owner, late}},
    };
    long long asking = -rows_touched(bed); // the question reads a table itself
    asking += rows_touched(bed);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        long long before = rows_touched(bed);
        assert_int_equal(bed_read(bed, &queries[i]).n, 9);
        long long touched = rows_touched(bed) - before - asking;
        if (touched > 50)
            fail_msg("query %zu touched %lld rows", i, touched);
    }
}

static void test_warns_of_weak_settings(void **state) {
    struct bed *bed = *state;
    // The tests' server flushes once a second.
    assert_non_null(store_durability_warning(bed->store));
    assert_non_null(strstr(store_durability_warning(bed->store), "innodb_flush_log_at_trx_commit is 2"));
    mariadb_run(bed->variant->server, NULL, "SET GLOBAL innodb_flush_log_at_trx_commit = 1");
    bed_reopen(bed);
    const char *warning = store_durability_warning(bed->store);
    mariadb_run(bed->variant->server, NULL, "SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    assert_null(warning);
}

static bool is_weak_after_a_write(struct bed *bed, int i) {
    const struct item row = numbered(i);
    bed_put(bed, &item_table, &row);
    const char *warning = store_durability_warning(bed->store);
    assert_true(!warning || strstr(warning, "innodb_flush_log_at_trx_commit is "));
    return warning != NULL;
}

// Not only at the start: after a fail-over it may be another server, with other settings.
static void test_what_writes_looks_at_the_settings_at_each_connect(void **state) {
    struct bed *bed = *state;
    static const char *const set[] = {"SET GLOBAL innodb_flush_log_at_trx_commit = 1",
                                      "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
                                      "SET GLOBAL innodb_flush_log_at_trx_commit = 2"};
    bool weak[3];
    assert_true(is_weak_after_a_write(bed, 3));
    for (int i = 0; i < 3; i++) {
        mariadb_run(bed->variant->server, NULL, set[i]);
        kill_connections(bed);
        weak[i] = is_weak_after_a_write(bed, i);
    }
    assert_true(!weak[0] && weak[1] && weak[2]); // and the server is as it was
}

// Several processes start at once on an empty database: one makes the schema, all get an incarnation of their own.
static void test_many_start_at_once(void **state) {
    struct bed *bed = *state;
    enum { PROCESSES = 6 };
    bed_close(bed);
    kind_mariadb.create(bed);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        fflush(NULL);
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        char name[16];
        snprintf(name, sizeof name, "worker-%d", i / 2); // two of each name
        struct store_options options = bed->options;
        options.threaded = false;
        options.instance = name;
        struct store *store;
        struct error error = {0};
        bool opened = store_open(kind_mariadb.backend(bed), &options, &store, &error);
        if (!opened)
            fprintf(stderr, "%s\n", error.text);
        if (opened)
            store_close(store);
        // Of two that have one name the first may find itself taken over before it is open.
        _exit(opened || error.code == ERR_STORE_FENCED ? 0 : 1);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    bed_open(bed, item_tables);
    struct answer answer = bed_read(bed, &(struct store_query){.table = &store_instance_table, .limit = 10});
    assert_int_equal(answer.n, 4);
    const struct store_instance_row *rows = answer.rows;
    assert_string_equal(rows[0].name, "test-1");
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(rows[i].incarnation, 2);
    // Whoever came first has the slots; no slot has nobody.
    answer =
        bed_read(bed, &(struct store_query){.table = &store_slot_table,
                                            .conds = {{.column = "owner", .cmp = STORE_PREFIX, .text = STR("worker-")}},
                                            .count = true});
    assert_int_equal(answer.n, SLOT_COUNT);
}

static void test_nobody_there(void **state) {
    (void)state;
    struct store_options options = {.tables = item_tables, .clock = clock_system(), .instance = "x", .address = "y"};
    const struct store_mariadb_options nowhere = {.user = "root", .unix_socket = "/nonexistent/socket"};
    struct error error = {0};
    struct store *store;
    assert_false(store_open(store_mariadb(&nowhere), &options, &store, &error));
    assert_int_equal(error.code, ERR_STORE_UNAVAILABLE);
    assert_non_null(strstr(error.text, "connecting"));
}

static unsigned free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static struct mariadb_server *start_on(unsigned port) {
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.port = port});
    mariadb_make_database(server, "txc_hosts");
    mariadb_run(server, NULL, "CREATE USER txc@'127.0.0.1'");
    mariadb_run(server, NULL, "GRANT ALL ON *.* TO txc@'127.0.0.1'");
    return server;
}

// Of several servers the first that serves is used: not one where nobody listens, nor one that is read-only.
static void test_servers_are_tried_in_turn(void **state) {
    (void)state;
    unsigned ports[] = {free_port(), free_port(), free_port()};
    struct mariadb_server *first = start_on(ports[1]), *second = start_on(ports[2]);
    mariadb_run(first, NULL, "SET GLOBAL read_only = 1");
    char hosts[120];
    snprintf(hosts, sizeof hosts, "127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u", ports[0], ports[1], ports[2]);
    const struct store_options options = {
        .tables = item_tables, .clock = clock_system(), .instance = "x", .address = "y"};
    const struct store_mariadb_options where = {.user = "txc", .database = "txc_hosts", .host = hosts};
    struct store *store;
    struct error error = {0};
    if (!store_open(store_mariadb(&where), &options, &store, &error))
        fail_msg("%s", error.text);
    store_close(store);
    const char *sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'txc_hosts'";
    assert_int_equal(mariadb_ask(first, NULL, sql), 0);
    assert_true(mariadb_ask(second, NULL, sql) > 0);
    // When none serves, the message names one and says why.
    mariadb_kill(second);
    assert_false(store_open(store_mariadb(&where), &options, &store, &error));
    assert_int_equal(error.code, ERR_STORE_UNAVAILABLE);
    char last[60];
    snprintf(last, sizeof last, "server 127.0.0.1:%u: mariadb: connecting", ports[2]);
    if (!strstr(error.text, last))
        fail_msg("%s", error.text);
    mariadb_stop(second);
    mariadb_stop(first);
}

// A certificate for localhost, signed by itself.
static void make_certificate(const char *folder, const char *name) {
    char command[600];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout %s/%s.key -out %s/%s.pem "
             "2>/dev/null && chmod 644 %s/%s.key",
             folder, name, folder, name, folder, name);
    assert_int_equal(system(command), 0);
}

static bool opens_with(const char *socket, const char *ca, struct error *error) {
    const struct store_options options = {
        .tables = item_tables, .clock = clock_system(), .instance = "x", .address = "y"};
    const struct store_mariadb_options where = {
        .user = "root", .database = "txc_tls", .unix_socket = socket, .tls_ca = ca};
    struct store *store;
    if (!store_open(store_mariadb(&where), &options, &store, error))
        return false;
    store_close(store);
    return true;
}

static void test_tls(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_MAX], cert[96], key[96], good[96], bad[96];
    assert_true(scratch_make("tls", folder));
    make_certificate(folder, "server");
    make_certificate(folder, "other");
    snprintf(cert, sizeof cert, "--ssl-cert=%s/server.pem", folder);
    snprintf(key, sizeof key, "--ssl-key=%s/server.key", folder);
    snprintf(good, sizeof good, "%s/server.pem", folder);
    snprintf(bad, sizeof bad, "%s/other.pem", folder);
    const char *const extra[] = {cert, key, NULL};
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.extra = extra});
    mariadb_make_database(server, "txc_tls");
    mariadb_run(server, NULL, "ALTER USER root@localhost REQUIRE SSL");
    struct error error = {0};
    bool opened = opens_with(mariadb_socket(server), good, &error);
    if (!opened)
        fail_msg("%s", error.text);
    assert_false(opens_with(mariadb_socket(server), bad, &error));  // a certificate that nobody vouches for
    assert_false(opens_with(mariadb_socket(server), NULL, &error)); // the server insists on TLS
    mariadb_stop(server);
    scratch_remove(folder);
}

// A server whose tablespace can't grow. It goes on once there is space.
static void test_full(void **state) {
    (void)state;
    static const char *extra[] = {"--innodb-file-per-table=OFF",
                                  "--innodb-data-file-path=ibdata1:12M:autoextend:max:24M", NULL};
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.extra = extra});
    void *own = server;
    assert_int_equal(set_up_with(&own, true, false), 0);
    struct bed *bed = own;
    static const char bytes[ITEM_BODY_MAX];
    int n = 0;
    struct fate fate;
    do {
        fate = (struct fate){0};
        struct item row = numbered(n);
        row.body = str_n(bytes, sizeof bytes);
        bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fate);
        bed_drain(bed);
    } while (fate.code == ERR_OK && ++n < 10000);
    assert_int_equal(fate.code, ERR_STORE_FULL);
    assert_int_equal(count(bed), n);
    mariadb_kill(server);
    extra[1] = "--innodb-data-file-path=ibdata1:12M:autoextend";
    mariadb_restart(server);
    for (int i = 0; i < 50; i++, n++) {
        struct item row = numbered(n);
        row.body = str_n(bytes, sizeof bytes);
        bed_put(bed, &item_table, &row);
    }
    assert_int_equal(count(bed), n);
    tear_down(&own);
    mariadb_stop(server);
}

static void test_rows_that_can_not_be_read_are_left_out(void **state) {
    struct bed *bed = *state;
    items_put_four(bed);
    mariadb_run(bed->variant->server, bed->place, "UPDATE item SET body = REPEAT('x', 5000) WHERE id IN ('b', 'c')");
    items_check_readable(bed);
}

// [E7] one that was stopped in the middle of a claim, or of a take-over, must not hold what it has locked for hours,
// also where the server (MySQL) has no limit for idle transactions
static void test_what_claims_is_never_idle_for_long(void **state) {
    const struct store_mariadb_options options = {.user = "root", .unix_socket = mariadb_socket(*state)};
    static const struct {
        enum mysql_use use;
        bool limited;
    } uses[] = {{MYSQL_FOR_CLAIMS, true}, {MYSQL_FOR_READING, false}};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct mysql_conn *conn = mysql_conn_new(&options, uses[i].use, NULL);
        struct error error = {0};
        int64_t limit_s = 0;
        if (!mysql_conn_open(conn, &error) ||
            !mysql_conn_ask(conn, "SELECT @@session.wait_timeout", 0, &limit_s, &error))
            fail_msg("%s", error.text);
        assert_true(limit_s > 0 && (limit_s <= 20) == uses[i].limited);
        mysql_conn_free(conn);
    }
}

// Executions that the server has seen so far, a bulk statement being one of them.
static long long executions(struct bed *bed) {
    return mariadb_ask(bed->variant->server, NULL,
                       "SELECT variable_value FROM information_schema.global_status WHERE variable_name = "
                       "'Com_stmt_execute'");
}

// How many it takes to write so many rows at once.
static long long executions_for(struct bed *bed, int rows) {
    struct store_write *write = store_write_new(bed->store);
    for (int i = 0; i < rows; i++) {
        struct item row = numbered(i);
        store_row(write, &item_table, STORE_INSERT, &row);
    }
    long long before = executions(bed);
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    assert_int_equal(count(bed), rows);
    return executions(bed) - before;
}

// Bulk statements where the server offers them and they are wanted, else statements of many rows.
static void test_bulk_statements_are_sent_where_the_server_offers_them(void **state) {
    void *whole = *state, *plain = *state;
    enum { ROWS = 500, FENCE_AND_COUNT = 4 };
    set_up_with(&whole, false, false);
    assert_true(executions_for(whole, ROWS) <= 1 + FENCE_AND_COUNT);
    tear_down(&whole);
    set_up_with(&plain, false, true);
    long long many = executions_for(plain, ROWS);
    assert_true(many >= ROWS / 64 && many <= ROWS / 32 + FENCE_AND_COUNT);
    tear_down(&plain);
}

// What is found out of a server when a connection to it is opened.
static void assert_found(struct mariadb_server *server, bool plain, bool bulk, bool galera) {
    const struct store_mariadb_options options = {
        .user = "root", .unix_socket = mariadb_socket(server), .plain_statements = plain};
    struct offered found = offered_by(&options);
    assert_int_equal(found.bulk, bulk);
    assert_int_equal(found.galera, galera);
}

static void test_what_a_server_offers_is_found_out_at_each_connection(void **state) {
    assert_found(*state, false, true, false);
    assert_found(*state, true, false, false);
    // What says that it is a node of a cluster counts as one, whatever it offers. (test_galera.c has real ones.)
    static const char *const extra[] = {"--wsrep-on=ON", "--binlog-format=ROW", NULL};
    struct mariadb_server *node = mariadb_start(&(struct mariadb_options){.extra = extra});
    assert_found(node, false, false, true);
    mariadb_run(node, NULL, "SET GLOBAL wsrep_on = OFF");
    assert_found(node, false, true, false);
    mariadb_stop(node);
}

int main(void) {
    struct mariadb_server *server = mariadb_start(NULL);
    struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_what_a_server_offers_is_found_out_at_each_connection, server),
        cmocka_unit_test_prestate(test_bulk_statements_are_sent_where_the_server_offers_them, server),
        cmocka_unit_test_prestate_setup_teardown(test_killed_and_restarted, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_reads_survive_a_restart, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_cut_at_commit, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_statements_do_not_wait_for_answers, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_cut_among_answers, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_deadlock_in_the_middle_of_a_commit, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_cut_in_answer, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_connections_are_killed, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_lock_wait_is_tried_again, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_row_past_the_packet, set_up, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_answers_of_what_was_refused_are_no_others, set_up, tear_down,
                                                 server),
        cmocka_unit_test_prestate_setup_teardown(test_pages_come_from_an_index, set_up_inline, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_rows_that_can_not_be_read_are_left_out, set_up, tear_down,
                                                 server),
        cmocka_unit_test_prestate_setup_teardown(test_warns_of_weak_settings, set_up_inline, tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_what_writes_looks_at_the_settings_at_each_connect, set_up_inline,
                                                 tear_down, server),
        cmocka_unit_test_prestate_setup_teardown(test_many_start_at_once, set_up_inline, tear_down, server),
        cmocka_unit_test_prestate(test_what_claims_is_never_idle_for_long, server),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_servers_are_tried_in_turn),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_full),
    };
    int failed = cmocka_run_group_tests_name("store over mariadb", tests, NULL, NULL);
    mariadb_stop(server);
    return failed;
}
