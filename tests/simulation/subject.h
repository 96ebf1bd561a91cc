// What several sagas of the simulation are about: a sum, what each saga booked of it, and payments. Rows of three
// tables of the flows' own, which are committed with the sagas' progress.
#ifndef TXC_TESTS_SIMULATION_SUBJECT_H
#define TXC_TESTS_SIMULATION_SUBJECT_H

#include "saga/turn.h"

enum { PAYMENT_NAME_MAX = 40 };

struct sim_subject_row {
    char name[SAGA_SUBJECT_MAX + 1];
    int64_t amount;  // what its sagas booked, less what was taken back
    int64_t version; // commits so far
    int64_t numbers; // drawn so far
};
struct sim_entry_row {
    char subject[SAGA_SUBJECT_MAX + 1];
    char gid[SAGA_GID_MAX + 1];
    int64_t number; // drawn by its booking; 0: not yet
    int64_t booked;
    int32_t bookings, reversals, ends; // how often
    char paid[PAYMENT_NAME_MAX + 1];   // by which payment
    char noted[33];                    // what `answered` was given
};
struct sim_payment_row {
    char subject[SAGA_SUBJECT_MAX + 1];
    char name[PAYMENT_NAME_MAX + 1];
    char gid[SAGA_GID_MAX + 1];    // the saga that it was for
    char refund[SAGA_GID_MAX + 1]; // the saga that gives it back; empty: it is used, or waits to be
};
// What a decision did for a saga without a subject: once.
struct sim_mark_row {
    char gid[SAGA_GID_MAX + 1];
    char mark[24];
};
extern const struct store_table sim_subject_table, sim_entry_table, sim_payment_table, sim_mark_table;

struct entry {
    struct entry *next;
    struct sim_entry_row row;
    bool stored, dirty;
};
struct payment {
    struct payment *next;
    struct sim_payment_row row;
    bool stored, dirty;
};

struct sim_subject {
    struct saga_subject base; // first
    struct subjects *subjects;
    struct sim_subject *next;
    bool known; // in `subjects`
    struct sim_subject_row row;
    bool stored, dirty;
    struct entry *entries;
    struct payment *payments;
};

struct subject_load;

// Those of one process.
struct subjects {
    struct store *store;
    struct saga_engine *engine;
    struct sim_subject *first;
    struct subject_load *loads;
    bool ending; // the process is being stopped
};

// At once when it is in memory. `subject` is the callee's to hold; NULL with an error when it can't be read.
typedef void subject_fn(void *ctx, struct sim_subject *subject, const struct error *error);
void subject_want(struct subjects *subjects, struct str key, subject_fn *done, void *ctx);

// For saga_flow.attach.
void subject_attach(struct subjects *subjects, struct saga_engine *engine, struct str key, void *token);

// The slot is another process's: what is known of its subjects is out of date.
void subjects_leave(struct subjects *subjects, unsigned slot);

// The process is gone: nobody hears of what is still being read.
void subjects_drop(struct subjects *subjects);

static inline struct sim_subject *sim_subject_of(struct saga_subject *subject) {
    return (struct sim_subject *)(void *)subject;
}

// For changes. The entry of a saga, made when there is none.
struct sim_subject_row *subject_edit(struct sim_subject *subject);
struct sim_entry_row *subject_entry(struct sim_subject *subject, const char *gid);
const struct sim_entry_row *subject_find_entry(const struct sim_subject *subject, const char *gid); // NULL: none
struct payment *subject_find_payment(const struct sim_subject *subject, const char *name);          // NULL: none
struct payment *subject_payment(struct sim_subject *subject, const char *name); // made; for changes, too

#endif
