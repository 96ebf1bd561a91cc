// What a participant may be sent, as whoever counts outside of the engine sees it: so many calls at once, so many a
// second, none while it is known to be paused, none for a while after so many failures in a row.
#ifndef TXC_TESTS_SIMULATION_LIMITS_H
#define TXC_TESTS_SIMULATION_LIMITS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct center;
struct store_query;

// One participant as one process knows it.
struct limit {
    unsigned in_flight;
    int64_t admitted;   // so far
    int64_t arrival_us; // when the next one would come at an even rate
    unsigned failures;  // in a row
    bool open;          // they were too many
    int64_t opened_ms;
    bool paused; // it is known
};

// What of pauses was read and is to be delivered.
struct limit_reading {
    bool there;
    uint32_t version; // of what was known here when it was read
    unsigned paused;  // bits
};

// `leaves` false: it would be sent, were its process still the owner.
void limits_sent(struct center *center, uint8_t participant, bool leaves);
void limits_ended(struct center *center, uint8_t participant, bool probe, enum outcome outcome);

// Rows of participant_table were read. What was read is about to be delivered, among other things; and has been.
void limits_read(struct center *center);
void limits_arrive(struct center *center);
void limits_arrived(struct center *center);

// This process was asked to change that, or has.
void limits_told(struct center *center);
void limits_changed(struct center *center, uint8_t participant, bool paused);

// After every event.
void limits_step(struct center *center);

#endif
