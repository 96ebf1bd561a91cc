// txctl against a server: what it prints, where, and how it exits.
#include "orchestrator/ctl/txctl.h"
#include "tests/orchestrator/ctl/fake_server.h"
#include "tests/orchestrator/ctl/from_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX_OF_A_LINE = 24 };

static struct fake_server server; // forked before anything else, for all tests

struct run {
    char *out, *err;
    int code;
};

static void run_txctl(struct run *run, const char *line) {
    char text[512], target[64], *argv[WORDS_MAX_OF_A_LINE];
    size_t out_size, err_size;
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *c = text; c; argc++) {
        assert_true(argc < WORDS_MAX_OF_A_LINE);
        argv[argc] = c;
        c = strchr(c, ' ');
        if (c)
            *c++ = '\0';
    }
    snprintf(target, sizeof target, "127.0.0.1:%d", server.port);
    FILE *out = open_memstream(&run->out, &out_size), *err = open_memstream(&run->err, &err_size);
    const struct session_env env = {.out = out, .err = err, .server = target, .version = "1.2.3", .width = 100};
    run->code = txctl_main(argc, argv, &env);
    fclose(out);
    fclose(err);
}

static void run_release(struct run *run) {
    free(run->out);
    free(run->err);
}

#define DEFINITION "tests/orchestrator/ctl/samples/definition.json"

static const struct {
    const char *line;
    int code;
    const char *out, *err; // parts of what is printed; "" where nothing may be
} rows[] = {
    {"txctl trade get T1", TXCTL_OK, "Trade 01KG9B2Y00170123456789ABCD  PARTIALLY_REFUNDED  version 7\n", ""},
    {"txctl trade quote --tenant G --user U --station S --fuel 92#:amount=5", TXCTL_OK,
     "Quote of trade 01KG9B2Y00170123456789ABCD", ""},
    {"txctl trade order T1 --version 1 --wait 1", TXCTL_OK, "Trade 01KG9B2Y00170123456789ABCD", ""},
    {"txctl trade order T1 --version 1 --wait 0", TXCTL_PROCESSING,
     "Still processing. It goes on by itself; see `txctl trade watch 01KG9B2Y00170123456789ABCD`.\n", ""},
    {"txctl trade list", TXCTL_OK, "more: --page-token second\n", ""},
    {"txctl trade list --page-token second", TXCTL_OK, "nothing\n", ""},
    {"txctl saga get G1", TXCTL_OK, "Saga G1  trade.purchase v1", ""},
    {"txctl saga trace G1", TXCTL_OK, "Saga G1  trade.purchase v1", ""},
    {"txctl saga trace 01KG9B2Y00170123456789ABCD", TXCTL_OK, "Saga 01KG9B2Y00170123456789ABCD/1/pay/2", ""},
    {"txctl saga submit " DEFINITION " --gid G9 --wait 1", TXCTL_OK, "Saga G9  shop.order  SUCCEEDED", ""},
    {"txctl saga submit " DEFINITION " --gid FAILS --wait 1", TXCTL_REFUSED, "Saga FAILS  shop.order  FAILED", ""},
    {"txctl saga submit " DEFINITION " --request-id mine --wait 0", TXCTL_PROCESSING, "`txctl saga watch mine`.\n", ""},
    {"txctl saga submit nowhere.json", TXCTL_USAGE, "", "txctl: nowhere.json can't be read: No such file"},
    {"txctl saga submit tests/orchestrator/ctl/samples/trade.json", TXCTL_USAGE, "",
     "txctl: tests/orchestrator/ctl/samples/trade.json: tradeNo: there is no such field\n"},
    {"txctl saga signal G1 --name paid --payload receipt", TXCTL_OK, "The signal is durable.\n", ""},
    {"txctl saga signal G2 --name paid", TXCTL_REFUSED, "", "txctl: SAGA_STATE: "},
    {"txctl saga signal G1", TXCTL_USAGE, "", "--name"},
    {"txctl saga count", TXCTL_OK, "17\n", ""},
    {"txctl saga count --parked", TXCTL_OK, "at least 100000\n", ""},
    {"txctl saga resolve G1 --reason r --outcome ok --step confirm", TXCTL_OK, "Saga G1 ", ""},
    {"txctl batch retry --filter flow=whole --reason r", TXCTL_OK, "all of 3 sagas: 3 done, 0 refused, 0 failed\n", ""},
    {"txctl batch retry --filter flow=refused --reason r", TXCTL_REFUSED, "SAGA_STATE: no step is parked\n", ""},
    {"txctl batch retry --filter flow=broken --reason r", TXCTL_REFUSED, "3 sagas\n", "txctl: SHUTTING_DOWN: "},
    {"txctl participant list", TXCTL_OK, "by olga: they migrate tonight\n", ""},
    {"txctl audit list", TXCTL_OK, "in mid-air: collect[0]\n", ""},
    {"txctl help batch", TXCTL_OK, "\nACTION: retry, skip, compensate, pause, resume, terminate\n", ""},
    {"txctl flow graph trade.purchase", TXCTL_OK, "watershed", ""},
    {"txctl health", TXCTL_OK, "SERVING\n", ""},
    {"txctl health txcenter.trade.v1.TradeService -o json", TXCTL_OK, "\"status\": \"SERVING\"", ""},
    {"txctl health nobody.Knows", TXCTL_REFUSED, "", "txctl: "},
    {"txctl version", TXCTL_OK, "txctl 1.2.3\n", ""},
    {"txctl version -o json", TXCTL_OK, "{\"version\": \"1.2.3\"}\n", ""},
    {"txctl", TXCTL_OK, "usage: txctl COMMAND", ""},
    {"txctl help trade", TXCTL_OK, "trade quote-order-pay", ""},
    {"txctl trade --help", TXCTL_OK, "trade quote-order-pay", ""},
    {"txctl trade pay --help", TXCTL_OK, "usage: txctl trade pay TRADE [OPTION…]", ""},
    {"txctl help trade pay", TXCTL_OK, "usage: txctl trade pay TRADE [OPTION…]", ""},
    {"txctl help nothing", TXCTL_USAGE, "", "txctl: there is no command 'nothing'; 'txctl help' lists them\n"},
    {"txctl completion bash", TXCTL_OK, "complete -F _txctl txctl\n", ""},
    {"txctl completion fish", TXCTL_USAGE, "", "txctl: expected bash, got 'fish'\n"},
    {"txctl trade gte", TXCTL_USAGE, "", "txctl: unknown command 'trade gte'; did you mean 'trade get'?\n"},
    {"txctl trade get T1 -o xml", TXCTL_USAGE, "", "txctl: --output: expected human or json, got 'xml'\n"},
    {"txctl trade get T1 --tls-cert c", TXCTL_USAGE, "", "txctl: --tls-cert and --tls-key come together\n"},
    {"txctl trade get T1 --tls-name n", TXCTL_USAGE, "", "txctl: without --tls-ca the connection is in plain text\n"},
    {"txctl trade refund T1 --amount x", TXCTL_USAGE, "", "txctl: --amount: expected an amount"},
    // Refused.
    {"txctl trade get NONE", TXCTL_REFUSED, "", "txctl: TRADE_NOT_FOUND: no trade has this number\n"},
    {"txctl saga trace NONE", TXCTL_REFUSED, "", "txctl: SAGA_NOT_FOUND: no saga has this gid\n"},
    {"txctl saga retry G1 --reason r", TXCTL_REFUSED, "", "txctl: SAGA_STATE: "},
    {"txctl saga skip G1 --reason r", TXCTL_REFUSED, "", "txctl: METHOD_UNKNOWN: "},
    {"txctl batch retry --filter flow=malformed --reason r", TXCTL_REFUSED, "", "  lines[0].fuel.oil_code: "},
    {"txctl trade get BUSY", TXCTL_REFUSED, "", "  try again in 200 ms\n"},
    {"txctl trade get FIELDS", TXCTL_REFUSED, "", "  lines[0].fuel.oil_code: must not be empty\n"},
    {"txctl trade get FIELDS", TXCTL_REFUSED, "", "  lines[7].fuel.oil_code: must not be empty\n"},
    {"txctl trade get HOSTILE", TXCTL_REFUSED, "",
     "txctl: INVALID_REQUEST: \\u001b[2J\\u001b]0;owned\\u0007\\nroot# \n"},
    {"txctl trade get HOSTILE", TXCTL_REFUSED, "", "  a\\u000db: \\u009b31m\n"},
    {"txctl trade cancel T1", TXCTL_REFUSED, "", "txctl: METHOD_UNKNOWN: "},
    // Not answered.
    {"txctl trade get GARBAGE", TXCTL_UNREACHABLE, "", "txctl: no answer from 127.0.0.1:"},
    {"txctl trade get MUTE --timeout 1", TXCTL_UNREACHABLE, "", ": DEADLINE_EXCEEDED: "},
    {"txctl trade order MUTE --version 1 --timeout 1 --request-id my-id", TXCTL_UNREACHABLE, "",
     "run the command again with --request-id my-id, and it acts only once\n"},
    {"txctl trade get T1 --server 127.0.0.1:1 --timeout 2", TXCTL_UNREACHABLE, "",
     "  is txcenterd running there? --server or TXCENTER_SERVER says where it is\n"},
};

static void test_each_command_prints_and_exits_as_it_should(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run run;
        run_txctl(&run, rows[i].line);
        bool fits = run.code == rows[i].code && strstr(run.out, rows[i].out) && strstr(run.err, rows[i].err) &&
                    (*rows[i].out || !*run.out) && (*rows[i].err || !*run.err);
        if (!fits)
            fail_msg("%s: exit %d\n%s\n---\n%s", rows[i].line, run.code, run.out, run.err);
        run_release(&run);
    }
}

// How often `part` stands in `text`.
static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

// A watch to the end: every one of `lines` (NULL behind the last) is printed once, and nothing else.
static void watch_to_the_end(const char *command, const char *const *lines) {
    struct run run;
    int n = 0;
    run_txctl(&run, command);
    if (run.code != TXCTL_OK)
        fail_msg("%s: exit %d\n%s\n---\n%s", command, run.code, run.out, run.err);
    for (; lines[n]; n++)
        assert_int_equal(count(run.out, lines[n]), 1);
    assert_int_equal(count(run.out, "\n"), n);
    assert_string_equal(run.err, "");
    run_release(&run);
}

static void test_a_watch_shows_each_change_once_up_to_the_end(void **state) {
    (void)state;
    static const char *const versions[] = {"version 1  PAYING\n", "version 2  PAID\n", "version 3  COMPLETED\n", NULL};
    static const char *const states[] = {"  RUNNING  charge RETRYING\n", "  FORWARD  charge RETRYING\n",
                                         "  SUCCEEDED  charge RETRYING\n", NULL};
    watch_to_the_end("txctl trade watch T1", versions);
    watch_to_the_end("txctl trade watch BROKEN", versions); // taken up again where it broke
    watch_to_the_end("txctl saga watch G1", states);
    watch_to_the_end("txctl saga watch BROKEN", states);
}

static void test_a_watch_begins_behind_the_version_that_is_given_and_ends_with_its_time(void **state) {
    (void)state;
    struct run run;
    run_txctl(&run, "txctl saga watch G1 --after 2026-01-31T12:00:21Z -o json");
    assert_int_equal(run.code, TXCTL_OK);
    assert_int_equal(count(run.out, "\n"), 1);
    assert_non_null(strstr(run.out, "\"status\":\"SAGA_STATUS_SUCCEEDED\""));
    run_release(&run);
    run_txctl(&run, "txctl trade watch T1 --after 2 -o json");
    assert_int_equal(run.code, TXCTL_OK);
    assert_int_equal(count(run.out, "\n"), 1);
    assert_non_null(strstr(run.out, "\"version\":\"3\""));
    run_release(&run);
    run_txctl(&run, "txctl trade watch MUTE --timeout 1");
    assert_int_equal(run.code, TXCTL_PROCESSING);
    run_release(&run);
    run_txctl(&run, "txctl trade watch NONE");
    assert_int_equal(run.code, TXCTL_REFUSED);
    assert_string_equal(run.err, "txctl: TRADE_NOT_FOUND: no trade has this number\n");
    run_release(&run);
}

static json_t *run_json(const char *line, int code) {
    struct run run;
    run_txctl(&run, line);
    assert_int_equal(run.code, code);
    json_t *json = json_loads(run.out, 0, NULL);
    if (!json)
        fail_msg("no JSON: %s", run.out);
    run_release(&run);
    return json;
}

static const char *text_at(const json_t *json, const char *outer, const char *inner) {
    return json_string_value(json_object_get(json_object_get(json, outer), inner));
}

static void test_json_is_one_document_of_the_answer(void **state) {
    (void)state;
    json_t *json = run_json("txctl trade get T1 -o json", TXCTL_OK);
    assert_string_equal(text_at(json, "trade", "state"), "TRADE_STATE_PARTIALLY_REFUNDED");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json_object_get(json, "trade"), "paid"), "minorUnits")),
        "19550");
    json_decref(json);
    json = run_json("txctl trade order T1 --version 1 --wait 0 --output=json", TXCTL_PROCESSING);
    assert_true(json_is_true(json_object_get(json, "processing")));
    json_decref(json);
    json = run_json("txctl saga trace 01KG9B2Y00170123456789ABCD -o json", TXCTL_OK);
    assert_int_equal(json_array_size(json_object_get(json, "sagas")), 2);
    json_decref(json);
}

// What a step answered is bytes of a file.
static void test_a_resolution_carries_the_answer_that_a_file_holds(void **state) {
    (void)state;
    char path[] = "/tmp/txctl-answer-XXXXXX", line[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "settled", 7), 7);
    close(fd);
    snprintf(line, sizeof line, "txctl saga resolve G1 --reason r --outcome ok --leg 3 --answer %s -o json", path);
    json_t *json = run_json(line, TXCTL_OK);
    unlink(path);
    assert_string_equal(text_at(json, "saga", "flow"), "settled");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "saga"), "flowVersion")), 3);
    json_decref(json);
}

// One line for each report, as it comes.
static void test_a_batch_in_json_is_a_document_for_each_report(void **state) {
    (void)state;
    struct run run;
    run_txctl(&run, "txctl batch retry --filter flow=refused --reason r -o json");
    assert_int_equal(run.code, TXCTL_REFUSED);
    assert_int_equal(count(run.out, "\n"), 2);
    json_t *last = json_loads(strchr(run.out, '\n') + 1, 0, NULL);
    assert_true(json_is_true(json_object_get(last, "finished")));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(last, "refusals"), 0), "reason")),
        "SAGA_STATE");
    json_decref(last);
    assert_string_equal(run.err, "");
    run_release(&run);
}

static void test_the_caller_and_the_request_id_reach_the_server(void **state) {
    (void)state;
    json_t *json = run_json("txctl trade get WHO --caller ops --request-id abc -o json", TXCTL_OK);
    assert_string_equal(text_at(json, "trade", "createdBy"), "ops");
    assert_string_equal(text_at(json, "trade", "reason"), "abc");
    json_decref(json);
    json = run_json("txctl trade order T1 --version 1 --request-id abc -o json", TXCTL_OK);
    assert_string_equal(text_at(json, "trade", "reason"), "abc");
    json_decref(json);
    // Made when absent, and not the same again.
    json = run_json("txctl trade order T1 --version 1 -o json", TXCTL_OK);
    json_t *again = run_json("txctl trade order T1 --version 1 -o json", TXCTL_OK);
    assert_int_equal(strlen(text_at(json, "trade", "reason")), 26);
    assert_string_not_equal(text_at(json, "trade", "reason"), text_at(again, "trade", "reason"));
    json_decref(json);
    json_decref(again);
}

static int start_server(void **state) {
    (void)state;
    fake_server_start(&server);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    fake_server_stop(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_command_prints_and_exits_as_it_should),
        cmocka_unit_test(test_a_watch_shows_each_change_once_up_to_the_end),
        cmocka_unit_test(test_a_watch_begins_behind_the_version_that_is_given_and_ends_with_its_time),
        cmocka_unit_test(test_json_is_one_document_of_the_answer),
        cmocka_unit_test(test_a_resolution_carries_the_answer_that_a_file_holds),
        cmocka_unit_test(test_a_batch_in_json_is_a_document_for_each_report),
        cmocka_unit_test(test_the_caller_and_the_request_id_reach_the_server),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
