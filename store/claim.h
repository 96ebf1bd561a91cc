// Raising an instance's incarnation in an SQL database: see struct store_backend_ops.
#ifndef TXC_STORE_CLAIM_H
#define TXC_STORE_CLAIM_H

#include "store/session.h"

// The first statement of every batch; parameters: name, incarnation. It must find one row.
#define CLAIM_FENCE "UPDATE instance SET batch_no = batch_no + 1 WHERE name = ? AND incarnation = ?"

// One transaction, begun by `begin`. `shared`: other instances may own slots.
enum backend_result claim_instance(struct sql_session *session, const char *begin, const struct backend_claim *claim,
                                   bool shared, struct store_identity *ret_identity, struct error *error);

#endif
