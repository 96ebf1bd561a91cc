// What must hold between several keys, what the named files hold, and the values that follow from others.
#include "orchestrator/config_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_PATH_MAX = 96, SECRET_FILE_MAX = 4096 };

// ---- Files --------------------------------------------------------------------------------------------------------

static bool read_whole(const char *path, char *out, size_t size, size_t *ret_len, const char **ret_why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *ret_why = strerrordesc_np(errno);
        return false;
    }
    struct stat info;
    ssize_t n = -1;
    *ret_why = "not a file";
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        n = read(fd, out, size);
        *ret_why = n < 0 ? strerrordesc_np(errno) : "too large";
    }
    close(fd);
    if (n < 0 || (size_t)n == size)
        return false;
    *ret_len = (size_t)n;
    return true;
}

// The content without the line end that editors put behind it.
static void read_secret(struct config_reader *reader, const char *key, const char *path, size_t min, size_t max,
                        struct str *ret_secret) {
    char bytes[SECRET_FILE_MAX];
    size_t n;
    const char *why;
    if (!read_whole(path, bytes, sizeof bytes, &n, &why)) {
        config_fault(reader, key, "%s can't be read: %s", path, why);
        return;
    }
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    struct str secret = {0};
    if (n < min || n > max)
        config_fault(reader, key, "expected %s to hold %zu to %zu bytes, got %zu", path, min, max, n);
    else if (!(secret = arena_str(&reader->config->arena, str_n(bytes, n))).ptr)
        config_fault(reader, key, "no memory for the configuration");
    else
        *ret_secret = secret;
    explicit_bzero(bytes, sizeof bytes);
}

static void check_timezone(struct config_reader *reader) {
    const char *zone = reader->config->trade.timezone;
    char path[128];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    bool is_rule = strpbrk(zone, "0123456789") && !strchr(zone, '/');
    if (!is_rule && strcmp(zone, "UTC") != 0 && access(path, R_OK) != 0)
        config_fault(reader, "trade.timezone",
                     "the system has no time zone \"%s\" (package tzdata); a POSIX rule such as CST-8 needs none",
                     zone);
}

// ---- Rules --------------------------------------------------------------------------------------------------------

enum { KEYS_DAYS_MIN = 30 }; // what participants promise (participant/type/v1/effect.proto)

static void in_order(struct config_reader *reader, const char *lesser, uint32_t a, const char *greater, uint32_t b) {
    if (a > b)
        config_fault(reader, lesser, "expected at most %s, which is %u, got %u", greater, b, a);
}

static void check_pair(struct config_reader *reader, const char *section, const char *certificate, const char *key) {
    char path[KEY_PATH_MAX];
    snprintf(path, sizeof path, "%s.%s", section, certificate ? "certificate" : "key");
    if (!certificate != !key)
        config_fault(reader, path, "expected '%s' beside it; a certificate and its key come together",
                     certificate ? "key" : "certificate");
}

static void check_gate(struct config_reader *reader, const char *section, const struct config_gate *gate) {
    char first[KEY_PATH_MAX], longest[KEY_PATH_MAX];
    snprintf(first, sizeof first, "%s.open_first_ms", section);
    snprintf(longest, sizeof longest, "%s.open_max_ms", section);
    in_order(reader, first, gate->open_first_ms, longest, gate->open_max_ms);
}

static void check_gates(struct config_reader *reader) {
    const struct config *c = reader->config;
    for (int i = 0; i < CONFIG_SYSTEMS; i++) {
        char section[KEY_PATH_MAX / 2];
        snprintf(section, sizeof section, "participants.%s", config_system_name((enum config_system)i));
        check_gate(reader, section, &c->participants[i].gate);
    }
    check_gate(reader, "targets", &c->targets.gate);
}

static void check_orders(struct config_reader *reader) {
    const struct config *c = reader->config;
    in_order(reader, "trade.order_ttl_s", c->trade.order_ttl_s, "trade.order_ttl_max_s", c->trade.order_ttl_max_s);
    in_order(reader, "payment.query_first_ms", c->payment.query_first_ms, "payment.query_max_ms",
             c->payment.query_max_ms);
    if (c->limits.keys_days > 0 && c->limits.keys_days < KEYS_DAYS_MIN)
        config_fault(reader, "limits.keys_days", "expected 0 or at least %d, as participants promise, got %u",
                     KEYS_DAYS_MIN, c->limits.keys_days);
    in_order(reader, "store.batch_max", c->store.batch_max, "store.queue_max", c->store.queue_max);
    in_order(reader, "store.retry_first_ms", c->store.retry_first_ms, "store.retry_max_ms", c->store.retry_max_ms);
    static const char *const names[] = {"retry.quick", "retry.stubborn", "retry.leisurely"};
    for (int i = 0; i < CONFIG_PATIENCES; i++) {
        char first[KEY_PATH_MAX], longest[KEY_PATH_MAX];
        snprintf(first, sizeof first, "%s.first_ms", names[i]);
        snprintf(longest, sizeof longest, "%s.max_ms", names[i]);
        in_order(reader, first, c->retry[i].first_ms, longest, c->retry[i].max_ms);
    }
}

static void check_tls(struct config_reader *reader) {
    const struct config *c = reader->config;
    check_pair(reader, "tls", c->tls.certificate, c->tls.key);
    if (c->tls.client_ca && !c->tls.certificate)
        config_fault(reader, "tls.client_ca", "expected 'certificate' and 'key' beside it");
    check_pair(reader, "submit", c->submit.certificate, c->submit.key);
    if (c->submit.certificate && !c->submit.tls_ca)
        config_fault(reader, "submit.certificate",
                     "expected 'tls_ca' beside it; without it the connections are in plain text");
    for (int i = 0; i < CONFIG_SYSTEMS; i++) {
        const struct config_participant *p = &c->participants[i];
        char section[KEY_PATH_MAX], path[2 * KEY_PATH_MAX];
        snprintf(section, sizeof section, "participants.%s", config_system_name((enum config_system)i));
        check_pair(reader, section, p->certificate, p->key);
        snprintf(path, sizeof path, "%s.%s", section, p->certificate ? "certificate" : "server_name");
        if ((p->certificate || p->server_name) && !p->tls_ca)
            config_fault(reader, path, "expected 'tls_ca' beside it; without it the connection is in plain text");
    }
}

static void check_cache(struct config_reader *reader) {
    const struct config_cache *cache = &reader->config->cache;
    in_order(reader, "cache.retry_first_ms", cache->retry_first_ms, "cache.retry_max_ms", cache->retry_max_ms);
    if (cache->user && !cache->password_file)
        config_fault(reader, "cache.user", "expected 'password_file' beside it");
}

static void check_callers(struct config_reader *reader) {
    const struct config *c = reader->config;
    for (size_t i = 0; i < c->n_callers; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->callers[i].name, c->callers[k].name) != 0)
                continue;
            char path[KEY_PATH_MAX];
            snprintf(path, sizeof path, "callers[%zu].name", i);
            config_fault(reader, path, "callers[%zu] has the same name", k);
            break;
        }
    }
}

// The names of flows in a section that has each once: `name` is the i-th.
static void check_flows(struct config_reader *reader, const char *section,
                        const char *(*name)(const struct config *, size_t), size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            char path[KEY_PATH_MAX];
            if (strcmp(name(reader->config, i), name(reader->config, k)) != 0)
                continue;
            snprintf(path, sizeof path, "%s[%zu].flow", section, i);
            config_fault(reader, path, "%s[%zu] is of the same flow", section, k);
            break;
        }
}

static const char *kept_flow(const struct config *config, size_t i) {
    return config->retention.flows[i].flow;
}

static const char *watched_flow(const struct config *config, size_t i) {
    return config->anomaly.flows[i].flow;
}

static void check_keys(struct config_reader *reader) {
    const struct config *c = reader->config;
    for (size_t i = 0; i < c->callback.n_keys; i++) {
        struct config_callback_key *key = &c->callback.keys[i];
        char path[KEY_PATH_MAX];
        snprintf(path, sizeof path, "callback.keys[%zu]", i);
        if (!key->secret_file == !key->secret.ptr)
            config_fault(reader, path, "expected either 'secret_file' or 'secret'");
        for (size_t k = 0; k < i; k++)
            if (strcmp(key->id, c->callback.keys[k].id) == 0)
                config_fault(reader, path, "callback.keys[%zu] has the same id", k);
    }
}

static void read_files(struct config_reader *reader) {
    struct config *c = reader->config;
    for (size_t i = 0; i < c->callback.n_keys; i++) {
        char path[KEY_PATH_MAX];
        snprintf(path, sizeof path, "callback.keys[%zu].secret_file", i);
        if (c->callback.keys[i].secret_file)
            read_secret(reader, path, c->callback.keys[i].secret_file, 16, 256, &c->callback.keys[i].secret);
    }
    if (c->store.password_file)
        read_secret(reader, "store.password_file", c->store.password_file, 1, 256, &c->store.password);
    if (c->cache.password_file)
        read_secret(reader, "cache.password_file", c->cache.password_file, 1, 256, &c->cache.password);
    check_timezone(reader);
}

static void fill_in(struct config_reader *reader) {
    struct config *c = reader->config;
    if (!c->address && strlen(c->listen[0]) > CONFIG_ADDRESS_MAX)
        config_fault(reader, "address", "is needed, because the first of listen has more than %d bytes",
                     CONFIG_ADDRESS_MAX);
    c->own_address = c->address != NULL;
    if (!c->address)
        c->address = c->listen[0];
    if (!c->store.path)
        c->store.path = arena_printf(&c->arena, "%s/txcenter.db", c->data_dir).ptr;
    if (!c->store.path)
        config_fault(reader, "", "no memory for the configuration");
    c->development = !c->tls.certificate && c->n_callers == 0;
}

void config_rules(struct config_reader *reader) {
    check_orders(reader);
    check_gates(reader);
    check_tls(reader);
    check_cache(reader);
    check_callers(reader);
    check_keys(reader);
    check_flows(reader, "retention.flows", kept_flow, reader->config->retention.n_flows);
    check_flows(reader, "anomaly.flows", watched_flow, reader->config->anomaly.n_flows);
    if (reader->files && reader->n_faults == 0)
        read_files(reader);
    fill_in(reader);
}

// ---- Warnings -----------------------------------------------------------------------------------------------------

static bool warns_development(const struct config *c) {
    return c->development;
}
static bool warns_plain_callers(const struct config *c) {
    return c->n_callers > 0 && !c->tls.client_ca;
}
static bool warns_plain_text(const struct config *c) {
    return !c->tls.certificate && !c->development;
}
static bool warns_nobody(const struct config *c) {
    return c->n_callers == 0 && !c->development;
}
static bool warns_no_keys(const struct config *c) {
    return c->callback.n_keys == 0;
}
static bool warns_shared_name(const struct config *c) {
    return c->store.kind == CONFIG_MARIADB && strcmp(c->instance, "txcenter-0") == 0;
}
// The first of listen need not be where others reach it: "any", or a port that is only known here.
static bool warns_address(const struct config *c) {
    struct str address = str_c(c->address);
    const char *port = strrchr(c->address, ':');
    bool any = str_starts(address, STR("0.0.0.0:")) || str_starts(address, STR("[::]:"));
    return c->store.kind == CONFIG_MARIADB && !c->own_address && (any || (port && strcmp(port, ":0") == 0));
}
static bool warns_plain_secret(const struct config *c) {
    for (size_t i = 0; i < c->callback.n_keys; i++)
        if (!c->callback.keys[i].secret_file)
            return true;
    return false;
}

static const struct {
    bool (*holds)(const struct config *config);
    const char *text;
} warnings[] = {
    {warns_development,
     "development: no TLS and no callers, so anybody who can connect may do everything for every tenant"},
    {warns_plain_callers, "callers are believed by their x-caller metadata, because tls.client_ca is not set"},
    {warns_plain_text, "the services are in plain text, because tls.certificate is not set"},
    {warns_nobody, "no callers are configured: every call but health and reflection will be refused"},
    {warns_no_keys, "callback.keys is empty: every callback will be refused, and payments are found by query alone"},
    {warns_shared_name, "instance has its default name on a store that several instances can share"},
    {warns_address, "address is not set, and the first of listen is not where other instances could reach this one"},
    {warns_plain_secret, "a callback key's secret stands in the configuration file; secret_file keeps it apart"},
};

const char *config_warning(const struct config *config, size_t i) {
    for (size_t k = 0; k < sizeof warnings / sizeof warnings[0]; k++)
        if (warnings[k].holds(config) && i-- == 0)
            return warnings[k].text;
    return NULL;
}
