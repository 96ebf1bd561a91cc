#include "flows/trade/tell.h"

#include "adapters/notify/notify.h"
#include "adapters/os/os.h"
#include "adapters/push/push.h"
#include "flows/trade/internal.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/view.h"

#include <stdio.h>

// What there is to tell: always the same of one payment, or one refund, whenever it is told (E11).
struct occasion {
    const char *event, *template_code, *words;
    const char *state; // of the order, by then
    const char *refund_no;
    int64_t amount, at_ms;
    int32_t entry;    // of the ledger: rises with each
    int64_t refunded; // of the trade, by then
};

// Of the trade, up to an entry of its ledger. Refunds end in another order than they begin.
static int64_t refunded_by(const struct trade *trade, int32_t entry) {
    const struct refund_row *refund;
    int64_t refunded = 0;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (refund->kind == REFUND_OF_TRADE && refund->entry > 0 && refund->entry <= entry)
            refunded += refund->amount;
    return refunded;
}

// False, and the call is answered, when there is nothing to tell.
static bool occasion_of(struct saga_call *call, struct occasion *ret_occasion) {
    const struct trade *trade = effect_trade(call);
    const struct trade_row *row = &trade->row;
    struct str input = saga_call_input(call); // a refund's number, or a purchase's, which is none
    const struct refund_row *refund = str_empty(input) ? NULL : trade_refund(trade, input);
    if (refund && refund_end_came_to_nothing(refund)) {
        saga_call_ok(call, STR_NONE);
        return false;
    }
    if (!refund) {
        *ret_occasion =
            (struct occasion){"PAID", "TRADE_PAID", "paid", "PAID", "", row->paid, row->paid_ms, row->paid_entry, 0};
        return true;
    }
    *ret_occasion =
        (struct occasion){"REFUNDED",           "TRADE_REFUNDED",  "refunded",
                          "PARTIALLY_REFUNDED", refund->refund_no, refund->amount,
                          refund->done_ms,      refund->entry,     .refunded = refunded_by(trade, refund->entry)};
    if (ret_occasion->refunded == row->paid)
        ret_occasion->state = "REFUNDED";
    if (ret_occasion->entry == 0) // a trade that cost nothing: behind its payment, and what that was adjusted to
        ret_occasion->entry = 1 + (row->paid == 0 ? row->adjust_entry : 0);
    return true;
}

static void amount_text(const struct trade *trade, int64_t minor, char out[MONEY_TEXT_MAX]) {
    struct money sum = {.minor = minor};
    memcpy(sum.currency, trade->row.currency, sizeof sum.currency);
    money_format(sum, out);
}

void tell_screens(struct saga_call *call) {
    static const char *const screens[] = {"MERCHANT_END", "BIG_SCREEN", "DUAL_SCREEN"};
    const struct trade *trade = effect_trade(call);
    Participant__Push__V1__PushRequest request = PARTICIPANT__PUSH__V1__PUSH_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char amount[MONEY_TEXT_MAX], text[TRADE_ID_MAX + MONEY_TEXT_MAX + 32];
    char *names[sizeof screens / sizeof screens[0]];
    struct occasion occasion;
    if (!occasion_of(call, &occasion))
        return;
    amount_text(trade, occasion.amount, amount);
    snprintf(text, sizeof text, "Order %s %s: %s", trade->row.order_no, occasion.words, amount);
    for (request.n_screens = 0; request.n_screens < sizeof names / sizeof names[0]; request.n_screens++)
        names[request.n_screens] = view_text(screens[request.n_screens]);
    request.screens = names;
    request.station_id = view_text(trade->row.station_id);
    request.terminal_id = view_text(trade->row.terminal_id);
    request.event = view_text(occasion.event);
    request.text = text;
    push_send(&effect_adapters(call)->push, &effect, &request, effect_done_bare, call);
}

void tell_user(struct saga_call *call) {
    const struct trade *trade = effect_trade(call);
    Participant__Notify__V1__SendRequest request = PARTICIPANT__NOTIFY__V1__SEND_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char amount[MONEY_TEXT_MAX];
    struct occasion occasion;
    if (!occasion_of(call, &occasion))
        return;
    amount_text(trade, occasion.amount, amount);
    const struct {
        const char *name, *value;
    } all[] = {{"order_no", trade->row.order_no},
               {"station_id", trade->row.station_id},
               {"amount", amount},
               {"refund_no", occasion.refund_no}};
    Participant__Notify__V1__Parameter parameters[sizeof all / sizeof all[0]], *pointers[sizeof all / sizeof all[0]];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!all[i].value[0])
            continue;
        size_t n = request.n_parameters++;
        pointers[n] = &parameters[n];
        participant__notify__v1__parameter__init(pointers[n]);
        pointers[n]->name = view_text(all[i].name);
        pointers[n]->value = view_text(all[i].value);
    }
    request.parameters = pointers;
    request.user_id = view_text(trade->row.user_id);
    request.template_code = view_text(occasion.template_code);
    notify_send(&effect_adapters(call)->notify, &effect, &request, effect_done_bare, call);
}

bool tell_os_applies(const struct trade *trade) {
    const struct trades_options *options = &trade->trades->options;
    bool itself = options->os_caller && strcmp(options->os_caller, trade->row.created_by) == 0;
    return !options->os_off && !itself;
}

void tell_os(struct saga_call *call) {
    const struct trade *trade = effect_trade(call);
    Participant__Os__V1__SyncOrderRequest request = PARTICIPANT__OS__V1__SYNC_ORDER_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    struct occasion occasion;
    struct arena arena;
    if (!occasion_of(call, &occasion))
        return;
    arena_init(&arena, 65536);
    Txcenter__Type__V1__Money payable = effect_money(trade, trade->row.payable);
    Txcenter__Type__V1__Money refunded = effect_money(trade, occasion.refunded);
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.version = occasion.entry;
    request.state = view_text(occasion.state);
    request.payable = &payable;
    request.refunded = &refunded;
    request.at = view_time(occasion.at_ms, &arena);
    os_sync(&effect_adapters(call)->os, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}
