// What may follow a paid order later, and is not in AFTER_TABLE (after.h): settlement's record. What is only told is in
// tell.c.
#include "flows/trade/purchase_step.h"

#include "adapters/settlement/settlement.h"
#include "flows/trade/bearers.h"
#include "flows/trade/books.h"
#include "flows/trade/chosen.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/tell.h"
#include "flows/trade/view.h"

unsigned purchase_has_user(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_has_user(trade_of_const(subject));
}

void purchase_record_settlement(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, 2 * CHOSEN_ARENA_MAX);
    Participant__Settlement__V1__RecordTradeRequest request = PARTICIPANT__SETTLEMENT__V1__RECORD_TRADE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    books_bought(trade, &arena, &request.postings, &request.n_postings);
    bearers_of(trade, NULL, &arena, &request.borne, &request.n_borne);
    if (request.n_postings == 0) {
        saga_call_ok(call, STR_NONE); // nothing was bought
        arena_release(&arena);
        return;
    }
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.shift_id = view_text(trade->row.shift_id);
    request.business_date = view_text(trade->row.business_date);
    request.paid_at = view_time(trade->row.paid_ms, &arena);
    settlement_record(&effect_adapters(call)->settlement, &effect, &request, effect_done, call);
    arena_release(&arena);
}

void purchase_recorded(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct trade_row *row = trade_edit(trade_of(saga_turn_subject(turn)));
    struct arena arena;
    (void)op;
    arena_init(&arena, 65536);
    const Participant__Settlement__V1__RecordTradeResponse *response =
        effect_answer(answer, &participant__settlement__v1__record_trade_response__descriptor, &arena);
    if (outcome == OUTCOME_OK && response) {
        str_fit(str_c(response->shift_id), row->posted_shift, sizeof row->posted_shift);
        str_fit(str_c(response->business_date), row->posted_date, sizeof row->posted_date);
    }
    arena_release(&arena);
}

void purchase_record_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        purchase_end_missed(turn, STEP_RECORD_SETTLEMENT, MISSED_SETTLEMENT);
}

// ---- Who is told --------------------------------------------------------------------------------------------------

unsigned purchase_tells_os(const struct saga_subject *subject, struct str input) {
    (void)input;
    return tell_os_applies(trade_of_const(subject));
}
