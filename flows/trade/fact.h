// Questions to remote systems outside any saga. Answers that change slowly and are nobody's own (TRADE_FACTS) are kept
// for a while in a cache, and asked for once, however many want to know at the same time. Nothing that takes money goes
// by them: an order takes what its quote has kept.
#ifndef TXC_FLOWS_TRADE_FACT_H
#define TXC_FLOWS_TRADE_FACT_H

#include "base/digest.h"
#include "flows/trade/trades.h"

struct facts;

struct facts *facts_new(struct trades *trades);
// When no question is open any more (asserted): the systems' channels are closed.
void facts_free(struct facts *facts);

enum {
    FACT_WAITERS_MAX = 1000,       // that want to know the same; one more asks for itself
    FACT_KEY_MAX = 2 * DIGEST_LEN, // bytes
};

// Borrowed until fact_ask() returns, but for the texts of the effect: until `done`.
struct fact_question {
    enum trade_fact fact;                           // TRADE_FACT_NONE: asked each time
    bool (*is_own)(const ProtobufCMessage *answer); // an answer that has something of a user's own is not kept; NULL
    struct adapter *system;
    const struct adapter_method *method;
    const struct adapter_effect *effect; // deadline_ms: by when there is an answer, whoever gives it
    ProtobufCMessage *request;
};

// `done` runs once, later. False: the system takes no calls at present, nothing runs. `ret_key` is what a fact is kept
// under; "" when it is not kept.
bool fact_ask(struct facts *facts, const struct fact_question *question, char ret_key[FACT_KEY_MAX + 1],
              adapter_done_fn *done, void *ctx, struct error *error);

// What is kept under this key seems to be out of date.
void fact_forget(struct facts *facts, enum trade_fact fact, const char *key);

#endif
