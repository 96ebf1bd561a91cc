// What the steps of the simulation's flows do when the engine runs them.
#ifndef TXC_TESTS_SIMULATION_STEPS_H
#define TXC_TESTS_SIMULATION_STEPS_H

#include "saga/flow.h"

saga_call_fn step_send; // action, compensation, inquiry and question alike: what it is, the call knows
saga_decide_fn step_decide, step_reversed, step_ended;
saga_child_fn step_child;
saga_answered_fn step_answered;
saga_ruled_fn step_ruled;
unsigned step_no_legs(const struct saga_subject *subject, struct str input);
unsigned step_two_legs(const struct saga_subject *subject, struct str input);
unsigned step_three_legs(const struct saga_subject *subject, struct str input);
unsigned step_some_legs(const struct saga_subject *subject, struct str input); // none to three, by the input
struct sim_subject;
struct payment;
void step_refund(struct saga_turn *turn, struct sim_subject *subject, struct payment *payment);
void step_attach(void *ctx, struct saga_engine *engine, struct str subject_key, void *token);

#endif
