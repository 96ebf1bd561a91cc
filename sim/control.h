// participant.sim.v1.SimControlService: the service pointer of its routes is the struct sim.
#ifndef TXC_SIM_CONTROL_H
#define TXC_SIM_CONTROL_H

#include "sim/core.h"

const struct rpc_route *sim_control_routes(size_t *ret_n);

// The ways to begin a control call: false when it was answered already, because it is malformed or can't be served.
bool sim_control_begin(struct sim *sim, struct rpc_inbound *in, const ProtobufCMessage *request);

// The other ways to end one: with a field that does not fit, and with an empty message of this type.
void sim_control_refuse(struct rpc_inbound *in, const char *path, const char *what);
void sim_control_reply(struct rpc_inbound *in, const ProtobufCMessageDescriptor *type);

// control_world.c: every method that changes the world.
void sim_world_change(void *service, struct rpc_inbound *in, const ProtobufCMessage *request);

// dump.c: what happened, read from the store.
void sim_dump_ledger(void *service, struct rpc_inbound *in, const ProtobufCMessage *request);
void sim_dump_effects(void *service, struct rpc_inbound *in, const ProtobufCMessage *request);
void sim_dump_stats(void *service, struct rpc_inbound *in, const ProtobufCMessage *request);

#endif
