// Command lines: what they mean, and what is said of those that mean nothing.
#include "orchestrator/ctl/args.h"
#include "orchestrator/ctl/moment.h"
#include "orchestrator/ctl/protojson.h"
#include "orchestrator/ctl/request.h"
#include "orchestrator/ctl/words.h"
#include "txcenter/trade/v1/trade.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOT_FUEL                                                                                                       \
    "--fuel: expected CODE:amount=200.00 or CODE:volume=30.00, with nozzle=N and authorised behind a comma, or "       \
    "CODE:serial=S,nozzle=N, got "

#define NOT_GOODS "--goods: expected SKU or SKU=PIECES, such as OIL4L=2, got "

enum { WORDS_MAX_OF_A_LINE = 24 };
#define NOW_MS INT64_C(1769860830000) // 2026-01-31T12:00:30Z

struct line {
    char text[512];
    char *argv[WORDS_MAX_OF_A_LINE];
    int argc;
};

// Words are separated by single spaces.
static void split(struct line *line, const char *text) {
    line->argc = 0;
    snprintf(line->text, sizeof line->text, "%s", text);
    for (char *c = line->text; c;) {
        assert_true(line->argc < WORDS_MAX_OF_A_LINE);
        line->argv[line->argc++] = c;
        c = strchr(c, ' ');
        if (c)
            *c++ = '\0';
    }
}

// ---- Lines that become requests -----------------------------------------------------------------------------------

static const struct {
    const char *line, *request; // the request as JSON, without fields at their default
} good[] = {
    {"txctl trade quote --tenant T001 --user U0001 --station S001 --fuel 92#:amount=200.00",
     "{\"requestId\":\"R\",\"context\":{\"tenantId\":\"T001\",\"userId\":\"U0001\",\"stationId\":\"S001\"},\"lines\":[{"
     "\"fuel\":{\"oilCode\":"
     "\"92#\",\"amount\":{\"currency\":\"CNY\",\"minorUnits\":\"20000\"}}}]}"},
    {"txctl trade quote --trade T1 --fuel 0#:volume=30.5,nozzle=3 --fuel 95#:amount=10,volume=1.33 --no-points "
     "--exclude-coupon C1 --exclude-coupon=C2 --combinations 10 --tenant G --user U --station S",
     "{\"requestId\":\"R\",\"tradeNo\":\"T1\",\"context\":{\"tenantId\":\"G\",\"userId\":\"U\",\"stationId\":\"S\"},"
     "\"lines\":[{\"fuel\":{\"oilCode\":\"0#\",\"nozzle\":\"3\","
     "\"volumeCenti\":"
     "\"3050\"}},{\"fuel\":{\"oilCode\":\"95#\",\"volumeCenti\":\"133\",\"amount\":{\"currency\":\"CNY\","
     "\"minorUnits\":\"1000\"}}}],\"excludedCouponIds\":[\"C1\",\"C2\"],\"excludePoints\":true,\"maxCombinations\":"
     "10}"},
    {"txctl trade quote --tenant G --station S --goods OIL4L=2 --fuel 92#:amount=1 --goods W1",
     "{\"requestId\":\"R\",\"context\":{\"tenantId\":\"G\",\"stationId\":\"S\"},\"lines\":[{\"goods\":{\"sku\":"
     "\"OIL4L\","
     "\"quantity\":\"2\"}},{\"fuel\":{\"oilCode\":\"92#\",\"amount\":{\"currency\":\"CNY\",\"minorUnits\":\"100\"}}},"
     "{\"goods\":{\"sku\":\"W1\",\"quantity\":\"1\"}}]}"},
    {"txctl trade quote --tenant G --user U --station S --recharge C0001=100",
     "{\"requestId\":\"R\",\"context\":{\"tenantId\":\"G\",\"userId\":\"U\",\"stationId\":\"S\"},\"lines\":[{"
     "\"recharge\":{"
     "\"cardNo\":\"C0001\",\"amount\":{\"currency\":\"CNY\",\"minorUnits\":\"10000\"}}}]}"},
    {"txctl --currency JPY trade order T1 --version 2 --combination 1 --expect 500 --mode lock-first --expires 60 "
     "--wait 0",
     "{\"requestId\":\"R\",\"tradeNo\":\"T1\",\"quoteVersion\":2,\"combinationId\":\"1\",\"expectedPayable\":"
     "{\"currency\":\"JPY\",\"minorUnits\":\"500\"},\"mode\":\"ORDER_MODE_LOCK_FIRST\",\"expiresInSeconds\":60}"},
    {"txctl trade pay T1 --tender card=50.00:C0001 --tender wechat:openid1 --tender cash=1 --on-failure fail-trade "
     "--wait-for OUTCOME",
     "{\"requestId\":\"R\",\"tradeNo\":\"T1\",\"tenders\":[{\"kind\":\"TENDER_KIND_CARD\",\"amount\":{\"currency\":"
     "\"CNY\",\"minorUnits\":\"5000\"},\"account\":\"C0001\"},{\"kind\":\"TENDER_KIND_WECHAT\",\"account\":"
     "\"openid1\"},{\"kind\":\"TENDER_KIND_CASH\",\"amount\":{\"currency\":\"CNY\",\"minorUnits\":\"100\"}}],"
     "\"onFailure\":\"ON_FAILURE_FAIL_TRADE\",\"waitFor\":\"WAIT_FOR_OUTCOME\",\"waitMs\":5000}"},
    {"txctl trade pay T1 --tender cash=19.5 --rounding-off 0.5",
     "{\"requestId\":\"R\",\"tradeNo\":\"T1\",\"tenders\":[{\"kind\":\"TENDER_KIND_CASH\",\"amount\":{\"currency\":"
     "\"CNY\","
     "\"minorUnits\":\"1950\"}}],\"waitMs\":5000,\"roundingOff\":{\"currency\":\"CNY\",\"minorUnits\":\"50\"}}"},
    {"txctl trade refund T1 --whole --wait 30",
     "{\"requestId\":\"R\",\"tradeNo\":\"T1\",\"whole\":true,\"waitMs\":30000}"},
    {"txctl trade refund --order O1 --amount 20.00 --split N1=15 --split N2=5.00 --reason why",
     "{\"requestId\":\"R\",\"orderNo\":\"O1\",\"amount\":{\"currency\":\"CNY\",\"minorUnits\":\"2000\"},\"split\":["
     "{\"tenderNo\":\"N1\",\"amount\":{\"currency\":\"CNY\",\"minorUnits\":\"1500\"}},{\"tenderNo\":\"N2\",\"amount\":"
     "{\"currency\":\"CNY\",\"minorUnits\":\"500\"}}],\"reason\":\"why\",\"waitMs\":5000}"},
    {"txctl trade refund T1 --line 0 --line 2",
     "{\"requestId\":\"R\",\"tradeNo\":\"T1\",\"lines\":{\"indexes\":[0,2]},\"waitMs\":5000}"},
    {"txctl trade get -- --strange", "{\"tradeNo\":\"--strange\"}"},
    {"txctl trade list --state partially_refunded --from 2h --to 2026-01-31T12:00:00.5+08:00 --page-size 10",
     "{\"filter\":{\"state\":\"TRADE_STATE_PARTIALLY_REFUNDED\",\"createdFrom\":\"2026-01-31T10:00:30Z\",\"createdTo\":"
     "\"2026-01-31T04:00:00.500Z\"},\"pageSize\":10}"},
    {"txctl trade watch T1 --after 9223372036854775807",
     "{\"tradeNo\":\"T1\",\"afterVersion\":\"9223372036854775807\"}"},
    {"txctl saga list --parked --flow trade.purchase --status compensating -o json",
     "{\"filter\":{\"status\":\"SAGA_STATUS_COMPENSATING\",\"parked\":true,\"flow\":\"trade.purchase\"}}"},
    {"txctl saga retry G1 --reason mended", "{\"requestId\":\"R\",\"gid\":\"G1\",\"reason\":\"mended\"}"},
    {"txctl saga skip G1 --reason r --step ordered --leg 2",
     "{\"requestId\":\"R\",\"gid\":\"G1\",\"reason\":\"r\",\"step\":\"ordered\",\"leg\":2}"},
    {"txctl saga resolve G1 --outcome rejected --reason told-by-phone",
     "{\"requestId\":\"R\",\"gid\":\"G1\",\"reason\":\"told-by-phone\",\"outcome\":\"STEP_OUTCOME_REJECTED\"}"},
    {"txctl saga list --paused --slot 0 --slot 7", "{\"filter\":{\"slots\":[0,7],\"paused\":true}}"},
    {"txctl batch TERMINATE --filter parked --reason r",
     "{\"requestId\":\"R\",\"reason\":\"r\",\"filter\":{\"parked\":true},\"action\":\"OPERATOR_ACTION_TERMINATE\"}"},
    {"txctl batch retry --filter unfinished,status=compensating,because=CALL_TIMEOUT,older=30m,slot=3,slot=4 --rate 50 "
     "--dry-run --reason r",
     "{\"requestId\":\"R\",\"reason\":\"r\",\"filter\":{\"status\":\"SAGA_STATUS_COMPENSATING\",\"unfinished\":true,"
     "\"reason\":\"CALL_TIMEOUT\",\"updatedBefore\":\"2026-01-31T11:30:30Z\",\"slots\":[3,4]},\"action\":"
     "\"OPERATOR_ACTION_RETRY\",\"ratePerS\":50,\"dryRun\":true}"},
    {"txctl batch pause --filter parked --dry-run",
     "{\"requestId\":\"R\",\"filter\":{\"parked\":true},\"action\":\"OPERATOR_ACTION_PAUSE\",\"dryRun\":true}"},
    {"txctl participant pause card --reason r", "{\"requestId\":\"R\",\"participant\":\"card\",\"reason\":\"r\"}"},
    {"txctl cache clear --reason r", "{\"requestId\":\"R\",\"reason\":\"r\"}"},
    {"txctl cache clear --source price --reason r", "{\"requestId\":\"R\",\"reason\":\"r\",\"source\":\"price\"}"},
    {"txctl audit list", "{}"},
    {"txctl audit list G1 --page-size 5", "{\"gid\":\"G1\",\"pageSize\":5}"},
    {"txctl flow graph trade.purchase", "{\"name\":\"trade.purchase\"}"},
    {"txctl health", "{}"},
    {"txctl health txcenter.trade.v1.TradeService", "{\"service\":\"txcenter.trade.v1.TradeService\"}"},
};

// Proto3's defaults say nothing; without them the table above stays readable.
static bool is_default(const json_t *value) {
    const char *text = json_string_value(value);
    return json_is_false(value) || (json_is_integer(value) && json_integer_value(value) == 0) ||
           (text && (!*text || strcmp(text, "0") == 0 || strstr(text, "_UNSPECIFIED"))) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static void drop_defaults(json_t *json) {
    const char *name;
    json_t *value;
    void *next;
    size_t i;
    json_array_foreach(json, i, value) drop_defaults(value);
    json_object_foreach_safe(json, next, name, value) {
        if (is_default(value))
            json_object_del(json, name);
        else
            drop_defaults(value);
    }
}

static ProtobufCMessage *request_of(const char *text, struct line *line, struct arena *arena, struct error *error) {
    struct args args;
    split(line, text);
    *error = (struct error){0};
    if (!args_parse(line->argc, line->argv, &args, error))
        return NULL;
    return request_make(&args, "R", NOW_MS, arena, error);
}

static void test_each_command_line_becomes_its_request(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct line line;
        struct error error;
        ProtobufCMessage *request = request_of(good[i].line, &line, &arena, &error);
        if (!request)
            fail_msg("%s: %s", good[i].line, error.text);
        json_t *json = protojson_of(request);
        drop_defaults(json);
        char *text = json_dumps(json, JSON_COMPACT);
        assert_string_equal(text, good[i].request);
        free(text);
        json_decref(json);
        arena_release(&arena);
    }
}

// ---- Lines that don't ---------------------------------------------------------------------------------------------

static const struct {
    const char *line, *error;
} bad[] = {
    {"txctl trdae", "unknown command 'trdae'; did you mean 'trade'?"},
    {"txctl wibblewobble", "unknown command 'wibblewobble'; 'txctl help' lists them"},
    {"txctl trade", "'trade' needs another word; 'txctl help trade' lists them"},
    {"txctl trade refnud", "unknown command 'trade refnud'; did you mean 'trade refund'?"},
    {"txctl trade order T1", "'trade order' needs --version N"},
    {"txctl trade order --version 1", "'trade order' needs TRADE"},
    {"txctl trade order T1 T2 --version 1", "'trade order' takes one operand, but 'T2' stands there too"},
    {"txctl flow list all", "'flow list' takes no operand, but 'all' stands there too"},
    {"txctl trade order T1 --versoin 1", "'trade order' has no option --versoin; did you mean --version?"},
    {"txctl trade order T1 --wobblewibblewobble",
     "'trade order' has no option --wobblewibblewobble; 'txctl help trade order' lists them"},
    {"txctl trade order T1 -x", "'trade order' has no option --x; 'txctl help trade order' lists them"},
    {"txctl --sever x", "'txctl' has no option --sever; did you mean --server?"},
    {"txctl trade order T1 --version", "--version needs N"},
    {"txctl trade order T1 --version 0", "--version: expected a whole number from 1 to 2147483647, got '0'"},
    {"txctl trade order T1 --version 1x", "--version: expected a whole number from 1 to 2147483647, got '1x'"},
    {"txctl trade order T1 --version 1 --version 2", "--version stands there twice"},
    {"txctl trade order T1 --version 1 --accept-degraded=yes", "--accept-degraded takes no value"},
    {"txctl trade pay T1 --on-failure explode", "--on-failure: expected one of keep, fail-trade; got 'explode'"},
    {"txctl trade quote --tenant G --user U --station S --fuel 92#", NOT_FUEL "'92#'"},
    {"txctl trade quote --tenant G --user U --station S --fuel :amount=1", NOT_FUEL "':amount=1'"},
    {"txctl trade quote --tenant G --user U --station S --fuel 92#:amount=1.234", NOT_FUEL "'92#:amount=1.234'"},
    {"txctl trade quote --tenant G --user U --station S --fuel 92#:volume=-1", NOT_FUEL "'92#:volume=-1'"},
    {"txctl trade quote --tenant G --user U --station S --fuel 92#:litres=5", NOT_FUEL "'92#:litres=5'"},
    {"txctl trade adjust T1 --line x",
     "--line: expected N:amount=150.00 or N:volume=19.53, or N alone for nothing, got 'x'"},
    {"txctl trade adjust T1 --line 0:litres=5",
     "--line: expected N:amount=150.00 or N:volume=19.53, or N alone for nothing, got '0:litres=5'"},
    {"txctl trade pay T1 --tender visa=1", "--tender: expected KIND=AMOUNT:ACCOUNT with KIND one of card, wechat, "
                                           "alipay, bank-card, scanned, cash, got 'visa=1'"},
    {"txctl trade pay T1 --tender card=x", "--tender: expected KIND=AMOUNT:ACCOUNT, such as card=50.00:C0001, "
                                           "cash=20.00 or wechat:openid1, got 'card=x'"},
    {"txctl trade refund T1 --amount -5", "--amount: expected an amount such as 12.34 in the currency's decimals, got "
                                          "'-5'"},
    {"txctl trade refund T1 --amount 99999999999999999999",
     "--amount: expected an amount such as 12.34 in the currency's decimals, got '99999999999999999999'"},
    {"txctl trade refund T1 --whole --amount 5", "--amount: it stands beside another option that excludes it"},
    {"txctl trade refund T1 --whole --split N1", "--split: expected TENDER_NO=AMOUNT, got 'N1'"},
    {"txctl trade refund T1 --currency XX --whole", "--currency: expected an ISO 4217 currency such as CNY, got 'XX'"},
    {"txctl trade list --from yesterday", "--from: expected a time such as 2026-01-31T12:00:00+08:00, 2026-01-31 or 2h "
                                          "(ago), got 'yesterday'"},
    {"txctl trade get", "'trade get' needs TRADE or --order"},
    {"txctl trade cancel --reason x", "'trade cancel' needs TRADE or --order"},
    {"txctl trade refund T1", "'trade refund' needs --whole, --amount or --line"},
    {"txctl trade quote --fuel 92#:amount=1 --user U --station S", "'trade quote' needs --tenant"},
    {"txctl trade quote --tenant G --station S", "'trade quote' needs --fuel, --goods or --recharge"},
    {"txctl trade quote --tenant G --station S --goods =2", NOT_GOODS "'=2'"},
    {"txctl trade quote --tenant G --station S --goods OIL4L=0", NOT_GOODS "'OIL4L=0'"},
    {"txctl trade quote --tenant G --station S --goods OIL4L=many", NOT_GOODS "'OIL4L=many'"},
    {"txctl trade quote --tenant G --station S --recharge C1", "--recharge: expected CARD=AMOUNT, got 'C1'"},
    {"txctl trade quote --tenant G --station S --recharge =1", "--recharge: expected CARD=AMOUNT, got '=1'"},
    {"txctl trade quote --tenant G --station S --recharge C1=1.234",
     "--recharge: expected CARD=AMOUNT, got 'C1=1.234'"},
    {"txctl --verbose", "'txctl' has no option --verbose; 'txctl help' lists them"},
    {"txctl saga retry G1", "'saga retry' needs --reason TEXT"},
    {"txctl saga resolve G1 --reason r", "'saga resolve' needs --outcome OUTCOME"},
    {"txctl saga resolve G1 --reason r --outcome fine", "--outcome: expected one of ok, rejected; got 'fine'"},
    {"txctl saga resolve G1 --reason r --outcome ok --answer /nonexistent/answer",
     "--answer: expected a file that can be read, got '/nonexistent/answer'"},
    {"txctl saga skip G1 --reason r --leg 72", "--leg: expected a whole number from 0 to 71, got '72'"},
    {"txctl batch --filter parked --reason r", "'batch' needs ACTION"},
    {"txctl batch resolve --filter parked --reason r",
     "ACTION: expected one of retry, skip, compensate, pause, resume, terminate; got 'resolve'"},
    {"txctl batch retry --reason r", "'batch' needs --filter NAME[=VALUE],…"},
    {"txctl batch retry --filter parked", "'batch' needs --reason or --dry-run"},
    {"txctl batch retry --filter parked=yes --reason r",
     "--filter: expected conditions as the options of 'saga list' are, such as parked,flow=NAME, got 'parked=yes'"},
    {"txctl batch retry --filter flow --reason r",
     "--filter: expected conditions as the options of 'saga list' are, such as parked,flow=NAME, got 'flow'"},
    {"txctl batch terminate --filter flow=,unfinished --reason r",
     "--filter: expected conditions as the options of 'saga list' are, such as parked,flow=NAME, got 'flow='"},
    {"txctl batch retry --filter page-size=1 --reason r",
     "--filter: expected conditions as the options of 'saga list' are, such as parked,flow=NAME, got 'page-size=1'"},
    {"txctl batch retry --filter parked, --reason r",
     "--filter: expected conditions as the options of 'saga list' are, such as parked,flow=NAME, got ''"},
    {"txctl batch retry --filter slot=256 --reason r", "--slot: expected a whole number from 0 to 255, got '256'"},
    {"txctl batch retry --filter older=never --reason r",
     "--older: expected a time such as 2026-01-31T12:00:00+08:00, 2026-01-31 or 2h (ago), got 'never'"},
    {"txctl batch retry --filter parked --rate 0 --reason r",
     "--rate: expected a whole number from 1 to 1000, got '0'"},
    {"txctl participant pause card", "'participant pause' needs --reason TEXT"},
    {"txctl saga audit G1", "unknown command 'saga audit'; 'txctl help' lists them"},
    {"txctl help a b c", "'help' takes one command"},
};

static void test_each_bad_command_line_gets_a_precise_error(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct line line;
        struct error error;
        if (request_of(bad[i].line, &line, &arena, &error))
            fail_msg("taken: %s", bad[i].line);
        assert_string_equal(error.text, bad[i].error);
        arena_release(&arena);
    }
}

static void test_too_many_options_are_refused(void **state) {
    (void)state;
    enum { N = 4 + 2 * (ARGS_MAX + 1) };
    static char *argv[N];
    static char words[4][16] = {"txctl", "trade", "refund", "T1"}, line[] = "--line", one[] = "1";
    for (int i = 0; i < N; i++)
        argv[i] = i < 4 ? words[i] : i % 2 == 0 ? line : one;
    struct args args;
    struct error error = {0};
    assert_false(args_parse(N, argv, &args, &error));
    assert_string_equal(error.text, "more than 128 options");
}

static void test_the_bytes_of_a_request_are_bounded(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    struct line line;
    struct error error;
    assert_null(request_of("txctl trade pay T1 --tender card=1 --tender card=2", &line, &arena, &error));
    assert_string_equal(error.text, "the request is too large");
    arena_release(&arena);
}

// ---- The table ----------------------------------------------------------------------------------------------------

// Every path and every kind fits the message that it goes into: else request_make() would assert.
static void test_every_option_of_the_table_fills_a_field(void **state) {
    (void)state;
    static const char *const values[] = {[OPTION_TEXT] = "x",  [OPTION_NUMBER] = "1", [OPTION_MONEY] = "1",
                                         [OPTION_TIME] = "1h", [OPTION_SPEC] = NULL,  [OPTION_FILE] = "/dev/null"};
    size_t n, tried = 0;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        const struct option *option;
        const ProtobufCEnumDescriptor *operands = command_operand_words(&table[i]);
        char operand[WORDS_MAX] = "x";
        if (operands)
            words_choice(operands, 1, operand);
        for (size_t k = 0; (option = command_option(&table[i], k)); k++) {
            if (!option->field || option->kind == OPTION_SPEC)
                continue;
            char word[WORDS_MAX];
            if (option->words)
                words_choice(option->words, 1, word);
            struct args args = {.command = &table[i], .operand = operand, .n = 1};
            args.given[0].option = option;
            args.given[0].value = option->words ? word : values[option->kind];
            struct arena arena;
            arena_init(&arena, 1 << 20);
            struct error error = {0};
            if (!request_make(&args, "R", NOW_MS, &arena, &error))
                fail_msg("%s --%s: %s", table[i].words, option->name, error.text);
            arena_release(&arena);
            tried++;
        }
    }
    assert_true(tried > 50);
}

static void test_every_command_is_found_by_its_words_and_does_something(void **state) {
    (void)state;
    size_t n;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(command_find(str_c(table[i].words)), &table[i]);
        assert_true(table[i].run || (table[i].method.service && table[i].show));
        assert_non_null(table[i].text);
        const struct option *a, *b;
        for (size_t k = 0; (a = command_option(&table[i], k)); k++)
            for (size_t m = 0; m < k && (b = command_option(&table[i], m)); m++)
                assert_string_not_equal(a->name, b->name);
    }
}

// ---- Times --------------------------------------------------------------------------------------------------------

static const struct {
    const char *text;
    int64_t ms; // -1: refused
} moments[] = {
    {"45s", NOW_MS - 45000},
    {"90m", NOW_MS - 5400000},
    {"2h", NOW_MS - 7200000},
    {"3d", NOW_MS - 259200000},
    {"2026-01-31", INT64_C(1769788800000)}, // midnight in China
    {"2026-01-31T12:00:30Z", NOW_MS},
    {"2026-01-31t12:00:30.5z", NOW_MS + 500},
    {"2026-01-31T20:00:30+08:00", NOW_MS},
    {"2026-01-31T07:30:30.123456789-04:30", NOW_MS + 123},
    {"1970-01-01T00:00:00Z", 0},
    {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
    {"2026-02-29", -1},
    {"2026-02-30T00:00:00Z", -1},
    {"2026-13-01", -1},
    {"2026-01-31T24:00:00Z", -1},
    {"2026-01-31T12:00:30", -1}, // no zone
    {"2026-01-31T12:00:30.1234567890Z", -1},
    {"2026-01-31T12:00:30+8", -1},
    {"2026-01-31T12:00:30Zx", -1},
    {"1969-12-31", -1},
    {"26-01-31", -1},
    {"h", -1},
    {"-2h", -1},
    {"2w", -1},
    {"99999999999999999d", -1},
    {"999999d", -1}, // before 1970
    {"", -1},
};

static void test_times_are_read_exactly_or_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        int64_t ms = -1;
        bool taken = moment_parse(str_c(moments[i].text), NOW_MS, &ms);
        if (taken != (moments[i].ms >= 0) || ms != moments[i].ms)
            fail_msg("%s: %lld", moments[i].text, (long long)ms);
    }
}

static int china_time(void **state) {
    (void)state;
    return setenv("TZ", "CST-8", 1); // NOLINT(concurrency-mt-unsafe): there is one thread
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_command_line_becomes_its_request),
        cmocka_unit_test(test_each_bad_command_line_gets_a_precise_error),
        cmocka_unit_test(test_too_many_options_are_refused),
        cmocka_unit_test(test_the_bytes_of_a_request_are_bounded),
        cmocka_unit_test(test_every_option_of_the_table_fills_a_field),
        cmocka_unit_test(test_every_command_is_found_by_its_words_and_does_something),
        cmocka_unit_test(test_times_are_read_exactly_or_refused),
    };
    return cmocka_run_group_tests(tests, china_time, NULL);
}
