#include "orchestrator/storage.h"

#include "base/log.h"
#include "store/backend.h"

#include <errno.h>
#include <sys/stat.h>

enum { CONNECT_TIMEOUT_MS = 2000, PAUSE_FIRST_MS = 250, PAUSE_MAX_MS = 4000, PATH_LENGTH_MAX = 4096 };

static bool make_folder(const char *path, struct error *error) {
    char part[PATH_LENGTH_MAX + 1];
    if (!str_copy(str_c(path), part, sizeof part))
        return error_set(error, ERR_CONFIG_INVALID, "data_dir is too long");
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        mkdir(part, 0755); // what matters is whether the last one can be made
        *at = '/';
    }
    char why[128];
    if (mkdir(part, 0750) != 0 && errno != EEXIST)
        return error_set(error, ERR_CONFIG_INVALID, "data_dir %s can't be made: %s", path,
                         strerror_r(errno, why, sizeof why));
    return true;
}

static struct store_backend *backend_of(const struct config_store *store) {
    if (store->kind == CONFIG_SQLITE)
        return store_sqlite(store->path);
    struct store_mariadb_options options = {
        .host = store->socket ? NULL : store->host,
        .user = store->user,
        .password = store->password.ptr,
        .database = store->database,
        .unix_socket = store->socket,
        .tls_ca = store->tls_ca,
        .port = store->port,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .overlaps = store->write_connections == 2,
    };
    return store_mariadb(&options);
}

static void pause_until(struct rpc_loop *loop, int64_t pause_ms, int64_t until_ms, const bool *stopping) {
    const struct clock *clock = rpc_loop_clock(loop);
    if (clock_now_ms(clock) + pause_ms < until_ms)
        until_ms = clock_now_ms(clock) + pause_ms;
    for (int64_t rest; !*stopping && (rest = until_ms - clock_now_ms(clock)) > 0;)
        rpc_loop_once(loop, rest);
}

bool storage_open(struct rpc_loop *loop, const struct config *config, const struct store_options *options,
                  const bool *stopping, struct store **ret_store, struct error *error) {
    struct store_options all = *options;
    all.instance = config->instance;
    all.address = config->address;
    all.batch_max = config->store.batch_max;
    all.queue_max = config->store.queue_max;
    all.retry_first_ms = config->store.retry_first_ms;
    all.retry_max_ms = config->store.retry_max_ms;
    all.lease_ms = config->cluster.lease_ms;
    if (!make_folder(config->data_dir, error))
        return false;
    int64_t until_ms = clock_now_ms(rpc_loop_clock(loop)) + config->store.start_wait_ms, pause_ms = PAUSE_FIRST_MS;
    while (!store_open(backend_of(&config->store), &all, ret_store, error)) {
        bool waits = config->store.kind == CONFIG_MARIADB && error->code == ERR_STORE_UNAVAILABLE;
        if (!waits || *stopping || clock_now_ms(rpc_loop_clock(loop)) >= until_ms)
            return false;
        LOG(LOG_WARN, "the store does not answer yet", LOG_C("text", error->text));
        pause_until(loop, pause_ms, until_ms, stopping);
        pause_ms = pause_ms < PAUSE_MAX_MS / 2 ? pause_ms * 2 : PAUSE_MAX_MS;
        *error = (struct error){.code = ERR_OK};
    }
    return true;
}
