// What migrations and claims need of an SQL database: to run one statement. Each SQL backend has one of these, so that
// both are written once (migrate.c, claim.c). Not for the hot path.
#ifndef TXC_STORE_SESSION_H
#define TXC_STORE_SESSION_H

#include "store/backend.h"
#include "store/sql.h"

// One row of an answer: every value as text.
typedef void session_row_fn(void *ctx, const struct str *values, size_t n);

enum { SESSION_COLUMNS_MAX = 4, SESSION_VALUE_MAX = 255 };

struct sql_session {
    enum sql_dialect dialect;
    // `row` may be NULL. ret_changed (may be NULL): how many rows the statement found and set, also to what they were.
    enum backend_result (*run)(struct sql_session *session, const char *sql, const struct sql_param *params, size_t n,
                               session_row_fn *row, void *ctx, int64_t *ret_changed, struct error *error);
};

// `begin` is the statement by which the database begins a transaction.
enum backend_result session_begin(struct sql_session *session, const char *begin, struct error *error);

// COMMIT when all went well, else ROLLBACK; gives what came of it.
enum backend_result session_end(struct sql_session *session, enum backend_result result, struct error *error);

static inline struct sql_param sql_text(const char *text) {
    return (struct sql_param){.is_text = true, .text = str_c(text)};
}

static inline struct sql_param sql_integer(int64_t value) {
    return (struct sql_param){.integer = value};
}

#endif
