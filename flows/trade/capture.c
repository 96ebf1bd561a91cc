#include "flows/trade/capture.h"

#include "adapters/card/card.h"
#include "flows/trade/effect.h"
#include "flows/trade/load.h"
#include "flows/trade/moved.h"
#include "flows/trade/payment.h"
#include "flows/trade/refund.h"
#include "flows/trade/retire.h"
#include "flows/trade/ruling.h"
#include "flows/trade/shortfall.h"
#include "flows/trade/view.h"

#include <stdio.h>

enum { STEP_CAPTURE = 10, INPUT_MAX = 16 };

// What is not taken at all is released, under the key of its freeze.
static void capture(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    const struct tender_row *tender = payment_card(trade, saga_call_input(call), saga_call_leg(call));
    Participant__Card__V1__ConfirmCardRequest request = PARTICIPANT__CARD__V1__CONFIRM_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, tender->amount);
    struct adapter_effect effect = effect_of(call);
    char freeze_key[SAGA_KEY_MAX];
    if (tender->amount == 0) {
        payment_release(call);
        return;
    }
    payment_freeze_key(trade, tender->attempt_no, saga_call_leg(call), freeze_key);
    request.tender_no = view_text(tender->tender_no);
    request.freeze_key = freeze_key;
    request.amount = &amount;
    const struct effect_expected expected = {moved_all, tender->amount,
                                             "the card took another amount than it was asked to", effect_done};
    card_confirm(&effect_adapters(call)->card, &effect, &request, effect_done_as_expected,
                 effect_expecting(call, &expected));
}

static void captured(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct tender_row *tender = payment_card(trade, saga_turn_input(turn), saga_turn_leg(turn));
    struct arena arena;
    (void)op;
    if (outcome != OUTCOME_OK)
        return;
    arena_init(&arena, 65536);
    const Participant__Card__V1__ConfirmCardResponse *response =
        tender->amount > 0 ? effect_answer(answer, &participant__card__v1__confirm_card_response__descriptor, &arena)
                           : NULL;
    const Participant__Card__V1__CardAmount *taken = response ? response->taken : NULL;
    trade_change(trade, tender);
    if (taken || tender->amount == 0) {
        tender->principal = taken && taken->principal ? taken->principal->minor_units : 0;
        tender->bonus = taken && taken->bonus ? taken->bonus->minor_units : 0;
    }
    arena_release(&arena);
}

static void add_shortfall(struct saga_turn *turn, const struct tender_row *tender, const char *reason) {
    shortfall_add(turn, &(struct shortfall){SHORTFALL_CARD, reason, tender->tender_no, tender->amount, 0});
}

// The trade is paid all the same.
static void note_untaken(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct str input = saga_turn_input(turn);
    unsigned cards = payment_cards(&trade->subject, input);
    for (unsigned i = 0; i < cards; i++) {
        const struct tender_row *tender = payment_card(trade, input, (uint8_t)i);
        enum saga_happened happened = saga_turn_happened(turn, STEP_CAPTURE, (uint8_t)i);
        if (happened == SAGA_HAPPENED || tender->amount == 0)
            continue;
        const char *reason = happened == SAGA_HAPPENED_NOT ? "NOT_TAKEN" : "NOT_KNOWN_TO_BE_TAKEN";
        add_shortfall(turn, tender, reason);
    }
}

static struct saga_verdict ended(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX];
    trade_edit(trade)->capturing = 0;
    if (saga_turn_saga(turn)->status == SAGA_TERMINATED)
        note_untaken(turn);
    trade_purchase_gid(trade, gid);
    saga_turn_poke(turn, str_c(gid));
    refund_poke_all(turn);
    return saga_done();
}

static bool allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_CAPTURE,
         .no_skip = "the card's part would not be paid: see to it there, and resolve the step"},
        {.step_id = 0},
    };
    return ruling_allowed(rules, turn, ruling, error);
}

static const struct saga_step steps[] = {
    {.id = STEP_CAPTURE,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "capture",
     .participant = "card",
     .text = "Takes of each card what was used",
     .legs = payment_cards,
     .when = "each card",
     .run = capture,
     .answered = captured,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
};

const struct saga_flow capture_flow = {
    .name = "trade.capture",
    .version = 1,
    .text = "Takes what an authorised order has used of each card",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .on_end = ended,
    .allows = allows,
    .attach = load_attach,
    .estate = &retire_estate,
};

void capture_gid(const struct trade *trade, char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/capture/%d", trade->row.trade_no, trade->row.attempt_no);
}

static bool applies(const struct trade *trade, char ret_input[INPUT_MAX]) {
    snprintf(ret_input, INPUT_MAX, "%d", trade->row.attempt_no);
    bool attempted = trade->row.authorised > 0 || trade->row.payable > 0; // else its attempts have all failed
    return attempted && payment_cards(&trade->subject, str_c(ret_input)) > 0;
}

bool capture_can_start(struct saga_turn *turn, struct error *error) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX], input[INPUT_MAX];
    capture_gid(trade, gid);
    return !applies(trade, input) || saga_turn_can_start(turn, str_c(gid), error);
}

// Nobody will take it: of what a card still has frozen its own time is over some day.
static void note_unstarted(struct saga_turn *turn, struct str input, const char *why) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    unsigned cards = payment_cards(&trade->subject, input);
    for (unsigned i = 0; i < cards; i++) {
        const struct tender_row *tender = payment_card(trade, input, (uint8_t)i);
        if (tender->amount > 0)
            add_shortfall(turn, tender, "NOT_TAKEN");
    }
    trades_alert(trade->trades, "what a card is to pay can't be taken", trade, why);
}

void capture_start(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX], input[INPUT_MAX];
    struct error error = {0};
    if (!applies(trade, input))
        return;
    capture_gid(trade, gid);
    const struct saga_start start = {.flow = capture_flow.name, .gid = str_c(gid), .input = str_c(input)};
    trade_edit(trade)->capturing = 1;
    if (!saga_turn_start(turn, &start, &error)) {
        trade->row.capturing = 0;
        note_unstarted(turn, str_c(input), error.text);
    }
}
