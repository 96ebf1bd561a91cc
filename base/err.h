// Errors: one table for every code, and a fixed-size struct that carries one failure upwards. Libraries return
// errors and never log them; whoever handles one last says it once.
#ifndef TXC_BASE_ERR_H
#define TXC_BASE_ERR_H

#include "base/str.h"

// What an answer means for a saga. UNKNOWN is never read as failure.
enum outcome {
    OUTCOME_OK,       // done
    OUTCOME_REJECTED, // a definite no: it was not done and will not be
    OUTCOME_RETRY,    // definitely not done, may be tried again
    OUTCOME_UNKNOWN,  // sent, no answer: it may have been done
};

// code, fixed number (stored and logged; never reused), gRPC status (google.rpc.Code), outcome, what it means.
// The reason that callers see in google.rpc.ErrorInfo is the code's name.
// clang-format off
#define ERR_TABLE(X)                                                                                                   \
    X(OK, 0, 0, OK, "done")                                                                                            \
    X(INVALID_REQUEST, 1, 3, REJECTED, "fields are missing or malformed; the field violations name each")             \
    X(IDEMPOTENCY_KEY_REUSED, 2, 6, REJECTED, "this request_id was used before with another body; nothing was changed") \
    X(UNAUTHENTICATED, 3, 16, REJECTED, "the caller is not known: present a client certificate or a valid token")     \
    X(SCOPE_MISSING, 4, 7, REJECTED, "the caller lacks the scope that this method needs")                             \
    X(TENANT_FORBIDDEN, 5, 7, REJECTED, "the caller does not belong to the tenant of this trade")                     \
    X(METHOD_UNKNOWN, 6, 12, REJECTED, "this server has no such method; reflection lists those it has")               \
    X(OVERLOADED, 7, 8, RETRY, "too much is under way already; the call did nothing, try again after the given delay") \
    X(MESSAGE_TOO_LARGE, 8, 8, REJECTED, "the message is larger than the configured maximum")                         \
    X(SHUTTING_DOWN, 9, 14, RETRY, "this instance is stopping; try again, another will answer")                       \
    X(INTERNAL, 10, 13, UNKNOWN, "a fault of this server; the operators are told")                                    \
    X(CANCELLED_BY_CALLER, 11, 1, UNKNOWN, "the caller went away; what was accepted goes on")                         \
    X(STORE_UNAVAILABLE, 20, 14, RETRY, "the store does not answer; nothing was accepted")                            \
    X(STORE_FULL, 21, 8, RETRY, "the store's disk is full; nothing was accepted")                                     \
    X(STORE_CONFLICT, 22, 10, RETRY, "the row exists already, or another write came first")                           \
    X(STORE_REFUSED, 23, 13, REJECTED, "the store refused this write")                                                \
    X(STORE_STALE, 24, 10, RETRY, "an earlier write of the same trade failed; it is loaded afresh")                   \
    X(STORE_FENCED, 25, 14, RETRY, "another instance took over; this one's writes have no effect")                    \
    X(STORE_CORRUPT, 26, 15, REJECTED, "a stored record can't be read; see the operations page")                      \
    X(ACCEPTANCE_UNKNOWN, 27, 14, UNKNOWN, "whether it was accepted is not known yet; ask again with the same request_id") \
    X(SLOT_ELSEWHERE, 28, 14, RETRY, "another instance drives this; it could not be reached, try again")               \
    X(SAGA_NOT_FOUND, 40, 5, REJECTED, "no saga has this gid")                                                        \
    X(SAGA_EXISTS, 41, 6, REJECTED, "a saga with this gid exists already")                                            \
    X(SAGA_STATE, 42, 9, REJECTED, "the saga is not in a state that this action fits")                                \
    X(FLOW_UNKNOWN, 43, 5, REJECTED, "no flow has this name")                                                         \
    X(SIGNALS_FULL, 44, 8, REJECTED, "this saga already holds the greatest number of signals")                        \
    X(RECORD_TOO_LARGE, 45, 8, REJECTED, "the saga's record would grow past its maximum")                             \
    X(RETRIES_EXHAUSTED, 46, 14, UNKNOWN, "the step was tried as often as its policy allows")                         \
    X(TIMED_OUT, 47, 4, REJECTED, "what was awaited did not come in time")                                            \
    X(RESUMED_TOO_OFTEN, 48, 13, UNKNOWN, "the process died several times while it drove this saga; it is parked")    \
    X(SUBMIT_DISABLED, 49, 9, REJECTED, "no target is configured that submitted sagas may call; set submit.targets")   \
    X(STOPPED_BY_OPERATOR, 50, 9, REJECTED, "an operator turned the saga round, or terminated it")                    \
    X(KEY_TOO_OLD, 51, 9, UNKNOWN, "the remote system may have forgotten this call, which is not sent again: state what became of it") \
    X(PARTICIPANT_REJECTED, 60, 9, REJECTED, "a remote system definitely refused")                                    \
    X(PARTICIPANT_UNAVAILABLE, 61, 14, RETRY, "a remote system can't be reached or is overloaded; it did nothing")    \
    X(PARTICIPANT_SILENT, 62, 4, UNKNOWN, "a remote system did not answer; what it did is not known yet")             \
    X(PARTICIPANT_BROKEN, 63, 13, UNKNOWN, "a remote system gave an answer that can't be understood")                 \
    X(RETRY, 64, 14, RETRY, "nothing was done; try again")                                                            \
    X(PARTICIPANT_HELD, 65, 14, RETRY, "calls to a remote system are held back at present; nothing was sent")         \
    X(PARTICIPANT_UNKNOWN, 66, 5, REJECTED, "no remote system has this name")                                         \
    X(TRADE_NOT_FOUND, 80, 5, REJECTED, "no trade has this number")                                                   \
    X(QUOTE_NOT_FOUND, 81, 5, REJECTED, "the trade has no quote of this version")                                     \
    X(QUOTE_EXPIRED, 82, 9, REJECTED, "the quote has expired; quote again")                                           \
    X(QUOTE_SUPERSEDED, 83, 9, REJECTED, "a newer version of the quote exists; use that one")                         \
    X(QUOTE_DEGRADED, 84, 9, REJECTED, "the quote lacks a source; set accept_degraded or quote again")                \
    X(COMBINATION_UNKNOWN, 85, 3, REJECTED, "the kept quote has no such combination")                                 \
    X(AMOUNT_MISMATCH, 86, 9, REJECTED, "the amount differs from the kept quote's")                                   \
    X(CANCEL_FIRST, 87, 9, REJECTED, "the order holds locks; cancel it before ordering again")                        \
    X(ALREADY_PAID, 88, 9, REJECTED, "the trade is paid already")                                                     \
    X(NOT_PAYABLE, 89, 9, REJECTED, "the trade is not in a state that can be paid")                                   \
    X(PAYMENT_IN_PROGRESS, 90, 9, REJECTED, "a payment attempt of this trade is still open")                          \
    X(TENDERS_UNEQUAL, 91, 3, REJECTED, "the tenders do not add up to what is payable")                               \
    X(NOT_REFUNDABLE, 92, 9, REJECTED, "the trade is not paid, or its refund window is over")                         \
    X(REFUND_EXCEEDS_REST, 93, 9, REJECTED, "more than what is left to refund")                                       \
    X(NOT_CANCELLABLE, 94, 9, REJECTED, "the trade is in a state that can't be cancelled")                            \
    X(TRADE_ENDED, 95, 9, REJECTED, "the trade has ended")                                                            \
    X(BENEFIT_UNAVAILABLE, 96, 9, REJECTED, "a chosen benefit, or a limit, could not be locked; everything is undone")    \
    X(ORDER_REFUSED, 97, 9, REJECTED, "the order system refused the order; everything is undone")                     \
    X(PAYMENT_FAILED, 98, 9, REJECTED, "the payment failed; what was taken or frozen is given back")                  \
    X(PRICE_UNAVAILABLE, 99, 14, RETRY, "a core source of the quote does not answer")                                 \
    X(PUMP_AMOUNT_MISMATCH, 100, 3, REJECTED, "amount and volume times price differ by more than 0.01")               \
    X(USER_NOT_ALLOWED, 101, 9, REJECTED, "the user is unknown or may not buy")                                       \
    X(AMOUNT_OVERFLOW, 102, 11, REJECTED, "an amount is out of range")                                                \
    X(OUT_OF_STOCK, 103, 9, REJECTED, "there is not enough of what is to be bought; everything is undone")               \
    X(TENDER_NOT_ALLOWED, 104, 9, REJECTED, "the ordered combination does not allow a tender of this kind")               \
    X(SOURCE_PAID, 110, 9, REJECTED, "this fuelling was paid by another trade")                                       \
    X(SOURCE_TAKEN, 111, 9, REJECTED, "another trade is for this fuelling")                                           \
    X(PRICE_CHANGED, 112, 9, REJECTED, "the pump's price is not the quoted one; quote again")                         \
    X(ADJUST_REFUSED, 113, 9, REJECTED, "the trade has nothing authorised that is not adjusted yet")                  \
    X(ADJUST_EXCEEDS, 114, 9, REJECTED, "more than was authorised; what is beyond it is a trade of its own")          \
    X(SIGNATURE_INVALID, 120, 16, REJECTED, "the callback's signature, key or time is not valid; it was not stored")  \
    X(NONCE_REUSED, 121, 6, REJECTED, "this nonce came before with other bytes")                                      \
    X(MATTER_NOT_FOUND, 130, 5, REJECTED, "nothing that is to be settled has this number")                            \
    X(MATTER_STATE, 131, 9, REJECTED, "it is settled already, or can't be settled like this")                         \
    X(CONFIG_INVALID, 140, 3, REJECTED, "the configuration is not valid")
// clang-format on

enum err {
#define X(name, number, status, outcome, text) ERR_##name = number,
    ERR_TABLE(X)
#undef X
};

struct err_info {
    enum err code;
    const char *name; // the reason, e.g. "QUOTE_EXPIRED"
    int grpc_status;
    enum outcome outcome;
    const char *text;
};

// Every row of the table, in its order.
const struct err_info *err_table(size_t *ret_count);

// The row of a code; ERR_INTERNAL's for a number that the table does not have.
const struct err_info *err_info(enum err code);

// "DEADLINE_EXCEEDED" of 4: the name of a gRPC status (google.rpc.Code); "?" for a number that is none.
const char *err_status_name(int grpc_status);

enum { ERR_FIELDS_MAX = 8, ERR_TEXT_MAX = 240 };

// One failure on its way up. The caller gives it, callees fill it; it never allocates. Zeroed means no error. Its texts
// are always UTF-8, whatever they were made from; one that is too long is cut. What they are made from may be the error
// itself: error_set(error, code, "again: %s", error->text).
struct error {
    enum err code;
    char text[ERR_TEXT_MAX]; // what happened, outermost first: "starting saga X: store: disk is full"
    uint32_t retry_after_ms; // 0: waiting doesn't help
    uint32_t n_fields;       // of `fields`; further violations are counted here but not kept
    struct {
        char path[64]; // "lines[2].quantity"
        char what[96]; // "must be at least 1"
    } fields[ERR_FIELDS_MAX];
};

// Sets code and text (the code's own text when format is NULL). Always returns false, so that a function that
// reports success as bool can end with `return error_set(...)`.
bool error_set(struct error *error, enum err code, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Puts "doing: " before the text there is.
void error_within(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Adds a field violation and makes the error INVALID_REQUEST. Call it for every bad field before answering.
void error_field(struct error *error, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

static inline bool error_is(const struct error *error) {
    return error->code != ERR_OK;
}

const char *outcome_name(enum outcome outcome);

#endif
