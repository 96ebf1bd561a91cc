#include "sim/rule.h"

#include <stdio.h>

typedef Participant__Type__V1__DiscountRule rule_message;
typedef Participant__Type__V1__DiscountBearer bearer_message;

enum { ITEMS_MAX = 16, WHOLE_BP = 10000 };

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_rule_row, rule_id),
    STORE_COL_I32(sim_rule_row, kind),
    STORE_COL_I32(sim_rule_row, minimum_base),
    STORE_COL_I32(sim_rule_row, percent_off_bp),
    STORE_COL_I32(sim_rule_row, max_per_order),
    STORE_COL_TEXT(sim_rule_row, currency),
    STORE_COL_I64(sim_rule_row, amount_off),
    STORE_COL_I64(sim_rule_row, per_unit),
    STORE_COL_I64(sim_rule_row, cap),
    STORE_COL_I64(sim_rule_row, minimum_spend),
    STORE_COL_TEXT(sim_rule_row, condition_scope),
    STORE_COL_TEXT(sim_rule_row, benefit_scope),
    STORE_COL_TEXT(sim_rule_row, conflicts_with),
    STORE_COL_TEXT(sim_rule_row, tender_kinds),
    STORE_COL_TEXT(sim_rule_row, exclusive_group),
    STORE_COL_TEXT(sim_rule_row, bearers),
};

#define TABLE(table_name)                                                                                              \
    {                                                                                                                  \
        .name = (table_name), .row_size = sizeof(struct sim_rule_row), .columns = columns,                             \
        .n_columns = STORE_COUNT(columns), .n_key = 1, .since = 2                                                      \
    }
const struct store_table sim_activity_rules_table = TABLE("sim_activity_rule");
const struct store_table sim_level_rules_table = TABLE("sim_level_rule");

// ---- Lists -----------------------------------------------------------------------------------------------------

char **sim_list_split(struct sim_call *call, const char *list, size_t *ret_n) {
    char **items = arena_alloc(call->arena, ITEMS_MAX * sizeof *items);
    size_t n = 0;
    struct str rest = str_c(list);
    while (items && rest.len > 0 && n < ITEMS_MAX)
        items[n++] = rpc_text(arena_str(call->arena, str_cut(&rest, ',')).ptr);
    *ret_n = n;
    return items;
}

void sim_list_join(char *const *items, size_t n, char *out, size_t size, const char *path, struct error *error) {
    size_t len = 0;
    out[0] = '\0';
    if (n > ITEMS_MAX)
        error_field(error, path, "must not have more than %d items", ITEMS_MAX);
    for (size_t i = 0; i < n && !error_is(error); i++) {
        int more = snprintf(out + len, size - len, "%s%s", i > 0 ? "," : "", items[i]);
        if (more < 0 || (size_t)more >= size - len || strchr(items[i], ','))
            error_field(error, path, "is too long, or has a comma in an item");
        else
            len += (size_t)more;
    }
}

bool sim_list_allows(const char *list, const char *item) {
    struct str rest = str_c(list);
    bool allowed = rest.len == 0;
    while (rest.len > 0 && !allowed)
        allowed = str_eq_c(str_cut(&rest, ','), item);
    return allowed;
}

// ---- Bearers ---------------------------------------------------------------------------------------------------

static void join_bearers(const rule_message *rule, char *out, size_t size, struct error *error) {
    size_t len = 0;
    int64_t sum = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rule->n_bearers && !error_is(error); i++) {
        const bearer_message *bearer = rule->bearers[i];
        int more = snprintf(out + len, size - len, "%s%s/%s/%d", i > 0 ? "," : "", bearer->bearer, bearer->bearer_id,
                            bearer->share_bp);
        sum += bearer->share_bp;
        if (more < 0 || (size_t)more >= size - len || !*bearer->bearer || bearer->share_bp < 1 ||
            strpbrk(bearer->bearer, ",/") || strpbrk(bearer->bearer_id, ",/"))
            error_field(error, "rule.bearers", "is too long, or has one without name or share, or with a comma");
        else
            len += (size_t)more;
    }
    if (rule->n_bearers > ITEMS_MAX || (rule->n_bearers > 0 && sum != WHOLE_BP))
        error_field(error, "rule.bearers", "must not be more than %d, whose shares add up to 10000", ITEMS_MAX);
}

static bearer_message **split_bearers(struct sim_call *call, const char *list, size_t *ret_n) {
    bearer_message **bearers = arena_alloc(call->arena, ITEMS_MAX * sizeof *bearers);
    size_t n = 0;
    struct str rest = str_c(list);
    while (bearers && rest.len > 0 && n < ITEMS_MAX) {
        struct str item = str_cut(&rest, ',');
        bearer_message *bearer =
            (void *)rpc_message_new(&participant__type__v1__discount_bearer__descriptor, call->arena);
        if (!bearer)
            return NULL;
        int64_t share = 0;
        bearer->bearer = rpc_text(arena_str(call->arena, str_cut(&item, '/')).ptr);
        bearer->bearer_id = rpc_text(arena_str(call->arena, str_cut(&item, '/')).ptr);
        str_to_i64(item, &share);
        bearer->share_bp = (int32_t)share;
        bearers[n++] = bearer;
    }
    *ret_n = n;
    return bearers;
}

// ---- Rules -----------------------------------------------------------------------------------------------------

static int64_t minor_of(const Txcenter__Type__V1__Money *money, struct sim_rule_row *row, struct error *error) {
    if (!money)
        return 0;
    if (money->minor_units < 0 || (row->currency[0] && strcmp(row->currency, money->currency) != 0))
        error_field(error, "rule", "has a negative amount, or amounts in several currencies");
    else
        SIM_COPY(row->currency, money->currency);
    return money->minor_units;
}

static bool sensible(const struct sim_rule_row *row) {
    switch (row->kind) {
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_AMOUNT_OFF: return row->amount_off > 0;
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_PERCENT_OFF:
        return row->percent_off_bp >= 1 && row->percent_off_bp <= WHOLE_BP;
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_UNIT_OFF:
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_UNIT_PRICE: return row->per_unit > 0;
    default: return false;
    }
}

bool sim_rule_from(const rule_message *rule, bool benefit, struct sim_rule_row *row, struct error *error) {
    *error = (struct error){0};
    *row = (struct sim_rule_row){
        .kind = (int32_t)rule->kind,
        .minimum_base = (int32_t)rule->minimum_base,
        .percent_off_bp = rule->percent_off_bp,
        .max_per_order = rule->max_per_order,
    };
    SIM_COPY(row->exclusive_group, rule->exclusive_group);
    row->amount_off = minor_of(rule->amount_off, row, error);
    row->per_unit = minor_of(rule->per_unit, row, error);
    row->cap = minor_of(rule->cap, row, error);
    row->minimum_spend = minor_of(rule->minimum_spend, row, error);
    if ((benefit && !sensible(row)) || row->max_per_order < 0)
        error_field(error, "rule.kind", "must come with what it takes off, and max_per_order not be negative");
    const struct {
        char *const *items;
        size_t n;
        char *out;
        const char *path;
    } lists[] = {
        {rule->condition_scope, rule->n_condition_scope, row->condition_scope, "rule.condition_scope"},
        {rule->benefit_scope, rule->n_benefit_scope, row->benefit_scope, "rule.benefit_scope"},
        {rule->conflicts_with, rule->n_conflicts_with, row->conflicts_with, "rule.conflicts_with"},
        {rule->tender_kinds, rule->n_tender_kinds, row->tender_kinds, "rule.tender_kinds"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        sim_list_join(lists[i].items, lists[i].n, lists[i].out, sizeof row->condition_scope, lists[i].path, error);
    join_bearers(rule, row->bearers, sizeof row->bearers, error);
    return !error_is(error);
}

static Txcenter__Type__V1__Money *money_of(struct sim_call *call, const struct sim_rule_row *row, int64_t amount) {
    return amount > 0 ? sim_money(call, row->currency, amount) : NULL;
}

rule_message *sim_rule_message(struct sim_call *call, const struct sim_rule_row *row) {
    rule_message *rule = (void *)rpc_message_new(&participant__type__v1__discount_rule__descriptor, call->arena);
    if (!rule)
        return NULL;
    rule->kind = (Participant__Type__V1__DiscountKind)row->kind;
    rule->minimum_base = (Participant__Type__V1__DiscountBase)row->minimum_base;
    rule->percent_off_bp = row->percent_off_bp;
    rule->max_per_order = row->max_per_order;
    rule->exclusive_group = rpc_text(row->exclusive_group);
    rule->amount_off = money_of(call, row, row->amount_off);
    rule->per_unit = money_of(call, row, row->per_unit);
    rule->cap = money_of(call, row, row->cap);
    rule->minimum_spend = money_of(call, row, row->minimum_spend);
    rule->condition_scope = sim_list_split(call, row->condition_scope, &rule->n_condition_scope);
    rule->benefit_scope = sim_list_split(call, row->benefit_scope, &rule->n_benefit_scope);
    rule->conflicts_with = sim_list_split(call, row->conflicts_with, &rule->n_conflicts_with);
    rule->tender_kinds = sim_list_split(call, row->tender_kinds, &rule->n_tender_kinds);
    rule->bearers = split_bearers(call, row->bearers, &rule->n_bearers);
    return rule->bearers ? rule : NULL;
}
