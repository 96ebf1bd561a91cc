#include "tests/simulation/disk.h"

#include "tests/simulation/center.h"
#include "tests/simulation/lurker.h"
#include "tests/simulation/watch.h"
#include "tests/simulation/world.h"

#include <stdlib.h>
#include <string.h>

struct disk {
    struct store_backend base;
    struct store_backend *inner;
    struct center *center;
    // A commit whose connection was lost while it was under way: it ends when its instance is claimed again, or dies.
    struct pending {
        bool there;
        struct backend_fence fence;
        const struct store_op *ops;
        size_t n;
    } pending;
    // The commit that was begun and not waited for, between its seal and its end.
    struct sealed {
        struct backend_fence fence;
        const struct store_op *ops;
        size_t n;
        bool took_place; // already; else at its end
        uint32_t unknown;
    } sealed;
    const struct store_op *staged;
    size_t n_staged;
    struct backend_conn *writer;
};

struct disk_conn {
    struct backend_conn base;
    struct backend_conn *inner;
    struct disk *disk;
    bool writes;
};

static enum backend_result fault(enum backend_result result, enum err code, struct error *error) {
    error_set(error, code, "a fault that was drawn");
    return result;
}

static bool happens(struct disk *disk, uint32_t percent) {
    return percent > 0 && draw_chance(&disk->center->dice, percent);
}

// ---- Committing ---------------------------------------------------------------------------------------------------

static enum backend_result really_commit(struct disk *disk, const struct backend_fence *fence,
                                         const struct store_op *ops, size_t n, struct error *error) {
    struct backend_fence as = *fence;
    if (world_now->plant == PLANT_UNFENCED)
        as.incarnation = world_now->incarnations[disk->center->name];
    struct arena spoilt;
    arena_init(&spoilt, SIZE_MAX);
    if (world_now->plant == PLANT_TORN && n > 4)
        n -= 2;
    if (world_now->plant == PLANT_AMNESIA)
        ops = plant_forget(ops, n, &spoilt);
    watch_commit(disk->center, fence, ops, n);
    if (world_now->plant == PLANT_ROLLBACK && seeded_below(&disk->center->dice, 40) == 0)
        n = 0;
    enum backend_result result = disk->writer->ops->commit(disk->writer, &as, ops, n, error);
    if (result == BACKEND_OK)
        watch_committed();
    else
        watch_rolled_back(error->text);
    arena_release(&spoilt);
    return result;
}

void disk_settle(struct disk *disk) {
    if (!disk->pending.there)
        return;
    disk->pending.there = false;
    struct error ignored = {0};
    bool lands = world_now->store_weather.pending_lands;
    world_trace(center_name(disk->center), "what was under way %s", lands ? "took place" : "did not take place");
    if (lands)
        really_commit(disk, &disk->pending.fence, disk->pending.ops, disk->pending.n, &ignored);
}

// What happens to this commit instead of taking place; BACKEND_OK: nothing does.
static enum backend_result commit_fault(struct disk *disk, const struct store_op *ops, size_t n, struct error *error) {
    if (disk->center->dying)
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    if (center_dies_at(disk->center, DIE_BEFORE_COMMIT)) {
        center_die(disk->center, "before a commit");
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    }
    if (world_now->calm)
        return BACKEND_OK;
    if (world_now->store_weather.away || happens(disk, world_now->store_weather.crowded_percent))
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    if (world_now->store_weather.full)
        return fault(BACKEND_FULL, ERR_STORE_FULL, error);
    if (happens(disk, world_now->store_weather.odd_percent) || lurkers_refuse(ops, n))
        return fault(BACKEND_REFUSED, ERR_STORE_REFUSED, error);
    return BACKEND_OK;
}

// What is to be lost of the next commit, if anything.
static uint32_t take_unknown(void) {
    uint32_t unknown = world_now->calm ? 0 : world_now->store_weather.unknown;
    world_now->store_weather.unknown = 0;
    return unknown;
}

// The commit takes place, or does not, or does later.
static enum backend_result land(struct disk *disk, uint32_t unknown, const struct backend_fence *fence,
                                const struct store_op *ops, size_t n, struct error *error) {
    if (unknown == STORE_LOST)
        return fault(BACKEND_COMMIT_UNKNOWN, ERR_STORE_UNAVAILABLE, error);
    if (unknown == STORE_PENDING) {
        disk->pending = (struct pending){true, *fence, ops, n};
        return fault(BACKEND_COMMIT_UNKNOWN, ERR_STORE_UNAVAILABLE, error);
    }
    return really_commit(disk, fence, ops, n, error);
}

// It took place: whether the center hears of that.
static enum backend_result heard(struct disk *disk, uint32_t unknown, struct error *error) {
    if (center_dies_at(disk->center, DIE_AFTER_COMMIT))
        center_die(disk->center, "after a commit");
    if (unknown == STORE_LANDED)
        return fault(BACKEND_COMMIT_UNKNOWN, ERR_STORE_UNAVAILABLE, error);
    return BACKEND_OK;
}

static enum backend_result disk_commit(struct backend_conn *base, const struct backend_fence *fence,
                                       const struct store_op *ops, size_t n, struct error *error) {
    struct disk *disk = ((struct disk_conn *)base)->disk;
    enum backend_result result = commit_fault(disk, ops, n, error);
    if (result != BACKEND_OK)
        return result;
    uint32_t unknown = take_unknown();
    result = land(disk, unknown, fence, ops, n, error);
    return result == BACKEND_OK ? heard(disk, unknown, error) : result;
}

// ---- In steps -----------------------------------------------------------------------------------------------------

static void disk_drop(struct backend_conn *base) {
    struct disk_conn *conn = (struct disk_conn *)base;
    conn->disk->staged = NULL;
    conn->inner->ops->drop(conn->inner);
}

static enum backend_result disk_stage(struct backend_conn *base, const struct store_op *ops, size_t n, bool *ret_more,
                                      struct error *error) {
    struct disk_conn *conn = (struct disk_conn *)base;
    struct disk *disk = conn->disk;
    bool fails = world_now->store_weather.away || happens(disk, world_now->store_weather.crowded_percent / 4);
    if (disk->center->dying || (fails && !world_now->calm))
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    enum backend_result result = conn->inner->ops->stage(conn->inner, ops, n, ret_more, error);
    if (result == BACKEND_OK) {
        disk->staged = ops;
        disk->n_staged = n;
    }
    return result;
}

// It takes place at once, or at its end: whatever is staged meanwhile must not depend on that.
static enum backend_result disk_seal(struct backend_conn *base, const struct backend_fence *fence,
                                     struct error *error) {
    struct disk *disk = ((struct disk_conn *)base)->disk;
    struct sealed *sealed = &disk->sealed;
    *sealed = (struct sealed){.fence = *fence, .ops = disk->staged, .n = disk->n_staged};
    disk_drop(base);
    enum backend_result result = commit_fault(disk, sealed->ops, sealed->n, error);
    if (result != BACKEND_OK)
        return result;
    sealed->unknown = take_unknown();
    sealed->took_place = sealed->unknown == 0 && draw_chance(&disk->center->dice, 50);
    return sealed->took_place ? really_commit(disk, fence, sealed->ops, sealed->n, error) : BACKEND_OK;
}

static enum backend_result disk_finish(struct backend_conn *base, struct error *error) {
    struct disk *disk = ((struct disk_conn *)base)->disk;
    const struct sealed *sealed = &disk->sealed;
    enum backend_result result =
        sealed->took_place ? BACKEND_OK : land(disk, sealed->unknown, &sealed->fence, sealed->ops, sealed->n, error);
    return result == BACKEND_OK ? heard(disk, sealed->unknown, error) : result;
}

// ---- Reading ------------------------------------------------------------------------------------------------------

static enum backend_result disk_read(struct backend_conn *base, const struct store_query *query, struct arena *arena,
                                     void **ret_rows, size_t *ret_n, struct error *error) {
    struct disk_conn *conn = (struct disk_conn *)base;
    bool fails = world_now->store_weather.away || world_now->store_weather.blind ||
                 happens(conn->disk, world_now->store_weather.crowded_percent / 4);
    if (fails && !world_now->calm)
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    if (query->table == &participant_table)
        limits_read(conn->disk->center);
    return conn->inner->ops->read(conn->inner, query, arena, ret_rows, ret_n, error);
}

static bool disk_revive(struct backend_conn *base, struct error *error) {
    if (world_now->store_weather.away && !world_now->calm)
        return error_set(error, ERR_STORE_UNAVAILABLE, "away");
    struct backend_conn *inner = ((struct disk_conn *)base)->inner;
    return inner->ops->revive(inner, error);
}

static void disk_close(struct backend_conn *base) {
    struct disk_conn *conn = (struct disk_conn *)base;
    if (conn->writes)
        conn->disk->pending.there = false; // its rows are gone: it is defeated
    conn->inner->ops->close(conn->inner);
    free(conn);
}

static const struct backend_conn_ops conn_ops = {
    .commit = disk_commit,
    .stage = disk_stage,
    .seal = disk_seal,
    .finish = disk_finish,
    .drop = disk_drop,
    .read = disk_read,
    .revive = disk_revive,
    .close = disk_close,
};

// ---- Opening ------------------------------------------------------------------------------------------------------

static bool disk_connect(struct store_backend *base, bool for_writing, struct backend_conn **ret_conn,
                         struct error *error) {
    struct disk *disk = (struct disk *)base;
    struct disk_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        abort();
    *conn = (struct disk_conn){.base = {&conn_ops}, .disk = disk, .writes = for_writing};
    if (!disk->inner->ops->connect(disk->inner, for_writing, &conn->inner, error)) {
        free(conn);
        return false;
    }
    if (for_writing)
        disk->writer = conn->inner;
    *ret_conn = &conn->base;
    return true;
}

static bool disk_migrate(struct store_backend *base, const struct store_table *const *tables, struct error *error) {
    struct disk *disk = (struct disk *)base;
    if (world_now->store_weather.away && !world_now->calm)
        return error_set(error, ERR_STORE_UNAVAILABLE, "away");
    return disk->inner->ops->migrate(disk->inner, tables, error);
}

// Whoever raises an incarnation finishes or defeats what the older one has under way.
static void settle_all(unsigned name) {
    for (struct center *center = world_now->centers; center; center = center->next)
        if (center->name == name && center->disk)
            disk_settle(center->disk);
}

static enum backend_result disk_claim(struct store_backend *base, const struct backend_claim *claim,
                                      struct store_identity *ret_identity, struct error *error) {
    struct disk *disk = (struct disk *)base;
    bool crowded = happens(disk, world_now->store_weather.crowded_percent);
    if ((world_now->store_weather.away || crowded || disk->center->dying) && !world_now->calm)
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    settle_all(disk->center->name);
    enum backend_result result = disk->inner->ops->claim(disk->inner, claim, ret_identity, error);
    if (result == BACKEND_OK)
        watch_claimed(disk->center, ret_identity->incarnation);
    return result;
}

static enum backend_result disk_take_over(struct store_backend *base, const struct backend_take_over *from,
                                          bool *ret_taken, struct error *error) {
    struct disk *disk = (struct disk *)base;
    bool crowded = happens(disk, world_now->store_weather.crowded_percent);
    if ((world_now->store_weather.away || crowded || disk->center->dying) && !world_now->calm)
        return fault(BACKEND_AGAIN, ERR_STORE_UNAVAILABLE, error);
    settle_all((unsigned)(from->dead[1] - '0'));
    enum backend_result result = disk->inner->ops->take_over(disk->inner, from, ret_taken, error);
    if (result == BACKEND_OK && *ret_taken)
        watch_taken_over(disk->center, (unsigned)(from->dead[1] - '0'), from->incarnation + 1);
    return result;
}

static void disk_free(struct store_backend *base) {
    struct disk *disk = (struct disk *)base;
    store_backend_free(disk->inner);
    free(disk);
}

static const struct store_backend_ops backend_ops = {
    .name = "simulated",
    .shared = true,
    .connect = disk_connect,
    .migrate = disk_migrate,
    .claim = disk_claim,
    .take_over = disk_take_over,
    .free = disk_free,
};

struct store_backend *disk_new(struct store_backend *inner, struct center *center) {
    struct disk *disk = calloc(1, sizeof *disk);
    if (!disk)
        abort();
    *disk = (struct disk){.base = {&backend_ops}, .inner = inner, .center = center};
    center->disk = disk;
    return &disk->base;
}
