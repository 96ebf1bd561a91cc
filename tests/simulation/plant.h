// Rules of the world that are broken on purpose, to see that the checks notice.
#ifndef TXC_TESTS_SIMULATION_PLANT_H
#define TXC_TESTS_SIMULATION_PLANT_H

#include "base/arena.h"
#include "store/backend.h"

enum plant {
    PLANT_NOTHING,
    PLANT_FORGETFUL, // a participant forgets a key and acts again
    PLANT_ROLLBACK,  // a commit is acknowledged and lost
    PLANT_UNFENCED,  // the store takes what a stale owner writes
    PLANT_TORN,      // half of a batch is committed
    PLANT_AMNESIA,   // signals that were acknowledged are taken out of a saga's row
    PLANT_REORDERED, // the numbers of events are mixed up
    PLANT_MUTE,      // a participant never answers, even when everything is well
    PLANT_BOUNDLESS, // what is in memory is counted as more than it is
    PLANTS
};

const char *plant_name(enum plant plant);
bool plant_find(const char *name, enum plant *ret_plant); // false: there is none of this name

// What is committed instead of these; in `arena`, or the same.
const struct store_op *plant_forget(const struct store_op *ops, size_t n, struct arena *arena);

#endif
