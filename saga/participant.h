// The participants as the engine sees them: how many calls each may get, how they fare, and who has paused one.
#ifndef TXC_SAGA_PARTICIPANT_H
#define TXC_SAGA_PARTICIPANT_H

#include "saga/turn.h"

enum saga_breaker {
    SAGA_BREAKER_CLOSED,   // as a breaker: calls go through
    SAGA_BREAKER_OPEN,     // it does not answer: none goes, until the next probe
    SAGA_BREAKER_HALF_OPEN // one goes
};

struct saga_participant {
    const char *name;
    const struct saga_gate_limits *limits;
    enum saga_breaker state;
    int64_t since_ms, until_ms; // OPEN: when the next probe goes
    uint32_t in_flight, in_flight_core, waiting, waiting_core;
    int64_t calls, failures, put_off; // so far; put off: those that the line had no room for
    int64_t crowded_out;              // core calls that found no room though some is kept for them: must be 0
    uint32_t failures_in_row;
    int64_t failed_ms;                   // the last failure; 0: none
    const char *last_text;               // of that
    const struct participant_row *pause; // NULL: it is not paused
};

// Every participant that has a gate, in the order of their names. What it is told of is borrowed until it returns.
typedef void saga_participant_fn(void *ctx, const struct saga_participant *participant);
void saga_participants(const struct saga_engine *engine, saga_participant_fn *each, void *ctx);

// Pauses a participant on every instance, or lets calls go on. Durable and audited when `done` runs without error.
// Refused with SAGA_STATE when it is so already, with PARTICIPANT_UNKNOWN when nobody has this name: none of a flow's,
// none that was called lately, and no target ("host:port"). `also` as in saga/operate.h.
struct saga_pausing {
    struct str caller, reason;
    void (*also)(void *ctx, struct saga_turn *turn);
};
void saga_participant_pause(struct saga_engine *engine, struct str participant, bool paused,
                            const struct saga_pausing *pausing, saga_reply_fn *done, void *ctx);

// ---- Calls that are no saga's -------------------------------------------------------------------------------------

// A call to a participant that no saga makes goes through its gate, too, but never waits: of those that may be under
// way, a quarter is kept for the sagas' core steps. False with PARTICIPANT_HELD; else it must end in saga_pass_end().
struct saga_pass {
    struct gate *gate;
    bool probe;
};
bool saga_pass_begin(struct saga_engine *engine, const char *participant, struct saga_pass *ret_pass,
                     struct error *error);
void saga_pass_end(struct saga_engine *engine, struct saga_pass *pass, enum outcome outcome, enum err code,
                   const char *text);

// ---- What waits ---------------------------------------------------------------------------------------------------

// Whether a call of this leg waits at its participant's gate (in this process); why, in words, and since when.
enum { SAGA_WHY_MAX = 500 };
bool saga_call_waits(const struct saga_engine *engine, struct str gid, uint16_t step_id, uint8_t leg,
                     char out[SAGA_WHY_MAX], int64_t *ret_since_ms);

#endif
