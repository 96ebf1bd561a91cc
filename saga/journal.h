// The step journal inside a saga's row: the instance as bytes and back (nanopb, bounded, no heap but the kept answers).
#ifndef TXC_SAGA_JOURNAL_H
#define TXC_SAGA_JOURNAL_H

#include "saga/machine.h"

// Encodes into the arena. False with RECORD_TOO_LARGE past SAGA_RECORD_MAX or the arena's maximum.
bool saga_journal_encode(const struct saga_instance *instance, struct arena *arena, struct str *ret_bytes,
                         struct error *error);

// Fills legs, signals, code, reason and text of *instance, whose flow, gid and status the caller has set; the rest must
// be zero. Any bytes are safe: what is no valid journal of this flow and status gives STORE_CORRUPT, and nothing is
// kept.
bool saga_journal_decode(struct str bytes, struct saga_instance *instance, struct error *error);

#endif
