// A backend around a backend that fails when the test says so. It never says that COMMIT is answered, so that what
// there is to stage beside it is always staged whole.
#include "store/backend.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct faulty_backend {
    struct store_backend base;
    struct store_backend_ops ops; // the inner one's name and sharing with our functions
    struct store_backend *inner;
    struct store_faults *faults;
};

struct faulty_conn {
    struct backend_conn base;
    struct backend_conn_ops ops; // without those that the inner one does not have
    struct backend_conn *inner;
    struct store_faults *faults;
    bool writes, lists;             // the others look up
    bool staged, sealed;            // what is under way on the inner one; never but as store/backend.h has it
    enum backend_result at_the_end; // what is to come of the one that is sealed; OK: what comes of it
    bool lost;                      // the one that is sealed does not take place
};

// Counts down; true when it comes to 0 by this.
static bool due(_Atomic int64_t *counter) {
    if (atomic_load(counter) <= 0)
        return false;
    return atomic_fetch_sub(counter, 1) == 1;
}

// True for as many calls as the counter says.
static bool one_of(_Atomic int64_t *counter) {
    if (atomic_load(counter) <= 0)
        return false;
    atomic_fetch_sub(counter, 1);
    return true;
}

static enum backend_result injected(enum backend_result result, struct error *error) {
    static const enum err codes[] = {
        [BACKEND_REFUSED] = ERR_STORE_REFUSED,
        [BACKEND_CONFLICT] = ERR_STORE_CONFLICT,
        [BACKEND_FULL] = ERR_STORE_FULL,
        [BACKEND_AGAIN] = ERR_STORE_UNAVAILABLE,
        [BACKEND_COMMIT_UNKNOWN] = ERR_STORE_UNAVAILABLE,
        [BACKEND_FENCED] = ERR_STORE_FENCED,
        [BACKEND_FATAL] = ERR_STORE_CORRUPT,
    };
    error_set(error, codes[result], "an injected fault");
    return result;
}

static bool commit_fails(struct store_faults *faults) {
    if (due(&faults->fail_commit_at)) {
        // This one and those after it.
        int64_t more = atomic_load(&faults->fail_for) - 1;
        atomic_store(&faults->fail_for, more > 0 ? more : 0);
        if (more > 0)
            atomic_store(&faults->fail_commit_at, 1);
        return true;
    }
    return false;
}

static enum backend_result or_again(const _Atomic int64_t *result) {
    int64_t wanted = atomic_load(result);
    return wanted ? (enum backend_result)wanted : BACKEND_AGAIN;
}

// What happens to a commit that is asked for.
struct mishap {
    bool fails, lost, unknown;
};
static struct mishap mishap(struct store_faults *faults) {
    atomic_fetch_add(&faults->commits, 1);
    if (faults->before_commit)
        faults->before_commit(faults->before_commit_ctx);
    return (struct mishap){.fails = commit_fails(faults),
                           .lost = due(&faults->lost_commit_at),
                           .unknown = due(&faults->unknown_commit_at)};
}

static enum backend_result faulty_commit(struct backend_conn *base, const struct backend_fence *fence,
                                         const struct store_op *ops, size_t n, struct error *error) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    assert(!conn->staged && !conn->sealed);
    struct mishap what = mishap(conn->faults);
    if (what.fails)
        return injected(or_again(&conn->faults->fail_result), error);
    if (what.lost)
        return injected(BACKEND_COMMIT_UNKNOWN, error);
    enum backend_result result = conn->inner->ops->commit(conn->inner, fence, ops, n, error);
    return what.unknown && result == BACKEND_OK ? injected(BACKEND_COMMIT_UNKNOWN, error) : result;
}

static void faulty_drop(struct backend_conn *base) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    if (conn->staged)
        atomic_fetch_add(&conn->faults->drops, 1);
    conn->staged = false;
    conn->inner->ops->drop(conn->inner);
}

static enum backend_result faulty_stage(struct backend_conn *base, const struct store_op *ops, size_t n, bool *ret_more,
                                        struct error *error) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    struct store_faults *faults = conn->faults;
    bool begins = !conn->staged;
    if (begins && due(&faults->fail_stage_at))
        return injected(or_again(&faults->fail_stage_result), error);
    enum backend_result result = conn->inner->ops->stage(conn->inner, ops, n, ret_more, error);
    conn->staged = result == BACKEND_OK;
    if (begins && conn->staged && conn->sealed)
        atomic_fetch_add(&faults->beside, 1);
    return result;
}

static enum backend_result faulty_seal(struct backend_conn *base, const struct backend_fence *fence,
                                       struct error *error) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    assert(conn->staged && !conn->sealed);
    conn->staged = false;
    struct mishap what = mishap(conn->faults);
    bool ends = due(&conn->faults->fail_finish_at);
    conn->lost = what.lost || ends;
    if (what.fails || conn->lost)
        conn->inner->ops->drop(conn->inner);
    if (what.fails)
        return injected(or_again(&conn->faults->fail_result), error);
    enum backend_result result = conn->lost ? BACKEND_OK : conn->inner->ops->seal(conn->inner, fence, error);
    conn->sealed = result == BACKEND_OK;
    conn->at_the_end = what.lost || what.unknown ? BACKEND_COMMIT_UNKNOWN : BACKEND_OK;
    if (ends)
        conn->at_the_end = or_again(&conn->faults->fail_result);
    return result;
}

static enum backend_result faulty_finish(struct backend_conn *base, struct error *error) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    assert(conn->sealed);
    conn->sealed = false;
    enum backend_result result = conn->lost ? BACKEND_OK : conn->inner->ops->finish(conn->inner, error);
    return result == BACKEND_OK && conn->at_the_end != BACKEND_OK ? injected(conn->at_the_end, error) : result;
}

static enum backend_result faulty_settle(struct backend_conn *base, struct error *error) {
    struct backend_conn *inner = ((struct faulty_conn *)base)->inner;
    return inner->ops->settle ? inner->ops->settle(inner, error) : BACKEND_OK;
}

static bool cant_read(struct faulty_conn *conn) {
    return one_of(conn->lists ? &conn->faults->fail_lists : &conn->faults->fail_reads);
}

static enum backend_result faulty_read(struct backend_conn *base, const struct store_query *query, struct arena *arena,
                                       void **ret_rows, size_t *ret_n, struct error *error) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    conn->lists = query->list;
    if (cant_read(conn) || one_of(&conn->faults->sick_reads))
        return injected(BACKEND_AGAIN, error);
    return conn->inner->ops->read(conn->inner, query, arena, ret_rows, ret_n, error);
}

static bool faulty_revive(struct backend_conn *base, struct error *error) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    if (!conn->writes && cant_read(conn))
        return injected(BACKEND_AGAIN, error) == BACKEND_OK;
    return conn->inner->ops->revive(conn->inner, error);
}

static void faulty_close(struct backend_conn *base) {
    struct faulty_conn *conn = (struct faulty_conn *)base;
    conn->inner->ops->close(conn->inner);
    free(conn);
}

static const struct backend_conn_ops conn_ops = {
    .commit = faulty_commit,
    .stage = faulty_stage,
    .seal = faulty_seal,
    .finish = faulty_finish,
    .drop = faulty_drop,
    .settle = faulty_settle,
    .read = faulty_read,
    .revive = faulty_revive,
    .close = faulty_close,
};

static bool faulty_connect(struct store_backend *base, bool for_writing, struct backend_conn **ret_conn,
                           struct error *error) {
    struct faulty_backend *backend = (struct faulty_backend *)base;
    struct faulty_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        abort();
    *conn =
        (struct faulty_conn){.base = {&conn->ops}, .ops = conn_ops, .faults = backend->faults, .writes = for_writing};
    if (!backend->inner->ops->connect(backend->inner, for_writing, &conn->inner, error)) {
        free(conn);
        return false;
    }
    if (!conn->inner->ops->stage)
        conn->ops.stage = NULL;
    *ret_conn = &conn->base;
    return true;
}

static bool faulty_migrate(struct store_backend *base, const struct store_table *const *tables, struct error *error) {
    struct store_backend *inner = ((struct faulty_backend *)base)->inner;
    return inner->ops->migrate(inner, tables, error);
}

static enum backend_result faulty_claim(struct store_backend *base, const struct backend_claim *claim,
                                        struct store_identity *ret_identity, struct error *error) {
    struct faulty_backend *backend = (struct faulty_backend *)base;
    if (claim->kind == CLAIM_RESUME && one_of(&backend->faults->fail_claims))
        return injected(BACKEND_AGAIN, error);
    return backend->inner->ops->claim(backend->inner, claim, ret_identity, error);
}

static enum backend_result faulty_take_over(struct store_backend *base, const struct backend_take_over *from,
                                            bool *ret_taken, struct error *error) {
    struct faulty_backend *backend = (struct faulty_backend *)base;
    if (one_of(&backend->faults->fail_take_overs))
        return injected(BACKEND_AGAIN, error);
    return backend->inner->ops->take_over(backend->inner, from, ret_taken, error);
}

static const char *faulty_durability_warning(struct store_backend *base) {
    struct store_backend *inner = ((struct faulty_backend *)base)->inner;
    return inner->ops->durability_warning ? inner->ops->durability_warning(inner) : NULL;
}

static void faulty_free(struct store_backend *base) {
    struct faulty_backend *backend = (struct faulty_backend *)base;
    store_backend_free(backend->inner);
    free(backend);
}

struct store_backend *store_faulty(struct store_backend *inner, struct store_faults *faults) {
    struct faulty_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        abort();
    backend->inner = inner;
    backend->faults = faults;
    backend->ops = (struct store_backend_ops){
        .name = inner->ops->name,
        .shared = inner->ops->shared,
        .connect = faulty_connect,
        .migrate = faulty_migrate,
        .claim = faulty_claim,
        .take_over = inner->ops->take_over ? faulty_take_over : NULL,
        .durability_warning = faulty_durability_warning,
        .free = faulty_free,
    };
    backend->base.ops = &backend->ops;
    return &backend->base;
}
