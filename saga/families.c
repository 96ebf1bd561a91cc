#include "saga/families.h"

#include <stdlib.h>

enum { PLACES = 2 * FAMILIES_CHILDREN_MAX };

uint32_t families_passes(const struct families *families) {
    return families->parts ? families->parts : 1;
}

// The table takes the low bits.
static bool is_of_part(const struct families *families, uint64_t hash) {
    return (uint32_t)(hash >> 40 & (families_passes(families) - 1)) == families->part;
}

static void forget(struct families *families) {
    free(families->parents);
    free(families->children);
    families->parents = NULL;
    families->children = NULL;
    families->n_parents = families->n_children = 0;
    families->parents_left = families->children_left = false;
}

void families_release(struct families *families) {
    forget(families);
}

// What was too large is halved and begun anew; else the next part comes, and behind the last one the parts are joined
// where two of them had room in one.
static void move_on(struct families *families) {
    uint32_t parts = families_passes(families);
    size_t children = families->n_children * FAMILIES_PARENTS_MAX / FAMILIES_CHILDREN_MAX;
    size_t size = families->n_parents > children ? families->n_parents : children;
    families->most = size > families->most ? size : families->most;
    if ((families->parents_left || families->children_left) && parts < FAMILIES_PARTS_MAX) {
        families->parts = 2 * parts; // half of what it was; the other half comes in its turn
        families->most = FAMILIES_PARENTS_MAX;
        return;
    }
    families->part = (families->part + 1) % parts;
    if (families->part > 0)
        return;
    if (parts > 1 && families->most < FAMILIES_PARENTS_MAX / 4)
        families->parts = parts / 2;
    families->most = 0;
}

void families_begin(struct families *families, int64_t now_ms) {
    if (families->begun)
        move_on(families);
    forget(families);
    families->begun = true;
    families->began_ms = now_ms;
}

static uint64_t *place_of(const struct families *families, uint64_t hash) {
    size_t at = hash >> 1 & (PLACES - 1);
    while (families->children[at] && families->children[at] != hash)
        at = (at + 1) & (PLACES - 1);
    return &families->children[at];
}

void families_note_child(struct families *families, const char *parent_gid) {
    uint64_t hash = str_hash(str_c(parent_gid)) | 1;
    if (!is_of_part(families, hash))
        return;
    if (!families->children && !(families->children = calloc(PLACES, sizeof *families->children)))
        abort();
    uint64_t *place = place_of(families, hash);
    if (*place == 0 && families->n_children == FAMILIES_CHILDREN_MAX) {
        families->children_left = true;
        return;
    }
    families->n_children += *place == 0;
    *place = hash;
}

void families_note_parent(struct families *families, const char *gid) {
    if (!is_of_part(families, str_hash(str_c(gid)) | 1))
        return;
    if (!families->parents && !(families->parents = calloc(FAMILIES_PARENTS_MAX, sizeof *families->parents)))
        abort();
    if (families->n_parents == FAMILIES_PARENTS_MAX)
        families->parents_left = true;
    else
        str_copy(str_c(gid), families->parents[families->n_parents++], sizeof families->parents[0]);
}

const char *families_childless(const struct families *families, size_t *i) {
    for (; !families->children_left && *i < families->n_parents; ++*i) {
        const char *gid = families->parents[*i];
        if (!(families->children && *place_of(families, str_hash(str_c(gid)) | 1)))
            return gid;
    }
    return NULL;
}
