// What is looked at now and then: has the wall clock jumped, do the store and the cache answer, is what the store
// acknowledges durable. Each change is said once.
#ifndef TXC_ORCHESTRATOR_VITALS_H
#define TXC_ORCHESTRATOR_VITALS_H

#include "store/store.h"

enum { VITALS_DRIFT_MS = 1000 }; // a jump of the wall clock that is spoken of

struct vitals {
    int64_t drift_ms; // as it was spoken of last
    bool store_down, cache_down;
    uint64_t store_weak; // hash of the warning; 0: none
};

struct vitals_seen {
    int64_t drift_ms; // clock_drift_ms()
    bool store_down, cache_down;
    const char *store_warning; // store_durability_warning()
};

enum vitals_news {
    VITALS_CLOCK_JUMPED = 1,
    VITALS_STORE_DOWN = 2,
    VITALS_STORE_BACK = 4,
    VITALS_CACHE_DOWN = 8,
    VITALS_CACHE_BACK = 16,
    VITALS_STORE_WEAK = 32, // or weak in another way
    VITALS_STORE_SOUND = 64,
};

// A set of enum vitals_news: what has changed since it was spoken of.
unsigned vitals_look(struct vitals *vitals, const struct vitals_seen *seen);

#endif
