// A process that serves the API from the samples, and misbehaves where the request asks for it.
#ifndef TXC_TESTS_ORCHESTRATOR_CTL_FAKE_SERVER_H
#define TXC_TESTS_ORCHESTRATOR_CTL_FAKE_SERVER_H

#include <sys/types.h>

struct fake_server {
    pid_t pid;
    int port;
};

// Forks; so it comes before anything of gRPC in this process. Fails the test when the server does not come up.
//
// What it answers, by the trade's number:
//   NONE     TRADE_NOT_FOUND
//   FIELDS   INVALID_REQUEST with ten field violations
//   BUSY     OVERLOADED, again in 200 ms
//   HOSTILE  a refusal whose texts hold escape sequences
//   MUTE     nothing, until the caller's deadline
//   GARBAGE  bytes that are no answer
//   WHO      a trade whose created_by is the caller and whose reason is its request id
//   BROKEN   a watch that breaks off behind each version
//   else     the sample; what changes something answers `processing` when wait_ms is 0
void fake_server_start(struct fake_server *server);
void fake_server_stop(struct fake_server *server);

#endif
