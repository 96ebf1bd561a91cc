#include "tests/simulation/ledger.h"

#include <stdio.h>
#include <stdlib.h>

struct effect *ledger_effect(struct ledger *ledger, const char *key) {
    struct map_node *node = map_find(&ledger->effects, str_c(key));
    return node ? CONTAINER_OF(node, struct effect, node) : NULL;
}

struct book *ledger_book(struct ledger *ledger, const char *gid) {
    struct map_node *node = map_find(&ledger->books, str_c(gid));
    if (node)
        return CONTAINER_OF(node, struct book, node);
    struct book *book = calloc(1, sizeof *book);
    if (!book)
        abort();
    snprintf(book->gid, sizeof book->gid, "%s", gid);
    map_insert(&ledger->books, &book->node, str_c(book->gid));
    return book;
}

struct effect *ledger_open(struct ledger *ledger, const char *gid, const char *key) {
    struct effect *effect = ledger_effect(ledger, key);
    if (effect)
        return effect;
    effect = calloc(1, sizeof *effect);
    if (!effect)
        abort();
    snprintf(effect->key, sizeof effect->key, "%s", key);
    map_insert(&ledger->effects, &effect->node, str_c(effect->key));
    effect->book = ledger_book(ledger, gid);
    effect->next = effect->book->first;
    effect->book->first = effect;
    return effect;
}

void ledger_apply(struct ledger *ledger, struct effect *effect) {
    effect->state = EFFECT_APPLIED;
    effect->applied++;
    ledger->customers -= effect->amount;
    ledger->participants[effect->participant] += effect->amount;
}

void ledger_undo(struct ledger *ledger, struct effect *effect) {
    effect->state = EFFECT_UNDONE;
    effect->undone++;
    ledger->customers += effect->amount;
    ledger->participants[effect->participant] -= effect->amount;
}

static void free_effect(void *ctx, struct map_node *node) {
    struct effect *effect = CONTAINER_OF(node, struct effect, node);
    map_remove(ctx, node);
    for (int op = 0; op <= SAGA_INQUIRE; op++)
        free(effect->bodies[op]);
    free(effect);
}

static void free_book(void *ctx, struct map_node *node) {
    map_remove(ctx, node);
    free(CONTAINER_OF(node, struct book, node));
}

void ledger_release(struct ledger *ledger) {
    map_each(&ledger->effects, free_effect, &ledger->effects);
    map_each(&ledger->books, free_book, &ledger->books);
    map_release(&ledger->effects);
    map_release(&ledger->books);
}
