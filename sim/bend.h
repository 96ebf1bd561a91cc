// An answer that is not what was done: a system that is broken, not one that is away.
#ifndef TXC_SIM_BEND_H
#define TXC_SIM_BEND_H

#include "base/arena.h"
#include "base/str.h"

#include <protobuf-c/protobuf-c.h>

// The encoded message with one field changed, as `how` says: "frozen.bonus.minor_units=7", "order_no=X"; as it was
// where the path names no text or number of it. In the arena.
struct str sim_bend(struct str bytes, const ProtobufCMessageDescriptor *type, const char *how, struct arena *arena);

#endif
