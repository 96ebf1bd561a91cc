// What the store finds out of a server that speaks MySQL's protocol when it opens a connection to it.
#ifndef TXC_TESTS_STORE_OFFERED_H
#define TXC_TESTS_STORE_OFFERED_H

#include "store/backend.h"

struct offered {
    bool bulk;   // it takes bulk statements
    bool galera; // it is a node of a cluster
};

// Of a connection for writing. Fails the running test when none is to be had.
struct offered offered_by(const struct store_mariadb_options *options);

#endif
