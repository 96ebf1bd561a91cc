#include "orchestrator/ctl/trade_options.h"

#include "orchestrator/ctl/trade_specs.h"
#include "txcenter/trade/v1/trade.pb-c.h"

static const struct option context_options[] = {
    TEXT("user", "USER", "context.user_id", "who buys (default: nobody knows, and there are no benefits)"),
    TEXT("station", "STATION", "context.station_id", "where"),
    TEXT("tenant", "TENANT", "context.tenant_id", "the group that the station belongs to"),
    TEXT("terminal", "TERMINAL", "context.terminal_id", "the device"),
    TEXT("employee", "EMPLOYEE", "context.employee_id", "who serves"),
    TEXT("channel", "CHANNEL", "context.channel", "merchant, wechat, senseless, …"),
    TEXT("scenario", "SCENARIO", "context.scenario", "passed on as it is"),
    TEXT("shift", "SHIFT", "context.shift_id", "the shift, where it is known"),
    {.name = "at",
     .kind = OPTION_TIME,
     .value = "TIME",
     .field = "context.at",
     .text = "when it is bought, where that is not now; needs the scope trade.backdate"},
    TEXT("business-date", "YYYY-MM-DD", "context.business_date", "the station's, where it is known"),
};
const struct option_set trade_options_context = SET(context_options);

static const struct option line_options[] = {
    {.name = "fuel",
     .kind = OPTION_SPEC,
     .many = true,
     .value = "CODE:amount=A|volume=V|serial=S[,nozzle=N][,authorised]",
     .field = "lines",
     .spec = trade_fuel_spec,
     .text = "fuel that is bought"},
    {.name = "goods",
     .kind = OPTION_SPEC,
     .many = true,
     .value = "SKU[=PIECES]",
     .field = "lines",
     .spec = trade_goods_spec,
     .text = "goods, or another item, that are bought (1 piece)"},
    {.name = "recharge",
     .kind = OPTION_SPEC,
     .many = true,
     .value = "CARD=AMOUNT",
     .field = "lines",
     .spec = trade_recharge_spec,
     .text = "balance that is bought for a card; nothing else beside it"},
    {.name = "exclude-coupon",
     .kind = OPTION_TEXT,
     .many = true,
     .value = "COUPON",
     .field = "excluded_coupon_ids",
     .text = "never use this one"},
    {.name = "exclude-activity",
     .kind = OPTION_TEXT,
     .many = true,
     .value = "ACTIVITY",
     .field = "excluded_activity_ids",
     .text = "never use this one of the discount engine"},
    {.name = "no-points", .kind = OPTION_FLAG, .field = "exclude_points", .text = "never use points"},
    {.name = "no-level", .kind = OPTION_FLAG, .field = "exclude_level", .text = "never use the member's prices"},
};
const struct option_set trade_options_line = SET(line_options);

static const struct option quote_options[] = {
    TEXT("trade", "TRADE", "trade_no", "a new version of this trade's quote"),
    {.name = "require-coupon",
     .kind = OPTION_TEXT,
     .many = true,
     .value = "COUPON",
     .field = "required_coupon_ids",
     .text = "only combinations that use it"},
    {.name = "require-activity",
     .kind = OPTION_TEXT,
     .many = true,
     .value = "ACTIVITY",
     .field = "required_activity_ids",
     .text = "only combinations that use it"},
    {.name = "paid-by",
     .kind = OPTION_WORD,
     .many = true,
     .value = "KIND",
     .field = "tender_kinds",
     .words = &txcenter__trade__v1__tender_kind__descriptor,
     .text = "only what allows to pay with it, and with all others that are named"},
    {.name = "combinations",
     .kind = OPTION_NUMBER,
     .value = "N",
     .field = "max_combinations",
     .min = 1,
     .max = 10,
     .text = "how many to answer (default 3)"},
};
const struct option_set trade_options_quote = SET(quote_options);

static const struct option version_options[] = {
    {.name = "version",
     .kind = OPTION_NUMBER,
     .required = true,
     .value = "N",
     .field = "quote_version",
     .min = 1,
     .max = INT32_MAX,
     .text = "of the quote"},
    TEXT("combination", "ID", "combination_id", "of the quote (default: the best)"),
};
const struct option_set trade_options_version = SET(version_options);

static const struct option order_options[] = {
    {.name = "expect",
     .kind = OPTION_MONEY,
     .value = "AMOUNT",
     .field = "expected_payable",
     .text = "refuse when another amount is payable"},
    {.name = "mode",
     .kind = OPTION_WORD,
     .value = "MODE",
     .field = "mode",
     .words = &txcenter__trade__v1__order_mode__descriptor,
     .text = "when benefits are taken (default lock-first)"},
    {.name = "expires",
     .kind = OPTION_NUMBER,
     .value = "SECONDS",
     .field = "expires_in_seconds",
     .min = 1,
     .max = 86400,
     .text = "how long the order waits for its payment"},
    {.name = "accept-degraded",
     .kind = OPTION_FLAG,
     .field = "accept_degraded",
     .text = "order though an optional source did not answer the quote"},
};
const struct option_set trade_options_order = SET(order_options);

static const struct option pay_options[] = {
    {.name = "tender",
     .kind = OPTION_SPEC,
     .many = true,
     .value = "KIND[=AMOUNT][:ACCOUNT]",
     .field = "tenders",
     .spec = trade_tender_spec,
     .text = "one part of the payment: card=50.00:C0001"},
    {.name = "rounding-off",
     .kind = OPTION_MONEY,
     .value = "AMOUNT",
     .field = "rounding_off",
     .text = "so much is let off, where all of it is paid in cash; less than 1"},
    {.name = "on-failure",
     .kind = OPTION_WORD,
     .value = "WHAT",
     .field = "on_failure",
     .words = &txcenter__trade__v1__on_failure__descriptor,
     .text = "what a failed payment does to the order (default keep of pay, else fail-trade)"},
    {.name = "wait-for",
     .kind = OPTION_WORD,
     .value = "WHAT",
     .field = "wait_for",
     .words = &txcenter__trade__v1__wait_for__descriptor,
     .text = "when to answer (default parameters: as soon as the payers can pay)"},
};
const struct option_set trade_options_pay = SET(pay_options);

static const struct option number_options[] = {
    TEXT("order", "ORDER", "order_no", "by the order's number instead"),
};
const struct option_set trade_options_number = SET(number_options);

static const struct option refund_options[] = {
    {.name = "whole", .kind = OPTION_FLAG, .field = "whole", .text = "all that is left"},
    {.name = "amount", .kind = OPTION_MONEY, .value = "AMOUNT", .field = "amount", .text = "so much"},
    {.name = "line",
     .kind = OPTION_NUMBER,
     .many = true,
     .value = "N",
     .field = "lines.indexes",
     .min = 0,
     .max = 10000,
     .text = "what this line cost (from 0)"},
    TEXT("refund-no", "NUMBER", "refund_no", "the refund's number; made when absent"),
    {.name = "split",
     .kind = OPTION_SPEC,
     .many = true,
     .value = "TENDER_NO=AMOUNT",
     .field = "split",
     .spec = trade_split_spec,
     .text = "which tender gives back how much"},
};
const struct option_set trade_options_refund = SET(refund_options);

static const struct option adjust_options[] = {
    {.name = "line",
     .kind = OPTION_SPEC,
     .many = true,
     .required = true,
     .value = "N:amount=A|volume=V",
     .field = "lines",
     .spec = trade_actual_spec,
     .text = "so much of this line (from 0); N alone: nothing"},
};
const struct option_set trade_options_adjust = SET(adjust_options);

static const struct option list_options[] = {
    TEXT("user", "USER", "filter.user_id", "of this user"),
    TEXT("station", "STATION", "filter.station_id", "at this station"),
    TEXT("tenant", "TENANT", "filter.tenant_id", "of this group"),
    {.name = "state",
     .kind = OPTION_WORD,
     .value = "STATE",
     .field = "filter.state",
     .words = &txcenter__trade__v1__trade_state__descriptor,
     .text = "in this state"},
};
const struct option_set trade_options_list = SET(list_options);
