// TiDB with its embedded store: it speaks MySQL's protocol, has no bulk statements, and keeps what it acknowledged.
#include "tests/cmocka.h"
#include "tests/servers/mariadb.h"
#include "tests/store/faults.h"

int main(void) {
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.tidb = true});
    struct CMUnitTest tests[] = {
        FAULTS_TEST(faults_killed_under_load, faults_set_up), FAULTS_TEST(faults_gone_for_long, faults_set_up),
        FAULTS_TEST(faults_hangs_for_long, faults_set_up),    FAULTS_TEST(faults_cut_in_commit, faults_set_up),
        FAULTS_TEST(faults_lock_wait_ends, faults_set_up),
    };
    int failed = cmocka_run_group_tests_name("tidb that fails", tests, NULL, NULL);
    mariadb_stop(server);
    return failed;
}
