// The kinds of databases.
#ifndef TXC_TESTS_STORE_KINDS_H
#define TXC_TESTS_STORE_KINDS_H

#include "tests/store/bed.h"

extern const struct bed_kind kind_memory, kind_sqlite, kind_mariadb, kind_galera;

// A backend that tries `hosts` in turn.
struct store_backend *kind_galera_at(struct bed *bed, const char *hosts);

#endif
