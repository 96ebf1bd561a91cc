// Calls whose message doesn't come: frames of HTTP/2 written by hand, for no client of gRPC's sends them.
#include "rpc/served.h"
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES_MAX = 1024 * 1024 };

// A connection that says what it is told to and nothing else.
struct peer {
    int fd;
    uint32_t stream;
    uint8_t *out;
    size_t n, sent;
    char in[65536]; // what came last
    size_t n_in;
};

static void frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len) {
    assert_true(peer->n + 9 + len <= FRAMES_MAX && len < 65536);
    const uint8_t head[9] = {0,
                             (uint8_t)(len >> 8),
                             (uint8_t)len,
                             type,
                             flags,
                             (uint8_t)(stream >> 24),
                             (uint8_t)(stream >> 16),
                             (uint8_t)(stream >> 8),
                             (uint8_t)stream};
    memcpy(peer->out + peer->n, head, sizeof head);
    memcpy(peer->out + peer->n + sizeof head, payload, len);
    peer->n += sizeof head + len;
}

static size_t field(uint8_t *at, const char *name, const char *value) {
    size_t name_len = strlen(name), value_len = strlen(value), n = 0;
    assert_true(name_len < 127 && value_len < 127);
    at[n++] = 0; // literal, not indexed, not Huffman
    at[n++] = (uint8_t)name_len;
    memcpy(at + n, name, name_len);
    n += name_len;
    at[n++] = (uint8_t)value_len;
    memcpy(at + n, value, value_len);
    return n + value_len;
}

// The headers of one more call of the path; returns its stream.
static uint32_t begin_call(struct peer *peer, const char *path) {
    uint8_t block[512] = {0x83, 0x86}; // POST, http
    size_t n = 2;
    n += field(block + n, ":path", path);
    n += field(block + n, ":authority", "x");
    n += field(block + n, "content-type", "application/grpc");
    n += field(block + n, "te", "trailers");
    frame(peer, 1, 4, peer->stream, block, n);
    peer->stream += 2;
    return peer->stream - 2;
}

static void peer_open(struct peer *peer, const struct echo *echo) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    *peer = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .stream = 1};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)rpc_server_port(echo->server, 0))};
    assert_true(connect(peer->fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
    peer->out = malloc(FRAMES_MAX);
    assert_non_null(peer->out);
    memcpy(peer->out, preface, sizeof preface - 1);
    peer->n = sizeof preface - 1;
    frame(peer, 4, 0, 0, "", 0);
}

static void peer_close(struct peer *peer) {
    close(peer->fd);
    free(peer->out);
}

static void turn(struct echo *echo) {
    rpc_loop_once(echo->loop, 10);
}

static void send_all(struct peer *peer, struct echo *echo) {
    while (peer->sent < peer->n) {
        ssize_t n = send(peer->fd, peer->out + peer->sent, peer->n - peer->sent, MSG_NOSIGNAL);
        assert_true(n > 0 || errno == EAGAIN || errno == ENOTCONN);
        peer->sent += n > 0 ? (size_t)n : 0;
        turn(echo);
    }
}

// Reads until the text has come.
static void hear(struct peer *peer, struct echo *echo, const char *text) {
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo->loop)) + ECHO_PATIENCE_MS;
    while (!memmem(peer->in, peer->n_in, text, strlen(text))) {
        assert_true(clock_now_ms(rpc_loop_clock(echo->loop)) < end_ms);
        ssize_t n = recv(peer->fd, peer->in + peer->n_in, sizeof peer->in - peer->n_in, 0);
        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        peer->n_in += n > 0 ? (size_t)n : 0;
        turn(echo);
    }
}

static const char echo_path[] = "/txcenter.test.v1.EchoService/Echo";

static void stall(struct peer *peer, struct echo *echo, const char *path, size_t n) {
    for (size_t i = 0; i < n; i++)
        begin_call(peer, path);
    send_all(peer, echo);
}

static void until_in_flight(struct echo *echo, uint32_t n) {
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo->loop)) + ECHO_PATIENCE_MS;
    while (rpc_server_in_flight(echo->server) != n) {
        assert_true(clock_now_ms(rpc_loop_clock(echo->loop)) < end_ms);
        turn(echo);
    }
}

// A refused call still takes a turn of the loop to go.
static void until_calls_are_at_most(struct echo *echo, uint32_t most) {
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo->loop)) + ECHO_PATIENCE_MS;
    while (echo->server->calls > most) {
        assert_true(clock_now_ms(rpc_loop_clock(echo->loop)) < end_ms);
        turn(echo);
    }
}

// ---- Tests --------------------------------------------------------------------------------------------------------

static void a_call_counts_from_its_headers_on(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct peer peer;
    peer_open(&peer, &echo);
    stall(&peer, &echo, echo_path, 3);
    until_in_flight(&echo, 3);
    // Its message may still come.
    frame(&peer, 0, 1, 1, "\0\0\0\0\4\x0a\2hi", 9);
    send_all(&peer, &echo);
    until_in_flight(&echo, 2);
    assert_int_equal(echo.service.calls, 1);
    peer_close(&peer);
    until_in_flight(&echo, 0);
    assert_int_equal(echo.service.calls, 1);
    echo_stop(&echo);
}

static void a_call_whose_message_does_not_come_in_time_is_ended(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.peer_wait_ms = 50}, NULL);
    struct peer peer;
    peer_open(&peer, &echo);
    uint32_t late = begin_call(&peer, echo_path);
    frame(&peer, 0, 0, late, "\0\0\0\0\4\x0a", 6); // half of it
    stall(&peer, &echo, echo_path, 1);
    hear(&peer, &echo, "the call's message did not come within 50 ms");
    until_in_flight(&echo, 0);
    assert_int_equal(echo.service.calls, 0);
    peer_close(&peer);
    echo_stop(&echo);
}

static void a_connection_that_says_nothing_is_closed(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.peer_wait_ms = 50}, NULL);
    struct peer peer;
    peer_open(&peer, &echo);
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo.loop)) + ECHO_PATIENCE_MS;
    while (recv(peer.fd, peer.in, sizeof peer.in, 0) != 0) {
        assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) < end_ms);
        turn(&echo);
    }
    peer_close(&peer);
    echo_stop(&echo);
}

static void calls_without_a_message_keep_nobody_out(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 20, .peer_wait_ms = ECHO_PATIENCE_MS}, NULL);
    struct peer peer;
    peer_open(&peer, &echo);
    stall(&peer, &echo, echo_path, 20);
    stall(&peer, &echo, "/grpc.health.v1.Health/Check", 256);
    until_in_flight(&echo, 20);
    struct echo_got got;
    EchoRequest request = ECHO_REQUEST;
    int64_t end_ms = clock_now_ms(rpc_loop_clock(echo.loop)) + ECHO_PATIENCE_MS / 2;
    do {
        assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) < end_ms);
        echo_call(&echo, &echo_method, &request, &got);
    } while (got.status == 8);
    assert_int_equal(got.status, 0);
    hear(&peer, &echo, "the server is full, and the call's message has not come");
    do {
        assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) < end_ms);
        got = (struct echo_got){0};
        rpc_call_bytes(echo.channel, "/grpc.health.v1.Health/Check", STR_NONE,
                       &(struct rpc_call_options){.deadline_ms = ECHO_PATIENCE_MS}, echo_done, &got);
        echo_until(echo.loop, &got.times, 1);
    } while (got.status == 8);
    assert_int_equal(got.status, 0);
    peer_close(&peer);
    echo_stop(&echo);
}

struct payment {
    struct echo *echo;
    struct echo_got got;
};

static void pay(void *ctx) {
    static const struct rpc_call_options patient = {.deadline_ms = ECHO_PATIENCE_MS};
    struct payment *payment = ctx;
    EchoRequest request = ECHO_REQUEST;
    rpc_call(payment->echo->channel, &echo_method, &request.base, &patient, echo_done, &payment->got);
}

// Nor where the server has no rest, and refuses what matters less.
static void a_busy_server_too_lets_a_payment_in_instead_of_them(void **state) {
    (void)state;
    enum { BUSY_MS = 300 }; // longer than a message may take
    struct echo echo;
    echo_start(
        &echo,
        &(struct rpc_server_options){.in_flight_max = 20, .peer_wait_ms = ECHO_PATIENCE_MS, .busy_max_ms = BUSY_MS},
        NULL);
    struct peer peer;
    peer_open(&peer, &echo);
    stall(&peer, &echo, echo_path, 20);
    until_in_flight(&echo, 20);
    struct payment payment = {.echo = &echo};
    echo_rush(&echo, BUSY_MS, pay, &payment, &payment.got.times, 1);
    assert_int_equal(payment.got.status, 0);
    hear(&peer, &echo, "the server is full, and the call's message has not come");
    peer_close(&peer);
    echo_stop(&echo);
}

static void a_flood_that_reads_nothing_is_kept_in_bounds(void **state) {
    (void)state;
    enum { PEERS = 4, CALLS = 2000, IN_FLIGHT_MAX = 50, REFUSED_MAX = 256 };
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = IN_FLIGHT_MAX}, NULL);
    struct peer peers[PEERS];
    int little = 4096;
    for (size_t i = 0; i < PEERS; i++) {
        peer_open(&peers[i], &echo);
        setsockopt(peers[i].fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        stall(&peers[i], &echo, echo_path, CALLS);
        until_calls_are_at_most(&echo, IN_FLIGHT_MAX + REFUSED_MAX);
        assert_in_range(rpc_server_in_flight(echo.server), 0, IN_FLIGHT_MAX);
    }
    struct echo_got got;
    EchoRequest request = ECHO_REQUEST;
    do
        echo_call(&echo, &echo_method, &request, &got);
    while (got.status == 8);
    assert_int_equal(got.status, 0);
    until_calls_are_at_most(&echo, IN_FLIGHT_MAX + REFUSED_MAX);
    for (size_t i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
    until_in_flight(&echo, 0);
    echo_stop(&echo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_counts_from_its_headers_on),
        cmocka_unit_test(a_call_whose_message_does_not_come_in_time_is_ended),
        cmocka_unit_test(a_connection_that_says_nothing_is_closed),
        cmocka_unit_test(calls_without_a_message_keep_nobody_out),
        cmocka_unit_test(a_busy_server_too_lets_a_payment_in_instead_of_them),
        cmocka_unit_test(a_flood_that_reads_nothing_is_kept_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
