// Several instances on one store: who is there, and whose slots are whose. Each renews its lease, looks at the others'
// rows, takes over what a dead one owned, and gives away what is more than its share.
//
// A slot has one owner at any time, because a live one gives it away itself, in a batch that its own incarnation
// fences, and after it has dropped everything that it knew of it; and a dead one's incarnation is raised in the
// transaction that moves its slots, so that nothing of it is committed later.
#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGES_MAX = 16, // of the instances' rows, which are never deleted
    NOBODY = -1,
    GIVE_MAX = 64,  // slots in a round
    ROUNDS = 4,     // in a lease
    MISSED_MAX = 2, // rounds; whoever is alive renews in between, also after the database's clock has jumped
    BACK_MS = 2000, // how much later than we others may be back after the database was away: their longest back-off
};

struct member {
    struct store_instance_row row;
    bool alive;
    bool takes;        // slots that it is given: it is alive, and not about to leave
    unsigned missed;   // rounds in a row in which its lease was over and had not moved
    int64_t missed_ms; // when the last one was counted
    unsigned slots;
    int place; // in the list that replaces this one
};

struct saga_members {
    struct saga_engine *engine;
    char me[STORE_INSTANCE_MAX + 1];
    char dead[STORE_INSTANCE_MAX + 1]; // who is being taken over from
    struct member *list;               // by name
    size_t n;
    struct store_instance_row *rows; // of the look that is under way
    size_t n_rows;
    unsigned pages;
    char lost[STORE_INSTANCE_MAX + 1]; // who owns slots, and had no row at the last look
    unsigned lost_missed;
    int owner[SLOT_COUNT];        // index into the list
    int heir[SLOT_COUNT];         // of those that we are leaving
    bool handed[SLOT_COUNT];      // to its heir, in the write that is under way
    bool ours_before[SLOT_COUNT]; // what the dead one that we are taking over from owned: its sagas were cut off
    int64_t next_ms;              // when the lease is renewed
    int64_t asked_ms;             // when it was last begun to be
    int64_t looked_ms;            // when the present look was begun
    int64_t back_ms;              // when our own lease was last renewed that had been over; 0: never
    bool renewing, reading, taking, giving, settled;
    uint32_t changes, changes_before; // to who owns what, by us: what was read before is out of date
    bool address_told;                // that somebody has ours, too
    bool leaving;                     // everything is to be given away
    saga_left_fn *left;               // and this to be told then
    void *left_ctx;
};

struct saga_members *members_new(struct saga_engine *engine) {
    struct saga_members *members = calloc(1, sizeof *members);
    struct store_identity identity;
    if (!members)
        abort();
    members->engine = engine;
    store_identity(engine->options.store, &identity);
    memcpy(members->me, identity.name, sizeof members->me);
    members->next_ms = INT64_MAX;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        members->owner[slot] = members->heir[slot] = NOBODY;
    return members;
}

void members_free(struct saga_members *members) {
    if (!members)
        return;
    free(members->list);
    free(members->rows);
    free(members);
}

static int64_t now_ms(const struct saga_members *members) {
    return clock_now_ms(members->engine->options.clock);
}

static int compare_name(const void *name, const void *member) {
    return strcmp(name, ((const struct member *)member)->row.name);
}

static int place_of(const struct member *list, size_t n, const char *name) {
    const struct member *found = n ? bsearch(name, list, n, sizeof *list, compare_name) : NULL;
    return found ? (int)(found - list) : NOBODY;
}

static int find(const struct saga_members *members, const char *name) {
    return place_of(members->list, members->n, name);
}

static bool is_me(const struct saga_members *members, int member) {
    return member != NOBODY && strcmp(members->list[member].row.name, members->me) == 0;
}

static void tell_failure(struct saga_members *members, const struct error *error) {
    if (!members->engine->stopped)
        engine_notice(members->engine, SAGA_NOTICE_MEMBERS_UNREAD, NULL, NULL, SAGA_ACTION, err_info(error->code)->name,
                      error->text);
}

// ---- Giving away --------------------------------------------------------------------------------------------------

// Not before it is known what comes of a taking-over: what it brings has to be given away, too.
static void tell_left(struct saga_members *members, const struct error *error) {
    saga_left_fn *left = members->left;
    if (members->taking)
        return;
    members->left = NULL;
    if (left)
        left(members->left_ctx, error);
}

static bool owns_any(const struct saga_members *members) {
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (members->engine->slots[slot].state != SLOT_AWAY)
            return true;
    return false;
}

static void given(void *ctx, const struct error *error) {
    struct saga_members *members = ctx;
    struct saga_engine *engine = members->engine;
    engine_enter(engine);
    members->giving = false;
    members->changes++;
    if (error)
        slots_note(engine, error);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (!members->handed[slot])
            continue;
        members->handed[slot] = false;
        if (engine->fenced)
            continue;
        slot_away(engine, slot);
        if (error && !engine->stopped)
            slot_own(engine, slot, members->engine->mark); // it is still ours
        else
            members->owner[slot] = members->heir[slot];
        members->heir[slot] = NOBODY;
    }
    members_give(members); // those that have left meanwhile
    if (error || !owns_any(members))
        tell_left(members, error);
    engine_exit(engine);
}

void members_give(struct saga_members *members) {
    struct saga_engine *engine = members->engine;
    struct store_write *write = NULL;
    if (members->giving || engine->fenced)
        return;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (members->heir[slot] == NOBODY || !slot_has_left(engine, slot))
            continue;
        struct store_slot_row row = {.slot = (int32_t)slot};
        memcpy(row.owner, members->list[members->heir[slot]].row.name, sizeof row.owner);
        members->handed[slot] = true;
        write = write ? write : store_write_new(engine->options.store);
        store_row(write, &store_slot_table, STORE_PUT, &row);
    }
    if (!write)
        return;
    members->giving = true;
    store_submit(engine->options.store, write, NULL, given, members);
}

// Leaves up to `most` of our slots to this member.
static unsigned leave_to(struct saga_members *members, int heir, unsigned most) {
    unsigned slots[SLOT_COUNT], n = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT && n < most; slot++)
        if (slot_is_ours(members->engine, slot)) {
            members->heir[slot] = heir;
            slots[n++] = slot;
        }
    slots_leave(members->engine, slots, n);
    return n;
}

static unsigned takers(const struct saga_members *members) {
    unsigned n = 0;
    for (size_t i = 0; i < members->n; i++)
        n += members->list[i].takes;
    return n;
}

// The one of them that has least, but for us.
static int neediest(const struct saga_members *members) {
    int best = NOBODY;
    for (size_t i = 0; i < members->n; i++) {
        const struct member *member = &members->list[i];
        if (member->takes && !is_me(members, (int)i) && (best == NOBODY || member->slots < members->list[best].slots))
            best = (int)i;
    }
    return best;
}

static bool is_leaving(const struct saga_members *members) {
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (members->heir[slot] != NOBODY)
            return true;
    return false;
}

// Gives what is above our share to those below theirs, some at a time.
static void balance(struct saga_members *members) {
    int me = find(members, members->me);
    if (me == NOBODY || is_leaving(members))
        return;
    unsigned share = SLOT_COUNT / takers(members), budget = GIVE_MAX;
    while (budget > 0) {
        int heir = neediest(members);
        struct member *mine = &members->list[me];
        if (heir == NOBODY || members->list[heir].slots >= share || mine->slots <= share)
            return;
        unsigned need = share - members->list[heir].slots, spare = mine->slots - share;
        unsigned n = need < spare ? need : spare;
        n = leave_to(members, heir, n < budget ? n : budget);
        if (n == 0)
            return;
        members->list[heir].slots += n;
        mine->slots -= n;
        budget -= n;
    }
}

// To all others in turn; when there is nobody they stay ours, and come back with us.
static void give_all(struct saga_members *members) {
    if (is_leaving(members))
        return;
    int heir;
    unsigned n = 1;
    while (n > 0 && (heir = neediest(members)) != NOBODY) {
        n = leave_to(members, heir, 1 + SLOT_COUNT / (8 * takers(members)));
        members->list[heir].slots += n;
    }
    if (!is_leaving(members))
        tell_left(members, NULL);
}

void saga_engine_hand_over(struct saga_engine *engine, saga_left_fn *done, void *ctx) {
    struct saga_members *members = engine->members;
    engine_enter(engine);
    if (!members) {
        done(ctx, NULL);
    } else {
        store_leave(engine->options.store);
        members->leaving = true;
        members->left = done;
        members->left_ctx = ctx;
        members->next_ms = now_ms(members);
    }
    engine_exit(engine);
}

// ---- Taking over --------------------------------------------------------------------------------------------------

static void tell_taken(struct saga_members *members) {
    members->engine->stats.taken_over++;
    engine_notice(members->engine, SAGA_NOTICE_TAKEN_OVER, NULL, NULL, SAGA_ACTION, NULL, members->dead);
}

static void taken(void *ctx, const struct error *error, bool took) {
    struct saga_members *members = ctx;
    engine_enter(members->engine);
    members->taking = false;
    members->changes++;
    members->next_ms = error ? members->next_ms : now_ms(members);
    if (error)
        tell_failure(members, error);
    else if (took) // the next round sees what is ours now
        tell_taken(members);
    engine_exit(members->engine);
}

static void take_over(struct saga_members *members) {
    for (size_t i = 0; i < members->n && !members->taking && !members->leaving; i++) {
        struct member *member = &members->list[i];
        if (member->missed < MISSED_MAX || member->slots == 0)
            continue;
        members->taking = true;
        memcpy(members->dead, member->row.name, sizeof members->dead);
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
            members->ours_before[slot] = members->ours_before[slot] || members->owner[slot] == (int)i;
        engine_notice(members->engine, SAGA_NOTICE_TAKING_OVER, NULL, NULL, SAGA_ACTION, NULL, member->row.name);
        store_take_over(members->engine->options.store, &member->row, taken, members);
    }
}

// ---- Looking ------------------------------------------------------------------------------------------------------

// A slot that was on its way to one whose row is gone.
static void keep_heirless(struct saga_members *members) {
    struct saga_engine *engine = members->engine;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (members->heir[slot] != NOBODY || members->handed[slot] || !slot_has_left(engine, slot))
            continue;
        slot_away(engine, slot);
        slot_own(engine, slot, engine->mark);
    }
}

static void found_again(void *ctx, const struct error *error) {
    struct saga_members *members = ctx;
    engine_enter(members->engine);
    if (error && error->code != ERR_STORE_CONFLICT) // then it is there
        tell_failure(members, error);
    engine_exit(members->engine);
}

// An owner without a row, which somebody has deleted, or which a backup did not hold: it gets one, as that of a dead
// one, and is taken over from like any other. Its incarnation is beyond all that it can have had, so that nothing of it
// is committed later.
static void see_lost(struct saga_members *members, const char *name) {
    struct saga_engine *engine = members->engine;
    members->lost_missed = strcmp(members->lost, name) == 0 ? members->lost_missed + 1 : 1;
    str_copy(str_c(name), members->lost, sizeof members->lost);
    if (!name[0] || members->lost_missed < MISSED_MAX)
        return;
    struct store_instance_row row = {.incarnation = now_ms(members) / 1000};
    str_copy(str_c(name), row.name, sizeof row.name);
    struct store_write *write = store_write_new(engine->options.store);
    store_row(write, &store_instance_table, STORE_INSERT, &row);
    store_submit(engine->options.store, write, NULL, found_again, members);
    members->lost[0] = '\0';
}

static void see_owner(struct saga_members *members, const struct store_slot_row *row) {
    struct saga_engine *engine = members->engine;
    unsigned slot = (unsigned)row->slot;
    int before = members->owner[slot], owner = row->owner[0] ? find(members, row->owner) : NOBODY;
    members->owner[slot] = owner;
    if (owner != NOBODY)
        members->list[owner].slots++;
    if (!is_me(members, owner) || engine->slots[slot].state != SLOT_AWAY)
        return;
    // What was ours when we started, or a dead one's, was cut off. What somebody gives us was left in order, but for
    // what that one had not yet taken up itself.
    bool given = members->settled && !members->ours_before[slot] && before != NOBODY;
    const struct store_instance_row *giver = given ? &members->list[before].row : NULL;
    slot_own(engine, slot, giver ? slot_mark_of(giver->name, giver->incarnation) : 0);
}

static void slots_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_members *members = ctx;
    struct saga_engine *engine = members->engine;
    const struct store_slot_row *row = rows;
    engine_enter(engine);
    members->reading = false;
    if (error) {
        tell_failure(members, error);
    } else if (members->changes != members->changes_before) {
        members->next_ms = now_ms(members);
    } else if (!engine->stopped && !engine->fenced) {
        for (size_t i = 0; i < members->n; i++)
            members->list[i].slots = 0;
        const char *lost = "";
        for (size_t i = 0; i < n; i++) {
            if (row[i].slot < 0 || row[i].slot >= SLOT_COUNT)
                continue;
            see_owner(members, &row[i]);
            if (row[i].owner[0] && members->owner[row[i].slot] == NOBODY)
                lost = row[i].owner;
        }
        see_lost(members, lost);
        keep_heirless(members);
        members->settled = true;
        // What a taking-over has brought is ours now; what it has not was not cut off by that.
        if (!members->taking)
            memset(members->ours_before, 0, sizeof members->ours_before);
        take_over(members);
        if (members->leaving)
            give_all(members);
        else
            balance(members);
    }
    engine_exit(engine);
}

// An address that two give for themselves leads to one of them: to ourselves, say, where it is "any".
static void check_address(struct saga_members *members) {
    int me = find(members, members->me);
    for (size_t i = 0; me != NOBODY && i < members->n && !members->address_told; i++) {
        const struct member *other = &members->list[i];
        if ((int)i == me || !other->alive || strcmp(other->row.address, members->list[me].row.address) != 0)
            continue;
        members->address_told = true;
        engine_notice(members->engine, SAGA_NOTICE_ADDRESS_SHARED, NULL, NULL, SAGA_ACTION, NULL, other->row.name);
    }
}

// One more round in which a member has not renewed its lease. Looks may come faster than rounds, and others may be back
// later than we when the database was away for all.
static void miss(const struct saga_members *members, const struct member *before, struct member *member) {
    int64_t lease_ms = members->engine->options.lease_ms, now = members->looked_ms;
    member->missed = before ? before->missed : 0;
    member->missed_ms = before ? before->missed_ms : 0;
    bool early = member->missed > 0 && now - member->missed_ms < lease_ms / ROUNDS;
    if (early || (members->back_ms && now - members->back_ms < lease_ms + BACK_MS))
        return;
    member->missed++;
    member->missed_ms = now;
}

// Our own lease ends at the latest at a lease after the database's clock as it was at our last commit: whose ended
// before that commit is dead.
static void see_members(struct saga_members *members) {
    const struct store_instance_row *rows = members->rows;
    size_t n = members->n_rows;
    struct member *list = calloc(n + 1, sizeof *list);
    if (!list)
        abort();
    int64_t now = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, members->me) == 0)
            now = rows[i].lease_until_ms - members->engine->options.lease_ms;
    for (size_t i = 0; i < n; i++) {
        int before = find(members, rows[i].name);
        bool alive = rows[i].lease_until_ms >= now;
        bool moved = before != NOBODY && members->list[before].row.lease_until_ms != rows[i].lease_until_ms;
        list[i] = (struct member){.row = rows[i], .alive = alive, .takes = alive && !rows[i].leaving};
        if (!alive && !moved)
            miss(members, before != NOBODY ? &members->list[before] : NULL, &list[i]);
    }
    struct member *old = members->list;
    for (size_t i = 0; i < members->n; i++)
        old[i].place = place_of(list, n, old[i].row.name);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        members->owner[slot] = members->owner[slot] == NOBODY ? NOBODY : old[members->owner[slot]].place;
        members->heir[slot] = members->heir[slot] == NOBODY ? NOBODY : old[members->heir[slot]].place;
    }
    free(old);
    members->list = list;
    members->n = n;
}

static void read_members(struct saga_members *members);

static void keep_rows(struct saga_members *members, const struct store_instance_row *rows, size_t n) {
    members->rows = realloc(members->rows, (members->n_rows + n + 1) * sizeof *rows);
    if (!members->rows)
        abort();
    if (n > 0)
        memcpy(members->rows + members->n_rows, rows, n * sizeof *rows);
    members->n_rows += n;
    members->pages++;
}

static void members_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_members *members = ctx;
    struct saga_engine *engine = members->engine;
    engine_enter(engine);
    if (error) {
        members->reading = false;
        tell_failure(members, error);
    } else if (!engine->stopped) {
        keep_rows(members, rows, n);
        if (n == STORE_LIMIT_MAX && members->pages < PAGES_MAX) {
            read_members(members);
            engine_exit(engine);
            return;
        }
        see_members(members);
        check_address(members);
        store_read(engine->options.store, &(struct store_query){.table = &store_slot_table, .limit = SLOT_COUNT},
                   slots_read, members);
    }
    engine_exit(engine);
}

static void read_members(struct saga_members *members) {
    const struct store_query query = {.table = &store_instance_table,
                                      .after = members->n_rows ? &members->rows[members->n_rows - 1] : NULL,
                                      .limit = STORE_LIMIT_MAX};
    store_read(members->engine->options.store, &query, members_read, members);
}

// Reads may be slow, or not be answered at all: no renewal waits for one.
static void look(struct saga_members *members) {
    if (members->reading)
        return;
    members->reading = true;
    members->changes_before = members->changes;
    members->looked_ms = now_ms(members);
    members->n_rows = members->pages = 0;
    read_members(members);
}

static void renewed(void *ctx, const struct error *error) {
    struct saga_members *members = ctx;
    struct saga_engine *engine = members->engine;
    engine_enter(engine);
    members->renewing = false;
    members->next_ms = now_ms(members) + engine->options.lease_ms / ROUNDS;
    if (error)
        slots_note(engine, error);
    if (now_ms(members) - members->asked_ms >= engine->options.lease_ms)
        members->back_ms = now_ms(members);
    if (!error && !engine->stopped) {
        calls_send_withheld(engine);
        look(members);
    }
    engine_exit(engine);
}

// ---- Time ---------------------------------------------------------------------------------------------------------

void members_start(struct saga_members *members) {
    members->next_ms = now_ms(members);
}

int64_t members_due(const struct saga_members *members) {
    return members->renewing || members->engine->fenced || members->engine->stopped ? INT64_MAX : members->next_ms;
}

void members_tick(struct saga_members *members, int64_t now) {
    struct saga_engine *engine = members->engine;
    if (members_due(members) > now)
        return;
    members->renewing = true;
    members->asked_ms = now;
    if (store_lease_left_ms(engine->options.store) == 0)
        members->back_ms = now;
    struct store_write *write = store_write_new(engine->options.store);
    store_write_renews(write);
    store_submit(engine->options.store, write, NULL, renewed, members);
}

// ---- Asking -------------------------------------------------------------------------------------------------------

bool saga_engine_settled(const struct saga_engine *engine) {
    return !engine->members || engine->members->settled;
}

const char *saga_engine_owner(const struct saga_engine *engine, unsigned slot) {
    const struct saga_members *members = engine->members;
    int owner = members ? members->owner[slot] : NOBODY;
    if (owner == NOBODY || engine->fenced || is_me(members, owner) || !members->list[owner].alive)
        return NULL;
    return members->list[owner].row.address;
}

void saga_engine_look(struct saga_engine *engine) {
    engine_enter(engine);
    if (engine->members && !engine->members->reading)
        engine->members->next_ms = now_ms(engine->members);
    engine_exit(engine);
}
