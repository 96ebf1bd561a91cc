// What the patrol's files share: patrol.c goes through what is stored, exam.c judges one saga, anomaly.c keeps what was
// found.
#ifndef TXC_SAGA_PATROL_H
#define TXC_SAGA_PATROL_H

#include "saga/anomaly.h"
#include "saga/estate.h"
#include "saga/rounds.h"

struct saga_patrol {
    const struct saga_patrol_options *options;
    struct rounds rounds;  // sagas, and what holds
    struct rounds amounts; // subjects
    struct patrol_estate *estates;
    size_t n_estates;
    struct unfinished *unfinished;
    struct holding *holding;
    struct families *families;
    struct exam *exams;              // under way
    struct saga_checking *checkings; // likewise
    struct anomaly_task *tasks;      // likewise
    struct held *helds;              // likewise
    struct patrol_recent *recent;    // subjects of which a saga has just ended
    int64_t check_ms, round_ms;      // when the next of them is looked at; when the last round ended
    int64_t raised, checked;
    struct patrol_open { // that hold: all, stuck sagas, amounts that do not add up
        int64_t all, stuck, amounts;
    } open, seen; // seen: in the present pass through what holds
};

// ---- exam.c ---------------------------------------------------------------------------------------------------------

struct finding {
    bool holds;
    char step[SAGA_NAME_MAX + 1];
    char text[SAGA_TEXT_MAX];
};

// One saga being judged.
struct exam {
    struct exam *next, **link;
    struct saga_patrol *patrol;
    struct saga_row row; // without its blobs
    struct finding found[ANOMALY_KINDS];
    struct exam_leg *legs; // that may be oscillating
    size_t n_legs;
    bool suspect; // perhaps nobody has it: it is read once more
    void (*done)(struct exam *exam, const struct error *error);
    void *ctx;
};

// `done` runs once, at once or later; the exam is freed behind it.
void exam_begin(struct saga_patrol *patrol, const struct saga_row *row,
                void (*done)(struct exam *, const struct error *), void *ctx);
void exam_drop_all(struct saga_patrol *patrol);

// ---- anomaly.c ------------------------------------------------------------------------------------------------------

// One more of those that hold, or (-1) one fewer.
void patrol_count(struct patrol_open *open, const struct anomaly_row *row, int n);

typedef void anomaly_done_fn(void *ctx);

// It holds: a new row, with an event, when it is not known yet. `what` has everything but its times.
void anomaly_raise(struct saga_patrol *patrol, const struct anomaly_row *what, anomaly_done_fn *done, void *ctx);
// One that is known still holds, or holds no longer.
void anomaly_seen(struct saga_patrol *patrol, const struct anomaly_row *row, anomaly_done_fn *done, void *ctx);
void anomaly_clear(struct saga_patrol *patrol, const struct anomaly_row *row, anomaly_done_fn *done, void *ctx);
void anomaly_drop_all(struct saga_patrol *patrol);

#endif
