#include "orchestrator/config.h"
#include "orchestrator/config_main.h"
#include "orchestrator/config_rows.h"
#include "orchestrator/document.h"
#include "rpc/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { REPORT_MAX = 1 << 20 };

static bool parse(const char *yaml, struct config *config, struct buf *report) {
    buf_init(report, REPORT_MAX);
    return config_parse("t.yaml", str_c(yaml), false, config, report);
}

static void parse_ok(const char *yaml, struct config *config) {
    struct buf report;
    bool valid = parse(yaml, config, &report);
    if (!valid)
        fail_msg("refused:\n%s", report.ptr);
    assert_int_equal(report.len, 0);
    buf_release(&report);
}

// ---- Bad files ----------------------------------------------------------------------------------------------------

#define SUBMIT_EXPECTS                                                                                                 \
    ": expected a list of 1 to 256, each a gRPC target such as orders:7000 or dns:///*.shop.internal:443, in which * " \
    "stands for letters, digits and '-', got "

static const struct {
    const char *yaml, *report;
} bad[] = {
    {"store:\n  batch_max: 0\n",
     "t.yaml:2: store.batch_max: expected a whole number from 1 to 4096 (writes), got \"0\"\n"},
    {"store:\n  batch_max: many\n",
     "t.yaml:2: store.batch_max: expected a whole number from 1 to 4096 (writes), got \"many\"\n"},
    {"store:\n  batch_max: 99999999999999999999\n",
     "t.yaml:2: store.batch_max: expected a whole number from 1 to 4096 (writes), got \"99999999999999999999\"\n"},
    {"drain_ms: 1.5\n", "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got \"1.5\"\n"},
    {"drain_ms: 0x10\n", "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got \"0x10\"\n"},
    {"drain_ms: -1\n", "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got \"-1\"\n"},
    {"drain_ms:\n", "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got nothing\n"},
    {"drain_ms: ~\n", "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got nothing\n"},
    {"limits: {keys_days: 29}\n",
     "t.yaml:1: limits.keys_days: expected 0 or at least 30, as participants promise, got 29\n"},
    {"instance: null\n",
     "t.yaml:1: instance: expected letters, digits, '.', '_' and '-', at most 64 bytes, got nothing\n"},
    {"drain_ms: [1]\n", "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got a list\n"},
    {"log:\n  level: loud\n", "t.yaml:2: log.level: expected debug, info, warn or error, got \"loud\"\n"},
    {"instance: 'two words'\n",
     "t.yaml:1: instance: expected letters, digits, '.', '_' and '-', at most 64 bytes, got \"two words\"\n"},
    {"listen: 127.0.0.1:7600\n", "t.yaml:1: listen: expected a list of 1 to 16, each an address such as "
                                 "127.0.0.1:7600, [::1]:7600 or unix:/run/txcenter.sock, got \"127.0.0.1:7600\"\n"},
    {"listen: ['127.0.0.1']\n", "t.yaml:1: listen[0]: expected a list of 1 to 16, each an address such as "
                                "127.0.0.1:7600, [::1]:7600 or unix:/run/txcenter.sock, got \"127.0.0.1\"\n"},
    {"store:\n  host: 'db1,,db2'\n",
     "t.yaml:2: store.host: expected a server such as db1, 10.0.0.5:3306 or [::1]:3306, "
     "or several, separated by commas, at most 1024 bytes, got \"db1,,db2\"\n"},
    {"store:\n  host: 'db1:99999'\n", "t.yaml:2: store.host: expected a server such as db1, 10.0.0.5:3306 or "
                                      "[::1]:3306, or several, separated by commas, at most 1024 bytes, got "
                                      "\"db1:99999\"\n"},
    {"trade:\n  currency: ABC\n",
     "t.yaml:2: trade.currency: expected an ISO 4217 currency such as CNY, at most 3 bytes, got \"ABC\"\n"},
    {"trade:\n  timezone: ../../etc/passwd\n",
     "t.yaml:2: trade.timezone: expected a time zone such as Asia/Shanghai, or a POSIX rule such as CST-8, "
     "at most 64 bytes, got \"../../etc/passwd\"\n"},
    // Unknown keys suggest what was meant.
    {"sotre:\n  kind: sqlite\n", "t.yaml:1: sotre: unknown key; did you mean 'store'?\n"},
    {"store:\n  batchmax: 1\n", "t.yaml:2: store.batchmax: unknown key; did you mean 'batch_max'?\n"},
    {"participants:\n  users: {}\n", "t.yaml:2: participants.users: unknown key; did you mean 'user'?\n"},
    {"participants:\n  user:\n    tagret: x\n",
     "t.yaml:3: participants.user.tagret: unknown key; did you mean 'target'?\n"},
    {"retry:\n  fast: {}\n", "t.yaml:2: retry.fast: unknown key; --config-doc lists them all\n"},
    {"callback:\n  key: []\n", "t.yaml:2: callback.key: unknown key; did you mean 'keys'?\n"},
    {"quote_ttl_s: 3\n", "t.yaml:1: quote_ttl_s: unknown key here; did you mean 'trade.quote_ttl_s'?\n"},
    {"store:\n  wibble_wobble_wubble: 1\n",
     "t.yaml:2: store.wibble_wobble_wubble: unknown key; --config-doc lists them all\n"},
    {"store: sqlite\n", "t.yaml:1: store: expected a mapping\n"},
    {"participants: [user]\n", "t.yaml:1: participants: expected a mapping\n"},
    {"callers: {a: b}\n", "t.yaml:1: callers: expected a list of at most 1024 mappings\n"},
    {"callers:\n  - wechat\n", "t.yaml:2: callers[0]: expected a mapping\n"},
    {"callers:\n  -\n",
     "t.yaml:2: callers[0]: 'name' is missing: expected text without spaces, at most 127 bytes\n"
     "t.yaml:2: callers[0]: 'scopes' is missing: expected a list of some of trade.read, trade, trade.backdate, saga, "
     "operate and "
     "callback\n"
     "t.yaml:2: callers[0]: 'tenants' is missing: expected a list of 1 to 256, each text without spaces\n"},
    {"callers:\n  - name: wechat\n    scopes: [trade]\n",
     "t.yaml:2: callers[0]: 'tenants' is missing: expected a list of 1 to 256, each text without spaces\n"},
    {"callers:\n  - {name: a, tenants: ['*'], scopes: [trade, root]}\n",
     "t.yaml:2: callers[0].scopes[1]: expected a list of some of trade.read, trade, trade.backdate, saga, operate and "
     "callback, got "
     "\"root\"\n"},
    {"callers:\n  - {name: a, tenants: ['*'], scopes: [trade]}\n  - {name: a, tenants: ['*'], scopes: [trade]}\n",
     "t.yaml:3: callers[1].name: callers[0] has the same name\n"},
    // What must hold between keys.
    {"store:\n  queue_max: 64\n  batch_max: 65\n",
     "t.yaml:3: store.batch_max: expected at most store.queue_max, which is 64, got 65\n"},
    {"store:\n  queue_max: 64\n",
     "t.yaml:1: store.batch_max: expected at most store.queue_max, which is 64, got 512\n"},
    {"trade: {order_ttl_s: 60, order_ttl_max_s: 30}\n",
     "t.yaml:1: trade.order_ttl_s: expected at most trade.order_ttl_max_s, which is 30, got 60\n"},
    {"retry:\n  stubborn:\n    first_ms: 40000\n",
     "t.yaml:3: retry.stubborn.first_ms: expected at most retry.stubborn.max_ms, which is 30000, got 40000\n"},
    {"tls:\n  key: k.pem\n", "t.yaml:2: tls.key: expected 'certificate' beside it; a certificate and its key come "
                             "together\n"},
    {"submit:\n  targets: [\"a b\"]\n", "t.yaml:2: submit.targets[0]" SUBMIT_EXPECTS "\"a b\"\n"},
    {"submit:\n  targets: [\"*:*\", orders]\n", "t.yaml:2: submit.targets[1]" SUBMIT_EXPECTS "\"orders\"\n"},
    {"submit:\n  targets: [\"*:*\", \"dns:///*.shop:1\"]\n  channels_max: 0\n",
     "t.yaml:3: submit.channels_max: expected a whole number from 1 to 4096 (targets), got \"0\"\n"},
    {"submit:\n  certificate: c.pem\n  key: k.pem\n",
     "t.yaml:2: submit.certificate: expected 'tls_ca' beside it; without it the connections are in plain text\n"},
    {"submit:\n  key: k.pem\n",
     "t.yaml:2: submit.key: expected 'certificate' beside it; a certificate and its key come together\n"},
    {"participants:\n  card:\n    certificate: c.pem\n    key: k.pem\n",
     "t.yaml:3: participants.card.certificate: expected 'tls_ca' beside it; without it the connection is in plain "
     "text\n"},
    {"callback:\n  keys:\n    - id: k1\n", "t.yaml:3: callback.keys[0]: expected either 'secret_file' or 'secret'\n"},
    {"callback:\n  keys:\n    - {id: k1, secret: 0123456789abcdef, secret_file: f}\n",
     "t.yaml:3: callback.keys[0]: expected either 'secret_file' or 'secret'\n"},
    {"retention:\n  flows:\n    - {flow: trade.refund, succeeded_days: 7, failed_days: 40000}\n",
     "t.yaml:3: retention.flows[0].failed_days: expected a whole number from 0 to 36500 (days), got \"40000\"\n"
     "t.yaml:3: retention.flows[0]: 'terminated_days' is missing: expected a whole number from 0 to 36500 (days)\n"},
    {"retention:\n  flows:\n    - {flow: a, succeeded_days: 1, failed_days: 1, terminated_days: 0}\n"
     "    - {flow: a, succeeded_days: 1, failed_days: 1, terminated_days: 0}\n",
     "t.yaml:4: retention.flows[1].flow: retention.flows[0] is of the same flow\n"},
    // A secret is never echoed.
    {"callback:\n  keys:\n    - {id: k1, secret: hunter2}\n",
     "t.yaml:3: callback.keys[0].secret: expected a secret of 16 to 256 bytes, got 7 bytes\n"},
    // What isn't YAML, or more of it than a configuration needs.
    {"a: b: c\n", "t.yaml:1: not YAML: mapping values are not allowed in this context\n"},
    {"store: [1\n", "t.yaml:2: not YAML: did not find expected ',' or ']' while parsing a flow sequence\n"},
    {"\tdrain_ms: 1\n", "t.yaml:1: not YAML: found character that cannot start any token while scanning for the next "
                        "token\n"},
    {"drain_ms: 1\ndrain_ms: 2\n", "t.yaml:2: the key 'drain_ms' stood on line 1 already\n"},
    {"drain_ms: 1\n---\ndrain_ms: 2\n", "t.yaml:2: there is a second document; expected one\n"},
    {"store: &a {}\nlog: *a\n", "t.yaml:1: anchors, aliases and tags are not used here\n"},
    {"drain_ms: !!int 3\n", "t.yaml:1: anchors, aliases and tags are not used here\n"},
    {"? [a]\n: b\n", "t.yaml:1: a key must be plain text\n"},
    {"data_dir: |\n  two\n  lines\n", "t.yaml:1: text must be on one line, without control characters\n"},
    {"data_dir: \"a\\0b\"\n", "t.yaml:1: text must be on one line, without control characters\n"},
    {"data_dir: \"\\x1b[31m\"\n", "t.yaml:1: text must be on one line, without control characters\n"},
    {"data_dir: \"\\x9b31m\"\n", "t.yaml:1: text must be on one line, without control characters\n"},
    {"drain_ms: 1\ndata_dir: \xff\xfe\n", "t.yaml:2: not YAML: invalid leading UTF-8 octet\n"},
    {"- drain_ms\n", "t.yaml:1: expected a mapping\n"},
    {"drain_ms\n", "t.yaml:1: expected a mapping\n"},
};

static void test_each_bad_file_gets_a_precise_error(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config config;
        struct buf report;
        if (parse(bad[i].yaml, &config, &report))
            fail_msg("accepted: %s", bad[i].yaml);
        assert_string_equal(report.ptr, bad[i].report);
        buf_release(&report);
    }
}

static void test_everything_that_is_wrong_is_reported_at_once(void **state) {
    (void)state;
    struct config config;
    struct buf report;
    assert_false(parse("drain_ms: x\nstore:\n  knid: sqlite\n  port: 0\ncallers:\n  - {name: '', scopes: []}\n",
                       &config, &report));
    assert_string_equal(
        report.ptr,
        "t.yaml:1: drain_ms: expected a whole number from 0 to 300000 (ms), got \"x\"\n"
        "t.yaml:3: store.knid: unknown key; did you mean 'kind'?\n"
        "t.yaml:4: store.port: expected a whole number from 1 to 65535, got \"0\"\n"
        "t.yaml:6: callers[0].name: expected text without spaces, at most 127 bytes, got nothing\n"
        "t.yaml:6: callers[0].scopes: expected a list of some of trade.read, trade, trade.backdate, saga, operate and "
        "callback, got a "
        "list\n"
        "t.yaml:6: callers[0]: 'tenants' is missing: expected a list of 1 to 256, each text without spaces\n");
    buf_release(&report);
}

static void test_a_report_is_bounded_and_says_how_much_it_left_out(void **state) {
    (void)state;
    struct buf yaml, report;
    buf_init(&yaml, REPORT_MAX);
    for (int i = 0; i < 100; i++)
        buf_printf(&yaml, "unknown%d: 1\n", i);
    struct config config;
    assert_false(parse(yaml.ptr, &config, &report));
    assert_non_null(strstr(report.ptr, "t.yaml:64: "));
    assert_null(strstr(report.ptr, "t.yaml:65: "));
    assert_non_null(strstr(report.ptr, "\nt.yaml: and 36 more\n"));
    buf_release(&yaml);
    buf_release(&report);
}

static void test_a_long_address_to_listen_on_needs_one_for_the_others(void **state) {
    (void)state;
    struct config config;
    struct buf yaml, report;
    buf_init(&yaml, REPORT_MAX);
    buf_printf(&yaml, "listen: [\"127.%0200d:7600\"]\n", 1);
    assert_false(parse(yaml.ptr, &config, &report));
    assert_non_null(strstr(report.ptr, "address: is needed, because the first of listen has more than 128 bytes\n"));
    buf_release(&report);
    buf_printf(&yaml, "address: 10.0.0.5:7600\n");
    assert_true(parse(yaml.ptr, &config, &report));
    config_release(&config);
    buf_release(&report);
    buf_release(&yaml);
}

// ---- Hostile files ------------------------------------------------------------------------------------------------

static void refuse_bytes(struct str yaml, const char *why) {
    struct config config;
    struct buf report;
    buf_init(&report, REPORT_MAX);
    assert_false(config_parse("t.yaml", yaml, false, &config, &report));
    if (!strstr(report.ptr, why))
        fail_msg("expected '%s' in: %s", why, report.ptr);
    buf_release(&report);
}

static void test_deep_nesting_is_refused(void **state) {
    (void)state;
    struct buf yaml;
    buf_init(&yaml, REPORT_MAX);
    for (int i = 0; i < 100000; i++)
        buf_byte(&yaml, '[');
    refuse_bytes(buf_str(&yaml), "nested deeper than 8 levels");
    buf_release(&yaml);
}

static void test_an_alias_bomb_is_refused_at_its_first_anchor(void **state) {
    (void)state;
    refuse_bytes(STR("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n"),
                 "t.yaml:1: anchors, aliases and tags are not used here");
}

static void test_a_huge_file_and_a_file_of_too_many_values_are_refused(void **state) {
    (void)state;
    struct buf yaml;
    buf_init(&yaml, REPORT_MAX);
    while (yaml.len <= DOCUMENT_BYTES_MAX)
        buf_append(&yaml, STR("# comment\n"));
    refuse_bytes(buf_str(&yaml), "expected at most 262144");
    buf_clear(&yaml);
    buf_append(&yaml, STR("listen: ["));
    for (int i = 0; i < 10000; i++)
        buf_append(&yaml, STR("a,"));
    refuse_bytes(buf_str(&yaml), "more than 8192 values");
    buf_release(&yaml);
}

static void test_bytes_that_are_no_text_are_refused(void **state) {
    (void)state;
    refuse_bytes(STR("drain_ms: 1\n\0\n"), "t.yaml:2: not YAML: control characters are not allowed");
    refuse_bytes(STR("\x00\x00\x00"), "not YAML");
    refuse_bytes(STR("\xff\xfe\x00\xd8"), "not YAML");
}

// ---- Good files ---------------------------------------------------------------------------------------------------

static void test_every_default_fits_its_own_row(void **state) {
    (void)state;
    size_t n;
    const struct config_section *all = config_sections(&n);
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < all[i].n_rows; k++) {
            const struct config_row *row = &all[i].rows[k];
            if (!row->fallback || row->type == CONFIG_LIST)
                continue;
            // Written out in a file, it is taken.
            char yaml[512];
            int nested = strchr(all[i].path, '.') != NULL;
            const char *name = nested ? strchr(all[i].path, '.') + 1 : all[i].path;
            if (all[i].shape == CONFIG_EACH)
                snprintf(yaml, sizeof yaml, "%s: {%s: {%s: %s}}", all[i].path, all[i].names[0], row->name,
                         row->fallback);
            else if (nested)
                snprintf(yaml, sizeof yaml, "%.*s: {%s: {%s: %s}}", (int)(name - all[i].path - 1), all[i].path, name,
                         row->name, row->fallback);
            else if (*name)
                snprintf(yaml, sizeof yaml, "%s: {%s: %s}", name, row->name, row->fallback);
            else
                snprintf(yaml, sizeof yaml, "%s: %s", row->name, row->fallback);
            struct config config;
            parse_ok(yaml, &config);
            config_release(&config);
        }
    }
}

static void test_without_a_file_everything_has_its_default(void **state) {
    (void)state;
    struct config c;
    struct buf report;
    buf_init(&report, REPORT_MAX);
    assert_true(config_load(NULL, &c, &report));
    assert_string_equal(c.listen[0], "127.0.0.1:7600");
    assert_null(c.listen[1]);
    assert_string_equal(c.instance, "txcenter-0");
    assert_string_equal(c.address, "127.0.0.1:7600");
    assert_int_equal(c.store.kind, CONFIG_SQLITE);
    assert_string_equal(c.store.path, "./data/txcenter.db");
    assert_int_equal(c.store.batch_max, 512);
    assert_null(c.tls.certificate);
    assert_int_equal(c.log.level, LOG_INFO);
    assert_int_equal(c.log.format, LOG_AUTO);
    for (int i = 0; i < CONFIG_SYSTEMS; i++)
        assert_string_equal(c.participants[i].target, "127.0.0.1:7700");
    assert_int_equal(c.retry[CONFIG_LEISURELY].attempts, 60);
    assert_int_equal(c.n_callers, 0);
    assert_true(c.development);
    assert_non_null(strstr(config_warning(&c, 0), "development"));
    config_release(&c);
    buf_release(&report);
}

static const char whole_file[] = "# everything of interest\n"
                                 "listen: ['0.0.0.0:7600', '[::1]:0', 'unix:/run/txcenter.sock']\n"
                                 "instance: shanghai-2\n"
                                 "store:\n"
                                 "  kind: mariadb\n"
                                 "  socket: /run/mysqld/mysqld.sock\n"
                                 "  host: db1,10.0.0.5:3307,[::1]:3308,::1\n"
                                 "  database: tx\n"
                                 "log: {level: warn, format: json}\n"
                                 "trade:\n"
                                 "tls: ~\n"
                                 "participants:\n"
                                 "  payment:\n"
                                 "    target: xds:///payment\n"
                                 "    deadline_ms: 250\n"
                                 "callback:\n"
                                 "  keys:\n"
                                 "    - id: gateway-1\n"
                                 "      secret: 0123456789abcdef\n"
                                 "callers:\n"
                                 "  - name: spiffe://fuel/wechat\n"
                                 "    scopes: [trade, trade.read]\n"
                                 "    tenants: [\"集团一\", T2]\n"
                                 "  - name: operators\n"
                                 "    scopes: [operate]\n"
                                 "    tenants: ['*']\n"
                                 "retention:\n"
                                 "  succeeded_days: 0\n"
                                 "  flows: [{flow: trade.refund, succeeded_days: 400, failed_days: 2, "
                                 "terminated_days: 0}]\n"
                                 "retry:\n"
                                 "  quick: {attempts: 3}\n";

static void test_a_whole_file_is_read_into_the_struct(void **state) {
    (void)state;
    struct config c;
    parse_ok(whole_file, &c);
    assert_string_equal(c.listen[2], "unix:/run/txcenter.sock");
    assert_null(c.listen[3]);
    assert_string_equal(c.address, "0.0.0.0:7600");
    assert_int_equal(c.store.kind, CONFIG_MARIADB);
    assert_int_equal(c.log.level, LOG_WARN);
    assert_int_equal(c.log.format, LOG_JSON);
    assert_string_equal(c.participants[CONFIG_PAYMENT].target, "xds:///payment");
    assert_int_equal(c.participants[CONFIG_PAYMENT].deadline_ms, 250);
    assert_int_equal(c.participants[CONFIG_CARD].deadline_ms, 3000);
    assert_int_equal(c.callback.n_keys, 1);
    assert_true(str_eq_c(c.callback.keys[0].secret, "0123456789abcdef"));
    assert_int_equal(c.n_callers, 2);
    assert_int_equal(c.callers[0].scopes, RPC_TRADE | RPC_TRADE_READ);
    assert_string_equal(c.callers[0].tenants[0], "集团一");
    assert_string_equal(c.callers[1].tenants[0], "*");
    assert_int_equal(c.retention.succeeded_days, 0);
    assert_int_equal(c.retention.requests_days, 30);
    assert_int_equal(c.retention.n_flows, 1);
    assert_string_equal(c.retention.flows[0].flow, "trade.refund");
    assert_int_equal(c.retention.flows[0].succeeded_days, 400);
    assert_int_equal(c.retry[CONFIG_QUICK].attempts, 3);
    assert_int_equal(c.retry[CONFIG_STUBBORN].attempts, 40);
    assert_false(c.development);
    config_release(&c);
}

static void test_what_is_printed_is_read_back_alike_and_without_secrets(void **state) {
    (void)state;
    struct config c;
    parse_ok(whole_file, &c);
    struct buf first, second;
    buf_init(&first, REPORT_MAX);
    buf_init(&second, REPORT_MAX);
    config_print(&c, &first);
    config_release(&c);
    assert_null(strstr(first.ptr, "0123456789abcdef"));
    // With the secret put in where it was left out, it is read back alike.
    char *hidden = strstr(first.ptr, "# secret: set, not shown");
    assert_non_null(hidden);
    struct buf whole;
    buf_init(&whole, REPORT_MAX);
    buf_append(&whole, str_n(first.ptr, (size_t)(hidden - first.ptr)));
    buf_append(&whole, STR("secret: fedcba9876543210"));
    buf_append(&whole, str_c(strchr(hidden, '\n')));
    parse_ok(whole.ptr, &c);
    config_print(&c, &second);
    buf_release(&whole);
    assert_string_equal(first.ptr, second.ptr);
    config_release(&c);
    buf_release(&first);
    buf_release(&second);
}

// ---- Files --------------------------------------------------------------------------------------------------------

struct folder {
    char path[64];
};

static void make_folder(struct folder *folder) {
    snprintf(folder->path, sizeof folder->path, "/tmp/txc-config-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static void write_file(const struct folder *folder, const char *name, const char *text, char path[128]) {
    snprintf(path, 128, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void test_secrets_are_read_from_their_files(void **state) {
    (void)state;
    struct folder folder;
    make_folder(&folder);
    char secret[128], yaml_path[128], yaml[512];
    write_file(&folder, "secret", "0123456789abcdef!\n", secret);
    snprintf(yaml, sizeof yaml, "callback: {keys: [{id: k, secret_file: %s}]}\nstore: {password_file: %s}\n", secret,
             secret);
    write_file(&folder, "c.yaml", yaml, yaml_path);
    struct config c;
    struct buf report;
    buf_init(&report, REPORT_MAX);
    assert_true(config_load(yaml_path, &c, &report));
    assert_true(str_eq_c(c.callback.keys[0].secret, "0123456789abcdef!"));
    assert_true(str_eq_c(c.store.password, "0123456789abcdef!"));
    config_print(&c, &report);
    assert_null(strstr(report.ptr, "0123456789abcdef!"));
    config_release(&c);
    buf_release(&report);
    unlink(secret);
    unlink(yaml_path);
    rmdir(folder.path);
}

static void test_a_file_that_is_missing_short_or_no_file_is_named_with_its_key(void **state) {
    (void)state;
    struct folder folder;
    make_folder(&folder);
    char secret[128], yaml_path[128], yaml[1024], fifo[128], expected[1024];
    write_file(&folder, "secret", "short", secret);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder.path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    snprintf(yaml, sizeof yaml, "tls: {certificate: %s/none, key: %s/none}\n", folder.path, folder.path);
    write_file(&folder, "c.yaml", yaml, yaml_path);
    struct config c;
    struct buf report;
    buf_init(&report, REPORT_MAX);
    assert_false(config_load(yaml_path, &c, &report));
    snprintf(expected, sizeof expected,
             "%s:1: tls.certificate: %s/none can't be read: No such file or directory\n"
             "%s:1: tls.key: %s/none can't be read: No such file or directory\n",
             yaml_path, folder.path, yaml_path, folder.path);
    assert_string_equal(report.ptr, expected);
    buf_clear(&report);
    snprintf(yaml, sizeof yaml, "callback:\n  keys:\n  - id: a\n    secret_file: %s\n  - id: b\n    secret_file: %s\n",
             secret, fifo);
    write_file(&folder, "c.yaml", yaml, yaml_path);
    assert_false(config_load(yaml_path, &c, &report));
    snprintf(expected, sizeof expected,
             "%s:4: callback.keys[0].secret_file: expected %s to hold 16 to 256 bytes, got 5\n"
             "%s:6: callback.keys[1].secret_file: %s can't be read: not a file\n",
             yaml_path, secret, yaml_path, fifo);
    assert_string_equal(report.ptr, expected);
    buf_clear(&report);
    assert_false(config_load(folder.path, &c, &report));
    assert_false(config_load("/nonexistent.yaml", &c, &report));
    assert_non_null(strstr(report.ptr, "/nonexistent.yaml: can't be read: No such file or directory\n"));
    buf_release(&report);
    unlink(secret);
    unlink(fifo);
    unlink(yaml_path);
    rmdir(folder.path);
}

static void test_a_time_zone_that_the_system_lacks_is_refused(void **state) {
    (void)state;
    struct config c;
    struct buf report;
    buf_init(&report, REPORT_MAX);
    assert_false(config_parse("t.yaml", STR("trade: {timezone: Asia/Atlantis}"), true, &c, &report));
    assert_non_null(strstr(report.ptr, "t.yaml:1: trade.timezone: the system has no time zone \"Asia/Atlantis\""));
    buf_clear(&report);
    assert_true(config_parse("t.yaml", STR("trade: {timezone: CST-8}"), true, &c, &report));
    config_release(&c);
    buf_release(&report);
}

// ---- The page and the command line --------------------------------------------------------------------------------

static void test_the_committed_page_is_what_the_program_prints(void **state) {
    (void)state;
    struct buf page;
    buf_init(&page, REPORT_MAX);
    config_doc(&page);
    assert_false(page.failed);
    FILE *file = fopen("docs/CONFIGURATION.md", "r");
    assert_non_null(file);
    static char committed[REPORT_MAX];
    size_t n = fread(committed, 1, sizeof committed - 1, file);
    committed[n] = '\0';
    fclose(file);
    assert_string_equal(committed, page.ptr); // else: txcenterd --config-doc > docs/CONFIGURATION.md
    buf_release(&page);
}

static int run_main(const char *const *arguments, struct buf *out, struct buf *err, bool *ret_goes_on) {
    char *out_text, *err_text;
    size_t out_size, err_size;
    FILE *out_file = open_memstream(&out_text, &out_size), *err_file = open_memstream(&err_text, &err_size);
    char *argv[8] = {0};
    int argc = 0;
    for (; arguments[argc]; argc++)
        argv[argc] = strdup(arguments[argc]);
    struct config config;
    int code = -1;
    unsigned workers;
    *ret_goes_on = config_main(argc, argv, "1.2.3", out_file, err_file, &config, &workers, &code);
    if (*ret_goes_on)
        config_release(&config);
    while (argc > 0)
        free(argv[--argc]);
    fclose(out_file);
    fclose(err_file);
    buf_init(out, REPORT_MAX);
    buf_init(err, REPORT_MAX);
    buf_append(out, str_c(out_text));
    buf_append(err, str_c(err_text));
    free(out_text);
    free(err_text);
    return code;
}

static const struct {
    const char *arguments[4];
    bool goes_on;
    int code;
    const char *out, *err; // parts of what is printed
} lines[] = {
    {{"txcenterd"}, true, -1, "", ""},
    {{"txcenterd", "--workers", "64"}, false, CONFIG_EXIT_INVALID, "", "--workers needs store.kind mariadb"},
    {{"txcenterd", "--workers=1"}, false, CONFIG_EXIT_INVALID, "", "(defaults): --workers needs store.kind mariadb"},
    {{"txcenterd", "--workers", "65"}, false, CONFIG_EXIT_USAGE, "", "--workers needs a number from 1 to 64"},
    {{"txcenterd", "-w"}, false, CONFIG_EXIT_USAGE, "", "--workers needs a number from 1 to 64"},
    {{"txcenterd", "--workers=0"}, false, CONFIG_EXIT_USAGE, "", "--workers needs a number from 1 to 64"},
    {{"txcenterd", "--check-config"}, false, CONFIG_EXIT_OK, "(defaults): valid\n", ""},
    {{"txcenterd", "--check-config"}, false, CONFIG_EXIT_OK, "warning: development", ""},
    {{"txcenterd", "--print-config"}, false, CONFIG_EXIT_OK, "  batch_max: 512 # writes\n", ""},
    {{"txcenterd", "--config-doc"}, false, CONFIG_EXIT_OK, "# Configuration of txcenterd\n", ""},
    {{"txcenterd", "--help"}, false, CONFIG_EXIT_OK, "usage: txcenterd [--config FILE]", ""},
    {{"txcenterd", "-h"}, false, CONFIG_EXIT_OK, "usage: txcenterd [--config FILE]", ""},
    {{"txcenterd", "--version"}, false, CONFIG_EXIT_OK, "txcenterd 1.2.3\n", ""},
    {{"txcenterd", "--config"}, false, CONFIG_EXIT_USAGE, "", "txcenterd: --config needs a file\n"},
    {{"txcenterd", "--wat"}, false, CONFIG_EXIT_USAGE, "", "txcenterd: unknown argument '--wat'"},
    {{"txcenterd", "-c", "/none.yaml"}, false, CONFIG_EXIT_INVALID, "", "/none.yaml: can't be read"},
    {{"txcenterd", "--config=/none.yaml"}, false, CONFIG_EXIT_INVALID, "", "/none.yaml: can't be read"},
};

static void test_the_command_line_does_what_it_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct buf out, err;
        bool goes_on;
        int code = run_main(lines[i].arguments, &out, &err, &goes_on);
        assert_int_equal(code, lines[i].code);
        assert_int_equal(goes_on, lines[i].goes_on);
        if (!strstr(buf_str(&out).ptr, lines[i].out) || !strstr(buf_str(&err).ptr, lines[i].err))
            fail_msg("line %zu: printed '%s' and '%s'", i, buf_str(&out).ptr, buf_str(&err).ptr);
        buf_release(&out);
        buf_release(&err);
    }
}

static const struct {
    const char *yaml, *action;
    bool goes_on;
    int code;
    const char *err;
} for_workers[] = {
    {"store: {kind: mariadb}\ninstance: a\n", NULL, true, -1, ""},
    {"store: {kind: mariadb}\ninstance: a\n", "--check-config", false, CONFIG_EXIT_OK, ""},
    {"store: {kind: sqlite}\n", "--check-config", false, CONFIG_EXIT_INVALID, "an SQLite file serves one process"},
    {"store: {kind: mariadb}\nlisten: ['127.0.0.1:0', 'unix:/tmp/a.sock']\n", NULL, false, CONFIG_EXIT_INVALID,
     "workers can't share unix:/tmp/a.sock: let them listen on a port"},
    {"store: {kind: mariadb}\ninstance: a2345678901234567890123456789012345678901234567890123456789012\n", NULL, false,
     CONFIG_EXIT_INVALID, "instance is too long for the names of 11 workers"},
};

static void test_a_configuration_that_does_not_fit_workers_is_refused_before_one_is_started(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof for_workers / sizeof for_workers[0]; i++) {
        struct folder folder;
        struct buf out, err;
        char path[128];
        bool goes_on;
        make_folder(&folder);
        write_file(&folder, "c.yaml", for_workers[i].yaml, path);
        const char *arguments[] = {"txcenterd", "--workers=11", "-c", path, for_workers[i].action, NULL};
        int code = run_main(arguments, &out, &err, &goes_on);
        if (code != for_workers[i].code || goes_on != for_workers[i].goes_on ||
            !strstr(buf_str(&err).ptr, for_workers[i].err))
            fail_msg("row %zu: code %d, said '%s'", i, code, buf_str(&err).ptr);
        buf_release(&out);
        buf_release(&err);
        unlink(path);
        rmdir(folder.path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_bad_file_gets_a_precise_error),
        cmocka_unit_test(test_everything_that_is_wrong_is_reported_at_once),
        cmocka_unit_test(test_a_report_is_bounded_and_says_how_much_it_left_out),
        cmocka_unit_test(test_a_long_address_to_listen_on_needs_one_for_the_others),
        cmocka_unit_test(test_deep_nesting_is_refused),
        cmocka_unit_test(test_an_alias_bomb_is_refused_at_its_first_anchor),
        cmocka_unit_test(test_a_huge_file_and_a_file_of_too_many_values_are_refused),
        cmocka_unit_test(test_bytes_that_are_no_text_are_refused),
        cmocka_unit_test(test_every_default_fits_its_own_row),
        cmocka_unit_test(test_without_a_file_everything_has_its_default),
        cmocka_unit_test(test_a_whole_file_is_read_into_the_struct),
        cmocka_unit_test(test_what_is_printed_is_read_back_alike_and_without_secrets),
        cmocka_unit_test(test_secrets_are_read_from_their_files),
        cmocka_unit_test(test_a_file_that_is_missing_short_or_no_file_is_named_with_its_key),
        cmocka_unit_test(test_a_time_zone_that_the_system_lacks_is_refused),
        cmocka_unit_test(test_the_committed_page_is_what_the_program_prints),
        cmocka_unit_test(test_the_command_line_does_what_it_says),
        cmocka_unit_test(test_a_configuration_that_does_not_fit_workers_is_refused_before_one_is_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
