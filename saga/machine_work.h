// What the machine's files share. Nobody else includes this.
#ifndef TXC_SAGA_MACHINE_WORK_H
#define TXC_SAGA_MACHINE_WORK_H

#include "saga/machine.h"

// What one application works on.
struct work {
    const struct saga_machine *machine;
    struct saga_instance *instance;
    const struct saga_event *event;
    struct saga_effects *effects;
};

// machine_states.c: as the tables allow (asserted)
void work_move(struct saga_leg *leg, enum leg_state to);
void work_status(struct saga_instance *saga, enum saga_status to);

// machine.c
void work_effect(struct work *work, enum saga_effect_kind kind, const struct saga_leg *leg, enum saga_op op);
void work_commit(struct work *work);
// Parks the leg instead when its key is too old, but for an inquiry.
void work_call(struct work *work, struct saga_leg *leg, enum saga_op op);
void work_note(struct saga_leg *leg, enum err code, const char *reason, const char *text); // why it failed
void work_run(struct work *work, struct saga_leg *leg);                                    // or inquires first
void work_wait(struct work *work, struct saga_leg *leg);
void work_again(struct work *work, struct saga_leg *leg); // what waited for its next attempt
void work_park(struct work *work, struct saga_leg *leg, enum leg_state state);
void work_done(struct work *work, struct saga_leg *leg, struct str answer);
// Proven: under its key nothing ran and nothing will.
void work_refused(struct work *work, struct saga_leg *leg);
void work_undone(struct work *work, struct saga_leg *leg);
void work_poked(struct work *work); // looks again at what waits, and goes on
void work_go_on(struct work *work); // after anything changed: further forward, or further back
void work_end(struct work *work, enum saga_status status);

// machine_unwind.c
// Inquires first where what became of it isn't known and can be asked; else the compensation is sent anyway.
void work_undo(struct work *work, struct saga_leg *leg);
// The saga turns round; its code, reason and text say why, `leg` which step it is about.
void work_reverse(struct work *work, const struct saga_leg *leg);
void work_failed(struct work *work, const struct saga_leg *leg); // the same, because of how the leg failed
void work_unwind(struct work *work);                             // goes on undoing
bool work_overdue(struct work *work); // its time limit is over: it has turned round, and is to be unwound

// machine_suspect.c
void work_suspected(struct work *work);

// machine_operator.c: the events that operators bring.
void work_operator(struct work *work);

#endif
