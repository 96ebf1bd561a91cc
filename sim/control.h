// participant.sim.v1.SimControlService: the service pointer of its routes is the struct sim.
#ifndef TXC_SIM_CONTROL_H
#define TXC_SIM_CONTROL_H

#include "sim/core.h"

const struct rpc_route *sim_control_routes(size_t *ret_n);

#endif
