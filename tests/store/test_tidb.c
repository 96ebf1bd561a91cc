// TiDB with its embedded store: it speaks MySQL's protocol, has no bulk statements, and keeps what it acknowledged. Of
// what MariaDB is put through it knows no locks on tables, nor limits of statements that write.
#include "tests/cmocka.h"
#include "tests/servers/mariadb.h"
#include "tests/store/faults.h"
#include "tests/store/offered.h"

static void test_no_bulk_statements_are_offered(void **state) {
    struct offered offered =
        offered_by(&(struct store_mariadb_options){.user = "root", .unix_socket = mariadb_socket(*state)});
    assert_false(offered.bulk);
    assert_false(offered.galera);
}

int main(void) {
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.tidb = true});
    struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_no_bulk_statements_are_offered, server),
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
