// The program.
#include "participant/card/v1/card.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "participant/user/v1/user.pb-c.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"
#include "tests/participants/txsim.h"

#include <stdio.h>

static void test_help_names_commands_options_and_systems(void **state) {
    (void)state;
    char out[8192];
    assert_int_equal(txsim_run((const char *const[]){"--help", NULL}, out, sizeof out), 0);
    static const char *const words[] = {"serve", "seed", "--listen", "--callback-key", "payment", "settlement", "NO_ANSWER"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_non_null(strstr(out, words[i]));
    assert_int_equal(txsim_run((const char *const[]){"--version", NULL}, out, sizeof out), 0);
    assert_ptr_equal(strstr(out, "txsim "), out);
}

static void test_a_command_line_that_makes_no_sense_ends_with_2(void **state) {
    (void)state;
    static const char *const bad[][4] = {
        {NULL},
        {"dance", NULL},
        {"serve", "--no-such-option", NULL},
        {"pay", NULL},
        {"pay", "N1", "N2", NULL},
        {"fault", "REJECT", NULL},
        {"fault", "NONSENSE", "order", NULL},
        {"serve", "--listen", NULL},
        {"serve", "--systems", "user,nothing", NULL},
        {"serve", "--users", "many", NULL},
        {"serve", "--center", "127.0.0.1:1", NULL},
        {"serve", "--callback-key", "nosecret", NULL},
    };
    char out[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(txsim_run(bad[i], out, sizeof out), 2);
}

struct served {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    pid_t pid;
    char folder[SCRATCH_PATH_MAX], listen[96];
};

static void serve(struct served *served, const char *systems) {
    struct error error = {0};
    assert_true(scratch_make("txsim", served->folder));
    snprintf(served->listen, sizeof served->listen, "unix:%s/sim", served->folder);
    const char *const args[] = {
        "serve", "--listen",  served->listen, "--data", served->folder, "--seed-world", "--auto-pay",
        "0",     "--systems", systems,        NULL};
    served->pid = txsim_start(args);
    served->loop = rpc_loop_new();
    served->channel = rpc_channel_open(served->loop, served->listen, NULL, &error);
    assert_non_null(served->channel);
}

static void close_served(struct served *served) {
    rpc_channel_close(served->channel);
    rpc_loop_free(served->loop);
    scratch_remove(served->folder);
}

struct called {
    bool done;
    enum outcome outcome;
    size_t faults; // in the answer of ListFaults
};

static void answered(void *ctx, const struct rpc_result *result) {
    struct called *called = ctx;
    called->done = true;
    called->outcome = result->outcome;
    if (result->message && result->message->descriptor == &participant__sim__v1__list_faults_response__descriptor)
        called->faults = fields_count(result->message, "faults");
}

// One call; the deadline is long for a busy machine.
static struct called ask(struct served *served, const struct rpc_method *method, const char *fields) {
    struct arena arena;
    arena_init(&arena, 65536);
    struct called called = {.done = false};
    rpc_call(served->channel, method, fields_make(rpc_method_request(method), fields, &arena),
             &(struct rpc_call_options){.deadline_ms = 20000}, answered, &called);
    while (!called.done)
        rpc_loop_once(served->loop, 1000);
    arena_release(&arena);
    return called;
}

static enum outcome call(struct served *served, const struct rpc_method *method, const char *fields) {
    return ask(served, method, fields).outcome;
}

static const struct rpc_method set_fault = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                            .name = "SetFault"};
static const struct rpc_method list_faults = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                              .name = "ListFaults"};

static const struct rpc_method get_user = {.service = &participant__user__v1__user_service__descriptor,
                                           .name = "GetUser"};
static const struct rpc_method get_card = {.service = &participant__card__v1__card_service__descriptor,
                                           .name = "GetCard"};

static void test_only_the_systems_that_were_asked_for_are_served(void **state) {
    (void)state;
    struct served served;
    serve(&served, "user,oil");
    assert_int_equal(call(&served, &get_user, "effect.op=4 user_id=U0001"), OUTCOME_OK);
    assert_int_not_equal(call(&served, &get_card, "effect.op=4 card_no=C0001"), OUTCOME_OK);
    txsim_kill(served.pid);
    close_served(&served);
}

static void test_sigterm_ends_it_cleanly_and_soon_with_calls_held(void **state) {
    (void)state;
    struct served served;
    serve(&served, "user,sim");
    assert_int_equal(call(&served, &set_fault, "fault.kind=1 fault.delay_ms=3600000 fault.system=user fault.count=1"),
                     OUTCOME_OK);
    struct called held = {.done = false};
    struct arena arena;
    arena_init(&arena, 65536);
    rpc_call(served.channel, &get_user, fields_make(rpc_method_request(&get_user), "effect.op=4 user_id=U0001", &arena),
             &(struct rpc_call_options){.deadline_ms = 60000}, answered, &held);
    while (ask(&served, &list_faults, "").faults > 0) // it has fired once the call is there
        continue;
    assert_int_equal(txsim_stop(served.pid), 0);
    while (!held.done)
        rpc_loop_once(served.loop, 1000);
    assert_int_equal(held.outcome, OUTCOME_RETRY); // it says itself that it did nothing
    arena_release(&arena);
    close_served(&served);
}

static void test_seed_makes_a_world_once_and_serve_finds_it(void **state) {
    (void)state;
    struct served served;
    char out[256], folder[SCRATCH_PATH_MAX];
    assert_true(scratch_make("txsim", folder));
    const char *const seed[] = {"seed", "--data", folder, "--users", "1500", NULL};
    assert_int_equal(txsim_run(seed, out, sizeof out), 0);
    assert_int_equal(txsim_run(seed, out, sizeof out), 0);
    snprintf(served.listen, sizeof served.listen, "unix:%s/sim", folder);
    const char *const args[] = {"serve", "--listen", served.listen, "--data", folder, NULL};
    memcpy(served.folder, folder, sizeof folder);
    struct error error = {0};
    served.pid = txsim_start(args);
    served.loop = rpc_loop_new();
    served.channel = rpc_channel_open(served.loop, served.listen, NULL, &error);
    assert_non_null(served.channel);
    assert_int_equal(call(&served, &get_card, "effect.op=4 card_no=C1500"), OUTCOME_OK);
    assert_int_equal(txsim_stop(served.pid), 0);
    close_served(&served);
}

static void test_an_address_that_is_taken_ends_it_with_1(void **state) {
    (void)state;
    char out[256], folder[SCRATCH_PATH_MAX];
    assert_true(scratch_make("txsim", folder));
    const char *const args[] = {"serve", "--data", folder, "--listen", "256.256.256.256:1", NULL};
    assert_int_equal(txsim_run(args, out, sizeof out), 1);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_names_commands_options_and_systems),
        cmocka_unit_test(test_a_command_line_that_makes_no_sense_ends_with_2),
        cmocka_unit_test(test_only_the_systems_that_were_asked_for_are_served),
        cmocka_unit_test(test_sigterm_ends_it_cleanly_and_soon_with_calls_held),
        cmocka_unit_test(test_seed_makes_a_world_once_and_serve_finds_it),
        cmocka_unit_test(test_an_address_that_is_taken_ends_it_with_1),
    };
    return cmocka_run_group_tests_name("txsim", tests, NULL, NULL);
}
