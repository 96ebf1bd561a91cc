#include "tests/servers/redis.h"

#include "tests/scratch.h"
#include "tests/servers/process.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <signal.h>

enum { FOLDER_BYTES = 88, WORDS_MAX = 8 };

struct redis_server {
    char folder[FOLDER_BYTES], socket[FOLDER_BYTES + 8];
    const char *password;
    struct server_process process;
};

static redisContext *try_connect(const struct redis_server *server) {
    redisContext *context = redisConnectUnix(server->socket);
    redisReply *reply = NULL;
    if (context && !context->err)
        reply = server->password ? redisCommand(context, "AUTH %s", server->password) : redisCommand(context, "PING");
    bool good = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply)
        freeReplyObject(reply);
    if (good)
        return context;
    if (context)
        redisFree(context);
    return NULL;
}

static bool answers(void *ctx) {
    redisContext *context = try_connect(ctx);
    if (context)
        redisFree(context);
    return context != NULL;
}

static void run(struct redis_server *server) {
    const char *arguments[] = {"redis-server",
                               "--port",
                               "0",
                               "--unixsocket",
                               server->socket,
                               "--dir",
                               server->folder,
                               "--save",
                               "",
                               "--appendonly",
                               "no",
                               "--databases",
                               "4",
                               "--requirepass",
                               server->password ? server->password : "",
                               NULL};
    server->process.pid = server_spawn(server->folder, (char *const *)(uintptr_t)arguments, NULL);
    server_await(&server->process, answers, server);
}

struct redis_server *redis_start(const char *password) {
    struct redis_server *server = calloc(1, sizeof *server);
    if (!server || !scratch_make("redis", server->folder))
        server_die("redis", "there is no folder for it");
    snprintf(server->socket, sizeof server->socket, "%s/sock", server->folder);
    server->password = password;
    server->process =
        (struct server_process){.what = "redis-server", .folder = server->folder, .socket = server->socket};
    run(server);
    return server;
}

const char *redis_socket(const struct redis_server *server) {
    return server->socket;
}

void redis_kill(struct redis_server *server) {
    server_end(&server->process, SIGKILL);
}

void redis_restart(struct redis_server *server) {
    if (server->process.pid == 0)
        run(server);
}

void redis_pause(struct redis_server *server) {
    kill(server->process.pid, SIGSTOP);
}

void redis_resume(struct redis_server *server) {
    kill(server->process.pid, SIGCONT);
}

struct str redis_ask(struct redis_server *server, char *out, size_t size, const struct str *words, size_t n) {
    const char *texts[WORDS_MAX];
    size_t lengths[WORDS_MAX], len = 0;
    assert(n <= WORDS_MAX);
    for (size_t i = 0; i < n; i++) {
        texts[i] = words[i].ptr;
        lengths[i] = words[i].len;
    }
    redisContext *context = try_connect(server);
    redisReply *reply = context ? redisCommandArgv(context, (int)n, texts, lengths) : NULL;
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        server_die("redis", reply ? reply->str : "it does not answer");
    if (reply->str && reply->len <= size) {
        len = reply->len;
        memcpy(out, reply->str, len);
    }
    freeReplyObject(reply);
    redisFree(context);
    return str_n(out, len);
}

void redis_stop(struct redis_server *server) {
    if (!server)
        return;
    redis_kill(server);
    scratch_remove(server->folder);
    free(server);
}
