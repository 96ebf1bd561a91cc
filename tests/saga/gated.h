// What tests of gates share.
#ifndef TXC_TESTS_SAGA_GATED_H
#define TXC_TESTS_SAGA_GATED_H

#include "tests/saga/bed.h"

// A bed whose model participant has these limits.
void gated_open(struct saga_bed *bed, struct saga_gate_limits limits);
// How its gate stands.
struct saga_participant gated_seen(struct saga_bed *bed);
// s0, s1, …
void gated_start_many(struct saga_bed *bed, const struct saga_flow *flow, unsigned n);
// All of them, and the books are right.
void gated_must_all_be(struct saga_bed *bed, unsigned n, enum saga_status status);
// An operator pauses a participant, or resumes it.
void gated_pause(struct saga_bed *bed, const char *participant, bool paused, struct bed_reply *reply);
void gated_must_pause(struct saga_bed *bed, bool paused);

#endif
