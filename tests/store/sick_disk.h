// A disk for SQLite that fails when told to: full, or unable to sync. It is SQLite's default from sick_disk_install()
// on, for the whole program.
#ifndef TXC_TESTS_STORE_SICK_DISK_H
#define TXC_TESTS_STORE_SICK_DISK_H

#include <stdatomic.h>
#include <stdint.h>

struct sick_disk {
    _Atomic int64_t space;         // bytes that may still be written; negative: no end
    _Atomic int write_error;       // errno of every write; 0: none fails
    _Atomic int64_t sync_fails_at; // the Nth sync from now fails, and all after it; 0: none
    _Atomic int64_t syncs;         // counted
    atomic_bool copy_fails;        // each sync of the database file itself, not of its log
    atomic_bool copy_waits;        // such a sync waits for one of the log beside it, for a moment
};

// The one there is; healthy at first.
struct sick_disk *sick_disk_install(void);

#endif
