// Steps for flows that only the machine sees: their functions are never called.
#ifndef TXC_TESTS_SAGA_STEPS_H
#define TXC_TESTS_SAGA_STEPS_H

#include "saga/flow.h"

saga_call_fn step_call;
saga_decide_fn step_decide;
saga_child_fn step_child;
saga_right_fn step_came_right;
unsigned step_two_legs(const struct saga_subject *subject, struct str input);
unsigned step_no_legs(const struct saga_subject *subject, struct str input);

// A call that can be undone; one that can be inquired, too. .retry is QUICK, .undo_retry STUBBORN.
#define STEP_CALL(number, at, text)                                                                                    \
    .id = (number), .stage = (at), .name = (text), .run = step_call, .undo = step_call, .deadline_ms = 1000,           \
    .undo_retry = SAGA_STUBBORN
#define STEP_PIVOT(number, at, text)                                                                                   \
    .id = (number), .stage = (at), .name = (text), .kind = SAGA_PIVOT, .run = step_call, .inquire = step_call,         \
    .deadline_ms = 1000
#define STEP_AFTER(number, at, text)                                                                                   \
    .id = (number), .stage = (at), .name = (text), .kind = SAGA_RETRIABLE, .run = step_call, .deadline_ms = 1000,      \
    .retry = SAGA_STUBBORN
#define STEP_LOCAL(number, at, text) .id = (number), .stage = (at), .name = (text), .decide = step_decide
#define STEP_AWAIT(number, at, text, awaited)                                                                          \
    .id = (number), .stage = (at), .name = (text), .signal = (awaited), .timeout_ms = 5000
#define STEP_CHILD(number, at, text) .id = (number), .stage = (at), .name = (text), .child = step_child

#define STEP_COUNT(steps) (uint8_t)(sizeof(steps) / sizeof((steps)[0]))

#endif
