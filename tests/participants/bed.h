// Where the participants are tested: all systems of sim/ with the small world in them, either in this process under
// virtual time or as a txsim process that is called over gRPC; and a center that hears their notifications. Functions
// fail the running test when something does not go as it must.
#ifndef TXC_TESTS_PARTICIPANTS_BED_H
#define TXC_TESTS_PARTICIPANTS_BED_H

#include "tests/participants/fields.h"
#include "tests/participants/inproc_sim.h"
#include "tests/scratch.h"

#include <sys/types.h>

enum bed_kind { BED_INPROC, BED_PROCESS };

enum { BED_NOTES_MAX = 64, BED_DEADLINE_MS = 10000 };

// A notification as the center got it.
struct bed_note {
    bool refund;
    bool genuine; // the signature is right
    int64_t at_ms;
    int64_t timestamp_ms;
    char nonce[160];
    struct str body;               // lives in the bed's arena
    const ProtobufCMessage *inner; // the body, decoded: PaymentNotification or RefundNotification
};

struct bed {
    enum bed_kind kind;
    struct arena arena; // what tests make and are answered; bed_clear() empties it
    struct rpc_channel *channel;
    unsigned sending; // calls without an answer yet

    struct bed_note notes[BED_NOTES_MAX];
    size_t n_notes;
    unsigned refuse_notes; // so many of the next notifications are not acknowledged
    struct rpc_route center_routes[2];

    // BED_INPROC
    struct virtual_time time;
    struct inproc_sim sims; // a test may change its options before bed_crash()
    struct rpc_inproc *net; // the center's

    // BED_PROCESS
    struct rpc_loop *loop;
    struct rpc_server *center;
    pid_t pid;
    char folder[SCRATCH_PATH_MAX];
};

void bed_open(struct bed *bed, enum bed_kind kind);
void bed_close(struct bed *bed);

// For tests of their own in this process: *state is the bed.
int bed_set_up(void **state);
int bed_tear_down(void **state);

// kill -9, and started again on the same data.
void bed_crash(struct bed *bed);
// The same in two parts.
void bed_kill(struct bed *bed);
void bed_start(struct bed *bed);

// Forgets notifications, and everything in the arena.
void bed_clear(struct bed *bed);

// One call; the operation is the method's. `fields` are those beside the effect.
struct bed_call {
    const char *system, *method; // "card", "FreezeCard"
    const char *key, *trade_no, *order_no;
    const char *fields;
    uint32_t deadline_ms; // 0: BED_DEADLINE_MS
};

// What came of it. Lives where the test wants, until it is answered; contents live in the bed's arena.
struct bed_answer {
    struct bed *bed;
    bool done;
    enum outcome outcome;
    int grpc_status;
    char reason[64];
    const ProtobufCMessage *message; // NULL when there is none
    struct str bytes;
};

void bed_send(struct bed *bed, const struct bed_call *call, struct bed_answer *answer);
// Any method, with a request of one's own.
void bed_send_message(struct bed *bed, const struct rpc_method *method, const ProtobufCMessage *request,
                      struct bed_answer *answer);
void bed_wait(struct bed *bed, const struct bed_answer *answer);

// Sends and waits.
struct bed_answer bed_ask(struct bed *bed, const struct bed_call *call);
// The same, and it must be APPLIED.
struct bed_answer bed_must(struct bed *bed, const struct bed_call *call);
// Sends what one key of the trade T1 does, without an order, and waits.
struct bed_answer bed_ask_of(struct bed *bed, const char *system, const char *method, const char *key,
                             const char *fields);
#define assert_answer_of(bed, expected, ...)                                                                           \
    do {                                                                                                               \
        struct bed_answer answer_ = bed_ask_of((bed), __VA_ARGS__);                                                    \
        assert_verdict((bed), &answer_, (expected));                                                                   \
    } while (0)
// The same to SimControlService, which must do it.
struct bed_answer bed_control(struct bed *bed, const char *method, const char *fields);

// Text with values in it, in the bed's arena.
const char *bed_text(struct bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Runs until there are so many notifications.
void bed_wait_notes(struct bed *bed, size_t n);
// Runs everything that is due within this (virtual, or real) time.
void bed_run_for(struct bed *bed, int64_t ms);
int64_t bed_now(const struct bed *bed);

// "APPLIED", "REJECTED CODE", "NEVER_SEEN", or the outcome and reason of an RPC that failed: "RETRY RETRY".
const char *bed_verdict(struct bed *bed, const struct bed_answer *answer);
#define assert_verdict(bed, answer, expected) assert_string_equal(bed_verdict((bed), (answer)), (expected))

// How many postings of the kind (NULL: all) the system's ledger has under the key, and what they add up to.
struct bed_sum {
    size_t n;
    int64_t amount, points;
};
struct bed_sum bed_ledger(struct bed *bed, const char *system, const char *key, const char *kind);

// A counter of GetStatsResponse.systems.
int64_t bed_stat(struct bed *bed, const char *system, const char *counter);

#endif
