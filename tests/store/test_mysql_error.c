// What errors of a server mean, by their numbers; and places where a server may be.
#include "store/backend.h"
#include "store/mysql_error.h"
#include "tests/cmocka.h"
#include "tests/store/items.h"

static void test_a_number_has_one_meaning(void **state) {
    static const struct {
        unsigned code;
        const char *text;
        enum backend_result meaning;
    } cases[] = {
        {1021, "Disk full", BACKEND_FULL},
        {1026, "Error writing file 'x' (Errcode: 28 \"No space left on device\")", BACKEND_FULL},
        {1026, "Error writing file 'x' (Errcode: 5 \"Input/output error\")", BACKEND_AGAIN},
        {1026, "Error writing file '/28/(Errcode: 28' (Errcode: 5 \"Input/output error\")", BACKEND_AGAIN},
        {3, "Error writing file '/tmp/x' (OS errno 28 - No space left on device)", BACKEND_FULL},
        {3, "Error writing file '/var/28/x' (Errcode: 5 \"Input/output error\")", BACKEND_AGAIN},
        {1020, "Record has changed since last read in table 'saga'", BACKEND_AGAIN},
        {1030, "Got error 28 from storage engine", BACKEND_FULL},
        {1030, "Got error 28 \"No space left on device\" from storage engine InnoDB", BACKEND_FULL},
        {1030, "Got error 128 \"at 28\" from storage engine InnoDB", BACKEND_AGAIN},
        {1030, "Got error 168 from storage engine", BACKEND_AGAIN},
        {1062, "Duplicate entry", BACKEND_CONFLICT},
        {1205, "Lock wait timeout exceeded", BACKEND_AGAIN},
        {1206, "The total number of locks exceeds the lock table size", BACKEND_AGAIN},
        {1213, "Deadlock found", BACKEND_AGAIN},
        {1406, "Data too long for column", BACKEND_REFUSED},
        {1412, "Table definition has changed, please retry transaction", BACKEND_AGAIN},
        {1637, "Too many active concurrent transactions", BACKEND_AGAIN},
        {3101, "Plugin instructed the server to rollback the current transaction.", BACKEND_AGAIN},
        {4031, "The client was disconnected by the server because of inactivity.", BACKEND_AGAIN},
        {8027, "Information schema is out of date", BACKEND_AGAIN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (mysql_error_meaning(cases[i].code, cases[i].text) != cases[i].meaning)
            fail_msg("%u: %s", cases[i].code, cases[i].text);
}

// Nobody is at any of these: the start says so, and of which place.
static void test_a_place_may_have_brackets_and_a_port(void **state) {
    static const char *const places[] = {"[::1]:1", "127.0.0.1:1", "[::1]:1, 127.0.0.1:1"};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct store_mariadb_options where = {.user = "txc", .database = "txc", .host = places[i]};
        struct store_options options = {
            .tables = item_tables, .clock = clock_system(), .instance = "one", .address = ""};
        struct error error = {0};
        struct store *store;
        assert_false(store_open(store_mariadb(&where), &options, &store, &error));
        assert_int_equal(error.code, ERR_STORE_UNAVAILABLE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_has_one_meaning),
        cmocka_unit_test(test_a_place_may_have_brackets_and_a_port),
    };
    return cmocka_run_group_tests_name("store mysql errors", tests, NULL, NULL);
}
