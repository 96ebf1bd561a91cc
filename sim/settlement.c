// Records by account. What is reversed of a trade on an account has the opposite sign of what was recorded, and never
// more than that; an account that the record does not name may be posted to freely.
#include "participant/settlement/v1/settlement.pb-c.h"
#include "sim/world.h"

#include <stdio.h>

#define PB(name) Participant__Settlement__V1__##name

enum { POSTINGS_MAX = 64 }; // as checks.c bounds lists

static const struct store_column account_columns[] = {
    STORE_COL_TEXT(sim_account_row, account),
    STORE_COL_I64(sim_account_row, amount),
    STORE_COL_I64(sim_account_row, postings),
};

const struct store_table sim_accounts_table = {
    .name = "sim_account",
    .row_size = sizeof(struct sim_account_row),
    .columns = account_columns,
    .n_columns = STORE_COUNT(account_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column recorded_columns[] = {
    STORE_COL_TEXT(sim_recorded_row, place),
    STORE_COL_I64(sim_recorded_row, recorded),
    STORE_COL_I64(sim_recorded_row, reversed),
};

const struct store_table sim_recorded_table = {
    .name = "sim_recorded",
    .row_size = sizeof(struct sim_recorded_row),
    .columns = recorded_columns,
    .n_columns = STORE_COUNT(recorded_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column shift_columns[] = {
    STORE_COL_TEXT(sim_shift_row, place),
    STORE_COL_TEXT(sim_shift_row, next_shift_id),
    STORE_COL_TEXT(sim_shift_row, next_business_date),
    STORE_COL_I32(sim_shift_row, closed),
};

const struct store_table sim_shifts_table = {
    .name = "sim_shift",
    .row_size = sizeof(struct sim_shift_row),
    .columns = shift_columns,
    .n_columns = STORE_COUNT(shift_columns),
    .n_key = 1,
    .since = 2,
};

// What both methods have in common.
struct entry {
    const char *kind, *tenant_id, *station_id, *shift_id, *business_date, *detail;
    PB(Posting) *const *postings;
    size_t n;
    PB(Borne) *const *borne;
    size_t n_borne;
};

enum { SHIFTS_MAX = 100 };

// The shift that is open: the entry's own, or the first one after it that is not closed.
static void open_shift(struct sim_call *call, struct entry *entry) {
    for (int i = 0; i < SHIFTS_MAX; i++) {
        char place[sizeof((struct sim_shift_row *)NULL)->place];
        snprintf(place, sizeof place, "%s/%s/%s", entry->station_id, entry->business_date, entry->shift_id);
        const struct sim_shift_row *closed = sim_find(call->system, SIM_SHIFTS, place);
        if (!closed)
            return;
        entry->shift_id = closed->next_shift_id;
        entry->business_date = closed->next_business_date;
    }
}

static bool balanced(const struct entry *entry) {
    for (size_t i = 0; i < entry->n; i++) {
        const char *currency = entry->postings[i]->amount->currency;
        int64_t sum = 0;
        for (size_t k = 0; k < entry->n; k++)
            if (strcmp(entry->postings[k]->amount->currency, currency) == 0 &&
                !money_add(sum, entry->postings[k]->amount->minor_units, &sum))
                return false;
        if (sum != 0)
            return false;
    }
    return true;
}

static bool check(struct sim_call *call, const struct entry *entry) {
    if (!*call->effect->trade_no)
        sim_invalid(call, "effect.trade_no", "is missing");
    if (entry->n == 0)
        sim_invalid(call, "postings", "is empty");
    for (size_t i = 0; i < entry->n; i++)
        if (!entry->postings[i]->amount || !*entry->postings[i]->account)
            sim_invalid(call, "postings", "has one without account or amount");
    if (error_is(&call->invalid))
        return false;
    if (!balanced(entry)) {
        sim_reject(call, "UNBALANCED", "the postings do not add up to zero");
        return false;
    }
    return true;
}

static struct sim_recorded_row *recorded_of(struct sim_call *call, const PB(Posting) * posting, bool make) {
    char place[sizeof((struct sim_recorded_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%s/%s", call->effect->trade_no, posting->account, posting->amount->currency);
    struct sim_recorded_row *row = sim_find(call->system, SIM_RECORDED, place);
    return row || !make ? row : sim_make(call->system, SIM_RECORDED, place);
}

static struct sim_account_row *account_of(struct sim_call *call, const struct entry *entry, const PB(Posting) * posting,
                                          bool make) {
    char name[sizeof((struct sim_account_row *)NULL)->account];
    snprintf(name, sizeof name, "%s/%s/%s/%s/%s/%s", entry->tenant_id, entry->station_id, entry->business_date,
             entry->shift_id, posting->account, posting->amount->currency);
    struct sim_account_row *row = sim_find(call->system, SIM_ACCOUNTS, name);
    return row || !make ? row : sim_make(call->system, SIM_ACCOUNTS, name);
}

static bool crowded(int64_t sum) {
    return sum > INT64_MAX / 2 || sum < -(INT64_MAX / 2);
}

// Totals stay far enough from the end of their range that one more entry can't pass it.
static bool has_room(struct sim_call *call, const struct entry *entry) {
    for (size_t i = 0; i < entry->n; i++) {
        const struct sim_recorded_row *recorded = recorded_of(call, entry->postings[i], false);
        const struct sim_account_row *account = account_of(call, entry, entry->postings[i], false);
        if ((recorded && (crowded(recorded->recorded) || crowded(recorded->reversed))) ||
            (account && crowded(account->amount))) {
            sim_reject(call, "OUT_OF_RANGE", "account %s is full", entry->postings[i]->account);
            return false;
        }
    }
    return true;
}

static void post_one(struct sim_call *call, const struct entry *entry, const PB(Posting) * posting) {
    struct sim_account_row *account = account_of(call, entry, posting, true);
    account->amount += posting->amount->minor_units;
    account->postings++;
    sim_put(&call->change, account);
    sim_post(&call->change, &(struct sim_posting){.kind = entry->kind,
                                                  .account = posting->account,
                                                  .currency = posting->amount->currency,
                                                  .amount = posting->amount->minor_units,
                                                  .state = entry->shift_id,
                                                  .detail = str_c(entry->detail)});
}

// ---- Who bears what ----------------------------------------------------------------------------------------------

static struct sim_recorded_row *borne_of(struct sim_call *call, const PB(Borne) * borne, bool make) {
    char place[sizeof((struct sim_recorded_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%d/%s/%s/%s/%s/%s", call->effect->trade_no, borne->line, borne->source,
             borne->benefit_id, borne->bearer, borne->bearer_id, borne->amount->currency);
    struct sim_recorded_row *row = sim_find(call->system, SIM_RECORDED, place);
    return row || !make ? row : sim_make(call->system, SIM_RECORDED, place);
}

static bool check_borne(struct sim_call *call, const struct entry *entry, bool reverses) {
    for (size_t i = 0; i < entry->n_borne; i++) {
        const PB(Borne) *borne = entry->borne[i];
        if (!borne->amount || borne->amount->minor_units <= 0 || !*borne->bearer) {
            sim_invalid(call, "borne", "has one without bearer or amount");
            return false;
        }
        const struct sim_recorded_row *row = borne_of(call, borne, false);
        bool known = row && row->recorded > 0; // a reversal may come before its record
        if (reverses && known && row->reversed + borne->amount->minor_units > row->recorded) {
            sim_reject(call, "EXCEEDS_RECORDED", "%s was not recorded with so much of %s", borne->bearer,
                       borne->benefit_id);
            return false;
        }
    }
    return true;
}

static void post_borne(struct sim_call *call, const struct entry *entry, bool reverses) {
    for (size_t i = 0; i < entry->n_borne; i++) {
        const PB(Borne) *borne = entry->borne[i];
        struct sim_recorded_row *row = borne_of(call, borne, true);
        *(reverses ? &row->reversed : &row->recorded) += borne->amount->minor_units;
        sim_put(&call->change, row);
        sim_post(&call->change, &(struct sim_posting){.kind = reverses ? "unborne" : "borne",
                                                      .account = borne->bearer,
                                                      .currency = borne->amount->currency,
                                                      .amount = borne->amount->minor_units,
                                                      .state = entry->shift_id,
                                                      .detail = str_c(borne->benefit_id)});
    }
}

static void record_trade(struct sim_call *call) {
    const PB(RecordTradeRequest) *request = (const void *)call->request;
    struct entry entry = {"record",          request->tenant_id,     request->station_id,
                          request->shift_id, request->business_date, request->station_id,
                          request->postings, request->n_postings,    request->borne,
                          request->n_borne};
    open_shift(call, &entry);
    if (!check(call, &entry) || !has_room(call, &entry) || !check_borne(call, &entry, false))
        return;
    post_borne(call, &entry, false);
    PB(RecordTradeResponse) response = PARTICIPANT__SETTLEMENT__V1__RECORD_TRADE_RESPONSE__INIT;
    response.shift_id = rpc_text(entry.shift_id);
    response.business_date = rpc_text(entry.business_date);
    sim_answer(call, &response.base);
    for (size_t i = 0; i < entry.n; i++) {
        struct sim_recorded_row *recorded = recorded_of(call, entry.postings[i], true);
        recorded->recorded += entry.postings[i]->amount->minor_units;
        sim_put(&call->change, recorded);
        post_one(call, &entry, entry.postings[i]);
    }
}

// The sum of all postings to one account of one entry.
static int64_t sum_of(const struct entry *entry, const PB(Posting) * like) {
    int64_t sum = 0;
    for (size_t i = 0; i < entry->n; i++)
        if (strcmp(entry->postings[i]->account, like->account) == 0 &&
            strcmp(entry->postings[i]->amount->currency, like->amount->currency) == 0)
            sum += entry->postings[i]->amount->minor_units;
    return sum;
}

static bool within_recorded(const struct sim_recorded_row *row, int64_t more) {
    int64_t left = row->recorded + row->reversed + more;
    return row->recorded >= 0 ? more <= 0 && left >= 0 : more >= 0 && left <= 0;
}

static void reverse_trade(struct sim_call *call) {
    const PB(ReverseTradeRequest) *request = (const void *)call->request;
    struct entry entry = {
        "reverse",          request->tenant_id, request->station_id, request->shift_id, request->business_date,
        request->refund_no, request->postings,  request->n_postings, request->borne,    request->n_borne};
    open_shift(call, &entry);
    if (!check(call, &entry) || !has_room(call, &entry) || !check_borne(call, &entry, true))
        return;
    for (size_t i = 0; i < entry.n; i++) {
        const struct sim_recorded_row *row = recorded_of(call, entry.postings[i], false);
        if (row && !within_recorded(row, sum_of(&entry, entry.postings[i]))) {
            sim_reject(call, "EXCEEDS_RECORDED", "account %s was not recorded with so much",
                       entry.postings[i]->account);
            return;
        }
    }
    post_borne(call, &entry, true);
    PB(ReverseTradeResponse) response = PARTICIPANT__SETTLEMENT__V1__REVERSE_TRADE_RESPONSE__INIT;
    response.shift_id = rpc_text(entry.shift_id);
    response.business_date = rpc_text(entry.business_date);
    sim_answer(call, &response.base);
    for (size_t i = 0; i < entry.n; i++) {
        struct sim_recorded_row *row = recorded_of(call, entry.postings[i], false);
        if (row) {
            row->reversed += entry.postings[i]->amount->minor_units;
            sim_put(&call->change, row);
        }
        post_one(call, &entry, entry.postings[i]);
    }
}

static const struct sim_method methods[] = {
    {.name = "RecordTrade", .op = SIM_ACTION, .apply = record_trade},
    {.name = "ReverseTrade", .op = SIM_ACTION, .apply = reverse_trade},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_ACCOUNTS] = {.table = &sim_accounts_table},
    [SIM_RECORDED] = {.table = &sim_recorded_table},
    [SIM_SHIFTS] = {.table = &sim_shifts_table},
};

const struct sim_system_def sim_settlement_def = {
    .name = "settlement",
    .service = &participant__settlement__v1__settlement_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
