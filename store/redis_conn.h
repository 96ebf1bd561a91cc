// One connection to Redis that never blocks, but for looking up a host's name. It sends commands and hands back what
// comes, in order; what that means is redis.c's.
//
// It stands on hiredis's connection and parser, not on its asynchronous layer: that ends the process with an assertion
// when a server says something that it was not asked for.
#ifndef TXC_STORE_REDIS_CONN_H
#define TXC_STORE_REDIS_CONN_H

#include "store/cache.h"

struct redis_conn;

enum redis_kind {
    REDIS_IS_TEXT,   // what stands under a key
    REDIS_IS_NIL,    // nothing does
    REDIS_IS_STATUS, // "OK"
    REDIS_IS_NUMBER, // how many keys are gone
    REDIS_IS_ERROR,
    REDIS_IS_OTHER, // nothing that our commands are answered with
};
struct redis_said {
    enum redis_kind kind;
    struct str text; // borrowed until the callback returns
};

// Begins to connect. NULL when that fails at once; `why` says it.
struct redis_conn *redis_conn_open(const struct cache_redis_options *options, char why[CACHE_WHY_MAX]);
void redis_conn_close(struct redis_conn *conn);

int redis_conn_fd(const struct redis_conn *conn);
short redis_conn_events(const struct redis_conn *conn); // for poll(2)

// Queues a command. False when what is not sent yet would become too much; nothing is queued then.
enum { REDIS_WORDS_MAX = 6 };
bool redis_conn_send(struct redis_conn *conn, const struct str *words, size_t n);

// Sends and receives what it can; `heard` runs for each reply, and says whether it was one that is wanted. False when
// the connection is lost, or what comes is nothing that Redis says to us; `why` says it, and it is to be closed.
typedef bool redis_heard_fn(void *ctx, const struct redis_said *said);
bool redis_conn_work(struct redis_conn *conn, short revents, redis_heard_fn *heard, void *ctx, char why[CACHE_WHY_MAX]);

#endif
