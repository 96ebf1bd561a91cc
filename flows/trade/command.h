// A command: one call that changes a trade. The way is the same for all of them: check the form, look up the request
// id, find the trade, execute in a turn, wait for the outcome, answer.
#ifndef TXC_FLOWS_TRADE_COMMAND_H
#define TXC_FLOWS_TRADE_COMMAND_H

#include "flows/trade/internal.h"
#include "flows/trade/wait.h"

struct command;

struct command_kind {
    // Every violation of the request's form, with error_field().
    void (*check)(const struct trades *trades, const ProtobufCMessage *request, struct error *error);
    // Does it: with command_turn() and command_made(), or command_refuse(); at once or later. command->trade is the
    // named trade, NULL when the request names none.
    void (*execute)(struct command *command);
    // Whether what was made (command->ref) has come to its outcome; then the response or the error. `settled` false
    // asks for the present state instead (processing): always answered. Neither: the answer is too large.
    bool (*outcome)(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error);
    bool any_currency; // also of a trade whose currency is no longer the configured one: it names no amount
};

struct command {
    struct trades *trades;
    struct trade_call *call;
    const struct command_kind *kind;
    const ProtobufCMessage *request;
    const char *method;
    struct arena arena;
    struct request_entry *entry;
    struct request_row row;
    char trade_no[TRADE_NO_MAX + 1]; // for errors, once known
    int32_t purchase_no;             // whose order number names the trade; 0: its own number does
    struct trade *trade;             // held
    struct str ref;                  // what was made, behind the trade's number: "3", "R1"; in the arena
    struct trade_waiter waiter;
    int64_t started_ms;
    bool waits;             // counted as waiting
    bool known;             // a repeat: what it asks for is durable already
    struct heap_node until; // in trades->waits
    void *state;            // of the kind, in the arena
};

// Serves a row of trade_methods by its kind.
void command_serve(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request,
                   const struct command_kind *kind);

// A turn for the command's trade.
struct saga_turn *command_turn(struct command *command);

// For a kind that has waited for something else: whether the command's trade is still the one in memory. Else what was
// seen of it counts no more, and the command is refused.
bool command_is_current(struct command *command);

// Commits the turn that made `ref` of the command's trade, then waits for the outcome.
void command_made(struct command *command, struct saga_turn *turn, const char *ref);

// The same in a turn that somebody else commits.
void command_join(struct command *command, struct saga_turn *turn, const char *ref);

// Refused without effect. command_refuse takes a prepared error.
void command_refuse(struct command *command, const struct error *error);
void command_refuse_as(struct command *command, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The saga that the turn was to start can't be started at present, and the turn has changed nothing that is to stay: it
// is given up, an operator is told, and the caller may try again.
void command_give_up(struct command *command, struct saga_turn *turn, const struct error *error);

// The waits whose time is over; returns the next one's.
int64_t commands_tick(struct trades *trades, int64_t now_ms);

// The trades are being freed: whoever still waits is told to ask elsewhere.
void commands_end(struct trades *trades);

// ---- Checks of form -------------------------------------------------------------------------------------------------

// Text of at most `max` bytes, at least `least`.
void check_text(struct error *error, const char *path, const char *text, size_t least, size_t max);
void check_range(struct error *error, const char *path, int64_t value, int64_t least, int64_t most);
// An amount in the center's currency, from `least`; absent is a violation when `required`.
void check_money(const struct trades *trades, struct error *error, const char *path,
                 const Txcenter__Type__V1__Money *money, int64_t least, bool required);
void check_moment(struct error *error, const char *path, const Google__Protobuf__Timestamp *at);
void check_trade_no(struct error *error, const char *path, const char *trade_no, bool required);

// The field of a request by its name, for what every request has: NULL when it has none.
const char *request_text(const ProtobufCMessage *request, const char *field);
int32_t request_int(const ProtobufCMessage *request, const char *field);

#endif
