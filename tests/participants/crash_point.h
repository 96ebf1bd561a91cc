// Where a process dies: at a commit of its store, before it takes place or after it, when nobody has heard of it yet.
#ifndef TXC_TESTS_PARTICIPANTS_CRASH_POINT_H
#define TXC_TESTS_PARTICIPANTS_CRASH_POINT_H

#include "store/backend.h"

struct crash_point {
    struct store_faults faults; // of the store; for tests too
    int64_t commits;            // since it was set
    int64_t at;                 // 0: nowhere
    bool before;
    bool due;  // here it is: the process must not do anything more
    bool held; // set by a test: the store does nothing, as if each commit took long
};

// A backend on this disk that dies there. The point lives as long as the store.
struct store_backend *crash_point_backend(struct crash_point *point, struct store_backend *disk);

// At the n-th commit from now on (0: nowhere).
void crash_point_set(struct crash_point *point, int64_t n, bool before);

// Nothing goes in any more: the process is dead, and only its memory is still to be freed.
void crash_point_seal(struct crash_point *point);

// One round of the store's work; true when it did something. Stops at the point.
bool crash_point_pump(struct crash_point *point, struct store *store);

#endif
