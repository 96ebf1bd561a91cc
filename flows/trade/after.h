// What follows payment and a refund takes back, or keeps from coming (AFTER_TABLE: points awarded, coupons issued,
// growth, records, gifts, invoices). The purchase gives them, each by a step of its own and under that step's key; the
// refund takes them back, under the same key as a compensation does, or by an action of its own that names the key. The
// key holds the leg's generation, which the refund can't see (it is another saga's): so the trade counts its own, by
// the same rule: one more after each definite no.
#ifndef TXC_FLOWS_TRADE_AFTER_H
#define TXC_FLOWS_TRADE_AFTER_H

#include "flows/trade/effect.h"
#include "flows/trade/view.h"

// ---- Each of them ---------------------------------------------------------------------------------------------------

// A call of its system, which ends the step's call.
typedef void follower_call_fn(struct saga_call *call, enum after_benefit benefit);

// One of them, as its file exports it.
struct follower {
    bool (*applies)(const struct trade *trade); // NULL: to every trade
    follower_call_fn *give;                     // ends in effect_done_unless_cancelled
    const struct adapter_method *answers;       // whose answer says that it came: a resolve brings one
    bool (*fits)(struct saga_turn *turn, const ProtobufCMessage *answer); // as ruling_rule.fits
    // Notes what came. False: the answer says nothing, so that none did. NULL: nothing to note.
    bool (*given)(struct trade *trade, struct str answer);

    // ---- Taken back

    bool (*returns)(const struct trade *trade); // whether a refund looks after it; NULL: each does
    // Under the key of what gave it (after_undo_effect()): it has not come, and never will. What goes back as a whole
    // is taken back by it, whether it has come or not.
    follower_call_fn *cancel;
    // Notes in the refund what was taken back, or could not be. NULL: nothing to note.
    void (*taken)(struct saga_turn *turn, struct str answer);

    // ---- Taken back in parts, once it has come; else NULL

    bool (*takes)(const struct trade *trade, const struct refund_row *refund); // whether the refund takes any of it
    bool unknown;                                                              // `takes` can't say before it has come
    follower_call_fn *take;                                                    // the refund's part of it
    // An operator says that it was taken, or skips that. NULL: nothing to note.
    void (*ruled)(struct saga_turn *turn, bool skipped);
};

// The rows, by enum after_benefit.
struct follower_row {
    const struct follower *is;
    uint16_t give_step, take_step; // of the purchase, of a refund
};
extern const struct follower_row follower_rows[AFTERS];
#define X(NAME, name, ...) extern const struct follower follower_##name;
AFTER_TABLE(X)
#undef X

// ---- The trade's ----------------------------------------------------------------------------------------------------

// The trade is paid: all of them that it has are to come.
void after_paid(struct trade *trade);

// Everything was refunded: what has not come yet never will. Durable before anything is taken back.
void after_refunded(struct trade *trade);

// That the purchase's saga, whose turn it is, gives none of them any more: those that have not come by now never will,
// but for those of which nobody knows.
void after_over(struct saga_turn *turn);

// Whether the step that gives it may be skipped: of what goes back in parts it must be known that it has not come, as
// it counts as never to come then. (What goes back as a whole is taken back whether it came or not.)
bool after_may_skip(struct saga_turn *turn, enum after_benefit benefit, struct error *error);

// The benefit of a step of the purchase, of a refund; AFTERS when it gives, takes back none.
enum after_benefit after_of_step(uint16_t step_id);
enum after_benefit after_of_take_step(uint16_t step_id);

// ---- For the steps that give them -----------------------------------------------------------------------------------

#define X(NAME, name, ...) saga_legs_fn after_applies_##name;
AFTER_TABLE(X)
#undef X

// Asks for it, unless it is never to come.
saga_call_fn after_give;

// Who has paid how much, and where: what each of these systems goes by. `money` is the caller's.
#define AFTER_PAYMENT(request, trade, money)                                                                           \
    do {                                                                                                               \
        *(money) = effect_money(trade, (trade)->row.paid);                                                             \
        (request)->user_id = view_text((trade)->row.user_id);                                                          \
        (request)->station_id = view_text((trade)->row.station_id);                                                    \
        (request)->paid = (money);                                                                                     \
    } while (0)

// What came of it: given, unless there is no answer, which means that the taking back came first
// (effect_done_unless_cancelled). Refunds that wait for it look again.
saga_answered_fn after_answered;

// Skipped: should it not have come by now, it counts as never to come. Refunds that wait for it look again.
saga_ruled_fn after_ruled;

// ---- For the steps that take them back ------------------------------------------------------------------------------

// The key under which the purchase's step gives it.
void after_key(const struct trade *trade, enum after_benefit benefit, char out[SAGA_KEY_MAX]);

// The effect of that step's compensation: under its key, which is kept in `key`.
struct adapter_effect after_undo_effect(const struct saga_call *call, enum after_benefit benefit,
                                        char key[SAGA_KEY_MAX]);

// What is spent already stays with who has it: on record, and an operator's to settle. `what` as in shortfall.h.
void after_spent(struct saga_turn *turn, const char *what, const char *text, int64_t points);
// Each of these is one of its own, up to a bound: an answer may name any number. Returns how many.
int32_t after_spent_each(struct saga_turn *turn, const char *what, char *const *ids, size_t n);

#endif
