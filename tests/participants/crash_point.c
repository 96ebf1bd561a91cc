#include "tests/participants/crash_point.h"

static void before_commit(void *ctx) {
    struct crash_point *point = ctx;
    if (++point->commits != point->at)
        return;
    point->due = true;
    if (point->before) {
        // And all that follow: a store tries a commit that failed once more at once.
        point->faults.fail_result = BACKEND_AGAIN;
        point->faults.fail_for = INT64_MAX;
        point->faults.fail_commit_at = 1;
    }
}

struct store_backend *crash_point_backend(struct crash_point *point, struct store_backend *disk) {
    *point = (struct crash_point){.faults = {.before_commit = before_commit, .before_commit_ctx = point}};
    return store_faulty(store_memory_share(disk), &point->faults);
}

void crash_point_set(struct crash_point *point, int64_t n, bool before) {
    point->commits = 0;
    point->at = n;
    point->before = before;
    point->due = false;
}

void crash_point_seal(struct crash_point *point) {
    point->at = 0;
    point->faults.fail_result = BACKEND_FENCED;
    point->faults.fail_for = INT64_MAX;
    point->faults.fail_commit_at = 1;
}

bool crash_point_pump(struct crash_point *point, struct store *store) {
    struct store_stats before, after;
    if (point->held)
        return false;
    store_stats(store, &before);
    store_pump(store); // says that there is more to do also while it waits, so what it did is what counts
    store_stats(store, &after);
    bool worked = after.commits != before.commits || after.writes != before.writes || after.reads != before.reads ||
                  after.retries != before.retries;
    return (!point->due && store_poll(store) > 0) || worked;
}
