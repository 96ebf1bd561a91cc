// Spend and get, and paid items: each gift, and each piece of an item, is a row that its owner may use.
#include "participant/activity/v1/activity.pb-c.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>

#define PB(name) Participant__Activity__V1__##name

static const struct store_column gift_columns[] = {
    STORE_COL_TEXT(sim_gift_row, gift_id),  STORE_COL_TEXT(sim_gift_row, name), STORE_COL_TEXT(sim_gift_row, user_id),
    STORE_COL_TEXT(sim_gift_row, trade_no), STORE_COL_I32(sim_gift_row, state),
};

const struct store_table sim_gifts_table = {
    .name = "sim_gift",
    .row_size = sizeof(struct sim_gift_row),
    .columns = gift_columns,
    .n_columns = STORE_COUNT(gift_columns),
    .n_key = 1,
    .since = 2,
};

static const struct store_column rule_columns[] = {
    STORE_COL_TEXT(sim_spend_rule_row, rule_id),
    STORE_COL_TEXT(sim_spend_rule_row, name),
    STORE_COL_TEXT(sim_spend_rule_row, currency),
    STORE_COL_I64(sim_spend_rule_row, least),
};

const struct store_table sim_spend_rules_table = {
    .name = "sim_spend_rule",
    .row_size = sizeof(struct sim_spend_rule_row),
    .columns = rule_columns,
    .n_columns = STORE_COUNT(rule_columns),
    .n_key = 1,
    .since = 2,
};

static void move(struct sim_call *call, struct sim_gift_row *gift, enum sim_gift_state state, const char *kind,
                 const char *detail) {
    static const char *const names[] = {
        [SIM_GIFT_GIVEN] = "GIVEN", [SIM_GIFT_USED] = "USED", [SIM_GIFT_TAKEN_BACK] = "TAKEN_BACK"};
    gift->state = (int32_t)state;
    sim_put(&call->change, gift);
    sim_post(
        &call->change,
        &(struct sim_posting){.kind = kind, .account = gift->gift_id, .state = names[state], .detail = str_c(detail)});
}

// ---- Giving ----------------------------------------------------------------------------------------------------

struct giving {
    struct sim_call *call;
    const char *kind, *user_id;
    const Txcenter__Type__V1__Money *paid; // of a trade that is evaluated
    size_t n;
    PB(Gift) gifts[SIM_LISTED_MAX], *pointers[SIM_LISTED_MAX];
    char *ids[SIM_LISTED_MAX];
};

static void give(struct giving *giving, const char *name) {
    struct sim_call *call = giving->call;
    char gift_id[SIM_LISTED_ID_MAX + 1];
    snprintf(gift_id, sizeof gift_id, "G%013" PRId64 "%06zu", sim_now(call->system->sim),
             sim_count(call->system, SIM_GIFTS) + 1);
    struct sim_gift_row *gift = sim_make(call->system, SIM_GIFTS, gift_id);
    SIM_COPY(gift->name, name);
    SIM_COPY(gift->user_id, giving->user_id);
    SIM_COPY(gift->trade_no, call->effect->trade_no);
    move(call, gift, SIM_GIFT_GIVEN, giving->kind, name);
    PB(Gift) *message = &giving->gifts[giving->n];
    *message = (PB(Gift))PARTICIPANT__ACTIVITY__V1__GIFT__INIT;
    message->gift_id = giving->ids[giving->n] = gift->gift_id;
    message->name = gift->name;
    giving->pointers[giving->n++] = message;
}

static void give_by_rule(void *ctx, void *row) {
    struct giving *giving = ctx;
    const struct sim_spend_rule_row *rule = row;
    if (giving->n < SIM_LISTED_MAX && giving->paid->minor_units >= rule->least &&
        strcmp(giving->paid->currency, rule->currency) == 0)
        give(giving, rule->name);
}

static void evaluate_trade(struct sim_call *call) {
    const PB(EvaluateTradeRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->paid, false, "paid") || !sim_wants_text(call, request->user_id, "user_id"))
        return;
    struct giving giving = {.call = call, .kind = "give", .user_id = request->user_id, .paid = request->paid};
    sim_each(call->system, SIM_SPEND_RULES, give_by_rule, &giving);
    sim_note_ids(call, giving.ids, giving.n);
    PB(EvaluateTradeResponse) response = PARTICIPANT__ACTIVITY__V1__EVALUATE_TRADE_RESPONSE__INIT;
    response.gifts = giving.pointers;
    response.n_gifts = giving.n;
    sim_answer(call, &response.base);
}

static void deliver_item(struct sim_call *call) {
    const PB(DeliverItemRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->user_id, "user_id") || !sim_wants_text(call, request->sku, "sku"))
        return;
    if (request->quantity < 1 || request->quantity > SIM_LISTED_MAX) {
        sim_invalid(call, "quantity", "must be 1 to 64");
        return;
    }
    struct giving giving = {.call = call, .kind = "deliver", .user_id = request->user_id};
    for (int64_t i = 0; i < request->quantity; i++)
        give(&giving, request->sku);
    sim_note_ids(call, giving.ids, giving.n);
    PB(DeliverItemResponse) response = PARTICIPANT__ACTIVITY__V1__DELIVER_ITEM_RESPONSE__INIT;
    response.items = giving.pointers;
    response.n_items = giving.n;
    sim_answer(call, &response.base);
}

// ---- Taking back -----------------------------------------------------------------------------------------------

static void take_back_one(struct sim_call *call, void *row) {
    struct sim_gift_row *gift = row;
    if (gift->state == SIM_GIFT_GIVEN)
        move(call, gift, SIM_GIFT_TAKEN_BACK, "take_back", gift->user_id);
}

static void withdraw_one(struct sim_call *call, void *row) {
    struct sim_gift_row *item = row;
    if (item->state == SIM_GIFT_GIVEN)
        move(call, item, SIM_GIFT_TAKEN_BACK, "withdraw", item->user_id);
}

struct used {
    size_t n;
    char *ids[SIM_LISTED_MAX];
};

static void cancel_evaluation(struct sim_call *call) {
    struct used used = {.n = 0};
    struct str rest = call->note;
    while (rest.len > 0 && used.n < SIM_LISTED_MAX) {
        char gift_id[SIM_LISTED_ID_MAX + 1];
        str_copy(str_cut(&rest, ','), gift_id, sizeof gift_id);
        struct sim_gift_row *gift = sim_find(call->system, SIM_GIFTS, gift_id);
        if (gift && gift->state == SIM_GIFT_USED)
            used.ids[used.n++] = gift->gift_id;
    }
    sim_noted(call, SIM_GIFTS, take_back_one);
    PB(CancelEvaluationResponse) response = PARTICIPANT__ACTIVITY__V1__CANCEL_EVALUATION_RESPONSE__INIT;
    response.used_ids = used.ids;
    response.n_used_ids = used.n;
    sim_answer(call, &response.base);
}

static void refuse_used(struct sim_call *call, void *row) {
    const struct sim_gift_row *gift = row;
    if (gift->state == SIM_GIFT_USED && !call->rejected)
        sim_reject(call, "ALREADY_USED", "%s %s is used", gift->name, gift->gift_id);
}

static void withdraw_item(struct sim_call *call) {
    sim_noted(call, SIM_GIFTS, refuse_used);
    if (!call->rejected)
        sim_noted(call, SIM_GIFTS, withdraw_one);
}

static void take_back(struct sim_call *call) {
    const PB(TakeBackRequest) *request = (const void *)call->request;
    struct used used = {.n = 0};
    for (size_t i = 0; i < request->n_gift_ids; i++) {
        const struct sim_gift_row *gift = sim_find(call->system, SIM_GIFTS, request->gift_ids[i]);
        if (!gift || strcmp(gift->trade_no, call->effect->trade_no) != 0) {
            sim_reject(call, "NOT_FOUND", "this trade has no gift %s", request->gift_ids[i]);
            return;
        }
    }
    for (size_t i = 0; i < request->n_gift_ids; i++) {
        struct sim_gift_row *gift = sim_find(call->system, SIM_GIFTS, request->gift_ids[i]);
        if (gift->state == SIM_GIFT_GIVEN)
            move(call, gift, SIM_GIFT_TAKEN_BACK, "take_back", request->refund_no);
        else
            used.ids[used.n++] = gift->gift_id;
    }
    PB(TakeBackResponse) response = PARTICIPANT__ACTIVITY__V1__TAKE_BACK_RESPONSE__INIT;
    response.used_ids = used.ids;
    response.n_used_ids = used.n;
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "EvaluateTrade", .op = SIM_ACTION, .apply = evaluate_trade},
    {.name = "CancelEvaluation", .op = SIM_COMPENSATE, .apply = cancel_evaluation, .undoes = "EvaluateTrade"},
    {.name = "DeliverItem", .op = SIM_ACTION, .apply = deliver_item},
    {.name = "WithdrawItem", .op = SIM_COMPENSATE, .apply = withdraw_item, .undoes = "DeliverItem"},
    {.name = "TakeBack", .op = SIM_ACTION, .apply = take_back},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_GIFTS] = {.table = &sim_gifts_table},
    [SIM_SPEND_RULES] = {.table = &sim_spend_rules_table},
};

const struct sim_system_def sim_activity_def = {
    .name = "activity",
    .service = &participant__activity__v1__activity_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
