// What the participants say happened, and the operators' lists: read once, and kept as briefly as the comparison needs,
// so that a large day fits into memory.
#ifndef TXC_TESTS_CHECK_SAID_H
#define TXC_TESTS_CHECK_SAID_H

#include "rpc/method.h"
#include "txcenter/trade/v1/operator.pb-c.h"

// One entry of a participant's ledger.
struct said {
    int64_t seq, value;                // the value: its money, or where there is none its points
    const char *system, *kind, *state; // each text once, for as long as the list
    char *whose;                       // the account; of what a card pays, the tender
    char *key;                         // under which it happened
    char trade_no[32];
    bool looked_at; // of a trade's first: the trade was asked for
};

// One matter of a trade.
struct said_matter {
    char trade_no[32], what[80];
    Txcenter__Trade__V1__MatterKind kind;
    int64_t amount;
};

struct said_list {
    struct said *entries; // by trade and number
    size_t n_entries, cap_entries;
    struct said_matter *matters;
    size_t n_matters, cap_matters;
    struct arena texts;
    const char *words[64]; // each kind and state that came
    size_t n_words;
};

// The call that reads, over the check's channels: its answer in the arena, or NULL (told as a fault by then).
typedef const void *said_call_fn(void *ctx, bool sim, const struct rpc_method *method, const ProtobufCMessage *request,
                                 struct arena *arena);
// Something that should not be, of a trade.
typedef void said_tell_fn(void *ctx, const char *trade_no, const char *text);

void said_init(struct said_list *list);
void said_release(struct said_list *list);

// False when it could not be read.
bool said_read(struct said_list *list, said_call_fn *call, void *ctx);
// The matters that are settled are kept; one that is not, and a notification that nobody has settled, is told.
bool said_read_settled(struct said_list *list, said_call_fn *call, said_tell_fn *tell, void *ctx);

// The entries of one trade: a run of the list.
struct said_run {
    const struct said *first;
    size_t n;
};
// The trade counts as looked at from then on.
struct said_run said_of(struct said_list *list, const char *trade_no);
// The next trade after `run` (NULL: the first) that was not looked at; without entries when there is none.
struct said_run said_unseen(const struct said_list *list, const struct said_run *run);

// Adds up sign × value over the entries of a system about `whose` (NULL: any). Terms are "+kind" or "-kind", NULL at
// the end.
int64_t said_sum(const struct said_run *run, const char *system, const char *whose, const char *const *terms);
int64_t said_count(const struct said_run *run, const char *system, const char *kind);
// Under how many keys there are any.
int64_t said_times(const struct said_run *run, const char *system, const char *kind);
#define SAID_TERMS(...) ((const char *const[]){__VA_ARGS__, NULL})

// The conflict about this tender; NULL: there was none.
const struct said_matter *said_conflict(const struct said_list *list, const char *trade_no, const char *tender_no);

#endif
