// Levels follow from growth: one for each whole unit of currency paid, less what was refunded of it.
#include "participant/level/v1/level.pb-c.h"
#include "sim/world.h"

#define PB(name) Participant__Level__V1__##name

static const struct store_column level_columns[] = {
    STORE_COL_TEXT(sim_level_row, level_code),
    STORE_COL_TEXT(sim_level_row, name),
    STORE_COL_I64(sim_level_row, least),
};

const struct store_table sim_levels_table = {
    .name = "sim_level",
    .row_size = sizeof(struct sim_level_row),
    .columns = level_columns,
    .n_columns = STORE_COUNT(level_columns),
    .n_key = 1,
    .since = 2,
};

static const struct store_column member_columns[] = {
    STORE_COL_TEXT(sim_member_row, user_id),
    STORE_COL_I64(sim_member_row, growth),
};

const struct store_table sim_members_table = {
    .name = "sim_member",
    .row_size = sizeof(struct sim_member_row),
    .columns = member_columns,
    .n_columns = STORE_COUNT(member_columns),
    .n_key = 1,
    .since = 2,
};

static int64_t growth_of(struct sim_system *system, const char *user_id) {
    const struct sim_member_row *member = sim_find(system, SIM_MEMBERS, user_id);
    return member ? member->growth : 0;
}

struct search {
    int64_t growth;
    const struct sim_level_row *best;
};

static void look_at(void *ctx, void *row) {
    struct search *search = ctx;
    const struct sim_level_row *level = row;
    if (level->least <= search->growth && (!search->best || level->least > search->best->least))
        search->best = level;
}

// NULL: this world has none for the user.
static const struct sim_level_row *level_of(struct sim_system *system, const char *user_id) {
    struct search search = {.growth = growth_of(system, user_id)};
    sim_each(system, SIM_LEVELS, look_at, &search);
    return search.best;
}

static void get_level(struct sim_call *call) {
    const PB(GetLevelRequest) *request = (const void *)call->request;
    const struct sim_level_row *row = level_of(call->system, request->user_id);
    if (!row) {
        sim_reject(call, "NOT_FOUND", "there is no level for user %s", request->user_id);
        return;
    }
    PB(LevelBenefit) benefit = PARTICIPANT__LEVEL__V1__LEVEL_BENEFIT__INIT, *benefits[] = {&benefit};
    PB(Level) level = PARTICIPANT__LEVEL__V1__LEVEL__INIT;
    const struct sim_rule_row *rule = sim_find(call->system, SIM_LEVEL_RULES, row->level_code);
    if (rule) {
        benefit.benefit_id = rpc_text(rule->rule_id);
        benefit.rule = sim_rule_message(call, rule);
        level.benefits = benefits;
        level.n_benefits = 1;
    }
    level.level_code = rpc_text(row->level_code);
    level.name = rpc_text(row->name);
    level.growth = growth_of(call->system, request->user_id);
    PB(GetLevelResponse) response = PARTICIPANT__LEVEL__V1__GET_LEVEL_RESPONSE__INIT;
    response.level = &level;
    sim_answer(call, &response.base);
}

// ---- Growth ----------------------------------------------------------------------------------------------------

static int64_t earned(const struct sim_record_row *record) {
    int64_t growth = record->amount - record->reversed;
    for (int decimals = money_decimals(str_c(record->currency)); decimals > 0; decimals--)
        growth /= 10;
    return growth;
}

// The user's growth follows the record; answers which level that makes.
static char *grow(struct sim_call *call, const char *kind, const struct sim_record_row *record, int64_t growth) {
    struct sim_member_row *member = sim_find(call->system, SIM_MEMBERS, record->account);
    if (!member)
        member = sim_make(call->system, SIM_MEMBERS, record->account);
    member->growth += growth;
    sim_put(&call->change, member);
    const struct sim_level_row *level = level_of(call->system, member->user_id);
    char *level_code = rpc_text(level ? level->level_code : "");
    sim_post(&call->change, &(struct sim_posting){.kind = kind,
                                                  .account = member->user_id,
                                                  .points = growth < 0 ? -growth : growth,
                                                  .state = level_code});
    return level_code;
}

static void report_growth(struct sim_call *call) {
    const PB(ReportGrowthRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->paid, false, "paid") || !sim_wants_text(call, request->user_id, "user_id"))
        return;
    if (growth_of(call->system, request->user_id) > MONEY_MAX) {
        sim_reject(call, "OUT_OF_RANGE", "user %s has too much growth", request->user_id);
        return;
    }
    const struct sim_record_row *record = sim_record_add(call, request->user_id, request->paid, request->station_id);
    PB(ReportGrowthResponse) response = PARTICIPANT__LEVEL__V1__REPORT_GROWTH_RESPONSE__INIT;
    response.growth = earned(record);
    response.level_code = grow(call, "grow", record, response.growth);
    sim_answer(call, &response.base);
}

static void cancel_growth(struct sim_call *call) {
    const struct sim_record_row *record = sim_find(call->system, SIM_RECORDS, call->effect->key);
    int64_t growth = record ? earned(record) : 0, rest;
    if ((record = sim_record_cancel(call, &rest)))
        grow(call, "shrink", record, -growth);
}

static void reverse_growth(struct sim_call *call) {
    const PB(ReverseGrowthRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->refunded, true, "refunded"))
        return;
    struct sim_record_row *record = sim_record_find(call, request->report_key, request->refunded);
    if (!record)
        return;
    int64_t before = earned(record);
    sim_record_reverse(call, record, request->refunded->minor_units, request->refund_no);
    PB(ReverseGrowthResponse) response = PARTICIPANT__LEVEL__V1__REVERSE_GROWTH_RESPONSE__INIT;
    response.growth = before - earned(record);
    response.level_code = grow(call, "shrink", record, -response.growth);
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "GetLevel", .op = SIM_READ, .apply = get_level},
    {.name = "ReportGrowth", .op = SIM_ACTION, .apply = report_growth},
    {.name = "CancelGrowth", .op = SIM_COMPENSATE, .apply = cancel_growth, .undoes = "ReportGrowth"},
    {.name = "ReverseGrowth", .op = SIM_ACTION, .apply = reverse_growth},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    SIM_RECORD_SET_DEF(growth),
    [SIM_LEVELS] = {.table = &sim_levels_table},
    [SIM_LEVEL_RULES] = {.table = &sim_level_rules_table},
    [SIM_MEMBERS] = {.table = &sim_members_table},
};

const struct sim_system_def sim_level_def = {
    .name = "level",
    .service = &participant__level__v1__level_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
