// Tables to test with.
#ifndef TXC_TESTS_STORE_ITEMS_H
#define TXC_TESTS_STORE_ITEMS_H

#include "store/store.h"

struct item {
    char id[33];
    char owner[25];
    int64_t amount;
    int32_t rank;
    struct str body; // at most ITEM_BODY_MAX
    char note[65];
};
enum { ITEM_BODY_MAX = 4096 };
extern const struct store_table item_table;
extern const struct store_index *const item_by_rank, *const item_by_owner_amount;
enum { ITEM_AMOUNT_LEAST = 1, ITEM_AMOUNT_MOST = 1000 };
extern const struct store_index *const item_by_amount; // from least to most

// A key of two columns, and nothing but a key in the second table.
struct pair {
    char name[17];
    int64_t n;
    int32_t value;
};
extern const struct store_table pair_table;
struct mark {
    char name[17];
    int32_t n;
};
extern const struct store_table mark_table;

// Of its columns some never change.
struct badge {
    char name[17];
    int64_t made_ms; // fixed
    int32_t worn;
    struct str origin; // fixed
    char maker[17];    // fixed
};
extern const struct store_table badge_table;
extern const struct store_index *const badge_by_maker;

extern const struct store_table *const item_tables[]; // all of the above

// What is stored.
struct bed;
void assert_item(struct bed *bed, const struct item *expected);
void assert_no_item(struct bed *bed, const char *id);

// Of items "a", "b", "c", "d" the rows b and c can't be read: a page fails, or leaves them out where it was asked to.
void items_check_readable(struct bed *bed);
void items_put_four(struct bed *bed);

struct item item(const char *id, const char *owner, int64_t amount, int32_t rank);

#endif
