// A disk for SQLite that fails when told to: full, or unable to sync. It is SQLite's default from sick_disk_install()
// on, for the whole program.
#ifndef TXC_TESTS_STORE_SICK_DISK_H
#define TXC_TESTS_STORE_SICK_DISK_H

#include <stdatomic.h>
#include <stdint.h>

// Those of the thread that copies the log beside commits, and those of others.
enum sick_copies { SICK_BESIDE = 1, SICK_OTHERS = 2 };

struct sick_disk {
    _Atomic int64_t space;         // bytes that may still be written; negative: no end
    _Atomic int write_error;       // errno of every write; 0: none fails
    _Atomic int64_t sync_fails_at; // the Nth sync from now fails, and all after it; 0: none
    _Atomic int64_t syncs;         // counted
    atomic_int copy_fails;         // syncs of the database file itself, not of its log: sick_copies
    atomic_int copy_waits;         // such a sync waits for so many of the log beside it, for each a moment at most
};

// The one there is; healthy at first.
struct sick_disk *sick_disk_install(void);

#endif
