// Brings a database's schema to the descriptions.
#ifndef TXC_STORE_MIGRATE_H
#define TXC_STORE_MIGRATE_H

#include "store/session.h"

// Creates missing tables, adds missing columns and indexes, and the rows of `slot`. What is there stays as it is.
// Refuses a schema whose version is newer than the descriptions', and a column that is missing without having come
// later. The caller holds a lock that keeps other processes from doing the same; may be repeated after a failure in the
// middle.
bool migrate_schema(struct sql_session *session, const struct store_table *const *tables, struct error *error);

#endif
