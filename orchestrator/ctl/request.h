// Requests from command lines: the table says which option goes into which field, the message's descriptor says of what
// type that is.
#ifndef TXC_ORCHESTRATOR_CTL_REQUEST_H
#define TXC_ORCHESTRATOR_CTL_REQUEST_H

#include "orchestrator/ctl/args.h"

struct request {
    const struct args *args;
    struct arena *arena;
    struct error *error;
    const char *currency; // of amounts
    int64_t now_ms;       // for times that are so long ago
};

// The request of the command's method, in the arena; every field of it named `request_id` gets `request_id`. NULL and
// INVALID_REQUEST with the option and what was expected.
ProtobufCMessage *request_make(const struct args *args, const char *request_id, int64_t now_ms, struct arena *arena,
                               struct error *error);

// Sets the field at this path of the message to what the option's text says; args_fit() has checked it. False and the
// error set.
bool request_set(struct request *request, ProtobufCMessage *message, const struct option *option,
                 const char *field_path, struct str text);

// ---- For spec_fn --------------------------------------------------------------------------------------------------

// An initialised message in the arena; NULL and the error set when there is no memory.
void *request_new(struct request *request, const ProtobufCMessageDescriptor *type);

// A copy in the arena with a NUL.
char *request_text(struct request *request, struct str text);

// "12.34" in the request's currency, not negative. NULL when it isn't.
ProtobufCMessage *request_money(struct request *request, struct str text);

// Says "--option: expected …, got 'text'". Returns NULL.
void *request_refuse(struct request *request, const char *option, const char *expected, struct str text);

#endif
