// What is kept of each key; the rules are in effects.c.
#ifndef TXC_SIM_EFFECTS_H
#define TXC_SIM_EFFECTS_H

#include "sim/core.h"

// As participant.sim.v1.EffectState.
enum sim_effect_state { SIM_APPLIED = 1, SIM_REJECTED, SIM_COMPENSATED, SIM_CANCELLED };

enum { SIM_ANSWER_MAX = 16384 };

struct sim_effect_row {
    char system[17];
    sim_key effect_key;
    char method[33]; // the action's
    int32_t state;
    int64_t body_hash; // of the action's request
    sim_key gid;
    sim_id step, trade_no;
    int64_t at_ms;
    struct str note;   // the method's own, for its compensation
    struct str answer; // of the action, repeated as it is
    struct str undo;   // the compensation's answer
};

#endif
