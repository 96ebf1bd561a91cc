// What an answer means for a saga, row by row of the table in rpc/client.h.
#include "rpc/outcome.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "rpc/status.h"
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text(const char *chars) {
    return (char *)(uintptr_t)chars;
}

// A status with an ErrorInfo as a participant would send it.
static struct str details_with(const char *reason, const char *domain, struct arena *arena) {
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = text(reason);
    info.domain = text(domain);
    struct str packed = rpc_encode(&info.base, arena);
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, *list[] = {&any};
    any.type_url = text("type.googleapis.com/google.rpc.ErrorInfo");
    any.value = (ProtobufCBinaryData){packed.len, (uint8_t *)(uintptr_t)packed.ptr};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.n_details = 1;
    status.details = list;
    return rpc_encode(&status.base, arena);
}

static const struct {
    int status;
    const char *reason, *domain;
    bool never_sent;
    enum outcome outcome;
    enum err code;
} rows[] = {
    {1, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {2, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    {3, NULL, NULL, false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {3, "REJECTED", "shop", false, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED},
    {3, "INVALID_REQUEST", "txcenter", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {4, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {4, "REJECTED", "shop", false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {5, NULL, NULL, false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {5, "REJECTED", "shop", false, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED},
    {6, "REJECTED", "shop", false, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED},
    {7, NULL, NULL, false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {8, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {8, "RETRY", "shop", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {8, "OVERLOADED", "txcenter", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {8, "OVERLOADED", "shop", false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {8, "MESSAGE_TOO_LARGE", "txcenter", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {9, NULL, NULL, false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {9, "REJECTED", "shop", false, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED},
    {10, NULL, NULL, false, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED},
    {10, "RETRY", "shop", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {11, "REJECTED", "shop", false, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED},
    {12, NULL, NULL, false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {13, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    {13, "REJECTED", "shop", false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    {14, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {14, NULL, NULL, true, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {14, "RETRY", "shop", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {14, "SHUTTING_DOWN", "txcenter", false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {14, "RETRIES_EXHAUSTED", "txcenter", false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    {15, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    {16, NULL, NULL, false, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
    {17, NULL, NULL, false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    {-1, "REJECTED", "shop", false, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
};

static void each_status_means_what_the_table_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena, 1 << 16);
        struct rpc_received received = {
            .status = rows[i].status, .text = STR("what it said"), .never_sent = rows[i].never_sent};
        if (rows[i].reason)
            received.details = details_with(rows[i].reason, rows[i].domain, &arena);
        struct rpc_result result;
        rpc_outcome_read(&received, &arena, &result);
        if (result.outcome != rows[i].outcome || result.error.code != rows[i].code)
            fail_msg("row %zu: %s", i, outcome_name(result.outcome));
        assert_int_equal(result.grpc_status, rows[i].status);
        assert_string_equal(result.reason, rows[i].reason ? rows[i].reason : "");
        assert_string_equal(result.error.text, "what it said");
        assert_null(result.message);
        arena_release(&arena);
    }
}

static void an_answer_that_can_not_be_read_is_unknown(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct rpc_received received = {
        .has_message = true, .bytes = STR("\x0a\x01\xff"), .type = &txcenter__test__v1__echo_response__descriptor};
    struct rpc_result result;
    rpc_outcome_read(&received, &arena, &result);
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(result.error.code, ERR_PARTICIPANT_BROKEN);
    received = (struct rpc_received){.status = 0};
    rpc_outcome_read(&received, &arena, &result);
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(result.error.code, ERR_PARTICIPANT_BROKEN);
    arena_release(&arena);
}

static void details_that_can_not_be_read_count_as_none(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct str broken[] = {STR("\xff\xff"), STR("\x1a\x02\x0a\x05"),
                                 STR("\x1a\x04\x0a\x02"
                                     "ab"),
                                 STR("\x1a\x2f\x0a\x28"
                                     "type.googleapis.com/google.rpc.ErrorInfo"
                                     "\x12\x03\x0a\x01"
                                     "\xff")};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct rpc_received received = {.status = 14, .details = broken[i]};
        struct rpc_result result;
        rpc_outcome_read(&received, &arena, &result);
        assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
        assert_string_equal(result.reason, "");
    }
    arena_release(&arena);
}

static void every_error_of_ours_survives_the_way(void **state) {
    (void)state;
    size_t n;
    const struct err_info *table = err_table(&n);
    for (size_t i = 1; i < n; i++) {
        struct arena arena;
        arena_init(&arena, 1 << 16);
        struct error error = {0};
        error_set(&error, table[i].code, NULL);
        for (size_t k = 0; k < 12; k++)
            error_field(&error, "field", "%s", "\xe6\xbb\xa1"); // more than are kept
        error.code = table[i].code;
        error.retry_after_ms = 1234;
        const char *const metadata[] = {"trade_no", "T1", NULL};
        struct rpc_status status;
        struct error got = {0};
        rpc_status_decode(rpc_status_encode(&error, metadata, &arena), &arena, &status, &got);
        assert_int_equal(status.code, table[i].grpc_status);
        assert_string_equal(status.reason, table[i].name);
        assert_string_equal(status.domain, "txcenter");
        assert_int_equal(got.n_fields, ERR_FIELDS_MAX);
        assert_string_equal(got.fields[7].what, "\xe6\xbb\xa1");
        assert_int_equal(got.retry_after_ms, 1234);
        arena_release(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_means_what_the_table_says),
        cmocka_unit_test(an_answer_that_can_not_be_read_is_unknown),
        cmocka_unit_test(details_that_can_not_be_read_count_as_none),
        cmocka_unit_test(every_error_of_ours_survives_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
