// A VFS that is the default one but for two of its files' methods. A file of the default VFS gets a copy of its own
// table of methods, in which write and sync are ours; everything else stays as it was.
#include "tests/store/sick_disk.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static struct sick_disk disk = {.space = -1};
static sqlite3_vfs *healthy;
static sqlite3_vfs sick;

// The default VFS has one table of methods for each way of locking, of which a program meets one or two; there is one
// of ours for the database and one for other files.
enum { TABLES_MAX = 4 };
static struct table {
    const sqlite3_io_methods *original;
    sqlite3_io_methods ours;
    bool database;
} tables[TABLES_MAX];

static const struct table *table_of(const sqlite3_file *file) {
    for (int i = 0; i < TABLES_MAX; i++)
        if (file->pMethods == &tables[i].ours)
            return &tables[i];
    return NULL;
}

static const sqlite3_io_methods *original_of(const sqlite3_file *file) {
    return table_of(file)->original;
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

enum { MOMENT_NS = 30000000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t synced = PTHREAD_COND_INITIALIZER;

static void wait_for_a_sync(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += MOMENT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mutex);
    int64_t before = atomic_load(&disk.syncs);
    while (atomic_load(&disk.syncs) == before && pthread_cond_timedwait(&synced, &mutex, &until) == 0)
        continue;
    pthread_mutex_unlock(&mutex);
}

static enum sick_copies who(void) {
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    return strcmp(name, "store-copier") == 0 ? SICK_BESIDE : SICK_OTHERS;
}

static int sick_sync(sqlite3_file *file, int flags) {
    pthread_mutex_lock(&mutex);
    atomic_fetch_add(&disk.syncs, 1);
    pthread_cond_broadcast(&synced);
    pthread_mutex_unlock(&mutex);
    int64_t at = atomic_load(&disk.sync_fails_at);
    bool database = table_of(file)->database;
    for (int left = atomic_load(&disk.copy_waits); database && left > 0 && who() == SICK_BESIDE; left--)
        wait_for_a_sync();
    if (at == 1 || (database && atomic_load(&disk.copy_fails) & (int)who()))
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

static const sqlite3_io_methods *ours_for(const sqlite3_io_methods *original, bool database) {
    for (int i = 0; i < TABLES_MAX; i++) {
        if (tables[i].original == original && tables[i].database == database)
            return &tables[i].ours;
        if (!tables[i].original) {
            tables[i].ours = *original;
            tables[i].ours.xWrite = sick_write;
            tables[i].ours.xSync = sick_sync;
            tables[i].ours.xFileControl = sick_file_control;
            tables[i].original = original;
            tables[i].database = database;
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
    file->pMethods = ours_for(file->pMethods, flags & SQLITE_OPEN_MAIN_DB);
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
