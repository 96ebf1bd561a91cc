#include "saga/watch.h"

#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

// One saga that is watched.
struct saga_watched {
    struct map_node node; // by gid
    struct saga_engine *engine;
    struct saga_watch *first;
    uint32_t n;
    char gid[SAGA_GID_MAX + 1];
};

static struct saga_watched *find(const struct saga_engine *engine, struct str gid) {
    struct map_node *node = map_find(&engine->watched, gid);
    return node ? CONTAINER_OF(node, struct saga_watched, node) : NULL;
}

static struct saga_watched *watched_new(struct saga_engine *engine, struct str gid) {
    struct saga_watched *watched = calloc(1, sizeof *watched);
    if (!watched)
        abort();
    watched->engine = engine;
    bool fits = str_copy(gid, watched->gid, sizeof watched->gid);
    assert(fits); // whoever watches has looked at the gid
    map_insert(&engine->watched, &watched->node, str_c(watched->gid));
    return watched;
}

void saga_watch(struct saga_engine *engine, struct str gid, struct saga_watch *watch) {
    assert(!watch->of);
    struct saga_watched *watched = find(engine, gid);
    if (!watched)
        watched = watched_new(engine, gid);
    watch->of = watched;
    watch->next = watched->first;
    watch->link = &watched->first;
    if (watch->next)
        watch->next->link = &watch->next;
    watched->first = watch;
    watched->n++;
}

void saga_unwatch(struct saga_watch *watch) {
    struct saga_watched *watched = watch->of;
    if (!watched)
        return;
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    watch->of = NULL;
    if (--watched->n > 0)
        return;
    map_remove(&watched->engine->watched, &watched->node);
    free(watched);
}

uint32_t saga_watches(const struct saga_engine *engine, struct str gid) {
    const struct saga_watched *watched = find(engine, gid);
    return watched ? watched->n : 0;
}

static void tell(const struct saga_watched *watched, const struct saga_row *row, const struct saga_instance *saga) {
    for (struct saga_watch *watch = watched->first, *next; watch; watch = next) {
        next = watch->next; // the last one to leave takes `watched` along
        watch->changed(watch->ctx, row, saga);
    }
}

void watch_tell(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    if (engine->watched.count == 0)
        return;
    struct saga_watched *watched = find(engine, str_c(resident->saga.gid));
    if (!watched)
        return;
    struct saga_row row;
    row_head(resident, &row);
    tell(watched, &row, &resident->saga);
}

static void tell_of_slot(void *ctx, struct map_node *node) {
    const struct saga_watched *watched = CONTAINER_OF(node, struct saga_watched, node);
    if (id_slot(str_c(watched->gid)) == *(const unsigned *)ctx)
        tell(watched, NULL, NULL);
}

void watches_leave(struct saga_engine *engine, unsigned slot) {
    map_each(&engine->watched, tell_of_slot, &slot);
}

static void end_all(void *ctx, struct map_node *node) {
    (void)ctx;
    struct saga_watched *watched = CONTAINER_OF(node, struct saga_watched, node);
    while (watched->n > 1)
        saga_unwatch(watched->first);
    saga_unwatch(watched->first);
}

void engine_drop_watches(struct saga_engine *engine) {
    map_each(&engine->watched, end_all, NULL);
    map_release(&engine->watched);
}
