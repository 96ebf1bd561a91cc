#include "flows/trade/fact.h"

#include "flows/trade/internal.h"
#include "saga/participant.h"
#include "store/cache.h"

#include <assert.h>
#include <stdlib.h>

enum { QUESTION_MAX = 65536 }; // bytes, twice: as it came, and to be sent

struct facts {
    struct trades *trades;
    struct map flights;
    unsigned open; // calls and flights
};

static const char *const names[] = {[TRADE_FACT_NONE] = "",
#define X(NAME, name, ttl_s, text) [TRADE_FACT_##NAME] = #name,
                                    TRADE_FACTS(X)
#undef X
};

static void *make(size_t size) {
    void *made = calloc(1, size);
    if (!made)
        abort();
    return made;
}

struct facts *facts_new(struct trades *trades) {
    struct facts *facts = make(sizeof *facts);
    facts->trades = trades;
    return facts;
}

void facts_free(struct facts *facts) {
    assert(facts->open == 0 && facts->flights.count == 0);
    map_release(&facts->flights);
    free(facts);
}

// ---- Asking the system itself -------------------------------------------------------------------------------------

struct call {
    struct facts *facts;
    struct saga_pass pass;
    adapter_done_fn *done;
    void *ctx;
};

static void answered(void *ctx, const struct adapter_answer *answer) {
    struct call *call = ctx;
    struct facts *facts = call->facts;
    saga_pass_end(facts->trades->engine, &call->pass, answer->outcome, answer->code, answer->text);
    facts->open--;
    call->done(call->ctx, answer);
    free(call);
}

static bool call_system(struct facts *facts, const struct fact_question *question, adapter_done_fn *done, void *ctx,
                        struct error *error) {
    struct call *call = make(sizeof *call);
    *call = (struct call){.facts = facts, .done = done, .ctx = ctx};
    if (!saga_pass_begin(facts->trades->engine, question->system->system, &call->pass, error)) {
        free(call);
        return false;
    }
    facts->open++;
    adapter_call(question->system, question->method, question->effect, question->request, answered, call);
    return true;
}

// ---- One answer for all who want to know --------------------------------------------------------------------------

struct waiter {
    struct waiter *next;
    adapter_done_fn *done;
    void *ctx;
};

struct flight {
    struct map_node node; // by the key
    struct facts *facts;
    struct fact_question question; // its request and effect are those below
    struct adapter_effect effect;  // its texts are the first waiter's, who waits as long as it lasts
    char key[FACT_KEY_MAX + 1];
    struct arena arena;
    int64_t until_ms;
    uint64_t ticket; // of the cache
    struct waiter *first, *last;
    unsigned n_waiters;
    bool overtaken; // what is kept was cleared meanwhile: nobody else waits for this, and it is not in the map
};

static void wait_for(struct flight *flight, adapter_done_fn *done, void *ctx) {
    struct waiter *waiter = make(sizeof *waiter);
    *waiter = (struct waiter){.done = done, .ctx = ctx};
    if (flight->last)
        flight->last->next = waiter;
    else
        flight->first = waiter;
    flight->last = waiter;
    flight->n_waiters++;
}

static void leave_map(struct flight *flight) {
    if (!flight->overtaken)
        map_remove(&flight->facts->flights, &flight->node);
    flight->overtaken = true;
}

static void flight_free(struct flight *flight) {
    leave_map(flight);
    arena_release(&flight->arena);
    free(flight);
}

// Who asks again meanwhile begins a new one.
static void land(struct flight *flight, const struct adapter_answer *answer) {
    struct waiter *waiter = flight->first;
    leave_map(flight);
    flight->facts->open--;
    while (waiter) {
        struct waiter *next = waiter->next;
        waiter->done(waiter->ctx, answer);
        free(waiter);
        waiter = next;
    }
    flight_free(flight);
}

static void from_system(void *ctx, const struct adapter_answer *answer) {
    struct flight *flight = ctx;
    const struct trades_options *options = &flight->facts->trades->options;
    enum trade_fact fact = flight->question.fact;
    bool may = answer->outcome == OUTCOME_OK && !(flight->question.is_own && flight->question.is_own(answer->message));
    if (may)
        cache_put(options->cache, str_c(names[fact]), str_c(flight->key), answer->bytes, options->fact_ttl_ms[fact],
                  flight->ticket);
    land(flight, answer);
}

static bool ask_system(struct flight *flight, struct error *error) {
    int64_t left_ms = flight->until_ms - trades_now(flight->facts->trades);
    flight->effect.deadline_ms = left_ms > 0 ? (uint32_t)left_ms : 1;
    return call_system(flight->facts, &flight->question, from_system, flight, error);
}

static void from_cache(void *ctx, const struct cache_answer *kept) {
    struct flight *flight = ctx;
    struct error error = {0};
    flight->ticket = kept->ticket;
    if (kept->verdict == CACHE_HIT) {
        struct adapter_answer answer = {.outcome = OUTCOME_OK, .reason = "", .text = "", .bytes = kept->value};
        answer.message = adapter_decode_answer(kept->value, flight->question.method, &flight->arena);
        if (answer.message) {
            land(flight, &answer);
            return;
        }
    }
    if (!ask_system(flight, &error))
        land(flight, &(struct adapter_answer){.outcome = OUTCOME_RETRY,
                                              .code = error.code,
                                              .reason = err_info(error.code)->name,
                                              .text = error.text});
}

static struct flight *flight_new(struct facts *facts, const struct fact_question *question, const char *key) {
    struct flight *flight = make(sizeof *flight);
    flight->facts = facts;
    flight->question = *question;
    flight->effect = *question->effect;
    flight->question.effect = &flight->effect;
    memcpy(flight->key, key, sizeof flight->key);
    flight->until_ms = trades_now(facts->trades) + question->effect->deadline_ms;
    arena_init(&flight->arena, 4 * QUESTION_MAX);
    flight->question.request = adapter_request_copy(question->request, &flight->arena);
    map_insert(&facts->flights, &flight->node, str_n(flight->key, FACT_KEY_MAX));
    return flight;
}

static bool set_off(struct facts *facts, const struct fact_question *question, const char *key, adapter_done_fn *done,
                    void *ctx, struct error *error) {
    const struct trades_options *options = &facts->trades->options;
    struct flight *flight = flight_new(facts, question, key);
    bool under_way = flight->question.request != NULL;
    if (!under_way)
        error_set(error, ERR_OVERLOADED, "the question needs too much memory");
    else if (!cache_get(options->cache, str_c(names[question->fact]), str_n(key, FACT_KEY_MAX), from_cache, flight))
        under_way = ask_system(flight, error);
    if (!under_way) {
        flight_free(flight);
        return false;
    }
    facts->open++;
    wait_for(flight, done, ctx);
    return true;
}

static bool keeps(const struct facts *facts, enum trade_fact fact) {
    return facts->trades->options.cache && facts->trades->options.fact_ttl_ms[fact] > 0;
}

// A digest of what is asked, and of what kind of fact it is. False: it is too long to be asked for others, too.
static bool make_key(const struct fact_question *question, char out[FACT_KEY_MAX + 1]) {
    struct arena arena;
    arena_init(&arena, QUESTION_MAX);
    struct str identity = adapter_question(question->request, &arena);
    uint8_t digest[DIGEST_LEN];
    if (identity.ptr) {
        digest_hmac(str_c(names[question->fact]), identity, digest);
        digest_hex(digest, out);
    }
    arena_release(&arena);
    return identity.ptr != NULL;
}

bool fact_ask(struct facts *facts, const struct fact_question *question, char ret_key[FACT_KEY_MAX + 1],
              adapter_done_fn *done, void *ctx, struct error *error) {
    ret_key[0] = '\0';
    if (question->fact == TRADE_FACT_NONE || !keeps(facts, question->fact) || !make_key(question, ret_key))
        return call_system(facts, question, done, ctx, error);
    struct map_node *node = map_find(&facts->flights, str_n(ret_key, FACT_KEY_MAX));
    struct flight *flight = node ? CONTAINER_OF(node, struct flight, node) : NULL;
    if (!flight)
        return set_off(facts, question, ret_key, done, ctx, error);
    if (flight->n_waiters >= FACT_WAITERS_MAX)
        return call_system(facts, question, done, ctx, error);
    facts->trades->stats.shared++;
    wait_for(flight, done, ctx);
    return true;
}

// ---- What is out of date ------------------------------------------------------------------------------------------

void fact_forget(struct facts *facts, enum trade_fact fact, const char *key) {
    if (key[0] != '\0' && facts->trades->options.cache)
        cache_drop(facts->trades->options.cache, str_c(names[fact]), str_c(key));
}

struct clearing {
    struct str name; // of the caller's, while it is begun
    unsigned open;
    struct error error;
    trades_cleared_fn *done;
    void *ctx;
};

static void cleared(void *ctx, const struct error *error) {
    struct clearing *clearing = ctx;
    if (error)
        clearing->error = *error;
    if (--clearing->open > 0)
        return;
    clearing->done(clearing->ctx, error_is(&clearing->error) ? &clearing->error : NULL);
    free(clearing);
}

static bool is_meant(struct str name, enum trade_fact fact) {
    return str_empty(name) || str_eq_c(name, names[fact]);
}

static void overtake(void *ctx, struct map_node *node) {
    struct flight *flight = CONTAINER_OF(node, struct flight, node);
    if (is_meant(((struct clearing *)ctx)->name, flight->question.fact))
        leave_map(flight);
}

bool trades_has_fact(struct str name) {
    for (int fact = TRADE_FACT_NONE + 1; fact < TRADE_FACT_KINDS; fact++)
        if (str_eq_c(name, names[fact]))
            return true;
    return false;
}

void trades_clear_facts(struct trades *trades, struct str name, trades_cleared_fn *done, void *ctx) {
    struct clearing *clearing = make(sizeof *clearing);
    assert(str_empty(name) || trades_has_fact(name));
    *clearing = (struct clearing){.name = name, .done = done, .ctx = ctx};
    map_each(&trades->facts->flights, overtake, clearing);
    for (int fact = TRADE_FACT_NONE + 1; fact < TRADE_FACT_KINDS; fact++) {
        if (!is_meant(name, (enum trade_fact)fact))
            continue;
        clearing->open++;
        cache_clear(trades->options.cache, str_c(names[fact]), cleared, clearing);
    }
}
