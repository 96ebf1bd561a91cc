#include "tests/saga/account.h"

#include "tests/cmocka.h"

#include <stdlib.h>

static const struct store_column columns[] = {
    STORE_COL_TEXT(account_row, name), STORE_COL_I64(account_row, amount), STORE_COL_I64(account_row, version),
    STORE_COL_TEXT(account_row, paid), STORE_COL_TEXT(account_row, note),
};
const struct store_table account_table = {
    .name = "account",
    .row_size = sizeof(struct account_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 1,
};

struct account_row *account_edit(struct account *account) {
    account->dirty = true;
    return &account->row;
}

static void flush(struct saga_subject *subject, struct store_write *write) {
    struct account *account = account_of(subject);
    account->flushes++;
    if (!account->dirty)
        return;
    account->row.version++;
    store_row(write, &account_table, account->stored ? STORE_PUT : STORE_INSERT, &account->row);
    account->stored = true;
    account->dirty = false;
}

static void committed(struct saga_subject *subject) {
    account_of(subject)->commits++;
}

static void leave_memory(struct account *account) {
    struct account **at = &account->accounts->first;
    while (*at && *at != account)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = account->next;
    saga_subject_release(&account->subject);
}

static void failed(struct saga_subject *subject, const struct error *error) {
    (void)error;
    account_of(subject)->accounts->failed++;
    leave_memory(account_of(subject));
}

static void free_account(struct saga_subject *subject) {
    assert_int_equal(subject->group.in_flight, 0);
    assert_null(subject->family.first);
    free(account_of(subject));
}

static const struct saga_subject_ops ops = {flush, committed, failed, free_account};

static struct account *blank(struct accounts *accounts, struct str key) {
    struct account *account = calloc(1, sizeof *account);
    assert_non_null(account);
    account->subject.ops = &ops;
    account->subject.refs = 1;
    account->accounts = accounts;
    assert_true(str_copy(key, account->subject.key, sizeof account->subject.key));
    assert_true(str_copy(key, account->row.name, sizeof account->row.name));
    return account;
}

static struct account *enter_memory(struct account *account) {
    account->next = account->accounts->first;
    account->accounts->first = account;
    saga_subject_hold(&account->subject);
    return account;
}

struct account *accounts_find(struct accounts *accounts, const char *key) {
    struct account *account = accounts->first;
    while (account && strcmp(account->row.name, key) != 0)
        account = account->next;
    return account;
}

struct account *accounts_new(struct accounts *accounts, const char *key) {
    assert_null(accounts_find(accounts, key));
    return enter_memory(blank(accounts, str_c(key)));
}

struct account_attach {
    struct account_attach *next;
    struct accounts *accounts;
    struct saga_engine *engine;
    void *token;
    char key[SAGA_SUBJECT_MAX + 1];
};

static void free_attach(struct account_attach *wish) {
    struct account_attach **at = &wish->accounts->attaches;
    while (*at != wish)
        at = &(*at)->next;
    *at = wish->next;
    free(wish);
}

void accounts_drop_all(struct accounts *accounts) {
    while (accounts->attaches)
        free_attach(accounts->attaches);
    while (accounts->first)
        leave_memory(accounts->first);
}

// ---- Loading ------------------------------------------------------------------------------------------------------

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct account_attach wish = *(struct account_attach *)ctx;
    struct account *account = accounts_find(wish.accounts, wish.key);
    struct error planned;
    free_attach(ctx);
    if (!error && wish.accounts->fail_loads > 0) {
        wish.accounts->fail_loads--;
        error_set(&planned, wish.accounts->fail_code ? wish.accounts->fail_code : ERR_STORE_UNAVAILABLE, "as planned");
        error = &planned;
    }
    if (!error && !account) {
        account = enter_memory(blank(wish.accounts, str_c(wish.key)));
        saga_subject_release(&account->subject); // memory's own hold is enough
        if (n == 1)
            account->row = *(const struct account_row *)rows;
        account->stored = n == 1;
        wish.accounts->loads++;
    }
    saga_attached(wish.engine, wish.token, error ? NULL : &account->subject, error);
}

void account_attach(void *ctx, struct saga_engine *engine, struct str subject_key, void *token) {
    struct accounts *accounts = ctx;
    struct account_attach *wish = calloc(1, sizeof *wish);
    assert_non_null(wish);
    *wish = (struct account_attach){accounts->attaches, accounts, engine, token, ""};
    accounts->attaches = wish;
    str_copy(subject_key, wish->key, sizeof wish->key);
    struct account *account = accounts_find(accounts, wish->key);
    if (account) {
        free_attach(wish);
        saga_attached(engine, token, &account->subject, NULL);
        return;
    }
    struct store_query query = {
        .table = &account_table, .conds = {{.column = "name", .cmp = STORE_EQ, .text = subject_key}}, .limit = 1};
    store_read(accounts->store, &query, row_read, wish);
}
