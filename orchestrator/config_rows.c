#include "orchestrator/config_rows.h"

#include "base/money.h"
#include "rpc/server.h"
#include "saga/tables.h"

#include <stdio.h>

// ---- Forms of text ------------------------------------------------------------------------------------------------

static bool only(struct str text, const char *more) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && !strchr(more, c))
            return false;
    }
    return text.len > 0;
}

static bool is_printable(struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ')
            return false;
    return text.len > 0;
}

// "host:port", "[::1]:port".
static bool is_host_port(struct str text) {
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != ':')
        at--;
    int64_t port;
    if (at < 2 || !str_to_i64(str_n(text.ptr + at, text.len - at), &port) || port < 0 || port > 65535)
        return false;
    struct str host = str_n(text.ptr, at - 1);
    if (host.ptr[0] == '[')
        return host.len > 2 && host.ptr[host.len - 1] == ']' && only(str_n(host.ptr + 1, host.len - 2), ":.%");
    return only(host, ".-_");
}

// One or more of "host", "host:port", "[::1]:port", "::1".
static bool is_servers(struct str text) {
    for (struct str rest = text; rest.ptr;) {
        struct str one = str_cut(&rest, ',');
        bool has_port =
            one.len > 0 && (one.ptr[0] == '[' || memchr(one.ptr, ':', one.len) == memrchr(one.ptr, ':', one.len));
        bool plain = only(one, ".-_") || (!has_port && only(one, ":.%"));
        if (!plain && !is_host_port(one))
            return false;
    }
    return true;
}

static bool is_listen(struct str text) {
    if (str_starts(text, STR("unix:")))
        return text.len > 5 && is_printable(text);
    return is_host_port(text);
}

static bool is_target(struct str text) {
    static const char *const schemes[] = {"dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (str_starts(text, str_c(schemes[i])))
            return text.len > strlen(schemes[i]) && is_printable(text);
    return is_host_port(text);
}

// A target in which `*` may stand for letters, digits and '-'.
static bool is_target_pattern(struct str text) {
    char bare[1024];
    if (!str_copy(text, bare, sizeof bare))
        return false;
    for (char *c = bare; *c; c++)
        if (*c == '*')
            *c = '0';
    return is_target(str_c(bare));
}

static bool is_name(struct str text) {
    return only(text, "._-");
}

static bool is_currency(struct str text) {
    return money_decimals(text) >= 0;
}

// A name of the time zone database, or a POSIX rule; looked up by config_rules.c. Never a path out of the database.
static bool is_timezone(struct str text) {
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] == '.' && text.ptr[i + 1] == '.')
            return false;
    return only(text, "/_+-,.:<>") && text.ptr[0] != '/' && text.ptr[0] != ':';
}

static const struct config_form listen_form = {
    "an address such as 127.0.0.1:7600, [::1]:7600 or unix:/run/txcenter.sock", is_listen};
static const struct config_form address_form = {"an address such as 10.0.0.5:7600", is_listen};
static const struct config_form servers_form = {"a server such as db1, 10.0.0.5:3306 or [::1]:3306, or several, "
                                                "separated by commas",
                                                is_servers};
static const struct config_form target_form = {
    "a gRPC target such as 127.0.0.1:7700, dns:///user.internal:443 or xds:///user", is_target};
static const struct config_form target_pattern_form = {
    "a gRPC target such as orders:7000 or dns:///*.shop.internal:443, in which * stands for letters, digits and '-'",
    is_target_pattern};
static const struct config_form name_form = {"letters, digits, '.', '_' and '-'", is_name};
static const struct config_form printable_form = {"text without spaces", is_printable};
static const struct config_form currency_form = {"an ISO 4217 currency such as CNY", is_currency};
static const struct config_form timezone_form = {"a time zone such as Asia/Shanghai, or a POSIX rule such as CST-8",
                                                 is_timezone};

// ---- Words --------------------------------------------------------------------------------------------------------

static const struct config_word store_kinds[] = {
    {"sqlite", CONFIG_SQLITE, "one file, one process; nothing to install"},
    {"mariadb", CONFIG_MARIADB, "MariaDB, MySQL and what speaks their protocol; many instances"},
    {0}};
static const struct config_word cache_kinds[] = {
    {"memory", CONFIG_MEMORY, "each instance for itself"}, {"redis", CONFIG_REDIS, "shared by all instances"}, {0}};
static const struct config_word refund_first_words[] = {{"alike", TRADE_REFUND_ALIKE, NULL},
                                                        {"cash", TRADE_REFUND_CASH, NULL},
                                                        {"card", TRADE_REFUND_CARD, NULL},
                                                        {"gateway", TRADE_REFUND_GATEWAY, NULL},
                                                        {0}};
static const struct config_word shortfall_words[] = {
    {"stands", TRADE_SHORTFALL_STANDS, "it stays paid, and an operator settles what was missing"},
    {"refunds", TRADE_SHORTFALL_REFUNDS, "all of it is refunded, delivered or not"},
    {0}};
static const struct config_word switches[] = {{"on", CONFIG_ON, NULL}, {"off", CONFIG_OFF, NULL}, {0}};
static const struct config_word levels[] = {
    {"debug", LOG_DEBUG, NULL}, {"info", LOG_INFO, NULL}, {"warn", LOG_WARN, NULL}, {"error", LOG_ERROR, NULL}, {0}};
static const struct config_word formats[] = {
    {"auto", LOG_AUTO, "text on a terminal, JSON otherwise"}, {"text", LOG_TEXT, NULL}, {"json", LOG_JSON, NULL}, {0}};
static const struct config_word scopes[] = {
    {"trade.read", RPC_TRADE_READ, "see trades"},
    {"trade", RPC_TRADE, "quote, order, pay, cancel, refund"},
    {"trade.backdate", RPC_TRADE_BACKDATE, "say when something was bought, up to a week ago"},
    {"saga", RPC_SAGA, "submit sagas, see and signal them; see flows"},
    {"operate", RPC_OPERATE, "operators' actions"},
    {"callback", RPC_CALLBACK, "deliver payment callbacks"},
    {0}};

// ---- Rows ---------------------------------------------------------------------------------------------------------

#define OFFSET(type, field) (uint32_t) offsetof(struct type, field)
#define COUNT(struct_name, field, least, most, unit_name, normal, about)                                               \
    {                                                                                                                  \
        .name = #field, .type = CONFIG_COUNT, .offset = OFFSET(struct_name, field), .min = (least), .max = (most),     \
        .unit = (unit_name), .fallback = (normal), .text = (about)                                                     \
    }
#define WORD(struct_name, field, list, normal, about)                                                                  \
    {                                                                                                                  \
        .name = #field, .type = CONFIG_WORD, .offset = OFFSET(struct_name, field), .unit = "", .fallback = (normal),   \
        .words = (list), .text = (about)                                                                               \
    }
#define TEXT(struct_name, field, most, form_of, normal, about)                                                         \
    {                                                                                                                  \
        .name = #field, .type = CONFIG_TEXT, .offset = OFFSET(struct_name, field), .min = 1, .max = (most),            \
        .unit = "", .form = (form_of), .fallback = (normal), .text = (about)                                           \
    }
#define PATH(struct_name, field, about)                                                                                \
    {                                                                                                                  \
        .name = #field, .type = CONFIG_FILE, .offset = OFFSET(struct_name, field), .min = 1, .max = 4096, .unit = "",  \
        .text = (about)                                                                                                \
    }

enum { DAY_S = 86400, HOUR_MS = 3600000 };

static const struct config_row top_rows[] = {
    {.name = "listen",
     .type = CONFIG_LIST,
     .offset = OFFSET(config, listen),
     .min = 1,
     .max = 16,
     .unit = "",
     .form = &listen_form,
     .fallback = "127.0.0.1:7600",
     .text = "Where the services listen. Port 0 takes any free one."},
    TEXT(config, instance, 64, &name_form, "txcenter-0",
         "This instance's name. It keeps its work over restarts by it, so it must be stable and, where several "
         "instances "
         "share a store, its own. Of `--workers N` it is the beginning: NAME-0 to NAME-(N-1)."),
    TEXT(config, address, CONFIG_ADDRESS_MAX, &address_form, NULL,
         "Where other instances reach this one. Default: the first of `listen`. The workers of `--workers N` take the "
         "N ports after its own; without it each has a socket in `data_dir`."),
    TEXT(config, data_dir, 4096, NULL, "./data",
         "The folder of everything that is kept locally. Made when it is missing."),
    COUNT(config, drain_ms, 0, 300000, "ms", "5000", "How long calls in flight may take when the instance stops."),
};

static const struct config_row tls_rows[] = {
    PATH(config_tls, certificate, "The server's certificate chain, PEM. Without it the services are in plain text."),
    PATH(config_tls, key, "Its private key, PEM."),
    PATH(config_tls, client_ca, "Callers must present a certificate signed by one of these, PEM; it names the caller."),
};

static const struct config_row store_rows[] = {
    WORD(config_store, kind, store_kinds, "sqlite", "Where everything durable is kept."),
    TEXT(config_store, path, 4096, NULL, NULL, "sqlite: the file. Default: `txcenter.db` in `data_dir`."),
    TEXT(
        config_store, host, 1024, &servers_form, "127.0.0.1",
        "mariadb: the server, or the nodes of one cluster (`db1,db2:3307`), tried in turn: when one is lost, is not in "
        "the cluster's quorum, or is read-only, the next is used."),
    COUNT(config_store, port, 1, 65535, "", "3306", "mariadb: the port of those that are named without one."),
    TEXT(config_store, socket, 107, NULL, NULL, "mariadb: a unix socket, instead of host and port."),
    TEXT(config_store, user, 80, NULL, "txcenter", "mariadb: the account."),
    PATH(config_store, password_file, "mariadb: a file that holds its password and nothing else."),
    TEXT(config_store, database, 64, &name_form, "txcenter", "mariadb: the database. It must exist."),
    PATH(config_store, tls_ca, "mariadb: who signed the server's certificate, PEM; set, the connection must be TLS."),
    COUNT(config_store, write_connections, 1, 2, "", "1",
          "mariadb: 2: the rows of one commit are written while the one before is under way, on a connection of their "
          "own. Not on Galera."),
    COUNT(config_store, batch_max, 1, 4096, "writes", "512", "Most writes in one commit."),
    COUNT(config_store, queue_max, 64, 1000000, "writes", "65536",
          "Most writes waiting for a commit; beyond it new work is refused with OVERLOADED."),
    COUNT(config_store, retry_first_ms, 1, 60000, "ms", "50", "First pause while the store is down; doubles."),
    COUNT(config_store, retry_max_ms, 1, 600000, "ms", "2000", "Longest pause while the store is down."),
    COUNT(config_store, start_wait_ms, 0, 600000, "ms", "30000",
          "mariadb: how long the start waits for a server that does not answer, before it gives up."),
};

static const struct config_row limit_rows[] = {
    COUNT(config_limits, message_max_bytes, 65536, 67108864, "bytes", "1048576", "Largest message received."),
    COUNT(config_limits, in_flight_max, 1, 65536, "calls", "4096",
          "Most calls served at once; beyond it OVERLOADED, lists first, payments last."),
    COUNT(
        config_limits, busy_max_ms, 0, 60000, "ms", "300",
        "With no moment of rest for so long, and more in line than is done in half of it, only as many calls as keep "
        "the center busy are let in, at least 8 % of `in_flight_max`; the others are OVERLOADED, lists first, payments "
        "never. 0: as many as ever."),
    COUNT(
        config_limits, caller_in_flight_max, 1, 65536, "calls", "3072",
        "Most calls of one caller served at once, of which lists and quotes get their parts as of all; a caller's own "
        "`in_flight_max` goes before."),
    COUNT(config_limits, bytes_in_flight_max, 1048576, 2147483648, "bytes", "67108864",
          "Most bytes of the requests of these calls together; beyond it OVERLOADED, lists first, payments last."),
    COUNT(config_limits, resident_sagas_max, 64, 1000000, "sagas", "20000",
          "Most sagas in memory; those that only wait give way."),
    COUNT(config_limits, resident_trades_max, 64, 1000000, "trades", "20000",
          "Most trades in memory; those that nobody uses give way."),
    COUNT(config_limits, resident_trades_bytes_max, 1048576, 4294967295, "bytes", "1073741824",
          "Most bytes of the trades in memory; beyond it those that nobody uses give way, and new quotes are refused "
          "(OVERLOADED) until enough have."),
    COUNT(config_limits, wait_max_ms, 0, 30000, "ms", "30000", "Longest `wait_ms` that a call may ask for."),
    COUNT(config_limits, watchers_max, 0, 100000, "streams", "1000",
          "Most streams that watch trades, and as many that watch sagas."),
    COUNT(
        config_limits, keys_days, 0, 3650, "days", "30",
        "For so long every remote system remembers a key and its answer. A step that was first sent longer ago is not "
        "sent again, nor undone, but parked (`KEY_TOO_OLD`). 0: they never forget."),
};

static const struct config_row log_rows[] = {
    WORD(config_log, level, levels, "info", "The least level that is logged."),
    WORD(config_log, format, formats, "auto", "How lines look."),
};

static const struct config_row trade_rows[] = {
    COUNT(config_trade, quote_ttl_s, 1, DAY_S, "s", "900", "How long a quote is kept and can be ordered from."),
    COUNT(config_trade, quote_budget_ms, 10, 30000, "ms", "800",
          "What a quote's sources may take together; an optional one that is later is left out (degraded)."),
    COUNT(config_trade, order_ttl_s, 1, DAY_S, "s", "900",
          "How long an order waits for its payment, unless the caller says."),
    COUNT(config_trade, order_ttl_max_s, 1, DAY_S, "s", "86400", "The longest that a caller may say."),
    COUNT(config_trade, refund_window_days, 0, 3650, "days", "365", "How long after the payment a refund can be made."),
    WORD(config_trade, refund_first, refund_first_words, "alike",
         "Which tenders give back before the others, where a refund does not say; alike: each in proportion."),
    WORD(config_trade, shortfall, shortfall_words, "stands",
         "What becomes of a trade that was ordered in the mode DEDUCT_LATER and is paid, where coupons, points, stock "
         "or "
         "quota are gone when they are to be deducted."),
    TEXT(config_trade, currency, 3, &currency_form, "CNY",
         "The currency of all trades of a database. With another one than a trade has, that can only be "
         "cancelled, and its matters settled."),
    TEXT(config_trade, timezone, 64, &timezone_form, "Asia/Shanghai",
         "The stations' time zone: business dates are theirs."),
    TEXT(
        config_trade, merchant_id, 64, &printable_form, "M001",
        "Our merchant number at the payment gateway; a callback for another one is a conflict. A payment keeps the one "
        "that it was begun with."),
    WORD(config_trade, os_sync, switches, "on",
         "Whether the stations' own system (`os`) is told of orders that are paid and refunded."),
    TEXT(config_trade, os_caller, 64, &name_form, NULL,
         "The caller as which that system calls itself: it is not told of what it has ordered."),
};

static const struct config_row quote_rows[] = {
#define X(NAME, source, normal, about)                                                                                 \
    {.name = #source "_ms",                                                                                            \
     .type = CONFIG_COUNT,                                                                                             \
     .offset = OFFSET(config_quote, budget_ms[QUOTE_##NAME]),                                                          \
     .max = 30000,                                                                                                     \
     .unit = "ms",                                                                                                     \
     .fallback = (normal),                                                                                             \
     .text = (about)},
    TRADE_SOURCES(X)
#undef X
};

static const struct config_row cache_rows[] = {
    WORD(config_cache, kind, cache_kinds, "memory", "Where they are kept."),
#define X(NAME, fact, normal, about)                                                                                   \
    {.name = #fact "_ttl_s",                                                                                           \
     .type = CONFIG_COUNT,                                                                                             \
     .offset = OFFSET(config_cache, ttl_s[TRADE_FACT_##NAME]),                                                         \
     .max = DAY_S,                                                                                                     \
     .unit = "s",                                                                                                      \
     .fallback = (normal),                                                                                             \
     .text = "For how long: " about "; 0: it is not kept."},
    TRADE_FACTS(X)
#undef X
        COUNT(config_cache, entries_max, 1, 10000000, "entries", "20000",
              "memory: most of them; those that were not used for the longest time give way."),
    COUNT(config_cache, bytes_max, 65536, 2147483648, "bytes", "16777216", "memory: what they take together."),
    COUNT(config_cache, waiting_max, 1, 65536, "questions", "4096",
          "Most questions that wait for the cache's answer; one more goes to its source."),
    TEXT(config_cache, host, 255, &name_form, "127.0.0.1", "redis: the server, in a network that is trusted."),
    COUNT(config_cache, port, 1, 65535, "", "6379", "redis: its port."),
    TEXT(config_cache, socket, 107, NULL, NULL, "redis: a unix socket, instead of host and port."),
    TEXT(config_cache, user, 64, &printable_form, NULL, "redis: the account, with `password_file`."),
    PATH(config_cache, password_file, "redis: a file that holds the password and nothing else."),
    COUNT(config_cache, database, 0, 1023, "", "0", "redis: the number of the database."),
    TEXT(config_cache, prefix, 64, &name_form, "txcenter",
         "redis: what every key begins with. The same for instances that share a store."),
    COUNT(config_cache, timeout_ms, 1, 1000, "ms", "5",
          "redis: a question that it has not answered by then goes to its source."),
    COUNT(config_cache, retry_first_ms, 1, 60000, "ms", "100", "redis: first pause while it is lost; doubles."),
    COUNT(config_cache, retry_max_ms, 1, 600000, "ms", "5000", "redis: longest pause while it is lost."),
};

static const struct config_row payment_rows[] = {
    COUNT(config_payment, query_first_ms, 10, 600000, "ms", "2000",
          "After this long without a callback the gateway is asked; the pause doubles."),
    COUNT(config_payment, query_max_ms, 10, HOUR_MS, "ms", "60000", "Longest pause between two queries."),
    COUNT(config_payment, attempt_ttl_s, 1, DAY_S, "s", "900", "How long one payment attempt may stay open."),
};

static const struct config_row callback_rows[] = {
    COUNT(config_callback, window_s, 1, 3600, "s", "300",
          "How far a callback's time may be from ours. Its nonce is remembered for good."),
};

static const struct config_row callback_key_rows[] = {
    {.name = "id",
     .type = CONFIG_TEXT,
     .offset = OFFSET(config_callback_key, id),
     .min = 1,
     .max = 64,
     .unit = "",
     .form = &name_form,
     .required = true,
     .text = "The key's name, sent with each callback."},
    PATH(config_callback_key, secret_file, "A file that holds the secret and nothing else."),
    {.name = "secret",
     .type = CONFIG_SECRET,
     .offset = OFFSET(config_callback_key, secret),
     .min = 16,
     .max = 256,
     .unit = "bytes",
     .text = "The secret itself; rather use `secret_file`."},
};

// As COUNT, of a field that is named otherwise here.
#define GATE(struct_name, key, least, most, unit_name, normal, about)                                                  \
    {                                                                                                                  \
        .name = #key, .type = CONFIG_COUNT, .offset = OFFSET(struct_name, gate.key), .min = (least), .max = (most),    \
        .unit = (unit_name), .fallback = (normal), .text = (about)                                                     \
    }
#define GATE_ROWS(struct_name, at_once, line, beside)                                                                  \
    GATE(struct_name, in_flight_max, 1, 65536, "calls", at_once,                                                       \
         "Most calls to it at once, a quarter of them for core steps alone; the others wait in line."),                \
        GATE(struct_name, rate_per_s, 0, 1000000, "calls/s", "0", "Most calls to it in a second; 0 is no limit."),     \
        GATE(struct_name, burst, 1, 65536, "calls", "100",                                                             \
             "With `rate_per_s`: how many may go at once after a pause."),                                             \
        GATE(struct_name, waiting_max, 1, 65536, "calls", line,                                                        \
             "Most calls that wait in line, core steps first, and half of it for them alone; those that find no room " \
             "come about a minute later." beside),                                                                     \
        GATE(struct_name, failures_max, 0, 65536, "calls", "20",                                                       \
             "After so many failures in a row (unavailable, silent, broken) nothing is sent but single probes; 0 is "  \
             "never."),                                                                                                \
        GATE(struct_name, failure_percent, 0, 100, "%", "50",                                                          \
             "The same when so many of the calls that ended within `window_ms` failed; 0 is never."),                  \
        GATE(struct_name, calls_min, 1, 65536, "calls", "20", "With `failure_percent`: of so many calls at least."),   \
        GATE(struct_name, window_ms, 100, HOUR_MS, "ms", "10000", "With `failure_percent`: how far back it looks."),   \
        GATE(struct_name, open_first_ms, 10, HOUR_MS, "ms", "1000", "Pause before the first probe; doubles."),         \
        GATE(struct_name, open_max_ms, 10, HOUR_MS, "ms", "30000", "Longest pause between two probes.")

static const struct config_row participant_rows[] = {
    TEXT(config_participant, target, 1024, &target_form, "127.0.0.1:7700", "Where it is; the default is txsim's."),
    COUNT(config_participant, deadline_ms, 1, 60000, "ms", "3000",
          "The longest that one call may take; a step's own deadline may be shorter."),
    GATE_ROWS(config_participant, "1024", "1000", ""),
    PATH(config_participant, tls_ca, "Who signed its certificate, PEM; set, the connection is TLS."),
    PATH(config_participant, certificate, "Our certificate for it, PEM (mutual TLS)."),
    PATH(config_participant, key, "Its private key, PEM."),
    TEXT(config_participant, server_name, 255, &printable_form, NULL,
         "The name expected in its certificate. Default: the target's host."),
};

static const struct config_row submit_rows[] = {
    {.name = "targets",
     .type = CONFIG_LIST,
     .offset = OFFSET(config_submit, targets),
     .min = 1,
     .max = 256,
     .unit = "",
     .form = &target_pattern_form,
     .text = "The targets that their steps may call; `*` stands for any letters, digits and `-`. Without this list "
             "SubmitSaga is refused."},
    PATH(config_submit, tls_ca, "Who signed the targets' certificates, PEM; set, the connections are TLS."),
    PATH(config_submit, certificate, "Our certificate for them, PEM (mutual TLS)."),
    PATH(config_submit, key, "Its private key, PEM."),
    COUNT(config_submit, channels_max, 1, 4096, "targets", "256",
          "Most targets connected at once; a call to one more is tried again later."),
    COUNT(config_submit, idle_s, 1, DAY_S, "s", "60", "A connection without calls is closed after this long."),
    COUNT(config_submit, waiters_max, 0, 65536, "calls", "2048",
          "Most calls that wait for the outcome of their saga; one more is answered at once with `processing`."),
};

static const struct config_row target_rows[] = {
    GATE_ROWS(config_targets, "256", "4096",
              " While half of them are taken, or the first has waited for 200 ms, no saga that begins with it is "
              "accepted."),
    COUNT(config_targets, gates_max, 16, 65536, "targets", "1024",
          "Most remote systems that are told apart at once, the center's own among them; idle ones make room."),
};

static const struct config_row caller_rows[] = {
    {.name = "name",
     .type = CONFIG_TEXT,
     .offset = OFFSET(config_caller, name),
     .min = 1,
     .max = RPC_NAME_MAX - 1,
     .unit = "",
     .form = &printable_form,
     .required = true,
     .text = "Its identity: the certificate's SPIFFE id or, where it has none, common name. Without TLS: `x-caller`."},
    {.name = "scopes",
     .type = CONFIG_WORDS,
     .offset = OFFSET(config_caller, scopes),
     .min = 1,
     .max = 8,
     .unit = "",
     .words = scopes,
     .required = true,
     .text = "What it may call."},
    {.name = "tenants",
     .type = CONFIG_LIST,
     .offset = OFFSET(config_caller, tenants),
     .min = 1,
     .max = 256,
     .unit = "",
     .form = &printable_form,
     .required = true,
     .text = "Whose trades it may see and act on; `\"*\"` is everyone's."},
    {.name = "in_flight_max",
     .type = CONFIG_COUNT,
     .offset = OFFSET(config_caller, in_flight_max),
     .min = 0,
     .max = 65536,
     .unit = "calls",
     .text = "Most of its calls served at once; 0, the default: `limits.caller_in_flight_max`."},
};

static const struct config_row sentinel_rows[] = {
    COUNT(config_sentinel, scan_interval_ms, 50, 60000, "ms", "20000",
          "How often the store is asked for what comes due in each slot."),
    COUNT(config_sentinel, resume_rate_per_s, 1, 1000000, "sagas/s", "5000", "Most sagas resumed in a second."),
    COUNT(config_sentinel, horizon_s, 1, 3600, "s", "60", "How far ahead timers are held in memory."),
    COUNT(config_sentinel, resume_max, 1, 100, "times", "3",
          "After so many resumptions without progress (the process died each time) a saga is parked."),
};

static const struct config_row cluster_rows[] = {
    COUNT(config_cluster, lease_ms, 500, 60000, "ms", "2500",
          "How long an instance that is silent keeps its work before another takes it over. The same for all."),
    {.name = "peers",
     .type = CONFIG_LIST,
     .offset = OFFSET(config_cluster, peers),
     .min = 0,
     .max = 64,
     .unit = "",
     .form = &printable_form,
     .text = "Certificate identities of the other instances: what they pass on counts as their caller's. Only with "
             "client certificates."},
};

enum { DAYS_MAX = 36500 };
#define DAYS(struct_name, field, normal, about) COUNT(struct_name, field, 0, DAYS_MAX, "days", normal, about)
static const struct config_row retention_rows[] = {
    DAYS(config_retention, succeeded_days, "30", "Sagas that succeeded."),
    DAYS(config_retention, failed_days, "90", "Sagas that failed, with everything undone."),
    DAYS(config_retention, terminated_days, "365",
         "Sagas that an operator has ended, and trades with money that does not match."),
    DAYS(config_retention, unordered_days, "7", "Trades that were quoted and never ordered."),
    DAYS(config_retention, requests_days, "30",
         "Requests with their answers, and the nonces of callbacks: within this time the same request_id acts once."),
    DAYS(config_retention, events_days, "30", "Events, whether or not anybody has read them."),
    DAYS(config_retention, audit_days, "730", "What operators did."),
    DAYS(config_retention, strays_days, "365", "Callbacks that nothing took in, once they are settled."),
    DAYS(config_retention, archive_days, "1825",
         "What stays of each tender of a deleted trade: within this time money that comes late is given back."),
    COUNT(config_retention, rows_per_s, 1, 1000000, "rows/s", "2000", "Most rows deleted in a second."),
    COUNT(config_retention, batch, 1, SAGA_ROWS_MAX, "units", "32",
          "Most trades, sagas or single rows that are being deleted at once."),
    COUNT(config_retention, interval_s, 1, DAY_S, "s", "60", "How often it is looked for what is over."),
};
#define FLOW_NAME(struct_name)                                                                                         \
    {                                                                                                                  \
        .name = "flow", .type = CONFIG_TEXT, .offset = OFFSET(struct_name, flow), .min = 1, .max = 40, .unit = "",     \
        .form = &name_form, .required = true, .text = "The flow's name, as `txctl flow list` shows it."                \
    }
#define FLOW_DAYS(field)                                                                                               \
    {                                                                                                                  \
        .name = #field, .type = CONFIG_COUNT, .offset = OFFSET(config_retention_flow, field), .max = DAYS_MAX,         \
        .unit = "days", .required = true, .text = "As above, of this flow."                                            \
    }
static const struct config_row retention_flow_rows[] = {
    FLOW_NAME(config_retention_flow),
    FLOW_DAYS(succeeded_days),
    FLOW_DAYS(failed_days),
    FLOW_DAYS(terminated_days),
};

enum { YEAR_S = 31536000 };
#define AGE(field, normal, about) COUNT(config_anomaly, field, 0, YEAR_S, "s", normal, about)
static const struct config_row anomaly_rows[] = {
    AGE(running_s, "172800", "A saga that began longer ago and is still running is too old."),
    AGE(forward_s, "86400", "The same, of one that is past its watershed."),
    AGE(compensating_s, "14400", "The same, of one that is being undone."),
    AGE(parked_s, "86400", "One that has been parked for longer waits too long for an operator."),
    COUNT(config_anomaly, stuck_s, 60, DAY_S, "s", "600",
          "One that is due for longer, and in nobody's memory, is stuck; it is loaded."),
    COUNT(config_anomaly, oscillating_attempts, 0, 500, "attempts", "20",
          "A step that failed so often in the same way …"),
    COUNT(config_anomaly, oscillating_s, 1, DAY_S, "s", "3600", "… within this time is oscillating."),
    COUNT(config_anomaly, interval_s, 1, DAY_S, "s", "60",
          "From the end of a round through everything unfinished to the next."),
    COUNT(config_anomaly, rows_per_s, 1, 1000000, "rows/s", "200", "Most sagas looked at in a second."),
    COUNT(config_anomaly, checks_per_s, 1, 1000, "trades/s", "5",
          "Most trades whose amounts are looked at in a second: those of which a saga has just ended first."),
};
#define FLOW_AGE(field, about)                                                                                         \
    {                                                                                                                  \
        .name = #field, .type = CONFIG_COUNT, .offset = OFFSET(config_anomaly_flow, field), .max = YEAR_S,             \
        .unit = "s", .required = true, .text = (about)                                                                 \
    }
static const struct config_row anomaly_flow_rows[] = {
    FLOW_NAME(config_anomaly_flow),
    FLOW_AGE(running_s, "As above, of this flow."),
    FLOW_AGE(forward_s, "As above, of this flow."),
    FLOW_AGE(compensating_s, "As above, of this flow."),
    FLOW_AGE(parked_s, "As above, of this flow."),
};

#define RETRY_ROWS(first, longest, times, jitter, hold)                                                                \
    {                                                                                                                  \
        COUNT(config_retry, first_ms, 1, HOUR_MS, "ms", first, "Pause after the first failure; doubles."),             \
            COUNT(config_retry, max_ms, 1, HOUR_MS, "ms", longest, "Longest pause."),                                  \
            COUNT(config_retry, attempts, 1, 100000, "attempts", times, "After so many the policy is exhausted."),     \
            COUNT(config_retry, jitter_percent, 0, 100, "%", jitter, "How much each pause may differ, either way."),   \
            COUNT(config_retry, hold_ms, 0, HOUR_MS, "ms", hold,                                                       \
                  "Where the saga can still turn round it does, when a call can't be sent for so long (it is paused, " \
                  "does not answer, or has too many before it); 0: it waits."),                                        \
    }
static const struct config_row quick_rows[] = RETRY_ROWS("100", "1000", "6", "20", "15000");
static const struct config_row stubborn_rows[] = RETRY_ROWS("200", "30000", "40", "20", "0");
static const struct config_row leisurely_rows[] = RETRY_ROWS("500", "300000", "60", "30", "0");

// ---- Sections -----------------------------------------------------------------------------------------------------

// As in enum config_system.
#define X(NAME, name) #name,
static const char *const system_names[] = {ADAPTER_SYSTEMS(X) NULL};
#undef X

#define ROWS(array) .rows = (array), .n_rows = sizeof(array) / sizeof((array)[0])
#define ONE(field, array, about)                                                                                       \
    {                                                                                                                  \
        .path = #field, .shape = CONFIG_ONE, .offset = OFFSET(config, field),                                          \
        .size = sizeof(((struct config *)0)->field), ROWS(array), .text = (about)                                      \
    }

#define RETRY(name, patience, array, about)                                                                            \
    {                                                                                                                  \
        .path = (name), .shape = CONFIG_ONE, .offset = OFFSET(config, retry[patience]),                                \
        .size = sizeof(struct config_retry), ROWS(array), .text = (about)                                              \
    }

static const struct config_section sections[] = {
    {.path = "", .shape = CONFIG_ONE, .size = sizeof(struct config), ROWS(top_rows), .text = "The instance."},
    ONE(tls, tls_rows, "How the services are protected."),
    ONE(store, store_rows, "The store."),
    ONE(cluster, cluster_rows, "Several instances on one store that they share."),
    ONE(limits, limit_rows, "Bounds of the whole instance."),
    ONE(log, log_rows, "The log, on standard error."),
    ONE(trade, trade_rows, "Trades."),
    ONE(quote, quote_rows,
        "What each of a quote's sources may take at most; 0: all of `trade.quote_budget_ms`, which nothing exceeds. "
        "Without a core source there is no quote; without another one it is marked as degraded."),
    ONE(cache, cache_rows,
        "Facts that change slowly, kept for a while so that not every quote asks for them. What an order takes is what "
        "its quote has kept, never what stands here."),
    ONE(payment, payment_rows, "Payment attempts."),
    ONE(callback, callback_rows, "Callbacks of the payment gateway."),
    {.path = "callback.keys",
     .shape = CONFIG_ENTRIES,
     .offset = OFFSET(config, callback.keys),
     .size = sizeof(struct config_callback_key),
     .count_offset = OFFSET(config, callback.n_keys),
     .entries_max = 32,
     ROWS(callback_key_rows),
     .text = "The keys that callbacks may be signed with: each an id and either a secret_file or a secret."},
    {.path = "participants",
     .shape = CONFIG_EACH,
     .offset = OFFSET(config, participants),
     .size = sizeof(struct config_participant),
     .names = system_names,
     ROWS(participant_rows),
     .text = "The remote systems, one mapping each."},
    ONE(submit, submit_rows, "Sagas that callers define (SubmitSaga)."),
    ONE(targets, target_rows, "Each target of the sagas that callers define."),
    {.path = "callers",
     .shape = CONFIG_ENTRIES,
     .offset = OFFSET(config, callers),
     .size = sizeof(struct config_caller),
     .count_offset = OFFSET(config, n_callers),
     .entries_max = 1024,
     ROWS(caller_rows),
     .text = "Who may call. Without TLS and without this list (development) every caller has every scope and every "
             "tenant, under the name that its metadata `x-caller` gives (\"anonymous\" where it gives none)."},
    ONE(sentinel, sentinel_rows, "The sentinel: finds what is due and drives it on."),
    ONE(retention, retention_rows,
        "How long what has ended is kept, counted from its end; 0 is for ever. A trade goes as a whole: when all of "
        "its "
        "sagas may go, and never before its refund window is over."),
    {.path = "retention.flows",
     .shape = CONFIG_ENTRIES,
     .offset = OFFSET(config, retention.flows),
     .size = sizeof(struct config_retention_flow),
     .count_offset = OFFSET(config, retention.n_flows),
     .entries_max = 64,
     ROWS(retention_flow_rows),
     .text = "Flows whose sagas are kept for another time."},
    ONE(anomaly, anomaly_rows,
        "What is looked for in what is stored, and raised when it does not mend by itself; 0 is never."),
    {.path = "anomaly.flows",
     .shape = CONFIG_ENTRIES,
     .offset = OFFSET(config, anomaly.flows),
     .size = sizeof(struct config_anomaly_flow),
     .count_offset = OFFSET(config, anomaly.n_flows),
     .entries_max = 64,
     ROWS(anomaly_flow_rows),
     .text = "Flows whose sagas have other times."},
    {.path = "retry", .shape = CONFIG_ONE, .text = "The retry policies that steps name."},
    RETRY("retry.quick", CONFIG_QUICK, quick_rows, "Somebody waits; exhausted, the saga turns round."),
    RETRY("retry.stubborn", CONFIG_STUBBORN, stubborn_rows, "Must be done soon; exhausted, an operator is called."),
    RETRY("retry.leisurely", CONFIG_LEISURELY, leisurely_rows, "Background work; exhausted, an operator is called."),
};

const struct config_section *config_sections(size_t *ret_count) {
    *ret_count = sizeof sections / sizeof sections[0];
    return sections;
}

const struct config_section *config_section_find(struct str path) {
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (str_eq_c(path, sections[i].path))
            return &sections[i];
    return NULL;
}

const char *config_system_name(enum config_system system) {
    return system_names[system];
}

size_t config_section_count(const struct config_section *section, const struct config *config) {
    size_t n = 1;
    if (section->shape == CONFIG_EACH)
        for (n = 0; section->names[n];)
            n++;
    else if (section->shape == CONFIG_ENTRIES)
        memcpy(&n, (const char *)config + section->count_offset, sizeof n);
    return n;
}

void *config_section_at(const struct config_section *section, struct config *config, size_t i) {
    char *base = (char *)config + section->offset;
    if (section->shape == CONFIG_ENTRIES)
        memcpy(&base, (char *)config + section->offset, sizeof base);
    return base + i * section->size;
}

static void list_words(const struct config_word *words, const char *between, char *out, size_t size) {
    size_t at = 0;
    for (const struct config_word *w = words; w->name && at < size; w++) {
        int n = snprintf(out + at, size - at, "%s%s", w == words ? "" : w[1].name ? ", " : between, w->name);
        at += n > 0 ? (size_t)n : 0;
    }
}

void config_expects(const struct config_row *row, char out[CONFIG_EXPECTS_MAX]) {
    char words[128] = "";
    if (row->words)
        list_words(row->words, row->type == CONFIG_WORD ? " or " : " and ", words, sizeof words);
    switch (row->type) {
    case CONFIG_COUNT:
        snprintf(out, CONFIG_EXPECTS_MAX, "a whole number from %u to %u%s%s%s", row->min, row->max,
                 *row->unit ? " (" : "", row->unit, *row->unit ? ")" : "");
        break;
    case CONFIG_WORD: snprintf(out, CONFIG_EXPECTS_MAX, "%s", words); break;
    case CONFIG_WORDS: snprintf(out, CONFIG_EXPECTS_MAX, "a list of some of %s", words); break;
    case CONFIG_TEXT:
        snprintf(out, CONFIG_EXPECTS_MAX, "%s, at most %u bytes", row->form ? row->form->expects : "text", row->max);
        break;
    case CONFIG_FILE: snprintf(out, CONFIG_EXPECTS_MAX, "the path of a file"); break;
    case CONFIG_SECRET: snprintf(out, CONFIG_EXPECTS_MAX, "a secret of %u to %u bytes", row->min, row->max); break;
    case CONFIG_LIST:
        snprintf(out, CONFIG_EXPECTS_MAX, "a list of 1 to %u, each %s", row->max,
                 row->form ? row->form->expects : "text");
        break;
    }
}
