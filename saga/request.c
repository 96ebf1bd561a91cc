#include "saga/request.h"

#include "base/digest.h"
#include "base/map.h"

#include <stdlib.h>

struct requests {
    struct store *store;
    const struct clock *clock;
    struct map entries;
};

struct request_waiter {
    struct request_waiter *next;
    char fingerprint[2 * DIGEST_LEN + 1];
    char method[65];
    request_fn *done;
    void *ctx;
};

// One (caller, request_id) that somebody is executing or looking up.
struct request_entry {
    struct map_node node;
    struct requests *requests;
    struct request_row row;
    char key[REQUEST_CALLER_MAX + 1 + REQUEST_ID_MAX + 1];
    struct request_waiter *waiters, **last;
    bool executing, dropped; // dropped: by the one who executes, before it returned
    bool ended;              // the same: its turn was refused at once
    struct error error;      // why
};

struct requests *requests_new(struct store *store, const struct clock *clock) {
    struct requests *requests = calloc(1, sizeof *requests);
    if (!requests)
        abort();
    requests->store = store;
    requests->clock = clock;
    return requests;
}

static void free_entry(void *ctx, struct map_node *node) {
    struct map *entries = ctx;
    struct request_entry *entry = CONTAINER_OF(node, struct request_entry, node);
    map_remove(entries, node);
    while (entry->waiters) {
        struct request_waiter *next = entry->waiters->next;
        free(entry->waiters);
        entry->waiters = next;
    }
    free(entry);
}

void requests_free(struct requests *requests) {
    if (!requests)
        return;
    map_each(&requests->entries, free_entry, &requests->entries);
    map_release(&requests->entries);
    free(requests);
}

static void tell(const struct request_waiter *waiter, const struct request_row *row) {
    struct error error = {0};
    if (strcmp(waiter->fingerprint, row->fingerprint) != 0 || strcmp(waiter->method, row->method) != 0) {
        error_set(&error, ERR_IDEMPOTENCY_KEY_REUSED, NULL);
        waiter->done(waiter->ctx, REQUEST_ERROR, NULL, NULL, &error);
    } else {
        waiter->done(waiter->ctx, REQUEST_KNOWN, NULL, row, NULL);
    }
}

static struct request_waiter *pop(struct request_entry *entry) {
    struct request_waiter *waiter = entry->waiters;
    if (waiter) {
        entry->waiters = waiter->next;
        if (!entry->waiters)
            entry->last = &entry->waiters;
    }
    return waiter;
}

// Ends the entry: everybody who waits hears of the row, or of the error.
static void conclude(struct request_entry *entry, const struct request_row *row, const struct error *error) {
    map_remove(&entry->requests->entries, &entry->node);
    for (struct request_waiter *waiter; (waiter = pop(entry));) {
        if (row)
            tell(waiter, row);
        else
            waiter->done(waiter->ctx, REQUEST_ERROR, NULL, NULL, error);
        free(waiter);
    }
    free(entry);
}

// Nobody has used the id: the first who waits executes.
static void execute(struct request_entry *entry) {
    if (entry->executing) {
        entry->dropped = true; // the loop below goes on with the next: no recursion, however many wait
        return;
    }
    do {
        struct request_waiter *waiter = pop(entry);
        if (!waiter) {
            map_remove(&entry->requests->entries, &entry->node);
            free(entry);
            return;
        }
        memcpy(entry->row.fingerprint, waiter->fingerprint, sizeof entry->row.fingerprint);
        memcpy(entry->row.method, waiter->method, sizeof entry->row.method);
        entry->executing = true;
        entry->dropped = false;
        waiter->done(waiter->ctx, REQUEST_NEW, entry, NULL, NULL);
        free(waiter);
        entry->executing = false;
        if (entry->ended) {
            conclude(entry, error_is(&entry->error) ? NULL : &entry->row, &entry->error);
            return;
        }
    } while (entry->dropped);
}

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct request_entry *entry = ctx;
    if (error)
        conclude(entry, NULL, error);
    else if (n == 1)
        conclude(entry, rows, NULL);
    else
        execute(entry);
}

void request_begin(struct requests *requests, const struct request_id *id, request_fn *done, void *ctx) {
    struct error error = {0};
    if (str_empty(id->id) || id->id.len > REQUEST_ID_MAX || !str_is_utf8(id->id) ||
        id->caller.len > REQUEST_CALLER_MAX) {
        error_field(&error, "request_id", "must have 1..%d bytes", REQUEST_ID_MAX);
        done(ctx, REQUEST_ERROR, NULL, NULL, &error);
        return;
    }
    struct request_waiter *waiter = calloc(1, sizeof *waiter);
    struct request_entry *entry = calloc(1, sizeof *entry);
    if (!waiter || !entry)
        abort();
    uint8_t digest[DIGEST_LEN];
    digest_sha256(id->body, digest);
    digest_hex(digest, waiter->fingerprint);
    str_copy(str_c(id->method), waiter->method, sizeof waiter->method);
    waiter->done = done;
    waiter->ctx = ctx;
    entry->requests = requests;
    entry->last = &entry->waiters;
    str_copy(id->caller, entry->row.caller, sizeof entry->row.caller);
    str_copy(id->id, entry->row.request_id, sizeof entry->row.request_id);
    size_t caller = strlen(entry->row.caller);
    memcpy(entry->key, entry->row.caller, caller);
    entry->key[caller] = '\n'; // in no caller's name
    memcpy(entry->key + caller + 1, entry->row.request_id, strlen(entry->row.request_id) + 1);
    struct map_node *node = map_find(&requests->entries, str_c(entry->key));
    struct request_entry *present = node ? CONTAINER_OF(node, struct request_entry, node) : entry;
    *present->last = waiter;
    present->last = &waiter->next;
    if (node) {
        free(entry);
        return;
    }
    map_insert(&requests->entries, &entry->node, str_c(entry->key));
    struct store_query query = {
        .table = &request_table,
        .conds = {{.column = "caller", .cmp = STORE_EQ, .text = str_c(entry->row.caller)},
                  {.column = "request_id", .cmp = STORE_EQ, .text = str_c(entry->row.request_id)}},
        .limit = 1};
    store_read(requests->store, &query, row_read, entry);
}

static void made_durable(void *ctx, const struct error *error) {
    struct request_entry *entry = ctx;
    if (!entry->executing) {
        conclude(entry, error ? NULL : &entry->row, error);
        return;
    }
    entry->ended = true;
    if (error)
        entry->error = *error;
}

void request_made(struct request_entry *entry, struct saga_turn *turn, struct str ref, struct str answer,
                  struct request_row *ret_row) {
    str_copy(ref, entry->row.ref, sizeof entry->row.ref);
    entry->row.created_ms = saga_turn_now(turn);
    entry->row.answered = answer.ptr != NULL;
    entry->row.answer = answer;
    saga_turn_row(turn, &request_table, STORE_INSERT, &entry->row);
    if (ret_row)
        *ret_row = entry->row;
    // The answer's bytes are the caller's, and may be gone when the turn is durable: those who wait ask for themselves.
    entry->row.answered = 0;
    entry->row.answer = STR_NONE;
    saga_turn_after(turn, made_durable, entry);
}

void request_dropped(struct request_entry *entry) {
    execute(entry); // the next one may fare better, or is refused alike
}

void request_answer(struct store_write *write, struct request_row *row, struct str answer, const struct error *error) {
    row->answered = 1;
    row->code = error ? (int32_t)error->code : ERR_OK;
    str_copy(str_c(error ? error->text : ""), row->text, sizeof row->text);
    row->answer = answer;
    store_row(write, &request_table, STORE_PUT, row);
}
