#include "tests/simulation/subject.h"

#include "tests/simulation/estate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

// ---- Tables -------------------------------------------------------------------------------------------------------

static const struct store_column subject_columns[] = {
    STORE_COL_TEXT(sim_subject_row, name),   STORE_COL_I64(sim_subject_row, amount),
    STORE_COL_I64(sim_subject_row, version), STORE_COL_I64(sim_subject_row, numbers),
    STORE_COL_I32(sim_subject_row, closed),  STORE_COL_I64(sim_subject_row, closed_ms),
};
static const struct store_index subject_indexes[] = {
    {.name = "sim_subject_by_end", .columns = {"closed", "closed_ms"}}};
static const struct store_column entry_columns[] = {
    STORE_COL_TEXT(sim_entry_row, subject), STORE_COL_TEXT(sim_entry_row, gid),
    STORE_COL_I64(sim_entry_row, number),   STORE_COL_I64(sim_entry_row, booked),
    STORE_COL_I32(sim_entry_row, bookings), STORE_COL_I32(sim_entry_row, reversals),
    STORE_COL_I32(sim_entry_row, ends),     STORE_COL_TEXT(sim_entry_row, paid),
    STORE_COL_TEXT(sim_entry_row, noted),
};
static const struct store_column payment_columns[] = {
    STORE_COL_TEXT(sim_payment_row, subject),
    STORE_COL_TEXT(sim_payment_row, name),
    STORE_COL_TEXT(sim_payment_row, gid),
    STORE_COL_TEXT(sim_payment_row, refund),
};
static const struct store_column mark_columns[] = {
    STORE_COL_TEXT(sim_mark_row, gid),
    STORE_COL_TEXT(sim_mark_row, mark),
};

#define TABLE(what, keys)                                                                                              \
    const struct store_table sim_##what##_table = {                                                                    \
        .name = "sim_" #what,                                                                                          \
        .row_size = sizeof(struct sim_##what##_row),                                                                   \
        .columns = what##_columns,                                                                                     \
        .n_columns = STORE_COUNT(what##_columns),                                                                      \
        .n_key = (keys),                                                                                               \
        .since = 1,                                                                                                    \
    }
const struct store_table sim_subject_table = {
    .name = "sim_subject",
    .row_size = sizeof(struct sim_subject_row),
    .columns = subject_columns,
    .indexes = subject_indexes,
    .n_columns = STORE_COUNT(subject_columns),
    .n_indexes = STORE_COUNT(subject_indexes),
    .n_key = 1,
    .since = 1,
};
TABLE(entry, 2);
TABLE(payment, 2);
TABLE(mark, 2);

// ---- In memory ----------------------------------------------------------------------------------------------------

void subject_leave(struct sim_subject *subject) {
    struct sim_subject **at = &subject->subjects->first;
    if (!subject->known)
        return;
    while (*at != subject)
        at = &(*at)->next;
    *at = subject->next;
    subject->known = false;
}

// All but its payments: one that comes late finds what became of it (E15).
static void flush_away(struct sim_subject *subject, struct store_write *write) {
    store_row(write, &sim_subject_table, STORE_DELETE, &subject->row);
    for (struct entry *entry = subject->entries; entry; entry = entry->next)
        store_row(write, &sim_entry_table, STORE_DELETE, &entry->row);
}

static void note_end(struct sim_subject *subject) {
    bool closed = estate_is_closed(subject);
    if (closed)
        subject->row.closed_ms = clock_now_ms(saga_engine_clock(subject->subjects->engine));
    subject->row.closed = closed;
}

static void flush(struct saga_subject *base, struct store_write *write) {
    struct sim_subject *subject = sim_subject_of(base);
    if (!subject->dirty)
        return;
    if (subject->leaving) {
        subject->dirty = false;
        flush_away(subject, write);
        return;
    }
    note_end(subject);
    subject->row.version++;
    store_row(write, &sim_subject_table, subject->stored ? STORE_PUT : STORE_INSERT, &subject->row);
    subject->stored = true;
    subject->dirty = false;
    for (struct entry *entry = subject->entries; entry; entry = entry->next) {
        if (entry->dirty)
            store_row(write, &sim_entry_table, entry->stored ? STORE_PUT : STORE_INSERT, &entry->row);
        entry->stored = entry->stored || entry->dirty;
        entry->dirty = false;
    }
    for (struct payment *payment = subject->payments; payment; payment = payment->next) {
        if (payment->dirty)
            store_row(write, &sim_payment_table, payment->stored ? STORE_PUT : STORE_INSERT, &payment->row);
        payment->stored = payment->stored || payment->dirty;
        payment->dirty = false;
    }
}

static void committed(struct saga_subject *base) {
    // What was committed was not ahead of what failed; unless that never got to the store, because all ends, or its
    // slot leaves.
    const struct subjects *subjects = sim_subject_of(base)->subjects;
    assert(!base->failed || subjects->ending || !saga_engine_owns(subjects->engine, id_slot(str_c(base->key))));
}

static void failed(struct saga_subject *base, const struct error *error) {
    (void)error;
    subject_leave(sim_subject_of(base));
}

static void free_subject(struct saga_subject *base) {
    struct sim_subject *subject = sim_subject_of(base);
    assert(base->group.in_flight == 0 && !base->family.first);
    subject_leave(subject);
    while (subject->entries) {
        struct entry *next = subject->entries->next;
        free(subject->entries);
        subject->entries = next;
    }
    while (subject->payments) {
        struct payment *next = subject->payments->next;
        free(subject->payments);
        subject->payments = next;
    }
    free(subject);
}

static const struct saga_subject_ops ops = {flush, committed, failed, free_subject};

static struct sim_subject *subject_new(struct subjects *subjects, struct str key) {
    struct sim_subject *subject = calloc(1, sizeof *subject);
    if (!subject)
        abort();
    subject->base.ops = &ops;
    subject->base.refs = 1;
    subject->subjects = subjects;
    subject->next = subjects->first;
    subject->known = true;
    subjects->first = subject;
    str_copy(key, subject->base.key, sizeof subject->base.key);
    str_copy(key, subject->row.name, sizeof subject->row.name);
    return subject;
}

// ---- Changing -----------------------------------------------------------------------------------------------------

struct sim_subject_row *subject_edit(struct sim_subject *subject) {
    subject->dirty = true;
    return &subject->row;
}

static struct entry *find_entry(const struct sim_subject *subject, const char *gid) {
    struct entry *entry = subject->entries;
    while (entry && strcmp(entry->row.gid, gid) != 0)
        entry = entry->next;
    return entry;
}

const struct sim_entry_row *subject_find_entry(const struct sim_subject *subject, const char *gid) {
    const struct entry *entry = find_entry(subject, gid);
    return entry ? &entry->row : NULL;
}

static struct entry *add_entry(struct sim_subject *subject) {
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        abort();
    entry->next = subject->entries;
    subject->entries = entry;
    return entry;
}

struct sim_entry_row *subject_entry(struct sim_subject *subject, const char *gid) {
    struct entry *entry = find_entry(subject, gid);
    if (!entry) {
        entry = add_entry(subject);
        snprintf(entry->row.subject, sizeof entry->row.subject, "%s", subject->row.name);
        snprintf(entry->row.gid, sizeof entry->row.gid, "%s", gid);
    }
    subject->dirty = entry->dirty = true;
    return &entry->row;
}

struct payment *subject_find_payment(const struct sim_subject *subject, const char *name) {
    struct payment *payment = subject->payments;
    while (payment && strcmp(payment->row.name, name) != 0)
        payment = payment->next;
    return payment;
}

static struct payment *add_payment(struct sim_subject *subject) {
    struct payment *payment = calloc(1, sizeof *payment);
    if (!payment)
        abort();
    payment->next = subject->payments;
    subject->payments = payment;
    return payment;
}

struct payment *subject_payment(struct sim_subject *subject, const char *name) {
    struct payment *payment = subject_find_payment(subject, name);
    if (!payment) {
        payment = add_payment(subject);
        snprintf(payment->row.subject, sizeof payment->row.subject, "%s", subject->row.name);
        snprintf(payment->row.name, sizeof payment->row.name, "%s", name);
    }
    subject->dirty = payment->dirty = true;
    return payment;
}

// ---- Loading ------------------------------------------------------------------------------------------------------

struct subject_wish {
    struct subject_wish *next;
    subject_fn *done;
    void *ctx;
    struct saga_engine *engine; // of an attach, whose token `ctx` is; NULL: not one
};

static void grant(const struct subject_wish *wish, struct sim_subject *subject, const struct error *error) {
    struct error busy;
    error_set(&busy, ERR_STORE_UNAVAILABLE, "it is being deleted");
    if (subject && subject->leaving) {
        subject = NULL;
        error = &busy;
    }
    if (wish->engine)
        saga_attached(wish->engine, wish->ctx, subject ? &subject->base : NULL, error);
    else
        wish->done(wish->ctx, subject, error);
}

// Its three tables are read one after the other; all rows of one subject fit into one page.
struct subject_load {
    struct subject_load *next;
    struct subjects *subjects;
    struct subject_wish *wishes, **last;
    unsigned table;
    struct sim_subject *subject; // as far as it is read; not known yet
    bool stale;                  // its slot was left meanwhile
    char key[SAGA_SUBJECT_MAX + 1];
};

static void unlink_load(struct subject_load *load) {
    struct subject_load **at = &load->subjects->loads;
    while (*at != load)
        at = &(*at)->next;
    *at = load->next;
}

static void finish(struct subject_load *load, const struct error *error) {
    struct sim_subject *subject = load->subject;
    unlink_load(load);
    if (!error) {
        subject->known = true;
        subject->next = load->subjects->first;
        load->subjects->first = subject;
    }
    while (load->wishes) {
        struct subject_wish *wish = load->wishes;
        load->wishes = wish->next;
        grant(wish, error ? NULL : subject, error);
        free(wish);
    }
    if (subject)
        saga_subject_release(&subject->base);
    free(load);
}

static void take(struct subject_load *load, const void *rows, size_t n) {
    struct sim_subject *subject = load->subject;
    const struct sim_entry_row *entries = rows;
    const struct sim_payment_row *payments = rows;
    assert(n < STORE_LIMIT_MAX);
    if (load->table == 0 && n == 1) {
        subject->row = *(const struct sim_subject_row *)rows;
        subject->stored = true;
    }
    for (size_t i = 0; load->table == 1 && i < n; i++) {
        struct entry *entry = add_entry(subject);
        entry->row = entries[i];
        entry->stored = true;
    }
    for (size_t i = 0; load->table == 2 && i < n; i++) {
        struct payment *payment = add_payment(subject);
        payment->row = payments[i];
        payment->stored = true;
    }
}

static void read_next(struct subject_load *load);

static void rows_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct subject_load *load = ctx;
    struct error elsewhere;
    error_set(&elsewhere, ERR_SLOT_ELSEWHERE, NULL);
    if (load->stale)
        error = &elsewhere;
    if (!error)
        take(load, rows, n);
    if (error || ++load->table == 3)
        finish(load, error);
    else
        read_next(load);
}

static void read_next(struct subject_load *load) {
    static const struct {
        const struct store_table *table;
        const char *column;
    } parts[] = {{&sim_subject_table, "name"}, {&sim_entry_table, "subject"}, {&sim_payment_table, "subject"}};
    struct store_query query = {
        .table = parts[load->table].table,
        .conds = {{.column = parts[load->table].column, .cmp = STORE_EQ, .text = str_c(load->key)}},
        .limit = STORE_LIMIT_MAX};
    store_read(load->subjects->store, &query, rows_read, load);
}

static struct subject_load *load_of(struct subjects *subjects, struct str key) {
    struct subject_load *load = subjects->loads;
    while (load && (load->stale || !str_eq_c(key, load->key)))
        load = load->next;
    if (load)
        return load;
    load = calloc(1, sizeof *load);
    if (!load)
        abort();
    *load = (struct subject_load){.next = subjects->loads, .subjects = subjects};
    load->last = &load->wishes;
    subjects->loads = load;
    str_copy(key, load->key, sizeof load->key);
    load->subject = subject_new(subjects, key);
    subject_leave(load->subject);
    read_next(load);
    return load;
}

static void want(struct subjects *subjects, struct str key, const struct subject_wish *wanted) {
    for (struct sim_subject *subject = subjects->first; subject; subject = subject->next)
        if (str_eq_c(key, subject->row.name)) {
            grant(wanted, subject, NULL);
            return;
        }
    struct subject_load *load = load_of(subjects, key);
    struct subject_wish *wish = malloc(sizeof *wish);
    if (!wish)
        abort();
    *wish = *wanted;
    *load->last = wish;
    load->last = &wish->next;
}

bool subject_is_known(const struct subjects *subjects, struct str key) {
    for (const struct sim_subject *subject = subjects->first; subject; subject = subject->next)
        if (str_eq_c(key, subject->row.name))
            return true;
    for (const struct subject_load *load = subjects->loads; load; load = load->next)
        if (str_eq_c(key, load->key))
            return true;
    return false;
}

void subject_want(struct subjects *subjects, struct str key, subject_fn *done, void *ctx) {
    struct error elsewhere;
    error_set(&elsewhere, ERR_SLOT_ELSEWHERE, NULL);
    if (!saga_engine_owns(subjects->engine, id_slot(key)))
        done(ctx, NULL, &elsewhere);
    else
        want(subjects, key, &(struct subject_wish){.done = done, .ctx = ctx});
}

void subject_attach(struct subjects *subjects, struct saga_engine *engine, struct str key, void *token) {
    want(subjects, key, &(struct subject_wish){.ctx = token, .engine = engine});
}

void subjects_leave(struct subjects *subjects, unsigned slot) {
    for (struct subject_load *load = subjects->loads; load; load = load->next)
        load->stale = load->stale || id_slot(str_c(load->key)) == slot;
    for (struct sim_subject *subject = subjects->first, *next; subject; subject = next) {
        next = subject->next;
        if (id_slot(str_c(subject->row.name)) == slot)
            subject_leave(subject);
    }
}

void subjects_drop(struct subjects *subjects) {
    while (subjects->loads) {
        struct subject_load *load = subjects->loads;
        unlink_load(load);
        while (load->wishes) {
            struct subject_wish *next = load->wishes->next;
            free(load->wishes);
            load->wishes = next;
        }
        saga_subject_release(&load->subject->base);
        free(load);
    }
    assert(!subjects->first);
}
