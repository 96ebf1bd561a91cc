// What the systems tell of benefits, as benefits of the solver. Borrowed: the messages must live as long as what was
// made of them; lists of names are in the arena. A rule that makes no sense, or for which the arena is too small,
// becomes a benefit that the solver never uses.
#ifndef TXC_FLOWS_TRADE_RULE_H
#define TXC_FLOWS_TRADE_RULE_H

#include "flows/trade/solver.h"
#include "participant/coupon/v1/coupon.pb-c.h"
#include "participant/discount/v1/discount.pb-c.h"
#include "participant/level/v1/level.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

// What the rule alone says; whose it is, its quota and its end are for the caller to add. False, with *ret_benefit
// untouched, when one of its amounts is of another currency: it can't be counted with.
bool rule_benefit(const Participant__Type__V1__DiscountRule *rule, const char *currency, struct arena *arena,
                  struct solver_benefit *ret_benefit);

// The same with everything that its system says of it. An activity is a RULE, or COMPUTED for `n_lines` lines; a LIMIT
// is none (rule_limit).
bool rule_coupon(const Participant__Coupon__V1__Coupon *coupon, const char *currency, struct arena *arena,
                 struct solver_benefit *ret_benefit);
bool rule_level(const Participant__Level__V1__LevelBenefit *level, const char *currency, struct arena *arena,
                struct solver_benefit *ret_benefit);
bool rule_activity(const Participant__Discount__V1__Activity *activity, size_t n_lines, const char *currency,
                   struct arena *arena, struct solver_benefit *ret_benefit);

// False when the activity is no LIMIT with a quota in a unit that we know.
bool rule_limit(const Participant__Discount__V1__Activity *activity, struct arena *arena,
                struct solver_limit *ret_limit);

struct solver_names rule_names(char *const *texts, size_t n, struct arena *arena);

// The kinds of tenders as rules name them ("WECHAT"): all that there are, in the order of their numbers, and what the
// place of one in that list stands for.
struct solver_names rule_tender_kinds(struct arena *arena);
Txcenter__Trade__V1__TenderKind rule_tender_kind(size_t place);

#endif
