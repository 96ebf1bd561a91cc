// Which sagas wait for a child that is not there. One that only waits for its child is driven by it, so for each there
// must be, among everything unfinished, one whose parent it is; which is known at the end of a pass through all of
// that.
//
// However many there are, a bounded number is kept. Where more wait than that, each pass is about a part of them, by
// their gids' hashes: there are twice as many parts when one was too large, half as many when all are small, and the
// parts are taken in turn, so that each parent is looked at after as many passes as there are parts.
#ifndef TXC_SAGA_FAMILIES_H
#define TXC_SAGA_FAMILIES_H

#include "saga/machine.h"

enum {
    FAMILIES_PARENTS_MAX = 1024,   // of one pass
    FAMILIES_CHILDREN_MAX = 16384, // likewise: different parents that have any
    FAMILIES_PARTS_MAX = 65536,
};

// Zeroed, it begins with all of them in one part.
struct families {
    char (*parents)[SAGA_GID_MAX + 1]; // of this part, that wait for a child
    uint64_t *children;                // a table of hashes: the parents of what is unfinished, of this part
    size_t n_parents, n_children;
    size_t most; // of the passes since the first part: the greatest number of either, in FAMILIES_PARENTS_MAX-ths
    uint32_t part, parts;             // a power of two; 0: 1
    bool begun;                       // a pass was
    bool parents_left, children_left; // out, because there are more than fit
    int64_t began_ms;
};

// A pass begins; the one before, if any, was ended, or came to nothing.
void families_begin(struct families *families, int64_t now_ms);
void families_note_child(struct families *families, const char *parent_gid);
void families_note_parent(struct families *families, const char *gid);

// At the end of a pass: the next one, from *i on, that was noted and has no child. NULL: there is none left, or the
// part was too large for anything to be said of it.
const char *families_childless(const struct families *families, size_t *i);

// How many passes it takes to look at each of them.
uint32_t families_passes(const struct families *families);

void families_release(struct families *families);

#endif
