// Writes numbered rows into a store until it is killed: `powerloss_writer DATABASE FIRST`. Every number whose row is
// durable, so the store says, goes to standard output as 8 bytes. Beside each row, in the same write, a second one
// keeps the last number, so that a write that went in by half would show.
#include "tests/powerloss/numbered.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { IN_FLIGHT = 16 };

struct writer {
    struct store *store;
    int wake;
    int64_t next;
};

struct turn {
    struct writer *writer;
    int64_t number;
};

static void wake(void *ctx) {
    uint64_t one = 1;
    if (write(((struct writer *)ctx)->wake, &one, sizeof one) != sizeof one)
        abort();
}

static void done(void *ctx, const struct error *error);

static void submit(struct turn *turn) {
    char bytes[NUMBERED_BYTES];
    turn->number = turn->writer->next++;
    struct numbered row = numbered_row(turn->number, bytes);
    struct numbered last = {.id = -1, .value = turn->number};
    struct store_write *write = store_write_new(turn->writer->store);
    store_row(write, &numbered_table, STORE_PUT, &row);
    store_row(write, &numbered_table, STORE_PUT, &last);
    store_submit(turn->writer->store, write, NULL, done, turn);
}

static void done(void *ctx, const struct error *error) {
    struct turn *turn = ctx;
    if (error) {
        fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
    if (write(STDOUT_FILENO, &turn->number, sizeof turn->number) != sizeof turn->number)
        exit(1);
    submit(turn);
}

int main(int argc, char **argv) {
    int64_t first;
    if (argc != 3 || !str_to_i64(str_c(argv[2]), &first))
        return 2;
    struct writer writer = {.wake = eventfd(0, EFD_CLOEXEC), .next = first};
    struct store_options options = {.tables = numbered_tables,
                                    .clock = clock_system(),
                                    .instance = "writer",
                                    .threaded = true,
                                    .wake = wake,
                                    .wake_ctx = &writer};
    struct error error = {0};
    if (!store_open(store_sqlite(argv[1]), &options, &writer.store, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    struct turn turns[IN_FLIGHT];
    for (int i = 0; i < IN_FLIGHT; i++) {
        turns[i] = (struct turn){.writer = &writer};
        submit(&turns[i]);
    }
    for (;;) {
        struct pollfd fd = {.fd = writer.wake, .events = POLLIN};
        uint64_t count;
        if (poll(&fd, 1, -1) == 1 && read(writer.wake, &count, sizeof count) == sizeof count)
            store_poll(writer.store);
    }
}
