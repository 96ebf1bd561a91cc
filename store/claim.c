#include "store/claim.h"

#include "store/schema.h"

#include <stdio.h>

enum { SQL_BYTES = 400 };

// What the instance's row says.
struct found {
    int64_t incarnation, batch_no, token;
    bool some;
};

static void keep_row(void *ctx, const struct str *values, size_t n) {
    struct found *found = ctx;
    found->some = n == 3 && str_to_i64(values[0], &found->incarnation) && str_to_i64(values[1], &found->batch_no) &&
                  str_to_i64(values[2], &found->token);
}

void claim_fence(struct buf *sql, enum sql_dialect dialect) {
    buf_printf(sql,
               "UPDATE instance SET batch_no = batch_no + 1, lease_until_ms = %s + ?, leaving = ? "
               "WHERE name = ? AND incarnation = ?",
               sql_now_ms(dialect));
}

static enum backend_result raise(struct sql_session *session, const struct backend_claim *claim, int64_t *ret_raised,
                                 struct error *error) {
    struct sql_param params[] = {sql_text(claim->address), sql_integer(claim->token), sql_integer(claim->lease_ms),
                                 sql_text(claim->instance), sql_integer(claim->token)};
    static const char *const whose[] = {
        [CLAIM_OPEN] = "", [CLAIM_RESUME] = " AND token = ?", [CLAIM_RETURN] = " AND token IN (0, ?)"};
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql,
             "UPDATE instance SET incarnation = incarnation + 1, address = ?, token = ?, lease_until_ms = %s + ?%s "
             "WHERE name = ?%s",
             sql_now_ms(session->dialect), claim->kind == CLAIM_RESUME ? "" : ", leaving = 0", whose[claim->kind]);
    return session->run(session, sql, params, claim->kind == CLAIM_OPEN ? 4 : 5, NULL, NULL, ret_raised, error);
}

static enum backend_result insert(struct sql_session *session, const struct backend_claim *claim, struct error *error) {
    struct sql_param params[] = {sql_text(claim->instance),
                                 sql_text(claim->address),
                                 sql_integer(0),
                                 sql_integer(0),
                                 sql_integer(0),
                                 sql_integer(claim->token),
                                 sql_integer(0)};
    struct buf sql;
    buf_init(&sql, 4096);
    sql_write(&sql, session->dialect, &store_instance_table, STORE_INSERT, 1);
    enum backend_result result =
        session->run(session, sql.ptr, params, sizeof params / sizeof params[0], NULL, NULL, NULL, error);
    buf_release(&sql);
    return result;
}

static enum backend_result take_slots(struct sql_session *session, const struct backend_claim *claim, bool shared,
                                      struct error *error) {
    struct sql_param owner = sql_text(claim->instance);
    const char *sql = shared ? "UPDATE slot SET owner = ? WHERE owner = ''" : "UPDATE slot SET owner = ?";
    return session->run(session, sql, &owner, 1, NULL, NULL, NULL, error);
}

static enum backend_result taken_over(const struct backend_claim *claim, struct error *error) {
    error_set(error, ERR_STORE_FENCED, "another process took over the instance %s", claim->instance);
    return BACKEND_FENCED;
}

static enum backend_result in_transaction(struct sql_session *session, const struct backend_claim *claim, bool shared,
                                          struct error *error) {
    int64_t raised = 0;
    enum backend_result result = raise(session, claim, &raised, error);
    if (result == BACKEND_OK && raised == 0 && claim->kind != CLAIM_OPEN)
        return taken_over(claim, error);
    if (result == BACKEND_OK && raised == 0) {
        result = insert(session, claim, error);
        if (result == BACKEND_OK)
            result = raise(session, claim, &raised, error);
    }
    if (result == BACKEND_OK && claim->kind != CLAIM_RESUME)
        result = take_slots(session, claim, shared, error);
    return result;
}

// Once the claim is committed: a Galera node that rolls a transaction back, because another node won, need not tell it
// when it was answering a SELECT, and commits what is left. With another's token in the row, another has it.
static enum backend_result read_back(struct sql_session *session, const struct backend_claim *claim,
                                     struct store_identity *ret_identity, struct error *error) {
    struct found found = {0};
    struct sql_param name = sql_text(claim->instance);
    enum backend_result result =
        session->run(session, "SELECT incarnation, batch_no, token FROM instance WHERE name = ?", &name, 1, keep_row,
                     &found, NULL, error);
    if (result != BACKEND_OK)
        return result;
    if (!found.some) {
        error_set(error, ERR_STORE_CORRUPT, "the row of the instance %s can't be read", claim->instance);
        return BACKEND_FATAL;
    }
    if (found.token != claim->token)
        return taken_over(claim, error);
    *ret_identity = (struct store_identity){.incarnation = found.incarnation, .batch_no = found.batch_no};
    snprintf(ret_identity->name, sizeof ret_identity->name, "%s", claim->instance);
    return BACKEND_OK;
}

static enum backend_result try_claim(struct sql_session *session, const char *begin, const struct backend_claim *claim,
                                     bool shared, struct store_identity *ret_identity, struct error *error) {
    enum backend_result result = session_begin(session, begin, error);
    if (result == BACKEND_OK)
        result = in_transaction(session, claim, shared, error);
    result = session_end(session, result, error);
    return result == BACKEND_OK ? read_back(session, claim, ret_identity, error) : result;
}

enum backend_result claim_instance(struct sql_session *session, const char *begin, const struct backend_claim *claim,
                                   bool shared, struct store_identity *ret_identity, struct error *error) {
    enum backend_result result = try_claim(session, begin, claim, shared, ret_identity, error);
    // Someone else has just made the row: now there is one to raise.
    if (result == BACKEND_CONFLICT)
        result = try_claim(session, begin, claim, shared, ret_identity, error);
    return result;
}

// ---- Taking over --------------------------------------------------------------------------------------------------

static enum backend_result take(struct sql_session *session, const struct backend_take_over *from, bool *ret_taken,
                                struct error *error) {
    char sql[SQL_BYTES];
    // Without its token the dead one can't come back by resolving a commit, but only by claiming its name anew.
    snprintf(sql, sizeof sql,
             "UPDATE instance SET incarnation = incarnation + 1, token = 0 WHERE name = ? AND incarnation = ? "
             "AND lease_until_ms < %s",
             sql_now_ms(session->dialect));
    struct sql_param dead[] = {sql_text(from->dead), sql_integer(from->incarnation)};
    int64_t raised = 0;
    enum backend_result result = session->run(session, sql, dead, 2, NULL, NULL, &raised, error);
    *ret_taken = raised == 1;
    if (result != BACKEND_OK || raised != 1)
        return result;
    struct sql_param owners[] = {sql_text(from->heir), sql_text(from->dead)};
    return session->run(session, "UPDATE slot SET owner = ? WHERE owner = ?", owners, 2, NULL, NULL, NULL, error);
}

enum backend_result claim_take_over(struct sql_session *session, const char *begin,
                                    const struct backend_take_over *from, bool *ret_taken, struct error *error) {
    bool taken = false;
    enum backend_result result = session_begin(session, begin, error);
    if (result == BACKEND_OK)
        result = take(session, from, &taken, error);
    result = session_end(session, result, error);
    if (result == BACKEND_OK)
        *ret_taken = taken;
    return result;
}
