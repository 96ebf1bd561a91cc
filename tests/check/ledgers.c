#include "tests/check/ledgers.h"

#include "base/clock.h"
#include "base/money.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "tests/check/said.h"
#include "tests/check/strangers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef Txcenter__Trade__V1__Trade trade_message;

enum { DEADLINE_MS = 30000, PAGE = 200, ARENA_MAX = 64 << 20, FUELLING_MAX = 128 };

// A fuelling that somebody has paid for.
struct fuelling {
    char name[FUELLING_MAX], trade_no[32];
};

struct check {
    const struct check_options *options;
    struct check_counts counts;
    struct said_list said;
    struct fuelling *fuellings;
    size_t n_fuellings, cap_fuellings;
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

static struct answer ask(struct check *check, bool sim, const struct rpc_method *method,
                         const ProtobufCMessage *request, struct arena *arena) {
    struct answer answer = {.check = check, .arena = arena};
    const struct rpc_header headers[] = {{"x-caller", str_c(check->options->caller)}, {.name = NULL}};
    rpc_call(sim ? check->options->sim : check->options->center, method, request,
             &(struct rpc_call_options){.deadline_ms = DEADLINE_MS, .headers = headers}, answered, &answer);
    while (!answer.done)
        check->options->step(check->options->step_ctx);
    return answer;
}

static const void *call(void *ctx, bool sim, const struct rpc_method *method, const ProtobufCMessage *request,
                        struct arena *arena) {
    struct check *check = ctx;
    struct answer answer = ask(check, sim, method, request, arena);
    if (!answer.message)
        fault(check, "%s failed: %s", method->name, answer.text);
    return answer.message;
}

static void tell(void *ctx, const char *trade_no, const char *text) {
    struct check *check = ctx;
    const char *before = check->trade_no;
    check->trade_no = trade_no;
    fault(check, "%s", text);
    check->trade_no = before;
}

static const struct rpc_method stats = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                        .name = "GetStats"};
static const struct rpc_method list = {.service = &txcenter__trade__v1__trade_service__descriptor,
                                       .name = "ListTrades"};
static const struct rpc_method get = {.service = &txcenter__trade__v1__trade_service__descriptor, .name = "GetTrade"};

static void equal(struct check *check, int64_t center, int64_t theirs, const char *what, const char *whose) {
    if (center != theirs)
        fault(check, "%s%s%s: the center says %" PRId64 ", the participant %" PRId64, what, whose[0] ? " of " : "",
              whose, center, theirs);
}

// ---- What the center says -------------------------------------------------------------------------------------------

static int64_t minor(const Txcenter__Type__V1__Money *money) {
    return money ? money->minor_units : 0;
}

// By all layers, whichever there are: what the list prices came to, less what was to pay, and less what was let off,
// which is no campaign's.
static int64_t discounts_of(const trade_message *trade) {
    int64_t discount = -minor(trade->payable);
    for (size_t i = 0; trade->quote && i < trade->quote->n_lines; i++)
        discount += minor(trade->quote->lines[i]->list_price);
    for (size_t i = 0; i < trade->n_ledger; i++)
        if (strcmp(trade->ledger[i]->account, "discount:rounding") == 0 &&
            !str_starts(str_c(trade->ledger[i]->text), STR("refund")))
            discount -= minor(trade->ledger[i]->amount);
    return discount;
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

static bool is_pending(const Txcenter__Trade__V1__Refund *refund) {
    return refund && refund->state == TXCENTER__TRADE__V1__REFUND_STATE__REFUND_STATE_PENDING;
}

static bool has_ended(const trade_message *trade) {
    for (size_t i = 0; i < trade->n_refunds; i++)
        if (is_pending(trade->refunds[i]))
            return false;
    if (is_pending(trade->unused))
        return false;
    return is(trade, STATE(COMPLETED)) || is(trade, STATE(PARTIALLY_REFUNDED)) || is(trade, STATE(REFUNDED)) ||
           is(trade, STATE(CANCELLED)) || is(trade, STATE(EXPIRED)) || is(trade, STATE(FAILED)) ||
           is(trade, STATE(CONFLICTED)) || is(trade, STATE(QUOTED)) || is(trade, STATE(CREATED));
}

// ---- One trade ------------------------------------------------------------------------------------------------------

// How much more there is of a tender that was in conflict than its gateway had said: what it says differs from what it
// has, and the books are by what it said. Of money in another currency they have nothing.
static int64_t unsaid(const struct check *check, const trade_message *trade,
                      const Txcenter__Trade__V1__Tender *tender) {
    const struct said_matter *conflict = said_conflict(&check->said, trade->trade_no, tender->tender_no);
    return conflict ? minor(tender->amount) - conflict->amount : 0;
}

static bool is_open_there(const struct said_run *run, const char *tender_no) {
    bool open = false;
    for (size_t i = 0; i < run->n; i++) {
        const struct said *said = &run->first[i];
        if (strcmp(said->system, "payment") != 0 || strcmp(said->whose, tender_no) != 0)
            continue;
        bool ends =
            strcmp(said->kind, "paid") == 0 || strcmp(said->kind, "failed") == 0 || strcmp(said->kind, "closed") == 0;
        open = (open && !ends) || strcmp(said->kind, "create") == 0;
    }
    return open;
}

static void check_tender(struct check *check, const trade_message *trade, const Txcenter__Trade__V1__Tender *tender,
                         const struct said_run *run) {
    const char *no = tender->tender_no;
    char account[96];
    snprintf(account, sizeof account, "tender:%s", no);
    int64_t ours = booked(trade, account), theirs = ours;
    if (tender->kind == TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_CARD) {
        theirs = said_sum(run, "card", no, SAID_TERMS("+confirm", "-cancel_confirm", "-refund"));
        equal(check, 0, said_sum(run, "card", no, SAID_TERMS("+freeze", "-release", "-confirm", "-expire")),
              "still frozen", no);
    } else if (tender->kind != TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_CASH) {
        theirs = said_sum(run, "payment", no, SAID_TERMS("+paid", "-refunded"));
        ours += unsaid(check, trade, tender);
        equal(check, 0, is_open_there(run, no), "still to be paid", no);
    }
    equal(check, ours, theirs, "money", no);
    snprintf(account, sizeof account, "suspense:%s", no);
    if (check->options->settled)
        equal(check, 0, booked(trade, account), "in suspense", no);
}

static void check_tenders(struct check *check, const trade_message *trade, const struct said_run *run) {
    for (size_t i = 0; i < trade->n_attempts; i++)
        for (size_t k = 0; k < trade->attempts[i]->n_tenders; k++)
            check_tender(check, trade, trade->attempts[i]->tenders[k], run);
}

// Whether it was gone when it was to be used, and has not been used since.
static bool is_short(const trade_message *trade, const char *what) {
    for (size_t i = 0; i < trade->n_shortfalls; i++)
        if (strcmp(trade->shortfalls[i]->what, what) == 0 && !trade->shortfalls[i]->deducted)
            return true;
    return false;
}

// Quota of activities and limits, each in the unit of its own.
static void check_quota(struct check *check, const trade_message *trade, const struct said_run *run) {
    bool used = is_paid(trade) && !is(trade, STATE(REFUNDED)) && !is_short(trade, "quota");
    bool locks = trade->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    int64_t all = 0;
    for (size_t i = 0; trade->combination && i < trade->combination->n_quotas; i++) {
        const Txcenter__Trade__V1__QuotaUse *quota = trade->combination->quotas[i];
        equal(check, used ? quota->quantity : 0,
              said_sum(run, "discount", quota->activity_id, SAID_TERMS("+use", "-give_back")), "used quota",
              quota->activity_id);
        all += quota->quantity;
    }
    equal(check, 0,
          said_sum(run, "discount", NULL, SAID_TERMS("+lock", "-unlock")) -
              (locks ? said_sum(run, "discount", NULL, SAID_TERMS("+use")) : 0),
          "locked quota", "");
    equal(check, used ? all : 0, said_sum(run, "discount", NULL, SAID_TERMS("+use", "-give_back")), "used quota", "");
}

static void check_benefits(struct check *check, const trade_message *trade, const struct said_run *run) {
    bool kept = is_paid(trade) && !is(trade, STATE(REFUNDED));
    bool locks = trade->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    int64_t points = trade->combination && !is_short(trade, "points") ? trade->combination->points : 0;
    int64_t coupons = trade->combination && !is_short(trade, "coupons") ? (int64_t)trade->combination->n_coupon_ids : 0;
    const Txcenter__Type__V1__Money *due = trade->authorised ? trade->authorised : trade->payable;
    bool froze = locks || (due && due->minor_units > 0); // deducting later, each attempt to pay does
    equal(check, 0,
          said_sum(run, "points", NULL, SAID_TERMS("+freeze", "-unfreeze")) -
              (froze ? said_sum(run, "points", NULL, SAID_TERMS("+deduct")) : 0),
          "frozen points", "");
    equal(check, kept ? points : 0, said_sum(run, "points", NULL, SAID_TERMS("+deduct", "-give_back")), "spent points",
          "");
    equal(check, 0,
          said_count(run, "coupon", "lock") - said_count(run, "coupon", "unlock") -
              (locks ? said_count(run, "coupon", "use") : 0),
          "locked coupons", "");
    equal(check, kept ? coupons : 0, said_count(run, "coupon", "use") - said_count(run, "coupon", "give_back"),
          "used coupons", "");
    check_quota(check, trade, run);
    int64_t clawed = 0, shortfall = 0;
    for (size_t i = 0; i < trade->n_refunds; i++) {
        clawed += trade->refunds[i]->points_clawed_back;
        shortfall += trade->refunds[i]->points_shortfall;
    }
    int64_t left = said_sum(run, "points", NULL, SAID_TERMS("+award", "-claw_back"));
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

static void check_order(struct check *check, const trade_message *trade, const struct said_run *run) {
    int64_t open = said_count(run, "order", "create") - said_count(run, "order", "close");
    equal(check, is_paid(trade), open, "orders", "");
    // What was authorised and not used the order system knows as refunded.
    int64_t unused = trade->adjusted_at ? minor(trade->authorised) - minor(trade->paid) : 0;
    equal(check, minor(trade->paid) + unused, said_sum(run, "order", NULL, SAID_TERMS("+paid")), "paid by the order",
          "");
    equal(check, minor(trade->refunded) + unused, said_sum(run, "order", NULL, SAID_TERMS("+refunded")),
          "refunded by the order", "");
    if (is_paid(trade)) {
        equal(check, 1, said_count(run, "order", "paid"), "times that the order was paid", "");
        equal(check, 1 + told_refunds(trade), said_count(run, "push", "push"), "messages to the screens", "");
    }
}

static bool has_account(const trade_message *trade, int32_t entry, const char *beginning) {
    for (size_t i = 0; i < trade->n_ledger; i++)
        if (trade->ledger[i]->entry == entry && str_starts(str_c(trade->ledger[i]->account), str_c(beginning)))
            return true;
    return false;
}

// What settlement should have: that money was given back in another way than by its tender is none of its business.
static int64_t to_settle(const trade_message *trade, const char *account) {
    int64_t total = 0;
    for (size_t i = 0; i < trade->n_ledger; i++)
        if (strcmp(trade->ledger[i]->account, account) == 0 &&
            !has_account(trade, trade->ledger[i]->entry, "otherwise:"))
            total += minor(trade->ledger[i]->amount);
    return total;
}

// Every account of the trade that settlement knows, or should: all but what was in suspense.
static void check_settlement(struct check *check, const trade_message *trade, const struct said_run *run) {
    for (size_t i = 0; i < trade->n_ledger; i++) {
        const char *account = trade->ledger[i]->account;
        int32_t entry = trade->ledger[i]->entry;
        if (!has_account(trade, entry, "suspense:") && !has_account(trade, entry, "otherwise:"))
            equal(check, to_settle(trade, account),
                  said_sum(run, "settlement", account, SAID_TERMS("+record", "+reverse")), "settlement", account);
    }
    if (!is_paid(trade))
        equal(check, 0, said_count(run, "settlement", "record"), "settlement records", "");
}

// ---- What follows a payment

// ------------------------------------------------------------------------------------------

#define FOLLOWER(name) TXCENTER__TRADE__V1__FOLLOWER_STATE__FOLLOWER_STATE_##name

static bool has_come(const trade_message *trade, const char *name) {
    for (size_t i = 0; i < trade->n_followers; i++)
        if (strcmp(trade->followers[i]->name, name) == 0)
            return trade->followers[i]->state == FOLLOWER(APPLIED);
    return false;
}

// Whether it is to come or not, the center knows by now.
static void check_come(struct check *check, const trade_message *trade) {
    for (size_t i = 0; i < trade->n_followers; i++)
        if (trade->followers[i]->state == FOLLOWER(PENDING) && !check->options->open_is_fine)
            fault(check, "%s is still to come", trade->followers[i]->name);
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
static int64_t invoiced_of(const trade_message *trade, const struct said_run *run) {
    bool fuel = has_come(trade, "fuel_invoice"), goods = has_come(trade, "goods_invoice");
    bool both = trade->n_followers > 0 && strcmp(trade->followers[trade->n_followers - 1]->name, "goods_invoice") == 0;
    // Of two invoices of which one was given up, what is left of the other can't be told from outside.
    if (both && fuel != goods && !is(trade, STATE(REFUNDED)))
        return said_sum(run, "invoice", NULL, SAID_TERMS("+record", "-reverse", "-cancel"));
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
static void check_goods(struct check *check, const trade_message *trade, const struct said_run *run) {
    bool locks = trade->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    bool whole = is_paid(trade) && trade->n_refunds == 0, none = !is_paid(trade) || is(trade, STATE(REFUNDED));
    int64_t stock = said_sum(run, "goods", NULL, SAID_TERMS("+deduct", "-return"));
    int64_t items = said_count(run, "activity", "deliver") - said_count(run, "activity", "withdraw");
    equal(check, 0,
          said_sum(run, "goods", NULL, SAID_TERMS("+reserve", "-release")) -
              (locks ? said_sum(run, "goods", NULL, SAID_TERMS("+deduct")) : 0),
          "reserved goods", "");
    if (whole || none) {
        equal(check, whole && !is_short(trade, "stock") ? pieces_of(trade, "goods") : 0, stock, "goods sold", "");
        equal(check, whole || is_short(trade, "item") ? pieces_of(trade, "item") : 0, items, "items delivered", "");
    }
}

// What cards are recharged with: the bonus is 10 % of each whole 100.00, from 500.00 on, and goes back first and whole.
static int64_t bonus_of(int64_t principal) {
    return principal >= 50000 ? principal / 10000 * 1000 : 0;
}

static int64_t recharged(const struct said_run *run, const char *account) {
    return said_sum(run, "card", account, SAID_TERMS("+recharge", "-cancel_recharge", "-reverse_recharge"));
}

// A recharge is bought by itself: its card has what of the money is left, and no other card has anything.
static void check_recharges(struct check *check, const trade_message *trade, const struct said_run *run) {
    int64_t left = is_paid(trade) ? minor(trade->paid) - minor(trade->refunded) : 0, all = 0;
    bool part = left > 0 && minor(trade->refunded) > 0;
    for (size_t i = 0; trade->quote && i < trade->quote->n_lines; i++) {
        const Txcenter__Trade__V1__QuotedLine *line = trade->quote->lines[i];
        char principal[96], bonus[96];
        if (strcmp(line->kind, "recharge") != 0)
            continue;
        snprintf(principal, sizeof principal, "%s/principal", line->code);
        snprintf(bonus, sizeof bonus, "%s/bonus", line->code);
        equal(check, left, recharged(run, principal), "recharged", principal);
        if (!part)
            equal(check, bonus_of(left), recharged(run, bonus), "recharged", bonus);
        all += recharged(run, principal) + recharged(run, bonus);
        check->counts.recharges += is_paid(trade);
    }
    equal(check, all, recharged(run, NULL), "recharged", "all cards");
}

// How often it has come (`name`: as the trade calls it): once, for a payment of at least so much (by a rule of the
// world's).
static int64_t earned(const trade_message *trade, const char *name, int64_t least) {
    return is_paid(trade) && has_come(trade, name) && minor(trade->paid) >= least;
}

// Coupons that the trade has earned, not those that it uses. When all of the money is back, those that were spent stay.
static void check_issued(struct check *check, const trade_message *trade, const struct said_run *run) {
    int64_t issued = said_count(run, "coupon", "issue"), spent = 0;
    bool stays = is_paid(trade) && !is(trade, STATE(REFUNDED)) && has_come(trade, "issue");
    for (size_t i = 0; i < trade->n_refunds; i++)
        spent += trade->refunds[i]->coupons_spent;
    if (has_come(trade, "issue"))
        equal(check, earned(trade, "issue", 10000), said_times(run, "coupon", "issue"), "times coupons were issued",
              "");
    equal(check, stays ? issued : spent, issued - said_count(run, "coupon", "withdraw"), "issued coupons kept", "");
    check->counts.issued += issued;
}

static bool is_activity(const struct said *said, const char *kind, const char *gift_id) {
    return strcmp(said->system, "activity") == 0 && strcmp(said->kind, kind) == 0 &&
           (!gift_id || strcmp(said->whose, gift_id) == 0);
}

// Gifts that were given and taken back again; what is taken back of items that were paid for is none.
static int64_t gifts_taken_back(const struct said_run *run) {
    int64_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        for (size_t k = 0; is_activity(&run->first[i], "give", NULL) && k < run->n; k++)
            n += is_activity(&run->first[k], "take_back", run->first[i].whose);
    return n;
}

static void check_gifts(struct check *check, const trade_message *trade, const struct said_run *run) {
    int64_t taken = gifts_taken_back(run), kept = said_count(run, "activity", "give") - taken, used = 0;
    for (size_t i = 0; i < trade->n_refunds; i++)
        used += trade->refunds[i]->gifts_spent;
    if (has_come(trade, "gift"))
        equal(check, earned(trade, "gift", 20000), said_times(run, "activity", "give"), "times gifts were given", "");
    if (!is_paid(trade) || is(trade, STATE(REFUNDED)))
        equal(check, used, kept, "gifts kept", "");
    else
        equal(check, 0, taken, "gifts taken back", "");
    if (!has_come(trade, "gift"))
        equal(check, 0, kept - used, "gifts that nobody knows", "");
}

// What the stations' system believes last.
static void check_os(struct check *check, const trade_message *trade, const struct said_run *run) {
    const struct said *last = NULL;
    for (size_t i = 0; i < run->n; i++)
        if (strcmp(run->first[i].system, "os") == 0)
            last = &run->first[i];
    bool told = is_paid(trade) && !check->options->os_is_off;
    equal(check, told, last != NULL, "whether the stations' system knows the order", "");
    if (!told || !last)
        return;
    const char *state = is(trade, STATE(REFUNDED))             ? "REFUNDED"
                        : is(trade, STATE(PARTIALLY_REFUNDED)) ? "PARTIALLY_REFUNDED"
                                                               : "PAID";
    if (strcmp(last->state, state) != 0)
        fault(check, "the stations' system says %s, not %s", last->state, state);
    if (said_count(run, "os", "sync") > 1 + told_refunds(trade))
        fault(check, "the stations' system was told %" PRId64 " times", said_count(run, "os", "sync"));
}

static void check_followers(struct check *check, const trade_message *trade, const struct said_run *run) {
    check_come(check, trade);
    // Of each record, also of one that was cancelled since.
    int64_t discount = said_count(run, "marketing", "record") > 0 ? discounts_of(trade) : 0;
    equal(check, growth_of(trade), said_sum(run, "level", NULL, SAID_TERMS("+grow", "-shrink")), "growth", "");
    equal(check, left_of(trade, "marketing"),
          said_sum(run, "marketing", NULL, SAID_TERMS("+record", "-reverse", "-cancel")), "money of campaigns", "");
    equal(check, discount, said_sum(run, "marketing", NULL, SAID_TERMS("+benefit")), "benefits of campaigns", "");
    equal(check, invoiced_of(trade, run), said_sum(run, "invoice", NULL, SAID_TERMS("+record", "-reverse", "-cancel")),
          "money on invoices", "");
    bool somebody = trade->context && trade->context->user_id[0];
    equal(check, somebody && is_paid(trade) ? 1 + told_refunds(trade) : 0, said_count(run, "notify", "notify"),
          "messages to the user", "");
    check_goods(check, trade, run);
    check_recharges(check, trade, run);
    check_issued(check, trade, run);
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

// What was dispensed and what it cost belong together: whichever of the two was said, the other one is rounded once.
static void check_volumes(struct check *check, const trade_message *trade) {
    enum { SCALE = 100 };
    for (size_t i = 0; trade->quote && i < trade->quote->n_lines; i++) {
        const Txcenter__Trade__V1__QuotedLine *line = trade->quote->lines[i];
        int64_t price = minor(line->unit_price);
        int64_t off = minor(line->list_price) * SCALE - line->volume_centi * price;
        if (strcmp(line->kind, "fuel") == 0 && llabs(off) > price / 2 + SCALE)
            fault(check, "%" PRId64 " of %s at %" PRId64 " cost %" PRId64, line->volume_centi, line->code, price,
                  minor(line->list_price));
    }
}

// ---- Who has paid for a fuelling ------------------------------------------------------------------------------------

static void note_fuellings(struct check *check, const trade_message *trade) {
    for (size_t i = 0; trade->quote && i < trade->quote->n_lines; i++) {
        const Txcenter__Trade__V1__QuotedLine *line = trade->quote->lines[i];
        if (!line->pump_serial[0] || !is_paid(trade) || is(trade, STATE(REFUNDED)))
            continue;
        if (check->n_fuellings == check->cap_fuellings) {
            check->cap_fuellings = check->cap_fuellings ? check->cap_fuellings * 2 : 256;
            check->fuellings = realloc(check->fuellings, check->cap_fuellings * sizeof check->fuellings[0]);
            if (!check->fuellings)
                abort();
        }
        struct fuelling *fuelling = &check->fuellings[check->n_fuellings++];
        snprintf(fuelling->name, sizeof fuelling->name, "%s/%s/%s/%s", trade->context->tenant_id,
                 trade->context->station_id, line->nozzle, line->pump_serial);
        str_fit(str_c(trade->trade_no), fuelling->trade_no, sizeof fuelling->trade_no);
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct fuelling *)a)->name, ((const struct fuelling *)b)->name);
}

static void check_fuellings(struct check *check) {
    if (check->n_fuellings)
        qsort(check->fuellings, check->n_fuellings, sizeof check->fuellings[0], by_name);
    for (size_t i = 1; i < check->n_fuellings; i++)
        if (strcmp(check->fuellings[i].name, check->fuellings[i - 1].name) == 0) {
            check->trade_no = check->fuellings[i].trade_no;
            fault(check, "the fuelling %s is paid by %s, too", check->fuellings[i].name,
                  check->fuellings[i - 1].trade_no);
        }
    check->counts.fuellings = (int64_t)check->n_fuellings;
}

// -----------------------------------------------------------------------------------------------------------------------

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
    struct said_run run = said_of(&check->said, trade->trade_no);
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
    check->counts.adjusted += trade->adjusted_at != NULL;
    check->counts.edited += said_count(&run, "order", "create") > 1;
    check->counts.money += minor(trade->paid) - minor(trade->refunded);
    check_sums(check, trade);
    check_volumes(check, trade);
    note_fuellings(check, trade);
    check_tenders(check, trade, &run);
    check_benefits(check, trade, &run);
    check_order(check, trade, &run);
    check_settlement(check, trade, &run);
    check_followers(check, trade, &run);
    strangers_of(trade, &run, tell, check);
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

// What participants have of trades that the center doesn't list. It may have deleted one since; else it must know it,
// and list it.
static void check_unseen(struct check *check) {
    Txcenter__Trade__V1__GetTradeRequest request = TXCENTER__TRADE__V1__GET_TRADE_REQUEST__INIT;
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    for (struct said_run run = said_unseen(&check->said, NULL); run.n > 0; run = said_unseen(&check->said, &run)) {
        const struct said *said = run.first;
        arena_reset(&arena);
        request.trade_no = (char *)(uintptr_t)said->trade_no;
        const struct answer answer = ask(check, false, &get, &request.base, &arena);
        const Txcenter__Trade__V1__GetTradeResponse *response = (const void *)answer.message;
        if (response && response->trade->archived_at)
            continue;
        check->trade_no = said->trade_no;
        fault(check, "%zu entries of a trade that the center does not have, as a %s of %s at %s under %s: %s", run.n,
              said->kind, said->whose, said->system, said->key, response ? "it is on no list" : answer.text);
    }
    arena_release(&arena);
}

static void check_stats(struct check *check) {
    Participant__Sim__V1__GetStatsRequest request = PARTICIPANT__SIM__V1__GET_STATS_REQUEST__INIT;
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    const Participant__Sim__V1__GetStatsResponse *response = call(check, true, &stats, &request.base, &arena);
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
    arena_release(&arena);
}

bool check_ledgers(const struct check_options *options, struct check_counts *ret_counts) {
    struct check check = {.options = options, .trade_no = "", .begun_ms = clock_now_ms(clock_system())};
    said_init(&check.said);
    bool good = said_read(&check.said, call, &check) &&
                (!options->settled || said_read_settled(&check.said, call, tell, &check));
    check.counts.entries = (int64_t)check.said.n_entries;
    check.counts.matters = (int64_t)check.said.n_matters;
    good = good && (options->trade_nos ? check_named(&check) : check_all(&check));
    if (good && !options->trade_nos)
        check_unseen(&check);
    check_fuellings(&check);
    check_stats(&check);
    free(check.fuellings);
    said_release(&check.said);
    *ret_counts = check.counts;
    return good && check.counts.faults == 0;
}
