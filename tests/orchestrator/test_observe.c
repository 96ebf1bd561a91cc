#include "orchestrator/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    int status;
    enum log_level level;
} calls[] = {
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

static void test_of_calls_only_faults_of_ours_are_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        assert_int_equal(observe_call_level(calls[i].status), calls[i].level);
}

static const struct {
    enum saga_notice_kind kind;
    uint32_t attempt;
    enum log_level level;
} sagas[] = {
    {SAGA_NOTICE_STARTED, 0, LOG_DEBUG},        {SAGA_NOTICE_ENDED, 0, LOG_DEBUG},
    {SAGA_NOTICE_ATTEMPT_FAILED, 1, LOG_DEBUG}, {SAGA_NOTICE_ATTEMPT_FAILED, 4, LOG_INFO},
    {SAGA_NOTICE_REVERSED, 0, LOG_INFO},        {SAGA_NOTICE_PARKED, 0, LOG_WARN},
    {SAGA_NOTICE_FLOW_UNKNOWN, 0, LOG_WARN},    {SAGA_NOTICE_CORRUPT, 0, LOG_ERROR},
    {SAGA_NOTICE_WRITE_FAILED, 0, LOG_ERROR},   {SAGA_NOTICE_TAKEN_OVER, 0, LOG_WARN},
};

static void test_of_many_writes_that_fail_because_another_took_over_none_is_an_error(void **state) {
    (void)state;
    struct saga_notice notice = {.kind = SAGA_NOTICE_WRITE_FAILED, .reason = "STORE_FENCED"};
    assert_int_equal(observe_saga_level(&notice), LOG_DEBUG);
    notice.kind = SAGA_NOTICE_FENCED;
    assert_int_equal(observe_saga_level(&notice), LOG_WARN);
}

static void test_of_sagas_what_waits_for_people_is_a_warning_and_what_goes_well_is_not(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sagas / sizeof sagas[0]; i++) {
        struct saga_notice notice = {.kind = sagas[i].kind, .reason = "", .attempt = sagas[i].attempt};
        assert_int_equal(observe_saga_level(&notice), sagas[i].level);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_calls_only_faults_of_ours_are_errors),
        cmocka_unit_test(test_of_sagas_what_waits_for_people_is_a_warning_and_what_goes_well_is_not),
        cmocka_unit_test(test_of_many_writes_that_fail_because_another_took_over_none_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
