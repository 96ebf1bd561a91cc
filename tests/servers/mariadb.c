#include "tests/servers/mariadb.h"

#include "tests/scratch.h"
#include "tests/servers/process.h"

#include <mysql.h>

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOLDER_MAX = 88, ARGUMENTS_MAX = 48, ARGUMENT_MAX = 512 };

struct mariadb_server {
    char folder[FOLDER_MAX];
    char socket[108];
    struct mariadb_options options;
    struct server_process process;
};

// ---- Arguments --------------------------------------------------------------------------------------------------

struct arguments {
    char texts[ARGUMENTS_MAX][ARGUMENT_MAX];
    char *list[ARGUMENTS_MAX + 1];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *arguments, const char *format, ...) {
    if (arguments->n == ARGUMENTS_MAX)
        server_die("arguments", "too many");
    char *text = arguments->texts[arguments->n];
    va_list args;
    va_start(args, format);
    vsnprintf(text, ARGUMENT_MAX, format, args);
    va_end(args);
    arguments->list[arguments->n++] = text;
    arguments->list[arguments->n] = NULL;
}

static void add_common(struct arguments *arguments, const struct mariadb_server *server) {
    add(arguments, "--no-defaults");
    add(arguments, "--datadir=%s/data", server->folder);
    // Its own: a server that starts removes every server's temporary tables from the folder.
    add(arguments, "--tmpdir=%s/tmp", server->folder);
    add(arguments, "--innodb-log-file-size=8M");
    add(arguments, "--innodb-buffer-pool-size=32M");
    if (geteuid() == 0 && !server->options.as_mysql)
        add(arguments, "--user=root");
}

// NULL: as we are.
static const struct passwd *user_of(const struct mariadb_server *server) {
    if (!server->options.as_mysql || geteuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam("mysql");
    if (!user)
        server_die("user mysql", "there is none");
    return user;
}

// ---- Running ----------------------------------------------------------------------------------------------------

static MYSQL *try_connect(const struct mariadb_server *server, const char *database) {
    MYSQL *mysql = mysql_init(NULL);
    // Whatever a test made the server's defaults.
    if (mysql)
        mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION autocommit = 1");
    if (mysql && !server->options.tidb) {
        mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION max_statement_time = 0");
        mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION tx_read_only = 0");
    }
    if (mysql && mysql_real_connect(mysql, NULL, "root", "", database, 0, server->socket, 0))
        return mysql;
    if (mysql)
        mysql_close(mysql);
    return NULL;
}

static bool answers(void *ctx) {
    MYSQL *mysql = try_connect(ctx, NULL);
    if (mysql)
        mysql_close(mysql);
    return mysql != NULL;
}

static void add_mariadb(const struct mariadb_server *server, struct arguments *arguments) {
    add(arguments, "mariadbd");
    add_common(arguments, server);
    add(arguments, "--socket=%s", server->socket);
    add(arguments, "--pid-file=%s/pid", server->folder);
    if (server->options.port) {
        add(arguments, "--bind-address=127.0.0.1");
        add(arguments, "--port=%u", server->options.port);
    } else {
        add(arguments, "--skip-networking");
    }
    add(arguments, "--skip-name-resolve");
    add(arguments, "--performance-schema=OFF");
    if (server->options.durable) {
        add(arguments, "--log-bin=%s/data/binlog", server->folder);
        add(arguments, "--server-id=1");
        add(arguments, "--sync-binlog=1");
        add(arguments, "--innodb-flush-log-at-trx-commit=1");
    } else {
        // 2: written at each commit, so that kill -9 loses nothing, and flushed once a second.
        add(arguments, "--innodb-flush-log-at-trx-commit=2");
    }
    for (size_t i = 0; server->options.extra && server->options.extra[i]; i++)
        add(arguments, "%s", server->options.extra[i]);
    // Debian has it where only root's PATH leads.
    if (access("/usr/sbin/mariadbd", X_OK) == 0)
        snprintf(arguments->texts[0], ARGUMENT_MAX, "/usr/sbin/mariadbd");
}

// Only its configuration says where it spills to; otherwise two that listen nowhere take the same folder.
static void write_tidb_config(const char *path, const char *folder) {
    FILE *file = fopen(path, "w");
    if (!file || fprintf(file, "tmp-storage-path = \"%s/tmp\"\n", folder) < 0 || fclose(file) != 0)
        server_die(path, strerror(errno));
}

static void add_tidb(const struct mariadb_server *server, struct arguments *arguments) {
    char config[112];
    snprintf(config, sizeof config, "%s/tidb.toml", server->folder);
    write_tidb_config(config, server->folder);
    add(arguments, "build/tidb/tidb-server");
    add(arguments, "-config=%s", config);
    add(arguments, "-store=unistore");
    add(arguments, "-path=%s/data", server->folder);
    add(arguments, "-temp-dir=%s/tmp", server->folder);
    add(arguments, "-log-slow-query=%s/slow.log", server->folder);
    add(arguments, "-socket=%s", server->socket);
    add(arguments, "-host=127.0.0.1");
    add(arguments, "-P=0");
    add(arguments, "-report-status=false");
}

// Whether it answers; false when it ended instead.
static bool try_server(struct mariadb_server *server) {
    unlink(server->socket);
    struct arguments arguments = {0};
    if (server->options.tidb)
        add_tidb(server, &arguments);
    else
        add_mariadb(server, &arguments);
    server->process.pid = server_spawn(server->folder, arguments.list, user_of(server));
    return server_await_or_end(&server->process, answers, server);
}

static void run_server(struct mariadb_server *server) {
    int tries = server->options.unsteady ? 3 : 1;
    while (tries-- > 0)
        if (try_server(server))
            return;
    server_show_log(server->folder);
    server_die(server->process.what, "did not start");
}

static void install(const struct mariadb_server *server) {
    struct arguments arguments = {0};
    add(&arguments, "mariadb-install-db");
    add_common(&arguments, server);
    add(&arguments, "--auth-root-authentication-method=normal");
    add(&arguments, "--skip-test-db");
    add(&arguments, "--force"); // though the host's name can't be looked up, as in a bare container
    pid_t pid = server_spawn(server->folder, arguments.list, user_of(server));
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        server_show_log(server->folder);
        server_die("mariadb-install-db", "failed");
    }
}

// The folder, with one for its data and one for temporary files in it.
static void give_to_mysql(const struct mariadb_server *server) {
    char data[112], tmp[112];
    snprintf(data, sizeof data, "%s/data", server->folder);
    snprintf(tmp, sizeof tmp, "%s/tmp", server->folder);
    if (mkdir(data, 0700) != 0)
        server_die(data, strerror(errno));
    const struct passwd *user = user_of(server);
    if (!user)
        return;
    const char *const folders[] = {server->folder, data, tmp};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (chown(folders[i], user->pw_uid, user->pw_gid) != 0)
            server_die(folders[i], strerror(errno));
}

struct mariadb_server *mariadb_start(const struct mariadb_options *options) {
    struct mariadb_server *server = calloc(1, sizeof *server);
    if (!server)
        server_die("start", "no memory");
    if (options && options->folder) {
        if (snprintf(server->folder, sizeof server->folder, "%s", options->folder) >= (int)sizeof server->folder)
            server_die(options->folder, "the folder's name is too long for a socket in it");
    } else if (!scratch_make("mariadb", server->folder)) {
        server_die(server->folder, strerror(errno));
    }
    snprintf(server->socket, sizeof server->socket, "%s/sock", server->folder);
    if (options)
        server->options = *options;
    server->process = (struct server_process){
        .what = server->options.tidb ? "tidb-server" : "mariadbd", .folder = server->folder, .socket = server->socket};
    char tmp[112];
    snprintf(tmp, sizeof tmp, "%s/tmp", server->folder);
    if (mkdir(tmp, 0700) != 0)
        server_die(tmp, strerror(errno));
    if (server->options.as_mysql)
        give_to_mysql(server);
    if (!server->options.empty && !server->options.tidb)
        install(server);
    run_server(server);
    return server;
}

const char *mariadb_socket(const struct mariadb_server *server) {
    return server->socket;
}

bool mariadb_is_tidb(const struct mariadb_server *server) {
    return server->options.tidb;
}

static bool ended(const struct mariadb_server *server) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)server->process.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static _Noreturn void unreachable(const struct mariadb_server *server) {
    server_show_log(server->folder);
    server_die("connecting", server->socket);
}

// Of the query's answer; false with the server's error when it has none.
static bool ask(MYSQL *mysql, const char *sql, long long *value) {
    if (mysql_real_query(mysql, sql, strlen(sql)) != 0)
        return false;
    MYSQL_RES *result = mysql_store_result(mysql);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    *value = row && row[0] ? strtoll(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    return true;
}

bool mariadb_try_ask(struct mariadb_server *server, const char *database, const char *sql, long long *value) {
    MYSQL *mysql = try_connect(server, database);
    bool answered = mysql && ask(mysql, sql, value);
    if (mysql)
        mysql_close(mysql);
    if (!answered && ended(server))
        unreachable(server);
    return answered;
}

long long mariadb_ask(struct mariadb_server *server, const char *database, const char *sql) {
    MYSQL *mysql = try_connect(server, database);
    if (!mysql && server->process.pid != 0) {
        server_await(&server->process, answers, server);
        mysql = try_connect(server, database);
    }
    if (!mysql)
        unreachable(server);
    long long value;
    if (!ask(mysql, sql, &value))
        server_die(sql, mysql_error(mysql));
    mysql_close(mysql);
    return value;
}

void mariadb_run(struct mariadb_server *server, const char *database, const char *sql) {
    mariadb_ask(server, database, sql);
}

void mariadb_drop_database(struct mariadb_server *server, const char *name) {
    char sql[160];
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS `%s`", name);
    mariadb_run(server, NULL, sql);
}

void mariadb_make_database(struct mariadb_server *server, const char *name) {
    mariadb_drop_database(server, name);
    char sql[160];
    snprintf(sql, sizeof sql, "CREATE DATABASE `%s`", name);
    mariadb_run(server, NULL, sql);
}

void mariadb_kill(struct mariadb_server *server) {
    server_end(&server->process, SIGKILL);
}

void mariadb_shut_down(struct mariadb_server *server) {
    server_end(&server->process, SIGTERM);
}

void mariadb_restart(struct mariadb_server *server) {
    pid_t *pid = &server->process.pid;
    if (*pid != 0 && waitpid(*pid, NULL, WNOHANG) == *pid)
        *pid = 0; // it ended by itself
    if (*pid == 0)
        run_server(server);
}

void mariadb_pause(struct mariadb_server *server) {
    kill(server->process.pid, SIGSTOP);
}

void mariadb_resume(struct mariadb_server *server) {
    kill(server->process.pid, SIGCONT);
}

void mariadb_stop(struct mariadb_server *server) {
    if (!server)
        return;
    mariadb_kill(server);
    if (!server->options.folder)
        scratch_remove(server->folder);
    free(server);
}
