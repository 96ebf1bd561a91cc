// The cache in Redis when Redis is lost, slow, or tells lies: nothing wrong is found, nobody waits long, and it goes on
// when Redis is well again.
#include "store/cache_value.h"
#include "tests/cmocka.h"
#include "tests/scratch.h"
#include "tests/store/cache_bed.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LONG_MS = 600000, LOAD = 200 };
#define PASSWORD "correct horse"

static struct redis_server *server;

static struct str ask(const struct str *words, size_t n) {
    static char answer[CACHE_VALUE_MAX + 1024];
    return redis_ask(server, answer, sizeof answer, words, n);
}
#define ASK(...) ask((const struct str[]){__VA_ARGS__}, sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

static int set_up(void **state) {
    (void)state;
    redis_resume(server);
    redis_restart(server);
    ASK(STR("FLUSHALL"));
    return 0;
}

static void open_bed(struct cache_bed *bed, uint32_t timeout_ms) {
    cache_bed_init(bed, server);
    bed->redis.password = PASSWORD;
    if (timeout_ms)
        bed->redis.timeout_ms = timeout_ms;
    cache_bed_open(bed, CACHE_IN_REDIS);
}

// ---- Load -----------------------------------------------------------------------------------------------------------

static void value_of(int i, char out[16]) {
    snprintf(out, 16, "value-%d", i);
}

// A round of questions as quotes ask them: what is not found is put. Whatever is found is right. Returns how many were.
static int round_of_load(struct cache_bed *bed, struct cache_found *found) {
    char key[16], value[16];
    int hits = 0;
    bool asked[LOAD];
    for (int i = 0; i < LOAD; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        asked[i] = cache_bed_ask(bed, "load", key, &found[i]);
    }
    cache_bed_drain(bed);
    for (int i = 0; i < LOAD; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        value_of(i, value);
        if (!asked[i])
            continue;
        hits += found[i].verdict == CACHE_HIT;
        if (found[i].verdict == CACHE_HIT)
            assert_string_equal(found[i].value, value);
        else
            cache_put(bed->cache, STR("load"), str_c(key), str_c(value), LONG_MS, found[i].ticket);
    }
    return hits;
}

// Rounds until all of one are found.
static void load_until_well(struct cache_bed *bed, struct cache_found *found) {
    int64_t until_ms = clock_now_ms(clock_system()) + 60000;
    while (round_of_load(bed, found) < LOAD) {
        assert_true(clock_now_ms(clock_system()) < until_ms);
        cache_bed_turn(bed);
    }
}

static struct cache_found *load_new(void) {
    struct cache_found *found = calloc(LOAD, sizeof *found);
    assert_non_null(found);
    return found;
}

// ---- Lost -----------------------------------------------------------------------------------------------------------

static void test_a_server_that_is_killed_under_load_costs_hits_only_and_is_used_again(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found *found = load_new();
    open_bed(&bed, 0);
    for (int death = 0; death < 5; death++) {
        load_until_well(&bed, found);
        char key[16];
        for (int i = 0; i < LOAD / 2; i++) { // some are under way
            snprintf(key, sizeof key, "key-%d", i);
            cache_bed_ask(&bed, "load", key, &found[i]);
        }
        redis_kill(server);
        cache_bed_drain(&bed);
        for (int i = 0; i < 20; i++)
            round_of_load(&bed, found);
        assert_int_equal(round_of_load(&bed, found), 0);
        assert_true(cache_bed_stats(&bed).down);
        assert_true(strlen(cache_bed_stats(&bed).why) > 0);
        redis_restart(server);
    }
    load_until_well(&bed, found);
    assert_false(cache_bed_stats(&bed).down);
    assert_int_equal(cache_bed_stats(&bed).connects, 6);
    cache_bed_close(&bed);
    free(found);
}

static void test_without_a_server_nobody_waits_and_it_is_found_when_it_comes(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found found;
    redis_kill(server);
    cache_bed_init(&bed, NULL); // not waited for
    bed.redis.socket = redis_socket(server);
    bed.redis.password = PASSWORD;
    cache_bed_open(&bed, CACHE_IN_REDIS);
    for (int i = 0; i < 100; i++)
        assert_false(cache_bed_ask(&bed, "space", "key", &found));
    assert_int_equal(cache_bed_stats(&bed).failed, 100);
    assert_int_equal(cache_bed_clear(&bed, "space"), ERR_STORE_UNAVAILABLE);
    redis_restart(server);
    cache_bed_keep(&bed, "space", "key", "value", LONG_MS);
    assert_int_equal(cache_bed_clear(&bed, "space"), ERR_OK);
    cache_bed_close(&bed);
}

static void test_a_wrong_password_is_a_server_that_is_lost_and_says_why(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found found;
    cache_bed_init(&bed, NULL);
    bed.redis.socket = redis_socket(server);
    bed.redis.password = "wrong";
    cache_bed_open(&bed, CACHE_IN_REDIS);
    while (!cache_bed_stats(&bed).down)
        cache_bed_turn(&bed);
    assert_non_null(strstr(cache_bed_stats(&bed).why, "WRONGPASS"));
    assert_false(cache_bed_ask(&bed, "space", "key", &found));
    cache_bed_close(&bed);
}

// ---- Slow -----------------------------------------------------------------------------------------------------------

static void test_a_server_that_is_stopped_is_waited_for_once_and_only_as_long_as_was_said(void **state) {
    (void)state;
    enum { TIMEOUT_MS = 150 }; // longer than a busy machine takes for an answer
    struct cache_bed bed;
    struct cache_found *found = load_new();
    open_bed(&bed, TIMEOUT_MS);
    load_until_well(&bed, found);
    redis_pause(server);
    int64_t begun_ms = clock_now_ms(clock_system());
    assert_true(cache_bed_ask(&bed, "load", "key-1", &found[0]));
    cache_bed_drain(&bed);
    int64_t took_ms = clock_now_ms(clock_system()) - begun_ms;
    assert_int_equal(found[0].verdict, CACHE_FAILED);
    assert_true(took_ms >= TIMEOUT_MS - 1 && took_ms < 2000);      // a busy machine: it would have been for ever
    assert_false(cache_bed_ask(&bed, "load", "key-1", &found[0])); // and it is not asked again
    redis_resume(server);
    load_until_well(&bed, found); // the late answers came, or it was connected to anew
    cache_bed_close(&bed);
    free(found);
}

static void test_a_server_that_stays_stopped_is_left_and_connected_to_anew(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found *found = load_new();
    open_bed(&bed, 150);
    load_until_well(&bed, found);
    redis_pause(server);
    assert_true(cache_bed_ask(&bed, "load", "key-1", &found[0]));
    while (!cache_bed_stats(&bed).down)
        cache_bed_turn(&bed);
    assert_int_equal(cache_bed_clear(&bed, "load"), ERR_STORE_UNAVAILABLE);
    cache_bed_drain(&bed);
    redis_resume(server);
    load_until_well(&bed, found);
    assert_true(cache_bed_stats(&bed).connects >= 2);
    cache_bed_close(&bed);
    free(found);
}

// ---- Shared ---------------------------------------------------------------------------------------------------------

static void test_two_that_share_it_find_each_others_values_and_clear_for_both(void **state) {
    (void)state;
    struct cache_bed a, b, stranger;
    struct cache_found found;
    open_bed(&a, 0);
    open_bed(&b, 0);
    cache_bed_init(&stranger, server);
    stranger.redis.password = PASSWORD;
    stranger.redis.prefix = "stranger";
    cache_bed_open(&stranger, CACHE_IN_REDIS);
    cache_bed_keep(&a, "price", "key", "value", LONG_MS);
    cache_bed_get(&b, "price", "key", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    cache_bed_get(&stranger, "price", "key", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    struct cache_found before;
    cache_bed_get(&a, "price", "other", &before);
    assert_int_equal(cache_bed_clear(&b, "price"), ERR_OK);
    cache_bed_get(&a, "price", "key", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_put(a.cache, STR("price"), STR("other"), STR("of yesterday"), LONG_MS, before.ticket);
    cache_bed_get(&a, "price", "other", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_close(&a);
    cache_bed_close(&b);
    cache_bed_close(&stranger);
}

static void test_another_database_is_another_world(void **state) {
    (void)state;
    struct cache_bed bed, other;
    struct cache_found found;
    open_bed(&bed, 0);
    cache_bed_keep(&bed, "space", "key", "value", LONG_MS);
    cache_bed_init(&other, server);
    other.redis.password = PASSWORD;
    other.redis.user = "default";
    other.redis.database = 3;
    cache_bed_open(&other, CACHE_IN_REDIS);
    cache_bed_get(&other, "space", "key", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_close(&bed);
    cache_bed_close(&other);
}

// ---- Lies -----------------------------------------------------------------------------------------------------------

#define VALUE_KEY STR("test:v:space:key")
#define GENERATION_KEY STR("test:g:space")

static void test_a_server_that_was_flushed_holds_nothing_and_is_filled_again(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found *found = load_new();
    open_bed(&bed, 0);
    for (int i = 0; i < 3; i++) {
        load_until_well(&bed, found);
        ASK(STR("FLUSHALL"));
        assert_int_equal(round_of_load(&bed, found), 0);
    }
    load_until_well(&bed, found);
    cache_bed_close(&bed);
    free(found);
}

// Every byte of it counts: that is all of a value which stands there.
static void test_a_value_that_was_changed_in_any_byte_is_none(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found found;
    char kept[CACHE_VALUE_HEAD + 16], bent[sizeof kept + 1];
    open_bed(&bed, 0);
    cache_bed_keep(&bed, "space", "key", "7.68", LONG_MS);
    struct str stands = ASK(STR("GET"), VALUE_KEY);
    size_t len = stands.len;
    assert_int_equal(len, CACHE_VALUE_HEAD + 4);
    memcpy(kept, stands.ptr, len);
    int64_t unfit = cache_bed_stats(&bed).unfit;
    for (size_t i = 0; i < len; i++) {
        memcpy(bent, kept, len);
        bent[i] = (char)(bent[i] ^ 1);
        ASK(STR("SET"), VALUE_KEY, str_n(bent, len));
        cache_bed_get(&bed, "space", "key", &found);
        assert_int_equal(found.verdict, CACHE_MISS);
    }
    for (size_t cut = 0; cut <= len; cut++) { // shorter, and longer by one
        memcpy(bent, kept, len);
        bent[len] = '8';
        ASK(STR("SET"), VALUE_KEY, str_n(bent, cut < len ? cut : len + 1));
        cache_bed_get(&bed, "space", "key", &found);
        assert_int_equal(found.verdict, CACHE_MISS);
    }
    assert_int_equal(cache_bed_stats(&bed).unfit - unfit, 2 * (int64_t)len + 1);
    ASK(STR("SET"), VALUE_KEY, str_n(kept, len));
    cache_bed_get(&bed, "space", "key", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    ASK(STR("SET"), STR("test:v:space:other"), str_n(kept, len)); // a price of other fuel
    cache_bed_get(&bed, "space", "other", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_close(&bed);
}

static void test_what_others_leave_under_our_keys_is_no_value(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found found;
    open_bed(&bed, 0);
    cache_bed_keep(&bed, "space", "key", "7.68", LONG_MS);
    ASK(STR("DEL"), VALUE_KEY);
    ASK(STR("RPUSH"), VALUE_KEY, STR("a list"));
    cache_bed_get(&bed, "space", "key", &found);
    assert_int_equal(found.verdict, CACHE_FAILED);
    cache_bed_keep(&bed, "space", "key", "7.68", LONG_MS); // it takes its place takes its place
    static const char *const generations[] = {"", "short", "\0\0\0\0\0\0\0\0", "much too long for one"};
    for (size_t i = 0; i < 4; i++) {
        ASK(STR("SET"), GENERATION_KEY, i == 2 ? str_n(generations[i], 8) : str_c(generations[i]));
        cache_bed_get(&bed, "space", "key", &found);
        assert_int_equal(found.verdict, CACHE_MISS);
        cache_bed_keep(&bed, "space", "key", "7.68", LONG_MS);
    }
    ASK(STR("DEL"), GENERATION_KEY);
    ASK(STR("RPUSH"), GENERATION_KEY, STR("a list"));
    cache_bed_get(&bed, "space", "key", &found);
    assert_int_equal(found.verdict, CACHE_FAILED);
    assert_int_equal(cache_bed_clear(&bed, "space"), ERR_OK); // which puts one there
    cache_bed_keep(&bed, "space", "key", "7.68", LONG_MS);
    cache_bed_close(&bed);
}

// A server of nonsense: to whoever connects it says this, whatever it is asked, and again for each that it reads.
struct liar {
    const char *says;
    size_t len;
    bool logs_in; // it lets in first, and lies then
    char folder[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 8];
    int listener;
    pthread_t thread;
};

static void lie(const struct liar *liar, int connection) {
    static const char welcome[] = "+OK\r\n";
    char heard[4096];
    bool first = liar->logs_in;
    while (read(connection, heard, sizeof heard) > 0) {
        const char *says = first ? welcome : liar->says;
        size_t len = first ? sizeof welcome - 1 : liar->len;
        if (send(connection, says, len, MSG_NOSIGNAL) < 0)
            return;
        first = false;
    }
}

static void *serve_lies(void *ctx) {
    const struct liar *liar = ctx;
    int connection;
    while ((connection = accept(liar->listener, NULL, NULL)) >= 0) {
        lie(liar, connection);
        close(connection);
    }
    return NULL;
}

static void start_liar(struct liar *liar) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(scratch_make("liar", liar->folder));
    snprintf(liar->path, sizeof liar->path, "%s/sock", liar->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", liar->path);
    liar->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(liar->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(liar->listener, 4), 0);
    assert_int_equal(pthread_create(&liar->thread, NULL, serve_lies, liar), 0);
}

static void stop_liar(struct liar *liar) {
    shutdown(liar->listener, SHUT_RDWR);
    pthread_join(liar->thread, NULL);
    close(liar->listener);
    scratch_remove(liar->folder);
}

static void ask_liar(struct liar *liar) {
    static struct cache_found found[3];
    struct cache_bed bed;
    start_liar(liar);
    cache_bed_init(&bed, NULL);
    bed.redis.socket = liar->path;
    bed.redis.timeout_ms = 50;
    cache_bed_open(&bed, CACHE_IN_REDIS);
    for (int asked = 0, turns = 0; asked < 3 && turns < 300 && !(turns > 50 && cache_bed_stats(&bed).down); turns++) {
        asked += cache_bed_ask(&bed, "space", "key", &found[asked]);
        cache_bed_turn(&bed);
    }
    cache_bed_drain(&bed);
    assert_int_equal(cache_bed_stats(&bed).hits, 0);
    cache_bed_close(&bed);
    stop_liar(liar);
}

static void test_a_server_that_speaks_nonsense_is_left_and_harms_nobody(void **state) {
    (void)state;
    static char flood[256 * 1024] = "$2000000000\r\n";
    static const char *const lies[] = {
        "",
        "\r\n",
        "\r\n\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n", // more than it was asked
        "$-1\r\n$-1\r\n$-1\r\n",
        "$8\r\n12345678\r\n$4\r\nlies\r\n",
        "$9999999999999999999\r\n",
        "$-2\r\n",
        ":1\r\n:2\r\n",
        "*2147483647\r\n",
        "*-1\r\n*0\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        "-ERR no\r\n-ERR no\r\n",
        "-LOADING it is busy\r\n-LOADING it is busy\r\n",
        "+OK\r\n-\r\n",
    };
    memset(flood + strlen(flood), 'x', sizeof flood - strlen(flood));
    for (int in = 0; in < 2; in++) {
        for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
            ask_liar(&(struct liar){.says = lies[i], .len = strlen(lies[i]), .logs_in = in});
        ask_liar(&(struct liar){.says = flood, .len = sizeof flood, .logs_in = in});
    }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup(function, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_a_server_that_is_killed_under_load_costs_hits_only_and_is_used_again),
        TEST(test_without_a_server_nobody_waits_and_it_is_found_when_it_comes),
        TEST(test_a_wrong_password_is_a_server_that_is_lost_and_says_why),
        TEST(test_a_server_that_is_stopped_is_waited_for_once_and_only_as_long_as_was_said),
        TEST(test_a_server_that_stays_stopped_is_left_and_connected_to_anew),
        TEST(test_two_that_share_it_find_each_others_values_and_clear_for_both),
        TEST(test_another_database_is_another_world),
        TEST(test_a_server_that_was_flushed_holds_nothing_and_is_filled_again),
        TEST(test_a_value_that_was_changed_in_any_byte_is_none),
        TEST(test_what_others_leave_under_our_keys_is_no_value),
        TEST(test_a_server_that_speaks_nonsense_is_left_and_harms_nobody),
    };
#undef TEST
    server = redis_start(PASSWORD);
    int failed = cmocka_run_group_tests_name("cache in redis", tests, NULL, NULL);
    redis_stop(server);
    return failed;
}
