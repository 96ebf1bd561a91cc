// TiDB with its embedded store: it speaks MySQL's protocol, has no bulk statements, and keeps what it acknowledged. Of
// what MariaDB is put through it knows no locks on tables, nor limits of statements that write.
#include "tests/cmocka.h"
#include "tests/servers/mariadb.h"
#include "tests/store/faults.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"
#include "tests/store/offered.h"

#include <stdio.h>

static void test_no_bulk_statements_are_offered(void **state) {
    struct offered offered =
        offered_by(&(struct store_mariadb_options){.user = "root", .unix_socket = mariadb_socket(*state)});
    assert_false(offered.bulk);
    assert_false(offered.galera);
}

static long long plans(struct bed *bed, const char *kind) {
    char sql[300];
    snprintf(
        sql, sizeof sql,
        "SELECT COUNT(*) FROM information_schema.statements_summary WHERE schema_name = DATABASE() AND digest_text "
        "LIKE 'select%%order by%%limit%%' AND plan LIKE '%%%s%%'",
        kind);
    return mariadb_ask(bed->variant->server, bed->place, sql);
}

// A page is read from where it begins, in its order; no range is read whole and then sorted.
static void test_pages_come_from_an_index(void **state) {
    const struct bed_variant variant = {.kind = &kind_mariadb, .server = *state};
    struct bed bed;
    bed_create(&bed, &variant);
    bed_open(&bed, item_tables);
    struct item after = item("b", "owner1", 2000, 1);
    const struct store_cond owner = {.column = "owner", .cmp = STORE_EQ, .text = STR("owner1")};
    const struct store_cond late = {.column = "amount", .cmp = STORE_LE, .integer = 3000};
    const struct store_query queries[] = {
        {.table = &item_table, .limit = 9, .after = &after, .descending = true},
        {.table = &item_table, .limit = 9, .order = item_by_rank},
        {.table = &item_table, .limit = 9, .after = &after, .order = item_by_owner_amount, .conds = {owner, late}},
        {.table = &item_table, .limit = 9, .order = item_by_owner_amount, .conds = {owner}, .descending = true},
    };
    items_put_four(&bed);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        assert_int_equal(bed_read(&bed, &queries[i]).code, ERR_OK);
    assert_true(plans(&bed, "keep order:true") >= 4);
    assert_int_equal(plans(&bed, "TopN"), 0);
    assert_int_equal(plans(&bed, "Sort"), 0);
    bed_destroy(&bed);
}

int main(void) {
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.tidb = true});
    struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_no_bulk_statements_are_offered, server),
        cmocka_unit_test_prestate(test_pages_come_from_an_index, server),
        FAULTS_TEST(faults_killed_under_load, faults_set_up),
        FAULTS_TEST(faults_shut_down_and_started_again, faults_set_up),
        FAULTS_TEST(faults_gone_for_long, faults_set_up),
        FAULTS_TEST(faults_hangs_for_long, faults_set_up),
        FAULTS_TEST(faults_connections_are_killed_one_by_one, faults_set_up),
        FAULTS_TEST(faults_queries_are_killed_one_by_one, faults_set_up),
        FAULTS_TEST(faults_cut_in_commit, faults_set_up),
        FAULTS_TEST(faults_stopped_in_a_transaction, faults_set_up),
        FAULTS_TEST(faults_closes_a_deadlock, faults_set_up),
        FAULTS_TEST(faults_lock_wait_ends, faults_set_up),
        FAULTS_TEST(faults_super_read_only, faults_set_up),
        FAULTS_TEST(faults_too_many_connections, faults_set_up),
    };
    int failed = cmocka_run_group_tests_name("tidb that fails", tests, NULL, NULL);
    mariadb_stop(server);
    return failed;
}
