#include "store/redis_conn.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    UNSENT_MAX = 4 * 1024 * 1024,
    UNREAD_MAX = CACHE_VALUE_MAX + 65536, // of one reply that has not come whole
};

struct redis_conn {
    redisContext *context;
    redisReplyObjectFunctions functions;
    bool connected;
};

// None of our commands is answered with a list. This one would be as long as it says before anything of it has come.
static void *refuse_array(const redisReadTask *task, int elements) {
    (void)task, (void)elements;
    return NULL;
}

struct redis_conn *redis_conn_open(const struct cache_redis_options *options, char why[CACHE_WHY_MAX]) {
    redisContext *context = options->socket ? redisConnectUnixNonBlock(options->socket)
                                            : redisConnectNonBlock(options->host, (int)options->port);
    struct redis_conn *conn = context && !context->err ? calloc(1, sizeof *conn) : NULL;
    if (!conn) {
        str_print(why, CACHE_WHY_MAX, "can't connect: %s", context ? context->errstr : "no memory");
        if (context)
            redisFree(context);
        return NULL;
    }
    conn->context = context;
    conn->functions = *context->reader->fn;
    conn->functions.createArray = refuse_array;
    context->reader->fn = &conn->functions;
    return conn;
}

void redis_conn_close(struct redis_conn *conn) {
    redisFree(conn->context);
    free(conn);
}

int redis_conn_fd(const struct redis_conn *conn) {
    return conn->context->fd;
}

short redis_conn_events(const struct redis_conn *conn) {
    bool sends = !conn->connected || sdslen(conn->context->obuf) > 0;
    return sends ? POLLIN | POLLOUT : POLLIN;
}

bool redis_conn_send(struct redis_conn *conn, const struct str *words, size_t n) {
    const char *texts[REDIS_WORDS_MAX];
    size_t lengths[REDIS_WORDS_MAX], size = 0;
    assert(n <= REDIS_WORDS_MAX);
    for (size_t i = 0; i < n; i++) {
        texts[i] = words[i].ptr;
        lengths[i] = words[i].len;
        size += words[i].len;
    }
    if (sdslen(conn->context->obuf) + size > UNSENT_MAX)
        return false;
    return redisAppendCommandArgv(conn->context, (int)n, texts, lengths) == REDIS_OK;
}

static bool connects(struct redis_conn *conn, char why[CACHE_WHY_MAX]) {
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(conn->context->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
        code = errno;
    if (code != 0) {
        char text[128];
        str_print(why, CACHE_WHY_MAX, "can't connect: %s", strerror_r(code, text, sizeof text));
        return false;
    }
    conn->connected = true;
    return true;
}

static struct redis_said said_of(const redisReply *reply) {
    struct redis_said said = {.kind = REDIS_IS_OTHER, .text = str_n(reply->str, reply->str ? reply->len : 0)};
    switch (reply->type) {
    case REDIS_REPLY_STRING: said.kind = REDIS_IS_TEXT; break;
    case REDIS_REPLY_NIL: said.kind = REDIS_IS_NIL; break;
    case REDIS_REPLY_STATUS: said.kind = REDIS_IS_STATUS; break;
    case REDIS_REPLY_INTEGER: said.kind = REDIS_IS_NUMBER; break;
    case REDIS_REPLY_ERROR: said.kind = REDIS_IS_ERROR; break;
    default: break;
    }
    return said;
}

static bool hears(struct redis_conn *conn, redis_heard_fn *heard, void *ctx, char why[CACHE_WHY_MAX]) {
    const redisReader *reader = conn->context->reader;
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(conn->context, &reply) != REDIS_OK) {
            str_print(why, CACHE_WHY_MAX, "it does not speak as Redis: %s", conn->context->errstr);
            return false;
        }
        if (!reply)
            break;
        struct redis_said said = said_of(reply);
        bool wanted = heard(ctx, &said);
        if (!wanted)
            str_print(why, CACHE_WHY_MAX, "it says: %.*s", STR_FMT(said.text));
        freeReplyObject(reply);
        if (!wanted)
            return false;
    }
    if (reader->len - reader->pos <= UNREAD_MAX)
        return true;
    str_print(why, CACHE_WHY_MAX, "a reply has more than %d bytes", UNREAD_MAX);
    return false;
}

bool redis_conn_work(struct redis_conn *conn, short revents, redis_heard_fn *heard, void *ctx,
                     char why[CACHE_WHY_MAX]) {
    int done;
    if (revents == 0)
        return true;
    if (!conn->connected && !connects(conn, why))
        return false;
    if ((revents & POLLOUT) && redisBufferWrite(conn->context, &done) != REDIS_OK) {
        str_print(why, CACHE_WHY_MAX, "lost: %s", conn->context->errstr);
        return false;
    }
    if (!(revents & (POLLIN | POLLHUP | POLLERR)))
        return true;
    if (redisBufferRead(conn->context) != REDIS_OK) {
        str_print(why, CACHE_WHY_MAX, "lost: %s", conn->context->errstr);
        return false;
    }
    return hears(conn, heard, ctx, why);
}
