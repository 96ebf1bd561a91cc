// Lurkers: each waits until a step of some saga comes to the state that it hunts, and strikes in that very moment.
// Chance alone would take a hundred times as many worlds to bring the two together. Most of them are operators, and do
// what operators can do; some are what brings down a process, or spoils a write, at the worst of times.
#ifndef TXC_TESTS_SIMULATION_LURKER_H
#define TXC_TESTS_SIMULATION_LURKER_H

#include "saga/machine.h"
#include "store/backend.h"
#include "tests/simulation/draw.h"

struct item;

enum { LURKERS_MAX = 8 };

struct lurker {
    const struct item *item; // an ITEM_LURKER: what it hunts, and what it does then
    struct seeded dice;
    unsigned strikes;            // so far
    char prey[SAGA_GID_MAX + 1]; // whose writes the disk refuses for it; empty: nobody's
    unsigned refusals;           // of these
};

struct lurkers {
    struct lurker list[LURKERS_MAX];
    unsigned n;
};

// What the item hunts, which is the `place`th one of its world.
void lurker_draw(struct item *item, uint32_t place, bool siege, struct seeded *dice);
void lurker_describe(const struct item *item, char *out, size_t size);

// From now on until everything becomes calm.
void lurker_begin(const struct item *item, uint32_t number);

// The machine was applied to a saga, by the process that is running.
void lurkers_see(const struct saga_instance *saga, const struct saga_event *event);

// Whether the disk refuses to commit this.
bool lurkers_refuse(const struct store_op *ops, size_t n);

#endif
