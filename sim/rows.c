#include "sim/world.h"

#include <assert.h>
#include <stdlib.h>

// What is before each row of a set. Rows are handed out as pointers to `row`.
struct sim_row {
    struct map_node node; // in the set, by the row's key
    struct heap_node due; // in the simulator's heap
    struct sim_set *set;
    bool made; // `made` has run
    _Alignas(16) unsigned char row[];
};

static struct sim_row *head_of(void *row) {
    return CONTAINER_OF(row, struct sim_row, row);
}

static const char *key_of(const struct store_table *table, const void *row) {
    return (const char *)row + table->columns[0].offset;
}

void *sim_find(struct sim_system *system, unsigned set, const char *key) {
    assert(set < system->def->n_sets);
    struct map_node *node = map_find(&system->sets[set].map, str_c(key));
    return node ? CONTAINER_OF(node, struct sim_row, node)->row : NULL;
}

static struct sim_row *join(struct sim_system *system, unsigned set_index) {
    assert(set_index < system->def->n_sets);
    struct sim_set *set = &system->sets[set_index];
    struct sim_row *head = calloc(1, sizeof *head + set->def->table->row_size);
    if (!head)
        abort();
    head->set = set;
    return head;
}

void *sim_make(struct sim_system *system, unsigned set_index, const char *key) {
    struct sim_row *head = join(system, set_index);
    const struct store_column *column = &head->set->def->table->columns[0];
    sim_copy((char *)head->row + column->offset, column->max + 1, key);
    map_insert(&head->set->map, &head->node, str_c(key_of(head->set->def->table, head->row)));
    return head->row;
}

void *sim_row_join(struct sim_system *system, unsigned set_index, const void *row) {
    struct sim_row *head = join(system, set_index);
    const struct sim_set_def *def = head->set->def;
    memcpy(head->row, row, def->table->row_size);
    map_insert(&head->set->map, &head->node, str_c(key_of(def->table, head->row)));
    head->made = true;
    if (def->made)
        def->made(system, head->row);
    int64_t at_ms = def->rearm ? def->rearm(system, head->row) : 0;
    if (at_ms > 0)
        sim_row_arm(head->row, at_ms);
    return head->row;
}

size_t sim_count(const struct sim_system *system, unsigned set) {
    assert(set < system->def->n_sets);
    return system->sets[set].map.count;
}

static void release_one(void *ctx, struct map_node *node) {
    struct sim *sim = ctx;
    struct sim_row *head = CONTAINER_OF(node, struct sim_row, node);
    heap_remove(&sim->due, &head->due);
    free(head);
}

struct visit {
    void (*visit)(void *ctx, void *row);
    void *ctx;
};

static void visit_one(void *ctx, struct map_node *node) {
    const struct visit *visit = ctx;
    visit->visit(visit->ctx, CONTAINER_OF(node, struct sim_row, node)->row);
}

void sim_each(struct sim_system *system, unsigned set, void (*visit)(void *ctx, void *row), void *ctx) {
    assert(set < system->def->n_sets);
    map_each(&system->sets[set].map, visit_one, &(struct visit){visit, ctx});
}

void sim_set_release(struct sim_set *set) {
    map_each(&set->map, release_one, set->system->sim);
    map_release(&set->map);
}

// ---- Time ------------------------------------------------------------------------------------------------------

// Nothing is due while rows are still being loaded: it would meet a world that is not whole, and change it.
static void set_timer(struct sim *sim) {
    struct heap_node *least = heap_least(&sim->due);
    if (least && sim->ready && !sim->stopped)
        sim->options.timers.set(sim->options.timers.ctx, &sim->timer, least->key);
}

void sim_rows_loaded(struct sim *sim) {
    set_timer(sim);
}

// Bounded, so that a thousand due rows don't keep the loop from its calls.
enum { DUE_ROUND_MAX = 256 };

void sim_rows_due(void *ctx) {
    struct sim *sim = ctx;
    int64_t now_ms = sim_now(sim);
    struct heap_node *least;
    for (int n = 0; n < DUE_ROUND_MAX && (least = heap_least(&sim->due)) && least->key <= now_ms; n++) {
        struct sim_row *head = CONTAINER_OF(least, struct sim_row, due);
        heap_remove(&sim->due, least);
        head->set->def->due(head->set->system, head->row);
    }
    set_timer(sim);
}

void sim_row_arm(void *row, int64_t at_ms) {
    struct sim_row *head = head_of(row);
    struct sim *sim = head->set->system->sim;
    assert(head->set->def->due);
    if (at_ms == INT64_MAX)
        heap_remove(&sim->due, &head->due);
    else
        heap_set(&sim->due, &head->due, at_ms);
    set_timer(sim);
}

void sim_row_hurry(void *row) {
    struct sim_row *head = head_of(row);
    if (head->due.place != 0)
        sim_row_arm(row, sim_now(head->set->system->sim));
}

// ---- In changes ------------------------------------------------------------------------------------------------

void sim_put(struct sim_change *change, void *row) {
    struct sim_row *head = head_of(row);
    assert(head->set->system == change->system);
    if (!head->made) {
        head->made = true;
        if (head->set->def->made)
            head->set->def->made(change->system, row);
    }
    sim_put_plain(change, head->set->def->table, row);
}

void sim_remove(struct sim_change *change, void *row) {
    struct sim_row *head = head_of(row);
    assert(head->set->system == change->system);
    sim_delete_plain(change, head->set->def->table, row);
    heap_remove(&change->system->sim->due, &head->due);
    map_remove(&head->set->map, &head->node);
    free(head);
}

void sim_world_put(struct sim_change *change, unsigned set, const void *row) {
    const struct store_table *table = change->system->def->sets[set].table;
    const char *key = (const char *)row + table->columns[0].offset;
    void *place = sim_find(change->system, set, key);
    if (!place)
        place = sim_make(change->system, set, key);
    memcpy(place, row, table->row_size);
    sim_put(change, place);
}
