// Inside store/ only: one piece of work on a thread of its own, done each time it is asked for. Who asks does not wait;
// what came of it is fetched later, by the same thread.
#ifndef TXC_STORE_ERRAND_H
#define TXC_STORE_ERRAND_H

#include "store/backend.h"

struct errand;

typedef enum backend_result errand_fn(void *ctx, struct error *error);

// NULL with an error when there is no thread or no memory. `ctx` is the work's alone while it is under way; `name` is
// the thread's, of at most 15 characters.
struct errand *errand_new(errand_fn *run, void *ctx, const char *name, struct error *error);

// Begins it. Only while it is not under way.
void errand_start(struct errand *errand);

// Whether it is not under way; then what came of the last time (BACKEND_OK when there was none), with its error.
bool errand_ended(struct errand *errand, enum backend_result *ret_result, struct error *error);

// Waits until it is not under way. NULL is fine.
void errand_wait(struct errand *errand);

// Waits as well. NULL is fine.
void errand_free(struct errand *errand);

#endif
