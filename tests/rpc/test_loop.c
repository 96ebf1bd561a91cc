// The loop: timers, wake-ups from other threads, signals.
#include "rpc/loop.h"
#include "tests/cmocka.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, TIMERS = 200, THREADS = 3, POSTS = 20000 };

// ---- Timers -------------------------------------------------------------------------------------------------------

struct alarm {
    struct rpc_timer timer;
    struct rpc_loop *loop;
    int64_t due_ms, fired_ms;
    size_t *order;
    size_t place; // 1 for the first that fired
};

static void ring(void *ctx) {
    struct alarm *alarm = ctx;
    alarm->fired_ms = clock_now_ms(rpc_loop_clock(alarm->loop));
    alarm->place = ++*alarm->order;
}

static void timers_fire_once_in_order_and_not_before_their_time(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct alarm alarms[TIMERS] = {0};
    size_t order = 0;
    int64_t now_ms = clock_now_ms(rpc_loop_clock(loop));
    for (size_t i = 0; i < TIMERS; i++) {
        alarms[i] = (struct alarm){.loop = loop, .due_ms = now_ms + (int64_t)(i * 7919 % TIMERS), .order = &order};
        alarms[i].timer = (struct rpc_timer){.fire = ring, .ctx = &alarms[i]};
        rpc_timer_set(loop, &alarms[i].timer, alarms[i].due_ms);
    }
    assert_int_equal(order, 0);
    while (order < TIMERS)
        rpc_loop_once(loop, PATIENCE_MS);
    for (size_t i = 0; i < TIMERS; i++) {
        assert_true(alarms[i].fired_ms >= alarms[i].due_ms);
        for (size_t k = 0; k < TIMERS; k++)
            assert_true(alarms[i].due_ms <= alarms[k].due_ms || alarms[i].place > alarms[k].place);
    }
    rpc_loop_once(loop, 0);
    assert_int_equal(order, TIMERS);
    rpc_loop_free(loop);
}

static void a_timer_can_be_moved_and_stopped(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    size_t order = 0;
    struct alarm moved = {.loop = loop, .order = &order}, stopped = moved, last = moved;
    int64_t now_ms = clock_now_ms(rpc_loop_clock(loop));
    moved.timer = (struct rpc_timer){.fire = ring, .ctx = &moved};
    stopped.timer = (struct rpc_timer){.fire = ring, .ctx = &stopped};
    last.timer = (struct rpc_timer){.fire = ring, .ctx = &last};
    rpc_timer_set(loop, &moved.timer, now_ms + PATIENCE_MS);
    rpc_timer_set(loop, &stopped.timer, now_ms + 1);
    rpc_timer_set(loop, &last.timer, now_ms + 20);
    rpc_timer_set(loop, &moved.timer, now_ms + 2);
    rpc_timer_stop(loop, &stopped.timer);
    rpc_timer_stop(loop, &stopped.timer);
    while (!last.place)
        rpc_loop_once(loop, PATIENCE_MS);
    assert_int_equal(moved.place, 1);
    assert_int_equal(stopped.place, 0);
    rpc_loop_free(loop);
}

struct tireless {
    struct rpc_timer timer;
    struct rpc_loop *loop;
    size_t rounds;
};

static void set_again(void *ctx) {
    struct tireless *tireless = ctx;
    tireless->rounds++;
    rpc_timer_set(tireless->loop, &tireless->timer, 0);
}

static void a_timer_that_is_always_due_leaves_the_loop_to_others(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct tireless tireless = {.loop = loop};
    tireless.timer = (struct rpc_timer){.fire = set_again, .ctx = &tireless};
    rpc_timer_set(loop, &tireless.timer, 0);
    rpc_loop_once(loop, 0);
    rpc_loop_once(loop, 0);
    assert_int_equal(tireless.rounds, 2);
    rpc_timer_stop(loop, &tireless.timer);
    rpc_loop_free(loop);
}

static void stop(void *loop) {
    rpc_loop_stop(loop);
}

static void running_ends_when_it_is_stopped(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct rpc_timer timer = {.fire = stop, .ctx = loop};
    for (size_t i = 0; i < 2; i++) {
        rpc_timer_set(loop, &timer, clock_now_ms(rpc_loop_clock(loop)) + 5);
        rpc_loop_run(loop);
    }
    rpc_loop_free(loop);
}

// ---- Waking -------------------------------------------------------------------------------------------------------

// A stack of results that threads push and the loop takes as a whole.
struct item {
    struct item *next;
    size_t number;
};

struct mailbox {
    struct rpc_loop *loop;
    _Atomic(struct item *) head;
    size_t taken, sum, polls;
};

static void *post(void *ctx) {
    struct mailbox *mailbox = ctx;
    for (size_t i = 1; i <= POSTS; i++) {
        struct item *item = malloc(sizeof *item);
        assert_non_null(item);
        item->number = i;
        item->next = atomic_load(&mailbox->head);
        while (!atomic_compare_exchange_weak(&mailbox->head, &item->next, item))
            ;
        rpc_loop_wake(mailbox->loop);
    }
    return NULL;
}

static void collect(void *ctx) {
    struct mailbox *mailbox = ctx;
    mailbox->polls++;
    struct item *item = atomic_exchange(&mailbox->head, NULL);
    while (item) {
        struct item *next = item->next;
        mailbox->sum += item->number;
        mailbox->taken++;
        free(item);
        item = next;
    }
}

static void threads_that_wake_the_loop_lose_nothing(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct mailbox mailbox = {.loop = loop};
    struct rpc_waker waker = {.poll = collect, .ctx = &mailbox};
    rpc_loop_add_waker(loop, &waker);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post, &mailbox), 0);
    while (mailbox.taken < (size_t)THREADS * POSTS)
        rpc_loop_once(loop, PATIENCE_MS);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mailbox.sum, (size_t)THREADS * POSTS * (POSTS + 1) / 2);
    rpc_loop_remove_waker(loop, &waker);
    rpc_loop_free(loop);
}

static void many_wakes_at_once_cost_one_round(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct mailbox mailbox = {.loop = loop};
    struct rpc_waker waker = {.poll = collect, .ctx = &mailbox};
    rpc_loop_add_waker(loop, &waker);
    for (size_t i = 0; i < 1000; i++)
        rpc_loop_wake(loop);
    rpc_loop_once(loop, PATIENCE_MS);
    rpc_loop_once(loop, 0);
    assert_int_equal(mailbox.polls, 1);
    rpc_loop_remove_waker(loop, &waker);
    rpc_loop_free(loop);
}

struct leaver {
    struct rpc_waker waker, *other;
    struct rpc_loop *loop;
    size_t polls;
};

static void leave_with_the_other(void *ctx) {
    struct leaver *leaver = ctx;
    leaver->polls++;
    rpc_loop_remove_waker(leaver->loop, &leaver->waker);
    rpc_loop_remove_waker(leaver->loop, leaver->other);
}

static void wakers_may_be_removed_by_a_waker(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct leaver a = {.loop = loop}, b = a;
    a.waker = (struct rpc_waker){.poll = leave_with_the_other, .ctx = &a};
    b.waker = (struct rpc_waker){.poll = leave_with_the_other, .ctx = &b};
    a.other = &b.waker;
    b.other = &a.waker;
    rpc_loop_add_waker(loop, &a.waker);
    rpc_loop_add_waker(loop, &b.waker);
    rpc_loop_wake(loop);
    rpc_loop_once(loop, PATIENCE_MS);
    assert_int_equal(a.polls + b.polls, 1);
    rpc_loop_free(loop);
}

// ---- Rest ---------------------------------------------------------------------------------------------------------

struct resting {
    struct rpc_loop *loop;
    struct rpc_rest rest;
    size_t rests, fires, fires_before;
};

static void count_rest(void *ctx) {
    struct resting *resting = ctx;
    resting->rests++;
    resting->fires_before = resting->fires;
}

static void ask_and_wake(void *ctx) {
    struct resting *resting = ctx;
    resting->fires++;
    rpc_loop_at_rest(resting->loop, &resting->rest);
    rpc_loop_at_rest(resting->loop, &resting->rest);
    if (resting->fires < 10)
        rpc_loop_wake(resting->loop); // ready at once
}

static void what_is_done_at_rest_is_done_once_when_nothing_is_ready(void **state) {
    (void)state;
    struct resting resting = {.loop = rpc_loop_new()};
    struct rpc_waker waker = {.poll = ask_and_wake, .ctx = &resting};
    resting.rest = (struct rpc_rest){.run = count_rest, .ctx = &resting};
    rpc_loop_add_waker(resting.loop, &waker);
    rpc_loop_wake(resting.loop);
    while (resting.fires_before < 10)
        rpc_loop_once(resting.loop, PATIENCE_MS);
    assert_int_equal(resting.fires, 10);
    assert_true(resting.rests < 10);
    rpc_loop_once(resting.loop, 0);
    assert_false(resting.rest.asked);
    rpc_loop_free(resting.loop);
}

static void wake_until_rested(void *ctx) {
    struct resting *resting = ctx;
    resting->fires++;
    if (resting->rests == 0)
        rpc_loop_wake(resting->loop);
}

static void stop_resting(void *ctx) {
    struct resting *resting = ctx;
    resting->rests++;
    rpc_loop_stop(resting->loop);
}

static void a_loop_that_always_has_something_to_do_rests_all_the_same(void **state) {
    (void)state;
    struct resting resting = {.loop = rpc_loop_new()};
    struct rpc_waker waker = {.poll = wake_until_rested, .ctx = &resting};
    resting.rest = (struct rpc_rest){.run = stop_resting, .ctx = &resting};
    rpc_loop_add_waker(resting.loop, &waker);
    rpc_loop_wake(resting.loop);
    rpc_loop_at_rest(resting.loop, &resting.rest);
    rpc_loop_run(resting.loop);
    assert_int_equal(resting.rests, 1);
    assert_true(resting.fires <= 2 * RPC_REST_AFTER);
    rpc_loop_once(resting.loop, PATIENCE_MS); // the last of them
    rpc_loop_free(resting.loop);
}

// ---- Signals ------------------------------------------------------------------------------------------------------

struct caught {
    size_t terms, hups;
};

static void note(void *ctx, int number) {
    struct caught *caught = ctx;
    caught->terms += number == SIGTERM;
    caught->hups += number == SIGHUP;
}

static void signals_arrive_as_calls_on_the_loop(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    struct caught caught = {0};
    struct error error = {0};
    const int signals[] = {SIGTERM, SIGHUP};
    assert_true(rpc_loop_on_signal(loop, signals, 2, note, &caught, &error));
    kill(getpid(), SIGTERM);
    while (!caught.terms)
        rpc_loop_once(loop, PATIENCE_MS);
    kill(getpid(), SIGHUP);
    while (!caught.hups)
        rpc_loop_once(loop, PATIENCE_MS);
    assert_int_equal(caught.terms, 1);
    rpc_loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_in_order_and_not_before_their_time),
        cmocka_unit_test(a_timer_can_be_moved_and_stopped),
        cmocka_unit_test(a_timer_that_is_always_due_leaves_the_loop_to_others),
        cmocka_unit_test(running_ends_when_it_is_stopped),
        cmocka_unit_test(threads_that_wake_the_loop_lose_nothing),
        cmocka_unit_test(many_wakes_at_once_cost_one_round),
        cmocka_unit_test(wakers_may_be_removed_by_a_waker),
        cmocka_unit_test(what_is_done_at_rest_is_done_once_when_nothing_is_ready),
        cmocka_unit_test(a_loop_that_always_has_something_to_do_rests_all_the_same),
        cmocka_unit_test(signals_arrive_as_calls_on_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
