// Power loss for SQLite, without pulling a plug: a VFS that keeps in this process's memory every byte that was written
// and not synced, and gives it to the real file when it is synced. kill -9 then loses exactly what was not synced, as a
// power loss does, while a kill -9 by itself loses nothing of what was written, since the kernel has it.
//
// Preloaded (LD_PRELOAD=libpowerloss.so), it is SQLite's default VFS in any program. Kept back are writes, truncations,
// and deletions without a sync of the folder, of databases, logs and journals; temporary files and the shared memory of
// the log's index, which no power loss leaves behind, are left alone. All connections of a process see one image of a
// file; other processes see what is synced. A process that ends by itself loses nothing.
//
//   POWERLOSS_SKIP=wal|db|folder    syncs of such files, or of folders, do nothing: what a missing sync would lose
//   POWERLOSS_LEAK=PERCENT          so many of the writes reach the real file at once, as a disk may do in any order
//   POWERLOSS_NONE=1                nothing is kept back: a kill is only a kill
//   POWERLOSS_PLAN=FILE             ends the process at a chosen sync (plug.h)
//
// The file object is the real VFS's own; only its table of methods is exchanged, and a list beside it says which image
// it belongs to.
#include "tests/powerloss/plug.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, FILES_MAX = 64, IMAGES_MAX = 64, TABLES_MAX = 4 };

// What a file is to this process.
struct image {
    char *path; // NULL: unused
    bool is_log;
    bool deleted;          // but not on the disk yet
    sqlite3_int64 size;    // as this process sees it
    sqlite3_int64 solid;   // bytes of the real file, from its begin, that show through
    unsigned char **pages; // written since the last sync; NULL where not
    size_t n_pages;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // of everything here
static sqlite3_vfs *real, ours;
static struct image images[IMAGES_MAX];
static struct {
    sqlite3_file *file;
    struct image *image;
} files[FILES_MAX];
static struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods ours;
} tables[TABLES_MAX];
static const char *skip;
static bool keeps_nothing;
static int leak_percent;
static unsigned seed;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "powerloss: %s\n", what);
    abort();
}

static struct image *image_of(const sqlite3_file *file) {
    for (int i = 0; i < FILES_MAX; i++)
        if (files[i].file == file)
            return files[i].image;
    die("a file that was not opened here");
}

static const sqlite3_io_methods *real_of(const sqlite3_file *file) {
    for (int i = 0; i < TABLES_MAX; i++)
        if (file->pMethods == &tables[i].ours)
            return tables[i].real;
    die("a file of another VFS");
}

static struct image *image_named(const char *path) {
    for (int i = 0; i < IMAGES_MAX; i++)
        if (images[i].path && strcmp(images[i].path, path) == 0)
            return &images[i];
    return NULL;
}

// ---- Pages ------------------------------------------------------------------------------------------------------

static void forget_from(struct image *image, size_t page) {
    for (size_t i = page; i < image->n_pages; i++) {
        free(image->pages[i]);
        image->pages[i] = NULL;
    }
}

// Bytes of one page from the real file; zeros where it has none.
static int read_solid(sqlite3_file *file, const struct image *image, void *out, size_t n, sqlite3_int64 offset) {
    memset(out, 0, n);
    if (offset >= image->solid)
        return SQLITE_OK;
    sqlite3_int64 there = image->solid - offset;
    int rc = real_of(file)->xRead(file, out, (int)((sqlite3_int64)n < there ? (sqlite3_int64)n : there), offset);
    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
}

static int page_for_writing(sqlite3_file *file, struct image *image, size_t number, unsigned char **ret_page) {
    if (number >= image->n_pages) {
        size_t n = 2 * number + 64;
        image->pages = realloc(image->pages, n * sizeof *image->pages);
        if (!image->pages)
            die("no memory");
        memset(image->pages + image->n_pages, 0, (n - image->n_pages) * sizeof *image->pages);
        image->n_pages = n;
    }
    if (!image->pages[number]) {
        unsigned char *page = malloc(PAGE);
        if (!page)
            die("no memory");
        int rc = read_solid(file, image, page, PAGE, (sqlite3_int64)number * PAGE);
        if (rc != SQLITE_OK) {
            free(page);
            return rc;
        }
        image->pages[number] = page;
    }
    *ret_page = image->pages[number];
    return SQLITE_OK;
}

// How much of [offset, offset + n) lies in the page of `offset`.
static size_t within_page(sqlite3_int64 offset, size_t n) {
    size_t room = (size_t)(PAGE - offset % PAGE);
    return n < room ? n : room;
}

// ---- Methods of files -------------------------------------------------------------------------------------------

static int read_image(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset) {
    struct image *image = image_of(file);
    unsigned char *to = out;
    size_t rest = (size_t)amount;
    memset(out, 0, rest);
    bool is_short = offset + amount > image->size;
    if (is_short)
        rest = offset < image->size ? (size_t)(image->size - offset) : 0;
    while (rest > 0) {
        size_t n = within_page(offset, rest), number = (size_t)(offset / PAGE);
        if (number < image->n_pages && image->pages[number]) {
            memcpy(to, image->pages[number] + offset % PAGE, n);
        } else {
            int rc = read_solid(file, image, to, n, offset);
            if (rc != SQLITE_OK)
                return rc;
        }
        to += n;
        offset += (sqlite3_int64)n;
        rest -= n;
    }
    return is_short ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int write_image(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset) {
    struct image *image = image_of(file);
    const unsigned char *from = bytes;
    size_t rest = (size_t)amount;
    if (leak_percent > 0 && rand_r(&seed) % 100 < leak_percent)
        real_of(file)->xWrite(file, bytes, amount, offset);
    while (rest > 0) {
        size_t n = within_page(offset, rest);
        unsigned char *page;
        int rc = page_for_writing(file, image, (size_t)(offset / PAGE), &page);
        if (rc != SQLITE_OK)
            return rc;
        memcpy(page + offset % PAGE, from, n);
        from += n;
        offset += (sqlite3_int64)n;
        rest -= n;
    }
    image->size = offset > image->size ? offset : image->size;
    return SQLITE_OK;
}

static int truncate_image(sqlite3_file *file, sqlite3_int64 size) {
    struct image *image = image_of(file);
    size_t last = (size_t)(size / PAGE);
    if (size % PAGE) {
        if (last < image->n_pages && image->pages[last])
            memset(image->pages[last] + size % PAGE, 0, (size_t)(PAGE - size % PAGE));
        last++;
    }
    forget_from(image, last);
    image->size = size;
    image->solid = size < image->solid ? size : image->solid;
    return SQLITE_OK;
}

static bool is_skipped(const char *what) {
    return skip && strcmp(skip, what) == 0;
}

// From here on a power loss can't take it.
static int make_solid(sqlite3_file *file, struct image *image) {
    const sqlite3_io_methods *methods = real_of(file);
    for (size_t i = 0; i < image->n_pages; i++) {
        sqlite3_int64 at = (sqlite3_int64)i * PAGE, rest = image->size - at;
        if (!image->pages[i] || rest <= 0)
            continue;
        int rc = methods->xWrite(file, image->pages[i], (int)(rest < PAGE ? rest : PAGE), at);
        if (rc != SQLITE_OK)
            return rc;
    }
    forget_from(image, 0);
    image->solid = image->size;
    sqlite3_int64 size;
    int rc = methods->xFileSize(file, &size);
    if (rc == SQLITE_OK && size != image->size)
        rc = methods->xTruncate(file, image->size);
    return rc;
}

static int our_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset) {
    pthread_mutex_lock(&mutex);
    int rc = read_image(file, out, amount, offset);
    pthread_mutex_unlock(&mutex);
    return rc;
}

static int our_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset) {
    pthread_mutex_lock(&mutex);
    int rc = write_image(file, bytes, amount, offset);
    pthread_mutex_unlock(&mutex);
    return rc;
}

static int our_truncate(sqlite3_file *file, sqlite3_int64 size) {
    pthread_mutex_lock(&mutex);
    int rc = truncate_image(file, size);
    pthread_mutex_unlock(&mutex);
    return rc;
}

static int our_sync(sqlite3_file *file, int flags) {
    (void)flags;
    pthread_mutex_lock(&mutex);
    struct image *image = image_of(file);
    plug_before_sync();
    int rc = is_skipped(image->is_log ? "wal" : "db") ? SQLITE_OK : make_solid(file, image);
    plug_after_sync();
    pthread_mutex_unlock(&mutex);
    return rc;
}

// Where nothing is kept back.
static int watched_sync(sqlite3_file *file, int flags) {
    pthread_mutex_lock(&mutex);
    const sqlite3_io_methods *methods = real_of(file);
    plug_before_sync();
    int rc = methods->xSync(file, flags);
    plug_after_sync();
    pthread_mutex_unlock(&mutex);
    return rc;
}

static int our_file_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
    pthread_mutex_lock(&mutex);
    *ret_size = image_of(file)->size;
    pthread_mutex_unlock(&mutex);
    return SQLITE_OK;
}

// What would change the real file's size, or show it by another way than reading.
static int our_file_control(sqlite3_file *file, int op, void *arg) {
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
        return SQLITE_OK;
    if (op == SQLITE_FCNTL_MMAP_SIZE)
        return SQLITE_NOTFOUND;
    pthread_mutex_lock(&mutex);
    const sqlite3_io_methods *methods = real_of(file);
    pthread_mutex_unlock(&mutex);
    return methods->xFileControl(file, op, arg);
}

static int our_close(sqlite3_file *file) {
    pthread_mutex_lock(&mutex);
    const sqlite3_io_methods *methods = real_of(file);
    for (int i = 0; i < FILES_MAX; i++)
        if (files[i].file == file)
            files[i].file = NULL;
    file->pMethods = methods;
    pthread_mutex_unlock(&mutex);
    return methods->xClose(file);
}

static const sqlite3_io_methods *methods_for(const sqlite3_io_methods *methods) {
    for (int i = 0; i < TABLES_MAX; i++) {
        if (tables[i].real == methods)
            return &tables[i].ours;
        if (tables[i].real)
            continue;
        tables[i].real = methods;
        tables[i].ours = *methods;
        tables[i].ours.xSync = watched_sync;
        if (keeps_nothing)
            return &tables[i].ours;
        tables[i].ours.iVersion = 2; // without memory-mapped reading
        tables[i].ours.xClose = our_close;
        tables[i].ours.xRead = our_read;
        tables[i].ours.xWrite = our_write;
        tables[i].ours.xTruncate = our_truncate;
        tables[i].ours.xSync = our_sync;
        tables[i].ours.xFileSize = our_file_size;
        tables[i].ours.xFileControl = our_file_control;
        return &tables[i].ours;
    }
    die("too many ways of locking");
}

// ---- Methods of the VFS -----------------------------------------------------------------------------------------

static struct image *image_for(const char *path, sqlite3_file *file, int flags) {
    struct image *image = image_named(path);
    if (image && image->deleted) {
        // A new file of the name; the old one is what a power loss would find.
        forget_from(image, 0);
        image->deleted = false;
        image->size = image->solid = 0;
    }
    for (int i = 0; !image && i < IMAGES_MAX; i++)
        if (!images[i].path)
            image = &images[i];
    if (!image)
        die("too many files");
    if (!image->path) {
        *image = (struct image){.path = strdup(path), .is_log = (flags & SQLITE_OPEN_WAL) != 0};
        if (!image->path || file->pMethods->xFileSize(file, &image->size) != SQLITE_OK)
            die("no size");
        image->solid = image->size;
    }
    return image;
}

static int open_image(const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    const struct image *before = image_named(name);
    if (before && before->deleted && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    int rc = real->xOpen(real, name, file, flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    if (keeps_nothing) {
        file->pMethods = methods_for(file->pMethods);
        return SQLITE_OK;
    }
    int place = 0;
    while (place < FILES_MAX && files[place].file)
        place++;
    if (place == FILES_MAX)
        die("too many open files");
    files[place].image = image_for(name, file, flags);
    files[place].file = file;
    file->pMethods = methods_for(file->pMethods);
    return SQLITE_OK;
}

static int our_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
    (void)vfs;
    int kept_back = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
    if (!name || !(flags & kept_back))
        return real->xOpen(real, name, file, flags, ret_flags);
    pthread_mutex_lock(&mutex);
    int rc = open_image(name, file, flags, ret_flags);
    pthread_mutex_unlock(&mutex);
    return rc;
}

static bool same_folder(const char *a, const char *b) {
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    return end_a && end_b && end_a - a == end_b - b && strncmp(a, b, (size_t)(end_a - a)) == 0;
}

// Syncing a folder makes every deletion in it last.
static int delete_in_folder(const char *path) {
    for (int i = 0; i < IMAGES_MAX; i++)
        if (images[i].path && images[i].deleted && same_folder(images[i].path, path)) {
            int rc = real->xDelete(real, images[i].path, 0);
            if (rc != SQLITE_OK && rc != SQLITE_IOERR_DELETE_NOENT)
                return rc;
            free(images[i].path);
            images[i].path = NULL;
        }
    return SQLITE_OK;
}

static int our_delete(sqlite3_vfs *vfs, const char *path, int sync_folder) {
    (void)vfs;
    pthread_mutex_lock(&mutex);
    struct image *image = image_named(path);
    int rc;
    if (image && image->deleted) {
        rc = SQLITE_IOERR_DELETE_NOENT;
    } else if (!image) {
        rc = real->xDelete(real, path, sync_folder);
    } else {
        forget_from(image, 0);
        image->deleted = true;
        image->size = image->solid = 0;
        rc = sync_folder && !is_skipped("folder") ? delete_in_folder(path) : SQLITE_OK;
    }
    pthread_mutex_unlock(&mutex);
    return rc;
}

static int our_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_answer) {
    (void)vfs;
    pthread_mutex_lock(&mutex);
    const struct image *image = image_named(path);
    int rc = SQLITE_OK;
    if (image && flags == SQLITE_ACCESS_EXISTS)
        *ret_answer = !image->deleted && image->size > 0; // as the real VFS: an empty file is none
    else
        rc = real->xAccess(real, path, flags, ret_answer);
    pthread_mutex_unlock(&mutex);
    return rc;
}

__attribute__((constructor)) static void install(void) {
    const char *leak = getenv("POWERLOSS_LEAK");
    skip = getenv("POWERLOSS_SKIP");
    keeps_nothing = getenv("POWERLOSS_NONE") != NULL;
    plug_init(getenv("POWERLOSS_PLAN"));
    leak_percent = leak ? (int)strtol(leak, NULL, 10) : 0;
    sqlite3_randomness(sizeof seed, &seed);
    real = sqlite3_vfs_find(NULL);
    if (!real)
        die("no VFS");
    ours = *real;
    ours.zName = "powerloss";
    ours.xOpen = our_open;
    ours.xDelete = our_delete;
    ours.xAccess = our_access;
    if (sqlite3_vfs_register(&ours, 1) != SQLITE_OK)
        die("not registered");
}

// An ordinary end is no power loss: the kernel would have written it all.
__attribute__((destructor)) static void end(void) {
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < IMAGES_MAX; i++) {
        struct image *image = &images[i];
        if (!image->path)
            continue;
        FILE *file = image->deleted ? NULL : fopen(image->path, "r+");
        for (size_t k = 0; file && k < image->n_pages; k++) {
            sqlite3_int64 at = (sqlite3_int64)k * PAGE, rest = image->size - at;
            if (image->pages[k] && rest > 0 && fseek(file, (long)at, SEEK_SET) == 0)
                fwrite(image->pages[k], 1, (size_t)(rest < PAGE ? rest : PAGE), file);
        }
        if (file)
            fclose(file);
        if (image->deleted)
            remove(image->path);
    }
    pthread_mutex_unlock(&mutex);
}
