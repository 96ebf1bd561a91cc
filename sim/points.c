#include "participant/points/v1/points.pb-c.h"
#include "sim/world.h"

#include <inttypes.h>

#define PB(name) Participant__Points__V1__##name

// The rules of this world: 100 points are worth 1.00, spent in whole steps; one point is earned for each whole unit.
enum { STEP_POINTS = 100, STEP_VALUE = 100, MAX_SHARE_BP = 5000, MAX_POINTS = 0, POINTS_MAX = 1000000000 };

static const struct store_column account_columns[] = {
    STORE_COL_TEXT(sim_points_row, user_id),
    STORE_COL_I64(sim_points_row, available),
    STORE_COL_I64(sim_points_row, frozen),
};

const struct store_table sim_points_table = {
    .name = "sim_points",
    .row_size = sizeof(struct sim_points_row),
    .columns = account_columns,
    .n_columns = STORE_COUNT(account_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column hold_columns[] = {
    STORE_COL_TEXT(sim_point_hold_row, hold_key),
    STORE_COL_TEXT(sim_point_hold_row, user_id),
    STORE_COL_I32(sim_point_hold_row, state),
    STORE_COL_I64(sim_point_hold_row, points),
};

const struct store_table sim_point_holds_table = {
    .name = "sim_point_hold",
    .row_size = sizeof(struct sim_point_hold_row),
    .columns = hold_columns,
    .n_columns = STORE_COUNT(hold_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column trade_columns[] = {
    STORE_COL_TEXT(sim_point_trade_row, trade_no),
    STORE_COL_TEXT(sim_point_trade_row, user_id),
    STORE_COL_I64(sim_point_trade_row, deducted),
    STORE_COL_I64(sim_point_trade_row, given_back),
};

const struct store_table sim_point_trades_table = {
    .name = "sim_point_trade",
    .row_size = sizeof(struct sim_point_trade_row),
    .columns = trade_columns,
    .n_columns = STORE_COUNT(trade_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column award_columns[] = {
    STORE_COL_TEXT(sim_award_row, award_key),  STORE_COL_TEXT(sim_award_row, user_id),
    STORE_COL_I32(sim_award_row, cancelled),   STORE_COL_I64(sim_award_row, points),
    STORE_COL_I64(sim_award_row, clawed_back),
};

const struct store_table sim_awards_table = {
    .name = "sim_award",
    .row_size = sizeof(struct sim_award_row),
    .columns = award_columns,
    .n_columns = STORE_COUNT(award_columns),
    .n_key = 1,
    .since = 1,
};

static struct sim_points_row *account_of(struct sim_call *call, const char *user_id) {
    struct sim_points_row *account = sim_find(call->system, SIM_POINT_ACCOUNTS, user_id);
    if (!account)
        sim_reject(call, "NOT_FOUND", "user %s has no points account", user_id);
    return account;
}

static void post(struct sim_call *call, const char *kind, struct sim_points_row *account, int64_t points,
                 const char *detail) {
    sim_put(&call->change, account);
    sim_post(&call->change, &(struct sim_posting){
                                .kind = kind, .account = account->user_id, .points = points, .detail = str_c(detail)});
}

static bool wants_points(struct sim_call *call, int64_t points) {
    if (points < 1 || points > POINTS_MAX)
        sim_invalid(call, "points", "must be 1 to 1000000000");
    return !error_is(&call->invalid);
}

static void get_points(struct sim_call *call) {
    const PB(GetPointsRequest) *request = (const void *)call->request;
    const struct sim_points_row *account = account_of(call, request->user_id);
    if (!account)
        return;
    PB(GetPointsResponse) response = PARTICIPANT__POINTS__V1__GET_POINTS_RESPONSE__INIT;
    response.available = account->available;
    sim_answer(call, &response.base);
}

static void get_rule(struct sim_call *call) {
    PB(PointsRule) rule = PARTICIPANT__POINTS__V1__POINTS_RULE__INIT;
    rule.step_points = STEP_POINTS;
    rule.step_value = sim_money(call, "CNY", STEP_VALUE);
    rule.max_share_bp = MAX_SHARE_BP;
    rule.max_points = MAX_POINTS;
    PB(GetRuleResponse) response = PARTICIPANT__POINTS__V1__GET_RULE_RESPONSE__INIT;
    response.rule = &rule;
    sim_answer(call, &response.base);
}

// ---- Spending --------------------------------------------------------------------------------------------------

static bool can_spend(struct sim_call *call, const struct sim_points_row *account, int64_t points) {
    if (points % STEP_POINTS != 0)
        sim_reject(call, "NOT_WHOLE_STEPS", "points are spent in steps of %d", STEP_POINTS);
    else if (points > account->available)
        sim_reject(call, "INSUFFICIENT_POINTS", "user %s has %" PRId64 " points", account->user_id, account->available);
    else
        return true;
    return false;
}

static void freeze_points(struct sim_call *call) {
    const PB(FreezePointsRequest) *request = (const void *)call->request;
    if (!wants_points(call, request->points))
        return;
    struct sim_points_row *account = account_of(call, request->user_id);
    if (!account || !can_spend(call, account, request->points))
        return;
    struct sim_point_hold_row *hold = sim_make(call->system, SIM_POINT_HOLDS, request->effect->key);
    SIM_COPY(hold->user_id, request->user_id);
    hold->state = SIM_POINTS_FROZEN;
    hold->points = request->points;
    account->available -= hold->points;
    account->frozen += hold->points;
    sim_put(&call->change, hold);
    post(call, "freeze", account, hold->points, "");
}

static void unfreeze_points(struct sim_call *call) {
    struct sim_point_hold_row *hold = sim_find(call->system, SIM_POINT_HOLDS, call->effect->key);
    if (!hold || hold->state == SIM_POINTS_UNFROZEN)
        return;
    if (hold->state == SIM_POINTS_DEDUCTED) {
        sim_reject(call, "ALREADY_DEDUCTED", "the points were taken: give them back");
        return;
    }
    struct sim_points_row *account = account_of(call, hold->user_id);
    if (!account)
        return;
    hold->state = SIM_POINTS_UNFROZEN;
    account->available += hold->points;
    account->frozen -= hold->points;
    sim_put(&call->change, hold);
    post(call, "unfreeze", account, hold->points, "");
}

static void deducted(struct sim_call *call, struct sim_points_row *account, int64_t points) {
    struct sim_point_trade_row *trade = sim_find(call->system, SIM_POINT_TRADES, call->effect->trade_no);
    if (!trade) {
        trade = sim_make(call->system, SIM_POINT_TRADES, call->effect->trade_no);
        SIM_COPY(trade->user_id, account->user_id);
    }
    trade->deducted += points;
    sim_put(&call->change, trade);
    post(call, "deduct", account, points, "");
}

static void deduct_frozen(struct sim_call *call, const PB(DeductPointsRequest) * request,
                          struct sim_points_row *account) {
    struct sim_point_hold_row *hold = sim_find(call->system, SIM_POINT_HOLDS, request->freeze_key);
    if (!hold || strcmp(hold->user_id, account->user_id) != 0) {
        sim_reject(call, "NOT_FOUND", "no points of user %s were frozen under this key", account->user_id);
    } else if (hold->state != SIM_POINTS_FROZEN) {
        sim_reject(call, hold->state == SIM_POINTS_UNFROZEN ? "CANCELLED" : "ALREADY_DEDUCTED", "the freeze has ended");
    } else if (hold->points < request->points) {
        sim_reject(call, "POINTS_MISMATCH", "%" PRId64 " points were frozen", hold->points);
    } else {
        int64_t rest = hold->points - request->points;
        hold->state = SIM_POINTS_DEDUCTED;
        hold->points = request->points;
        account->frozen -= hold->points + rest;
        account->available += rest;
        sim_put(&call->change, hold);
        if (rest > 0)
            post(call, "unfreeze", account, rest, "");
        deducted(call, account, hold->points);
    }
}

// With a freeze_key takes what was frozen, without one what is available.
static void deduct_points(struct sim_call *call) {
    const PB(DeductPointsRequest) *request = (const void *)call->request;
    if (!wants_points(call, request->points) || !sim_wants_text(call, request->effect->trade_no, "effect.trade_no"))
        return;
    struct sim_points_row *account = account_of(call, request->user_id);
    if (!account)
        return;
    if (*request->freeze_key) {
        deduct_frozen(call, request, account);
    } else if (can_spend(call, account, request->points)) {
        account->available -= request->points;
        deducted(call, account, request->points);
    }
}

static void give_back_points(struct sim_call *call) {
    const PB(GiveBackPointsRequest) *request = (const void *)call->request;
    if (!wants_points(call, request->points))
        return;
    struct sim_points_row *account = account_of(call, request->user_id);
    if (!account)
        return;
    struct sim_point_trade_row *trade = sim_find(call->system, SIM_POINT_TRADES, request->effect->trade_no);
    int64_t rest = trade && strcmp(trade->user_id, account->user_id) == 0 ? trade->deducted - trade->given_back : 0;
    if (request->points > rest) {
        sim_reject(call, "EXCEEDS_REST", "of this trade's points %" PRId64 " are left", rest);
        return;
    }
    trade->given_back += request->points;
    account->available += request->points;
    sim_put(&call->change, trade);
    post(call, "give_back", account, request->points, request->refund_no);
}

// ---- Earning ---------------------------------------------------------------------------------------------------

static void answer_award(struct sim_call *call, int64_t points) {
    PB(AwardPointsResponse) response = PARTICIPANT__POINTS__V1__AWARD_POINTS_RESPONSE__INIT;
    response.points = points;
    sim_answer(call, &response.base);
}

static int64_t earned(const Txcenter__Type__V1__Money *paid) {
    int64_t points = paid->minor_units;
    for (int decimals = money_decimals(str_c(paid->currency)); decimals > 0; decimals--)
        points /= 10;
    return points;
}

static void award_points(struct sim_call *call) {
    const PB(AwardPointsRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->paid, false, "paid"))
        return;
    struct sim_points_row *account = account_of(call, request->user_id);
    if (!account)
        return;
    if (account->available > MONEY_MAX - earned(request->paid)) {
        sim_reject(call, "OUT_OF_RANGE", "user %s has too many points", account->user_id);
        return;
    }
    struct sim_award_row *award = sim_make(call->system, SIM_AWARDS, request->effect->key);
    SIM_COPY(award->user_id, account->user_id);
    award->points = earned(request->paid);
    account->available += award->points;
    sim_put(&call->change, award);
    post(call, "award", account, award->points, request->station_id);
    answer_award(call, award->points);
}

// Takes as much of `points` as the balance has; what is missing is a shortfall, and is not taken later either.
static int64_t claw_back(struct sim_call *call, struct sim_award_row *award, struct sim_points_row *account,
                         int64_t points, const char *detail) {
    int64_t taken = points < account->available ? points : account->available;
    award->clawed_back += points;
    account->available -= taken;
    sim_put(&call->change, award);
    post(call, "claw_back", account, taken, detail);
    return taken;
}

static void cancel_award(struct sim_call *call) {
    struct sim_award_row *award = sim_find(call->system, SIM_AWARDS, call->effect->key);
    struct sim_points_row *account = award ? account_of(call, award->user_id) : NULL;
    if (!account)
        return;
    int64_t rest = award->points - award->clawed_back;
    award->cancelled = 1;
    int64_t taken = claw_back(call, award, account, rest, "cancelled");
    PB(CancelAwardResponse) response = PARTICIPANT__POINTS__V1__CANCEL_AWARD_RESPONSE__INIT;
    response.points = taken;
    response.shortfall = rest - taken;
    sim_answer(call, &response.base);
}

static void claw_back_points(struct sim_call *call) {
    const PB(ClawBackPointsRequest) *request = (const void *)call->request;
    if (!wants_points(call, request->points))
        return;
    struct sim_points_row *account = account_of(call, request->user_id);
    if (!account)
        return;
    struct sim_award_row *award = sim_find(call->system, SIM_AWARDS, request->award_key);
    if (!award || strcmp(award->user_id, account->user_id) != 0) {
        sim_reject(call, "NOT_FOUND", "user %s was awarded nothing under this key", account->user_id);
        return;
    }
    int64_t rest = award->points - award->clawed_back;
    if (award->cancelled || request->points > rest) {
        sim_reject(call, award->cancelled ? "CANCELLED" : "EXCEEDS_REST", "of this award %" PRId64 " are left", rest);
        return;
    }
    int64_t taken = claw_back(call, award, account, request->points, request->refund_no);
    PB(ClawBackPointsResponse) response = PARTICIPANT__POINTS__V1__CLAW_BACK_POINTS_RESPONSE__INIT;
    response.points = taken;
    response.shortfall = request->points - taken;
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "GetPoints", .op = SIM_READ, .apply = get_points},
    {.name = "GetRule", .op = SIM_READ, .apply = get_rule},
    {.name = "FreezePoints", .op = SIM_ACTION, .apply = freeze_points},
    {.name = "UnfreezePoints", .op = SIM_COMPENSATE, .apply = unfreeze_points, .undoes = "FreezePoints"},
    {.name = "DeductPoints", .op = SIM_ACTION, .apply = deduct_points},
    {.name = "GiveBackPoints", .op = SIM_ACTION, .apply = give_back_points},
    {.name = "AwardPoints", .op = SIM_ACTION, .apply = award_points},
    {.name = "CancelAward", .op = SIM_COMPENSATE, .apply = cancel_award, .undoes = "AwardPoints"},
    {.name = "ClawBackPoints", .op = SIM_ACTION, .apply = claw_back_points},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_POINT_ACCOUNTS] = {.table = &sim_points_table},
    [SIM_POINT_HOLDS] = {.table = &sim_point_holds_table},
    [SIM_POINT_TRADES] = {.table = &sim_point_trades_table},
    [SIM_AWARDS] = {.table = &sim_awards_table},
};

const struct sim_system_def sim_points_def = {
    .name = "points",
    .service = &participant__points__v1__points_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
