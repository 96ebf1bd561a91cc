// Reading: conditions, order, paging.
#include "store/query.h"
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <stdio.h>
#include <stdlib.h>

// Rows with many equal values, in no order of anything.
enum { ROWS = 150 };

static const char *const owners[] = {"ann", "anna", "an", "bob", "b%b", "b_b", "", "\xC3\xA4nn", "Ann", "ann "};
enum { OWNERS = sizeof owners / sizeof owners[0] };

static struct item row_of(int i) {
    char id[16];
    snprintf(id, sizeof id, "r%04d", (i * 7919) % 10000);
    struct item row = item(id, owners[i % OWNERS], (i * 31) % 13 - 6, (i * 17) % 5 - 2);
    snprintf(row.note, sizeof row.note, "note %d", i);
    return row;
}

static void fill(struct bed *bed) {
    struct store_write *write = store_write_new(bed->store);
    for (int i = 0; i < ROWS; i++) {
        struct item row = row_of(i);
        store_row(write, &item_table, STORE_INSERT, &row);
    }
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
}

// What the query must answer, said once more without a database: every row tested, then sorted.
struct expected {
    struct item rows[ROWS];
    size_t n;
};

struct sorting {
    const struct store_query *query;
    struct query_order order;
};

static int compare(const void *a, const void *b, void *ctx) {
    const struct sorting *sorting = ctx;
    return query_compare(sorting->query, &sorting->order, a, b);
}

static void expect(const struct store_query *query, struct expected *ret_expected) {
    struct sorting sorting = {.query = query};
    query_order(query, &sorting.order);
    ret_expected->n = 0;
    for (int i = 0; i < ROWS; i++) {
        struct item row = row_of(i);
        if (query_matches(query, &sorting.order, &row))
            ret_expected->rows[ret_expected->n++] = row;
    }
    qsort_r(ret_expected->rows, ret_expected->n, sizeof(struct item), compare, &sorting);
}

static void assert_answer(struct bed *bed, const struct store_query *query) {
    struct expected expected;
    expect(query, &expected);
    struct answer answer = bed_read(bed, query);
    if (answer.code != ERR_OK)
        fail_msg("%s", answer.text);
    assert_int_equal(answer.n, expected.n < query->limit ? expected.n : query->limit);
    const struct item *rows = answer.rows;
    for (size_t i = 0; i < answer.n; i++)
        assert_string_equal(rows[i].id, expected.rows[i].id);
    struct store_query count = *query;
    count.count = true;
    answer = bed_read(bed, &count);
    assert_int_equal(answer.code, ERR_OK);
    assert_int_equal(answer.n, expected.n < query->limit ? expected.n : query->limit);
    count.limit = 0;
    answer = bed_read(bed, &count);
    assert_int_equal(answer.code, ERR_OK);
    assert_int_equal(answer.n, expected.n);
}

static void test_conditions(struct bed *bed) {
    fill(bed);
    for (int cmp = STORE_EQ; cmp <= STORE_GE; cmp++) {
        struct store_query query = {.table = &item_table, .limit = STORE_LIMIT_MAX};
        const struct store_cond conds[] = {
            {.column = "rank", .cmp = (enum store_cmp)cmp, .integer = 1},
            {.column = "amount", .cmp = (enum store_cmp)cmp, .integer = -3},
            {.column = "owner", .cmp = (enum store_cmp)cmp, .text = STR("ann")},
            {.column = "owner", .cmp = (enum store_cmp)cmp},
            {.column = "id", .cmp = (enum store_cmp)cmp, .text = STR("r5000")},
        };
        for (size_t i = 0; i < sizeof conds / sizeof conds[0]; i++) {
            query.conds[0] = conds[i];
            assert_answer(bed, &query);
            query.conds[3] = conds[(i + 1) % 5]; // with a gap: conditions without a column are left out
            assert_answer(bed, &query);
            query.conds[3] = (struct store_cond){0};
        }
    }
}

static void test_prefixes(struct bed *bed) {
    fill(bed);
    const struct str prefixes[] = {STR(""),  STR("a"),        STR("an"),   STR("ann"),  STR("b%"),  STR("b_"),
                                   STR("A"), STR("\xC3\xA4"), STR("\xC3"), STR("ann "), STR("zzz"), STR("\xff")};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        assert_answer(bed,
                      &(struct store_query){.table = &item_table,
                                            .conds = {{.column = "owner", .cmp = STORE_PREFIX, .text = prefixes[i]}},
                                            .limit = STORE_LIMIT_MAX});
}

// Page after page meets every row once and in order, whatever is equal in the order columns.
static void page_through(struct bed *bed, struct store_query query) {
    struct expected all;
    expect(&query, &all);
    size_t met = 0;
    struct answer page;
    do {
        page = bed_read(bed, &query);
        assert_int_equal(page.code, ERR_OK);
        const struct item *rows = page.rows;
        for (size_t i = 0; i < page.n; i++, met++) {
            assert_true(met < all.n);
            assert_string_equal(rows[i].id, all.rows[met].id);
        }
        if (page.n > 0)
            query.after = &rows[page.n - 1];
    } while (page.n == query.limit);
    assert_int_equal(met, all.n);
}

static void test_paging(struct bed *bed) {
    fill(bed);
    const struct store_index *const orders[] = {NULL, item_by_rank, item_by_owner_amount, item_by_amount};
    const struct store_cond conds[] = {
        {0},
        {.column = "owner", .cmp = STORE_EQ, .text = STR("ann")},
        {.column = "rank", .cmp = STORE_EQ, .integer = 1},
        {.column = "rank", .cmp = STORE_GE, .integer = 0},
        {.column = "owner", .cmp = STORE_PREFIX, .text = STR("an")},
        {.column = "amount", .cmp = STORE_NE, .integer = 0},
    };
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++)
        for (size_t c = 0; c < sizeof conds / sizeof conds[0]; c++)
            for (int descending = 0; descending < 2; descending++) {
                struct store_query query = {.table = &item_table, .order = orders[o], .descending = descending != 0};
                query.conds[0] = conds[c];
                query.limit = 7;
                page_through(bed, query);
            }
}

// A cursor that is no row, and one that does not meet the conditions, still mean what they say.
static void test_any_cursor(struct bed *bed) {
    fill(bed);
    const struct store_index *const orders[] = {NULL, item_by_rank, item_by_owner_amount, item_by_amount};
    const char *const ids[] = {"", "r5000", "zzz"};
    for (int i = 0; i < 3 * 3 * 3 * 4 * 2; i++) {
        struct item after = item(ids[i % 3], owners[i / 3 % 3], i / 9 % 3 - 1, i / 9 % 3 - 1);
        struct store_query query = {.table = &item_table,
                                    .order = orders[i / 27 % 4],
                                    .descending = i / 2 % 2,
                                    .after = &after,
                                    .limit = STORE_LIMIT_MAX};
        if (i % 2)
            query.conds[0] = (struct store_cond){.column = "owner", .cmp = STORE_EQ, .text = STR("anna")};
        if (i % 5 == 0)
            query.conds[1] = (struct store_cond){.column = "rank", .cmp = STORE_EQ, .integer = 0};
        if (i % 7 == 0)
            query.conds[2] = (struct store_cond){.column = "amount", .cmp = STORE_EQ, .integer = 0};
        if (i % 11 == 0)
            query.conds[3] = (struct store_cond){.column = "id", .cmp = STORE_EQ, .text = STR("r5000")};
        assert_answer(bed, &query);
    }
}

static void put_amount(struct bed *bed, const char *id, int64_t amount) {
    struct item row = item(id, "ann", amount, 0);
    bed_put(bed, &item_table, &row);
}

// Also those that were in the index, or came into it, as their row was written again.
static void test_bounded_index(struct bed *bed) {
    static const int64_t amounts[] = {INT64_MIN, 0, ITEM_AMOUNT_LEAST, 500, ITEM_AMOUNT_MOST, ITEM_AMOUNT_MOST + 1};
    const char *const expected[] = {"c", "out-in", "d", "e"};
    struct store_query query = {.table = &item_table, .order = item_by_amount, .limit = STORE_LIMIT_MAX};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++)
        put_amount(bed, (char[]){(char)('a' + (int)i), '\0'}, amounts[i]);
    put_amount(bed, "in-out", 3);
    put_amount(bed, "in-out", INT64_MAX);
    put_amount(bed, "out-in", -3);
    put_amount(bed, "out-in", 3);
    struct answer found = bed_read(bed, &query);
    assert_int_equal(found.n, 4);
    for (size_t i = 0; i < found.n; i++)
        assert_string_equal(((const struct item *)found.rows)[i].id, expected[i]);
    query.count = true;
    assert_int_equal(bed_read(bed, &query).n, 4);
}

static void test_composite_key_paging(struct bed *bed) {
    struct store_write *write = store_write_new(bed->store);
    for (int i = 0; i < 30; i++) {
        struct pair row = {.n = i % 10, .value = i};
        snprintf(row.name, sizeof row.name, "n%d", i / 10);
        store_row(write, &pair_table, STORE_PUT, &row);
    }
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    for (int descending = 0; descending < 2; descending++) {
        struct store_query query = {.table = &pair_table, .descending = descending != 0, .limit = 4};
        int met = 0;
        struct answer page;
        while ((page = bed_read(bed, &query)).n > 0) {
            const struct pair *rows = page.rows;
            for (size_t i = 0; i < page.n; i++, met++)
                assert_int_equal(rows[i].value, descending ? 29 - met : met);
            query.after = &rows[page.n - 1];
        }
        assert_int_equal(met, 30);
    }
}

static void test_limit(struct bed *bed) {
    fill(bed);
    const uint32_t limits[] = {0, STORE_LIMIT_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .limit = limits[i]});
        assert_int_equal(answer.code, ERR_STORE_REFUSED);
    }
    assert_int_equal(bed_read(bed, &(struct store_query){.table = &item_table, .limit = 1}).n, 1);
}

static void test_misfit(struct bed *bed) {
    const struct store_cond conds[] = {
        {.column = "nonsense", .cmp = STORE_EQ},       {.column = "rank; DROP TABLE item", .cmp = STORE_EQ},
        {.column = "body", .cmp = STORE_EQ},           {.column = "rank", .cmp = STORE_PREFIX},
        {.column = "rank", .cmp = (enum store_cmp)99},
    };
    for (size_t i = 0; i < sizeof conds / sizeof conds[0]; i++) {
        struct store_query query = {.table = &item_table, .conds = {conds[i]}, .limit = 1};
        assert_int_equal(bed_read(bed, &query).code, ERR_STORE_REFUSED);
    }
    const struct store_index by_blob = {.name = "x", .columns = {"body"}}, by_nothing = {.name = "x", .columns = {"y"}};
    struct store_query query = {.table = &item_table, .order = &by_blob, .limit = 1};
    assert_int_equal(bed_read(bed, &query).code, ERR_STORE_REFUSED);
    query.order = &by_nothing;
    assert_int_equal(bed_read(bed, &query).code, ERR_STORE_REFUSED);
}

static void test_unknown_table(struct bed *bed) {
    static const struct store_column columns[] = {STORE_COL_I32(mark, n)};
    static const struct store_table table = {
        .name = "no_such_table", .row_size = sizeof(struct mark), .columns = columns, .n_columns = 1, .n_key = 1};
    assert_int_equal(bed_read(bed, &(struct store_query){.table = &table, .limit = 1}).code, ERR_STORE_REFUSED);
    struct fate fate = {0};
    bed_write(bed, &table, STORE_PUT, &(struct mark){.n = 1}, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_STORE_REFUSED);
}

static void count_call(void *ctx, const struct error *error, const void *rows, size_t n) {
    (void)rows, (void)n;
    struct bed *bed = ctx;
    bed->pending--;
    if (!error)
        bed->n_called++;
    else
        assert_int_equal(error->code, ERR_OVERLOADED);
}

static void test_reads_max(struct bed *bed) {
    bed_close(bed);
    bed->options.reads_max = 10;
    bed_open(bed, item_tables);
    bed->n_called = 0;
    for (int i = 0; i < 30; i++) {
        bed->pending++;
        store_read(bed->store, &(struct store_query){.table = &item_table, .limit = 1}, count_call, bed);
    }
    bed_drain(bed);
    assert_int_equal(bed->n_called, 10);
    assert_int_equal(bed_read(bed, &(struct store_query){.table = &item_table, .limit = 1}).code, ERR_OK);
}

// The callback of a write asks at once, and sees the write.
struct look {
    struct bed *bed;
    size_t n;
};

static void seen(void *ctx, const struct error *error, const void *rows, size_t n) {
    (void)rows;
    struct look *look = ctx;
    assert_null(error);
    look->n = n;
    look->bed->pending--;
}

static void look(struct fate *fate) {
    fate->bed->pending++;
    store_read(fate->bed->store, &(struct store_query){.table = &item_table, .count = true}, seen, fate->ctx);
}

static void test_sees_what_was_called_back(struct bed *bed) {
    for (size_t i = 1; i <= 20; i++) {
        struct look look_at = {.bed = bed};
        struct fate fate = {.then = look, .ctx = &look_at};
        char id[8];
        snprintf(id, sizeof id, "%zu", i);
        struct item row = item(id, "x", 0, 0);
        bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fate);
        bed_drain(bed);
        assert_int_equal(look_at.n, i);
    }
}

static void take_n(void *ctx, const struct error *error, const void *rows, size_t n) {
    (void)rows;
    struct look *look_at = ctx;
    assert_null(error);
    look_at->n = n;
    look_at->bed->pending--;
}

static void test_query_is_copied(struct bed *bed) {
    fill(bed);
    char column[] = "owner", text[] = "ann";
    struct item after = item("r0000", "ann", 0, 0);
    struct store_query query = {.table = &item_table,
                                .conds = {{.column = column, .cmp = STORE_EQ, .text = str_c(text)}},
                                .after = &after,
                                .limit = STORE_LIMIT_MAX};
    struct expected expected;
    expect(&query, &expected);
    assert_true(expected.n > 0);
    struct look look_at = {.bed = bed};
    bed->pending++;
    store_read(bed->store, &query, take_n, &look_at);
    memset(column, 'x', sizeof column - 1);
    memset(text, 'x', sizeof text - 1);
    memset(&after, 'x', sizeof after);
    memset(&query, 0, sizeof query);
    bed_drain(bed);
    assert_int_equal(look_at.n, expected.n);
}

// More shapes of queries than a connection keeps prepared.
static void test_many_shapes(struct bed *bed) {
    fill(bed);
    static const char *const columns[] = {"rank", "amount", "owner", "id"};
    for (int round = 0; round < 2; round++)
        for (int shape = 0; shape < 6 * 6 * 6; shape++) {
            struct store_query query = {.table = &item_table, .limit = 3};
            for (int i = 0, rest = shape; i < 3; i++, rest /= 6)
                query.conds[i] =
                    (struct store_cond){.column = columns[i], .cmp = (enum store_cmp)(rest % 6), .text = STR("ann")};
            assert_answer(bed, &query);
        }
}

const struct contract_case contract_reads[] = {
    {.name = "conditions mean what they say", .run = test_conditions},
    {.name = "a prefix is bytes, and knows no wildcards", .run = test_prefixes},
    {.name = "paging meets every row once, in order, also descending and among equals", .run = test_paging},
    {.name = "a cursor need not be a row", .run = test_any_cursor},
    {.name = "what is beyond an index's bounds is not in its order", .run = test_bounded_index},
    {.name = "paging by a key of two columns", .run = test_composite_key_paging},
    {.name = "a page has a limit", .run = test_limit},
    {.name = "a query that does not fit its table is refused", .run = test_misfit},
    {.name = "a table the store was not opened with is refused", .run = test_unknown_table},
    {.name = "waiting reads are bounded", .run = test_reads_max},
    {.name = "a read sees every write whose callback has run", .run = test_sees_what_was_called_back},
    {.name = "a query is copied when it is asked", .run = test_query_is_copied},
    {.name = "any number of query shapes may be used", .run = test_many_shapes},
    {0},
};
