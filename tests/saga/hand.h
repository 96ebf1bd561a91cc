// The machine driven by hand, as the driver would, but with every effect written down and every commit kept. Checks
// after each event what must always hold:
//   the instance is valid, and only moves as the table of states allows (the machine asserts that);
//   whatever is in flight has exactly one call out (but of a terminated saga); an ended saga does nothing;
//   there is always something that leads on (E5);
//   no compensation goes out before the turn is durable, and no retriable step before the pivot is (E2).
#ifndef TXC_TESTS_SAGA_HAND_H
#define TXC_TESTS_SAGA_HAND_H

#include "base/buf.h"
#include "saga/machine.h"

struct hand {
    struct saga_machine machine;
    const struct saga_flow *flow;
    struct saga_instance saga;
    int64_t now_ms;
    uint64_t random;
    bool out[SAGA_LEGS_MAX]; // a call of the leg is on its way …
    enum saga_op op[SAGA_LEGS_MAX];
    struct saga_verdict verdicts[SAGA_LEGS_MAX];
    bool commits; // the present event asks for it
    unsigned depth;
    struct saga_effect sends[SAGA_EFFECTS_MAX]; // the calls of the present event
    uint16_t n_sends;
    struct buf effects; // of the last event, as text
    struct str stored;  // the journal as it was committed last; owned
    enum saga_status stored_status;
    // Gives the verdict of a leg; NULL: what stands in `verdicts`.
    struct saga_verdict (*decide)(struct hand *hand, uint8_t leg);
    // A call goes out; NULL: nobody needs to know.
    void (*sent)(struct hand *hand, uint8_t leg, enum saga_op op);
    void *ctx;
};

extern const struct saga_machine hand_machine; // policies without jitter: quick has 3 attempts, the others 2

void hand_init(struct hand *hand, const struct saga_flow *flow);
void hand_release(struct hand *hand);

void hand_apply(struct hand *hand, enum saga_event_kind kind);
// The call of a leg that is out ends.
void hand_answer(struct hand *hand, uint8_t leg, enum outcome outcome, bool never_seen, struct str answer);
// The same for a call that only tried whether its participant is back, in vain: again at until_ms.
void hand_tried(struct hand *hand, uint8_t leg, enum outcome outcome, int64_t until_ms);
// The call of a leg that is out was not sent: its participant takes none before until_ms. It has waited since now.
void hand_held(struct hand *hand, uint8_t leg, int64_t until_ms);
// An operator skips a leg, or resolves it. Its call, when one is out, is let go: what it answers comes late.
void hand_skip(struct hand *hand, uint8_t leg);
void hand_resolve(struct hand *hand, uint8_t leg, enum outcome outcome);
// Why an operator's event does not fit; NULL: it does.
const char *hand_refusal(const struct hand *hand, enum saga_event_kind kind, uint8_t leg, enum outcome outcome);
// A child of the leg has ended, or could not be started.
void hand_child(struct hand *hand, uint8_t leg, enum leg_child end);
// The process dies, and what was committed last is loaded by another one, with this event.
void hand_reload(struct hand *hand, enum saga_event_kind kind);

// "running a=done b=running": the status, "paused" when it is, then every leg that is not idle; "+kept" behind one for
// which an answer is kept.
void hand_picture(const struct hand *hand, struct buf *out);

// The index of a leg by its step's name, with .1, .2, … behind it for further legs; fails the test when there is none.
uint8_t hand_leg(const struct hand *hand, struct str name);

#endif
