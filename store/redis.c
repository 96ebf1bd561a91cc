// The cache in Redis. A thread of its own has the connection; the owner hands it jobs and takes them back. Its side
// waits for nothing: a job that is not answered in time is handed back as failed, its reply is dropped when it comes,
// and until then nothing more is asked.
//
// Each space has a generation, a random number under a key of its own. A value names the generation that it was asked
// for in, and is good only as long as it is the space's: a new generation clears the space for everybody at once, and
// what was under way meanwhile is born stale.
#include "store/cache_kind.h"
#include "store/cache_value.h"
#include "store/redis_conn.h"
#include "store/thread.h"

#include <assert.h>
#include <endian.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    AWAITED_MAX = 4096, // replies
    CLEAR_MS = 1000,    // an operator waits
    LOGIN_MS = 1000,    // from connecting on
    STALL_MS = 1000,    // a reply that is late for so long does not come
    PREFIX_MAX = 64,
    NAME_MAX_LEN = PREFIX_MAX + CACHE_SPACE_MAX + CACHE_KEY_MAX + 8,
};
#define MS_NS INT64_C(1000000)

// What a reply answers.
enum answers { ANSWERS_LOGIN, ANSWERS_GENERATION, ANSWERS_VALUE, ANSWERS_CLEAR, ANSWERS_NOBODY };
struct awaited {
    enum answers answers;
    struct cache_job *job; // NULL: handed back already, or nobody's
    int64_t due_ns;
    bool late;
};

struct redis {
    struct cache base;
    struct cache_redis_options at;
    pthread_t thread;
    int bell;          // an eventfd: there are jobs, or it ends
    atomic_bool ready; // logged in, and nothing is late
    uint32_t waiting;  // the owner's: questions without an answer

    pthread_mutex_t mutex; // for what follows
    struct cache_jobs todo, done;
    bool ending, down;
    int64_t connects;
    char why[CACHE_WHY_MAX];

    // The thread's.
    struct redis_conn *conn;
    bool logged_in;
    struct awaited awaited[AWAITED_MAX]; // a ring
    size_t first, n, n_late;
    int64_t login_until_ns, connect_at_ns;
    uint32_t pause_ms;
};

static struct redis *redis_of(struct cache *cache) {
    return (struct redis *)cache; // its first member
}

// ---- Between the two ----------------------------------------------------------------------------------------------

static void ring(struct redis *redis) {
    uint64_t one = 1;
    ssize_t n = write(redis->bell, &one, sizeof one);
    assert(n == sizeof one);
    (void)n;
}

static void hand_over(struct redis *redis, struct cache_job *job) {
    pthread_mutex_lock(&redis->mutex);
    cache_jobs_add(&redis->todo, job);
    bool first = redis->todo.n == 1;
    pthread_mutex_unlock(&redis->mutex);
    if (first)
        ring(redis);
}

static void hand_back(struct redis *redis, struct cache_job *job) {
    if (job->kind == CACHE_PUT || job->kind == CACHE_DROP) { // nobody waits
        cache_job_free(job);
        return;
    }
    pthread_mutex_lock(&redis->mutex);
    cache_jobs_add(&redis->done, job);
    bool first = redis->done.n == 1;
    pthread_mutex_unlock(&redis->mutex);
    if (first && redis->base.options.wake)
        redis->base.options.wake(redis->base.options.wake_ctx);
}

static void fail(struct redis *redis, struct cache_job *job) {
    job->failed = true;
    hand_back(redis, job);
}

// ---- What is awaited ----------------------------------------------------------------------------------------------

static struct awaited *awaited_at(struct redis *redis, size_t i) {
    return &redis->awaited[(redis->first + i) % AWAITED_MAX];
}

static void show_ready(struct redis *redis) {
    atomic_store(&redis->ready, redis->logged_in && redis->n_late == 0);
}

static bool say(struct redis *redis, enum answers answers, struct cache_job *job, int64_t due_ns,
                const struct str *words, size_t n) {
    if (redis->n == AWAITED_MAX || !redis_conn_send(redis->conn, words, n))
        return false;
    *awaited_at(redis, redis->n++) = (struct awaited){.answers = answers, .job = job, .due_ns = due_ns};
    return true;
}
#define SAY(redis, answers, job, due_ns, ...)                                                                          \
    say((redis), (answers), (job), (due_ns), (const struct str[]){__VA_ARGS__},                                        \
        sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

// Hands a job back as failed; its replies are nobody's.
static void give_up(struct redis *redis, struct cache_job *job) {
    for (size_t i = 0; i < redis->n; i++)
        if (awaited_at(redis, i)->job == job)
            awaited_at(redis, i)->job = NULL;
    fail(redis, job);
}

static void lose(struct redis *redis, const char *why) {
    pthread_mutex_lock(&redis->mutex);
    redis->down = true;
    str_fit(str_c(why), redis->why, sizeof redis->why);
    pthread_mutex_unlock(&redis->mutex);
    redis->logged_in = false;
    show_ready(redis); // before whoever asked hears of it, and asks again
    for (size_t i = 0; i < redis->n; i++)
        if (awaited_at(redis, i)->job)
            give_up(redis, awaited_at(redis, i)->job);
    redis->n = redis->n_late = 0;
    if (redis->conn)
        redis_conn_close(redis->conn);
    redis->conn = NULL;
    redis->connect_at_ns = clock_monotonic_ns() + redis->pause_ms * MS_NS;
    redis->pause_ms = redis->pause_ms < redis->at.retry_max_ms / 2 ? redis->pause_ms * 2 : redis->at.retry_max_ms;
}

// ---- Names --------------------------------------------------------------------------------------------------------

// "txcenter:g:price", under which a space's generation stands, and "txcenter:v:price:<key>".
static struct str name_of(const struct redis *redis, struct str space, struct str key, char out[NAME_MAX_LEN]) {
    int n = key.ptr ? snprintf(out, NAME_MAX_LEN, "%s:v:%.*s:%.*s", redis->at.prefix, STR_FMT(space), STR_FMT(key))
                    : snprintf(out, NAME_MAX_LEN, "%s:g:%.*s", redis->at.prefix, STR_FMT(space));
    assert(n > 0 && n < NAME_MAX_LEN);
    return str_n(out, (size_t)n);
}

static struct str new_generation(uint64_t *out) {
    *out = 0;
    while (*out == 0)
        if (getrandom(out, sizeof *out, 0) != sizeof *out)
            *out = (uint64_t)clock_monotonic_ns(); // never seen on Linux once it is up
    return str_n(out, sizeof *out);
}

// ---- Jobs ---------------------------------------------------------------------------------------------------------

static bool start_get(struct redis *redis, struct cache_job *job, int64_t due_ns) {
    char generation[NAME_MAX_LEN], name[NAME_MAX_LEN];
    return SAY(redis, ANSWERS_GENERATION, job, due_ns, STR("GET"), name_of(redis, job->space, STR_NONE, generation)) &&
           SAY(redis, ANSWERS_VALUE, job, due_ns, STR("GET"), name_of(redis, job->space, job->key, name));
}

static void start_put(struct redis *redis, struct cache_job *job, int64_t due_ns) {
    char name[NAME_MAX_LEN], ttl[24];
    struct str value = str_n(job->value, job->value_len);
    char *bytes = malloc(CACHE_VALUE_HEAD + value.len);
    struct cache_value of = {.name = name_of(redis, job->space, job->key, name),
                             .generation = job->answer.ticket,
                             .until_ms = clock_now_ms(redis->base.options.clock) + job->ttl_ms};
    if (bytes) {
        cache_value_head(&of, value, (uint8_t *)bytes);
        memcpy(bytes + CACHE_VALUE_HEAD, value.ptr, value.len);
        snprintf(ttl, sizeof ttl, "%lld", (long long)job->ttl_ms);
        SAY(redis, ANSWERS_NOBODY, NULL, due_ns, STR("SET"), of.name, str_n(bytes, CACHE_VALUE_HEAD + value.len),
            STR("PX"), str_c(ttl));
    }
    free(bytes);
    cache_job_free(job);
}

static void start_drop(struct redis *redis, struct cache_job *job, int64_t due_ns) {
    char name[NAME_MAX_LEN];
    SAY(redis, ANSWERS_NOBODY, NULL, due_ns, STR("DEL"), name_of(redis, job->space, job->key, name));
    cache_job_free(job);
}

static bool start_clear(struct redis *redis, struct cache_job *job, int64_t due_ns) {
    char name[NAME_MAX_LEN];
    uint64_t generation;
    return SAY(redis, ANSWERS_CLEAR, job, due_ns, STR("SET"), name_of(redis, job->space, STR_NONE, name),
               new_generation(&generation));
}

static void start(struct redis *redis, struct cache_job *job) {
    int64_t due_ns = job->begun_ns + (job->kind == CACHE_CLEAR ? CLEAR_MS : (int64_t)redis->at.timeout_ms) * MS_NS;
    if (!redis->logged_in)
        fail(redis, job);
    else if (job->kind == CACHE_PUT)
        start_put(redis, job, due_ns);
    else if (job->kind == CACHE_DROP)
        start_drop(redis, job, due_ns);
    else if (!(job->kind == CACHE_GET ? start_get : start_clear)(redis, job, due_ns))
        give_up(redis, job);
}

// ---- Replies ------------------------------------------------------------------------------------------------------

static bool log_in(struct redis *redis) {
    const struct cache_redis_options *at = &redis->at;
    char database[16];
    bool sent = true;
    int64_t due_ns = redis->login_until_ns;
    if (at->password && at->user)
        sent = SAY(redis, ANSWERS_LOGIN, NULL, due_ns, STR("AUTH"), str_c(at->user), str_c(at->password));
    else if (at->password)
        sent = SAY(redis, ANSWERS_LOGIN, NULL, due_ns, STR("AUTH"), str_c(at->password));
    snprintf(database, sizeof database, "%u", at->database);
    return sent && SAY(redis, ANSWERS_LOGIN, NULL, due_ns, STR("SELECT"), str_c(database));
}

static bool heard_login(struct redis *redis, const struct redis_said *said) {
    if (said->kind != REDIS_IS_STATUS)
        return false; // what it says instead is told
    if (redis->n > 0)
        return true;
    redis->logged_in = true;
    redis->pause_ms = redis->at.retry_first_ms;
    pthread_mutex_lock(&redis->mutex);
    redis->down = false;
    redis->connects++;
    pthread_mutex_unlock(&redis->mutex);
    return true;
}

static void heard_generation(struct cache_job *job, const struct redis_said *said) {
    job->failed = said->kind == REDIS_IS_ERROR;
    if (said->kind == REDIS_IS_TEXT && said->text.len == sizeof job->answer.ticket)
        memcpy(&job->answer.ticket, said->text.ptr, sizeof job->answer.ticket);
    job->unfit = said->kind == REDIS_IS_TEXT && job->answer.ticket == 0;
}

// A space has no generation on a new server, or one that was flushed; or what stands there is none. The next question
// finds one.
static void make_generation(struct redis *redis, const struct cache_job *job) {
    char name[NAME_MAX_LEN];
    uint64_t generation;
    int64_t due_ns = clock_monotonic_ns() + redis->at.timeout_ms * MS_NS;
    const struct str words[] = {STR("SET"), name_of(redis, job->space, STR_NONE, name), new_generation(&generation),
                                STR("NX")};
    say(redis, ANSWERS_NOBODY, NULL, due_ns, words, job->unfit ? 3 : 4);
}

static void heard_value(struct redis *redis, struct cache_job *job, const struct redis_said *said) {
    char name[NAME_MAX_LEN];
    struct str value;
    job->failed = job->failed || said->kind == REDIS_IS_ERROR;
    job->answer.verdict = CACHE_MISS;
    struct cache_value of = {.name = name_of(redis, job->space, job->key, name),
                             .generation = job->answer.ticket,
                             .until_ms = clock_now_ms(redis->base.options.clock)};
    if (said->kind == REDIS_IS_TEXT && job->answer.ticket != 0) {
        job->unfit = !cache_value_read(&of, said->text, &value);
        if (!job->unfit) {
            cache_job_take(job, value);
            job->answer.verdict = CACHE_HIT;
        }
    }
    if (job->answer.ticket == 0 && !job->failed)
        make_generation(redis, job);
    hand_back(redis, job);
}

static bool heard(void *ctx, const struct redis_said *said) {
    struct redis *redis = ctx;
    if (redis->n == 0 || said->kind == REDIS_IS_OTHER)
        return false;
    struct awaited awaited = *awaited_at(redis, 0);
    if (said->kind == REDIS_IS_NUMBER && awaited.answers != ANSWERS_NOBODY)
        return false;
    redis->first = (redis->first + 1) % AWAITED_MAX;
    redis->n--;
    redis->n_late -= awaited.late;
    if (awaited.answers == ANSWERS_LOGIN)
        return heard_login(redis, said);
    if (!awaited.job)
        return true;
    switch (awaited.answers) {
    case ANSWERS_GENERATION: heard_generation(awaited.job, said); break;
    case ANSWERS_VALUE: heard_value(redis, awaited.job, said); break;
    default:
        awaited.job->failed = said->kind != REDIS_IS_STATUS;
        hand_back(redis, awaited.job);
        break;
    }
    return true;
}

// ---- The thread ---------------------------------------------------------------------------------------------------

static void dial(struct redis *redis, int64_t now_ns) {
    char why[CACHE_WHY_MAX];
    redis->conn = redis_conn_open(&redis->at, why);
    redis->login_until_ns = now_ns + LOGIN_MS * MS_NS;
    if (!redis->conn)
        lose(redis, why);
    else if (!log_in(redis))
        lose(redis, "the log-in is too long");
}

// What was not answered in time is handed back; what does not come at all ends the connection.
static void expire(struct redis *redis, int64_t now_ns) {
    for (size_t i = 0; i < redis->n; i++) {
        struct awaited *awaited = awaited_at(redis, i);
        if (awaited->due_ns > now_ns)
            continue;
        if (awaited->answers == ANSWERS_LOGIN || now_ns - awaited->due_ns >= STALL_MS * MS_NS) {
            lose(redis, "it does not answer");
            return;
        }
        redis->n_late += !awaited->late;
        awaited->late = true;
        show_ready(redis);
        if (awaited->job)
            give_up(redis, awaited->job);
    }
}

// When something is to be done though nothing happens.
static int64_t next_ns(struct redis *redis) {
    int64_t least = redis->conn ? INT64_MAX : redis->connect_at_ns;
    for (size_t i = 0; i < redis->n; i++) {
        const struct awaited *awaited = awaited_at(redis, i);
        int64_t at_ns = awaited->late ? awaited->due_ns + STALL_MS * MS_NS : awaited->due_ns;
        least = at_ns < least ? at_ns : least;
    }
    return least;
}

static void wait_and_work(struct redis *redis) {
    struct pollfd fds[2] = {{.fd = redis->bell, .events = POLLIN}};
    char why[CACHE_WHY_MAX];
    int64_t left_ns = next_ns(redis) - clock_monotonic_ns();
    struct timespec left = {.tv_sec = left_ns > 0 ? left_ns / 1000000000 : 0,
                            .tv_nsec = left_ns > 0 ? left_ns % 1000000000 : 0};
    if (redis->conn)
        fds[1] = (struct pollfd){.fd = redis_conn_fd(redis->conn), .events = redis_conn_events(redis->conn)};
    uint64_t rings;
    if (ppoll(fds, redis->conn ? 2 : 1, &left, NULL) < 0)
        return; // interrupted
    if (fds[0].revents && read(redis->bell, &rings, sizeof rings) < 0)
        return; // nothing there after all
    if (redis->conn && !redis_conn_work(redis->conn, fds[1].revents, heard, redis, why))
        lose(redis, why);
}

static bool take_jobs(struct redis *redis, struct cache_jobs *ret_jobs) {
    pthread_mutex_lock(&redis->mutex);
    bool ending = redis->ending;
    *ret_jobs = redis->todo;
    redis->todo = (struct cache_jobs){0};
    pthread_mutex_unlock(&redis->mutex);
    return !ending;
}

static void *run(void *ctx) {
    struct redis *redis = ctx;
    struct cache_jobs jobs;
    struct cache_job *job;
    while (take_jobs(redis, &jobs)) {
        int64_t now_ns = clock_monotonic_ns();
        if (!redis->conn && now_ns >= redis->connect_at_ns)
            dial(redis, now_ns);
        while ((job = cache_jobs_take(&jobs)))
            start(redis, job);
        wait_and_work(redis);
        expire(redis, clock_monotonic_ns());
        show_ready(redis);
    }
    while ((job = cache_jobs_take(&jobs)))
        fail(redis, job);
    lose(redis, "it was stopped");
    return NULL;
}

// ---- The owner's side ---------------------------------------------------------------------------------------------

static bool get(struct cache *cache, struct str space, struct str key, cache_answer_fn *answered, void *ctx) {
    struct redis *redis = redis_of(cache);
    if (!atomic_load(&redis->ready)) {
        cache->stats.failed++;
        return false;
    }
    if (redis->waiting >= cache->options.waiting_max) {
        cache->stats.refused++;
        return false;
    }
    struct cache_job *job = cache_job_new(CACHE_GET, space, key);
    job->answered = answered;
    job->ctx = ctx;
    redis->waiting++;
    hand_over(redis, job);
    return true;
}

static void put(struct cache *cache, struct str space, struct str key, struct str value, int64_t ttl_ms,
                uint64_t ticket) {
    struct redis *redis = redis_of(cache);
    if (!atomic_load(&redis->ready))
        return;
    struct cache_job *job = cache_job_new(CACHE_PUT, space, key);
    cache_job_take(job, value);
    job->ttl_ms = ttl_ms;
    job->answer.ticket = ticket;
    hand_over(redis, job);
}

static void drop_key(struct cache *cache, struct str space, struct str key) {
    struct redis *redis = redis_of(cache);
    if (atomic_load(&redis->ready))
        hand_over(redis, cache_job_new(CACHE_DROP, space, key));
}

static void clear(struct cache *cache, struct str space, cache_cleared_fn *cleared, void *ctx) {
    struct cache_job *job = cache_job_new(CACHE_CLEAR, space, STR_NONE);
    job->cleared = cleared;
    job->ctx = ctx;
    hand_over(redis_of(cache), job);
}

static void poll_done(struct cache *cache) {
    struct redis *redis = redis_of(cache);
    pthread_mutex_lock(&redis->mutex);
    struct cache_jobs done = redis->done;
    redis->done = (struct cache_jobs){0};
    pthread_mutex_unlock(&redis->mutex);
    struct cache_job *job;
    while ((job = cache_jobs_take(&done))) {
        redis->waiting -= job->kind == CACHE_GET;
        cache_deliver(cache, job);
    }
}

static void stats(struct cache *cache, struct cache_stats *ret_stats) {
    struct redis *redis = redis_of(cache);
    pthread_mutex_lock(&redis->mutex);
    ret_stats->connects = redis->connects;
    ret_stats->down = redis->down;
    memcpy(ret_stats->why, redis->why, sizeof ret_stats->why);
    pthread_mutex_unlock(&redis->mutex);
}

static void stop(struct cache *cache) {
    struct redis *redis = redis_of(cache);
    pthread_mutex_lock(&redis->mutex);
    redis->ending = true;
    pthread_mutex_unlock(&redis->mutex);
    ring(redis);
    pthread_join(redis->thread, NULL);
    poll_done(cache);
}

static void free_redis(struct cache *cache) {
    struct redis *redis = redis_of(cache);
    assert(redis->todo.n == 0 && redis->done.n == 0);
    close(redis->bell);
    pthread_mutex_destroy(&redis->mutex);
    free(redis);
}

static const struct cache_ops ops = {get, put, drop_key, clear, poll_done, stats, stop, free_redis};

struct cache *cache_redis(const struct cache_options *options, const struct cache_redis_options *at) {
    struct redis *redis = calloc(1, sizeof *redis);
    if (!redis || strlen(at->prefix) > PREFIX_MAX)
        abort();
    redis->base = (struct cache){.ops = &ops, .options = *options};
    redis->at = *at;
    redis->pause_ms = at->retry_first_ms;
    pthread_mutex_init(&redis->mutex, NULL);
    redis->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    // Without signals, too: a write to a connection that was lost must not end the process.
    if (redis->bell < 0 || !thread_start(&redis->thread, run, redis, "cache"))
        abort();
    return &redis->base;
}
