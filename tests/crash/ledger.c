// The participant of the callers' sagas while the center is killed: every method takes any bytes, each effect takes
// place once for its key, and whatever comes is written into a file that outlives this process, too. It misbehaves as
// its dice say: PERMILLE of the calls each are refused before or after they took effect, never answered, answered late,
// take effect only after their caller has given up, or are delivered a second time.
//   crash_ledger FILE SEED PERMILLE ADDRESS…
// Says "ready PORT…" when it serves. SIGUSR1: no faults any more, and what is held back goes on.
//
// A line of the file is one thing that came: "KEY GID STEP OP BODY WHAT FAULT". BODY is a hash of the request, WHAT is
//   applied, again, refused, late (it was undone before): of an action
//   undone, empty (there was no effect), repeated, needless (it was refused): of a compensation
//   asked: of an inquiry; unheard: of whatever got lost on its way here
#include "base/clock.h"
#include "base/heap.h"
#include "base/map.h"
#include "saga/flow.h"
#include "tests/bench/bare.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACCEPTS = 128, IDLE_MS = 50, LINE_MAX_BYTES = 512, WORDS = 7, OPS = 3 };
enum { QUICK_MAX_MS = 120, LOST_MS = 5000, LATE_MIN_MS = 200, LATE_MAX_MS = 900 };

#define START UINT64_C(0xcbf29ce484222325)

enum state { NEVER, APPLIED, REFUSED, UNDONE };
enum fault { NONE, BUSY, BROKEN, UNHEARD, SILENT, LATE, TWICE, FAULTS };
static const char *const fault_names[FAULTS] = {"-", "busy", "broken", "unheard", "silent", "late", "twice"};

// What is kept under a key.
struct entry {
    struct map_node node;
    char key[SAGA_KEY_MAX];
    enum state state;
    unsigned asked[OPS];
};

// One call, from its coming to its answer.
struct asked {
    struct heap_node due;
    struct bare_in *in; // NULL: nobody waits for the answer
    struct entry *entry;
    enum saga_op op;
    enum fault fault;
    bool refuses, heard;
    int64_t answer_ns;
    const char *what;
    char gid[SAGA_GID_MAX + 1], step[SAGA_NAME_MAX + 1];
    uint64_t body;
};

static struct bare bare;
static struct map entries;
static struct heap waiting;
static int file;
static uint64_t seed, permille;
static volatile sig_atomic_t calmed, stopped;

// ---- Words --------------------------------------------------------------------------------------------------------

static uint64_t mix(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t stir(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static const struct {
    const char *word;
    enum state state; // after it
} changes[] = {{"applied", APPLIED}, {"refused", REFUSED}, {"undone", UNDONE}, {"empty", UNDONE}};
static const char *const ops[OPS] = {
    [SAGA_ACTION] = "action", [SAGA_COMPENSATE] = "compensate", [SAGA_INQUIRE] = "inquire"};

// What it has become, should that be a change.
static void change(struct entry *entry, struct str what) {
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (str_eq(what, str_c(changes[i].word)))
            entry->state = changes[i].state;
}

static void write_down(const struct asked *asked, const char *what) {
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "%s %s %s %s %016" PRIx64 " %s %s\n", asked->entry->key, asked->gid,
                     asked->step, ops[asked->op], asked->body, what, fault_names[asked->fault]);
    if (n <= 0 || (size_t)n >= sizeof line || write(file, line, (size_t)n) != n) {
        perror("crash_ledger");
        exit(1);
    }
}

static struct entry *entry_of(struct str key) {
    struct map_node *node = map_find(&entries, key);
    if (node)
        return CONTAINER_OF(node, struct entry, node);
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry || key.len >= sizeof entry->key)
        abort();
    memcpy(entry->key, key.ptr, key.len);
    map_insert(&entries, &entry->node, str_c(entry->key));
    return entry;
}

// What was there when it died. A line that is cut off was not answered.
static void read_back(const char *path) {
    FILE *lines = fopen(path, "r");
    char line[LINE_MAX_BYTES];
    while (lines && fgets(line, sizeof line, lines)) {
        struct str rest = str_c(line), words[WORDS] = {{0}};
        for (int i = 0; i < WORDS; i++)
            words[i] = str_cut(&rest, ' ');
        if (words[WORDS - 1].len == 0)
            continue;
        struct entry *entry = entry_of(words[0]);
        entry->asked[SAGA_ACTION]++; // so that the dice fall anew
        change(entry, words[5]);
    }
    if (lines)
        fclose(lines);
}

// ---- Effects ------------------------------------------------------------------------------------------------------

static const char *act(struct asked *asked) {
    switch (asked->entry->state) {
    case NEVER: return asked->refuses ? "refused" : "applied";
    case APPLIED: return "again";
    case REFUSED: return "again";
    case UNDONE: return "late";
    }
    abort();
}

static const char *undo(const struct asked *asked) {
    switch (asked->entry->state) {
    case NEVER: return "empty";
    case APPLIED: return "undone";
    case REFUSED: return "needless";
    case UNDONE: return "repeated";
    }
    abort();
}

static void take_effect(struct asked *asked) {
    const char *what = asked->op == SAGA_ACTION ? act(asked) : asked->op == SAGA_COMPENSATE ? undo(asked) : "asked";
    write_down(asked, what);
    change(asked->entry, str_c(what));
    asked->heard = true;
}

// Lost on its way here: the answer, should its caller get one after all, says that nothing was done.
static bool is_unheard(const struct asked *asked) {
    return asked->fault == BUSY || asked->fault == UNHEARD;
}

static void answer(struct asked *asked) {
    enum state state = asked->entry->state;
    grpc_status_code status = GRPC_STATUS_OK;
    grpc_slice slice;
    uint64_t receipt = mix(START, asked->entry->key, strlen(asked->entry->key)); // the same to each repeat
    memcpy(bare_room(&slice, sizeof receipt), &receipt, sizeof receipt);
    if (is_unheard(asked) || asked->fault == BROKEN)
        status = is_unheard(asked) ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_INTERNAL;
    else if (asked->op != SAGA_COMPENSATE && state == NEVER)
        status = GRPC_STATUS_NOT_FOUND;
    else if (asked->op != SAGA_COMPENSATE && state != APPLIED)
        status = GRPC_STATUS_ABORTED;
    bare_answer(asked->in, status, STR("as it was told"), slice);
    asked->in = NULL;
}

// Does what is due of it now, and frees it when that was all.
static void go_on(struct asked *asked, int64_t now_ns) {
    if (!asked->heard && is_unheard(asked)) {
        asked->heard = true;
        write_down(asked, "unheard");
    } else if (!asked->heard) {
        take_effect(asked);
    }
    if (asked->in && (asked->answer_ns <= now_ns || calmed))
        answer(asked);
    if (asked->in)
        heap_set(&waiting, &asked->due, asked->answer_ns);
    else
        free(asked);
}

static void go_on_with_due(void) {
    struct heap_node *node;
    for (int64_t now_ns = clock_monotonic_ns(); (node = heap_least(&waiting)) && (node->key <= now_ns || calmed);) {
        heap_remove(&waiting, node);
        go_on(CONTAINER_OF(node, struct asked, due), now_ns);
    }
}

// ---- Calls --------------------------------------------------------------------------------------------------------

static struct str header(const struct bare_in *in, const char *name) {
    for (size_t i = 0; i < in->headers.count; i++) {
        const grpc_metadata *one = &in->headers.metadata[i];
        if (grpc_slice_str_cmp(one->key, name) == 0)
            return str_n(GRPC_SLICE_START_PTR(one->value), GRPC_SLICE_LENGTH(one->value));
    }
    return STR_NONE;
}

// A second coming of the same request, some time later.
static void come_again(const struct asked *first, int64_t at_ns) {
    struct asked *second = malloc(sizeof *second);
    if (!second)
        abort();
    *second = *first;
    second->in = NULL;
    second->due = (struct heap_node){0};
    heap_set(&waiting, &second->due, at_ns);
}

static void receive(struct asked *asked) {
    uint64_t dice = mix(seed ^ START, asked->entry->key, strlen(asked->entry->key));
    dice = stir(dice + asked->op * 1000003 + ++asked->entry->asked[asked->op] * UINT64_C(7919));
    int64_t now_ns = clock_monotonic_ns(), effect_ms = 0, answer_ms = 0;
    uint64_t odds = dice % 1000, pause = stir(dice);
    if (!calmed && odds < permille * (FAULTS - 1))
        asked->fault = (enum fault)(1 + odds / permille);
    switch (asked->fault) {
    case UNHEARD:
    case SILENT: answer_ms = LOST_MS; break;
    case LATE: effect_ms = answer_ms = LATE_MIN_MS + (int64_t)(pause % (LATE_MAX_MS - LATE_MIN_MS)); break;
    case TWICE: come_again(asked, now_ns + (int64_t)(pause % LATE_MAX_MS) * 1000000); break;
    default: answer_ms = (int64_t)(pause % QUICK_MAX_MS); break;
    }
    asked->answer_ns = now_ns + answer_ms * 1000000;
    if (effect_ms > 0)
        heap_set(&waiting, &asked->due, now_ns + effect_ms * 1000000);
    else
        go_on(asked, now_ns);
}

static void handle(struct bare_in *in, struct str request) {
    if (!in->request) { // its caller died before all of it had come
        grpc_slice nothing;
        bare_room(&nothing, 0);
        bare_answer(in, GRPC_STATUS_CANCELLED, STR("half a request"), nothing);
        return;
    }
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked)
        abort();
    asked->in = in;
    asked->entry = entry_of(header(in, "tx-key"));
    for (unsigned op = 0; op < OPS; op++)
        if (str_eq(header(in, "tx-op"), str_c(ops[op])))
            asked->op = (enum saga_op)op;
    asked->refuses = strstr(in->method->path, "Refuse") != NULL;
    str_copy(header(in, "tx-gid"), asked->gid, sizeof asked->gid);
    str_copy(header(in, "tx-step"), asked->step, sizeof asked->step);
    asked->body = mix(START, request.ptr, request.len);
    receive(asked);
}

static void on_signal(int signal) {
    if (signal == SIGTERM)
        stopped = 1;
    else
        calmed = 1;
}

int main(int argc, char **argv) {
    static struct bare_method methods[] = {
        {.path = "/crash.v1.Ledger/Act", .handle = handle},
        {.path = "/crash.v1.Ledger/Refuse", .handle = handle},
        {.path = "/crash.v1.Ledger/Undo", .handle = handle},
        {.path = "/crash.v1.Ledger/Ask", .handle = handle},
    };
    if (argc < 5) {
        fprintf(stderr, "usage: crash_ledger FILE SEED PERMILLE ADDRESS…\n");
        return 2;
    }
    seed = strtoull(argv[2], NULL, 10);
    permille = strtoull(argv[3], NULL, 10);
    read_back(argv[1]);
    file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || permille * (FAULTS - 1) > 1000) {
        perror("crash_ledger");
        return 1;
    }
    signal(SIGTERM, on_signal);
    signal(SIGUSR1, on_signal);
    bare_init(&bare, NULL, NULL);
    bare_serve(&bare, argv + 4, methods, sizeof methods / sizeof methods[0], ACCEPTS);
    while (!stopped) {
        int64_t until_ns = clock_monotonic_ns() + (int64_t)IDLE_MS * 1000000;
        const struct heap_node *next = heap_least(&waiting);
        bare_run(&bare, next && next->key < until_ns ? next->key : until_ns);
        go_on_with_due();
    }
    _Exit(0);
}
