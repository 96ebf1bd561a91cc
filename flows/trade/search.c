#include "flows/trade/search.h"

#include <assert.h>
#include <stdlib.h>

// Sets are built in the order in which their benefits apply, so what has been decided about a set is final: a benefit
// that does not fit at its place does not fit in any larger set that begins the same way. Where benefits come behind
// the points, a node is settled before the first of them: its points are taken, and what they have left is what those
// find.

enum { BEAM_WIDTH = 32, PROBE_NODES = 400 };

// A set under construction: the first so many of the sequence are decided.
struct node {
    uint64_t members;
    uint32_t kinds; // of tenders that may pay
    int64_t saved;  // by the members
    int64_t left;   // to be paid; once settled, after points
    bool settled;
    struct pricing_points points; // once settled
    int64_t *lines;               // what is left of each
};

// What the undecided candidates could still save at a node. `gains` is by place in the sequence and 0 for what can't
// join any more; `rest[i]` bounds what those from place i on save together: before the tender-specific ones without
// these, from the first of them on all.
struct outlook {
    int64_t scope_left[3 * SOLVER_CANDIDATES_MAX];
    int64_t gains[SOLVER_CANDIDATES_MAX];
    int64_t rest[SOLVER_CANDIDATES_MAX + 1];
    int64_t before; // of all that come before the tender-specific ones
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
    if (a->coupons != b->coupons)
        return a->coupons < b->coupons;
    return sooner(a->members, b->members);
}

static bool full(const struct search *search) {
    return search->result->n == search->pricing->input->max_combinations;
}

static int count_coupons(const struct pricing *pricing, uint64_t members) {
    return __builtin_popcountll(members & pricing->coupons);
}

// Offers the node's set as it stands.
static void offer(struct search *search, const struct node *node) {
    const struct pricing *pricing = search->pricing;
    struct search_result *result = search->result;
    struct pricing_points points = node->settled ? node->points : pricing_points(pricing, node->left);
    if ((pricing->required & ~node->members) || (node->members == 0 && points.points == 0))
        return;
    struct search_set set = {.members = node->members,
                             .coupons = count_coupons(pricing, node->members),
                             .saved = node->saved,
                             .points = points.points,
                             .payable = node->left - (node->settled ? 0 : points.value)};
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

// What a candidate could save at most if it joined somewhere behind the node, where no more is left of each line than
// `lines`, which add up to `scope_left`.
static int64_t gain(const struct pricing *pricing, const struct node *node, size_t i, const int64_t *lines,
                    const int64_t *scope_left) {
    const struct pricing_candidate *candidate = &pricing->candidates[i];
    if ((candidate->conflicts & node->members) || !(candidate->kinds & node->kinds))
        return 0;
    return pricing_gain(candidate, lines, scope_left[candidate->benefit_scope], scope_left[candidate->condition_scope]);
}

static void sum_scopes(const struct pricing *pricing, const int64_t *lines, int64_t *scope_left) {
    for (size_t i = 0; i < pricing->n_scopes; i++)
        scope_left[i] = pricing_sum(lines, pricing->scopes[i]);
}

// Bounds what the candidates at the places from `from` to before `to` save together, backwards; only those for tenders
// of `kinds`. Of a clique at most one joins: its largest gain counts. Cliques are added up per scope and can't take
// more than what is left in it, nor all together more than what is left. A bound that is there already is only raised.
static void add_up(const struct search *search, const struct node *node, const int64_t *scope_left, size_t from,
                   size_t to, uint32_t kinds, struct outlook *outlook) {
    const struct pricing *pricing = search->pricing;
    int64_t scope_gain[3 * SOLVER_CANDIDATES_MAX], clique_gain[SOLVER_CANDIDATES_MAX], total = 0;
    memset(scope_gain, 0, pricing->n_scopes * sizeof *scope_gain);
    memset(clique_gain, 0, pricing->n_cliques * sizeof *clique_gain);
    for (size_t place = to; place-- > from;) {
        const struct pricing_candidate *candidate = &pricing->candidates[pricing->sequence[place]];
        int64_t *most = &clique_gain[candidate->clique], saves = outlook->gains[place];
        if (saves > *most && (candidate->kinds & kinds)) {
            size_t scope = pricing->cliques[candidate->clique].scope;
            int64_t grown = smaller(scope_gain[scope] + saves - *most, scope_left[scope]);
            total += grown - scope_gain[scope];
            scope_gain[scope] = grown;
            *most = saves;
        }
        if (total > outlook->rest[place])
            outlook->rest[place] = smaller(total, node->left);
    }
}

// What the points leave of each line at most: they are no fewer than those of the least that benefits may leave, of no
// more than there is now, and of each line they take its part at least, rounded down.
static void bound_lines(const struct pricing *pricing, const struct node *node, int64_t least_left,
                        int64_t *ret_lines) {
    int64_t value = pricing_points(pricing, least_left).value;
    for (size_t i = 0; i < pricing->n_lines; i++) {
        int64_t part = node->left > 0 ? (int64_t)((__int128)value * node->lines[i] / node->left) : 0;
        ret_lines[i] = node->lines[i] - part;
    }
}

// All tender-specific benefits of a set have a kind in common: the best kind counts.
static void look_behind(const struct search *search, const struct node *node, size_t from, struct outlook *outlook) {
    const struct pricing *pricing = search->pricing;
    int64_t lines[SOLVER_LINES_MAX], scope_left[3 * SOLVER_CANDIDATES_MAX];
    if (node->settled) {
        memcpy(lines, node->lines, pricing->n_lines * sizeof *lines);
        memcpy(scope_left, outlook->scope_left, pricing->n_scopes * sizeof *scope_left);
    } else {
        bound_lines(pricing, node, node->left - outlook->before, lines);
        sum_scopes(pricing, lines, scope_left);
    }
    for (size_t place = from; place < pricing->n; place++)
        outlook->gains[place] = gain(pricing, node, pricing->sequence[place], lines, scope_left);
    for (uint32_t kinds = pricing->kinds & node->kinds; kinds; kinds &= kinds - 1)
        add_up(search, node, scope_left, from, pricing->n, kinds & (~kinds + 1), outlook);
}

static void look_ahead(const struct search *search, const struct node *node, size_t from, struct outlook *outlook) {
    const struct pricing *pricing = search->pricing;
    size_t tenders = from > pricing->tenders ? from : pricing->tenders;
    sum_scopes(pricing, node->lines, outlook->scope_left);
    memset(outlook->rest + from, 0, (pricing->n + 1 - from) * sizeof *outlook->rest);
    for (size_t place = from; place < tenders; place++)
        outlook->gains[place] = gain(pricing, node, pricing->sequence[place], node->lines, outlook->scope_left);
    if (from < tenders)
        add_up(search, node, outlook->scope_left, from, tenders, UINT32_MAX, outlook);
    outlook->before = from < tenders ? outlook->rest[from] : 0;
    if (tenders < pricing->n)
        look_behind(search, node, tenders, outlook);
}

// What may still come before the points and behind them, from `place` on.
static int64_t rest_before(const struct pricing *pricing, const struct outlook *outlook, size_t place) {
    return place < pricing->tenders ? outlook->rest[place] : 0;
}

static int64_t rest_behind(const struct pricing *pricing, const struct outlook *outlook, size_t place) {
    return outlook->rest[place < pricing->tenders ? pricing->tenders : place];
}

// The least number of coupons from `place` on that could save `need` together with everything else that is open there;
// more than there are when that can't be. Within a scope the larger gains come first and the last one is clipped, so
// taking what adds most next is best.
static int least_coupons(const struct pricing *pricing, const struct outlook *outlook, size_t place, int64_t need) {
    struct {
        int64_t gain;
        size_t scope;
    } offers[SOLVER_CANDIDATES_MAX];
    int64_t scope_left[3 * SOLVER_CANDIDATES_MAX];
    memcpy(scope_left, outlook->scope_left, pricing->n_scopes * sizeof *scope_left);
    size_t n = 0;
    for (; place < pricing->n; place++) {
        size_t scope = pricing->candidates[pricing->sequence[place]].benefit_scope;
        if (outlook->gains[place] == 0)
            continue;
        if (pricing->coupons >> pricing->sequence[place] & 1) {
            offers[n].gain = outlook->gains[place];
            offers[n++].scope = scope;
        } else {
            int64_t adds = smaller(outlook->gains[place], scope_left[scope]);
            need -= adds;
            scope_left[scope] -= adds;
        }
    }
    for (size_t taken = 0; taken < n && need > 0; taken++) {
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
    return need > 0 ? (int)n + 1 : 0;
}

static uint64_t still_open(const struct pricing *pricing, const struct outlook *outlook, size_t place) {
    uint64_t open = 0;
    for (; place < pricing->n; place++)
        if (outlook->gains[place] > 0)
            open |= UINT64_C(1) << pricing->sequence[place];
    return open;
}

// What is payable at least with whatever is added from `place` on. `*ret_points`: the least points with which it is
// that.
static int64_t least_payable(const struct pricing *pricing, const struct node *node, const struct outlook *outlook,
                             size_t place, int64_t *ret_points) {
    int64_t before = rest_before(pricing, outlook, place), behind = rest_behind(pricing, outlook, place);
    if (node->settled) {
        *ret_points = node->points.points;
        return node->left - smaller(node->left, before + behind);
    }
    int64_t left = node->left - smaller(node->left, before);
    int64_t payable = pricing_least_payable(pricing, left, node->left);
    payable -= smaller(payable, behind);
    *ret_points = pricing_least_points(pricing, left, payable + behind);
    return payable;
}

// Whether no set that adds candidates from `place` on to the node's can get into the list of the best: it loses against
// the last of them by payable, points, count or members, whatever is added. `outlook` is the node's or its parent's.
static bool hopeless(const struct search *search, const struct node *node, const struct outlook *outlook,
                     size_t place) {
    const struct pricing *pricing = search->pricing;
    if (rest_before(pricing, outlook, place) + rest_behind(pricing, outlook, place) == 0)
        return true;
    if (!full(search))
        return false;
    const struct search_set *last = &search->result->best[search->result->n - 1];
    int64_t points, payable = least_payable(pricing, node, outlook, place, &points);
    if (payable != last->payable)
        return payable > last->payable;
    if (points != last->points)
        return points > last->points;
    // With payable and points alike, the benefits save alike.
    int64_t need = last->saved - node->saved;
    if (need <= 0)
        return true;
    int coupons = count_coupons(pricing, node->members) + least_coupons(pricing, outlook, place, need);
    if (coupons != last->coupons)
        return coupons > last->coupons;
    return !sooner(node->members | still_open(pricing, outlook, place), last->members);
}

// ---- Branch and bound ---------------------------------------------------------------------------------------------

// Only the sums of the node with one more candidate, which saves `saved`.
static struct node joined(const struct pricing *pricing, const struct node *node, size_t i, int64_t saved) {
    struct node grown = *node;
    grown.members |= UINT64_C(1) << i;
    grown.kinds &= pricing->candidates[i].kinds;
    grown.saved += saved;
    grown.left -= saved;
    return grown;
}

// The node with one more candidate, line by line. False when it doesn't fit.
static bool join(const struct pricing *pricing, const struct node *node, size_t i, struct node *ret_grown) {
    int64_t *lines = ret_grown->lines, saved;
    const struct pricing_candidate *candidate = &pricing->candidates[i];
    if ((candidate->conflicts & node->members) || !(candidate->kinds & node->kinds) ||
        pricing_apply(pricing, candidate, node->lines, lines, &saved) != SOLVER_FITS)
        return false;
    *ret_grown = joined(pricing, node, i, saved);
    ret_grown->lines = lines;
    return true;
}

// The node with its points taken; `ret_settled` may be the node itself.
static void settle(const struct pricing *pricing, const struct node *node, struct node *ret_settled) {
    int64_t *lines = ret_settled->lines;
    struct pricing_points points = pricing_points(pricing, node->left);
    pricing_settle(pricing, points.value, node->lines, lines);
    *ret_settled = *node;
    ret_settled->lines = lines;
    ret_settled->points = points;
    ret_settled->left -= points.value;
    ret_settled->settled = true;
}

static bool spend_node(struct search *search) {
    search->spent = search->spent || search->result->nodes >= search->budget;
    search->result->nodes += !search->spent;
    return !search->spent;
}

// Tries every set that adds candidates from place `from` on to the node at `depth`. As deep as there are candidates,
// and one more for the points.
static void branch(struct search *search, size_t depth, size_t from) {
    const struct pricing *pricing = search->pricing;
    const struct node *node = &search->nodes[depth];
    struct outlook *outlook = &search->outlooks[depth];
    size_t end = node->settled ? pricing->n : pricing->tenders;
    look_ahead(search, node, from, outlook);
    for (size_t place = from; place < end; place++) {
        if (search->spent || hopeless(search, node, outlook, place))
            return;
        size_t i = pricing->sequence[place];
        if (outlook->gains[place] > 0) {
            // What it could save at most is what it saves if it is the next to join, so its sums are known before the
            // discount is split over the lines, which is the expensive part. What the parent hopes of the others bounds
            // what the child may hope.
            struct node sums = joined(pricing, node, i, outlook->gains[place]);
            offer(search, &sums);
            if (!hopeless(search, &sums, outlook, place + 1)) {
                if (!spend_node(search))
                    return;
                bool fits = join(pricing, node, i, &search->nodes[depth + 1]);
                assert(fits && search->nodes[depth + 1].left == sums.left);
                branch(search, depth + 1, place + 1);
            }
        }
        if (pricing->candidates[i].required)
            return;
    }
    if (node->settled || end == pricing->n || search->spent || hopeless(search, node, outlook, end) ||
        !spend_node(search))
        return;
    settle(pricing, node, &search->nodes[depth + 1]);
    branch(search, depth + 1, end);
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
    node->kinds = UINT32_MAX;
    node->settled = pricing->steps_max == 0; // there are no points to take
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
    search->outlooks = arena_alloc(arena, (pricing->n + 2) * sizeof *search->outlooks);
    if (!search->outlooks || !nodes_new(pricing, pricing->n + 2, arena, &search->nodes))
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
    int coupons; // with that payable
    struct node node;
};

static int by_promise(const void *a, const void *b) {
    const struct ray *first = a, *second = b;
    if (first->payable != second->payable)
        return first->payable < second->payable ? -1 : 1;
    if (first->coupons != second->coupons)
        return first->coupons - second->coupons;
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
    int64_t points;
    int64_t most = rest_before(search->pricing, outlook, from) + rest_behind(search->pricing, outlook, from);
    ray->payable = least_payable(search->pricing, node, outlook, from, &points);
    ray->coupons = count_coupons(search->pricing, node->members) +
                   (most > 0 ? least_coupons(search->pricing, outlook, from, most) : 0);
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
        if (place == pricing->tenders && !node->settled)
            settle(pricing, node, node);
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
        for (size_t r = 0; r < n && place == pricing->tenders && !beam[r].node.settled; r++)
            settle(pricing, &beam[r].node, &beam[r].node);
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
