// Requests that change something act once: (caller, request_id) names them, a fingerprint of the body tells a repeat
// from a misuse. The request's row is written in the transaction of what it made.
#ifndef TXC_SAGA_REQUEST_H
#define TXC_SAGA_REQUEST_H

#include "saga/turn.h"

struct requests;      // those that are being looked at
struct request_entry; // one of them

struct requests *requests_new(struct store *store, const struct clock *clock);
void requests_free(struct requests *requests);

struct request_id {
    struct str caller, id; // ≤ REQUEST_CALLER_MAX, 1..REQUEST_ID_MAX bytes
    const char *method;
    struct str body; // the canonical request: what the fingerprint is over
};

// NEW: nobody used this id. The callee must end in request_made() or request_dropped(). Others with the same id wait
// meanwhile. KNOWN: `row` says what it made, and the answer where it has one. ERROR: IDEMPOTENCY_KEY_REUSED,
// INVALID_REQUEST or STORE_….
enum request_verdict { REQUEST_NEW, REQUEST_KNOWN, REQUEST_ERROR };
typedef void request_fn(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                        const struct request_row *row, const struct error *error);
void request_begin(struct requests *requests, const struct request_id *id, request_fn *done, void *ctx);

// The request made something: its row goes into the turn, with the answer when there is one already. Afterwards the
// entry is the turn's. `row` (of the caller, kept by it for request_answer()) is filled in.
void request_made(struct request_entry *entry, struct saga_turn *turn, struct str ref, struct str answer,
                  struct request_row *ret_row);

// It was refused without effect: the id is not used up.
void request_dropped(struct request_entry *entry);

// The answer, into the write that makes it true.
void request_answer(struct store_write *write, struct request_row *row, struct str answer, const struct error *error);

#endif
