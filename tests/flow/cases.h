// Tests of the trade flows as tables: each is run on both beds by run.c.
#ifndef TXC_TESTS_FLOW_CASES_H
#define TXC_TESTS_FLOW_CASES_H

#include "tests/flow/story.h"

struct flow_case {
    const char *name;
    void (*run)(struct flow_bed *bed);
    bool virtual_only; // needs messages, commits or days at will
    struct flow_settings settings;
};

// One line of a table.
#define CASE(function)                                                                                                 \
    { .name = #function, .run = (function) }
#define CASE_WITH(function, ...)                                                                                       \
    {                                                                                                                  \
        .name = #function, .run = (function), .settings = { __VA_ARGS__ }                                              \
    }
#define VIRTUAL(function)                                                                                              \
    { .name = #function, .run = (function), .virtual_only = true }

#define VIRTUAL_WITH(function, ...)                                                                                    \
    {                                                                                                                  \
        .name = #function, .run = (function), .virtual_only = true, .settings = { __VA_ARGS__ }                        \
    }

struct flow_cases {
    const char *name; // "quote"
    const struct flow_case *list;
    size_t n;
};

#define CASES(what)                                                                                                    \
    const struct flow_cases flow_cases_##what = {.name = #what, .list = cases, .n = sizeof cases / sizeof cases[0]}

// clang-format off
#define FLOW_CASES(X) \
    X(quote)          \
    X(source)         \
    X(order)          \
    X(discount)       \
    X(goods)          \
    X(later)          \
    X(deduction)      \
    X(edit)           \
    X(forecourt)      \
    X(adjust)         \
    X(anonymous)      \
    X(books)          \
    X(pay)            \
    X(callback)       \
    X(closing)        \
    X(bent)           \
    X(after)          \
    X(cancel)         \
    X(expiry)         \
    X(kept)           \
    X(refund)         \
    X(stopped)        \
    X(aftermath)      \
    X(followers)      \
    X(read)           \
    X(again)          \
    X(crash)          \
    X(ends)           \
    X(submit)         \
    X(loss)           \
    X(race)           \
    X(operator)       \
    X(matters)        \
    X(checked)        \
    X(chance)
// clang-format on

#define X(what) extern const struct flow_cases flow_cases_##what;
FLOW_CASES(X)
#undef X

#endif
