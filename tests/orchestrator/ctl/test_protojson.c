#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "orchestrator/ctl/protojson.h"
#include "tests/orchestrator/ctl/from_json.h"
#include "txcenter/callback/v1/callback.pb-c.h"
#include "txcenter/saga/v1/saga.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_json(const ProtobufCMessage *message, const char *expected) {
    json_t *json = protojson_of(message);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static void test_64_bit_integers_are_text_and_enums_names(void **state) {
    (void)state;
    Txcenter__Type__V1__Money money = TXCENTER__TYPE__V1__MONEY__INIT;
    money.currency = (char[]){"CNY"};
    money.minor_units = INT64_MIN;
    assert_json(&money.base, "{\"currency\":\"CNY\",\"minorUnits\":\"-9223372036854775808\"}");
    Txcenter__Trade__V1__StateChange change = TXCENTER__TRADE__V1__STATE_CHANGE__INIT;
    change.state = TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_PAID;
    assert_json(&change.base, "{\"state\":\"TRADE_STATE_PAID\"}");
    change.state = 77; // of a newer server
    assert_json(&change.base, "{\"state\":77}");
}

static void test_unset_messages_and_members_of_a_oneof_are_left_out_and_defaults_are_not(void **state) {
    (void)state;
    Txcenter__Trade__V1__PayResponse response = TXCENTER__TRADE__V1__PAY_RESPONSE__INIT;
    assert_json(&response.base, "{\"processing\":false}");
    Txcenter__Trade__V1__RefundRequest refund = TXCENTER__TRADE__V1__REFUND_REQUEST__INIT;
    refund.extent_case = TXCENTER__TRADE__V1__REFUND_REQUEST__EXTENT_WHOLE;
    refund.whole = true;
    assert_json(&refund.base, "{\"requestId\":\"\",\"tradeNo\":\"\",\"orderNo\":\"\",\"refundNo\":\"\",\"whole\":true,"
                              "\"split\":[],\"reason\":\"\",\"waitMs\":0}");
}

static const struct {
    size_t n;
    const char *base64;
} lengths[] = {{0, ""}, {1, "AA=="}, {2, "AAE="}, {3, "AAEC"}, {4, "AAECAw=="}, {6, "AAECAwQF"}};

static void test_bytes_are_base64(void **state) {
    (void)state;
    uint8_t bytes[] = {0, 1, 2, 3, 4, 5};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        Txcenter__Callback__V1__SignedBody body = TXCENTER__CALLBACK__V1__SIGNED_BODY__INIT;
        body.body = (ProtobufCBinaryData){lengths[i].n, bytes};
        json_t *json = protojson_of(&body.base);
        assert_string_equal(json_string_value(json_object_get(json, "body")), lengths[i].base64);
        json_decref(json);
    }
    uint8_t high[] = {0xff, 0xfe, 0xfb};
    Txcenter__Callback__V1__SignedBody body = TXCENTER__CALLBACK__V1__SIGNED_BODY__INIT;
    body.body = (ProtobufCBinaryData){3, high};
    json_t *json = protojson_of(&body.base);
    assert_string_equal(json_string_value(json_object_get(json, "body")), "//77");
    json_decref(json);
}

static const struct {
    int64_t seconds;
    int32_t nanos;
    const char *json;
} stamps[] = {
    {0, 0, "\"1970-01-01T00:00:00Z\""},
    {1769860830, 250000000, "\"2026-01-31T12:00:30.250Z\""},
    {1769860830, 1000, "\"2026-01-31T12:00:30.000001Z\""},
    {1769860830, 1, "\"2026-01-31T12:00:30.000000001Z\""},
    {-1, 0, "\"1969-12-31T23:59:59Z\""},
    {-62135596800, 0, "\"0001-01-01T00:00:00Z\""},
    {253402300799, 999999999, "\"9999-12-31T23:59:59.999999999Z\""},
    // Out of range: shown by its fields.
    {253402300800, 0, "{\"seconds\":\"253402300800\",\"nanos\":0}"},
    {INT64_MAX, 0, "{\"seconds\":\"9223372036854775807\",\"nanos\":0}"},
    {0, -1, "{\"seconds\":\"0\",\"nanos\":-1}"},
};

static void test_timestamps_are_rfc_3339(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++) {
        Google__Protobuf__Timestamp stamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        stamp.seconds = stamps[i].seconds;
        stamp.nanos = stamps[i].nanos;
        assert_json(&stamp.base, stamps[i].json);
    }
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    duration.seconds = 1;
    duration.nanos = 500000000;
    assert_json(&duration.base, "\"1.500s\"");
    duration.seconds = -3;
    duration.nanos = 0;
    assert_json(&duration.base, "\"-3s\"");
}

static void test_what_is_read_from_json_is_printed_alike(void **state) {
    (void)state;
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *name;
    } samples[] = {{&txcenter__trade__v1__trade__descriptor, "trade.json"},
                   {&txcenter__saga__v1__saga__descriptor, "saga.json"},
                   {&txcenter__saga__v1__flow__descriptor, "flow.json"}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct arena arena;
        arena_init(&arena, 16 << 20);
        json_t *once = protojson_of(from_sample(samples[i].type, samples[i].name, &arena));
        json_t *twice = protojson_of(from_json(samples[i].type, once, &arena));
        assert_non_null(once);
        assert_true(json_equal(once, twice));
        json_decref(once);
        json_decref(twice);
        arena_release(&arena);
    }
}

static void test_hostile_text_is_printed_as_harmless_json(void **state) {
    (void)state;
    Txcenter__Saga__V1__GetSagaRequest request = TXCENTER__SAGA__V1__GET_SAGA_REQUEST__INIT;
    request.gid = (char[]){"\033[2J\xc2\x9b"
                           "31m\x7f\xe2\x80\xae \"quoted\" \xff 加油"};
    json_t *json = protojson_of(&request.base);
    struct buf out;
    buf_init(&out, 4096);
    assert_true(protojson_print(&out, json, true));
    assert_string_equal(out.ptr, "{\"gid\":\"\\u001B[2J\\u009b31m\\u007f\\u202e \\\"quoted\\\" \xEF\xBF\xBD 加油\"}\n");
    // And it is JSON: the characters come back.
    json_t *again = json_loads(out.ptr, 0, NULL);
    assert_true(json_equal(json, again));
    json_decref(again);
    json_decref(json);
    buf_release(&out);
}

static void test_a_document_is_indented_or_on_one_line(void **state) {
    (void)state;
    Txcenter__Trade__V1__PayResponse response = TXCENTER__TRADE__V1__PAY_RESPONSE__INIT;
    json_t *json = protojson_of(&response.base);
    struct buf out;
    buf_init(&out, 64);
    assert_true(protojson_print(&out, json, false));
    assert_string_equal(out.ptr, "{\n  \"processing\": false\n}\n");
    buf_release(&out);
    buf_init(&out, 4);
    assert_false(protojson_print(&out, json, true));
    buf_release(&out);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_64_bit_integers_are_text_and_enums_names),
        cmocka_unit_test(test_unset_messages_and_members_of_a_oneof_are_left_out_and_defaults_are_not),
        cmocka_unit_test(test_bytes_are_base64),
        cmocka_unit_test(test_timestamps_are_rfc_3339),
        cmocka_unit_test(test_what_is_read_from_json_is_printed_alike),
        cmocka_unit_test(test_hostile_text_is_printed_as_harmless_json),
        cmocka_unit_test(test_a_document_is_indented_or_on_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
