#include "tests/cmocka.h"
#include "tests/servers/mariadb.h"
#include "tests/store/faults.h"

int main(void) {
    struct mariadb_server *server = mariadb_start(NULL);
    struct CMUnitTest tests[] = {
        FAULTS_TEST(faults_killed_under_load, faults_set_up),
        FAULTS_TEST(faults_killed_under_load, faults_set_up_plain),
        FAULTS_TEST(faults_shut_down_and_started_again, faults_set_up),
        FAULTS_TEST(faults_gone_for_long, faults_set_up),
        FAULTS_TEST(faults_hangs_for_long, faults_set_up),
        FAULTS_TEST(faults_connections_are_killed, faults_set_up),
        FAULTS_TEST(faults_connections_are_killed, faults_set_up_plain),
        FAULTS_TEST(faults_queries_are_killed, faults_set_up),
        FAULTS_TEST(faults_queries_are_killed, faults_set_up_plain),
        FAULTS_TEST(faults_cut_in_commit, faults_set_up),
        FAULTS_TEST(faults_stopped_in_a_transaction, faults_set_up),
        FAULTS_TEST(faults_deadlock, faults_set_up),
        FAULTS_TEST(faults_deadlock, faults_set_up_plain),
        FAULTS_TEST(faults_lock_wait_ends, faults_set_up),
        FAULTS_TEST(faults_odd_defaults, faults_set_up),
        FAULTS_TEST(faults_tables_are_locked, faults_set_up),
        FAULTS_TEST(faults_a_list_is_stuck, faults_set_up),
        FAULTS_TEST(faults_read_only_server, faults_set_up),
        FAULTS_TEST(faults_too_many_connections, faults_set_up),
    };
    int failed = cmocka_run_group_tests_name("mariadb that fails", tests, NULL, NULL);
    mariadb_stop(server);
    return failed;
}
