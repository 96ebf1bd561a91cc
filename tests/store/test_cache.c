// What every cache does, in memory and in a real Redis; and what only that in memory does.
#include "tests/cmocka.h"
#include "tests/store/cache_bed.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONG_MS = 600000 };

static struct redis_server *server;

// ---- The contract ---------------------------------------------------------------------------------------------------

static void test_what_is_put_is_found_under_its_space_and_key_alone(struct cache_bed *bed) {
    struct cache_found found;
    cache_bed_get(bed, "price", "a", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_keep(bed, "price", "a", "7.68", LONG_MS);
    cache_bed_get(bed, "price", "a", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    assert_string_equal(found.value, "7.68");
    static const char *const others[][2] = {{"price", "b"}, {"level", "a"}, {"pric", "ea"}, {"price", "a2"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cache_bed_get(bed, others[i][0], others[i][1], &found);
        assert_int_equal(found.verdict, CACHE_MISS);
    }
}

static void test_a_value_may_be_any_bytes_up_to_the_maximum(struct cache_bed *bed) {
    static char bytes[CACHE_VALUE_MAX + 1];
    static const size_t sizes[] = {0, 1, 4096, CACHE_VALUE_MAX};
    static struct cache_found found;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    cache_bed_keep(bed, "space", "with a generation", "", LONG_MS);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char key[32];
        snprintf(key, sizeof key, "%zu bytes", sizes[i]);
        cache_bed_get(bed, "space", key, &found);
        cache_put(bed->cache, STR("space"), str_c(key), str_n(bytes, sizes[i]), LONG_MS, found.ticket);
        cache_bed_get(bed, "space", key, &found);
        assert_int_equal(found.verdict, CACHE_HIT);
        assert_int_equal(found.len, sizes[i]);
        assert_memory_equal(found.value, bytes, sizes[i]);
    }
    cache_bed_get(bed, "space", "too much", &found);
    cache_put(bed->cache, STR("space"), STR("too much"), str_n(bytes, sizeof bytes), LONG_MS, found.ticket);
    cache_bed_get(bed, "space", "too much", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
}

static void test_a_value_lives_as_long_as_was_said(struct cache_bed *bed) {
    struct cache_found found;
    cache_bed_keep(bed, "space", "long", "1", LONG_MS);
    cache_bed_get(bed, "space", "short", &found);
    cache_put(bed->cache, STR("space"), STR("short"), STR("1"), 50, found.ticket);
    int64_t begun_ms = clock_now_ms(clock_system());
    do {
        cache_bed_get(bed, "space", "short", &found);
    } while (found.verdict == CACHE_HIT);
    assert_true(clock_now_ms(clock_system()) - begun_ms >= 49); // its own clock may be a part of one ahead
    cache_bed_get(bed, "space", "long", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    cache_put(bed->cache, STR("space"), STR("never"), STR("1"), 0, found.ticket);
    cache_bed_get(bed, "space", "never", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
}

static void test_a_newer_value_takes_the_place_of_the_old_one(struct cache_bed *bed) {
    struct cache_found found;
    cache_bed_keep(bed, "space", "key", "old", LONG_MS);
    cache_bed_get(bed, "space", "key", &found);
    cache_put(bed->cache, STR("space"), STR("key"), STR("a newer one"), LONG_MS, found.ticket);
    cache_bed_get(bed, "space", "key", &found);
    assert_string_equal(found.value, "a newer one");
}

static void test_what_is_dropped_is_gone_and_what_is_beside_it_stays(struct cache_bed *bed) {
    struct cache_found found;
    cache_bed_keep(bed, "space", "a", "1", LONG_MS);
    cache_bed_keep(bed, "space", "b", "2", LONG_MS);
    int64_t connects = cache_bed_stats(bed).connects;
    cache_drop(bed->cache, STR("space"), STR("a"));
    cache_drop(bed->cache, STR("space"), STR("never there"));
    cache_bed_get(bed, "space", "a", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_get(bed, "space", "b", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    assert_int_equal(cache_bed_stats(bed).connects, connects); // nor was anything lost by it
}

static void test_clearing_a_space_leaves_nothing_of_it_and_all_of_the_others(struct cache_bed *bed) {
    struct cache_found found;
    cache_bed_keep(bed, "price", "a", "1", LONG_MS);
    cache_bed_keep(bed, "price", "b", "2", LONG_MS);
    cache_bed_keep(bed, "level", "a", "3", LONG_MS);
    assert_int_equal(cache_bed_clear(bed, "price"), ERR_OK);
    cache_bed_get(bed, "price", "a", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_get(bed, "price", "b", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    cache_bed_get(bed, "level", "a", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    cache_bed_keep(bed, "price", "a", "4", LONG_MS); // and it is a space like any other afterwards
}

// Who asked the source before the space was cleared has an answer from before.
static void test_what_was_asked_for_before_the_clearing_is_not_kept_after_it(struct cache_bed *bed) {
    struct cache_found before, after;
    cache_bed_keep(bed, "price", "other", "1", LONG_MS);
    cache_bed_get(bed, "price", "a", &before);
    assert_int_equal(before.verdict, CACHE_MISS);
    assert_int_not_equal(before.ticket, 0);
    assert_int_equal(cache_bed_clear(bed, "price"), ERR_OK);
    cache_put(bed->cache, STR("price"), STR("a"), STR("of yesterday"), LONG_MS, before.ticket);
    cache_bed_get(bed, "price", "a", &after);
    assert_int_equal(after.verdict, CACHE_MISS);
}

static void test_many_questions_at_once_are_each_answered_with_their_own(struct cache_bed *bed) {
    enum { MANY = 300 };
    struct cache_found *found = calloc(MANY, sizeof *found);
    char key[16], value[16];
    assert_non_null(found);
    for (int i = 0; i < MANY; i += 2) {
        snprintf(key, sizeof key, "k%d", i);
        snprintf(value, sizeof value, "v%d", i);
        cache_bed_keep(bed, "space", key, value, LONG_MS);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_true(cache_bed_ask(bed, "space", key, &found[i]));
    }
    cache_bed_drain(bed);
    for (int i = 0; i < MANY; i++) {
        snprintf(value, sizeof value, "v%d", i);
        assert_int_equal(found[i].verdict, i % 2 == 0 ? CACHE_HIT : CACHE_MISS);
        assert_string_equal(found[i].value, i % 2 == 0 ? value : "");
    }
    free(found);
}

static void test_no_more_wait_than_may(struct cache_bed *bed) {
    struct cache_found found[3];
    cache_free(bed->cache);
    bed->options.waiting_max = 2;
    cache_bed_open(bed, bed->memory.entries_max ? CACHE_IN_MEMORY : CACHE_IN_REDIS);
    struct cache_stats before = cache_bed_stats(bed);
    assert_true(cache_bed_ask(bed, "space", "a", &found[0]));
    assert_true(cache_bed_ask(bed, "space", "b", &found[1]));
    assert_false(cache_bed_ask(bed, "space", "c", &found[2]));
    assert_int_equal(cache_bed_stats(bed).refused, before.refused + 1);
    cache_bed_drain(bed);
    assert_true(cache_bed_ask(bed, "space", "c", &found[2]));
    cache_bed_drain(bed);
}

static void test_when_it_is_stopped_all_that_waits_is_answered_and_nothing_more_asked(struct cache_bed *bed) {
    struct cache_found found[2];
    cache_bed_keep(bed, "space", "key", "value", LONG_MS);
    assert_true(cache_bed_ask(bed, "space", "key", &found[0]));
    cache_stop(bed->cache);
    assert_true(found[0].done);
    assert_false(cache_bed_ask(bed, "space", "key", &found[1]));
    cache_put(bed->cache, STR("space"), STR("key"), STR("value"), LONG_MS, 1);
    cache_drop(bed->cache, STR("space"), STR("key"));
}

static void test_it_counts_what_it_does(struct cache_bed *bed) {
    struct cache_found found;
    cache_bed_keep(bed, "space", "key", "value", LONG_MS);
    struct cache_stats before = cache_bed_stats(bed);
    cache_bed_get(bed, "space", "key", &found);
    cache_bed_get(bed, "space", "key", &found);
    cache_bed_get(bed, "space", "none", &found);
    cache_put(bed->cache, STR("space"), STR("other"), STR("value"), LONG_MS, found.ticket);
    cache_bed_clear(bed, "space");
    struct cache_stats after = cache_bed_stats(bed);
    assert_int_equal(after.gets - before.gets, 3);
    assert_int_equal(after.hits - before.hits, 2);
    assert_int_equal(after.misses - before.misses, 1);
    assert_int_equal(after.puts - before.puts, 1);
    assert_int_equal(after.clears - before.clears, 1);
    assert_int_equal(after.failed, before.failed);
    assert_true(after.get_ns > before.get_ns);
    assert_false(after.down);
}

// ---- In memory ------------------------------------------------------------------------------------------------------

static int64_t set_time(void *ctx) {
    return *(int64_t *)ctx;
}

static void keep_number(struct cache_bed *bed, int i) {
    char key[16];
    struct cache_found found;
    snprintf(key, sizeof key, "%d", i);
    cache_bed_get(bed, "space", key, &found);
    cache_put(bed->cache, STR("space"), str_c(key), STR("0123456789"), LONG_MS, found.ticket);
}

static bool has_number(struct cache_bed *bed, int i) {
    char key[16];
    struct cache_found found;
    snprintf(key, sizeof key, "%d", i);
    cache_bed_get(bed, "space", key, &found);
    return found.verdict == CACHE_HIT;
}

static void open_small(struct cache_bed *bed, uint32_t entries_max, size_t bytes_max) {
    cache_bed_init(bed, NULL);
    bed->memory = (struct cache_memory_options){.entries_max = entries_max, .bytes_max = bytes_max};
    cache_bed_open(bed, CACHE_IN_MEMORY);
}

static void test_what_was_not_used_for_the_longest_time_gives_way(void **state) {
    (void)state;
    struct cache_bed bed;
    open_small(&bed, 3, 1 << 20);
    for (int i = 0; i < 3; i++)
        keep_number(&bed, i);
    assert_true(has_number(&bed, 0)); // used: now 1 is the one
    keep_number(&bed, 3);
    assert_true(has_number(&bed, 0) && has_number(&bed, 2) && has_number(&bed, 3));
    assert_false(has_number(&bed, 1));
    assert_int_equal(cache_bed_stats(&bed).entries, 3);
    assert_int_equal(cache_bed_stats(&bed).evictions, 1);
    cache_bed_close(&bed);
}

static void test_its_bytes_are_bounded_and_counted(void **state) {
    (void)state;
    struct cache_bed bed;
    open_small(&bed, 1000000, 4096);
    for (int i = 0; i < 1000; i++) {
        keep_number(&bed, i);
        assert_true(cache_bed_stats(&bed).bytes <= 4096);
    }
    assert_true(cache_bed_stats(&bed).entries > 10);
    struct cache_found found;
    static char large[5000];
    cache_bed_get(&bed, "space", "large", &found);
    cache_put(bed.cache, STR("space"), STR("large"), str_n(large, sizeof large), LONG_MS, found.ticket);
    assert_true(has_number(&bed, 999)); // it did not push out the others for nothing
    assert_int_equal(cache_bed_clear(&bed, "space"), ERR_OK);
    assert_int_equal(cache_bed_stats(&bed).bytes, 0);
    assert_int_equal(cache_bed_stats(&bed).entries, 0);
    cache_bed_close(&bed);
}

static void test_time_ends_to_the_millisecond(void **state) {
    (void)state;
    struct cache_bed bed;
    struct cache_found found;
    int64_t now_ms = 1000;
    const struct clock clock = {.ctx = &now_ms, .now_ms = set_time};
    cache_bed_init(&bed, NULL);
    bed.options.clock = &clock;
    cache_bed_open(&bed, CACHE_IN_MEMORY);
    cache_bed_get(&bed, "space", "key", &found);
    cache_put(bed.cache, STR("space"), STR("key"), STR("value"), 500, found.ticket);
    now_ms = 1499;
    cache_bed_get(&bed, "space", "key", &found);
    assert_int_equal(found.verdict, CACHE_HIT);
    now_ms = 1500;
    cache_bed_get(&bed, "space", "key", &found);
    assert_int_equal(found.verdict, CACHE_MISS);
    assert_int_equal(cache_bed_stats(&bed).entries, 0);
    cache_bed_close(&bed);
}

// ---- Running --------------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    void (*run)(struct cache_bed *bed);
} cases[] = {
#define CASE(function)                                                                                                 \
    { #function, function }
    CASE(test_what_is_put_is_found_under_its_space_and_key_alone),
    CASE(test_a_value_may_be_any_bytes_up_to_the_maximum),
    CASE(test_a_value_lives_as_long_as_was_said),
    CASE(test_a_newer_value_takes_the_place_of_the_old_one),
    CASE(test_what_is_dropped_is_gone_and_what_is_beside_it_stays),
    CASE(test_clearing_a_space_leaves_nothing_of_it_and_all_of_the_others),
    CASE(test_what_was_asked_for_before_the_clearing_is_not_kept_after_it),
    CASE(test_many_questions_at_once_are_each_answered_with_their_own),
    CASE(test_no_more_wait_than_may),
    CASE(test_when_it_is_stopped_all_that_waits_is_answered_and_nothing_more_asked),
    CASE(test_it_counts_what_it_does),
#undef CASE
};
enum { CASES = sizeof cases / sizeof cases[0], KINDS = 2, NAME_BYTES = 128 };

struct run {
    size_t i;
    enum cache_kind kind;
};

static void run_case(void **state) {
    static const struct str flush[] = {{"FLUSHALL", 8}};
    const struct run *run = *state;
    struct cache_bed bed;
    char answer[16];
    cache_bed_init(&bed, run->kind == CACHE_IN_REDIS ? server : NULL);
    if (run->kind == CACHE_IN_REDIS) {
        redis_ask(server, answer, sizeof answer, flush, 1);
        bed.memory.entries_max = 0;
    }
    cache_bed_open(&bed, run->kind);
    cases[run->i].run(&bed);
    cache_bed_close(&bed);
}

int main(void) {
    static const char *const kinds[KINDS] = {"memory", "redis"};
    static struct run runs[CASES * KINDS];
    static char names[CASES * KINDS][NAME_BYTES];
    static struct CMUnitTest tests[CASES * KINDS];
    const struct CMUnitTest memory[] = {
        cmocka_unit_test(test_what_was_not_used_for_the_longest_time_gives_way),
        cmocka_unit_test(test_its_bytes_are_bounded_and_counted),
        cmocka_unit_test(test_time_ends_to_the_millisecond),
    };
    for (size_t i = 0; i < CASES * KINDS; i++) {
        runs[i] = (struct run){.i = i % CASES, .kind = i < CASES ? CACHE_IN_MEMORY : CACHE_IN_REDIS};
        snprintf(names[i], sizeof names[i], "%s: %s", kinds[i / CASES], cases[i % CASES].name);
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = run_case, .initial_state = &runs[i]};
    }
    server = redis_start(NULL);
    int failed = cmocka_run_group_tests_name("cache in memory", memory, NULL, NULL) +
                 _cmocka_run_group_tests("cache contract", tests, CASES * KINDS, NULL, NULL);
    redis_stop(server);
    return failed;
}
