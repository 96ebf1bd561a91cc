#include "saga/list.h"

#include <assert.h>
#include <stdlib.h>

// Of what is only unfinished the pages go by status and then by time: a cursor's number holds both.
#define STATUS_STEP (INT64_C(1) << 52)

// ---- Which index --------------------------------------------------------------------------------------------------

// In the order in which they are taken: what leaves fewest rows first.
enum order { BY_SUBJECT, BY_REASON, BY_PARTICIPANT, BY_PARKED, BY_STATUS, BY_UNFINISHED, BY_FLOW, BY_CREATED };

static enum order order_for(const struct saga_filter *filter) {
    bool common = filter->status == SAGA_SUCCEEDED;
    if (!str_empty(filter->reason))
        return BY_REASON;
    if (!str_empty(filter->participant))
        return BY_PARTICIPANT;
    if (!str_empty(filter->subject))
        return BY_SUBJECT;
    if (filter->parked)
        return BY_PARKED;
    if (filter->status && !(common && !str_empty(filter->flow)))
        return BY_STATUS;
    if (filter->unfinished || filter->paused)
        return BY_UNFINISHED;
    return str_empty(filter->flow) ? BY_CREATED : BY_FLOW;
}

static bool is_of_troubles(enum order order) {
    return order == BY_REASON || order == BY_PARTICIPANT;
}

static const struct store_index *index_for(enum order order) {
    static const char *const names[] = {
        [BY_SUBJECT] = "saga_by_subject",   [BY_PARKED] = "saga_by_parked", [BY_STATUS] = "saga_by_status",
        [BY_UNFINISHED] = "saga_by_status", [BY_FLOW] = "saga_by_flow",     [BY_CREATED] = "saga_by_created"};
    if (is_of_troubles(order))
        return &trouble_table.indexes[order == BY_REASON ? TROUBLE_BY_REASON : TROUBLE_BY_PARTICIPANT];
    const struct store_index *index = saga_table.indexes;
    while (strcmp(index->name, names[order]) != 0)
        index++;
    return index;
}

static void add(struct store_query *query, struct store_cond cond) {
    size_t n = 0;
    while (query->conds[n].column)
        n++;
    assert(n < STORE_CONDS_MAX);
    query->conds[n] = cond;
}

// The columns of the index that are one value.
static void add_equal(struct store_query *query, const struct saga_filter *filter, enum order order) {
    switch (order) {
    case BY_SUBJECT: add(query, (struct store_cond){"subject", STORE_EQ, .text = filter->subject}); break;
    case BY_REASON: add(query, (struct store_cond){"reason", STORE_EQ, .text = filter->reason}); break;
    case BY_PARTICIPANT: add(query, (struct store_cond){"participant", STORE_EQ, .text = filter->participant}); break;
    case BY_PARKED: add(query, (struct store_cond){"parked", STORE_EQ, .integer = 1}); break;
    case BY_STATUS: add(query, (struct store_cond){"status", STORE_EQ, .integer = filter->status}); break;
    case BY_FLOW: add(query, (struct store_cond){"flow", STORE_EQ, .text = filter->flow}); break;
    case BY_UNFINISHED:
    case BY_CREATED: break;
    }
}

// The range of the index's last column: when it was made, or is due. Whatever was last written before a time was made
// before it.
static void add_range(struct store_query *query, const struct saga_filter *filter, enum order order) {
    int64_t to_ms = filter->to_ms < filter->updated_before_ms ? filter->to_ms : filter->updated_before_ms;
    if (order == BY_UNFINISHED) {
        add(query, (struct store_cond){"status", STORE_LE, .integer = SAGA_COMPENSATING});
        return;
    }
    if (filter->from_ms)
        add(query, (struct store_cond){"created_ms", STORE_GE, .integer = filter->from_ms});
    if (to_ms < INT64_MAX)
        add(query, (struct store_cond){"created_ms", STORE_LT, .integer = to_ms});
}

static void set_after(const struct saga_filter *filter, enum order order, const struct saga_list_cursor *cursor,
                      struct saga_list_after *after) {
    // Behind every row of that saga: a list in descending order goes on below the lowest.
    struct saga_row *saga = &after->saga;
    struct trouble_row *trouble = &after->trouble;
    *saga = (struct saga_row){.status = (int32_t)filter->status, .parked = 1};
    *trouble = (struct trouble_row){.step_id = INT32_MIN, .leg = INT32_MIN, .created_ms = cursor->key};
    str_copy(filter->flow, saga->flow, sizeof saga->flow);
    str_copy(filter->subject, saga->subject, sizeof saga->subject);
    str_copy(filter->participant, trouble->participant, sizeof trouble->participant);
    str_copy(filter->reason, trouble->reason, sizeof trouble->reason);
    memcpy(saga->gid, cursor->gid, sizeof saga->gid);
    memcpy(trouble->gid, cursor->gid, sizeof trouble->gid);
    if (order == BY_UNFINISHED)
        saga->status = (int32_t)(cursor->key / STATUS_STEP);
    saga->created_ms = order == BY_UNFINISHED ? cursor->key % STATUS_STEP : cursor->key;
}

void saga_list_query(const struct saga_filter *filter, const struct saga_list_cursor *cursor,
                     struct saga_list_after *ret_after, struct store_query *ret_query) {
    enum order order = order_for(filter);
    bool of_troubles = is_of_troubles(order);
    struct store_query query = {.table = of_troubles ? &trouble_table : &saga_table,
                                .order = index_for(order),
                                .descending = true,
                                .limit = 1,
                                .list = true};
    add_equal(&query, filter, order);
    add_range(&query, filter, order);
    if (cursor) {
        set_after(filter, order, cursor, ret_after);
        query.after = of_troubles ? (const void *)&ret_after->trouble : (const void *)&ret_after->saga;
    }
    *ret_query = query;
}

bool saga_filter_fits(const struct saga_filter *filter, const struct saga_row *row) {
    bool in_slot = filter->n_slots == 0, ended = saga_status_ended((enum saga_status)row->status);
    for (size_t i = 0; i < filter->n_slots; i++)
        in_slot = in_slot || filter->slots[i] == row->slot;
    return in_slot && (!filter->status || row->status == (int32_t)filter->status) &&
           (!filter->parked || (row->parked && !ended)) && (!filter->paused || row->paused) &&
           (!filter->unfinished || !ended) && (str_empty(filter->flow) || str_eq_c(filter->flow, row->flow)) &&
           (str_empty(filter->subject) || str_eq_c(filter->subject, row->subject)) &&
           row->created_ms >= filter->from_ms && (filter->to_ms == INT64_MAX || row->created_ms < filter->to_ms) &&
           (filter->updated_before_ms == INT64_MAX || row->updated_ms < filter->updated_before_ms);
}

// ---- Reading a page -----------------------------------------------------------------------------------------------

enum { CHUNK = 100 }; // rows looked at in one query, where not every one need fit
_Static_assert((int)CHUNK <= (int)SAGA_ROWS_MAX, "one read answers them");

struct saga_listing {
    struct store *store;
    struct saga_filter filter;
    enum order order;
    uint32_t limit, chunk, looked;
    struct saga_list_cursor at; // the last that was looked at
    bool begun;
    struct saga_row *rows; // limit + 1: the last only tells that there is more
    size_t n;
    struct saga_list_cursor last; // that fits in the page
    saga_list_fn *done;
    void *ctx;
    // Of troubles, of which one saga may have several beside each other:
    struct trouble_row end;          // of the last chunk
    struct saga_list_cursor current; // the last one's saga; `at` is the one before it, until this one is found
    struct saga_list_cursor found[CHUNK];
    size_t n_found, n_awaited;
    bool last_chunk;
    struct error error;
};

static void read_chunk(struct saga_listing *listing);

static void finish(struct saga_listing *listing, const struct error *error, bool more) {
    struct saga_list_page page = {.rows = listing->rows, .n = listing->n, .more = more, .next = listing->at};
    if (page.n > listing->limit) {
        page.n = listing->limit;
        page.next = listing->last;
    }
    listing->done(listing->ctx, error, error ? NULL : &page);
    free(listing->rows);
    free(listing);
}

static void look_at(struct saga_listing *listing, const struct saga_row *row, int64_t key) {
    if (listing->n > listing->limit || !saga_filter_fits(&listing->filter, row))
        return;
    struct saga_row *kept = &listing->rows[listing->n++];
    *kept = *row;
    kept->input = kept->journal = STR_NONE;
    if (listing->n == listing->limit) {
        listing->last.key = key;
        memcpy(listing->last.gid, row->gid, sizeof listing->last.gid);
    }
}

static void chunk_looked_at(struct saga_listing *listing, bool last_chunk) {
    if (listing->n > listing->limit)
        finish(listing, NULL, true);
    else if (last_chunk)
        finish(listing, NULL, false);
    else if (listing->looked >= SAGA_LIST_LOOKS)
        finish(listing, NULL, true);
    else
        read_chunk(listing);
}

static int64_t key_of(const struct saga_listing *listing, const struct saga_row *row) {
    return listing->order == BY_UNFINISHED ? row->status * STATUS_STEP + row->created_ms : row->created_ms;
}

static void sagas_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_listing *listing = ctx;
    const struct saga_row *row = rows;
    if (error) {
        finish(listing, error, false);
        return;
    }
    for (size_t i = 0; i < n; i++)
        look_at(listing, &row[i], key_of(listing, &row[i]));
    if (n > 0) {
        listing->at.key = key_of(listing, &row[n - 1]);
        memcpy(listing->at.gid, row[n - 1].gid, sizeof listing->at.gid);
    }
    listing->looked += (uint32_t)n;
    chunk_looked_at(listing, n < listing->chunk);
}

// ---- By what is in trouble ----------------------------------------------------------------------------------------

static void one_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_listing *listing = ctx;
    if (error && !error_is(&listing->error))
        listing->error = *error;
    if (n == 1) { // else it is gone by now
        const struct saga_row *row = rows;
        look_at(listing, row, row->created_ms);
    }
    if (--listing->n_awaited > 0)
        return;
    if (error_is(&listing->error))
        finish(listing, &listing->error, false);
    else
        chunk_looked_at(listing, listing->last_chunk);
}

// The sagas of what was found, in its order, which is that of their reads.
static void read_found(struct saga_listing *listing) {
    struct store_query query = {.table = &saga_table, .limit = 1, .list = true};
    listing->n_awaited = listing->n_found;
    for (size_t i = 0; i < listing->n_found; i++) {
        query.conds[0] = (struct store_cond){"gid", STORE_EQ, .text = str_c(listing->found[i].gid)};
        store_read(listing->store, &query, one_read, listing);
    }
}

static bool is_wanted(const struct saga_listing *listing, const struct trouble_row *row) {
    const struct saga_filter *filter = &listing->filter;
    if (!str_empty(filter->participant) && !str_eq_c(filter->participant, row->participant))
        return false;
    return strcmp(row->gid, listing->at.gid) != 0; // it was found already
}

static void find_in_trouble(struct saga_listing *listing, const struct trouble_row *rows, size_t n) {
    listing->n_found = 0;
    for (size_t i = 0; i < n; i++) {
        const struct trouble_row *row = &rows[i];
        if (strcmp(row->gid, listing->current.gid) != 0) {
            if (listing->current.gid[0])
                listing->at = listing->current;
            listing->current.key = row->created_ms;
            memcpy(listing->current.gid, row->gid, sizeof listing->current.gid);
        }
        if (is_wanted(listing, row))
            listing->found[listing->n_found++] = listing->at = listing->current;
    }
}

static void troubles_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_listing *listing = ctx;
    const struct trouble_row *row = rows;
    if (error) {
        finish(listing, error, false);
        return;
    }
    find_in_trouble(listing, row, n);
    if (n > 0)
        listing->end = row[n - 1];
    listing->looked += (uint32_t)n;
    listing->last_chunk = n < listing->chunk;
    if (listing->n_found > 0)
        read_found(listing);
    else
        chunk_looked_at(listing, listing->last_chunk);
}

static void read_chunk(struct saga_listing *listing) {
    struct store_query query;
    struct saga_list_after after;
    uint32_t left = SAGA_LIST_LOOKS - listing->looked;
    listing->chunk = listing->chunk < left ? listing->chunk : left;
    saga_list_query(&listing->filter, listing->begun ? &listing->at : NULL, &after, &query);
    query.limit = listing->chunk;
    if (is_of_troubles(listing->order)) {
        if (listing->end.gid[0])
            query.after = &listing->end;
        store_read(listing->store, &query, troubles_read, listing);
    } else {
        listing->begun = true;
        store_read(listing->store, &query, sagas_read, listing);
    }
}

struct saga_listing *saga_list_read(struct store *store, const struct saga_filter *filter,
                                    const struct saga_list_cursor *cursor, uint32_t limit, saga_list_fn *done,
                                    void *ctx) {
    struct saga_listing *listing = calloc(1, sizeof *listing);
    struct saga_row *rows = calloc(limit + 1, sizeof *rows);
    if (!listing || !rows)
        abort();
    assert(limit > 0 && limit <= STORE_LIMIT_MAX);
    listing->store = store;
    listing->filter = *filter;
    listing->order = order_for(filter);
    listing->limit = limit;
    listing->chunk = is_of_troubles(listing->order) || limit >= CHUNK ? CHUNK : limit + 1;
    listing->rows = rows;
    listing->done = done;
    listing->ctx = ctx;
    if (cursor) {
        listing->at = *cursor;
        listing->begun = true;
    }
    read_chunk(listing);
    return listing;
}

void saga_list_drop(struct saga_listing *listing) {
    if (listing)
        free(listing->rows);
    free(listing);
}

// ---- Counting -----------------------------------------------------------------------------------------------------

struct count {
    struct store *store;
    struct saga_filter filter;
    struct saga_list_cursor cursor;
    size_t n, most, pages;
    saga_count_fn *done;
    void *ctx;
};

// Whether every row of the query is one that the filter asks for.
static bool is_decided(const struct saga_filter *filter, enum order order) {
    const struct saga_filter without = {
        .status = order == BY_STATUS ? 0 : filter->status,
        .parked = order != BY_PARKED && filter->parked,
        .paused = filter->paused,
        .unfinished = order != BY_UNFINISHED && order != BY_PARKED && filter->unfinished,
        .flow = order == BY_FLOW ? STR_NONE : filter->flow,
    };
    return !is_of_troubles(order) && !without.status && !without.parked && !without.paused && !without.unfinished &&
           str_empty(without.flow) && filter->n_slots == 0 && filter->updated_before_ms == INT64_MAX &&
           (order != BY_UNFINISHED || (filter->from_ms == 0 && filter->to_ms == INT64_MAX));
}

static void count_end(struct count *count, const struct error *error, bool at_least) {
    bool reached = count->n >= count->most;
    count->done(count->ctx, error, reached ? count->most : count->n, at_least || reached);
    free(count);
}

static void counted(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct count *count = ctx;
    (void)rows;
    count->n = n;
    count_end(count, error, false);
}

static void page_counted(void *ctx, const struct error *error, const struct saga_list_page *page) {
    struct count *count = ctx;
    count->n += error ? 0 : page->n;
    bool is_last = error || !page->more || count->n >= count->most;
    if (is_last || ++count->pages == SAGA_COUNT_LOOKS / SAGA_LIST_LOOKS) {
        count_end(count, error, !is_last);
        return;
    }
    count->cursor = page->next;
    saga_list_read(count->store, &count->filter, &count->cursor, STORE_LIMIT_MAX, page_counted, count);
}

void saga_list_count(struct store *store, const struct saga_filter *filter, uint32_t most, saga_count_fn *done,
                     void *ctx) {
    struct count *count = malloc(sizeof *count);
    struct store_query query;
    if (!count)
        abort();
    *count = (struct count){.store = store, .filter = *filter, .most = most, .done = done, .ctx = ctx};
    if (!is_decided(filter, order_for(filter))) {
        saga_list_read(store, filter, NULL, STORE_LIMIT_MAX, page_counted, count);
        return;
    }
    saga_list_query(filter, NULL, NULL, &query);
    query.count = true;
    query.limit = most;
    store_read(store, &query, counted, count);
}
