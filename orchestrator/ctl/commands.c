// The rows. What an option is called, what it means and which field it fills stands here and nowhere else.
#include "orchestrator/ctl/command.h"

#include "grpc/health/v1/health.pb-c.h"
#include "orchestrator/ctl/anomaly_view.h"
#include "orchestrator/ctl/flow_view.h"
#include "orchestrator/ctl/matter_view.h"
#include "orchestrator/ctl/operator_view.h"
#include "orchestrator/ctl/run.h"
#include "orchestrator/ctl/saga_view.h"
#include "orchestrator/ctl/stats_view.h"
#include "orchestrator/ctl/trade_options.h"
#include "orchestrator/ctl/trade_view.h"
#include "txcenter/ops/v1/stats.pb-c.h"

// ---- Options of every command -------------------------------------------------------------------------------------

static const struct option global[] = {
    {.name = "server",
     .kind = OPTION_TEXT,
     .value = "TARGET",
     .text = "where txcenterd is (default 127.0.0.1:7600, or TXCENTER_SERVER)"},
    {.name = "caller",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .text = "who calls, where the server runs without TLS (x-caller)"},
    {.name = "tls-ca",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .text = "who signed the server's certificate; the connection is TLS"},
    {.name = "tls-cert", .kind = OPTION_TEXT, .value = "FILE", .text = "our certificate"},
    {.name = "tls-key", .kind = OPTION_TEXT, .value = "FILE", .text = "its private key"},
    {.name = "tls-name", .kind = OPTION_TEXT, .value = "NAME", .text = "the name expected in the server's certificate"},
    {.name = "timeout",
     .kind = OPTION_NUMBER,
     .value = "SECONDS",
     .min = 1,
     .max = 86400,
     .text = "how long a call may take (default 10, of a watch 3600)"},
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .value = "human|json",
     .fallback = "human",
     .text = "for people, or one JSON document (of a watch and a batch one a line)"},
    {.name = "request-id",
     .kind = OPTION_TEXT,
     .value = "ID",
     .text = "of a call that changes something; made when absent; the same again gets the same answer"},
    {.name = "currency",
     .kind = OPTION_TEXT,
     .value = "CODE",
     .fallback = "CNY",
     .text = "of the amounts on this command line"},
    {.name = "no-color", .kind = OPTION_FLAG, .text = "no colours (nor with NO_COLOR set, nor when not on a terminal)"},
    {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .text = "what the command does and takes"},
};
static const struct option_set global_set = SET(global);

const struct option_set *command_global_options(void) {
    return &global_set;
}

// ---- Options of several -------------------------------------------------------------------------------------------

static const struct option wait_options[] = {
    {.name = "wait",
     .kind = OPTION_NUMBER,
     .value = "SECONDS",
     .field = "wait_ms",
     .fallback = "5",
     .min = 0,
     .max = 30,
     .scale = 1000,
     .text = "how long to wait for the outcome; after it exit code 4"},
};
static const struct option_set wait_set = SET(wait_options);

static const struct option reason_options[] = {
    TEXT("reason", "TEXT", "reason", "why"),
};
static const struct option_set reason_set = SET(reason_options);

static const struct option made_options[] = {
    {.name = "from",
     .kind = OPTION_TIME,
     .value = "TIME",
     .field = "filter.created_from",
     .text = "made at or after: 2026-01-31, 2026-01-31T12:00:00+08:00, or 2h (ago)"},
    {.name = "to", .kind = OPTION_TIME, .value = "TIME", .field = "filter.created_to", .text = "made before"},
};
static const struct option_set made_set = SET(made_options);

static const struct option page_options[] = {
    {.name = "page-size",
     .kind = OPTION_NUMBER,
     .value = "N",
     .field = "page_size",
     .min = 1,
     .max = 200,
     .text = "rows of a page (default 50)"},
    TEXT("page-token", "TOKEN", "page_token", "the page that the one before named"),
};
static const struct option_set page_set = SET(page_options);

static const struct option watch_options[] = {
    {.name = "after",
     .kind = OPTION_NUMBER,
     .value = "VERSION",
     .field = "after_version",
     .min = 0,
     .max = INT64_MAX,
     .text = "only changes after this version of the trade"},
};
static const struct option_set watch_set = SET(watch_options);

// ---- Options of sagas ---------------------------------------------------------------------------------------------

static const struct option saga_list_options[] = {
    {.name = "status",
     .kind = OPTION_WORD,
     .value = "STATUS",
     .field = "filter.status",
     .words = &txcenter__saga__v1__saga_status__descriptor,
     .text = "with this status"},
    {.name = "parked", .kind = OPTION_FLAG, .field = "filter.parked", .text = "that wait for an operator"},
    {.name = "unfinished", .kind = OPTION_FLAG, .field = "filter.unfinished", .text = "that have not ended"},
    {.name = "paused", .kind = OPTION_FLAG, .field = "filter.paused", .text = "that an operator has paused"},
    TEXT("flow", "NAME", "filter.flow", "of this flow"),
    TEXT("subject", "SUBJECT", "filter.subject", "about this subject (a trade's number)"),
    TEXT("participant", "SYSTEM", "filter.participant", "with a step in trouble that calls this remote system"),
    TEXT("because", "REASON", "filter.reason", "with a step in trouble for this reason"),
    {.name = "older",
     .kind = OPTION_TIME,
     .value = "TIME",
     .field = "filter.updated_before",
     .text = "last written before this: 30m, 2h, a date or a time"},
    {.name = "slot",
     .kind = OPTION_NUMBER,
     .many = true,
     .value = "N",
     .field = "filter.slots",
     .min = 0,
     .max = 255,
     .text = "in this slot"},
};
static const struct option_set saga_list_set = SET(saga_list_options);

static const struct option submit_options[] = {
    TEXT("gid", "GID", "gid", "the saga's name, which nobody else may use; else one is made from --request-id"),
};
static const struct option_set submit_set = SET(submit_options);

static const struct option signal_options[] = {
    {.name = "name",
     .kind = OPTION_TEXT,
     .required = true,
     .value = "NAME",
     .field = "name",
     .text = "of the signal that a step awaits"},
    TEXT("payload", "TEXT", "payload", "what it says: the step's answer"),
};
static const struct option_set signal_set = SET(signal_options);

static const struct option saga_watch_options[] = {
    {.name = "after",
     .kind = OPTION_TIME,
     .value = "TIME",
     .field = "after_updated_at",
     .text = "only changes after this updatedAt of the saga"},
};
static const struct option_set saga_watch_set = SET(saga_watch_options);

// ---- Options of operators -----------------------------------------------------------------------------------------

static const struct option act_options[] = {
    {.name = "reason",
     .kind = OPTION_TEXT,
     .required = true,
     .value = "TEXT",
     .field = "reason",
     .text = "why; it is kept in the audit"},
};
static const struct option_set act_set = SET(act_options);

static const struct option clear_options[] = {
    TEXT("source", "NAME", "source", "only this kind: price, points_rule, level or activities (default: every kind)"),
};
static const struct option_set clear_set = SET(clear_options);

static const struct option step_options[] = {
    TEXT("step", "NAME", "step", "which step (default: the one that is parked)"),
    {.name = "leg",
     .kind = OPTION_NUMBER,
     .value = "N",
     .field = "leg",
     .min = 0,
     .max = 71,
     .text = "which leg of a step that runs several times, from 0"},
};
static const struct option_set step_set = SET(step_options);

static const struct option resolve_options[] = {
    {.name = "outcome",
     .kind = OPTION_WORD,
     .required = true,
     .value = "OUTCOME",
     .field = "outcome",
     .words = &txcenter__saga__v1__step_outcome__descriptor,
     .text = "what became of it"},
    {.name = "answer",
     .kind = OPTION_FILE,
     .value = "FILE",
     .field = "answer",
     .text = "what it answered, encoded, where later steps need it; - is standard input"},
};
static const struct option_set resolve_set = SET(resolve_options);

static const struct option batch_options[] = {
    TEXT("reason", "TEXT", "reason", "why; it is kept in the audit"),
    {.name = "filter",
     .kind = OPTION_SPEC,
     .required = true,
     .value = "NAME[=VALUE],…",
     .field = "filter",
     .spec = saga_filter_spec,
     .text = "which sagas: the options of saga list, such as parked,flow=trade.purchase"},
    {.name = "dry-run", .kind = OPTION_FLAG, .field = "dry_run", .text = "only count them"},
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .value = "N",
     .field = "rate_per_s",
     .min = 1,
     .max = 1000,
     .text = "sagas in a second (default 10)"},
    TEXT("step", "NAME", "step", "of skip: which step (default: the one that is parked)"),
};
static const struct option_set batch_set = SET(batch_options);

static const struct option matter_options[] = {
    {.name = "kind",
     .kind = OPTION_WORD,
     .value = "KIND",
     .field = "filter.kind",
     .words = &txcenter__trade__v1__matter_kind__descriptor,
     .text = "of this kind"},
    TEXT("tenant", "TENANT", "filter.tenant_id", "of this group"),
    TEXT("trade", "TRADE", "filter.trade_no", "of this trade"),
    {.name = "settled", .kind = OPTION_FLAG, .field = "filter.settled", .text = "those that are settled instead"},
};
static const struct option_set matter_set = SET(matter_options);

static const struct option settle_options[] = {
    {.name = "number",
     .kind = OPTION_NUMBER,
     .required = true,
     .value = "N",
     .field = "number",
     .min = 1,
     .max = INT32_MAX,
     .text = "which matter of the trade, as matter list shows it"},
    {.name = "as",
     .kind = OPTION_WORD,
     .required = true,
     .value = "OUTCOME",
     .field = "outcome",
     .words = &txcenter__trade__v1__matter_outcome__descriptor,
     .text = "what becomes of it"},
};
static const struct option_set settle_set = SET(settle_options);

static const struct option reference_options[] = {
    TEXT("reference", "TEXT", "reference", "the voucher or transfer with which money was given back"),
};
static const struct option_set reference_set = SET(reference_options);

static const struct option stray_options[] = {
    {.name = "settled", .kind = OPTION_FLAG, .field = "settled", .text = "those that are settled instead"},
};
static const struct option_set stray_set = SET(stray_options);

static const struct option match_options[] = {
    {.name = "key",
     .kind = OPTION_TEXT,
     .required = true,
     .value = "KEY",
     .field = "key_id",
     .text = "the key that it was signed with, as stray list shows it"},
    {.name = "as",
     .kind = OPTION_WORD,
     .required = true,
     .value = "OUTCOME",
     .field = "outcome",
     .words = &txcenter__trade__v1__stray_outcome__descriptor,
     .text = "what becomes of it"},
    TEXT("trade", "TRADE", "trade_no", "matched: whose it is"),
    TEXT("number", "NUMBER", "number",
         "matched: the tender or refund that it is about (default: the one that it names)"),
};
static const struct option_set match_set = SET(match_options);

static const struct option anomaly_options[] = {
    {.name = "kind",
     .kind = OPTION_WORD,
     .value = "KIND",
     .field = "filter.kind",
     .words = &txcenter__saga__v1__anomaly_kind__descriptor,
     .text = "of this kind"},
    TEXT("flow", "NAME", "filter.flow", "of this flow"),
    TEXT("subject", "SUBJECT", "filter.subject", "about this subject (a trade's number)"),
    {.name = "since",
     .kind = OPTION_TIME,
     .value = "TIME",
     .field = "filter.seen_from",
     .text = "last seen at or after this: 30m, 2h, a date or a time"},
    {.name = "all", .kind = OPTION_FLAG, .field = "filter.cleared", .text = "also those that are over"},
};
static const struct option_set anomaly_set = SET(anomaly_options);

// ---- Commands -----------------------------------------------------------------------------------------------------

#define TRADE(method_name) .method = {.service = &txcenter__trade__v1__trade_service__descriptor, .name = (method_name)}
#define SAGA(method_name) .method = {.service = &txcenter__saga__v1__saga_service__descriptor, .name = (method_name)}
#define REST "One tender may have no amount: it pays the rest.\n"
#define ACT(word, method_name, about, ...)                                                                             \
    {                                                                                                                  \
        .words = "saga " word, .operand = "GID", .operand_field = "gid", .sets = {__VA_ARGS__}, OPERATOR(method_name), \
        .show = operator_show_saga, .text = (about)                                                                    \
    }
#define TRADE_OPERATOR(method_name)                                                                                    \
    .method = {.service = &txcenter__trade__v1__trade_operator_service__descriptor, .name = (method_name)}
#define OPERATOR(method_name)                                                                                          \
    .method = {.service = &txcenter__saga__v1__operator_service__descriptor, .name = (method_name)}

static const struct command commands[] = {
    {.words = "trade quote",
     .sets = {&trade_options_line, &trade_options_context, &trade_options_quote},
     .needs = {"--fuel|--goods|--recharge", "--tenant", "--station"},
     TRADE("Quote"),
     .show = trade_show_quote,
     .text = "price what is to be bought and keep the quote",
     .details = "txctl trade quote --tenant T001 --user U0001 --station S001 --fuel 92#:amount=200.00,nozzle=1"},
    {.words = "trade order",
     .operand = "TRADE",
     .operand_field = "trade_no",
     .sets = {&trade_options_version, &trade_options_order, &wait_set},
     TRADE("PlaceOrder"),
     .show = trade_show_order,
     .text = "order from a kept quote",
     .details = "txctl trade order TRADE --version 1 --combination 2"},
    {.words = "trade pay",
     .operand = "TRADE",
     .operand_field = "trade_no",
     .sets = {&trade_options_pay, &wait_set},
     TRADE("Pay"),
     .show = trade_show_pay,
     .run = run_pay,
     .text = "start a payment attempt",
     .details = REST "txctl trade pay TRADE --tender card=50.00:C0001 --tender wechat:openid1"},
    {.words = "trade order-pay",
     .operand = "TRADE",
     .operand_field = "trade_no",
     .sets = {&trade_options_version, &trade_options_order, &trade_options_pay, &wait_set},
     TRADE("OrderPay"),
     .show = trade_show_order_pay,
     .run = run_pay,
     .text = "order and pay in one",
     .details = REST "txctl trade order-pay TRADE --version 1 --tender wechat:openid1"},
    {.words = "trade quote-order-pay",
     .sets = {&trade_options_line, &trade_options_context, &trade_options_order, &trade_options_pay, &wait_set},
     .needs = {"--fuel|--goods|--recharge", "--tenant", "--station"},
     TRADE("QuoteOrderPay"),
     .show = trade_show_quote_order_pay,
     .text = "quote, order and pay in one",
     .details =
         "The best combination is taken. " REST "txctl trade quote-order-pay --tenant T001 --user U0001 --station S001 "
         "--fuel 92#:volume=30.00 --tender wechat:openid1"},
    {.words = "trade cancel",
     .operand = "[TRADE]",
     .operand_field = "trade_no",
     .sets = {&trade_options_number, &reason_set, &wait_set},
     .needs = {"TRADE|--order"},
     TRADE("Cancel"),
     .show = trade_show_cancel,
     .text = "cancel a trade; one that is paid is refunded"},
    {.words = "trade refund",
     .operand = "[TRADE]",
     .operand_field = "trade_no",
     .sets = {&trade_options_refund, &trade_options_number, &reason_set, &wait_set},
     .needs = {"TRADE|--order", "--whole|--amount|--line"},
     TRADE("Refund"),
     .show = trade_show_refund,
     .text = "refund the whole, an amount, or lines",
     .details = "txctl trade refund TRADE --amount 20.00 --reason 'wrong nozzle'"},
    {.words = "trade adjust",
     .operand = "[TRADE]",
     .operand_field = "trade_no",
     .sets = {&trade_options_adjust, &trade_options_number},
     .needs = {"TRADE|--order"},
     TRADE("Adjust"),
     .show = trade_show_adjust,
     .text = "what was dispensed of a fill-up that was authorised",
     .details = "txctl trade adjust TRADE --line 0:amount=150.00"},
    {.words = "trade get",
     .operand = "[TRADE]",
     .operand_field = "trade_no",
     .sets = {&trade_options_number},
     .needs = {"TRADE|--order"},
     TRADE("GetTrade"),
     .show = trade_show_get,
     .text = "everything about one trade"},
    {.words = "trade list",
     .sets = {&trade_options_list, &made_set, &page_set},
     TRADE("ListTrades"),
     .show = trade_show_list,
     .text = "trades, newest first",
     .details = "txctl trade list --state paying --from 2h"},
    {.words = "trade watch",
     .operand = "TRADE",
     .operand_field = "trade_no",
     .sets = {&watch_set},
     .method = {.service = &txcenter__trade__v1__trade_service__descriptor,
                .name = "WatchTrade",
                .server_streaming = true},
     .show = trade_show_watch,
     .run = run_watch,
     .text = "every change of a trade until it has ended",
     .details = "A connection that breaks is taken up again behind the last version seen."},
    {.words = "saga submit",
     .operand = "FILE|-",
     .sets = {&submit_set, &wait_set},
     SAGA("SubmitSaga"),
     .show = saga_show_submit,
     .run = run_saga_submit,
     .text = "carry out a saga that a JSON file defines",
     .details = "The file is a SagaDefinition of proto/txcenter/saga/v1; payloads are base64. Exit code 1 when the "
                "saga failed.\n"
                "txctl saga submit order.json --wait 1"},
    {.words = "saga signal",
     .operand = "GID",
     .operand_field = "gid",
     .sets = {&signal_set},
     SAGA("SignalSaga"),
     .show = saga_show_signal,
     .text = "tell a saga what one of its steps awaits",
     .details = "txctl saga signal GID --name paid --payload 'receipt 7'"},
    {.words = "saga watch",
     .operand = "GID",
     .operand_field = "gid",
     .sets = {&saga_watch_set},
     .method = {.service = &txcenter__saga__v1__saga_service__descriptor,
                .name = "WatchSaga",
                .server_streaming = true},
     .show = saga_show_watch,
     .run = run_watch,
     .text = "every durable change of a saga until it has ended",
     .details = "A connection that breaks is taken up again behind the last change seen."},
    {.words = "saga count",
     .sets = {&saga_list_set, &made_set},
     SAGA("CountSagas"),
     .show = saga_show_count,
     .text = "how many sagas there are, by the filters of saga list",
     .details = "txctl saga count --unfinished --flow trade.purchase"},
    {.words = "saga get",
     .operand = "GID",
     .operand_field = "gid",
     SAGA("GetSaga"),
     .show = saga_show_get,
     .text = "one saga with its steps"},
    {.words = "saga list",
     .sets = {&saga_list_set, &made_set, &page_set},
     SAGA("ListSagas"),
     .show = saga_show_list,
     .run = run_saga_list,
     .text = "sagas by status, flow, subject and time",
     .details = "A page that is not full need not be the last: the last one names no next page.\n"
                "txctl saga list --parked\n"
                "txctl saga list --unfinished --participant card --older 30m"},
    {.words = "saga trace",
     .operand = "GID|TRADE",
     .operand_field = "gid",
     SAGA("GetSaga"),
     .run = run_trace,
     .text = "the timeline of a saga, or of all sagas of a trade"},
    ACT("retry", "Retry", "try parked and waiting steps again now", &act_set),
    ACT("skip", "Skip", "let a parked step count as done", &act_set, &step_set),
    ACT("compensate", "Compensate", "turn a saga round that has not passed its watershed", &act_set),
    ACT("resolve", "Resolve", "state what became of a step", &resolve_set, &act_set, &step_set),
    ACT("pause", "Pause", "let a saga do nothing until it is resumed", &act_set),
    ACT("resume", "Resume", "let a paused saga go on", &act_set),
    ACT("terminate", "Terminate", "end a saga as it stands", &act_set),
    {.words = "batch",
     .operand = "ACTION",
     .operand_field = "action",
     .sets = {&batch_set},
     .needs = {"--reason|--dry-run"},
     .method = {.service = &txcenter__saga__v1__operator_service__descriptor,
                .name = "Batch",
                .server_streaming = true},
     .show = operator_show_batch,
     .run = run_batch,
     .text = "the same for every saga of a filter",
     .details = "It stops when this program does; with the same --request-id it goes on with those that are left.\n"
                "What became of a step is stated of one saga at a time (txctl saga resolve).\n"
                "Exit code 1 when some were refused or failed.\n"
                "txctl batch retry --filter parked,because=SHIFT_CLOSED --reason 'the shift is open'"},
    {.words = "participant list",
     OPERATOR("ListParticipants"),
     .show = operator_show_participants,
     .text = "the remote systems: whether they answer, what waits, who has paused one"},
    {.words = "participant pause",
     .operand = "NAME",
     .operand_field = "participant",
     .sets = {&act_set},
     OPERATOR("PauseParticipant"),
     .show = operator_show_paused,
     .text = "no call of any saga goes to it until it is resumed"},
    {.words = "participant resume",
     .operand = "NAME",
     .operand_field = "participant",
     .sets = {&act_set},
     OPERATOR("ResumeParticipant"),
     .show = operator_show_resumed,
     .text = "let calls go to it again"},
    {.words = "matter list",
     .sets = {&matter_set, &page_set},
     TRADE_OPERATOR("ListMatters"),
     .show = matter_show_list,
     .text = "what an operator must settle about trades: shortfalls, conflicts, payouts",
     .details = "txctl matter list --kind payout --tenant T001"},
    {.words = "matter settle",
     .operand = "TRADE",
     .operand_field = "trade_no",
     .sets = {&settle_set, &act_set, &reference_set, &wait_set},
     TRADE_OPERATOR("SettleMatter"),
     .show = matter_show_settled,
     .text = "say what becomes of a matter, once",
     .details = "A shortfall is written-off, collected, or deducted after all: tried again, and open until that was "
                "done. A conflict is kept, returned or paid-otherwise; a payout paid-otherwise (or its saga is tried "
                "again). Only the center says that one is over.\n"
                "txctl matter settle TRADE --number 1 --as deducted --reason \"the coupon is back\""},
    {.words = "stray list",
     .sets = {&stray_set, &page_set},
     TRADE_OPERATOR("ListStrays"),
     .show = stray_show_list,
     .text = "notifications of the payment gateway that nothing took in"},
    {.words = "stray settle",
     .operand = "NONCE",
     .operand_field = "nonce",
     .sets = {&match_set, &act_set, &reference_set},
     TRADE_OPERATOR("SettleStray"),
     .show = stray_show_settled,
     .text = "say what becomes of a notification that nothing took in, once",
     .details = "Matched, it is taken in as if it had named the tender, or the refund, of --number."},
    {.words = "audit list",
     .operand = "[GID]",
     .operand_field = "gid",
     .sets = {&page_set},
     OPERATOR("ListAudit"),
     .show = operator_show_audit,
     .text = "what operators did, to one saga or to all"},
    {.words = "anomaly list",
     .sets = {&anomaly_set, &page_set},
     OPERATOR("ListAnomalies"),
     .show = anomaly_show_list,
     .text = "what is wrong and does not mend by itself",
     .details = "A page that is not full need not be the last: the last one names no next page.\n"
                "txctl anomaly list --kind oscillating --since 2h"},
    {.words = "cache clear",
     .sets = {&clear_set, &act_set},
     OPERATOR("ClearCache"),
     .show = operator_show_cleared,
     .text = "forget the facts that are kept for quotes, such as prices of fuel",
     .details = "In Redis for every instance; in memory for the one that is asked.\n"
                "txctl cache clear --source price --reason 'prices have changed'"},
    {.words = "flow list", SAGA("ListFlows"), .show = flow_show_list, .text = "the flows that the server has"},
    {.words = "flow graph",
     .operand = "NAME",
     .operand_field = "name",
     SAGA("GetFlow"),
     .show = flow_show_graph,
     .text = "the picture of a flow, from its table"},
    {.words = "health",
     .operand = "[SERVICE]",
     .operand_field = "service",
     .method = {.service = &grpc__health__v1__health__descriptor, .name = "Check"},
     .run = run_health,
     .text = "whether the server, or one service, serves",
     .details = "To operators it also says, on standard error, what is not as it should be: a database that may lose\n"
                "what was acknowledged."},
    {.words = "stats",
     .method = {.service = &txcenter__ops__v1__stats_service__descriptor, .name = "GetStats"},
     .show = stats_show,
     .text = "the server's counters"},
    {.words = "completion",
     .operand = "bash",
     .run = run_completion,
     .text = "the script for a shell",
     .details = "source <(txctl completion bash)"},
    {.words = "version", .run = run_version, .text = "the version of this program"},
    {.words = "help", .operand = "[COMMAND]", .run = run_help, .text = "what there is, or what a command takes"},
};

const struct command *command_table(size_t *ret_count) {
    *ret_count = sizeof commands / sizeof commands[0];
    return commands;
}

const ProtobufCEnumDescriptor *command_operand_words(const struct command *command) {
    if (!command->operand_field || !command->method.service)
        return NULL;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(rpc_method_request(&command->method), command->operand_field);
    return field && field->type == PROTOBUF_C_TYPE_ENUM ? field->descriptor : NULL;
}

const struct option *command_option(const struct command *command, size_t i) {
    for (size_t k = 0; k < COMMAND_SETS_MAX && command->sets[k]; k++) {
        if (i < command->sets[k]->n)
            return &command->sets[k]->options[i];
        i -= command->sets[k]->n;
    }
    return i < global_set.n ? &global_set.options[i] : NULL;
}

const struct command *command_find(struct str words) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (str_eq_c(words, commands[i].words))
            return &commands[i];
    return NULL;
}
