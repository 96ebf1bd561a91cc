#include "rpc/address.h"

#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Somebody takes connections there. What a dead server left behind doesn't.
static bool unix_in_use(struct str path) {
    if (str_starts(path, STR("//")))
        path = str_n(path.ptr + 2, path.len - 2);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!str_copy(path, address.sun_path, sizeof address.sun_path))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    // EAGAIN: so many connect there that this one would have to wait.
    bool used = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return used;
}

static bool taken(const struct addrinfo *address) {
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); // as gRPC does it: what only lingers is free
    bool used = bind(fd, address->ai_addr, address->ai_addrlen) != 0 && errno == EADDRINUSE;
    close(fd);
    return used;
}

// What "host:port" stands for; NULL when that can't be found out. For freeaddrinfo().
static struct addrinfo *find(const char *text) {
    char host[256];
    const char *colon = strrchr(text, ':');
    struct str name = str_n(text, colon ? (size_t)(colon - text) : 0);
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = str_n(name.ptr + 1, name.len - 2);
    if (str_empty(name) || !str_copy(name, host, sizeof host))
        return NULL;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
    return getaddrinfo(host, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static bool tcp_in_use(const char *text) {
    struct addrinfo *found = find(text);
    bool used = false;
    for (const struct addrinfo *address = found; address; address = address->ai_next)
        used |= taken(address);
    if (found)
        freeaddrinfo(found);
    return used;
}

bool rpc_address_in_use(const char *address) {
    struct str scheme = STR("unix:"), text = str_c(address);
    if (str_starts(text, scheme))
        return unix_in_use(str_n(text.ptr + scheme.len, text.len - scheme.len));
    return tcp_in_use(address);
}

static uint16_t *port_of(struct sockaddr *address) {
    return address->sa_family == AF_INET6 ? &((struct sockaddr_in6 *)(void *)address)->sin6_port
                                          : &((struct sockaddr_in *)(void *)address)->sin_port;
}

// Bound, but nobody listens: connections go to those who do. Never closed.
static bool reserve(const struct addrinfo *info, uint16_t *port) {
    struct sockaddr_storage address = {0};
    socklen_t length = info->ai_addrlen;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    memcpy(&address, info->ai_addr, length);
    struct sockaddr *bound = (struct sockaddr *)&address;
    if (*port)
        *port_of(bound) = *port;
    bool done = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 && bind(fd, bound, length) == 0 &&
                getsockname(fd, bound, &length) == 0;
    if (done)
        *port = *port_of(bound);
    else if (fd >= 0)
        close(fd);
    return done;
}

bool rpc_address_reserve(const char *address, int *ret_port, struct error *error) {
    if (rpc_address_in_use(address))
        return error_set(error, ERR_CONFIG_INVALID, "address in use: %s: another process listens there", address);
    struct addrinfo *found = find(address);
    uint16_t port = 0;
    bool done = found != NULL;
    for (const struct addrinfo *info = found; done && info; info = info->ai_next)
        done = reserve(info, &port);
    if (found)
        freeaddrinfo(found);
    if (!done)
        return error_set(error, ERR_CONFIG_INVALID, "can't listen on %s", address);
    *ret_port = ntohs(port);
    return true;
}
