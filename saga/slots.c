// Which slots are ours: everything of a slot is driven by the one instance that owns it.
#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

// Of a mark: by name, by incarnation, and how often a slot had come to its owner from the dead.
enum { CUT_OFF_BITS = 16, INCARNATION_BITS = 24, NAME_BITS = 23 };

int64_t slot_mark_of(const char *name, int64_t incarnation) {
    uint64_t who = str_hash(str_c(name)) >> (64 - NAME_BITS);
    uint64_t life = (uint64_t)incarnation % (1u << INCARNATION_BITS);
    return (int64_t)((who << INCARNATION_BITS | life) << CUT_OFF_BITS);
}

int64_t slot_mark(const struct saga_engine *engine, unsigned slot) {
    return engine->mark | engine->slots[slot].cut_off;
}

bool slot_left_in_order(const struct saga_engine *engine, unsigned slot, int64_t mark) {
    int64_t giver = engine->slots[slot].giver;
    return mark == slot_mark(engine, slot) || (giver && mark >> CUT_OFF_BITS == giver >> CUT_OFF_BITS);
}

bool slot_is_ours(const struct saga_engine *engine, unsigned slot) {
    return engine->slots[slot].state == SLOT_OURS;
}

bool slot_check(const struct saga_engine *engine, unsigned slot, struct error *error) {
    return slot_is_ours(engine, slot) || error_set(error, ERR_SLOT_ELSEWHERE, NULL);
}

void slot_use(struct saga_engine *engine, unsigned slot) {
    engine->slots[slot].users++;
}

void slot_unuse(struct saga_engine *engine, unsigned slot) {
    struct saga_slot *used = &engine->slots[slot];
    assert(used->users > 0);
    if (--used->users == 0 && used->state == SLOT_LEAVING)
        engine->slot_left = true;
}

void slot_own(struct saga_engine *engine, unsigned slot, int64_t giver) {
    struct saga_slot *owned = &engine->slots[slot];
    assert(owned->state == SLOT_AWAY && owned->users == 0);
    uint16_t cut_off = (uint16_t)(owned->cut_off + (giver == 0));
    *owned = (struct saga_slot){.state = SLOT_OURS, .giver = giver, .cut_off = cut_off};
    sentinel_watch(engine->sentinel, slot);
}

bool slot_has_left(const struct saga_engine *engine, unsigned slot) {
    return engine->slots[slot].state == SLOT_LEAVING && engine->slots[slot].users == 0;
}

void slot_away(struct saga_engine *engine, unsigned slot) {
    engine->slots[slot].state = SLOT_AWAY;
    if (engine->options.slot_left)
        engine->options.slot_left(engine->options.slot_left_ctx, slot);
    watches_leave(engine, slot);
}

// Those in memory are dropped as soon as nothing pins them; what they were at is taken up by the next owner. They are
// held while they are, because one that is dropped may take its parent along.
static void drop_residents(struct saga_engine *engine) {
    struct saga_resident **list = calloc(engine->residents.count + 1, sizeof *list);
    size_t n = 0;
    if (!list)
        abort();
    for (struct saga_resident *resident = engine->oldest; resident; resident = resident->newer) {
        if (slot_is_ours(engine, resident->slot) || resident->gone)
            continue;
        resident->lost = resident->gone = true;
        resident_pin(resident);
        list[n++] = resident;
    }
    for (size_t i = 0; i < n; i++)
        resident_unpin(list[i]);
    free(list);
}

void slots_leave(struct saga_engine *engine, const unsigned *slots, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert(slot_is_ours(engine, slots[i]));
        engine->slots[slots[i]].state = SLOT_LEAVING;
        sentinel_forget(engine->sentinel, slots[i]);
        engine->slot_left = true; // unless somebody uses it
    }
    drop_residents(engine);
    engine_refuse_turns(engine);
}

void slots_note(struct saga_engine *engine, const struct error *error) {
    unsigned slots[SLOT_COUNT];
    size_t n = 0;
    if (error->code != ERR_STORE_FENCED || engine->fenced || engine->stopped)
        return;
    engine->fenced = true;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (slot_is_ours(engine, slot))
            slots[n++] = slot;
    slots_leave(engine, slots, n);
    engine->slot_left = true;
    engine_notice(engine, SAGA_NOTICE_FENCED, NULL, NULL, SAGA_ACTION, NULL, error->text);
}

void slots_let_go(struct saga_engine *engine) {
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (slot_has_left(engine, slot))
            slot_away(engine, slot);
}

bool saga_engine_owns(const struct saga_engine *engine, unsigned slot) {
    return slot_is_ours(engine, slot);
}
