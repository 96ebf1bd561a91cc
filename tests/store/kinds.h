// The kinds of databases.
#ifndef TXC_TESTS_STORE_KINDS_H
#define TXC_TESTS_STORE_KINDS_H

#include "tests/store/bed.h"

extern const struct bed_kind kind_memory, kind_sqlite, kind_mariadb;

#endif
