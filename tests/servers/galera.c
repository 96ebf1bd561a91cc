#include "tests/servers/galera.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OPTIONS_MAX = 16, OPTION_MAX = 512 };
enum port { PORT_CLIENTS, PORT_GROUP, PORT_STATE, PORT_CHANGES, PORTS };

struct node {
    struct mariadb_server *server;
    unsigned ports[PORTS];
    char texts[OPTIONS_MAX][OPTION_MAX];
    const char *extra[OPTIONS_MAX + 1];
};

struct galera {
    struct node nodes[GALERA_NODES];
    char hosts[GALERA_NODES][GALERA_NODES * 32], host[GALERA_NODES][32];
};

static _Noreturn void die(const char *what, const char *detail) {
    fprintf(stderr, "galera for tests: %s: %s\n", what, detail);
    exit(1);
}

// All at once, so that none is given twice.
static void find_ports(struct galera *galera) {
    int sockets[GALERA_NODES * PORTS];
    for (int i = 0; i < GALERA_NODES * PORTS; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof address;
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sockets[i] < 0 || bind(sockets[i], (const struct sockaddr *)&address, sizeof address) != 0 ||
            getsockname(sockets[i], (struct sockaddr *)&address, &length) != 0)
            die("a port", strerror(errno));
        galera->nodes[i / PORTS].ports[i % PORTS] = ntohs(address.sin_port);
    }
    for (int i = 0; i < GALERA_NODES * PORTS; i++)
        close(sockets[i]);
}

static void name_hosts(struct galera *galera) {
    for (int first = 0; first < GALERA_NODES; first++) {
        snprintf(galera->host[first], sizeof galera->host[first], "127.0.0.1:%u",
                 galera->nodes[first].ports[PORT_CLIENTS]);
        for (int i = 0; i < GALERA_NODES; i++) {
            char *list = galera->hosts[first];
            size_t length = strlen(list);
            snprintf(list + length, sizeof galera->hosts[first] - length, "%s127.0.0.1:%u", i ? "," : "",
                     galera->nodes[(first + i) % GALERA_NODES].ports[PORT_CLIENTS]);
        }
    }
}

__attribute__((format(printf, 3, 4))) static void set(struct node *node, size_t *n, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(node->texts[*n], OPTION_MAX, format, args);
    va_end(args);
    node->extra[*n] = node->texts[*n];
    node->extra[++*n] = NULL;
}

static void set_options(struct galera *galera, int i, bool first) {
    struct node *node = &galera->nodes[i];
    size_t n = 0;
    set(node, &n, "--wsrep-on=ON");
    set(node, &n, "--wsrep-provider=/usr/lib/galera/libgalera_smm.so");
    set(node, &n, "--wsrep-cluster-name=txc");
    set(node, &n, "--wsrep-cluster-address=gcomm://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u",
        galera->nodes[0].ports[PORT_GROUP], galera->nodes[1].ports[PORT_GROUP], galera->nodes[2].ports[PORT_GROUP]);
    set(node, &n, "--wsrep-node-name=node%d", i);
    set(node, &n, "--wsrep-node-address=127.0.0.1");
    set(node, &n, "--wsrep-node-incoming-address=127.0.0.1:%u", node->ports[PORT_CLIENTS]);
    set(node, &n, "--wsrep-sst-method=rsync");
    set(node, &n, "--wsrep-sst-receive-address=127.0.0.1:%u", node->ports[PORT_STATE]);
    // A node that is silent is given up after three seconds.
    set(node, &n,
        "--wsrep-provider-options=base_host=127.0.0.1;base_port=%u;gmcast.listen_addr=tcp://127.0.0.1:%u;"
        "ist.recv_addr=127.0.0.1:%u;evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT3S;evs.inactive_timeout=PT6S;"
        "gcache.size=32M",
        node->ports[PORT_GROUP], node->ports[PORT_GROUP], node->ports[PORT_CHANGES]);
    set(node, &n, "--binlog-format=ROW");
    set(node, &n, "--innodb-autoinc-lock-mode=2");
    if (first)
        set(node, &n, "--wsrep-new-cluster");
}

static bool status_is(const struct node *node, const char *name, long long expected) {
    char sql[200];
    long long value;
    // A node that is not ready answers questions about itself alone.
    snprintf(sql, sizeof sql, "SELECT variable_value FROM information_schema.global_status WHERE variable_name = '%s'",
             name);
    return mariadb_try_ask(node->server, NULL, sql, &value) && value == expected;
}

void galera_await(struct galera *galera, int node, int nodes) {
    enum { SYNCED = 4 };
    const struct node *its = &galera->nodes[node];
    while (!status_is(its, "wsrep_cluster_size", nodes) || !status_is(its, "wsrep_local_state", SYNCED))
        sched_yield();
}

struct galera *galera_start(void) {
    struct galera *galera = calloc(1, sizeof *galera);
    if (!galera)
        die("start", "no memory");
    find_ports(galera);
    name_hosts(galera);
    for (int i = 0; i < GALERA_NODES; i++) {
        struct node *node = &galera->nodes[i];
        set_options(galera, i, i == 0);
        // Galera reads how a thread is scheduled that may have ended by then, and gives up ("Failed to read thread
        // schedparams: No such process"): on a busy machine, once in many starts.
        node->server = mariadb_start(&(struct mariadb_options){.extra = node->extra,
                                                               .port = node->ports[PORT_CLIENTS],
                                                               .empty = i > 0,
                                                               .unsteady = true,
                                                               .as_mysql = true});
        if (i == 0) {
            mariadb_run(node->server, NULL, "CREATE USER txc@'127.0.0.1'");
            mariadb_run(node->server, NULL, "GRANT ALL ON *.* TO txc@'127.0.0.1'");
        }
        galera_await(galera, i, i + 1);
    }
    set_options(galera, 0, false);
    return galera;
}

struct mariadb_server *galera_node(const struct galera *galera, int node) {
    return galera->nodes[node].server;
}

const char *galera_hosts(const struct galera *galera, int first) {
    return galera->hosts[first];
}

const char *galera_host(const struct galera *galera, int node) {
    return galera->host[node];
}

void galera_kill(struct galera *galera, int node) {
    mariadb_kill(galera->nodes[node].server);
}

void galera_restart(struct galera *galera, int node) {
    mariadb_restart(galera->nodes[node].server);
    galera_await(galera, node, GALERA_NODES);
}

void galera_stop(struct galera *galera) {
    if (!galera)
        return;
    for (int i = 0; i < GALERA_NODES; i++)
        mariadb_stop(galera->nodes[i].server);
    free(galera);
}
