#include "orchestrator/admission.h"

enum { STORE_DOWN_RETRY_MS = 1000, CROWDED_RETRY_MS = 200 };

// How many sixteenths of the store's queue must be free.
static const uint32_t reserve_of[] = {[RPC_TIER_LOW] = 8, [RPC_TIER_NORMAL] = 4, [RPC_TIER_HIGH] = 1};

bool admission_admits(enum rpc_tier tier, uint32_t room, uint32_t queue_max, bool store_down, struct error *error) {
    if ((uint64_t)room * 16 >= (uint64_t)queue_max * reserve_of[tier])
        return true;
    error_set(error, store_down ? ERR_STORE_UNAVAILABLE : ERR_OVERLOADED, NULL);
    error->retry_after_ms = store_down ? STORE_DOWN_RETRY_MS : CROWDED_RETRY_MS;
    return false;
}

bool admission_check(const struct store *store, enum rpc_tier tier, struct error *error) {
    uint32_t room = store_room(store), queue_max = store_queue_max(store);
    if (room == queue_max)
        return true;
    struct store_stats stats = {0};
    if (room == 0)
        store_stats(store, &stats);
    return admission_admits(tier, room, queue_max, stats.down, error);
}
