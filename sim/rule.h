// Rules as rows: lists in text, and participant.type.v1.DiscountRule.
#ifndef TXC_SIM_RULE_H
#define TXC_SIM_RULE_H

#include "participant/type/v1/rule.pb-c.h"
#include "sim/core.h"

// The items of a text that commas separate, in the call's arena; NULL when that is full.
char **sim_list_split(struct sim_call *call, const char *list, size_t *ret_n);
// The other way round; an item with a comma, or more than fits, is an error of the field `path`.
void sim_list_join(char *const *items, size_t n, char *out, size_t size, const char *path, struct error *error);
// Whether the list names the item, or is empty.
bool sim_list_allows(const char *list, const char *item);

struct sim_rule_row {
    char rule_id[SIM_LISTED_ID_MAX + 1];
    int32_t kind, minimum_base, percent_off_bp, max_per_order; // DiscountKind, DiscountBase
    char currency[4];
    int64_t amount_off, per_unit, cap, minimum_spend;
    char condition_scope[256], benefit_scope[256], conflicts_with[256], tender_kinds[256]; // separated by commas
    sim_id exclusive_group;
    char bearers[256]; // "group//6000,station/S001/4000"
};

extern const struct store_table sim_activity_rules_table, sim_level_rules_table;

// Fills the rule into the row (not its rule_id). False: *error names the fields that don't fit. `benefit`: it must make
// something cheaper.
bool sim_rule_from(const Participant__Type__V1__DiscountRule *rule, bool benefit, struct sim_rule_row *row,
                   struct error *error);

// In the call's arena; NULL when that is full.
Participant__Type__V1__DiscountRule *sim_rule_message(struct sim_call *call, const struct sim_rule_row *row);

#endif
