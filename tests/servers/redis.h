// A Redis server of a test's own: in a temporary folder, on a unix socket there, without a network port. Its data is in
// memory alone, so it is gone when the server is. The server dies with the thread that started it. Every function ends
// the program with a message when it can't do what it should.
#ifndef TXC_TESTS_SERVERS_REDIS_H
#define TXC_TESTS_SERVERS_REDIS_H

#include "base/str.h"

struct redis_server;

// `password` NULL: none is needed.
struct redis_server *redis_start(const char *password);

const char *redis_socket(const struct redis_server *server); // borrowed

// kill -9; starts it again, empty.
void redis_kill(struct redis_server *server);
void redis_restart(struct redis_server *server);

// Stops the process for a while, as an overload would; it keeps its connections.
void redis_pause(struct redis_server *server);
void redis_resume(struct redis_server *server);

// One command; its answer as text ("" for nothing), in `out`. An answer that is an error ends the program.
struct str redis_ask(struct redis_server *server, char *out, size_t size, const struct str *words, size_t n);

// Kills it and removes its folder. NULL is fine.
void redis_stop(struct redis_server *server);

#endif
