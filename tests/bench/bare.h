// gRPC C core with nothing around it: one completion queue on one thread that serves and calls, bytes in and bytes out.
// What the ceiling, the participants and the load of the bench are made of, so that none of them is slowed down by
// ours. Everything here is for the loop's thread, but bare_wake().
#ifndef TXC_TESTS_BENCH_BARE_H
#define TXC_TESTS_BENCH_BARE_H

#include "base/str.h"

#include <grpc/grpc.h>
#include <stdatomic.h>

struct bare_tag {
    void (*done)(struct bare_tag *tag, bool ok);
};

struct bare {
    grpc_completion_queue *queue;
    grpc_server *server;
    grpc_call *waker; // goes nowhere: an empty batch on it posts its tag at once
    struct bare_tag woken;
    void (*on_wake)(void *ctx);
    void *ctx;
    atomic_bool wake_pending;
};

// `on_wake` runs on the loop after bare_wake(); may be NULL.
void bare_init(struct bare *bare, void (*on_wake)(void *ctx), void *ctx);

// Handles what comes until clock_monotonic_ns() has reached `until_ns`, at least one completion if there is one.
void bare_run(struct bare *bare, int64_t until_ns);

// From any thread; several before the loop gets to it cost one completion.
void bare_wake(struct bare *bare);

// ---- Serving ------------------------------------------------------------------------------------------------------

enum { BARE_HEADERS_MAX = 8 };

// One call that came in. It lives until the answer is sent; then its memory serves another.
struct bare_in {
    struct bare *bare;
    struct bare_method *method;
    struct bare_tag accepted, sent;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array headers;
    grpc_byte_buffer *request, *answer;
    grpc_slice body, text;
    int cancelled;
    struct bare_in *next; // the handler's, until it answers
    int64_t due_ns;       // the handler's
    void *ctx;            // likewise
};

// What is served: a path, and what is done with its calls. `request` lies in in->body until the answer.
struct bare_method {
    const char *path;
    void (*handle)(struct bare_in *in, struct str request);
    void *registered;
    struct bare_in *spare;
};

// Serves the methods (n, borrowed) at the addresses (ended by NULL), with `accepts` calls of each method awaited, and
// says "ready PORT…" on standard output. Exits when it can't listen.
void bare_serve(struct bare *bare, char *const *addresses, struct bare_method *methods, size_t n, unsigned accepts);

// Room for an answer of that many bytes, which goes to bare_answer().
uint8_t *bare_room(grpc_slice *slice, size_t size);

// Takes the slice. `text` is for a status that isn't OK.
void bare_answer(struct bare_in *in, grpc_status_code status, struct str text, grpc_slice answer);

// ---- Calling ------------------------------------------------------------------------------------------------------

struct bare_header {
    const char *name;
    struct str value;
};

// One call that goes out; lives in its owner, and may be used again once it is done.
struct bare_out {
    struct bare_tag finished;
    grpc_call *call;
    grpc_metadata headers[BARE_HEADERS_MAX];
    size_t n_headers;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *request, *answer;
    grpc_status_code status;
    grpc_slice text;
    void (*done)(struct bare_out *out, grpc_status_code status, struct str answer, struct str text);
};

// gRPC's own retries are off, as in the center. Channels to one target share a connection when their numbers are the
// same. Exits when it can't be made.
grpc_channel *bare_channel(const char *target, int number);

// A path of the channel; it must stay where it is.
void *bare_path(grpc_channel *channel, const char *path);

// Sends the slice (which it takes); `done` runs once. Answer and text are borrowed until it returns.
void bare_call(struct bare *bare, grpc_channel *channel, void *path, const struct bare_header *headers, size_t n,
               grpc_slice request, int64_t deadline_ms, struct bare_out *out);

#endif
