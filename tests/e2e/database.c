// Databases of a test's own for tests in Python. `e2e_database`: a MariaDB; `e2e_database galera`: a cluster of three;
// `e2e_database tidb`: a TiDB. Starts it, makes the database "txcenter", says "ready SOCKET" or "ready HOST,HOST,HOST",
// then does what each line on standard input says (kill, restart, pause, resume; of a cluster with the number of a node
// behind it) and answers "done"; ends with its input.
#include "base/str.h"
#include "tests/servers/galera.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    void (*act)(struct mariadb_server *server);
    void (*act_in_cluster)(struct galera *galera, int node); // NULL: as alone
} commands[] = {
    {"kill", mariadb_kill, galera_kill},
    {"restart", mariadb_restart, galera_restart},
    {"pause", mariadb_pause, NULL},
    {"resume", mariadb_resume, NULL},
};

static void obey(struct mariadb_server *server, struct galera *galera, const char *line) {
    struct str number = str_trim(str_c(line)), word = str_cut(&number, ' ');
    int64_t node = 0;
    if (number.ptr && (!str_to_i64(number, &node) || node < 0 || node >= GALERA_NODES))
        node = GALERA_NODES;
    for (size_t i = 0; node < GALERA_NODES && i < sizeof commands / sizeof commands[0]; i++) {
        if (!str_eq_c(word, commands[i].word))
            continue;
        if (galera && commands[i].act_in_cluster)
            commands[i].act_in_cluster(galera, (int)node);
        else
            commands[i].act(galera ? galera_node(galera, (int)node) : server);
        puts("done");
        return;
    }
    printf("unknown %s", line);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *kind = argc > 1 ? argv[1] : "mariadb";
    bool is_cluster = strcmp(kind, "galera") == 0;
    struct mariadb_options options = {.durable = true, .tidb = strcmp(kind, "tidb") == 0};
    struct galera *galera = is_cluster ? galera_start() : NULL;
    struct mariadb_server *server = is_cluster ? galera_node(galera, 0) : mariadb_start(&options);
    mariadb_make_database(server, "txcenter");
    printf("ready %s\n", is_cluster ? galera_hosts(galera, 0) : mariadb_socket(server));
    char line[64];
    while (fgets(line, sizeof line, stdin))
        obey(server, galera, line);
    if (is_cluster)
        galera_stop(galera);
    else
        mariadb_stop(server);
    return 0;
}
