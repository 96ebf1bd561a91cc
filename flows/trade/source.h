// Whom a quote asks, and which of the answers are kept for a while: a line each. The enums, the configuration's keys
// with their defaults, and the names that operators use follow.
#ifndef TXC_FLOWS_TRADE_SOURCE_H
#define TXC_FLOWS_TRADE_SOURCE_H

// Name, its time in milliseconds unless the configuration says otherwise (0: all that the quote has), what it is.
#define TRADE_SOURCES(X)                                                                                               \
    X(USER, user, "0", "The user; core.")                                                                              \
    X(PRICE, price, "0", "The price of fuel; core.")                                                                   \
    X(PUMP, pump, "0", "What a pump has dispensed; core.")                                                             \
    X(GOODS, goods, "0", "The prices of goods and paid items; core.")                                                  \
    X(CARD, card, "0", "The card that is recharged; core.")                                                            \
    X(LEVEL, level, "500", "The user's level.")                                                                        \
    X(COUPONS, coupons, "500", "The user's coupons.")                                                                  \
    X(POINTS, points, "500", "The user's points.")                                                                     \
    X(POINTS_RULE, points_rule, "500", "What points are worth.")                                                       \
    X(ACTIVITIES, activities, "500", "The discount engine's activities.") /* last: it is told what the others know */

// Of a line of fuel PRICE and PUMP; the others are one for all lines.
enum quote_source_kind {
#define X(NAME, name, budget_ms, text) QUOTE_##NAME,
    TRADE_SOURCES(X)
#undef X
        QUOTE_SOURCE_KINDS
};

// Facts that change slowly and are nobody's own. What a user has (a balance, coupons, what is left of a quota) is asked
// each time. Name, for how many seconds unless the configuration says otherwise, what it is.
#define TRADE_FACTS(X)                                                                                                 \
    X(PRICE, price, "30", "the price of fuel at a station")                                                            \
    X(POINTS_RULE, points_rule, "60", "what points are worth at a station")                                            \
    X(LEVEL, level, "60", "a user's level and its prices")                                                             \
    X(ACTIVITIES, activities, "10", "activities without a quota, for a purchase")

enum trade_fact {
    TRADE_FACT_NONE,
#define X(NAME, name, ttl_s, text) TRADE_FACT_##NAME,
    TRADE_FACTS(X)
#undef X
        TRADE_FACT_KINDS
};

#endif
