// A Galera cluster of three MariaDB nodes of a test's own, on free ports of 127.0.0.1. Like mariadb.h: it dies with the
// thread that started it, and every function ends the program with a message when it can't do what it should.
#ifndef TXC_TESTS_SERVERS_GALERA_H
#define TXC_TESTS_SERVERS_GALERA_H

#include "tests/servers/mariadb.h"

enum { GALERA_NODES = 3 };

struct galera;

// Starts the nodes one after the other; all are synced when it returns.
struct galera *galera_start(void);

// Node 0, 1 or 2. To be killed and restarted with galera_kill() and galera_restart().
struct mariadb_server *galera_node(const struct galera *galera, int node);

// "127.0.0.1:PORT", of all nodes beginning with `first`, separated by commas, as store_mariadb_options.host wants it.
// Borrowed.
const char *galera_hosts(const struct galera *galera, int first);
const char *galera_host(const struct galera *galera, int node);

void galera_kill(struct galera *galera, int node); // kill -9

// Back into the cluster, which must be there; waits until the node is synced.
void galera_restart(struct galera *galera, int node);

// Waits until the node is synced with a cluster of `nodes` nodes.
void galera_await(struct galera *galera, int node, int nodes);

// NULL is fine.
void galera_stop(struct galera *galera);

#endif
