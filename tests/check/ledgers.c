#include "tests/check/ledgers.h"

#include "base/clock.h"
#include "base/money.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef Participant__Sim__V1__LedgerEntry ledger_entry;
typedef Txcenter__Trade__V1__Trade trade_message;

enum { DEADLINE_MS = 30000, PAGE = 200, ARENA_MAX = 1 << 30 };

struct check {
    const struct check_options *options;
    struct check_counts counts;
    struct arena arena;           // everything that the participants said
    const ledger_entry **entries; // by trade_no
    size_t n_entries, cap;
    const char *trade_no; // being looked at
    int64_t begun_ms;     // the participants were read after this
};

__attribute__((format(printf, 2, 3))) static void fault(struct check *check, const char *format, ...) {
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->counts.faults++;
    if (check->options->fault)
        check->options->fault(check->options->fault_ctx, check->trade_no, text);
}

// ---- Calling --------------------------------------------------------------------------------------------------------

struct answer {
    struct check *check;
    struct arena *arena;
    bool done;
    const ProtobufCMessage *message;
    char text[200];
};

static void answered(void *ctx, const struct rpc_result *result) {
    struct answer *answer = ctx;
    struct error error = {0};
    answer->done = true;
    if (result->message)
        answer->message =
            rpc_decode(result->message->descriptor, arena_str(answer->arena, result->bytes), answer->arena, &error);
    snprintf(answer->text, sizeof answer->text, "%s %s", result->reason, result->error.text);
}

static const void *call(struct check *check, bool sim, const struct rpc_method *method, const ProtobufCMessage *request,
                        struct arena *arena) {
    struct answer answer = {.check = check, .arena = arena};
    const struct rpc_header headers[] = {{"x-caller", str_c(check->options->caller)}, {.name = NULL}};
    rpc_call(sim ? check->options->sim : check->options->center, method, request,
             &(struct rpc_call_options){.deadline_ms = DEADLINE_MS, .headers = headers}, answered, &answer);
    while (!answer.done)
        check->options->step(check->options->step_ctx);
    if (!answer.message)
        fault(check, "%s failed: %s", method->name, answer.text);
    return answer.message;
}

static const struct rpc_method dump = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                       .name = "DumpLedger"};
static const struct rpc_method stats = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                        .name = "GetStats"};
static const struct rpc_method list = {.service = &txcenter__trade__v1__trade_service__descriptor,
                                       .name = "ListTrades"};
static const struct rpc_method get = {.service = &txcenter__trade__v1__trade_service__descriptor, .name = "GetTrade"};

// ---- What the participants say --------------------------------------------------------------------------------------

static void keep(struct check *check, const ledger_entry *entry) {
    if (check->n_entries == check->cap) {
        check->cap = check->cap ? check->cap * 2 : 1024;
        check->entries = realloc(check->entries, check->cap * sizeof(ledger_entry *));
        if (!check->entries)
            abort();
    }
    check->entries[check->n_entries++] = entry;
}

static bool read_system(struct check *check, const char *system) {
    Participant__Sim__V1__DumpLedgerRequest request = PARTICIPANT__SIM__V1__DUMP_LEDGER_REQUEST__INIT;
    request.system = (char *)(uintptr_t)system;
    do {
        const Participant__Sim__V1__DumpLedgerResponse *page = call(check, true, &dump, &request.base, &check->arena);
        if (!page)
            return false;
        for (size_t i = 0; i < page->n_entries; i++)
            keep(check, page->entries[i]);
        request.page_token = page->next_page_token;
    } while (request.page_token[0]);
    return true;
}

static int by_trade(const void *a, const void *b) {
    const ledger_entry *const *x = a, *const *y = b;
    int order = strcmp((*x)->trade_no, (*y)->trade_no);
    return order ? order : ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

// The entries of one trade: a run of the sorted array.
struct run {
    const ledger_entry *const *first;
    size_t n;
};

static struct run run_of(const struct check *check, const char *trade_no) {
    size_t low = 0, high = check->n_entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(check->entries[middle]->trade_no, trade_no) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct run run = {.first = check->entries + low};
    while (low + run.n < check->n_entries && strcmp(run.first[run.n]->trade_no, trade_no) == 0)
        run.n++;
    return run;
}

static int64_t value(const ledger_entry *entry) {
    return entry->amount && entry->amount->minor_units ? entry->amount->minor_units : entry->points;
}

// Σ sign × value over the entries of a system whose account (or, for cards, tender) is `account` (NULL: any). Terms are
// "+kind" or "-kind".
static int64_t sum(const struct run *run, const char *system, const char *account, const char *const *terms) {
    int64_t total = 0;
    for (size_t i = 0; i < run->n; i++) {
        const ledger_entry *entry = run->first[i];
        const char *whose = strcmp(system, "card") == 0 ? entry->detail : entry->account;
        if (strcmp(entry->system, system) != 0 || (account && strcmp(whose, account) != 0))
            continue;
        for (const char *const *term = terms; *term; term++)
            if (strcmp(entry->kind, *term + 1) == 0)
                total += (*term)[0] == '+' ? value(entry) : -value(entry);
    }
    return total;
}

static int64_t count(const struct run *run, const char *system, const char *kind) {
    int64_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        n += strcmp(run->first[i]->system, system) == 0 && strcmp(run->first[i]->kind, kind) == 0;
    return n;
}

#define TERMS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void equal(struct check *check, int64_t center, int64_t theirs, const char *what, const char *whose) {
    if (center != theirs)
        fault(check, "%s%s%s: the center says %" PRId64 ", the participant %" PRId64, what, whose[0] ? " of " : "",
              whose, center, theirs);
}

// ---- What the center says -------------------------------------------------------------------------------------------

static int64_t minor(const Txcenter__Type__V1__Money *money) {
    return money ? money->minor_units : 0;
}

// By all layers, whichever there are: what the list prices came to, less what was to pay.
static int64_t discounts_of(const trade_message *trade) {
    int64_t list_price = 0;
    for (size_t i = 0; trade->quote && i < trade->quote->n_lines; i++)
        list_price += minor(trade->quote->lines[i]->list_price);
    return list_price - minor(trade->payable);
}

static int64_t booked(const trade_message *trade, const char *account) {
    int64_t total = 0;
    for (size_t i = 0; i < trade->n_ledger; i++)
        if (strcmp(trade->ledger[i]->account, account) == 0)
            total += minor(trade->ledger[i]->amount);
    return total;
}

static void check_balance(struct check *check, const trade_message *trade) {
    int64_t entry_sum = 0;
    for (size_t i = 0; i < trade->n_ledger; i++) {
        entry_sum += minor(trade->ledger[i]->amount);
        bool last = i + 1 == trade->n_ledger || trade->ledger[i + 1]->entry != trade->ledger[i]->entry;
        if (last && entry_sum != 0)
            fault(check, "entry %d of the ledger adds up to %" PRId64, trade->ledger[i]->entry, entry_sum);
        if (last)
            entry_sum = 0;
    }
    check->counts.postings += (int64_t)trade->n_ledger;
}

static bool is(const trade_message *trade, Txcenter__Trade__V1__TradeState state) {
    return trade->state == state;
}
#define STATE(name) TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_##name

static bool is_paid(const trade_message *trade) {
    return is(trade, STATE(PAID)) || is(trade, STATE(COMPLETED)) || is(trade, STATE(PARTIALLY_REFUNDED)) ||
           is(trade, STATE(REFUNDED));
}

static bool has_ended(const trade_message *trade) {
    for (size_t i = 0; i < trade->n_refunds; i++)
        if (trade->refunds[i]->state == TXCENTER__TRADE__V1__REFUND_STATE__REFUND_STATE_PENDING)
            return false;
    return is(trade, STATE(COMPLETED)) || is(trade, STATE(PARTIALLY_REFUNDED)) || is(trade, STATE(REFUNDED)) ||
           is(trade, STATE(CANCELLED)) || is(trade, STATE(EXPIRED)) || is(trade, STATE(FAILED)) ||
           is(trade, STATE(CONFLICTED)) || is(trade, STATE(QUOTED)) || is(trade, STATE(CREATED));
}

// ---- One trade ------------------------------------------------------------------------------------------------------

static void check_tenders(struct check *check, const trade_message *trade, const struct run *run) {
    for (size_t i = 0; i < trade->n_attempts; i++)
        for (size_t k = 0; k < trade->attempts[i]->n_tenders; k++) {
            const Txcenter__Trade__V1__Tender *tender = trade->attempts[i]->tenders[k];
            char account[96];
            snprintf(account, sizeof account, "tender:%s", tender->tender_no);
            int64_t ours = booked(trade, account), theirs = ours;
            if (tender->kind == TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_CARD) {
                theirs = sum(run, "card", tender->tender_no, TERMS("+confirm", "-cancel_confirm", "-refund"));
                equal(check, 0,
                      sum(run, "card", tender->tender_no, TERMS("+freeze", "-release", "-confirm", "-expire")),
                      "still frozen", tender->tender_no);
            } else if (tender->kind != TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_CASH) {
                theirs = sum(run, "payment", tender->tender_no, TERMS("+paid", "-refunded"));
            }
            equal(check, ours, theirs, "money", tender->tender_no);
        }
}

// Whether it was gone when it was to be used, and has not been used since.
static bool is_short(const trade_message *trade, const char *what) {
    for (size_t i = 0; i < trade->n_shortfalls; i++)
        if (strcmp(trade->shortfalls[i]->what, what) == 0 && !trade->shortfalls[i]->deducted)
            return true;
    return false;
}

// Quota of activities and limits, each in the unit of its own.
static void check_quota(struct check *check, const trade_message *trade, const struct run *run) {
    bool used = is_paid(trade) && !is(trade, STATE(REFUNDED)) && !is_short(trade, "quota");
    bool locks = trade->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    int64_t all = 0;
    for (size_t i = 0; trade->combination && i < trade->combination->n_quotas; i++) {
        const Txcenter__Trade__V1__QuotaUse *quota = trade->combination->quotas[i];
        equal(check, used ? quota->quantity : 0, sum(run, "discount", quota->activity_id, TERMS("+use", "-give_back")),
              "used quota", quota->activity_id);
        all += quota->quantity;
    }
    equal(check, 0,
          sum(run, "discount", NULL, TERMS("+lock", "-unlock")) -
              (locks ? sum(run, "discount", NULL, TERMS("+use")) : 0),
          "locked quota", "");
    equal(check, used ? all : 0, sum(run, "discount", NULL, TERMS("+use", "-give_back")), "used quota", "");
}

static void check_benefits(struct check *check, const trade_message *trade, const struct run *run) {
    bool kept = is_paid(trade) && !is(trade, STATE(REFUNDED));
    bool locks = trade->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    int64_t points = trade->combination && !is_short(trade, "points") ? trade->combination->points : 0;
    int64_t coupons = trade->combination && !is_short(trade, "coupons") ? (int64_t)trade->combination->n_coupon_ids : 0;
    const Txcenter__Type__V1__Money *due = trade->authorised ? trade->authorised : trade->payable;
    bool froze = locks || (due && due->minor_units > 0); // deducting later, each attempt to pay does
    equal(check, 0,
          sum(run, "points", NULL, TERMS("+freeze", "-unfreeze")) -
              (froze ? sum(run, "points", NULL, TERMS("+deduct")) : 0),
          "frozen points", "");
    equal(check, kept ? points : 0, sum(run, "points", NULL, TERMS("+deduct", "-give_back")), "spent points", "");
    equal(check, 0,
          count(run, "coupon", "lock") - count(run, "coupon", "unlock") - (locks ? count(run, "coupon", "use") : 0),
          "locked coupons", "");
    equal(check, kept ? coupons : 0, count(run, "coupon", "use") - count(run, "coupon", "give_back"), "used coupons",
          "");
    check_quota(check, trade, run);
    int64_t clawed = 0, shortfall = 0;
    for (size_t i = 0; i < trade->n_refunds; i++) {
        clawed += trade->refunds[i]->points_clawed_back;
        shortfall += trade->refunds[i]->points_shortfall;
    }
    int64_t left = sum(run, "points", NULL, TERMS("+award", "-claw_back"));
    if (is(trade, STATE(REFUNDED)))
        equal(check, shortfall, left, "awarded points", "");
    else
        equal(check, is_paid(trade) ? trade->points_awarded - clawed : 0, left, "awarded points", "");
}

// One that an operator has ended before any money went back is nobody's business.
static int64_t told_refunds(const trade_message *trade) {
    int64_t n = 0;
    for (size_t i = 0; i < trade->n_refunds; i++)
        n += trade->refunds[i]->state != TXCENTER__TRADE__V1__REFUND_STATE__REFUND_STATE_STOPPED ||
             minor(trade->refunds[i]->amount) > 0;
    return n;
}

static void check_order(struct check *check, const trade_message *trade, const struct run *run) {
    int64_t open = count(run, "order", "create") - count(run, "order", "close");
    equal(check, is_paid(trade), open, "orders", "");
    // What was authorised and not used the order system knows as refunded.
    int64_t unused = trade->adjusted_at ? minor(trade->authorised) - minor(trade->paid) : 0;
    equal(check, minor(trade->paid) + unused, sum(run, "order", NULL, TERMS("+paid")), "paid by the order", "");
    equal(check, minor(trade->refunded) + unused, sum(run, "order", NULL, TERMS("+refunded")), "refunded by the order",
          "");
    if (is_paid(trade)) {
        equal(check, 1, count(run, "order", "paid"), "times that the order was paid", "");
        equal(check, 1 + told_refunds(trade), count(run, "push", "push"), "messages to the screens", "");
    }
}

// Every account of the trade that settlement knows, or should: all but what was in suspense.
static void check_settlement(struct check *check, const trade_message *trade, const struct run *run) {
    for (size_t i = 0; i < trade->n_ledger; i++) {
        const char *account = trade->ledger[i]->account;
        bool suspense = false;
        for (size_t k = 0; k < trade->n_ledger; k++)
            suspense = suspense || (trade->ledger[k]->entry == trade->ledger[i]->entry &&
                                    str_starts(str_c(trade->ledger[k]->account), STR("suspense:")));
        if (!suspense)
            equal(check, booked(trade, account), sum(run, "settlement", account, TERMS("+record", "+reverse")),
                  "settlement", account);
    }
    if (!is_paid(trade))
        equal(check, 0, count(run, "settlement", "record"), "settlement records", "");
}

// ---- What follows a payment
// ------------------------------------------------------------------------------------------

static bool has_come(const trade_message *trade, const char *name) {
    for (size_t i = 0; i < trade->n_followers; i++)
        if (strcmp(trade->followers[i]->name, name) == 0)
            return trade->followers[i]->state == TXCENTER__TRADE__V1__FOLLOWER_STATE__FOLLOWER_STATE_APPLIED;
    return false;
}

// What is left of the payment, for a system that was told of it (`name`: as the trade calls that); else nothing.
static int64_t left_of(const trade_message *trade, const char *name) {
    return is_paid(trade) && has_come(trade, name) ? minor(trade->paid) - minor(trade->refunded) : 0;
}

// Growth is one for each whole unit of currency.
static int64_t growth_of(const trade_message *trade) {
    int64_t growth = left_of(trade, "growth");
    for (int decimals = trade->paid ? money_decimals(str_c(trade->paid->currency)) : 0; decimals > 0; decimals--)
        growth /= 10;
    return growth;
}

// Everything that was sold is invoiced but what cards were recharged with.
static int64_t invoiced_of(const trade_message *trade, const struct run *run) {
    bool fuel = has_come(trade, "fuel_invoice"), goods = has_come(trade, "goods_invoice");
    bool both = trade->n_followers > 0 && strcmp(trade->followers[trade->n_followers - 1]->name, "goods_invoice") == 0;
    // Of two invoices of which one was given up, what is left of the other can't be told from outside.
    if (both && fuel != goods && !is(trade, STATE(REFUNDED)))
        return sum(run, "invoice", NULL, TERMS("+record", "-reverse", "-cancel"));
    return fuel || goods ? minor(trade->paid) - minor(trade->refunded) : 0;
}

// Pieces of this kind that were ordered.
static int64_t pieces_of(const trade_message *trade, const char *kind) {
    int64_t pieces = 0;
    for (size_t i = 0; trade->quote && i < trade->quote->n_lines; i++)
        pieces += strcmp(trade->quote->lines[i]->kind, kind) == 0 ? trade->quote->lines[i]->quantity : 0;
    return pieces;
}

// Goods and items are sold once, and all of them are back when all of the money is; in between any of them may be.
static void check_goods(struct check *check, const trade_message *trade, const struct run *run) {
    bool locks = trade->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    bool whole = is_paid(trade) && trade->n_refunds == 0, none = !is_paid(trade) || is(trade, STATE(REFUNDED));
    int64_t stock = sum(run, "goods", NULL, TERMS("+deduct", "-return"));
    int64_t items = count(run, "activity", "deliver") - count(run, "activity", "withdraw");
    equal(check, 0,
          sum(run, "goods", NULL, TERMS("+reserve", "-release")) -
              (locks ? sum(run, "goods", NULL, TERMS("+deduct")) : 0),
          "reserved goods", "");
    if (whole || none) {
        equal(check, whole && !is_short(trade, "stock") ? pieces_of(trade, "goods") : 0, stock, "goods sold", "");
        equal(check, whole || is_short(trade, "item") ? pieces_of(trade, "item") : 0, items, "items delivered", "");
    }
}

static bool is_activity(const ledger_entry *entry, const char *kind, const char *gift_id) {
    return strcmp(entry->system, "activity") == 0 && strcmp(entry->kind, kind) == 0 &&
           (!gift_id || strcmp(entry->account, gift_id) == 0);
}

// Gifts that were given and taken back again; what is taken back of items that were paid for is none.
static int64_t gifts_taken_back(const struct run *run) {
    int64_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        for (size_t k = 0; is_activity(run->first[i], "give", NULL) && k < run->n; k++)
            n += is_activity(run->first[k], "take_back", run->first[i]->account);
    return n;
}

static void check_gifts(struct check *check, const trade_message *trade, const struct run *run) {
    int64_t taken = gifts_taken_back(run), kept = count(run, "activity", "give") - taken, used = 0;
    for (size_t i = 0; i < trade->n_refunds; i++)
        used += trade->refunds[i]->gifts_spent;
    if (!is_paid(trade) || is(trade, STATE(REFUNDED)))
        equal(check, used, kept, "gifts kept", "");
    else
        equal(check, 0, taken, "gifts taken back", "");
    if (!has_come(trade, "gift"))
        equal(check, 0, kept - used, "gifts that nobody knows", "");
}

// What the stations' system believes last.
static void check_os(struct check *check, const trade_message *trade, const struct run *run) {
    const ledger_entry *last = NULL;
    for (size_t i = 0; i < run->n; i++)
        if (strcmp(run->first[i]->system, "os") == 0)
            last = run->first[i];
    bool told = is_paid(trade) && !check->options->os_is_off;
    equal(check, told, last != NULL, "whether the stations' system knows the order", "");
    if (!told || !last)
        return;
    const char *state = is(trade, STATE(REFUNDED))             ? "REFUNDED"
                        : is(trade, STATE(PARTIALLY_REFUNDED)) ? "PARTIALLY_REFUNDED"
                                                               : "PAID";
    if (strcmp(last->state, state) != 0)
        fault(check, "the stations' system says %s, not %s", last->state, state);
    if (count(run, "os", "sync") > 1 + told_refunds(trade))
        fault(check, "the stations' system was told %" PRId64 " times", count(run, "os", "sync"));
}

static void check_followers(struct check *check, const trade_message *trade, const struct run *run) {
    // Of each record, also of one that was cancelled since.
    int64_t discount = count(run, "marketing", "record") > 0 ? discounts_of(trade) : 0;
    equal(check, growth_of(trade), sum(run, "level", NULL, TERMS("+grow", "-shrink")), "growth", "");
    equal(check, left_of(trade, "marketing"), sum(run, "marketing", NULL, TERMS("+record", "-reverse", "-cancel")),
          "money of campaigns", "");
    equal(check, discount, sum(run, "marketing", NULL, TERMS("+benefit")), "benefits of campaigns", "");
    equal(check, invoiced_of(trade, run), sum(run, "invoice", NULL, TERMS("+record", "-reverse", "-cancel")),
          "money on invoices", "");
    equal(check, is_paid(trade) ? 1 + told_refunds(trade) : 0, count(run, "notify", "notify"), "messages to the user",
          "");
    check_goods(check, trade, run);
    check_gifts(check, trade, run);
    check_os(check, trade, run);
}

static void check_sums(struct check *check, const trade_message *trade) {
    int64_t tenders = 0, legs = 0, lines = 0;
    for (size_t i = 0; i < trade->n_attempts; i++)
        for (size_t k = 0; k < trade->attempts[i]->n_tenders; k++)
            if (trade->attempts[i]->state == TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_PAID)
                tenders += minor(trade->attempts[i]->tenders[k]->amount);
    for (size_t i = 0; i < trade->n_refunds; i++)
        for (size_t k = 0; k < trade->refunds[i]->n_legs; k++)
            legs += minor(trade->refunds[i]->legs[k]->amount);
    const Txcenter__Trade__V1__Combination *chosen = trade->combination;
    for (size_t i = 0; chosen && i < chosen->n_line_shares; i++)
        lines += minor(chosen->line_shares[i]->payable);
    if (is_paid(trade) && tenders != minor(trade->payable))
        fault(check, "the tenders add up to %" PRId64 " of %" PRId64, tenders, minor(trade->payable));
    if (legs != minor(trade->refunded) || legs > minor(trade->paid))
        fault(check, "the refunds' legs add up to %" PRId64 ", refunded %" PRId64 " of %" PRId64, legs,
              minor(trade->refunded), minor(trade->paid));
    if (chosen && lines != minor(chosen->payable))
        fault(check, "the lines add up to %" PRId64 " of %" PRId64, lines, minor(chosen->payable));
}

static int64_t moment_ms(const Google__Protobuf__Timestamp *at) {
    return clock_moment_ms(at->seconds, at->nanos);
}

// Whether it went on after the participants had been read, so that what they said of it need not fit any more.
static bool has_moved(const struct check *check, const trade_message *trade) {
    int64_t last_ms = 0;
    if (trade->n_history > 0)
        last_ms = moment_ms(trade->history[trade->n_history - 1]->at);
    if (trade->n_ledger > 0 && moment_ms(trade->ledger[trade->n_ledger - 1]->at) > last_ms)
        last_ms = moment_ms(trade->ledger[trade->n_ledger - 1]->at);
    return last_ms >= check->begun_ms;
}

static void check_trade(struct check *check, const trade_message *trade) {
    struct run run = run_of(check, trade->trade_no);
    check->trade_no = trade->trade_no;
    check->counts.trades++;
    check_balance(check, trade);
    if (!has_ended(trade)) {
        check->counts.open++;
        if (!check->options->open_is_fine)
            fault(check, "has not ended: state %d", (int)trade->state);
        return;
    }
    if (check->options->open_is_fine && has_moved(check, trade)) {
        check->counts.open++;
        return;
    }
    check->counts.paid += is_paid(trade);
    check->counts.refunded += is(trade, STATE(REFUNDED));
    check->counts.unpaid += !is_paid(trade);
    check->counts.money += minor(trade->paid) - minor(trade->refunded);
    check_sums(check, trade);
    check_tenders(check, trade, &run);
    check_benefits(check, trade, &run);
    check_order(check, trade, &run);
    check_settlement(check, trade, &run);
    check_followers(check, trade, &run);
}

static void check_one(struct check *check, const char *trade_no, struct arena *arena) {
    Txcenter__Trade__V1__GetTradeRequest one = TXCENTER__TRADE__V1__GET_TRADE_REQUEST__INIT;
    arena_reset(arena);
    one.trade_no = (char *)(uintptr_t)trade_no;
    const Txcenter__Trade__V1__GetTradeResponse *response = call(check, false, &get, &one.base, arena);
    if (response)
        check_trade(check, response->trade);
}

static bool check_named(struct check *check) {
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    for (const char *const *trade_no = check->options->trade_nos; *trade_no; trade_no++)
        check_one(check, *trade_no, &arena);
    arena_release(&arena);
    return true;
}

static bool check_all(struct check *check) {
    Txcenter__Trade__V1__ListTradesRequest request = TXCENTER__TRADE__V1__LIST_TRADES_REQUEST__INIT;
    struct arena page_arena, arena;
    bool good = true;
    char token[128] = "";
    arena_init(&page_arena, ARENA_MAX);
    arena_init(&arena, ARENA_MAX);
    request.page_size = PAGE;
    do {
        arena_reset(&page_arena);
        request.page_token = token;
        const Txcenter__Trade__V1__ListTradesResponse *page = call(check, false, &list, &request.base, &page_arena);
        good = page != NULL;
        for (size_t i = 0; page && i < page->n_trades; i++)
            check_one(check, page->trades[i]->trade_no, &arena);
        snprintf(token, sizeof token, "%s", page ? page->next_page_token : "");
    } while (good && token[0]);
    arena_release(&page_arena);
    arena_release(&arena);
    return good;
}

static void check_stats(struct check *check) {
    Participant__Sim__V1__GetStatsRequest request = PARTICIPANT__SIM__V1__GET_STATS_REQUEST__INIT;
    const Participant__Sim__V1__GetStatsResponse *response = call(check, true, &stats, &request.base, &check->arena);
    check->trade_no = "";
    for (size_t i = 0; response && i < response->n_systems; i++) {
        const Participant__Sim__V1__SystemStats *system = response->systems[i];
        if (system->took_effect_twice)
            fault(check, "%s: %" PRId64 " keys took effect twice", system->system, system->took_effect_twice);
        if (system->changed_repeats)
            fault(check, "%s: %" PRId64 " repeats differed from their first request", system->system,
                  system->changed_repeats);
    }
    if (response)
        check->counts.notified = response->notifications_acknowledged;
}

bool check_ledgers(const struct check_options *options, struct check_counts *ret_counts) {
    static const char *const systems[] = {"order",      "payment",   "card",  "coupon",  "points",
                                          "settlement", "push",      "level", "invoice", "notify",
                                          "activity",   "marketing", "os",    "goods",   "discount"};
    struct check check = {.options = options, .trade_no = "", .begun_ms = clock_now_ms(clock_system())};
    arena_init(&check.arena, ARENA_MAX);
    bool good = true;
    for (size_t i = 0; good && i < sizeof systems / sizeof systems[0]; i++)
        good = read_system(&check, systems[i]);
    if (check.n_entries)
        qsort(check.entries, check.n_entries, sizeof(ledger_entry *), by_trade);
    check.counts.entries = (int64_t)check.n_entries;
    good = good && (options->trade_nos ? check_named(&check) : check_all(&check));
    check_stats(&check);
    free(check.entries);
    arena_release(&check.arena);
    *ret_counts = check.counts;
    return good && check.counts.faults == 0;
}
