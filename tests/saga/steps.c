#include "tests/saga/steps.h"

#include <stdlib.h>

void step_call(struct saga_call *call) {
    (void)call;
    abort();
}

struct saga_verdict step_decide(struct saga_turn *turn) {
    (void)turn;
    abort();
}

bool step_child(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child) {
    (void)turn;
    (void)arena;
    (void)ret_child;
    abort();
}

bool step_came_right(const struct saga_turn *turn) {
    (void)turn;
    abort();
}

unsigned step_two_legs(const struct saga_subject *subject, struct str input) {
    (void)subject;
    (void)input;
    return 2;
}

unsigned step_no_legs(const struct saga_subject *subject, struct str input) {
    (void)subject;
    (void)input;
    return 0;
}
