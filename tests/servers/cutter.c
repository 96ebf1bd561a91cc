#include "tests/servers/cutter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAIRS_MAX = 32, CHUNK = 65536, LONG = 4096, KEPT_MAX = 1024, KEPT_MS = 2000 };

// A connection and what it is passed on to.
struct pair {
    int client, server; // -1: free
    bool cut_at_answer, kept;
    char answers[KEPT_MAX]; // that are kept
    size_t n_answers;       // bytes
};

struct cutter {
    int listener, stop[2];
    struct sockaddr_un upstream;
    _Atomic int cut, count, kept; // kept: the client's end of a connection
    struct pair pairs[PAIRS_MAX];
    pthread_t thread;
};

static _Noreturn void die(const char *what) {
    fprintf(stderr, "cutter: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void close_pair(struct pair *pair) {
    close(pair->client);
    if (pair->server >= 0)
        close(pair->server);
    *pair = (struct pair){.client = -1, .server = -1};
}

static void accept_pair(struct cutter *cutter) {
    int client = accept(cutter->listener, NULL, NULL);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || server < 0)
        die("accept");
    struct pair *pair = NULL;
    for (int i = 0; !pair && i < PAIRS_MAX; i++)
        if (cutter->pairs[i].client < 0)
            pair = &cutter->pairs[i];
    if (!pair || connect(server, (const struct sockaddr *)&cutter->upstream, sizeof cutter->upstream) != 0) {
        close(client);
        close(server);
        return;
    }
    *pair = (struct pair){.client = client, .server = server};
}

static bool send_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void was_cut(struct cutter *cutter) {
    atomic_store(&cutter->cut, CUT_NOTHING);
    atomic_fetch_add(&cutter->count, 1);
}

// From the client: a COM_QUERY (3) of COMMIT is what may be cut.
static void pass_request(struct cutter *cutter, struct pair *pair) {
    char bytes[CHUNK];
    ssize_t n = recv(pair->client, bytes, sizeof bytes, 0);
    if (n <= 0) {
        close_pair(pair);
        return;
    }
    static const char commit[] = {3, 'C', 'O', 'M', 'M', 'I', 'T'};
    int cut = atomic_load(&cutter->cut);
    bool at_commit = cut == CUT_BEFORE_COMMIT || cut == CUT_AFTER_COMMIT || cut == CUT_KEEP_COMMIT;
    if (at_commit && memmem(bytes, (size_t)n, commit, sizeof commit)) {
        pair->kept = cut == CUT_KEEP_COMMIT;
        if (pair->kept)
            atomic_store(&cutter->kept, pair->client);
        was_cut(cutter);
        if (pair->kept)
            return;
        if (cut == CUT_BEFORE_COMMIT) {
            close_pair(pair);
            return;
        }
        pair->cut_at_answer = true;
    }
    if (!send_all(pair->server, bytes, (size_t)n))
        close_pair(pair);
}

// How many bytes the first packets have; 0: there are not as many.
static size_t packets_end(const char *bytes, size_t n, int packets) {
    enum { HEAD = 4 };
    size_t at = 0;
    while (packets > 0 && at + HEAD <= n) {
        const unsigned char *head = (const unsigned char *)bytes + at;
        at += HEAD + (head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16);
        packets--;
    }
    return packets == 0 && at <= n ? at : 0;
}

static void pass_kept(struct cutter *cutter, struct pair *pair) {
    atomic_store(&cutter->cut, CUT_NOTHING);
    if (!send_all(pair->client, pair->answers, pair->n_answers))
        close_pair(pair);
    else
        pair->n_answers = 0;
}

// Whether the answer is kept, or was passed on with those that were.
static bool keep_answer(struct cutter *cutter, struct pair *pair, const char *bytes, size_t n) {
    int cut = atomic_load(&cutter->cut);
    bool keep = (cut == CUT_KEEP_ANSWERS || cut == CUT_AMONG_ANSWERS) && n <= sizeof pair->answers - pair->n_answers;
    if (!keep && pair->n_answers > 0)
        pass_kept(cutter, pair); // what came first goes first
    if (!keep)
        return false;
    memcpy(pair->answers + pair->n_answers, bytes, n);
    pair->n_answers += n;
    if (packets_end(pair->answers, pair->n_answers, CUTTER_KEPT_ANSWERS) == 0)
        return true;
    was_cut(cutter);
    if (cut == CUT_AMONG_ANSWERS)
        pair->n_answers = packets_end(pair->answers, pair->n_answers, CUTTER_KEPT_ANSWERS / 2);
    pass_kept(cutter, pair);
    if (cut == CUT_AMONG_ANSWERS && pair->client >= 0)
        close_pair(pair);
    return true;
}

static void give_up_keeping(struct cutter *cutter) {
    for (int i = 0; i < PAIRS_MAX; i++)
        if (cutter->pairs[i].n_answers > 0)
            pass_kept(cutter, &cutter->pairs[i]);
}

static void pass_answer(struct cutter *cutter, struct pair *pair) {
    char bytes[CHUNK];
    ssize_t n = recv(pair->server, bytes, sizeof bytes, 0);
    if (n > 0 && keep_answer(cutter, pair, bytes, (size_t)n))
        return;
    if (n <= 0 && pair->kept) {
        close(pair->server);
        pair->server = -1;
        return;
    }
    bool halve = n >= LONG && atomic_load(&cutter->cut) == CUT_IN_ANSWER;
    if (halve) {
        was_cut(cutter);
        n /= 2;
    }
    if (n <= 0 || pair->cut_at_answer || !send_all(pair->client, bytes, (size_t)n) || halve)
        close_pair(pair);
}

static void *run(void *arg) {
    struct cutter *cutter = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * PAIRS_MAX] = {{.fd = cutter->stop[0], .events = POLLIN},
                                                {.fd = cutter->listener, .events = POLLIN}};
        for (int i = 0; i < PAIRS_MAX; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = cutter->pairs[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = cutter->pairs[i].server, .events = POLLIN};
        }
        int ready = poll(fds, sizeof fds / sizeof fds[0], KEPT_MS);
        if (ready < 0)
            die("poll");
        if (ready == 0)
            give_up_keeping(cutter);
        if (fds[0].revents)
            return NULL;
        for (int i = 0; i < PAIRS_MAX; i++) {
            struct pair *pair = &cutter->pairs[i];
            if (pair->client >= 0 && fds[3 + 2 * i].revents)
                pass_answer(cutter, pair);
            if (pair->client >= 0 && fds[2 + 2 * i].revents)
                pass_request(cutter, pair);
        }
        if (fds[1].revents)
            accept_pair(cutter);
    }
}

void cutter_let_go(struct cutter *cutter) {
    shutdown(atomic_load(&cutter->kept), SHUT_RDWR); // its thread closes it
}

struct cutter *cutter_start(const char *path, const char *server) {
    struct cutter *cutter = calloc(1, sizeof *cutter);
    if (!cutter)
        die("start");
    for (int i = 0; i < PAIRS_MAX; i++)
        cutter->pairs[i] = (struct pair){.client = -1, .server = -1};
    cutter->upstream.sun_family = AF_UNIX;
    snprintf(cutter->upstream.sun_path, sizeof cutter->upstream.sun_path, "%s", server);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    cutter->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (cutter->listener < 0 || bind(cutter->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(cutter->listener, 16) != 0 || pipe(cutter->stop) != 0)
        die(path);
    if (pthread_create(&cutter->thread, NULL, run, cutter) != 0)
        die("thread");
    return cutter;
}

void cutter_cut(struct cutter *cutter, enum cut cut) {
    atomic_store(&cutter->cut, (int)cut);
}

int cutter_count(const struct cutter *cutter) {
    return atomic_load(&cutter->count);
}

void cutter_stop(struct cutter *cutter) {
    if (!cutter)
        return;
    if (write(cutter->stop[1], "x", 1) != 1)
        die("stop");
    pthread_join(cutter->thread, NULL);
    for (int i = 0; i < PAIRS_MAX; i++)
        if (cutter->pairs[i].client >= 0)
            close_pair(&cutter->pairs[i]);
    close(cutter->listener);
    close(cutter->stop[0]);
    close(cutter->stop[1]);
    free(cutter);
}
