#include "saga/peek.h"

#include "saga/engine.h"

#include <stdlib.h>

struct peek {
    saga_seen_fn *done;
    void *ctx;
};

static void tell(struct peek *peek, const struct saga_seen *seen, const struct error *error) {
    peek->done(peek->ctx, seen, error);
    free(peek);
}

static void loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct peek *peek = ctx;
    struct error ended;
    if (!resident) {
        tell(peek, NULL, error);
    } else if (resident_has_ended(resident)) {
        error_set(&ended, ERR_SAGA_STATE, "the saga has ended");
        tell(peek, NULL, &ended);
    } else if (!resident_free(resident)) {
        resident_await(resident, loaded, peek);
    } else {
        struct saga_seen seen = {.saga = &resident->saga, .input = resident->input};
        row_head(resident, &seen.row);
        tell(peek, &seen, NULL);
    }
}

void saga_peek(struct saga_engine *engine, struct str gid, saga_seen_fn *done, void *ctx) {
    struct peek *peek = malloc(sizeof *peek);
    if (!peek)
        abort();
    *peek = (struct peek){.done = done, .ctx = ctx};
    engine_enter(engine);
    saga_load(engine, gid, loaded, peek);
    engine_exit(engine);
}
