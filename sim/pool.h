// Things that are counted and never go below zero: stock of goods, quota of activities. They are held, released, taken
// (from what is held, or from what is free), and put back. Once for all systems that do so: each has the sets of
// SIM_POOL_SET_DEFS at its beginning.
#ifndef TXC_SIM_POOL_H
#define TXC_SIM_POOL_H

#include "sim/core.h"

enum { SIM_POOLS, SIM_POOL_PARTS, SIM_POOL_TAKEN, SIM_POOL_SETS };

enum { SIM_PLACE_MAX = 3 * SIM_ID_MAX, SIM_PLACES_MAX = 2, SIM_QUANTITY_MAX = 1000000000 };

typedef char sim_place[SIM_PLACE_MAX + 1];

// What is free is the limit, which the system knows, less what was taken and what is held.
struct sim_pool_row {
    sim_place place;
    int64_t taken, held;
};

enum sim_part_state { SIM_PART_HELD = 1, SIM_PART_RELEASED, SIM_PART_TAKEN };

// What one key holds of one thing.
struct sim_part_row {
    char part[SIM_KEY_MAX + SIM_LISTED_ID_MAX + 2]; // key/name
    int32_t state;
    int64_t quantity;
    sim_place place, other_place; // where it is counted; empty: nowhere
};

// What a trade has taken of one thing, and put back.
struct sim_taken_row {
    char taken[SIM_ID_MAX + SIM_LISTED_ID_MAX + 2]; // trade/name
    int64_t quantity, put_back;
    sim_place place, other_place; // of the last time
};

extern const struct store_table sim_goods_pools_table, sim_goods_parts_table, sim_goods_taken_table,
    sim_quota_pools_table, sim_quota_parts_table, sim_quota_taken_table;

#define SIM_POOL_SET_DEFS(name)                                                                                        \
    [SIM_POOLS] = {.table = &sim_##name##_pools_table}, [SIM_POOL_PARTS] = {.table = &sim_##name##_parts_table},       \
    [SIM_POOL_TAKEN] = {.table = &sim_##name##_taken_table}

// How a system says it, in its ledger and in its rejections.
struct sim_pool_words {
    const char *hold, *release, *take, *put_back; // kinds of postings
    const char *exhausted, *already_taken, *mismatch;
};

// So much of a thing, from all of its pools; without pools it is never exhausted.
struct sim_pool_line {
    const char *name; // "W500": at most SIM_LISTED_ID_MAX bytes, no comma
    int64_t quantity;
    struct {
        sim_place text; // of the pool
        int64_t limit;
    } places[SIM_PLACES_MAX];
    unsigned n_places;
};

// Free at a place.
int64_t sim_pool_free(struct sim_system *system, const char *place, int64_t limit);

// The form of lines: names that fit, each once, sensible quantities; else sim_invalid() and false.
bool sim_pool_check(struct sim_call *call, const struct sim_pool_line *lines, size_t n);

// The four methods, all lines or none. They answer a rejection themselves.
void sim_pool_hold(struct sim_call *call, const struct sim_pool_words *words, const struct sim_pool_line *lines,
                   size_t n);
void sim_pool_release(struct sim_call *call, const struct sim_pool_words *words);
void sim_pool_take(struct sim_call *call, const struct sim_pool_words *words, const char *hold_key,
                   const struct sim_pool_line *lines, size_t n);
// Of the lines only name and quantity count.
void sim_pool_put_back(struct sim_call *call, const struct sim_pool_words *words, const struct sim_pool_line *lines,
                       size_t n, const char *refund_no);

#endif
