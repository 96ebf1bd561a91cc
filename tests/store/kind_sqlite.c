#include "tests/cmocka.h"
#include "tests/scratch.h"
#include "tests/store/kinds.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static void create(struct bed *bed) {
    char folder[SCRATCH_PATH_MAX];
    assert_true(scratch_make("sqlite", folder));
    snprintf(bed->place, sizeof bed->place, "%s/store.db", folder);
}

static struct store_backend *backend(struct bed *bed) {
    return store_sqlite(bed->place);
}

static void destroy(struct bed *bed) {
    *strrchr(bed->place, '/') = '\0';
    scratch_remove(bed->place);
}

// A second store is refused while the first lives, so the row is changed as the second one would have.
static void usurp(struct bed *bed) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(bed->place, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    char *sql = sqlite3_mprintf("UPDATE instance SET incarnation = incarnation + 1, token = token + 1 WHERE name = %Q",
                                bed->options.instance);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_free(sql);
    sqlite3_close(db);
}

const struct bed_kind kind_sqlite = {"sqlite", create, backend, destroy, usurp, false, false};
