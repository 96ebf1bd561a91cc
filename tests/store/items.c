#include "tests/store/items.h"

#include "tests/cmocka.h"
#include "tests/store/bed.h"

#include <stdio.h>

static const struct store_column item_columns[] = {
    STORE_COL_TEXT(item, id),
    STORE_COL_TEXT(item, owner),
    STORE_COL_I64(item, amount),
    STORE_COL_I32(item, rank),
    STORE_COL_BLOB(item, body, ITEM_BODY_MAX),
    STORE_COL_TEXT(item, note),
};
static const struct store_index item_indexes[] = {
    {.name = "item_by_rank", .columns = {"rank"}},
    {.name = "item_by_owner_amount", .columns = {"owner", "amount"}},
    {.name = "item_by_amount", .columns = {"amount"}, .least = ITEM_AMOUNT_LEAST, .most = ITEM_AMOUNT_MOST},
};
const struct store_index *const item_by_rank = &item_indexes[0], *const item_by_owner_amount = &item_indexes[1],
                                *const item_by_amount = &item_indexes[2];
const struct store_table item_table = {
    .name = "item",
    .row_size = sizeof(struct item),
    .columns = item_columns,
    .n_columns = STORE_COUNT(item_columns),
    .n_key = 1,
    .indexes = item_indexes,
    .n_indexes = STORE_COUNT(item_indexes),
    .since = 1,
};

static const struct store_column pair_columns[] = {
    STORE_COL_TEXT(pair, name),
    STORE_COL_I64(pair, n),
    STORE_COL_I32(pair, value),
};
const struct store_table pair_table = {
    .name = "pair",
    .row_size = sizeof(struct pair),
    .columns = pair_columns,
    .n_columns = STORE_COUNT(pair_columns),
    .n_key = 2,
    .since = 1,
};

static const struct store_column mark_columns[] = {
    STORE_COL_TEXT(mark, name),
    STORE_COL_I32(mark, n),
};
const struct store_table mark_table = {
    .name = "mark",
    .row_size = sizeof(struct mark),
    .columns = mark_columns,
    .n_columns = STORE_COUNT(mark_columns),
    .n_key = 2,
    .since = 1,
};

static const struct store_column badge_columns[] = {
    STORE_COL_TEXT(badge, name),
    STORE_COL_I64(badge, made_ms, .fixed = true),
    STORE_COL_I32(badge, worn),
    STORE_COL_BLOB(badge, origin, ITEM_BODY_MAX, .fixed = true),
    STORE_COL_TEXT(badge, maker, .fixed = true),
};
static const struct store_index badge_indexes[] = {{.name = "badge_by_maker", .columns = {"maker", "made_ms"}}};
const struct store_index *const badge_by_maker = &badge_indexes[0];
const struct store_table badge_table = {
    .name = "badge",
    .row_size = sizeof(struct badge),
    .columns = badge_columns,
    .n_columns = STORE_COUNT(badge_columns),
    .n_key = 1,
    .indexes = badge_indexes,
    .n_indexes = STORE_COUNT(badge_indexes),
    .since = 1,
};

const struct store_table *const item_tables[] = {&item_table, &pair_table, &mark_table, &badge_table, NULL};

struct item item(const char *id, const char *owner, int64_t amount, int32_t rank) {
    struct item row = {.amount = amount, .rank = rank};
    snprintf(row.id, sizeof row.id, "%s", id);
    snprintf(row.owner, sizeof row.owner, "%s", owner);
    return row;
}

void items_put_four(struct bed *bed) {
    for (int i = 0; i < 4; i++) {
        char id = (char)('a' + i);
        struct item row = item((const char[]){id, '\0'}, "x", 1, 1);
        bed_put(bed, &item_table, &row);
    }
}

void items_check_readable(struct bed *bed) {
    struct store_query query = {.table = &item_table, .limit = 2};
    assert_int_equal(bed_read(bed, &query).code, ERR_STORE_CORRUPT);
    query.readable = true;
    struct answer page = bed_read(bed, &query); // two of "a" to "d"
    assert_true(page.code == ERR_OK && page.n >= 1);
    assert_string_equal(((const struct item *)page.rows)[0].id, "a");
    query.after = &(struct item){.id = "c"};
    page = bed_read(bed, &query);
    assert_true(page.code == ERR_OK && page.n == 1);
    assert_string_equal(((const struct item *)page.rows)[0].id, "d");
    query.after = &(struct item){.id = "a"};
    page = bed_read(bed, &query); // no more than b and c, which are passed
    assert_true(page.code == ERR_OK && page.n == 1);
    assert_string_equal(((const struct item *)page.rows)[0].id, "d");
    query.after = &(struct item){.id = "d"};
    page = bed_read(bed, &query);
    assert_true(page.code == ERR_OK && page.n == 0);
}

static struct answer item_with_id(struct bed *bed, const char *id) {
    struct store_query query = {
        .table = &item_table, .conds = {{.column = "id", .cmp = STORE_EQ, .text = str_c(id)}}, .limit = 2};
    struct answer answer = bed_read(bed, &query);
    assert_int_equal(answer.code, ERR_OK);
    return answer;
}

void assert_item(struct bed *bed, const struct item *expected) {
    struct answer answer = item_with_id(bed, expected->id);
    assert_int_equal(answer.n, 1);
    const struct item *row = answer.rows;
    assert_string_equal(row->id, expected->id);
    assert_string_equal(row->owner, expected->owner);
    assert_string_equal(row->note, expected->note);
    assert_true(row->amount == expected->amount);
    assert_true(row->rank == expected->rank);
    assert_true(str_eq(row->body, expected->body));
}

void assert_no_item(struct bed *bed, const char *id) {
    assert_int_equal(item_with_id(bed, id).n, 0);
}
