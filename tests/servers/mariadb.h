// A MariaDB server of a test's own: in a temporary folder, on a socket there, without a network port. Its data is made
// once at mariadb_start() and lives until mariadb_stop(). The server dies with the thread that started it. Every
// function ends the program with a message when it can't do what it should.
#ifndef TXC_TESTS_SERVERS_MARIADB_H
#define TXC_TESTS_SERVERS_MARIADB_H

#include <stdbool.h>

struct mariadb_server;

struct mariadb_options {
    bool durable;       // flush and sync the binary log at every commit, as in production; slower
    const char *folder; // NULL: a folder of its own. Else an empty one for the data, which stays when it is stopped
    const char *const *extra; // NULL or a NULL-terminated list of options for mariadbd; read at each start, too
    unsigned port;            // on 127.0.0.1 besides the socket; 0: none
    bool empty;               // no data is made: it comes from elsewhere
    bool tidb;     // TiDB with its embedded store instead (scripts/tidb builds it); then only the folder counts
    bool unsteady; // it may end while it starts, and is started again then
    bool as_mysql; // not as root, where the test is root's, but as Debian's user mysql
};

// Makes the data and starts. `options` NULL: quick and not durable against the machine's loss, but still against kill
// -9.
struct mariadb_server *mariadb_start(const struct mariadb_options *options);

// Where to connect, as user root without a password. Borrowed.
const char *mariadb_socket(const struct mariadb_server *server);

// Whether it is TiDB.
bool mariadb_is_tidb(const struct mariadb_server *server);

// A database that is empty, whatever it was before.
void mariadb_make_database(struct mariadb_server *server, const char *name);
void mariadb_drop_database(struct mariadb_server *server, const char *name);

// Runs one statement as root, in `database` (may be NULL).
void mariadb_run(struct mariadb_server *server, const char *database, const char *sql);

// The same, for a query whose answer is one integer.
long long mariadb_ask(struct mariadb_server *server, const char *database, const char *sql);

// The same, of a server that may turn callers away for now, as a node does while it joins its cluster: false when it
// did. Ends the test when the server has ended.
bool mariadb_try_ask(struct mariadb_server *server, const char *database, const char *sql, long long *value);

// kill -9, and waits until it is gone. Nothing when it is not running.
void mariadb_kill(struct mariadb_server *server);

// Lets it end by itself, as an operator would (SIGTERM), and waits until it is gone.
void mariadb_shut_down(struct mariadb_server *server);

// Starts it again on its data, after one of the two or after it ended by itself; waits until it answers. Nothing when
// it runs.
void mariadb_restart(struct mariadb_server *server);

// Stops the process for a while, as an overload would; it keeps its connections.
void mariadb_pause(struct mariadb_server *server);
void mariadb_resume(struct mariadb_server *server);

// Kills it and removes its folder. NULL is fine.
void mariadb_stop(struct mariadb_server *server);

#endif
