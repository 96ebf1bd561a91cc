// One operator's action for every saga of a filter: the sagas are counted, then acted on one after the other at a rate.
// Each action is a command of its own (saga/operate.h), with its own audit row, and is done once for the batch's
// request and the saga: a batch that is begun again with the same request goes on with those that are left, of the
// times that its filter had at first. A saga that the filter does not ask for any more when it is acted on is refused:
// the action is bound to the row that was looked at.
#ifndef TXC_SAGA_BATCH_H
#define TXC_SAGA_BATCH_H

#include "saga/list.h"
#include "saga/operate.h"
#include "saga/request.h"

struct saga_batch;

enum {
    SAGA_BATCH_MAX = 100000,    // sagas that are counted and acted on
    SAGA_BATCH_RATE_MAX = 1000, // a second
    SAGA_BATCH_REFUSALS = 100,  // told of one by one between two reports
    SAGA_BATCHES_MAX = 8,       // at once
};

struct saga_batch_refusal {
    char gid[SAGA_GID_MAX + 1];
    enum err code;
    char text[ERR_TEXT_MAX];
};

struct saga_batch_report {
    int64_t matched;
    bool more; // than `sagas_max`: these are not acted on
    int64_t done, done_before, refused, failed;
    bool finished;
    const struct saga_batch_refusal *refusals; // since the last report, as many as fit
    size_t n_refusals;
};

struct saga_batch_options {
    struct requests *requests;
    struct str request_id;
    struct str body; // what the fingerprint of the request is over: all but its pace and the filter's times
    struct saga_filter filter;
    struct saga_operation operation; // RETRY, SKIP, COMPENSATE, PAUSE, RESUME, TERMINATE; without `also`
    uint32_t rate_per_s;             // 1..SAGA_BATCH_RATE_MAX
    uint32_t sagas_max;              // counted and acted on; 0: SAGA_BATCH_MAX
    bool dry_run;                    // only counts, which needs no reason
    // Does the operation to a saga that another instance drives, as its caller, under this request id: `done` runs
    // once, later. NULL: that fails.
    void (*elsewhere)(void *ctx, const struct saga_operation *operation, const char *gid, const char *request_id,
                      saga_reply_fn *done, void *done_ctx);
    // When the sagas are counted, then twice a second, and at the end (`finished`), or once with an error: then the
    // batch is gone. False: nobody listens any more.
    bool (*report)(void *ctx, const struct saga_batch_report *report, const struct error *error);
    void *ctx;
};

// Texts are copied. `report` runs later. NULL with OVERLOADED when there are SAGA_BATCHES_MAX, with INVALID_REQUEST for
// what saga_operate() would refuse in any case.
struct saga_batch *saga_batch_begin(struct saga_engine *engine, const struct saga_batch_options *options,
                                    struct error *error);

// Ends it behind what is under way; nothing is reported any more.
void saga_batch_stop(struct saga_batch *batch);

#endif
