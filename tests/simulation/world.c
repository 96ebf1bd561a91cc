#include "tests/simulation/world.h"

#include "base/id.h"
#include "tests/simulation/books.h"
#include "tests/simulation/center.h"
#include "tests/simulation/client.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/estate.h"
#include "tests/simulation/network.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/watch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BACK_MS = 100,         // until a process that died is started again
    STALE_MS = 3000,       // how long one whose name was taken lives on
    CALM_MS = 1800 * 1000, // within which everything must end once the faults have stopped
    HELP_MS = 2000,        // between two rounds of the operators
    LATE_MS = 30000,       // after which nothing is on its way any more
    TIDY_MS = 30000,       // within which a process has looked at everything after its start
    LOOKS = 6,
    EVENTS_MAX = 400000,
};
#define BEGINNING_MS INT64_C(1700000000000)

struct world *world_now;

// ---- Telling ------------------------------------------------------------------------------------------------------

int64_t world_now_ms(void) {
    return world_now->time.now_ms - BEGINNING_MS;
}

void world_trace(const char *who, const char *format, ...) {
    char text[TRACE_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    trace_line(&world_now->trace, world_now_ms(), who, "%s", text);
}

void world_broken(const char *rule, const char *format, ...) {
    struct report *report = world_now->report;
    va_list args;
    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
    snprintf(report->rule, sizeof report->rule, "%s", rule);
    world_trace("", "BROKEN [%s] %s", report->rule, report->text);
    trace_tail(&world_now->trace, report->tail, sizeof report->tail);
    report->broken = true;
    fflush(NULL);
    _exit(EXIT_BROKEN);
}

const char *world_short(const char *gid) {
    const char *slash = strchr(gid, '/');
    return slash ? slash + 1 : gid;
}

enum fate world_fate(uint64_t number) {
    uint64_t place = number % 1000;
    for (int fate = FATE_FINE + 1; fate < FATES; fate++) {
        if (place < world_now->shape->fates[fate])
            return (enum fate)fate;
        place -= world_now->shape->fates[fate];
    }
    return FATE_FINE;
}

struct saga_traits world_saga(uint32_t k) {
    struct seeded dice = draw_stream(world_now->seed, "saga", k);
    struct saga_traits traits = {.flow = (uint8_t)seeded_below(&dice, world_now->flows.n_names), .subject = -1};
    if (draw_chance(&dice, 70) || world_now->shape->estate)
        traits.subject = (int32_t)seeded_below(&dice, world_now->shape->subjects);
    if (world_now->shape->siege)
        traits.flow = FLOW_SIEGE;
    if (traits.flow == FLOW_REFUND || k == 0)
        traits.flow = FLOW_TRANSFER;
    traits.amount = (int64_t)draw_between(&dice, 1, 999);
    return traits;
}

// ---- Instances ----------------------------------------------------------------------------------------------------

static void restart(void *arg) {
    unsigned name = (unsigned)(uintptr_t)arg;
    if (!world_now->current[name] && !center_start(name, false))
        world_now->time.scheduler.later(&world_now->time, BACK_MS, restart, arg);
}

static void restart_later(unsigned name, int64_t delay_ms) {
    world_now->time.scheduler.later(&world_now->time, delay_ms, restart, (void *)(uintptr_t)name);
}

// Takes away who died.
static void reap(void) {
    for (struct center *center = world_now->centers, *next; center; center = next) {
        next = center->next;
        if (!center->dying && !center->closes)
            continue;
        bool current = center_is_current(center), closes = center->closes, older = center->becomes_older;
        unsigned name = center->name;
        int64_t back_ms = center->back_ms ? center->back_ms : BACK_MS;
        (closes ? center_close : center_kill)(center);
        if (current && !(older && !world_now->calm && center_start(name, true)))
            restart_later(name, back_ms);
    }
}

// ---- Items --------------------------------------------------------------------------------------------------------

static void end_weather(void *arg) {
    (void)arg;
    world_now->weather = (struct weather){0};
}

static void end_outage(void *arg) {
    network_participant_returns((unsigned)(uintptr_t)arg);
}

static void end_store_trouble(void *arg) {
    switch ((enum store_trouble)(uintptr_t)arg) {
    case STORE_AWAY: world_now->store_weather.away--; break;
    case STORE_IS_FULL: world_now->store_weather.full--; break;
    case STORE_SLOW: world_now->store_weather.slow--; break;
    case STORE_BLIND: world_now->store_weather.blind--; break;
    case STORE_CROWDED: world_now->store_weather.crowded_percent = 0; break;
    case STORE_ODD: world_now->store_weather.odd_percent = 0; break;
    default: break;
    }
}

static void begin_store_trouble(const struct item *item) {
    switch ((enum store_trouble)item->a) {
    case STORE_AWAY: world_now->store_weather.away++; break;
    case STORE_IS_FULL: world_now->store_weather.full++; break;
    case STORE_SLOW: world_now->store_weather.slow++; break;
    case STORE_BLIND: world_now->store_weather.blind++; break;
    case STORE_CROWDED: world_now->store_weather.crowded_percent = item->b; break;
    case STORE_ODD: world_now->store_weather.odd_percent = item->b; break;
    default:
        world_now->store_weather.unknown = item->a;
        world_now->store_weather.pending_lands = item->c;
        return;
    }
    world_now->time.scheduler.later(&world_now->time, item->for_ms, end_store_trouble, (void *)(uintptr_t)item->a);
}

static void end_stale(void *arg) {
    unsigned life = (unsigned)(uintptr_t)arg / SIM_NAMES_MAX, name = (unsigned)(uintptr_t)arg % SIM_NAMES_MAX;
    for (struct center *center = world_now->centers; center; center = center->next)
        if (center->life == life && center->name == name)
            center_die(center, "because its name was taken");
}

static void take_name(void *arg) {
    unsigned name = (unsigned)(uintptr_t)arg;
    struct center *old = world_now->current[name];
    // Only while the other one stands still.
    if (!old || old->dying || old->paused_until_ms <= world_now->time.now_ms || !center_start(name, false))
        return;
    world_now->time.scheduler.later(&world_now->time, old->paused_until_ms - world_now->time.now_ms + STALE_MS,
                                    end_stale, (void *)(uintptr_t)(old->life * SIM_NAMES_MAX + name));
}

static void hurt(struct center *center, const struct item *item) {
    center->back_ms = item->for_ms;
    switch (item->kind) {
    case ITEM_CRASH:
        if (item->a == DIE_NOW) {
            center_die(center, "just so");
        } else {
            center->death = (enum death)item->a;
            center->death_countdown = item->b;
        }
        break;
    case ITEM_CLOSE:
    case ITEM_ROLLBACK: center_leave_slots(center, item->kind == ITEM_ROLLBACK); break;
    default:
        center_pause(center, item->for_ms);
        if (item->b)
            world_now->time.scheduler.later(&world_now->time, item->c, take_name, (void *)(uintptr_t)center->name);
        break;
    }
}

static void happen(void *ctx) {
    const struct item *item = ctx;
    uint32_t number = (uint32_t)(item - world_now->plan->items);
    struct center *center = NULL;
    char text[200];
    if (world_now->calm)
        return;
    plan_describe(world_now->plan, number, text, sizeof text);
    world_trace("plan", "%s", text);
    switch (item->kind) {
    case ITEM_WEATHER:
        world_now->weather = (struct weather){item->a, item->b, item->c};
        world_now->time.scheduler.later(&world_now->time, item->for_ms, end_weather, NULL);
        break;
    case ITEM_OUTAGE:
        network_participant_dies(item->target, item->a);
        world_now->time.scheduler.later(&world_now->time, item->for_ms, end_outage, (void *)(uintptr_t)item->target);
        break;
    case ITEM_STORE: begin_store_trouble(item); break;
    case ITEM_OPERATOR: world_now->operators = item; break;
    case ITEM_HOLD: operator_hold(item, number); break;
    case ITEM_LURKER: lurker_begin(item, number); break;
    case ITEM_JUMP:
        world_now->jumped = world_now->jumped || !item->a;
        *(item->a ? &world_now->database_offset_ms : &world_now->wall_offset_ms) += item->delta_ms;
        break;
    case ITEM_CRASH:
    case ITEM_CLOSE:
    case ITEM_PAUSE:
    case ITEM_ROLLBACK:
        center = world_now->current[item->target];
        if (center && !center->dying && center->paused_until_ms <= world_now->time.now_ms)
            hurt(center, item);
        break;
    default: client_begin(item, number); break;
    }
}

// ---- Playing ------------------------------------------------------------------------------------------------------

static bool step(void) {
    bool did = virtual_time_step(&world_now->time);
    reap();
    watch_step();
    if (++world_now->tally.events == EVENTS_MAX)
        world_broken("liveness", "it has been busy for %d events", EVENTS_MAX);
    return did;
}

static void set_flag(void *arg) {
    *(bool *)arg = true;
}

static void run_for(int64_t ms) {
    bool over = false;
    struct rpc_timer end = {.fire = set_flag, .ctx = &over};
    world_now->time.timers.set(&world_now->time, &end, world_now->time.now_ms + ms);
    while (!over)
        step();
}

// The faults stop. Who is behind the times starts again; the others must go on from where they are.
static void become_calm(void) {
    struct seeded dice = draw_stream(world_now->seed, "calm", 0);
    world_trace("plan", "everything becomes calm");
    world_now->calm = true;
    world_now->weather = (struct weather){0};
    world_now->wall_offset_ms = 0;
    for (struct center *center = world_now->centers; center; center = center->next) {
        center->paused_until_ms = 0;
        if (!center_is_current(center))
            center_die(center, "because its name was taken");
    }
    for (unsigned name = 0; name < world_now->shape->names; name++) {
        struct center *center = world_now->current[name];
        if (center && (center->older || center->wall_offset_ms != 0 || draw_chance(&dice, 40)))
            center_die(center, "to start afresh");
    }
    reap();
    for (unsigned name = 0; name < world_now->shape->names; name++)
        restart((void *)(uintptr_t)name);
}

static void note_end(int64_t ended_ms) {
    if (ended_ms > world_now->last_end_ms)
        world_now->last_end_ms = ended_ms;
}

static void note_saga(const struct saga_row *row) {
    note_end(row->ended_ms);
    note_end(row->created_ms); // perhaps by another clock
}

// What began or ended by a clock that was ahead is kept until the others have come that far: now they have.
static void catch_up(void) {
    struct store_query query = {.table = &sim_subject_table, .limit = STORE_LIMIT_MAX};
    size_t n;
    durable_each_saga(note_saga);
    const struct sim_subject_row *subjects = durable_rows(&query, &n);
    for (size_t i = 0; i < n; i++)
        note_end(subjects[i].closed_ms);
    int64_t behind_ms = world_now->last_end_ms - world_now->time.now_ms;
    world_now->wall_offset_ms = behind_ms > 0 ? behind_ms : 0;
}

static void come_to_rest(void) {
    int64_t until_ms = world_now->time.now_ms + CALM_MS, help_ms = world_now->time.now_ms + HELP_MS;
    while (!books_are_closed() || !clients_are_done()) {
        if (world_now->time.now_ms >= help_ms) {
            books_help();
            help_ms += HELP_MS;
        }
        if (world_now->time.now_ms > until_ms) {
            char open[REPORT_TEXT_MAX / 2];
            books_describe_open(open, sizeof open);
            world_broken("liveness", "half an hour after the faults have stopped not everything has ended: %s",
                         open[0] ? open : "a caller has no answer");
        }
        run_for(500);
    }
    run_for(LATE_MS);
    watch_balance();
    catch_up();
    // A process goes through everything soon after its start, and later seldom; what waits for another needs two looks.
    for (unsigned looks = 0; !watch_is_tidy(looks == LOOKS); looks++) {
        for (struct center *center = world_now->centers; center; center = center->next)
            center_die(center, "to look at everything again");
        run_for(TIDY_MS);
    }
}

// ---- Making and unmaking ------------------------------------------------------------------------------------------

static uint64_t next_of(void *ctx) {
    return seeded_next(ctx);
}

static void name_everything(struct world *world) {
    struct seeded dice = draw_stream(world->seed, "names", 0);
    char id[ID_LEN + 1];
    for (uint32_t i = 0; i < PLAN_SUBJECTS_MAX; i++)
        id_make(BEGINNING_MS, (unsigned)seeded_below(&dice, SLOT_COUNT), next_of, &dice, world->subjects[i]);
    for (uint32_t k = 0; k < PLAN_SAGAS_MAX; k++) {
        int32_t subject = world_saga(k).subject;
        id_make(BEGINNING_MS, (unsigned)seeded_below(&dice, SLOT_COUNT), next_of, &dice, id);
        snprintf(world->gids[k], sizeof world->gids[k], "%s/s%u", subject < 0 ? id : world->subjects[subject], k);
    }
}

static int64_t database_now(void *ctx) {
    const struct world *world = ctx;
    return world->time.now_ms + world->database_offset_ms;
}

static void make(struct world *world, const struct plan *plan) {
    static const struct store_table *const own_tables[] = {&sim_subject_table, &sim_entry_table, &sim_payment_table,
                                                           &sim_mark_table, NULL};
    struct error error = {0};
    world->seed = plan->seed;
    world->plan = plan;
    world->shape = &plan->shape;
    sim_flows_make(&world->flows, plan->seed, plan->shape.estate ? &sim_estate : NULL);
    name_everything(world);
    saga_tables_add(world->tables, SIM_TABLES_MAX - 1, saga_tables);
    saga_tables_add(world->tables, SIM_TABLES_MAX - 1, own_tables);
    virtual_time_init(&world->time, BEGINNING_MS);
    arena_init(&world->view_rows, SIZE_MAX);
    world->disk = store_memory();
    world->database_clock = (struct clock){world, database_now};
    store_memory_clock(world->disk, &world->database_clock);
    memset(world->owners, SIM_NOBODY, sizeof world->owners);
    for (uint32_t i = 0; i < plan->n; i++) {
        world->timers[i] = (struct rpc_timer){.fire = happen, .ctx = (void *)(uintptr_t)&plan->items[i]};
        if (!plan->left_out[i])
            world->time.timers.set(&world->time, &world->timers[i], BEGINNING_MS + plan->items[i].at_ms);
    }
    if (!world->disk->ops->connect(world->disk, false, &world->view, &error))
        abort();
    for (unsigned name = 0; name < plan->shape.names; name++)
        center_start(name, false);
}

static void unmake(struct world *world) {
    while (world->centers)
        center_kill(world->centers);
    network_release();
    clients_release();
    ledger_release(&world->ledger);
    virtual_time_release(&world->time);
    world->view->ops->close(world->view);
    store_backend_free(world->disk);
    arena_release(&world->view_rows);
}

void world_play(const struct plan *plan, enum plant plant, FILE *out, struct report *report, struct tally *ret_tally,
                uint64_t *ret_digest) {
    struct world *world = calloc(1, sizeof *world);
    if (!world)
        abort();
    world_now = world;
    world->plant = plant;
    world->report = report;
    world->trace.out = out;
    report->seed = plan->seed;
    make(world, plan);
    run_for(plan->shape.chaos_ms);
    become_calm();
    come_to_rest();
    books_check();
    world->tally.seeds = 1;
    world->tally.virtual_ms = (uint64_t)world_now_ms();
    unmake(world);
    *ret_tally = world->tally;
    *ret_digest = world->trace.digest;
    world_now = NULL;
    free(world);
}
