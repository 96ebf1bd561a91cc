#include "tests/servers/mariadb.h"

#include "tests/scratch.h"

#include <mysql.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 60000, FOLDER_MAX = 88, ARGUMENTS_MAX = 48, ARGUMENT_MAX = 512 };

struct mariadb_server {
    char folder[FOLDER_MAX];
    char socket[108];
    struct mariadb_options options;
    pid_t pid; // 0: not running
};

static _Noreturn void die(const char *what, const char *detail) {
    fprintf(stderr, "mariadb for tests: %s: %s\n", what, detail);
    exit(1);
}

// ---- Arguments --------------------------------------------------------------------------------------------------

struct arguments {
    char texts[ARGUMENTS_MAX][ARGUMENT_MAX];
    char *list[ARGUMENTS_MAX + 1];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *arguments, const char *format, ...) {
    if (arguments->n == ARGUMENTS_MAX)
        die("arguments", "too many");
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
    if (geteuid() == 0)
        add(arguments, server->options.as_mysql ? "--user=mysql" : "--user=root");
}

// A child that writes to the server's log and dies with this thread.
static pid_t spawn(const struct mariadb_server *server, struct arguments *arguments) {
    char log[112];
    snprintf(log, sizeof log, "%s/log", server->folder);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        die("fork", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    // Sanitizers of the test program are not the server's.
    unsetenv("LD_PRELOAD");
    execvp(arguments->list[0], arguments->list);
    fprintf(stderr, "%s: %s\n", arguments->list[0], strerror(errno));
    _exit(127);
}

// ---- Running ----------------------------------------------------------------------------------------------------

static void show_log(const struct mariadb_server *server) {
    char path[112], line[512];
    snprintf(path, sizeof path, "%s/log", server->folder);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

static MYSQL *try_connect(const struct mariadb_server *server, const char *database) {
    MYSQL *mysql = mysql_init(NULL);
    if (mysql && !server->options.tidb) {
        // Whatever a test made the server's defaults.
        mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION max_statement_time = 0");
        mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION autocommit = 1");
        mysql_options(mysql, MYSQL_INIT_COMMAND, "SET SESSION tx_read_only = 0");
    }
    if (mysql && mysql_real_connect(mysql, NULL, "root", "", database, 0, server->socket, 0))
        return mysql;
    if (mysql)
        mysql_close(mysql);
    return NULL;
}

// The server makes its socket when it is about to listen: an event in the folder, awaited together with its end.
static void await_ready(struct mariadb_server *server) {
    int events = inotify_init1(IN_CLOEXEC), process = (int)syscall(SYS_pidfd_open, server->pid, 0);
    if (events < 0 || process < 0 || inotify_add_watch(events, server->folder, IN_CREATE | IN_ATTRIB) < 0)
        die("waiting", strerror(errno));
    MYSQL *mysql;
    while (!(mysql = try_connect(server, NULL))) {
        struct pollfd fds[] = {{.fd = events, .events = POLLIN}, {.fd = process, .events = POLLIN}};
        // When the socket is there and not yet listened to, the next event may not come: look again soon.
        int wait_ms = access(server->socket, F_OK) == 0 ? 10 : READY_MS;
        int n = poll(fds, 2, wait_ms);
        if ((n == 0 && wait_ms == READY_MS) || fds[1].revents) {
            show_log(server);
            die(server->options.tidb ? "tidb-server" : "mariadbd", "did not start");
        }
        char buffer[4096];
        if (fds[0].revents && read(events, buffer, sizeof buffer) < 0)
            die("waiting", strerror(errno));
    }
    mysql_close(mysql);
    close(events);
    close(process);
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

static void add_tidb(const struct mariadb_server *server, struct arguments *arguments) {
    add(arguments, "build/tidb/tidb-server");
    add(arguments, "-store=unistore");
    add(arguments, "-path=%s/data", server->folder);
    add(arguments, "-temp-dir=%s/tmp", server->folder);
    add(arguments, "-socket=%s", server->socket);
    add(arguments, "-host=127.0.0.1");
    add(arguments, "-P=0");
    add(arguments, "-report-status=false");
}

static void run_server(struct mariadb_server *server) {
    unlink(server->socket);
    struct arguments arguments = {0};
    if (server->options.tidb)
        add_tidb(server, &arguments);
    else
        add_mariadb(server, &arguments);
    server->pid = spawn(server, &arguments);
    await_ready(server);
}

static void install(const struct mariadb_server *server) {
    struct arguments arguments = {0};
    add(&arguments, "mariadb-install-db");
    add_common(&arguments, server);
    add(&arguments, "--auth-root-authentication-method=normal");
    add(&arguments, "--skip-test-db");
    add(&arguments, "--force"); // though the host's name can't be looked up, as in a bare container
    pid_t pid = spawn(server, &arguments);
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        show_log(server);
        die("mariadb-install-db", "failed");
    }
}

// The folder, with one for its data and one for temporary files in it.
static void give_to_mysql(const struct mariadb_server *server) {
    char data[112], tmp[112];
    snprintf(data, sizeof data, "%s/data", server->folder);
    snprintf(tmp, sizeof tmp, "%s/tmp", server->folder);
    if (mkdir(data, 0700) != 0)
        die(data, strerror(errno));
    if (geteuid() != 0)
        return;
    const struct passwd *user = getpwnam("mysql");
    if (!user)
        die("user mysql", "there is none");
    const char *const folders[] = {server->folder, data, tmp};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (chown(folders[i], user->pw_uid, user->pw_gid) != 0)
            die(folders[i], strerror(errno));
}

struct mariadb_server *mariadb_start(const struct mariadb_options *options) {
    struct mariadb_server *server = calloc(1, sizeof *server);
    if (!server)
        die("start", "no memory");
    if (options && options->folder) {
        if (snprintf(server->folder, sizeof server->folder, "%s", options->folder) >= (int)sizeof server->folder)
            die(options->folder, "the folder's name is too long for a socket in it");
    } else if (!scratch_make("mariadb", server->folder)) {
        die(server->folder, strerror(errno));
    }
    snprintf(server->socket, sizeof server->socket, "%s/sock", server->folder);
    if (options)
        server->options = *options;
    char tmp[112];
    snprintf(tmp, sizeof tmp, "%s/tmp", server->folder);
    if (mkdir(tmp, 0700) != 0)
        die(tmp, strerror(errno));
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

long long mariadb_ask(struct mariadb_server *server, const char *database, const char *sql) {
    MYSQL *mysql = try_connect(server, database);
    if (!mysql && server->pid != 0) {
        await_ready(server);
        mysql = try_connect(server, database);
    }
    if (!mysql) {
        show_log(server);
        die("connecting", server->socket);
    }
    if (mysql_real_query(mysql, sql, strlen(sql)) != 0)
        die(sql, mysql_error(mysql));
    MYSQL_RES *result = mysql_store_result(mysql);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    long long value = row && row[0] ? strtoll(row[0], NULL, 10) : 0;
    mysql_free_result(result);
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

static void end(struct mariadb_server *server, int signal) {
    if (server->pid == 0)
        return;
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void mariadb_kill(struct mariadb_server *server) {
    end(server, SIGKILL);
}

void mariadb_shut_down(struct mariadb_server *server) {
    end(server, SIGTERM);
}

void mariadb_restart(struct mariadb_server *server) {
    if (server->pid != 0 && waitpid(server->pid, NULL, WNOHANG) == server->pid)
        server->pid = 0; // it ended by itself
    if (server->pid == 0)
        run_server(server);
}

void mariadb_pause(struct mariadb_server *server) {
    kill(server->pid, SIGSTOP);
}

void mariadb_resume(struct mariadb_server *server) {
    kill(server->pid, SIGCONT);
}

void mariadb_stop(struct mariadb_server *server) {
    if (!server)
        return;
    mariadb_kill(server);
    if (!server->options.folder)
        scratch_remove(server->folder);
    free(server);
}
