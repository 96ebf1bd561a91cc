// TLS and mutual TLS from files: who is let in, who a caller is, and certificates that are replaced.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"
#include "tests/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char folder[SCRATCH_PATH_MAX];

// "<folder>/<name>", from a ring of buffers.
static const char *file(const char *name) {
    static char paths[64][SCRATCH_PATH_MAX + 32];
    static size_t next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_certificates(void **state) {
    (void)state;
    int status;
    if (!scratch_make("tls", folder))
        return -1;
    const char *const args[] = {"tests/rpc/certificates.sh", folder, NULL};
    if (waitpid(echo_spawn(args), &status, 0) < 0)
        return -1;
    return status;
}

static int remove_certificates(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

static struct rpc_server_options serving(const char *client_ca) {
    return (struct rpc_server_options){.tls = {.certificate = file("old-server.pem"),
                                               .key = file("old-server.key"),
                                               .client_ca = client_ca ? file(client_ca) : NULL}};
}

// A call over a channel of its own.
static void call_with(struct echo *echo, const struct rpc_channel_options *options, struct echo_got *got) {
    struct error error = {0};
    rpc_channel_close(echo->channel);
    echo->channel = rpc_channel_open(echo->loop, echo->target, options, &error);
    if (!echo->channel)
        fail_msg("%s", error.text);
    EchoRequest request = ECHO_REQUEST;
    echo_call(echo, &echo_method, &request, got);
}

static struct rpc_channel_options client(const char *authority, const char *name) {
    char certificate[32], key[32], ca[32];
    snprintf(ca, sizeof ca, "%s-ca.pem", authority);
    snprintf(certificate, sizeof certificate, "%s-%s.pem", authority, name ? name : "");
    snprintf(key, sizeof key, "%s-%s.key", authority, name ? name : "");
    return (struct rpc_channel_options){
        .ca = file(ca), .certificate = name ? file(certificate) : NULL, .key = name ? file(key) : NULL};
}

static void assert_refused(const struct echo_got *got) {
    assert_int_equal(got->status, 14);
    assert_int_equal(got->outcome, OUTCOME_RETRY); // nothing was sent
}

static void a_server_proves_who_it_is(void **state) {
    (void)state;
    struct echo echo;
    struct rpc_server_options options = serving(NULL);
    struct rpc_channel_options right = client("old", NULL), wrong = client("new", NULL);
    echo_start(&echo, &options, NULL);
    struct echo_got got;
    call_with(&echo, &right, &got);
    assert_int_equal(got.status, 0);
    assert_string_equal(got.caller, "anonymous");
    call_with(&echo, &wrong, &got);
    assert_refused(&got);
    call_with(&echo, NULL, &got); // plaintext
    assert_int_not_equal(got.status, 0);
    echo_stop(&echo);
}

static void the_expected_name_must_be_in_the_certificate(void **state) {
    (void)state;
    struct echo echo;
    struct rpc_server_options options = serving(NULL);
    echo_start(&echo, &options, NULL);
    struct rpc_channel_options expecting = client("old", NULL);
    struct echo_got got;
    expecting.server_name = "localhost";
    call_with(&echo, &expecting, &got);
    assert_int_equal(got.status, 0);
    expecting.server_name = "another.example";
    call_with(&echo, &expecting, &got);
    assert_refused(&got);
    echo_stop(&echo);
}

static void a_caller_is_who_its_certificate_says(void **state) {
    (void)state;
    struct echo echo;
    struct rpc_server_options options = serving("old-ca.pem");
    struct rpc_channel_options shop = client("old", "shop"), spiffe = client("old", "spiffe");
    struct rpc_channel_options nobody = client("old", NULL), stranger = client("new", "shop");
    struct rpc_channel_options too_long = client("old", "long");
    stranger.ca = file("old-ca.pem");
    echo_start(&echo, &options, NULL);
    struct echo_got got;
    call_with(&echo, &shop, &got);
    assert_int_equal(got.status, 0);
    assert_string_equal(got.caller, "shop-frontend");
    call_with(&echo, &spiffe, &got);
    assert_string_equal(got.caller, "spiffe://example.org/ns/trade/sa/gateway");
    call_with(&echo, &too_long, &got);
    assert_int_equal(got.status, 16);
    assert_string_equal(got.reason, "UNAUTHENTICATED");
    call_with(&echo, &nobody, &got);
    assert_int_not_equal(got.status, 0);
    call_with(&echo, &stranger, &got);
    assert_int_not_equal(got.status, 0);
    assert_int_equal(echo.service.calls, 2);
    echo_stop(&echo);
}

static bool only_certified(void *ctx, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
                           struct error *error) {
    (void)ctx;
    (void)in;
    if (!caller->authenticated || !str_eq_c(identity, "shop-frontend"))
        return error_set(error, ERR_UNAUTHENTICATED, NULL);
    caller->scopes = RPC_TRADE;
    return str_copy(STR("the shop"), caller->name, sizeof caller->name);
}

static void the_authorizer_gets_the_identity(void **state) {
    (void)state;
    struct echo echo;
    struct rpc_server_options options = serving("old-ca.pem");
    options.authorize = only_certified;
    struct rpc_channel_options shop = client("old", "shop"), spiffe = client("old", "spiffe");
    echo_start(&echo, &options, NULL);
    struct echo_got got;
    call_with(&echo, &shop, &got);
    assert_string_equal(got.caller, "the shop");
    call_with(&echo, &spiffe, &got);
    assert_int_equal(got.status, 16);
    echo_stop(&echo);
}

// Written beside it and renamed, as what rotates certificates does.
static void copy(const char *from, const char *to) {
    char bytes[8192];
    FILE *in = fopen(file(from), "r"), *out = fopen(file("next"), "w");
    assert_non_null(in);
    assert_non_null(out);
    size_t len = fread(bytes, 1, sizeof bytes, in);
    assert_in_range(len, 1, sizeof bytes - 1);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(in) | fclose(out), 0);
    assert_int_equal(rename(file("next"), file(to)), 0);
}

static void replaced_certificates_serve_without_a_restart(void **state) {
    (void)state;
    copy("old-server.pem", "live.pem");
    copy("old-server.key", "live.key");
    copy("old-ca.pem", "trusted.pem");
    struct rpc_server_options options = {
        .tls = {.certificate = file("live.pem"), .key = file("live.key"), .client_ca = file("trusted.pem")}};
    struct echo echo;
    echo_start(&echo, &options, NULL);
    struct rpc_channel_options old = client("old", "shop"), new = client("new", "shop");
    struct echo_got got;
    call_with(&echo, &new, &got);
    assert_int_not_equal(got.status, 0);
    call_with(&echo, &old, &got);
    assert_int_equal(got.status, 0);
    struct rpc_channel *before = echo.channel;
    echo.channel = NULL;

    copy("new-server.key", "live.key");
    copy("new-server.pem", "live.pem");
    copy("new-ca.pem", "trusted.pem");
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo.loop)) + ECHO_PATIENCE_MS;
    do {
        call_with(&echo, &new, &got);
        assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) < end_ms);
    } while (got.status != 0);
    assert_string_equal(got.caller, "shop-frontend");
    call_with(&echo, &old, &got);
    assert_int_not_equal(got.status, 0);
    // A connection that is there stays.
    rpc_channel_close(echo.channel);
    echo.channel = before;
    EchoRequest request = ECHO_REQUEST;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

static void a_client_follows_its_files_too(void **state) {
    (void)state;
    copy("new-ca.pem", "client-trusts.pem"); // not the server's, yet
    struct rpc_server_options options = serving(NULL);
    struct echo echo;
    echo_start(&echo, &options, NULL);
    struct rpc_channel_options following = {.ca = file("client-trusts.pem")};
    struct echo_got got;
    call_with(&echo, &following, &got);
    assert_refused(&got);
    copy("old-ca.pem", "client-trusts.pem");
    EchoRequest request = ECHO_REQUEST;
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo.loop)) + ECHO_PATIENCE_MS;
    do {
        echo_call(&echo, &echo_method, &request, &got);
        assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) < end_ms);
    } while (got.status != 0);
    echo_stop(&echo);
}

static void a_file_that_is_missing_is_named(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    struct {
        struct rpc_tls tls;
        const char *text;
    } wrong[] = {
        {{"/no/certificate", file("old-server.key"), NULL}, "the certificate /no/certificate can't be read"},
        {{file("old-server.pem"), "/no/key", NULL}, "the private key /no/key can't be read"},
        {{file("old-server.pem"), file("old-server.key"), "/no/ca"}, "the CA certificate /no/ca can't be read"},
        {{file("old-server.pem"), NULL, NULL}, "a certificate and its key must be given together"},
        {{NULL, NULL, file("old-ca.pem")}, "a server with TLS needs a certificate"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rpc_server *server =
            rpc_server_new(loop, &(struct rpc_server_options){.listen = listen, .tls = wrong[i].tls});
        struct error error = {0};
        assert_false(rpc_server_start(server, &error));
        assert_int_equal(error.code, ERR_CONFIG_INVALID);
        assert_string_equal(error.text, wrong[i].text);
        rpc_server_free(server);
    }
    struct error error = {0};
    assert_null(rpc_channel_open(loop, "127.0.0.1:1", &(struct rpc_channel_options){.ca = "/no/ca"}, &error));
    assert_string_equal(error.text, "the CA certificate /no/ca can't be read");
    rpc_loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_proves_who_it_is),
        cmocka_unit_test(the_expected_name_must_be_in_the_certificate),
        cmocka_unit_test(a_caller_is_who_its_certificate_says),
        cmocka_unit_test(the_authorizer_gets_the_identity),
        cmocka_unit_test(replaced_certificates_serve_without_a_restart),
        cmocka_unit_test(a_client_follows_its_files_too),
        cmocka_unit_test(a_file_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
