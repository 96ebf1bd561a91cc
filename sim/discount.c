// Activities with their rules, and the quota of each: in all, and of each buyer (for a day, or for ever), counted by
// pool.c.
#include "google/protobuf/timestamp.pb-c.h"
#include "participant/discount/v1/discount.pb-c.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PB(name) Participant__Discount__V1__##name

enum { ACTIVITIES_MAX = 64, WHOLE_BP = 10000 };
#define DAY_MS INT64_C(86400000)
#define ZONE_MS (8 * INT64_C(3600000)) // where the stations are

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_activity_row, activity_id), STORE_COL_TEXT(sim_activity_row, name),
    STORE_COL_I32(sim_activity_row, kind),         STORE_COL_I32(sim_activity_row, stacks),
    STORE_COL_I32(sim_activity_row, quota_unit),   STORE_COL_TEXT(sim_activity_row, stations),
    STORE_COL_TEXT(sim_activity_row, channels),    STORE_COL_TEXT(sim_activity_row, level_codes),
    STORE_COL_I64(sim_activity_row, quota),        STORE_COL_I64(sim_activity_row, quota_each),
    STORE_COL_I32(sim_activity_row, quota_by),     STORE_COL_I32(sim_activity_row, quota_daily),
    STORE_COL_I64(sim_activity_row, starts_ms),    STORE_COL_I64(sim_activity_row, ends_ms),
};

const struct store_table sim_activities_table = {
    .name = "sim_discount_activity",
    .row_size = sizeof(struct sim_activity_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 2,
};

static const struct sim_pool_words words = {"lock",         "unlock",        "use", "give_back", "QUOTA_EXHAUSTED",
                                            "ALREADY_USED", "QUOTA_MISMATCH"};

static bool runs(const struct sim_activity_row *row, int64_t now_ms) {
    return now_ms >= row->starts_ms && (row->ends_ms == 0 || now_ms < row->ends_ms);
}

// Who the buyer is for this activity; empty: not known.
static const char *buyer_of(const struct sim_activity_row *row, const PB(Buyer) * buyer) {
    if (!buyer)
        return "";
    return row->quota_by == SIM_QUOTA_BY_CARD    ? buyer->card_no
           : row->quota_by == SIM_QUOTA_BY_PLATE ? buyer->plate_no
                                                 : buyer->user_id;
}

// Where the activity's quota is counted for this buyer now.
static void places_of(const struct sim_activity_row *row, const char *buyer, int64_t now_ms,
                      struct sim_pool_line *line) {
    if (row->quota > 0) {
        SIM_COPY(line->places[line->n_places].text, row->activity_id);
        line->places[line->n_places++].limit = row->quota;
    }
    if (row->quota_each > 0) {
        int64_t day = row->quota_daily ? (now_ms + ZONE_MS) / DAY_MS : 0;
        snprintf(line->places[line->n_places].text, sizeof line->places[0].text, "%s/%s/%" PRId64, row->activity_id,
                 buyer, day);
        line->places[line->n_places++].limit = row->quota_each;
    }
}

// ---- Listing ---------------------------------------------------------------------------------------------------

struct listing {
    struct sim_call *call;
    const PB(ListActivitiesRequest) * request;
    int64_t now_ms;
    bool incomplete;
    size_t n;
    PB(Activity) * activities[ACTIVITIES_MAX];
};

static bool in_scope(const char *scope, const PB(ListActivitiesRequest) * request) {
    for (size_t i = 0; i < request->n_lines; i++)
        if (sim_list_allows(scope, request->lines[i]->kind) || sim_list_allows(scope, request->lines[i]->code))
            return true;
    return false;
}

static bool gains(const struct sim_rule_row *rule, const PB(DiscountLine) * line) {
    return sim_list_allows(rule->benefit_scope, line->kind) || sim_list_allows(rule->benefit_scope, line->code);
}

// Whether what the request leaves open decides on it.
static bool is_open(const struct sim_activity_row *row, const struct sim_rule_row *rule,
                    const PB(ListActivitiesRequest) * request) {
    if ((*row->level_codes && !*request->level_code) || (row->quota_each > 0 && !*buyer_of(row, request->buyer)))
        return true;
    bool computed = row->kind == PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_COMPUTED;
    for (size_t i = 0; computed && i < request->n_lines; i++)
        if (gains(rule, request->lines[i]) && !request->lines[i]->list_price)
            return true;
    return false;
}

// What a COMPUTED activity takes off each line: its percentage, rounded half up.
static bool compute(struct listing *listing, const struct sim_rule_row *rule, PB(Activity) * activity) {
    const PB(ListActivitiesRequest) *request = listing->request;
    activity->computed = arena_alloc(listing->call->arena, (request->n_lines + 1) * sizeof activity->computed[0]);
    if (!activity->computed)
        return false;
    for (size_t i = 0; i < request->n_lines; i++) {
        const PB(DiscountLine) *line = request->lines[i];
        bool cheaper = line->list_price && line->list_price->minor_units > 0 && gains(rule, line);
        int64_t off = cheaper ? (line->list_price->minor_units * rule->percent_off_bp + WHOLE_BP / 2) / WHOLE_BP : 0;
        activity->computed[activity->n_computed] =
            sim_money(listing->call, line->list_price ? line->list_price->currency : rule->currency, off);
        if (!activity->computed[activity->n_computed++])
            return false;
    }
    return true;
}

static bool add_times(struct sim_call *call, const struct sim_activity_row *row, PB(Activity) * activity) {
    if (row->ends_ms == 0)
        return true;
    Google__Protobuf__Timestamp *ends = (void *)rpc_message_new(&google__protobuf__timestamp__descriptor, call->arena);
    if (!ends)
        return false;
    ends->seconds = row->ends_ms / 1000;
    ends->nanos = (int32_t)(row->ends_ms % 1000) * 1000000;
    activity->ends_at = ends;
    return true;
}

static PB(Activity) *
    activity_message(struct listing *listing, const struct sim_activity_row *row, const struct sim_rule_row *rule) {
    struct sim_call *call = listing->call;
    PB(Activity) *activity = (void *)rpc_message_new(&participant__discount__v1__activity__descriptor, call->arena);
    if (!activity)
        return NULL;
    activity->activity_id = rpc_text(row->activity_id);
    activity->name = rpc_text(row->name);
    activity->kind = (PB(ActivityKind))row->kind;
    activity->stacks = row->stacks;
    activity->rule = sim_rule_message(call, rule);
    struct sim_pool_line line = {.name = row->activity_id};
    places_of(row, buyer_of(row, listing->request->buyer), listing->now_ms, &line);
    for (unsigned i = 0; i < line.n_places; i++) {
        int64_t left = sim_pool_free(call->system, line.places[i].text, line.places[i].limit);
        activity->quota_left = i == 0 || left < activity->quota_left ? left : activity->quota_left;
    }
    activity->has_quota = line.n_places > 0;
    activity->quota_unit = (PB(QuotaUnit))row->quota_unit;
    bool whole = activity->rule && add_times(call, row, activity) &&
                 (row->kind != PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_COMPUTED ||
                  compute(listing, rule, activity));
    return whole ? activity : NULL;
}

static void list_one(void *ctx, void *data) {
    struct listing *listing = ctx;
    const struct sim_activity_row *row = data;
    const PB(ListActivitiesRequest) *request = listing->request;
    const struct sim_rule_row *rule = sim_find(listing->call->system, SIM_ACTIVITY_RULES, row->activity_id);
    if (!rule || listing->n == ACTIVITIES_MAX || !runs(row, listing->now_ms) ||
        !in_scope(rule->condition_scope, request) || !sim_list_allows(row->stations, request->station_id) ||
        !sim_list_allows(row->channels, request->channel))
        return;
    if (is_open(row, rule, request)) {
        listing->incomplete = true;
        return;
    }
    if (!sim_list_allows(row->level_codes, request->level_code))
        return;
    listing->activities[listing->n] = activity_message(listing, row, rule);
    if (!listing->activities[listing->n++])
        error_set(&listing->call->invalid, ERR_OVERLOADED, NULL);
}

// By their ids: those of a map come in no order.
static int by_id(const void *a, const void *b) {
    return strcmp((*(PB(Activity) *const *)a)->activity_id, (*(PB(Activity) *const *)b)->activity_id);
}

static void list_activities(struct sim_call *call) {
    struct listing listing = {
        .call = call, .request = (const void *)call->request, .now_ms = sim_now(call->system->sim)};
    const Google__Protobuf__Timestamp *at = listing.request->at;
    if (at)
        listing.now_ms = clock_moment_ms(at->seconds, at->nanos);
    sim_each(call->system, SIM_ACTIVITIES, list_one, &listing);
    if (error_is(&call->invalid))
        return;
    qsort(listing.activities, listing.n, sizeof listing.activities[0], by_id);
    PB(ListActivitiesResponse) response = PARTICIPANT__DISCOUNT__V1__LIST_ACTIVITIES_RESPONSE__INIT;
    response.activities = listing.activities;
    response.n_activities = listing.n;
    response.incomplete = listing.incomplete;
    sim_answer(call, &response.base);
}

// ---- Quota -----------------------------------------------------------------------------------------------------

static void name_lines(PB(QuotaLine) *const *lines, size_t n, struct sim_pool_line *ret_lines) {
    for (size_t i = 0; i < n; i++)
        ret_lines[i] = (struct sim_pool_line){.name = lines[i]->activity_id, .quantity = lines[i]->quantity};
}

// What the request's lines are in pool.c's words; false after a rejection, or when they are malformed.
static bool lines_of(struct sim_call *call, const PB(Buyer) * buyer, PB(QuotaLine) *const *lines, size_t n,
                     struct sim_pool_line *ret_lines) {
    int64_t now_ms = sim_now(call->system->sim);
    name_lines(lines, n, ret_lines);
    if (!sim_pool_check(call, ret_lines, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct sim_activity_row *row = sim_find(call->system, SIM_ACTIVITIES, ret_lines[i].name);
        if (!row || !runs(row, now_ms) || (row->quota_each > 0 && !*buyer_of(row, buyer))) {
            sim_reject(call, "ACTIVITY_UNAVAILABLE", "activity %s does not run, or not for this buyer",
                       ret_lines[i].name);
            return false;
        }
        places_of(row, buyer_of(row, buyer), now_ms, &ret_lines[i]);
    }
    return true;
}

static void lock_quota(struct sim_call *call) {
    const PB(LockQuotaRequest) *request = (const void *)call->request;
    struct sim_pool_line lines[SIM_LISTED_MAX];
    if (lines_of(call, request->buyer, request->lines, request->n_lines, lines))
        sim_pool_hold(call, &words, lines, request->n_lines);
}

static void unlock_quota(struct sim_call *call) {
    sim_pool_release(call, &words);
}

// What was locked is taken, though the activity has ended since.
static void use_quota(struct sim_call *call) {
    const PB(UseQuotaRequest) *request = (const void *)call->request;
    struct sim_pool_line lines[SIM_LISTED_MAX];
    name_lines(request->lines, request->n_lines, lines);
    if (*request->lock_key ? sim_pool_check(call, lines, request->n_lines)
                           : lines_of(call, request->buyer, request->lines, request->n_lines, lines))
        sim_pool_take(call, &words, request->lock_key, lines, request->n_lines);
}

static void give_back_quota(struct sim_call *call) {
    const PB(GiveBackQuotaRequest) *request = (const void *)call->request;
    struct sim_pool_line lines[SIM_LISTED_MAX];
    name_lines(request->lines, request->n_lines, lines);
    if (sim_pool_check(call, lines, request->n_lines))
        sim_pool_put_back(call, &words, lines, request->n_lines, request->refund_no);
}

static const struct sim_method methods[] = {
    {.name = "ListActivities", .op = SIM_READ, .apply = list_activities},
    {.name = "LockQuota", .op = SIM_ACTION, .apply = lock_quota},
    {.name = "UnlockQuota", .op = SIM_COMPENSATE, .apply = unlock_quota, .undoes = "LockQuota"},
    {.name = "UseQuota", .op = SIM_ACTION, .apply = use_quota},
    {.name = "GiveBackQuota", .op = SIM_ACTION, .apply = give_back_quota},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    SIM_POOL_SET_DEFS(quota),
    [SIM_ACTIVITIES] = {.table = &sim_activities_table},
    [SIM_ACTIVITY_RULES] = {.table = &sim_activity_rules_table},
};

const struct sim_system_def sim_discount_def = {
    .name = "discount",
    .service = &participant__discount__v1__discount_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
