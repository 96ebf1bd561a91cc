#include "tests/check/said.h"

#include "participant/sim/v1/sim.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 200, ARENA_MAX = 1 << 30, PAGE_ARENA_MAX = 64 << 20 };

void said_init(struct said_list *list) {
    *list = (struct said_list){.n_entries = 0};
    arena_init(&list->texts, ARENA_MAX);
}

void said_release(struct said_list *list) {
    free(list->entries);
    free(list->matters);
    arena_release(&list->texts);
}

// Room for one more.
static void *room(void *array, size_t n, size_t *cap, size_t size) {
    if (n < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 1024;
    array = realloc(array, *cap * size);
    if (!array)
        abort();
    return array;
}

static char *text(struct said_list *list, const char *of) {
    char *copy = (char *)(uintptr_t)arena_str(&list->texts, str_c(of)).ptr;
    if (!copy)
        abort();
    return copy;
}

// Kinds and states are few: each is kept once.
static const char *word(struct said_list *list, const char *of) {
    for (size_t i = 0; i < list->n_words; i++)
        if (strcmp(list->words[i], of) == 0)
            return list->words[i];
    const char *made = text(list, of);
    if (list->n_words < sizeof list->words / sizeof list->words[0])
        list->words[list->n_words++] = made;
    return made;
}

// ---- The participants

// -------------------------------------------------------------------------------------------------

// A card's money moves for a tender, or into it by a recharge, which names none.
static const char *whose(const char *system, const Participant__Sim__V1__LedgerEntry *entry) {
    bool pays = strcmp(system, "card") == 0 && !strstr(entry->kind, "recharge");
    return pays ? entry->detail : entry->account;
}

static void keep(struct said_list *list, const char *system, const Participant__Sim__V1__LedgerEntry *entry) {
    list->entries = room(list->entries, list->n_entries, &list->cap_entries, sizeof list->entries[0]);
    struct said *said = &list->entries[list->n_entries++];
    bool money = entry->amount && entry->amount->minor_units;
    *said = (struct said){.seq = entry->seq,
                          .value = money ? entry->amount->minor_units : entry->points,
                          .system = system,
                          .kind = word(list, entry->kind),
                          .state = word(list, entry->state),
                          .whose = text(list, whose(system, entry)),
                          .key = text(list, entry->key)};
    str_fit(str_c(entry->trade_no), said->trade_no, sizeof said->trade_no);
}

static const struct rpc_method dump = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                       .name = "DumpLedger"};

static bool read_system(struct said_list *list, const char *system, said_call_fn *call, void *ctx) {
    Participant__Sim__V1__DumpLedgerRequest request = PARTICIPANT__SIM__V1__DUMP_LEDGER_REQUEST__INIT;
    char token[64] = "";
    bool good = true;
    struct arena arena;
    arena_init(&arena, PAGE_ARENA_MAX);
    request.system = (char *)(uintptr_t)system;
    do {
        arena_reset(&arena);
        request.page_token = token;
        const Participant__Sim__V1__DumpLedgerResponse *page = call(ctx, true, &dump, &request.base, &arena);
        good = page != NULL;
        for (size_t i = 0; good && i < page->n_entries; i++)
            keep(list, system, page->entries[i]);
        snprintf(token, sizeof token, "%s", good ? page->next_page_token : "");
    } while (token[0]);
    arena_release(&arena);
    return good;
}

static int by_trade(const void *a, const void *b) {
    const struct said *x = a, *y = b;
    int order = strcmp(x->trade_no, y->trade_no);
    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

bool said_read(struct said_list *list, said_call_fn *call, void *ctx) {
    static const char *const systems[] = {"order",      "payment",   "card",  "coupon",  "points",
                                          "settlement", "push",      "level", "invoice", "notify",
                                          "activity",   "marketing", "os",    "goods",   "discount"};
    bool good = true;
    for (size_t i = 0; good && i < sizeof systems / sizeof systems[0]; i++)
        good = read_system(list, systems[i], call, ctx);
    if (list->n_entries)
        qsort(list->entries, list->n_entries, sizeof list->entries[0], by_trade);
    return good;
}

static struct said_run run_at(const struct said_list *list, size_t at) {
    if (at == list->n_entries)
        return (struct said_run){.n = 0};
    struct said_run run = {.first = list->entries + at};
    while (at + run.n < list->n_entries && strcmp(run.first[run.n].trade_no, run.first->trade_no) == 0)
        run.n++;
    return run;
}

struct said_run said_of(struct said_list *list, const char *trade_no) {
    size_t low = 0, high = list->n_entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(list->entries[middle].trade_no, trade_no) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == list->n_entries || strcmp(list->entries[low].trade_no, trade_no) != 0)
        return (struct said_run){.n = 0};
    list->entries[low].looked_at = true;
    return run_at(list, low);
}

struct said_run said_unseen(const struct said_list *list, const struct said_run *run) {
    struct said_run next = run_at(list, run ? (size_t)(run->first - list->entries) + run->n : 0);
    while (next.n > 0 && next.first->looked_at)
        next = run_at(list, (size_t)(next.first - list->entries) + next.n);
    return next;
}

int64_t said_sum(const struct said_run *run, const char *system, const char *whose, const char *const *terms) {
    int64_t total = 0;
    for (size_t i = 0; i < run->n; i++) {
        const struct said *said = &run->first[i];
        if (strcmp(said->system, system) != 0 || (whose && strcmp(said->whose, whose) != 0))
            continue;
        for (const char *const *term = terms; *term; term++)
            if (strcmp(said->kind, *term + 1) == 0)
                total += (*term)[0] == '+' ? said->value : -said->value;
    }
    return total;
}

static bool is_a(const struct said *said, const char *system, const char *kind) {
    return strcmp(said->system, system) == 0 && strcmp(said->kind, kind) == 0;
}

int64_t said_count(const struct said_run *run, const char *system, const char *kind) {
    int64_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        n += is_a(&run->first[i], system, kind);
    return n;
}

int64_t said_times(const struct said_run *run, const char *system, const char *kind) {
    int64_t times = 0;
    for (size_t i = 0; i < run->n; i++) {
        bool first = is_a(&run->first[i], system, kind);
        for (size_t k = 0; k < i && first; k++)
            first = !is_a(&run->first[k], system, kind) || strcmp(run->first[k].key, run->first[i].key) != 0;
        times += first;
    }
    return times;
}

// ---- The operators

// ------------------------------------------------------------------------------------------------------

static const struct rpc_method list_matters = {.service = &txcenter__trade__v1__trade_operator_service__descriptor,
                                               .name = "ListMatters"};
static const struct rpc_method list_strays = {.service = &txcenter__trade__v1__trade_operator_service__descriptor,
                                              .name = "ListStrays"};

static void keep_matter(struct said_list *list, const Txcenter__Trade__V1__Matter *matter) {
    list->matters = room(list->matters, list->n_matters, &list->cap_matters, sizeof list->matters[0]);
    struct said_matter *said = &list->matters[list->n_matters++];
    *said = (struct said_matter){.kind = matter->kind, .amount = matter->amount ? matter->amount->minor_units : 0};
    str_fit(str_c(matter->trade_no), said->trade_no, sizeof said->trade_no);
    str_fit(str_c(matter->what), said->what, sizeof said->what);
}

static bool read_matters(struct said_list *list, bool settled, said_call_fn *call, said_tell_fn *tell, void *ctx) {
    Txcenter__Trade__V1__ListMattersRequest request = TXCENTER__TRADE__V1__LIST_MATTERS_REQUEST__INIT;
    Txcenter__Trade__V1__MatterFilter filter = TXCENTER__TRADE__V1__MATTER_FILTER__INIT;
    char token[160] = "", said[200];
    bool good = true;
    struct arena arena;
    arena_init(&arena, PAGE_ARENA_MAX);
    filter.settled = settled;
    request.filter = &filter;
    request.page_size = PAGE;
    do {
        arena_reset(&arena);
        request.page_token = token;
        const Txcenter__Trade__V1__ListMattersResponse *page = call(ctx, false, &list_matters, &request.base, &arena);
        good = page != NULL;
        for (size_t i = 0; good && i < page->n_matters; i++) {
            const Txcenter__Trade__V1__Matter *matter = page->matters[i];
            snprintf(said, sizeof said, "matter %d is open: %s: %s", matter->number, matter->what, matter->reason);
            if (settled)
                keep_matter(list, matter);
            else
                tell(ctx, matter->trade_no, said);
        }
        snprintf(token, sizeof token, "%s", good ? page->next_page_token : "");
    } while (token[0]);
    arena_release(&arena);
    return good;
}

static bool read_strays(said_call_fn *call, said_tell_fn *tell, void *ctx) {
    Txcenter__Trade__V1__ListStraysRequest request = TXCENTER__TRADE__V1__LIST_STRAYS_REQUEST__INIT;
    char said[200];
    struct arena arena;
    arena_init(&arena, PAGE_ARENA_MAX);
    request.page_size = PAGE; // one page tells enough of what there should be none of
    const Txcenter__Trade__V1__ListStraysResponse *page = call(ctx, false, &list_strays, &request.base, &arena);
    for (size_t i = 0; page && i < page->n_strays; i++) {
        snprintf(said, sizeof said, "the notification %s of %s is open", page->strays[i]->nonce,
                 page->strays[i]->number);
        tell(ctx, page->strays[i]->trade_no, said);
    }
    arena_release(&arena);
    return page != NULL;
}

static int by_what(const void *a, const void *b) {
    const struct said_matter *x = a, *y = b;
    int order = strcmp(x->trade_no, y->trade_no);
    order = order ? order : strcmp(x->what, y->what);
    return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

bool said_read_settled(struct said_list *list, said_call_fn *call, said_tell_fn *tell, void *ctx) {
    bool good = read_matters(list, false, call, tell, ctx) && read_matters(list, true, call, tell, ctx) &&
                read_strays(call, tell, ctx);
    if (list->n_matters)
        qsort(list->matters, list->n_matters, sizeof list->matters[0], by_what);
    return good;
}

const struct said_matter *said_conflict(const struct said_list *list, const char *trade_no, const char *tender_no) {
    struct said_matter wanted = {.kind = TXCENTER__TRADE__V1__MATTER_KIND__MATTER_KIND_CONFLICT};
    str_fit(str_c(trade_no), wanted.trade_no, sizeof wanted.trade_no);
    str_fit(str_c(tender_no), wanted.what, sizeof wanted.what);
    return list->n_matters ? bsearch(&wanted, list->matters, list->n_matters, sizeof list->matters[0], by_what) : NULL;
}
