// The store's backend as the simulation gives it to a process: the model in memory, with the faults of the moment
// before it, and whoever watches what becomes durable behind it.
#ifndef TXC_TESTS_SIMULATION_DISK_H
#define TXC_TESTS_SIMULATION_DISK_H

#include "store/backend.h"

struct center;
struct disk;

// Takes `inner`.
struct store_backend *disk_new(struct store_backend *inner, struct center *center);

// What was under way when its connection was lost takes place now, or never.
void disk_settle(struct disk *disk);

#endif
