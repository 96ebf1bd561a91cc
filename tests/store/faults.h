// A load on a server that fails in every way that was thought of: what was acknowledged is there afterwards, nothing
// else is, and the store has gone on by itself. These are tests, with a server (tests/servers/mariadb.h) as their
// initial state.
#ifndef TXC_TESTS_STORE_FAULTS_H
#define TXC_TESTS_STORE_FAULTS_H

int faults_set_up(void **state);
int faults_set_up_plain(void **state); // without bulk statements
int faults_tear_down(void **state);

void faults_killed_under_load(void **state);
void faults_shut_down_and_started_again(void **state);
void faults_gone_for_long(void **state);
void faults_hangs_for_long(void **state);
void faults_connections_are_killed(void **state);
void faults_queries_are_killed(void **state);
void faults_connections_are_killed_one_by_one(void **state);
void faults_queries_are_killed_one_by_one(void **state);
void faults_cut_in_commit(void **state);
void faults_stopped_in_a_transaction(void **state);
void faults_deadlock(void **state);
void faults_closes_a_deadlock(void **state); // TiDB
void faults_lock_wait_ends(void **state);
void faults_odd_defaults(void **state);
void faults_tables_are_locked(void **state);
void faults_a_list_is_stuck(void **state);
void faults_read_only_server(void **state);
void faults_super_read_only(void **state); // TiDB
void faults_too_many_connections(void **state);

#define FAULTS_TEST(function, set_up)                                                                                  \
    cmocka_unit_test_prestate_setup_teardown(function, set_up, faults_tear_down, server)

#endif
