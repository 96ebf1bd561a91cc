// A MariaDB of a test's own for tests in Python: starts it, makes the database "txcenter", says "ready SOCKET", then
// does what each line on standard input says (kill, restart, pause, resume) and answers "done"; ends with its input.
#include "tests/servers/mariadb.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    void (*act)(struct mariadb_server *server);
} commands[] = {
    {"kill\n", mariadb_kill},
    {"restart\n", mariadb_restart},
    {"pause\n", mariadb_pause},
    {"resume\n", mariadb_resume},
};

static void obey(struct mariadb_server *server, const char *line) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(line, commands[i].word) != 0)
            continue;
        commands[i].act(server);
        puts("done");
        return;
    }
    printf("unknown %s", line);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct mariadb_options options = {.durable = true};
    struct mariadb_server *server = mariadb_start(&options);
    mariadb_make_database(server, "txcenter");
    printf("ready %s\n", mariadb_socket(server));
    char line[64];
    while (fgets(line, sizeof line, stdin))
        obey(server, line);
    mariadb_stop(server);
    return 0;
}
