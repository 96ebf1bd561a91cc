// A VFS that is the default one but for two of its files' methods. A file of the default VFS gets a copy of its own
// table of methods, in which write and sync are ours; everything else stays as it was.
#include "tests/store/sick_disk.h"

#include <assert.h>
#include <sqlite3.h>
#include <string.h>

static struct sick_disk disk = {.space = -1};
static sqlite3_vfs *healthy;
static sqlite3_vfs sick;

// The default VFS has one table of methods for each way of locking; a program meets one or two.
enum { TABLES_MAX = 4 };
static struct {
    const sqlite3_io_methods *original;
    sqlite3_io_methods ours;
} tables[TABLES_MAX];

static const sqlite3_io_methods *original_of(const sqlite3_file *file) {
    for (int i = 0; i < TABLES_MAX; i++)
        if (file->pMethods == &tables[i].ours)
            return tables[i].original;
    return NULL;
}

static int sick_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset) {
    const sqlite3_io_methods *original = original_of(file);
    int write_error = atomic_load(&disk.write_error);
    if (write_error)
        return SQLITE_IOERR_WRITE;
    int64_t space = atomic_load(&disk.space);
    if (space >= 0) {
        // What is there already can be written again.
        sqlite3_int64 size = 0;
        original->xFileSize(file, &size);
        int64_t growth = offset + n > size ? offset + n - size : 0;
        if (growth > space)
            return SQLITE_FULL;
        atomic_fetch_sub(&disk.space, growth);
    }
    return original->xWrite(file, bytes, n, offset);
}

static int sick_sync(sqlite3_file *file, int flags) {
    atomic_fetch_add(&disk.syncs, 1);
    int64_t at = atomic_load(&disk.sync_fails_at);
    if (at == 1)
        return SQLITE_IOERR_FSYNC;
    if (at > 1)
        atomic_store(&disk.sync_fails_at, at - 1);
    return original_of(file)->xSync(file, flags);
}

static int sick_file_control(sqlite3_file *file, int op, void *arg) {
    int write_error = atomic_load(&disk.write_error);
    if (op == SQLITE_FCNTL_LAST_ERRNO && write_error) {
        memcpy(arg, &write_error, sizeof write_error);
        return SQLITE_OK;
    }
    return original_of(file)->xFileControl(file, op, arg);
}

static const sqlite3_io_methods *ours_for(const sqlite3_io_methods *original) {
    for (int i = 0; i < TABLES_MAX; i++) {
        if (tables[i].original == original)
            return &tables[i].ours;
        if (!tables[i].original) {
            tables[i].ours = *original;
            tables[i].ours.xWrite = sick_write;
            tables[i].ours.xSync = sick_sync;
            tables[i].ours.xFileControl = sick_file_control;
            tables[i].original = original;
            return &tables[i].ours;
        }
    }
    return NULL;
}

static int sick_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    (void)vfs;
    int rc = healthy->xOpen(healthy, name, file, flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    // Opening is the test's main thread's: the tables are complete before the store's threads run.
    file->pMethods = ours_for(file->pMethods);
    assert(file->pMethods);
    return SQLITE_OK;
}

struct sick_disk *sick_disk_install(void) {
    if (!healthy) {
        healthy = sqlite3_vfs_find(NULL);
        sick = *healthy;
        sick.zName = "sick";
        sick.xOpen = sick_open;
        sqlite3_vfs_register(&sick, 1);
    }
    return &disk;
}
