// Raising an instance's incarnation in an SQL database: see struct store_backend_ops.
#ifndef TXC_STORE_CLAIM_H
#define TXC_STORE_CLAIM_H

#include "store/session.h"

// Appends the fence, one statement of every batch; parameters: lease_ms, leaving, name, incarnation. It must find one
// row.
void claim_fence(struct buf *sql, enum sql_dialect dialect);

// One transaction, begun by `begin`. `shared`: other instances may own slots.
enum backend_result claim_instance(struct sql_session *session, const char *begin, const struct backend_claim *claim,
                                   bool shared, struct store_identity *ret_identity, struct error *error);

// The same for store_backend_ops.take_over.
enum backend_result claim_take_over(struct sql_session *session, const char *begin,
                                    const struct backend_take_over *from, bool *ret_taken, struct error *error);

#endif
