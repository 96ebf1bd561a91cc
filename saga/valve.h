// How many calls one participant gets: a cap of those under way, a token bucket, and a breaker. Pure: time and chance
// are given, nobody is called.
#ifndef TXC_SAGA_VALVE_H
#define TXC_SAGA_VALVE_H

#include "saga/participant.h"

// What ended within a part of the window.
struct valve_span {
    int64_t from_ms;
    uint32_t calls, failures;
};

struct valve {
    struct saga_gate_limits limits;
    uint32_t in_flight;
    int64_t arrival_ns; // when the next call would come at an even rate
    enum saga_gate_state state;
    bool probing; // one is on its way
    int64_t since_ms, until_ms;
    uint32_t opened;     // times in a row
    uint32_t slow_start; // calls at once, after it was open; 0: as many as it may have
    uint32_t failures_in_row;
    struct valve_span now, before;
    int64_t calls, failures, failed_ms;
    char last_text[SAGA_TEXT_MAX]; // of the last failure
};

void valve_init(struct valve *valve, const struct saga_gate_limits *limits, int64_t now_ms);

// Whether the participant does not answer, and it is not time to try it again.
bool valve_is_shut(const struct valve *valve, int64_t now_ms);

// Why the next call can't go now, in words; NULL: it can.
const char *valve_refusal(const struct valve *valve, int64_t now_ms);

// When time alone lets the next one go; INT64_MAX: when another one has ended, or at once.
int64_t valve_due_ms(const struct valve *valve, int64_t now_ms);

// One goes, which valve_refusal() allows. True: it is a probe.
bool valve_take(struct valve *valve, int64_t now_ms);

// It was not sent after all.
void valve_give_back(struct valve *valve, bool probe);

// It has ended. A probe that failed, or that told nothing, is followed by the next one at until_ms.
void valve_leave(struct valve *valve, bool probe, enum outcome outcome, enum err code, const char *text, int64_t now_ms,
                 uint64_t random);

// Nothing of it is under way, and nothing has to be remembered (any more, of one that did not answer).
bool valve_is_idle(const struct valve *valve, int64_t now_ms);

#endif
