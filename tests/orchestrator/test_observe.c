#include "orchestrator/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    int status;
    enum log_level level;
} rows[] = {
    {0, LOG_DEBUG},  // OK
    {1, LOG_INFO},   // CANCELLED
    {2, LOG_ERROR},  // UNKNOWN
    {3, LOG_INFO},   // INVALID_ARGUMENT
    {4, LOG_WARN},   // DEADLINE_EXCEEDED
    {5, LOG_INFO},   // NOT_FOUND
    {7, LOG_INFO},   // PERMISSION_DENIED
    {8, LOG_WARN},   // RESOURCE_EXHAUSTED
    {9, LOG_INFO},   // FAILED_PRECONDITION
    {13, LOG_ERROR}, // INTERNAL
    {14, LOG_WARN},  // UNAVAILABLE
    {15, LOG_ERROR}, // DATA_LOSS
    {16, LOG_INFO},  // UNAUTHENTICATED
    {99, LOG_INFO},
};

static void test_only_faults_of_ours_are_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(observe_call_level(rows[i].status), rows[i].level);
}

static void test_attempts_are_spoken_of_only_when_they_go_on_failing(void **state) {
    (void)state;
    struct saga_notice notice = {.kind = SAGA_NOTICE_ATTEMPT_FAILED, .attempt = 1};
    assert_int_equal(observe_saga_level(&notice), LOG_DEBUG);
    notice.attempt = 4;
    assert_int_equal(observe_saga_level(&notice), LOG_INFO);
    notice.kind = SAGA_NOTICE_PARKED;
    assert_int_equal(observe_saga_level(&notice), LOG_WARN);
    notice.kind = SAGA_NOTICE_CORRUPT;
    assert_int_equal(observe_saga_level(&notice), LOG_ERROR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_faults_of_ours_are_errors),
        cmocka_unit_test(test_attempts_are_spoken_of_only_when_they_go_on_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
