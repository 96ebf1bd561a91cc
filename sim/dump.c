// What happened, for people and checkers: pages of the ledger and of the effects, read from the store, so that they
// show what is durable.
#include "google/protobuf/timestamp.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "sim/control.h"
#include "sim/effects.h"
#include "sim/ledger.h"
#include "sim/payment.h"

#include <stdlib.h>

#define PB(name) Participant__Sim__V1__##name

enum { PAGE_MAX = 500 };

_Static_assert((int)SIM_APPLIED == (int)PARTICIPANT__SIM__V1__EFFECT_STATE__EFFECT_STATE_APPLIED &&
                   (int)SIM_REJECTED == (int)PARTICIPANT__SIM__V1__EFFECT_STATE__EFFECT_STATE_REJECTED &&
                   (int)SIM_COMPENSATED == (int)PARTICIPANT__SIM__V1__EFFECT_STATE__EFFECT_STATE_COMPENSATED &&
                   (int)SIM_CANCELLED == (int)PARTICIPANT__SIM__V1__EFFECT_STATE__EFFECT_STATE_CANCELLED,
               "states are shown as they are kept");

// A page on its way from the store.
struct dump {
    struct sim_pending pending;
    struct rpc_inbound *in;
    uint32_t limit;
    void (*answer)(struct dump *dump, const void *rows, size_t n);
};

static void end(struct dump *dump, const struct error *error) {
    sim_pending_remove(&dump->pending);
    if (error)
        rpc_fail(dump->in, error, NULL);
    free(dump);
}

static void drop(struct sim_pending *pending) {
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, NULL);
    end(CONTAINER_OF(pending, struct dump, pending), &error);
}

static void page(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct dump *dump = ctx;
    if (!error)
        dump->answer(dump, rows, n);
    end(dump, error);
}

static void out_of_memory(struct rpc_inbound *in) {
    struct error error;
    error_set(&error, ERR_OVERLOADED, "the page does not fit: ask for a smaller one");
    rpc_fail(in, &error, NULL);
}

static void start(struct sim *sim, struct rpc_inbound *in, struct store_query *query, int32_t page_size,
                  void (*answer)(struct dump *dump, const void *rows, size_t n)) {
    struct dump *dump = calloc(1, sizeof *dump);
    if (!dump)
        abort();
    *dump = (struct dump){.pending = {.drop = drop}, .in = in, .answer = answer};
    dump->limit = page_size > 0 && page_size < PAGE_MAX ? (uint32_t)page_size : PAGE_MAX;
    sim_pending_add(sim, &dump->pending);
    query->limit = dump->limit;
    store_read(sim->options.store, query, page, dump);
}

static bool wants_system(struct sim *sim, struct rpc_inbound *in, const char *system, const char *trade_no,
                         struct store_query *query) {
    struct error error = {0};
    if (!sim_system_named(sim, str_c(system))) {
        error_field(&error, "system", "is none of the systems");
        rpc_fail(in, &error, NULL);
        return false;
    }
    query->conds[0] = (struct store_cond){.column = "system", .cmp = STORE_EQ, .text = str_c(system)};
    if (*trade_no)
        query->conds[1] = (struct store_cond){.column = "trade_no", .cmp = STORE_EQ, .text = str_c(trade_no)};
    return true;
}

static Google__Protobuf__Timestamp *timestamp(struct arena *arena, int64_t unix_ms) {
    Google__Protobuf__Timestamp *at = (void *)rpc_message_new(&google__protobuf__timestamp__descriptor, arena);
    if (at) {
        at->seconds = unix_ms / 1000;
        at->nanos = (int32_t)(unix_ms % 1000) * 1000000;
    }
    return at;
}

// ---- Ledger ----------------------------------------------------------------------------------------------------

static PB(LedgerEntry) * ledger_entry(struct arena *arena, const struct sim_ledger_row *row) {
    PB(LedgerEntry) *entry = (void *)rpc_message_new(&participant__sim__v1__ledger_entry__descriptor, arena);
    Txcenter__Type__V1__Money *money = (void *)rpc_message_new(&txcenter__type__v1__money__descriptor, arena);
    if (!entry || !money)
        return NULL;
    money->currency = rpc_text(row->currency);
    money->minor_units = row->amount;
    entry->system = rpc_text(row->system);
    entry->seq = row->seq;
    entry->key = rpc_text(row->about);
    entry->gid = rpc_text(row->gid);
    entry->trade_no = rpc_text(row->trade_no);
    entry->kind = rpc_text(row->kind);
    entry->account = rpc_text(row->account);
    if (row->currency[0])
        entry->amount = money;
    entry->points = row->points;
    entry->state = rpc_text(row->state);
    entry->detail = rpc_text(row->detail);
    entry->at = timestamp(arena, row->at_ms);
    return entry;
}

static void answer_ledger(struct dump *dump, const void *rows, size_t n) {
    const struct sim_ledger_row *postings = rows;
    struct arena *arena = rpc_inbound_arena(dump->in);
    PB(DumpLedgerResponse) response = PARTICIPANT__SIM__V1__DUMP_LEDGER_RESPONSE__INIT;
    PB(LedgerEntry) * entries[PAGE_MAX];
    response.entries = entries;
    for (size_t i = 0; i < n; i++) {
        entries[response.n_entries] = ledger_entry(arena, &postings[i]);
        if (!entries[response.n_entries++]) {
            out_of_memory(dump->in);
            return;
        }
    }
    if (n == dump->limit)
        response.next_page_token = rpc_text(arena_printf(arena, "%lld", (long long)postings[n - 1].seq).ptr);
    if (response.next_page_token)
        rpc_reply(dump->in, &response.base);
    else
        out_of_memory(dump->in);
}

void sim_dump_ledger(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(DumpLedgerRequest) *request = (const void *)message;
    struct store_query query = {.table = &sim_ledger_table};
    if (!sim_control_begin(sim, in, message) || !wants_system(sim, in, request->system, request->trade_no, &query))
        return;
    struct sim_ledger_row after = {0};
    str_copy(str_c(request->system), after.system, sizeof after.system);
    if (*request->page_token) {
        struct error error = {0};
        if (!str_to_i64(str_c(request->page_token), &after.seq)) {
            error_field(&error, "page_token", "is none of ours");
            rpc_fail(in, &error, NULL);
            return;
        }
        query.after = &after;
    }
    start(sim, in, &query, request->page_size, answer_ledger);
}

// ---- Effects ---------------------------------------------------------------------------------------------------

static void answer_effects(struct dump *dump, const void *rows, size_t n) {
    const struct sim_effect_row *effects = rows;
    struct arena *arena = rpc_inbound_arena(dump->in);
    PB(DumpEffectsResponse) response = PARTICIPANT__SIM__V1__DUMP_EFFECTS_RESPONSE__INIT;
    PB(EffectEntry) * entries[PAGE_MAX];
    response.effects = entries;
    for (size_t i = 0; i < n; i++) {
        PB(EffectEntry) *entry = (void *)rpc_message_new(&participant__sim__v1__effect_entry__descriptor, arena);
        if (!entry) {
            out_of_memory(dump->in);
            return;
        }
        entry->system = rpc_text(effects[i].system);
        entry->key = rpc_text(effects[i].effect_key);
        entry->method = rpc_text(effects[i].method);
        entry->state = (PB(EffectState))effects[i].state;
        entry->gid = rpc_text(effects[i].gid);
        entry->step = rpc_text(effects[i].step);
        entry->trade_no = rpc_text(effects[i].trade_no);
        entry->at = timestamp(arena, effects[i].at_ms);
        entries[response.n_effects++] = entry;
    }
    if (n == dump->limit)
        response.next_page_token = rpc_text(effects[n - 1].effect_key);
    rpc_reply(dump->in, &response.base);
}

void sim_dump_effects(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(DumpEffectsRequest) *request = (const void *)message;
    struct store_query query = {.table = &sim_effects_table};
    if (!sim_control_begin(sim, in, message) || !wants_system(sim, in, request->system, request->trade_no, &query))
        return;
    struct sim_effect_row after = {0};
    str_copy(str_c(request->system), after.system, sizeof after.system);
    if (*request->page_token && str_copy(str_c(request->page_token), after.effect_key, sizeof after.effect_key))
        query.after = &after;
    start(sim, in, &query, request->page_size, answer_effects);
}

// ---- Counters --------------------------------------------------------------------------------------------------

void sim_dump_stats(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    (void)message;
    PB(GetStatsResponse) response = PARTICIPANT__SIM__V1__GET_STATS_RESPONSE__INIT;
    PB(SystemStats) systems[SIM_SYSTEMS], *pointers[SIM_SYSTEMS];
    for (unsigned i = 0; i < SIM_SYSTEMS; i++) {
        const struct sim_stats *stats = &sim->systems[i].stats;
        systems[i] = (PB(SystemStats))PARTICIPANT__SIM__V1__SYSTEM_STATS__INIT;
        systems[i].system = rpc_text(sim->systems[i].def->name);
        systems[i].calls = stats->calls;
        systems[i].effects = stats->effects;
        systems[i].compensations = stats->compensations;
        systems[i].rejections = stats->rejections;
        systems[i].repeats = stats->repeats;
        systems[i].changed_repeats = stats->changed_repeats;
        systems[i].empty_compensations = stats->empty_compensations;
        systems[i].late_actions = stats->late_actions;
        systems[i].took_effect_twice = stats->took_effect_twice;
        systems[i].faults_fired = stats->faults_fired;
        pointers[i] = &systems[i];
    }
    struct sim_system *payment = &sim->systems[SIM_PAYMENT];
    response.systems = pointers;
    response.n_systems = SIM_SYSTEMS;
    response.notifications_sent = sim_payment_state(payment)->sent;
    response.notifications_acknowledged = sim_payment_state(payment)->acknowledged;
    response.notifications_waiting = (int64_t)sim_count(payment, SIM_NOTES);
    rpc_reply(in, &response.base);
}
