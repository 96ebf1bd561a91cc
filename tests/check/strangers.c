#include "tests/check/strangers.h"

#include <stdio.h>

typedef Txcenter__Trade__V1__Trade trade_message;

// Of a refund that was ended and followed by another saga the trade names the first and the last; all of them begin
// with the first one's gid.
static bool is_of_a_saga(const trade_message *trade, const struct said *said) {
    for (size_t i = 0; i < trade->n_saga_gids; i++) {
        struct str gid = str_c(trade->saga_gids[i]);
        if (str_starts(str_c(said->key), gid) && said->key[gid.len] == '/')
            return true;
    }
    return false;
}

static bool has_tender(const trade_message *trade, const struct said *said) {
    for (size_t i = 0; i < trade->n_attempts; i++)
        for (size_t k = 0; k < trade->attempts[i]->n_tenders; k++)
            if (strcmp(trade->attempts[i]->tenders[k]->tender_no, said->whose) == 0)
                return true;
    return false;
}

static bool has_account(const trade_message *trade, const struct said *said) {
    for (size_t i = 0; i < trade->n_ledger; i++)
        if (strcmp(trade->ledger[i]->account, said->whose) == 0)
            return true;
    return false;
}

static bool has_coupon(const trade_message *trade, const struct said *said) {
    for (size_t i = 0; trade->combination && i < trade->combination->n_coupon_ids; i++)
        if (strcmp(trade->combination->coupon_ids[i], said->whose) == 0)
            return true;
    return false;
}

// What entries are about that the trade must have. Locks may be those of an order that was replaced since.
static const struct {
    const char *system, *kind; // NULL: any
    bool (*has)(const trade_message *trade, const struct said *said);
} subjects[] = {
    {"payment", NULL, has_tender},  {"card", "freeze", has_tender},        {"card", "confirm", has_tender},
    {"card", "refund", has_tender}, {"settlement", "record", has_account}, {"settlement", "reverse", has_account},
    {"coupon", "use", has_coupon},
};

static bool is_about_it(const trade_message *trade, const struct said *said) {
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
        if (strcmp(subjects[i].system, said->system) == 0 &&
            (!subjects[i].kind || strcmp(subjects[i].kind, said->kind) == 0) && !subjects[i].has(trade, said))
            return false;
    return true;
}

void strangers_of(const trade_message *trade, const struct said_run *run, said_tell_fn *tell, void *ctx) {
    char text[400];
    for (size_t i = 0; i < run->n; i++) {
        const struct said *said = &run->first[i];
        bool ours = is_of_a_saga(trade, said);
        if (ours && is_about_it(trade, said))
            continue;
        snprintf(text, sizeof text, "%s has a %s of %s under %s, %s", said->system, said->kind, said->whose, said->key,
                 ours ? "which is none of the trade's" : "the key of none of the trade's sagas");
        tell(ctx, trade->trade_no, text);
    }
}
