// Where the engine is tested: on a store in memory that outlives it, under virtual time, with the model participant.
// The process "dies" by dropping everything but the disk and the participant. At every send the bed checks, on the
// disk, what must be durable by then (E1, E2, E11), and after every step that no saga is orphaned (E5).
#ifndef TXC_TESTS_SAGA_BED_H
#define TXC_TESTS_SAGA_BED_H

#include "base/buf.h"
#include "saga/operate.h"
#include "saga/participant.h"
#include "saga/request.h"
#include "store/backend.h"
#include "tests/base/seeded.h"
#include "tests/saga/account.h"
#include "tests/saga/flows.h"
#include "tests/saga/model.h"

enum { BED_NOTICES = SAGA_NOTICE_KINDS };

// When the process dies by itself.
enum bed_death {
    BED_LIVES,
    BED_BEFORE_COMMIT, // the commit does not take place
    BED_AFTER_COMMIT,  // it does, and nobody hears of it
    BED_AFTER_TELLING, // it does, and what follows from it has been done
};

struct saga_bed {
    struct virtual_time time;
    struct rpc_timer alarm, idle, end; // of bed_run(), which may be left by a failure
    struct store_backend *disk;
    struct backend_conn *view; // what is durable
    struct store_faults faults;
    struct store *store;
    struct saga_engine *engine;
    struct requests *requests;
    struct accounts accounts;
    struct model model;
    struct seeded seeded;
    struct saga_options options; // a test may change them before it opens
    const struct store_table *tables[16];
    unsigned notices[BED_NOTICES];
    char last_reason[SAGA_CODE_MAX], last_text[SAGA_TEXT_MAX]; // of the last notice that had them
    enum bed_death death;                                      // at commit number …
    int64_t death_at;
    enum bed_death next_death; // the heir's, so many commits after the death
    int64_t next_death_after;
    int64_t commits; // that took place
    unsigned deaths;
    bool dying;         // as soon as control is back
    bool holds;         // the store does nothing
    uint32_t batch_max; // writes that the store takes in one commit; 0: as it likes
    uint32_t reads_max; // that wait; 0: the store's default
    uint32_t lease_ms;  // 0: nobody may take over
    bool spoil_note;    // see flows.c
    struct arena rows;  // what bed_rows() answered
};

// The one that is open: calls have no other way to it.
extern struct saga_bed *bed_now;

void bed_init(struct saga_bed *bed);
void bed_release(struct saga_bed *bed); // closes, too

// For cmocka: *state is one that is open.
int bed_set_up(void **state);
int bed_tear_down(void **state);

void bed_open(struct saga_bed *bed); // and recovers
void bed_close(struct saga_bed *bed);
void bed_kill(struct saga_bed *bed);
void bed_revive(struct saga_bed *bed); // kills and opens

// One thing; false when there is nothing left to do. When the process died of it, the next one is open.
bool bed_step(struct saga_bed *bed);
void bed_run(struct saga_bed *bed, int64_t ms);
// Until every saga on the disk has ended or only waits for an operator; fails the test when that takes longer than an
// hour of virtual time.
void bed_settle(struct saga_bed *bed);

// The call function of the test flows.
void bed_send(struct saga_call *call);

// ---- Commands -----------------------------------------------------------------------------------------------------

struct bed_reply {
    bool came;
    enum err code;
    char text[ERR_TEXT_MAX];
};
void bed_replied(void *ctx, const struct error *error);
void bed_wait(struct saga_bed *bed, struct bed_reply *reply);

// Starts a saga in a turn of its own; with an account of that name when there is one.
void bed_begin(struct saga_bed *bed, const struct saga_flow *flow, const char *gid, const char *input,
               const char *account, struct bed_reply *reply);
// And waits until it is durable, which it must become.
void bed_start(struct saga_bed *bed, const struct saga_flow *flow, const char *gid, const char *input,
               const char *account);
// A command about an account that is in memory: says whether it is paid ("yes", "no"), changes its amount, and pokes
// the saga (NULL: none).
void bed_pay(struct saga_bed *bed, const char *account, const char *paid, int64_t amount, const char *gid,
             struct bed_reply *reply);
void bed_signal(struct saga_bed *bed, const char *gid, const char *name, const char *id, struct bed_reply *reply);
void bed_poke(struct saga_bed *bed, const char *gid); // in a turn that is about nothing else
void bed_retry(struct saga_bed *bed, const char *gid, struct bed_reply *reply);
// Whatever an operator does; `operation` without caller and reason has some.
void bed_operate(struct saga_bed *bed, const char *gid, const struct saga_operation *operation,
                 struct bed_reply *reply);
// And waits until it is durable, which it must become; or for its refusal.
void bed_must(struct saga_bed *bed, const char *gid, const struct saga_operation *operation);
void bed_refused(struct saga_bed *bed, const char *gid, const struct saga_operation *operation, enum err code);

// ---- What is durable ----------------------------------------------------------------------------------------------

// Rows that live until the bed is released.
const void *bed_rows(struct saga_bed *bed, const struct store_query *query, size_t *ret_n);
const struct saga_row *bed_row(struct saga_bed *bed, const char *gid); // NULL: none
const struct account_row *bed_account(struct saga_bed *bed, const char *name);
enum saga_status bed_status(struct saga_bed *bed, const char *gid);
bool bed_parked(struct saga_bed *bed, const char *gid);
struct saga_instance bed_instance(struct saga_bed *bed, const char *gid); // the caller's to release
size_t bed_count(struct saga_bed *bed, const struct store_table *table);
// Of which there are so many, which fails the test otherwise; in their order.
const struct audit_row *bed_audits(struct saga_bed *bed, size_t expected);
const struct outbox_row *bed_events(struct saga_bed *bed, const char *type, size_t expected);

// Everything that ended agrees with the participant: each effect of what succeeded applied once, nothing left of what
// failed.
void bed_check_books(struct saga_bed *bed);

struct saga_stats bed_stats(const struct saga_bed *bed);

#endif
