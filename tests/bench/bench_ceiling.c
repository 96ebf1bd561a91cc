// The bare ceiling: what a center for two-step sagas could do at most on this machine, with gRPC's C core and this
// store.
//
// What it does, as the center does it:
//   - serves SubmitSaga and answers it when the saga has ended: one call in;
//   - decodes the request, and calls the action of each step in turn, with the same bytes and the same four headers:
//     two calls out, on a channel whose gRPC retries are off;
//   - commits twice, before the first call and before the answer, synchronously, and shares each commit with all other
//     sagas in flight: one writer thread takes what is queued, no linger. Each commit has one row of a saga, with the
//     bytes of its whole request, as the center's row has;
//   - is one thread on one completion queue that serves and calls, and one writer;
//   - SQLite: write-ahead log, synchronous=FULL, the log copied back outside of commits. MariaDB: one bulk INSERT a
//   commit.
//
// What it does not do: check, admit, refuse or authorise anything; look a request id up; keep the saga's state or the
// answers of its steps; any index; update a row; fence; count attempts, retry, compensate, time out, recover; metrics,
// logs. It stops at the first error. It can't be called a center, and is no example of how to write one.
//
//   bench_ceiling ADDRESS STEPS_TARGET FILE_OR_SOCKET
//
// Says "ready PORT" when it serves, and at SIGTERM how many commits and rows there were.
#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "tests/bench/bare.h"
#include "tests/bench/ceiling_store.h"
#include "txcenter/saga/v1/saga.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCEPTS = 128, STEPS = 2, ARENA_BYTES = 4096, STEP_DEADLINE_MS = 5000, IDLE_MS = 100, PATHS_MAX = 8 };

struct saga {
    struct ceiling_row row;
    struct bare_out out;
    struct bare_in *in;
    Txcenter__Saga__V1__SubmitSagaRequest *request;
    unsigned step;
    char gid[ID_LEN + 1];
    struct saga *spare_next;
    size_t arena_used;
    _Alignas(16) uint8_t arena[ARENA_BYTES];
};

static struct {
    struct bare bare;
    grpc_channel *channel;
    struct {
        char name[128];
        void *registered;
    } paths[PATHS_MAX];
    struct saga *spare;
    volatile sig_atomic_t stopped;
} ceiling;

static void fatal(const char *what, struct str text) {
    fprintf(stderr, "bench_ceiling: %s: %.*s\n", what, STR_FMT(text));
    exit(1);
}

static void step_done(struct bare_out *out, grpc_status_code status, struct str answer, struct str text);

// ---- A saga's memory ----------------------------------------------------------------------------------------------

static void *take(void *ctx, size_t size) {
    struct saga *saga = ctx;
    size_t at = saga->arena_used, rounded = (size + 15) & ~(size_t)15;
    if (at + rounded > ARENA_BYTES)
        fatal("request", STR("too large"));
    saga->arena_used += rounded;
    return saga->arena + at;
}

static void keep(void *ctx, void *ptr) {
    (void)ctx, (void)ptr; // taken together
}

static struct saga *saga_new(struct bare_in *in) {
    struct saga *saga = ceiling.spare;
    if (saga)
        ceiling.spare = saga->spare_next;
    else if (!(saga = malloc(sizeof *saga)))
        abort();
    saga->in = in;
    saga->out.done = step_done;
    saga->step = 0;
    saga->arena_used = 0;
    return saga;
}

// ---- A saga's life ------------------------------------------------------------------------------------------------

static void *path_of(const char *name) {
    for (unsigned i = 0; i < PATHS_MAX; i++) {
        if (strcmp(ceiling.paths[i].name, name) == 0)
            return ceiling.paths[i].registered;
        if (ceiling.paths[i].name[0])
            continue;
        if (!str_copy(str_c(name), ceiling.paths[i].name, sizeof ceiling.paths[i].name))
            break;
        return ceiling.paths[i].registered = bare_path(ceiling.channel, ceiling.paths[i].name);
    }
    fatal("path", str_c(name));
    return NULL;
}

static void call_step(struct saga *saga) {
    const Txcenter__Saga__V1__StepDefinition *step = saga->request->saga->steps[saga->step];
    char key[64];
    int length = snprintf(key, sizeof key, "%s/%u/0", saga->gid, saga->step + 1);
    struct bare_header headers[] = {
        {"tx-gid", str_n(saga->gid, ID_LEN)},
        {"tx-step", str_c(step->name)},
        {"tx-op", STR("action")},
        {"tx-key", str_n(key, (size_t)length)},
    };
    grpc_slice slice;
    memcpy(bare_room(&slice, step->action->payload.len), step->action->payload.data, step->action->payload.len);
    bare_call(&ceiling.bare, ceiling.channel, path_of(step->action->method), headers,
              sizeof headers / sizeof headers[0], slice, STEP_DEADLINE_MS, &saga->out);
}

static void commit(struct saga *saga, int kind) {
    saga->row.kind = kind;
    ceiling_store_add(&saga->row);
}

static void step_done(struct bare_out *out, grpc_status_code status, struct str answer, struct str text) {
    struct saga *saga = CONTAINER_OF(out, struct saga, out);
    if (status != GRPC_STATUS_OK || str_empty(answer))
        fatal("step", text);
    if (++saga->step < STEPS)
        call_step(saga);
    else
        commit(saga, 2);
}

static void answer(struct saga *saga) {
    Txcenter__Saga__V1__SubmitSagaResponse response = TXCENTER__SAGA__V1__SUBMIT_SAGA_RESPONSE__INIT;
    Txcenter__Saga__V1__Saga view = TXCENTER__SAGA__V1__SAGA__INIT;
    view.gid = saga->gid;
    view.status = TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_SUCCEEDED;
    response.saga = &view;
    grpc_slice slice;
    uint8_t *room = bare_room(&slice, protobuf_c_message_get_packed_size(&response.base));
    protobuf_c_message_pack(&response.base, room);
    bare_answer(saga->in, GRPC_STATUS_OK, STR_NONE, slice);
    saga->spare_next = ceiling.spare;
    ceiling.spare = saga;
}

static void durable(void *unused) {
    (void)unused;
    for (struct ceiling_row *row = ceiling_store_take(), *next; row; row = next) {
        next = row->next;
        struct saga *saga = CONTAINER_OF(row, struct saga, row);
        if (row->kind == 1)
            call_step(saga);
        else
            answer(saga);
    }
}

static void submitted(struct bare_in *in, struct str bytes) {
    struct saga *saga = saga_new(in);
    ProtobufCAllocator allocator = {take, keep, saga};
    saga->request = txcenter__saga__v1__submit_saga_request__unpack(&allocator, bytes.len, (const uint8_t *)bytes.ptr);
    if (!saga->request || !saga->request->saga || saga->request->saga->n_steps != STEPS)
        fatal("request", STR("not a saga of two steps"));
    id_make(clock_now_ms(clock_system()), 0, id_random, NULL, saga->gid);
    saga->row.gid = str_n(saga->gid, ID_LEN);
    saga->row.bytes = bytes;
    commit(saga, 1);
}

static void wake(void *unused) {
    (void)unused;
    bare_wake(&ceiling.bare);
}

static void stop(int signal) {
    (void)signal;
    ceiling.stopped = 1;
}

int main(int argc, char **argv) {
    static struct bare_method method = {.path = "/txcenter.saga.v1.SagaService/SubmitSaga", .handle = submitted};
    if (argc != 4) {
        fprintf(stderr, "usage: bench_ceiling ADDRESS STEPS_TARGET FILE_OR_SOCKET\n");
        return 2;
    }
    signal(SIGTERM, stop);
    bare_init(&ceiling.bare, durable, NULL);
    ceiling.channel = bare_channel(argv[2], 0);
    ceiling_store_open(argv[3], wake, NULL);
    bare_serve(&ceiling.bare, (char *[]){argv[1], NULL}, &method, 1, ACCEPTS);
    while (!ceiling.stopped)
        bare_run(&ceiling.bare, clock_monotonic_ns() + (int64_t)IDLE_MS * 1000000);
    long commits, rows;
    ceiling_store_count(&commits, &rows);
    printf("{\"commits\": %ld, \"rows\": %ld}\n", commits, rows);
    fflush(stdout);
    _Exit(0);
}
