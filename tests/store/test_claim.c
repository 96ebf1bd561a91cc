// Claims and take-overs in an SQL database: what is asked of it, in what order, and what is made of its answers.
#include "store/claim.h"
#include "tests/cmocka.h"

#include <stdio.h>
#include <string.h>

enum { TOKEN = 7, STATEMENTS_MAX = 16 };

// Keeps what it is told, raises as many rows as it has, and answers a SELECT with one row.
struct scribe {
    struct sql_session base;
    char statements[STATEMENTS_MAX][16]; // their first words
    size_t n;
    int64_t rows;
    const char *token;
};

static enum backend_result write_down(struct sql_session *base, const char *sql, const struct sql_param *params,
                                      size_t n, session_row_fn *row, void *ctx, int64_t *ret_changed,
                                      struct error *error) {
    (void)params, (void)n, (void)error;
    struct scribe *scribe = (struct scribe *)base;
    assert_true(scribe->n < STATEMENTS_MAX);
    struct str rest = str_c(sql);
    str_fit(str_cut(&rest, ' '), scribe->statements[scribe->n++], sizeof scribe->statements[0]);
    if (ret_changed)
        *ret_changed = scribe->rows;
    if (strncmp(sql, "INSERT", 6) == 0)
        scribe->rows = 1;
    if (row)
        row(ctx, (struct str[]){STR("3"), STR("40"), str_c(scribe->token)}, 3);
    return BACKEND_OK;
}

static struct scribe scribe_with(int64_t rows, const char *token) {
    return (struct scribe){.base = {.dialect = SQL_MYSQL, .run = write_down}, .rows = rows, .token = token};
}

static enum backend_result claim(struct scribe *scribe, enum backend_claim_kind kind,
                                 struct store_identity *ret_identity, struct error *error) {
    struct backend_claim claim = {.instance = "one", .address = "here", .token = TOKEN, .lease_ms = 1000, .kind = kind};
    return claim_instance(&scribe->base, "BEGIN", &claim, true, ret_identity, error);
}

// A Galera node that takes a transaction back while it answers a SELECT commits what comes after it.
static void assert_transactions_only_write(const struct scribe *scribe) {
    bool within = false;
    size_t n_commits = 0;
    for (size_t i = 0; i < scribe->n; i++) {
        const char *word = scribe->statements[i];
        bool begins = strcmp(word, "BEGIN") == 0, commits = strcmp(word, "COMMIT") == 0;
        bool reads = strcmp(word, "SELECT") == 0;
        assert_true(within ? !begins && !reads : begins || reads);
        within = !commits && (begins || within);
        n_commits += commits;
    }
    assert_false(within);
    assert_int_equal(n_commits, 1);
}

// [E7]
static void test_nothing_is_read_in_a_transaction_that_claims_or_takes_over(void **state) {
    (void)state;
    for (int64_t rows = 0; rows < 2; rows++) {
        struct scribe scribe = scribe_with(rows, "7");
        struct store_identity identity;
        struct error error = {0};
        assert_int_equal(claim(&scribe, CLAIM_OPEN, &identity, &error), BACKEND_OK);
        assert_transactions_only_write(&scribe);
        assert_int_equal(identity.incarnation, 3);
        assert_int_equal(identity.batch_no, 40);
        assert_string_equal(identity.name, "one");
    }
    struct scribe scribe = scribe_with(1, "7");
    struct error error = {0};
    bool taken = false;
    struct backend_take_over from = {.dead = "two", .incarnation = 5, .heir = "one"};
    assert_int_equal(claim_take_over(&scribe.base, "BEGIN", &from, &taken, &error), BACKEND_OK);
    assert_transactions_only_write(&scribe);
    assert_true(taken);
}

// [E7] Whose token is not in the row has no incarnation, whatever the database answered before.
static void test_a_row_with_anothers_token_is_anothers(void **state) {
    (void)state;
    for (enum backend_claim_kind kind = CLAIM_OPEN; kind <= CLAIM_RETURN; kind++) {
        struct scribe scribe = scribe_with(1, "8");
        struct store_identity identity = {.incarnation = -1};
        struct error error = {0};
        assert_int_equal(claim(&scribe, kind, &identity, &error), BACKEND_FENCED);
        assert_int_equal(error.code, ERR_STORE_FENCED);
        assert_int_equal(identity.incarnation, -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_read_in_a_transaction_that_claims_or_takes_over),
        cmocka_unit_test(test_a_row_with_anothers_token_is_anothers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
