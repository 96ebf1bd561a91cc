#include "flows/trade/search.h"

#include <assert.h>
#include <stdlib.h>

// Sets are built in the order in which their coupons apply, so what has been decided about a set is final: a coupon
// that does not fit at its place does not fit in any larger set that begins the same way.

enum { BEAM_WIDTH = 32, PROBE_NODES = 400 };

// A set under construction: the first so many of the sequence are decided.
struct node {
    uint64_t members;
    int count;
    int64_t left;
    int64_t *lines; // what is left of each
};

// What the undecided candidates could still save at a node. `gains` is by place in the sequence and 0 for what can't
// join any more; `rest[i]` bounds what all of them from place i on save together.
struct outlook {
    int64_t scope_left[2 * SOLVER_CANDIDATES_MAX];
    int64_t gains[SOLVER_CANDIDATES_MAX];
    int64_t rest[SOLVER_CANDIDATES_MAX + 1];
};

struct search {
    const struct pricing *pricing;
    struct search_result *result;
    struct node *nodes; // the branch under way: one per depth
    struct outlook *outlooks;
    uint64_t budget;
    bool spent;
};

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// ---- The best so far ----------------------------------------------------------------------------------------------

// Whether `a` has the first candidate by (expiry, id) that only one of them has.
static bool sooner(uint64_t a, uint64_t b) {
    uint64_t differ = a ^ b;
    return a & differ & (~differ + 1);
}

static bool better(const struct search_set *a, const struct search_set *b) {
    if (a->payable != b->payable)
        return a->payable < b->payable;
    if (a->points != b->points)
        return a->points < b->points;
    if (a->count != b->count)
        return a->count < b->count;
    return sooner(a->members, b->members);
}

static bool full(const struct search *search) {
    return search->result->n == search->pricing->input->max_combinations;
}

// Offers the node's set as it stands.
static void offer(struct search *search, const struct node *node) {
    const struct pricing *pricing = search->pricing;
    struct search_result *result = search->result;
    struct pricing_points points = pricing_points(pricing, node->left);
    if ((pricing->required & ~node->members) || (node->count == 0 && points.points == 0))
        return;
    struct search_set set = {.members = node->members,
                             .count = node->count,
                             .left = node->left,
                             .points = points.points,
                             .payable = node->left - points.value};
    size_t at = 0;
    for (; at < result->n && !better(&set, &result->best[at]); at++)
        if (result->best[at].members == set.members)
            return;
    if (at == pricing->input->max_combinations)
        return;
    if (!full(search))
        result->n++;
    memmove(&result->best[at + 1], &result->best[at], (result->n - 1 - at) * sizeof set);
    result->best[at] = set;
}

// ---- Bounds -------------------------------------------------------------------------------------------------------

// What a candidate could save at most if it joined somewhere behind the node. What is left only shrinks on the way
// there.
static int64_t gain(const struct pricing *pricing, const struct node *node, size_t i, const int64_t *scope_left) {
    const struct pricing_candidate *candidate = &pricing->candidates[i];
    const struct solver_coupon *coupon = candidate->coupon;
    if (candidate->conflicts & node->members)
        return 0;
    if (coupon->minimum_base == SOLVER_BASE_DISCOUNTED &&
        scope_left[candidate->condition_scope] < coupon->minimum_spend)
        return 0;
    return pricing_discount(coupon, scope_left[candidate->benefit_scope]);
}

// From the last place backwards. Of an exclusive group at most one joins: its largest gain counts. The others are added
// up per benefit scope and can't take more than what is left in it, nor all together more than what is left.
static void look_ahead(const struct search *search, const struct node *node, size_t from, struct outlook *outlook) {
    const struct pricing *pricing = search->pricing;
    int64_t *scope_left = outlook->scope_left, scope_gain[2 * SOLVER_CANDIDATES_MAX] = {0};
    int64_t group_gain[SOLVER_CANDIDATES_MAX] = {0};
    for (size_t i = 0; i < pricing->n_scopes; i++)
        scope_left[i] = pricing_sum(node->lines, pricing->scopes[i]);
    int64_t total = 0;
    outlook->rest[pricing->n] = 0;
    for (size_t place = pricing->n; place-- > from;) {
        const struct pricing_candidate *candidate = &pricing->candidates[pricing->sequence[place]];
        int64_t saves = gain(pricing, node, pricing->sequence[place], scope_left);
        outlook->gains[place] = saves;
        if (candidate->group != PRICING_NO_GROUP) {
            int64_t *most = &group_gain[candidate->group];
            total += saves > *most ? saves - *most : 0;
            *most = saves > *most ? saves : *most;
        } else {
            int64_t *sum = &scope_gain[candidate->benefit_scope], most = scope_left[candidate->benefit_scope];
            int64_t grown = smaller(*sum + saves, most);
            total += grown - *sum;
            *sum = grown;
        }
        outlook->rest[place] = smaller(total, node->left);
    }
}

// The least number of candidates from `place` on that could save `need` together; more than there are when none can.
// Within a scope the larger gains come first and the last one is clipped, so taking what adds most next is best.
static int least_count(const struct pricing *pricing, const struct outlook *outlook, size_t place, int64_t need) {
    struct {
        int64_t gain;
        size_t scope;
    } offers[SOLVER_CANDIDATES_MAX];
    int64_t scope_left[2 * SOLVER_CANDIDATES_MAX];
    memcpy(scope_left, outlook->scope_left, pricing->n_scopes * sizeof *scope_left);
    size_t n = 0;
    for (; place < pricing->n; place++) {
        if (outlook->gains[place] == 0)
            continue;
        offers[n].gain = outlook->gains[place];
        offers[n++].scope = pricing->candidates[pricing->sequence[place]].benefit_scope;
    }
    for (size_t taken = 0; taken < n; taken++) {
        size_t most = taken;
        int64_t adds = 0;
        for (size_t i = taken; i < n; i++) {
            int64_t clipped = smaller(offers[i].gain, scope_left[offers[i].scope]);
            if (clipped > adds) {
                adds = clipped;
                most = i;
            }
        }
        need -= adds;
        if (need <= 0)
            return (int)taken + 1;
        scope_left[offers[most].scope] -= adds;
        offers[most] = offers[taken];
    }
    return (int)n + 1;
}

static uint64_t still_open(const struct pricing *pricing, const struct outlook *outlook, size_t place) {
    uint64_t open = 0;
    for (; place < pricing->n; place++)
        if (outlook->gains[place] > 0)
            open |= UINT64_C(1) << pricing->sequence[place];
    return open;
}

// Whether no set that adds candidates from `place` on to the node's can get into the list of the best: it loses against
// the last of them by payable, points, count or members, whatever is added. `outlook` is the node's or its parent's.
static bool hopeless(const struct search *search, const struct node *node, const struct outlook *outlook,
                     size_t place) {
    const struct pricing *pricing = search->pricing;
    if (outlook->rest[place] == 0)
        return true;
    if (!full(search))
        return false;
    const struct search_set *last = &search->result->best[search->result->n - 1];
    int64_t least_left = node->left > outlook->rest[place] ? node->left - outlook->rest[place] : 0;
    int64_t payable = pricing_least_payable(pricing, least_left, node->left);
    if (payable != last->payable)
        return payable > last->payable;
    int64_t points = pricing_least_points(pricing, least_left, payable);
    if (points != last->points)
        return points > last->points;
    // With payable and points alike, the coupons leave alike.
    int64_t need = node->left - last->left;
    if (need <= 0)
        return true;
    int count = node->count + least_count(pricing, outlook, place, need);
    if (count != last->count)
        return count > last->count;
    return !sooner(node->members | still_open(pricing, outlook, place), last->members);
}

// ---- Branch and bound ---------------------------------------------------------------------------------------------

// Only the sums of the node with one more candidate, which saves `saved`.
static struct node joined(const struct node *node, size_t i, int64_t saved) {
    return (struct node){
        .members = node->members | UINT64_C(1) << i, .count = node->count + 1, .left = node->left - saved};
}

// The node with one more candidate, line by line. False when it doesn't fit.
static bool join(const struct pricing *pricing, const struct node *node, size_t i, struct node *ret_grown) {
    int64_t *lines = ret_grown->lines, saved;
    const struct pricing_candidate *candidate = &pricing->candidates[i];
    if ((candidate->conflicts & node->members) ||
        pricing_apply(pricing, candidate, node->lines, lines, &saved) != SOLVER_FITS)
        return false;
    *ret_grown = joined(node, i, saved);
    ret_grown->lines = lines;
    return true;
}

// Tries every set that adds candidates from place `from` on to the node at `depth`. As deep as there are candidates.
static void branch(struct search *search, size_t depth, size_t from) {
    const struct pricing *pricing = search->pricing;
    const struct node *node = &search->nodes[depth];
    struct outlook *outlook = &search->outlooks[depth];
    look_ahead(search, node, from, outlook);
    for (size_t place = from; place < pricing->n; place++) {
        if (search->spent || hopeless(search, node, outlook, place))
            return;
        size_t i = pricing->sequence[place];
        if (outlook->gains[place] > 0) {
            // What it could save at most is what it saves if it is the next to join, so its sums are known before the
            // discount is split over the lines, which is the expensive part. What the parent hopes of the others bounds
            // what the child may hope.
            struct node sums = joined(node, i, outlook->gains[place]);
            offer(search, &sums);
            if (!hopeless(search, &sums, outlook, place + 1)) {
                if (search->result->nodes >= search->budget) {
                    search->spent = true;
                    return;
                }
                search->result->nodes++;
                bool fits = join(pricing, node, i, &search->nodes[depth + 1]);
                assert(fits && search->nodes[depth + 1].left == sums.left);
                branch(search, depth + 1, place + 1);
            }
        }
        if (pricing->candidates[i].required)
            return;
    }
}

static bool nodes_new(const struct pricing *pricing, size_t n, struct arena *arena, struct node **ret_nodes) {
    struct node *nodes = arena_calloc(arena, n, sizeof *nodes);
    int64_t *lines = arena_calloc(arena, n * pricing->n_lines, sizeof *lines);
    if (!nodes || !lines)
        return false;
    for (size_t i = 0; i < n; i++)
        nodes[i].lines = lines + i * pricing->n_lines;
    *ret_nodes = nodes;
    return true;
}

static void node_root(const struct pricing *pricing, struct node *node) {
    node->left = pricing->list_total;
    memcpy(node->lines, pricing->list, pricing->n_lines * sizeof *node->lines);
}

static void node_copy(const struct pricing *pricing, const struct node *from, struct node *to) {
    int64_t *lines = to->lines;
    *to = *from;
    to->lines = lines;
    memcpy(lines, from->lines, pricing->n_lines * sizeof *lines);
}

static bool exact_init(struct search *search, struct arena *arena) {
    const struct pricing *pricing = search->pricing;
    search->outlooks = arena_alloc(arena, (pricing->n + 1) * sizeof *search->outlooks);
    if (!search->outlooks || !nodes_new(pricing, pricing->n + 1, arena, &search->nodes))
        return false;
    node_root(pricing, &search->nodes[0]);
    return true;
}

// From the beginning, with whatever sets are known already, until `budget` nodes have been tried in all.
static void search_exactly(struct search *search, uint64_t budget) {
    search->budget = budget;
    search->spent = false;
    offer(search, &search->nodes[0]);
    branch(search, 0, 0);
    search->result->exact = !search->spent;
}

// ---- Beam ---------------------------------------------------------------------------------------------------------

// A node of the beam with what it may come to at best.
struct ray {
    int64_t payable;
    int count; // of coupons, with that payable
    struct node node;
};

static int by_promise(const void *a, const void *b) {
    const struct ray *first = a, *second = b;
    if (first->payable != second->payable)
        return first->payable < second->payable ? -1 : 1;
    if (first->count != second->count)
        return first->count - second->count;
    if (first->node.left != second->node.left)
        return first->node.left < second->node.left ? -1 : 1;
    if (first->node.members == second->node.members)
        return 0;
    return sooner(first->node.members, second->node.members) ? -1 : 1;
}

static bool rays_new(const struct pricing *pricing, size_t n, struct arena *arena, struct ray **ret_rays) {
    struct node *nodes;
    struct ray *rays = arena_calloc(arena, n, sizeof *rays);
    if (!rays || !nodes_new(pricing, n, arena, &nodes))
        return false;
    for (size_t i = 0; i < n; i++)
        rays[i].node = nodes[i];
    *ret_rays = rays;
    return true;
}

static void promise(const struct search *search, struct ray *ray, size_t from, struct outlook *outlook) {
    const struct node *node = &ray->node;
    look_ahead(search, node, from, outlook);
    int64_t rest = outlook->rest[from];
    ray->payable = pricing_least_payable(search->pricing, node->left - rest, node->left);
    ray->count = node->count + (rest > 0 ? least_count(search->pricing, outlook, from, rest) : 0);
}

// One level: each of the beam's nodes with and without the candidate at `place`. Returns how many there are now.
static size_t widen(struct search *search, size_t place, const struct ray *from, size_t n, struct ray *to,
                    struct outlook *outlook) {
    const struct pricing *pricing = search->pricing;
    size_t i = pricing->sequence[place], made = 0;
    for (size_t r = 0; r < n; r++) {
        const struct node *node = &from[r].node;
        if (join(pricing, node, i, &to[made].node)) {
            offer(search, &to[made].node);
            promise(search, &to[made++], place + 1, outlook);
        }
        if (!pricing->candidates[i].required) {
            node_copy(pricing, node, &to[made].node);
            promise(search, &to[made++], place + 1, outlook);
        }
    }
    return made;
}

// The required candidates and nothing else, which a beam could lose on its way.
static void offer_required(struct search *search, const struct node *root, struct node *node, struct node *grown) {
    const struct pricing *pricing = search->pricing;
    node_copy(pricing, root, node);
    for (size_t place = 0; place < pricing->n; place++) {
        size_t i = pricing->sequence[place];
        if (!pricing->candidates[i].required)
            continue;
        if (!join(pricing, node, i, grown))
            return;
        node_copy(pricing, grown, node);
    }
    offer(search, node);
}

static bool search_by_beam(struct search *search, struct arena *arena) {
    const struct pricing *pricing = search->pricing;
    struct ray *beam, *next;
    struct outlook *outlook = arena_alloc(arena, sizeof *outlook);
    if (!outlook || !rays_new(pricing, 2 * BEAM_WIDTH, arena, &beam) ||
        !rays_new(pricing, 2 * BEAM_WIDTH, arena, &next))
        return false;
    node_root(pricing, &beam[0].node);
    offer_required(search, &beam[0].node, &next[0].node, &next[1].node);
    offer(search, &beam[0].node);
    size_t n = 1;
    for (size_t place = 0; place < pricing->n && n > 0; place++) {
        n = widen(search, place, beam, n, next, outlook);
        qsort(next, n, sizeof *next, by_promise);
        n = n < BEAM_WIDTH ? n : BEAM_WIDTH;
        struct ray *swap = beam;
        beam = next;
        next = swap;
    }
    return true;
}

// -------------------------------------------------------------------------------------------------------------------

// Most searches end within a few hundred nodes. One that does not is worth a beam first: the better the sets that are
// known, the more the bounds cut off.
bool search_run(const struct pricing *pricing, struct arena *arena, struct search_result *ret_result) {
    struct search_result result = {.exact = false};
    struct search search = {.pricing = pricing, .result = &result};
    bool small = !pricing->cut && pricing->n <= SOLVER_EXACT_MAX;
    uint64_t budget = pricing->input->node_budget;
    if (small) {
        if (!exact_init(&search, arena))
            return false;
        search_exactly(&search, budget < PROBE_NODES ? budget : PROBE_NODES);
    }
    if (!result.exact && !search_by_beam(&search, arena))
        return false;
    if (!result.exact && small && budget > PROBE_NODES)
        search_exactly(&search, budget);
    *ret_result = result;
    return true;
}
