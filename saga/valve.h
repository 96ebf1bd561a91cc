// How many calls one participant gets: a cap of those under way, a token bucket, and a breaker. Pure: time and chance
// are given, nobody is called. Of the cap and of the bucket a quarter is kept for core steps, so that whatever else is
// called there, however slow it is, never takes the last of it.
#ifndef TXC_SAGA_VALVE_H
#define TXC_SAGA_VALVE_H

#include "saga/participant.h"

// What ended within a part of the window.
struct valve_span {
    int64_t from_ms;
    uint32_t calls, failures;
};

// What a call is for. Of those that may go at once, all that are not core may take three quarters, and those that
// nobody waits for half; but one in any case.
enum valve_use {
    VALVE_CORE,
    VALVE_PASS,  // no saga's: a question that somebody waits for
    VALVE_LATER, // a step that is not core
    VALVE_USES
};

struct valve {
    struct saga_gate_limits limits;
    uint32_t in_flight, taken[VALVE_USES]; // all, and of each use
    int64_t arrival_ns;                    // when the next call would come at an even rate
    enum saga_breaker state;
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
const char *valve_refusal(const struct valve *valve, enum valve_use use, int64_t now_ms);

// How many calls of this use could go at once.
uint32_t valve_free(const struct valve *valve, enum valve_use use, int64_t now_ms);

// Whether a core call finds no room though fewer of its kind are under way than there is room kept for them. Never.
bool valve_crowds_out(const struct valve *valve);

// When time alone lets the next one go; INT64_MAX: when another one has ended, or at once.
int64_t valve_due_ms(const struct valve *valve, enum valve_use use, int64_t now_ms);

// One goes, which valve_refusal() allows. True: it is a probe.
bool valve_take(struct valve *valve, enum valve_use use, int64_t now_ms);

// It was not sent after all.
void valve_give_back(struct valve *valve, enum valve_use use, bool probe);

// How a call has ended.
struct valve_end {
    enum valve_use use;
    bool probe;
    enum outcome outcome;
    enum err code;
    const char *text;
};
// It has ended. A probe that failed, or that told nothing, is followed by the next one at until_ms.
void valve_leave(struct valve *valve, const struct valve_end *end, int64_t now_ms, uint64_t random);

// Nothing of it is under way, and nothing has to be remembered (any more, of one that did not answer).
bool valve_is_idle(const struct valve *valve, int64_t now_ms);

#endif
