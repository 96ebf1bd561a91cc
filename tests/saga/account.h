// A subject to test with: an amount, and notes of what was decided about it. Its rows are a table of their own.
#ifndef TXC_TESTS_SAGA_ACCOUNT_H
#define TXC_TESTS_SAGA_ACCOUNT_H

#include "saga/turn.h"

struct account_row {
    char name[SAGA_SUBJECT_MAX + 1];
    int64_t amount;
    int64_t version; // commits so far
    char paid[8];    // "yes": what the flow `order` waits for
    char note[161];  // the last one; what is not UTF-8 can't be stored
};
extern const struct store_table account_table;

struct account {
    struct saga_subject subject; // first
    struct accounts *accounts;
    struct account *next;
    struct account_row row;
    bool stored, dirty;
    unsigned flushes, commits;
};

struct account_attach;

struct accounts {
    struct store *store;
    struct account *first;
    struct account_attach *attaches; // under way
    unsigned loads, failed;
    unsigned fail_loads; // the next ones fail …
    enum err fail_code;  // … with this (default STORE_UNAVAILABLE)
};

// In memory, new when it is not stored. Held once more for the caller.
struct account *accounts_new(struct accounts *accounts, const char *key);
struct account *accounts_find(struct accounts *accounts, const char *key); // NULL: not in memory
// Also what is still being loaded, which nobody will hear of: the store is gone.
void accounts_drop_all(struct accounts *accounts);

// For saga_flow.attach; `ctx` is struct accounts.
void account_attach(void *ctx, struct saga_engine *engine, struct str subject_key, void *token);

static inline struct account *account_of(struct saga_subject *subject) {
    return (struct account *)(void *)subject;
}

// For changes.
struct account_row *account_edit(struct account *account);

#endif
