#ifndef TXC_SIM_LEDGER_H
#define TXC_SIM_LEDGER_H

#include "sim/core.h"

struct sim_ledger_row {
    char system[17];
    int64_t seq;
    sim_key about; // the key under which it happened
    sim_key gid;
    sim_id trade_no;
    char kind[33];
    char account[2 * SIM_ID_MAX + 33];
    char currency[4];
    int64_t amount, points;
    sim_id state;
    char detail[256];
    int64_t at_ms;
};

#endif
