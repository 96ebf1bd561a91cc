// What activities with a quota, and limits, have taken of it: one lock for all of an order's.
#include "adapters/discount/discount.h"
#include "flows/trade/chosen.h"
#include "flows/trade/holding.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/view.h"

static bool has(const struct trade *trade) {
    return trade->row.quotas > 0;
}

// What is taken of which quotas, and whose they are.
struct quota {
    struct arena arena;
    Participant__Discount__V1__Buyer buyer;
    Participant__Discount__V1__QuotaLine **lines;
    size_t n;
};

static void quota_open(const struct trade *trade, struct quota *quota) {
    arena_init(&quota->arena, 2 * CHOSEN_ARENA_MAX); // the combination, and the facts
    const Participant__User__V1__User *user = chosen_buyer(trade, &quota->arena);
    participant__discount__v1__buyer__init(&quota->buyer);
    quota->buyer.user_id = view_text(trade->row.user_id);
    quota->buyer.card_no = view_text(user ? user->card_no : "");
    quota->buyer.plate_no = view_text(user ? user->plate_no : "");
    quota->n = chosen_quota(trade, &quota->arena, &quota->lines);
}

static void hold(struct saga_call *call, const struct adapter_effect *effect) {
    struct quota quota;
    Participant__Discount__V1__LockQuotaRequest request = PARTICIPANT__DISCOUNT__V1__LOCK_QUOTA_REQUEST__INIT;
    quota_open(effect_trade(call), &quota);
    request.buyer = &quota.buyer;
    request.lines = quota.lines;
    request.n_lines = quota.n;
    if (quota.n > 0)
        discount_lock(&effect_adapters(call)->discount, effect, &request, effect_done_bare, call);
    else
        effect_unreadable(call);
    arena_release(&quota.arena);
}

static void inquire(struct saga_call *call, const struct adapter_effect *effect) {
    adapter_inquire(&effect_adapters(call)->discount, &discount_inquire_method, &discount_lock_method, effect,
                    effect_done_bare, call);
}

static void let_go(struct saga_call *call, const struct adapter_effect *effect) {
    Participant__Discount__V1__UnlockQuotaRequest request = PARTICIPANT__DISCOUNT__V1__UNLOCK_QUOTA_REQUEST__INIT;
    discount_unlock(&effect_adapters(call)->discount, effect, &request, effect_done_bare, call);
}

static bool use(struct saga_call *call, const struct adapter_effect *effect, const char *held_key,
                adapter_done_fn *done) {
    struct quota quota;
    Participant__Discount__V1__UseQuotaRequest request = PARTICIPANT__DISCOUNT__V1__USE_QUOTA_REQUEST__INIT;
    quota_open(effect_trade(call), &quota);
    request.lock_key = view_text(held_key);
    request.buyer = &quota.buyer;
    request.lines = quota.lines;
    request.n_lines = quota.n;
    bool any = has(effect_trade(call));
    if (quota.n > 0)
        discount_use(&effect_adapters(call)->discount, effect, &request, done, call);
    else if (any)
        effect_unreadable(call);
    arena_release(&quota.arena);
    return any;
}

static struct holding_worth worth(const struct trade *trade) {
    return (struct holding_worth){.amount = chosen_quota_worth(trade)};
}

static void give_back(struct saga_call *call, const struct adapter_effect *effect) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Discount__V1__GiveBackQuotaRequest request = PARTICIPANT__DISCOUNT__V1__GIVE_BACK_QUOTA_REQUEST__INIT;
    request.refund_no = refund_of_call(call)->refund_no;
    request.n_lines = chosen_quota(effect_trade(call), &arena, &request.lines);
    if (request.n_lines > 0)
        discount_give_back(&effect_adapters(call)->discount, effect, &request, effect_done_bare, call);
    else
        effect_unreadable(call);
    arena_release(&arena);
}

const struct holding holding_quota = {
    .refused = ERR_BENEFIT_UNAVAILABLE,
    .has = has,
    .hold = hold,
    .inquire = inquire,
    .let_go = let_go,
    .use = use,
    .worth = worth,
    .give_back = give_back,
};
