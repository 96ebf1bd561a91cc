#include "orchestrator/vitals.h"

unsigned vitals_look(struct vitals *vitals, const struct vitals_seen *seen) {
    unsigned news = 0;
    int64_t moved = seen->drift_ms - vitals->drift_ms;
    if (moved >= VITALS_DRIFT_MS || moved <= -VITALS_DRIFT_MS) {
        news |= VITALS_CLOCK_JUMPED;
        vitals->drift_ms = seen->drift_ms;
    }
    if (seen->store_down != vitals->store_down) {
        news |= seen->store_down ? VITALS_STORE_DOWN : VITALS_STORE_BACK;
        vitals->store_down = seen->store_down;
    }
    if (seen->cache_down != vitals->cache_down) {
        news |= seen->cache_down ? VITALS_CACHE_DOWN : VITALS_CACHE_BACK;
        vitals->cache_down = seen->cache_down;
    }
    uint64_t weak = seen->store_warning ? str_hash(str_c(seen->store_warning)) | 1 : 0;
    if (weak != vitals->store_weak) {
        news |= weak ? VITALS_STORE_WEAK : VITALS_STORE_SOUND;
        vitals->store_weak = weak;
    }
    return news;
}
