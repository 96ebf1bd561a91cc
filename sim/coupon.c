#include "sim/coupon.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PB(name) Participant__Coupon__V1__##name

enum { LISTED_MAX = 200 };

static const struct store_column coupon_columns[] = {
    STORE_COL_TEXT(sim_coupon_row, coupon_id),   STORE_COL_TEXT(sim_coupon_row, user_id),
    STORE_COL_TEXT(sim_coupon_row, template_id), STORE_COL_I32(sim_coupon_row, state),
    STORE_COL_I64(sim_coupon_row, expires_ms),   STORE_COL_TEXT(sim_coupon_row, held_by),
    STORE_COL_TEXT(sim_coupon_row, trade_no),
};

const struct store_table sim_coupons_table = {
    .name = "sim_coupon",
    .row_size = sizeof(struct sim_coupon_row),
    .columns = coupon_columns,
    .n_columns = STORE_COUNT(coupon_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column template_columns[] = {
    STORE_COL_TEXT(sim_template_row, template_id),
    STORE_COL_TEXT(sim_template_row, name),
    STORE_COL_I32(sim_template_row, kind),
    STORE_COL_I32(sim_template_row, minimum_base),
    STORE_COL_I32(sim_template_row, percent_off_bp),
    STORE_COL_TEXT(sim_template_row, currency),
    STORE_COL_I64(sim_template_row, amount_off),
    STORE_COL_I64(sim_template_row, cap),
    STORE_COL_I64(sim_template_row, minimum_spend),
    STORE_COL_TEXT(sim_template_row, condition_scope),
    STORE_COL_TEXT(sim_template_row, benefit_scope),
    STORE_COL_TEXT(sim_template_row, conflicts_with),
    STORE_COL_TEXT(sim_template_row, exclusive_group),
};

const struct store_table sim_templates_table = {
    .name = "sim_template",
    .row_size = sizeof(struct sim_template_row),
    .columns = template_columns,
    .n_columns = STORE_COUNT(template_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column rule_columns[] = {
    STORE_COL_TEXT(sim_issue_rule_row, rule_id),   STORE_COL_TEXT(sim_issue_rule_row, template_id),
    STORE_COL_TEXT(sim_issue_rule_row, currency),  STORE_COL_I64(sim_issue_rule_row, least),
    STORE_COL_I32(sim_issue_rule_row, valid_days),
};

const struct store_table sim_issue_rules_table = {
    .name = "sim_issue_rule",
    .row_size = sizeof(struct sim_issue_rule_row),
    .columns = rule_columns,
    .n_columns = STORE_COUNT(rule_columns),
    .n_key = 1,
    .since = 1,
};

static const char *state_name(int32_t state) {
    static const char *const names[] = {
        [SIM_COUPON_USABLE] = "USABLE",   [SIM_COUPON_LOCKED] = "LOCKED",       [SIM_COUPON_USED] = "USED",
        [SIM_COUPON_EXPIRED] = "EXPIRED", [SIM_COUPON_WITHDRAWN] = "WITHDRAWN",
    };
    return names[state];
}

// ---- A user's coupons ------------------------------------------------------------------------------------------

struct wallet {
    struct map_node node;
    struct sim_coupon_row **coupons;
    size_t n, cap;
    sim_name user_id;
};

struct coupon_state {
    struct map wallets; // by user
};

static struct wallet *wallet_of(struct sim_system *system, const char *user_id) {
    struct coupon_state *state = system->state;
    struct map_node *node = map_find(&state->wallets, str_c(user_id));
    return node ? CONTAINER_OF(node, struct wallet, node) : NULL;
}

static void coupon_made(struct sim_system *system, void *row) {
    struct sim_coupon_row *coupon = row;
    struct coupon_state *state = system->state;
    struct wallet *wallet = wallet_of(system, coupon->user_id);
    if (!wallet) {
        if (!(wallet = calloc(1, sizeof *wallet)))
            abort();
        SIM_COPY(wallet->user_id, coupon->user_id);
        map_insert(&state->wallets, &wallet->node, str_c(wallet->user_id));
    }
    if (wallet->n == wallet->cap) {
        wallet->cap = wallet->cap ? wallet->cap * 2 : 4;
        wallet->coupons = realloc(wallet->coupons, wallet->cap * sizeof(struct sim_coupon_row *));
        if (!wallet->coupons)
            abort();
    }
    wallet->coupons[wallet->n++] = coupon;
}

static void release_wallet(void *ctx, struct map_node *node) {
    (void)ctx;
    struct wallet *wallet = CONTAINER_OF(node, struct wallet, node);
    free(wallet->coupons);
    free(wallet);
}

static void release(struct sim_system *system) {
    struct coupon_state *state = system->state;
    map_each(&state->wallets, release_wallet, NULL);
    map_release(&state->wallets);
}

static bool usable(const struct sim_coupon_row *coupon, int64_t now_ms) {
    return coupon->state == SIM_COUPON_USABLE && (coupon->expires_ms == 0 || now_ms < coupon->expires_ms);
}

// ---- Listing ---------------------------------------------------------------------------------------------------

static bool in_scope(const char *scope, const PB(ListUsableCouponsRequest) * request) {
    struct str rest = str_c(scope);
    if (rest.len == 0)
        return true;
    while (rest.len > 0) {
        struct str item = str_cut(&rest, ',');
        for (size_t i = 0; i < request->n_lines; i++)
            if (str_eq_c(item, request->lines[i]->kind) || str_eq_c(item, request->lines[i]->code))
                return true;
    }
    return false;
}

static PB(Coupon) *
    coupon_message(struct sim_call *call, const struct sim_coupon_row *row, const struct sim_template_row *rule) {
    PB(Coupon) *coupon = (void *)rpc_message_new(&participant__coupon__v1__coupon__descriptor, call->arena);
    Google__Protobuf__Timestamp *expires =
        (void *)rpc_message_new(&google__protobuf__timestamp__descriptor, call->arena);
    if (!coupon || !expires)
        return NULL;
    coupon->coupon_id = rpc_text(row->coupon_id);
    coupon->name = rpc_text(rule->name);
    coupon->kind = (PB(CouponKind))rule->kind;
    coupon->percent_off_bp = rule->percent_off_bp;
    coupon->minimum_base = (PB(MinimumBase))rule->minimum_base;
    coupon->exclusive_group = rpc_text(rule->exclusive_group);
    if (rule->amount_off > 0)
        coupon->amount_off = sim_money(call, rule->currency, rule->amount_off);
    if (rule->cap > 0)
        coupon->cap = sim_money(call, rule->currency, rule->cap);
    if (rule->minimum_spend > 0)
        coupon->minimum_spend = sim_money(call, rule->currency, rule->minimum_spend);
    coupon->condition_scope = sim_list_split(call, rule->condition_scope, &coupon->n_condition_scope);
    coupon->benefit_scope = sim_list_split(call, rule->benefit_scope, &coupon->n_benefit_scope);
    coupon->conflicts_with = sim_list_split(call, rule->conflicts_with, &coupon->n_conflicts_with);
    expires->seconds = row->expires_ms / 1000;
    expires->nanos = (int32_t)(row->expires_ms % 1000) * 1000000;
    if (row->expires_ms > 0)
        coupon->expires_at = expires;
    return coupon;
}

static const struct sim_template_row *rule_of(struct sim_system *system, const struct sim_coupon_row *coupon) {
    const struct sim_template_row *rule = sim_find(system, SIM_TEMPLATES, coupon->template_id);
    assert(rule); // came in with the coupon
    return rule;
}

static void list_usable(struct sim_call *call) {
    const PB(ListUsableCouponsRequest) *request = (const void *)call->request;
    const struct wallet *wallet = wallet_of(call->system, request->user_id);
    PB(ListUsableCouponsResponse) response = PARTICIPANT__COUPON__V1__LIST_USABLE_COUPONS_RESPONSE__INIT;
    PB(Coupon) * coupons[LISTED_MAX];
    response.coupons = coupons;
    int64_t now_ms = sim_now(call->system->sim);
    for (size_t i = 0; wallet && i < wallet->n && response.n_coupons < LISTED_MAX; i++) {
        const struct sim_coupon_row *coupon = wallet->coupons[i];
        const struct sim_template_row *rule = rule_of(call->system, coupon);
        if (!usable(coupon, now_ms) || !in_scope(rule->condition_scope, request))
            continue;
        coupons[response.n_coupons] = coupon_message(call, coupon, rule);
        if (!coupons[response.n_coupons++]) {
            error_set(&call->invalid, ERR_OVERLOADED, NULL);
            return;
        }
    }
    sim_answer(call, &response.base);
}

// ---- Changing --------------------------------------------------------------------------------------------------

static void move(struct sim_call *call, struct sim_coupon_row *coupon, enum sim_coupon_state state, const char *kind,
                 const char *detail) {
    bool held = state == SIM_COUPON_LOCKED || state == SIM_COUPON_USED;
    coupon->state = (int32_t)state;
    SIM_COPY(coupon->held_by, held ? call->effect->key : "");
    SIM_COPY(coupon->trade_no, held ? call->effect->trade_no : "");
    sim_put(&call->change, coupon);
    sim_post(&call->change, &(struct sim_posting){.kind = kind,
                                                  .account = coupon->coupon_id,
                                                  .state = state_name((int32_t)state),
                                                  .detail = str_c(detail)});
}

// All that are named, each once; false after a rejection.
static bool find_all(struct sim_call *call, char **ids, size_t n, struct sim_coupon_row **ret_coupons) {
    if (n == 0)
        sim_invalid(call, "coupon_ids", "is empty");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            if (strcmp(ids[i], ids[k]) == 0)
                sim_invalid(call, "coupon_ids", "names a coupon twice");
        ret_coupons[i] = sim_find(call->system, SIM_COUPONS, ids[i]);
        if (!ret_coupons[i] && !call->rejected)
            sim_reject(call, "COUPON_UNAVAILABLE", "there is no coupon %s", ids[i]);
    }
    return !call->rejected && !error_is(&call->invalid);
}

static void unavailable(struct sim_call *call, const struct sim_coupon_row *coupon) {
    sim_reject(call, "COUPON_UNAVAILABLE", "coupon %s is %s", coupon->coupon_id,
               coupon->state == SIM_COUPON_USABLE ? "not this user's, or expired" : state_name(coupon->state));
}

static void lock_coupons(struct sim_call *call) {
    const PB(LockCouponsRequest) *request = (const void *)call->request;
    struct sim_coupon_row *coupons[SIM_LISTED_MAX];
    if (!find_all(call, request->coupon_ids, request->n_coupon_ids, coupons))
        return;
    int64_t now_ms = sim_now(call->system->sim);
    for (size_t i = 0; i < request->n_coupon_ids; i++)
        if (!usable(coupons[i], now_ms) || strcmp(coupons[i]->user_id, request->user_id) != 0) {
            unavailable(call, coupons[i]);
            return;
        }
    for (size_t i = 0; i < request->n_coupon_ids; i++)
        move(call, coupons[i], SIM_COUPON_LOCKED, "lock", request->user_id);
    sim_note_ids(call, request->coupon_ids, request->n_coupon_ids);
}

static void unlock_one(struct sim_call *call, void *row) {
    struct sim_coupon_row *coupon = row;
    if (coupon->state == SIM_COUPON_LOCKED && strcmp(coupon->held_by, call->effect->key) == 0)
        move(call, coupon, SIM_COUPON_USABLE, "unlock", coupon->user_id);
}

static void unlock_coupons(struct sim_call *call) {
    sim_noted(call, SIM_COUPONS, unlock_one);
}

// What is still locked under the key.
static void free_others(struct sim_call *call, const char *user_id, const char *lock_key) {
    const struct wallet *wallet = wallet_of(call->system, user_id);
    for (size_t i = 0; wallet && i < wallet->n; i++) {
        struct sim_coupon_row *coupon = wallet->coupons[i];
        if (coupon->state == SIM_COUPON_LOCKED && strcmp(coupon->held_by, lock_key) == 0)
            move(call, coupon, SIM_COUPON_USABLE, "unlock", coupon->user_id);
    }
}

// With a lock_key those that it locked, without one whatever is usable.
static void use_coupons(struct sim_call *call) {
    const PB(UseCouponsRequest) *request = (const void *)call->request;
    struct sim_coupon_row *coupons[SIM_LISTED_MAX];
    if (!find_all(call, request->coupon_ids, request->n_coupon_ids, coupons))
        return;
    int64_t now_ms = sim_now(call->system->sim);
    for (size_t i = 0; i < request->n_coupon_ids; i++) {
        const struct sim_coupon_row *coupon = coupons[i];
        bool ours = *request->lock_key
                        ? coupon->state == SIM_COUPON_LOCKED && strcmp(coupon->held_by, request->lock_key) == 0
                        : usable(coupon, now_ms);
        if (!ours) {
            unavailable(call, coupon);
            return;
        }
    }
    for (size_t i = 0; i < request->n_coupon_ids; i++)
        move(call, coupons[i], SIM_COUPON_USED, "use", "");
    if (*request->lock_key)
        free_others(call, coupons[0]->user_id, request->lock_key);
}

static void give_back_coupons(struct sim_call *call) {
    const PB(GiveBackCouponsRequest) *request = (const void *)call->request;
    struct sim_coupon_row *coupons[SIM_LISTED_MAX];
    if (!find_all(call, request->coupon_ids, request->n_coupon_ids, coupons))
        return;
    for (size_t i = 0; i < request->n_coupon_ids; i++)
        if (coupons[i]->state != SIM_COUPON_USED || strcmp(coupons[i]->trade_no, call->effect->trade_no) != 0) {
            sim_reject(call, "NOT_USED", "coupon %s was not used by this trade", coupons[i]->coupon_id);
            return;
        }
    PB(GiveBackCouponsResponse) response = PARTICIPANT__COUPON__V1__GIVE_BACK_COUPONS_RESPONSE__INIT;
    char *expired[SIM_LISTED_MAX];
    response.expired_ids = expired;
    int64_t now_ms = sim_now(call->system->sim);
    for (size_t i = 0; i < request->n_coupon_ids; i++) {
        bool gone = coupons[i]->expires_ms > 0 && now_ms >= coupons[i]->expires_ms;
        move(call, coupons[i], gone ? SIM_COUPON_EXPIRED : SIM_COUPON_USABLE, "give_back", request->refund_no);
        if (gone)
            expired[response.n_expired_ids++] = coupons[i]->coupon_id;
    }
    sim_answer(call, &response.base);
}

// ---- Issuing ---------------------------------------------------------------------------------------------------

struct issue {
    struct sim_call *call;
    const PB(IssueCouponsRequest) * request;
    size_t n;
    char *ids[SIM_LISTED_MAX];
};

static void issue_by_rule(void *ctx, void *row) {
    struct issue *issue = ctx;
    const struct sim_issue_rule_row *rule = row;
    const Txcenter__Type__V1__Money *paid = issue->request->paid;
    if (issue->n == SIM_LISTED_MAX || paid->minor_units < rule->least || strcmp(paid->currency, rule->currency) != 0)
        return;
    struct sim_call *call = issue->call;
    char id[sizeof((struct sim_coupon_row *)NULL)->coupon_id];
    int64_t now_ms = sim_now(call->system->sim);
    snprintf(id, sizeof id, "I%013" PRId64 "%06zu", now_ms, sim_count(call->system, SIM_COUPONS) + 1);
    struct sim_coupon_row *coupon = sim_make(call->system, SIM_COUPONS, id);
    SIM_COPY(coupon->user_id, issue->request->user_id);
    SIM_COPY(coupon->template_id, rule->template_id);
    coupon->expires_ms = rule->valid_days > 0 ? now_ms + rule->valid_days * INT64_C(86400000) : 0;
    move(call, coupon, SIM_COUPON_USABLE, "issue", rule->rule_id);
    issue->ids[issue->n++] = coupon->coupon_id;
}

static void issue_coupons(struct sim_call *call) {
    const PB(IssueCouponsRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->paid, false, "paid") || !sim_wants_text(call, request->user_id, "user_id"))
        return;
    struct issue issue = {.call = call, .request = request};
    sim_each(call->system, SIM_ISSUE_RULES, issue_by_rule, &issue);
    sim_note_ids(call, issue.ids, issue.n);
    PB(IssueCouponsResponse) response = PARTICIPANT__COUPON__V1__ISSUE_COUPONS_RESPONSE__INIT;
    response.coupon_ids = issue.ids;
    response.n_coupon_ids = issue.n;
    sim_answer(call, &response.base);
}

static void withdraw_one(struct sim_call *call, void *row) {
    struct sim_coupon_row *coupon = row;
    if (coupon->state == SIM_COUPON_USABLE)
        move(call, coupon, SIM_COUPON_WITHDRAWN, "withdraw", coupon->user_id);
}

static void withdraw_coupons(struct sim_call *call) {
    sim_noted(call, SIM_COUPONS, withdraw_one);
    PB(WithdrawCouponsResponse) response = PARTICIPANT__COUPON__V1__WITHDRAW_COUPONS_RESPONSE__INIT;
    char *spent[SIM_LISTED_MAX];
    response.spent_ids = spent;
    struct str rest = call->note;
    while (rest.len > 0 && response.n_spent_ids < SIM_LISTED_MAX) {
        sim_id id;
        if (!str_copy(str_cut(&rest, ','), id, sizeof id))
            continue;
        struct sim_coupon_row *coupon = sim_find(call->system, SIM_COUPONS, id);
        if (coupon && (coupon->state == SIM_COUPON_LOCKED || coupon->state == SIM_COUPON_USED))
            spent[response.n_spent_ids++] = coupon->coupon_id;
    }
    sim_answer(call, &response.base);
}

// ---- Rules -----------------------------------------------------------------------------------------------------

static int64_t minor_of(const Txcenter__Type__V1__Money *money, struct sim_template_row *row) {
    if (!money)
        return 0;
    SIM_COPY(row->currency, money->currency);
    return money->minor_units;
}

bool sim_template_from(const PB(Coupon) * coupon, struct sim_template_row *row, struct error *error) {
    *error = (struct error){0};
    *row = (struct sim_template_row){
        .kind = (int32_t)coupon->kind,
        .minimum_base = (int32_t)coupon->minimum_base,
        .percent_off_bp = coupon->percent_off_bp,
    };
    SIM_COPY(row->name, coupon->name);
    SIM_COPY(row->exclusive_group, coupon->exclusive_group);
    row->amount_off = minor_of(coupon->amount_off, row);
    row->cap = minor_of(coupon->cap, row);
    row->minimum_spend = minor_of(coupon->minimum_spend, row);
    if (row->amount_off < 0 || row->cap < 0 || row->minimum_spend < 0)
        error_field(error, "coupon", "has a negative amount");
    bool percent = coupon->kind == PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_PERCENT_OFF;
    bool amount = coupon->kind == PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_AMOUNT_OFF;
    if (amount ? row->amount_off == 0 : !percent || row->percent_off_bp < 1 || row->percent_off_bp > 10000)
        error_field(error, "coupon.kind", "must be AMOUNT_OFF with amount_off, or PERCENT_OFF with 1 to 10000");
    sim_list_join(coupon->condition_scope, coupon->n_condition_scope, row->condition_scope, sizeof row->condition_scope,
                  "coupon.condition_scope", error);
    sim_list_join(coupon->benefit_scope, coupon->n_benefit_scope, row->benefit_scope, sizeof row->benefit_scope,
                  "coupon.benefit_scope", error);
    sim_list_join(coupon->conflicts_with, coupon->n_conflicts_with, row->conflicts_with, sizeof row->conflicts_with,
                  "coupon.conflicts_with", error);
    return !error_is(error);
}

static const struct sim_method methods[] = {
    {.name = "ListUsableCoupons", .op = SIM_READ, .apply = list_usable},
    {.name = "LockCoupons", .op = SIM_ACTION, .apply = lock_coupons},
    {.name = "UnlockCoupons", .op = SIM_COMPENSATE, .apply = unlock_coupons, .undoes = "LockCoupons"},
    {.name = "UseCoupons", .op = SIM_ACTION, .apply = use_coupons},
    {.name = "GiveBackCoupons", .op = SIM_ACTION, .apply = give_back_coupons},
    {.name = "IssueCoupons", .op = SIM_ACTION, .apply = issue_coupons},
    {.name = "WithdrawCoupons", .op = SIM_COMPENSATE, .apply = withdraw_coupons, .undoes = "IssueCoupons"},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_COUPONS] = {.table = &sim_coupons_table, .made = coupon_made},
    [SIM_TEMPLATES] = {.table = &sim_templates_table},
    [SIM_ISSUE_RULES] = {.table = &sim_issue_rules_table},
};

const struct sim_system_def sim_coupon_def = {
    .name = "coupon",
    .service = &participant__coupon__v1__coupon_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
    .state_size = sizeof(struct coupon_state),
    .release = release,
};
