#include "sim/pool.h"

#include <inttypes.h>
#include <stdio.h>

static const struct store_column pool_columns[] = {
    STORE_COL_TEXT(sim_pool_row, place),
    STORE_COL_I64(sim_pool_row, taken),
    STORE_COL_I64(sim_pool_row, held),
};

static const struct store_column part_columns[] = {
    STORE_COL_TEXT(sim_part_row, part),        STORE_COL_I32(sim_part_row, state),
    STORE_COL_I64(sim_part_row, quantity),     STORE_COL_TEXT(sim_part_row, place),
    STORE_COL_TEXT(sim_part_row, other_place),
};

static const struct store_column taken_columns[] = {
    STORE_COL_TEXT(sim_taken_row, taken),       STORE_COL_I64(sim_taken_row, quantity),
    STORE_COL_I64(sim_taken_row, put_back),     STORE_COL_TEXT(sim_taken_row, place),
    STORE_COL_TEXT(sim_taken_row, other_place),
};

#define TABLE(table_name, row, list)                                                                                   \
    {                                                                                                                  \
        .name = (table_name), .row_size = sizeof(struct row), .columns = (list), .n_columns = STORE_COUNT(list),       \
        .n_key = 1, .since = 2                                                                                         \
    }
const struct store_table sim_goods_pools_table = TABLE("sim_goods_pool", sim_pool_row, pool_columns);
const struct store_table sim_goods_parts_table = TABLE("sim_goods_part", sim_part_row, part_columns);
const struct store_table sim_goods_taken_table = TABLE("sim_goods_taken", sim_taken_row, taken_columns);
const struct store_table sim_quota_pools_table = TABLE("sim_quota_pool", sim_pool_row, pool_columns);
const struct store_table sim_quota_parts_table = TABLE("sim_quota_part", sim_part_row, part_columns);
const struct store_table sim_quota_taken_table = TABLE("sim_quota_taken", sim_taken_row, taken_columns);

int64_t sim_pool_free(struct sim_system *system, const char *place, int64_t limit) {
    const struct sim_pool_row *pool = sim_find(system, SIM_POOLS, place);
    return pool ? limit - pool->taken - pool->held : limit;
}

bool sim_pool_check(struct sim_call *call, const struct sim_pool_line *lines, size_t n) {
    if (n == 0)
        sim_invalid(call, "lines", "is empty");
    for (size_t i = 0; i < n; i++) {
        if (!*lines[i].name || strlen(lines[i].name) > SIM_LISTED_ID_MAX || strchr(lines[i].name, ','))
            sim_invalid(call, "lines", "must name things by 1 to 48 bytes without a comma");
        if (lines[i].quantity < 1 || lines[i].quantity > SIM_QUANTITY_MAX)
            sim_invalid(call, "lines", "must have quantities from 1 to 1000000000");
        for (size_t k = 0; k < i; k++)
            if (strcmp(lines[i].name, lines[k].name) == 0)
                sim_invalid(call, "lines", "names a thing twice");
    }
    return !error_is(&call->invalid);
}

static bool enough(struct sim_call *call, const struct sim_pool_words *words, const struct sim_pool_line *lines,
                   size_t n) {
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < lines[i].n_places; k++) {
            int64_t left = sim_pool_free(call->system, lines[i].places[k].text, lines[i].places[k].limit);
            if (lines[i].quantity > left) {
                sim_reject(call, words->exhausted, "of %s %" PRId64 " are left", lines[i].name, left < 0 ? 0 : left);
                return false;
            }
        }
    return true;
}

// Counts at one place; an empty one is none.
static void count(struct sim_call *call, const char *place, int64_t taken, int64_t held) {
    if (!*place)
        return;
    struct sim_pool_row *pool = sim_find(call->system, SIM_POOLS, place);
    if (!pool)
        pool = sim_make(call->system, SIM_POOLS, place);
    pool->taken += taken;
    pool->held += held;
    sim_put(&call->change, pool);
}

static void post(struct sim_call *call, const char *kind, const char *name, int64_t quantity, const char *detail) {
    sim_post(&call->change,
             &(struct sim_posting){.kind = kind, .account = name, .points = quantity, .detail = str_c(detail)});
}

static struct sim_part_row *part_of(struct sim_call *call, const char *key, const char *name, bool make) {
    char part[sizeof((struct sim_part_row *)NULL)->part];
    snprintf(part, sizeof part, "%s/%s", key, name);
    struct sim_part_row *row = sim_find(call->system, SIM_POOL_PARTS, part);
    return row || !make ? row : sim_make(call->system, SIM_POOL_PARTS, part);
}

static struct sim_taken_row *taken_of(struct sim_call *call, const char *name, bool make) {
    char taken[sizeof((struct sim_taken_row *)NULL)->taken];
    snprintf(taken, sizeof taken, "%s/%s", call->effect->trade_no, name);
    struct sim_taken_row *row = sim_find(call->system, SIM_POOL_TAKEN, taken);
    return row || !make ? row : sim_make(call->system, SIM_POOL_TAKEN, taken);
}

// ---- Holding ---------------------------------------------------------------------------------------------------

void sim_pool_hold(struct sim_call *call, const struct sim_pool_words *words, const struct sim_pool_line *lines,
                   size_t n) {
    char *names[SIM_LISTED_MAX];
    if (!enough(call, words, lines, n))
        return;
    for (size_t i = 0; i < n; i++) {
        struct sim_part_row *part = part_of(call, call->effect->key, lines[i].name, true);
        part->state = SIM_PART_HELD;
        part->quantity = lines[i].quantity;
        SIM_COPY(part->place, lines[i].places[0].text);
        SIM_COPY(part->other_place, lines[i].places[1].text);
        count(call, part->place, 0, part->quantity);
        count(call, part->other_place, 0, part->quantity);
        sim_put(&call->change, part);
        post(call, words->hold, lines[i].name, part->quantity, part->place);
        names[i] = rpc_text(lines[i].name);
    }
    sim_note_ids(call, names, n);
}

// Calls `each` for all that the compensated action holds.
static bool each_held(struct sim_call *call, const struct sim_pool_words *words,
                      bool (*each)(struct sim_call *call, const struct sim_pool_words *words, const char *name,
                                   struct sim_part_row *part)) {
    struct str rest = call->note;
    while (rest.len > 0) {
        char name[SIM_LISTED_ID_MAX + 1];
        struct sim_part_row *part =
            str_copy(str_cut(&rest, ','), name, sizeof name) ? part_of(call, call->effect->key, name, false) : NULL;
        if (part && !each(call, words, name, part))
            return false;
    }
    return true;
}

static bool not_taken(struct sim_call *call, const struct sim_pool_words *words, const char *name,
                      struct sim_part_row *part) {
    if (part->state != SIM_PART_TAKEN)
        return true;
    sim_reject(call, words->already_taken, "%s was taken: put it back", name);
    return false;
}

static bool release_one(struct sim_call *call, const struct sim_pool_words *words, const char *name,
                        struct sim_part_row *part) {
    part->state = SIM_PART_RELEASED;
    count(call, part->place, 0, -part->quantity);
    count(call, part->other_place, 0, -part->quantity);
    sim_put(&call->change, part);
    post(call, words->release, name, part->quantity, part->place);
    return true;
}

void sim_pool_release(struct sim_call *call, const struct sim_pool_words *words) {
    if (each_held(call, words, not_taken))
        each_held(call, words, release_one);
}

// ---- Taking ----------------------------------------------------------------------------------------------------

static bool held(struct sim_call *call, const struct sim_pool_words *words, const char *hold_key,
                 const struct sim_pool_line *line) {
    const struct sim_part_row *part = part_of(call, hold_key, line->name, false);
    if (!part)
        sim_reject(call, "NOT_FOUND", "%s is not held under this key", line->name);
    else if (part->state == SIM_PART_RELEASED)
        sim_reject(call, "CANCELLED", "%s was released", line->name);
    else if (part->state == SIM_PART_TAKEN)
        sim_reject(call, words->already_taken, "%s was taken already", line->name);
    else if (part->quantity != line->quantity)
        sim_reject(call, words->mismatch, "of %s %" PRId64 " are held", line->name, part->quantity);
    return !call->rejected;
}

static void take_one(struct sim_call *call, const struct sim_pool_words *words, struct sim_part_row *part,
                     const struct sim_pool_line *line) {
    const char *place = part ? part->place : line->places[0].text;
    const char *other_place = part ? part->other_place : line->places[1].text;
    struct sim_taken_row *taken = taken_of(call, line->name, true);
    taken->quantity += line->quantity;
    SIM_COPY(taken->place, place);
    SIM_COPY(taken->other_place, other_place);
    count(call, place, line->quantity, part ? -line->quantity : 0);
    count(call, other_place, line->quantity, part ? -line->quantity : 0);
    sim_put(&call->change, taken);
    if (part) {
        part->state = SIM_PART_TAKEN;
        sim_put(&call->change, part);
    }
    post(call, words->take, line->name, line->quantity, place);
}

void sim_pool_take(struct sim_call *call, const struct sim_pool_words *words, const char *hold_key,
                   const struct sim_pool_line *lines, size_t n) {
    if (!sim_wants_text(call, call->effect->trade_no, "effect.trade_no"))
        return;
    if (!*hold_key && !enough(call, words, lines, n))
        return;
    for (size_t i = 0; i < n && *hold_key; i++)
        if (!held(call, words, hold_key, &lines[i]))
            return;
    for (size_t i = 0; i < n; i++)
        take_one(call, words, *hold_key ? part_of(call, hold_key, lines[i].name, false) : NULL, &lines[i]);
}

void sim_pool_put_back(struct sim_call *call, const struct sim_pool_words *words, const struct sim_pool_line *lines,
                       size_t n, const char *refund_no) {
    for (size_t i = 0; i < n; i++) {
        const struct sim_taken_row *taken = taken_of(call, lines[i].name, false);
        int64_t rest = taken ? taken->quantity - taken->put_back : 0;
        if (lines[i].quantity > rest) {
            sim_reject(call, "EXCEEDS_REST", "this trade has %" PRId64 " of %s", rest, lines[i].name);
            return;
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct sim_taken_row *taken = taken_of(call, lines[i].name, false);
        taken->put_back += lines[i].quantity;
        count(call, taken->place, -lines[i].quantity, 0);
        count(call, taken->other_place, -lines[i].quantity, 0);
        sim_put(&call->change, taken);
        post(call, words->put_back, lines[i].name, lines[i].quantity, refund_no);
    }
}
