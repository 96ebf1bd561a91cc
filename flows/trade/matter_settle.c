// The command SettleMatter: what an operator decides about a matter, by its kind.
#include "flows/trade/matter_settle.h"

#include "flows/trade/books.h"
#include "flows/trade/deduction.h"
#include "flows/trade/matter.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"
#include "saga/audit.h"
#include "saga/operate.h"

#include <stdio.h>
#include <stdlib.h>

enum { REF_MAX = 32 };

typedef Txcenter__Trade__V1__SettleMatterRequest settle_request;

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    const settle_request *request = (const void *)message;
    (void)trades;
    check_trade_no(error, "trade_no", request->trade_no, true);
    check_range(error, "number", request->number, 1, INT32_MAX);
    check_range(error, "outcome", (int64_t)request->outcome, 1, MATTER_OUTCOME(DEDUCTED));
    if (request->outcome == MATTER_OUTCOME(OVER))
        error_field(error, "outcome", "comes by itself");
    struct audit_row audit;
    audit_init(&audit, "settle-matter", STR(""), str_c(request->reason), error);
    bool otherwise = request->outcome == MATTER_OUTCOME(PAID_OTHERWISE);
    check_text(error, "reference", request->reference, otherwise, otherwise ? MATTER_REFERENCE_MAX : 0);
}

// ---- What each comes to -------------------------------------------------------------------------------------------

static struct tender_row *tender_of(struct trade *trade, const struct matter_row *matter, struct error *error) {
    struct tender_row *tender = trade_tender_by_no(trade, str_c(matter->what));
    if (tender && tender->state == TENDER_STATE(CONFLICTED))
        return tender;
    error_set(error, ERR_MATTER_STATE, "the tender is no longer in conflict");
    return NULL;
}

static void note_money(struct saga_turn *turn, enum ledger_suspense event, const struct tender_row *tender,
                       const struct matter_row *matter) {
    if (matter->amount > 0)
        books_suspense(trade_of(saga_turn_subject(turn)), event, tender, matter->amount, saga_turn_now(turn));
}

// Of no purchase: a trade in conflict is never paid.
static bool keep(struct saga_turn *turn, const struct matter_row *matter, const settle_request *request,
                 struct error *error) {
    (void)request;
    const struct tender_row *tender = tender_of(trade_of(saga_turn_subject(turn)), matter, error);
    if (tender)
        note_money(turn, LEDGER_KEPT, tender, matter);
    return tender != NULL;
}

static bool give_back(struct saga_turn *turn, const struct matter_row *matter, const settle_request *request,
                      struct error *error) {
    (void)request;
    struct tender_row *tender = tender_of(trade_of(saga_turn_subject(turn)), matter, error);
    if (tender && matter->amount == 0)
        return error_set(error, ERR_MATTER_STATE, "how much came is not known: give it back otherwise");
    return tender && tender_give_back(turn, tender, matter->amount, error);
}

static bool give_back_otherwise(struct saga_turn *turn, const struct matter_row *matter, const settle_request *request,
                                struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    (void)request;
    struct tender_row *tender = tender_of(trade, matter, error);
    if (!tender)
        return false;
    note_money(turn, LEDGER_OTHERWISE, tender, matter);
    note_money(turn, LEDGER_RETURNED, tender, matter);
    tender_set_state(trade, tender, TENDER_STATE(RETURNED));
    tender->refunded = matter->amount;
    return true;
}

static struct refund_leg_row *leg_of(const struct trade *trade, const struct matter_row *matter) {
    struct refund_leg_row *leg;
    char what[MATTER_WHAT_MAX + 1];
    for (size_t i = 0; (leg = trade_at(trade, PART_REFUND_LEG, i)); i++) {
        matter_of_leg(leg, what);
        if (strcmp(what, matter->what) == 0)
            return leg;
    }
    return NULL;
}

// No saga waits for it any more.
static bool pay_out_otherwise(struct saga_turn *turn, const struct matter_row *matter, const settle_request *request,
                              struct error *error) {
    struct refund_leg_row *leg = leg_of(trade_of(saga_turn_subject(turn)), matter);
    if (!leg || leg->state != REFUND_LEG_STATE(FAILED))
        return error_set(error, ERR_MATTER_STATE, "it has gone back");
    refund_end_otherwise(turn, leg, request->reference);
    return true;
}

static bool deduct(struct saga_turn *turn, const struct matter_row *matter, const settle_request *request,
                   struct error *error) {
    (void)request;
    return deduction_start(turn, matter, error);
}

// Which outcomes a kind may have, and what they do; NULL: it is only noted. On failure they have changed nothing.
static const struct ruling {
    Txcenter__Trade__V1__MatterKind kind;
    Txcenter__Trade__V1__MatterOutcome outcome;
    bool (*carry_out)(struct saga_turn *turn, const struct matter_row *matter, const settle_request *request,
                      struct error *error);
    enum {
        AT_ONCE,
        BY_STEP /* of the saga that waits for it: that is resolved */,
        LATER /* by a saga of its own */
    } how;
} rulings[] = {
    {MATTER_KIND(SHORTFALL), MATTER_OUTCOME(WRITTEN_OFF), NULL, AT_ONCE},
    {MATTER_KIND(SHORTFALL), MATTER_OUTCOME(COLLECTED), NULL, AT_ONCE},
    {MATTER_KIND(SHORTFALL), MATTER_OUTCOME(DEDUCTED), deduct, LATER},
    {MATTER_KIND(CONFLICT), MATTER_OUTCOME(KEPT), keep, AT_ONCE},
    {MATTER_KIND(CONFLICT), MATTER_OUTCOME(RETURNED), give_back, AT_ONCE},
    {MATTER_KIND(CONFLICT), MATTER_OUTCOME(PAID_OTHERWISE), give_back_otherwise, AT_ONCE},
    {MATTER_KIND(PAYOUT), MATTER_OUTCOME(PAID_OTHERWISE), pay_out_otherwise, BY_STEP},
};

static const struct ruling *ruling_of(const struct matter_row *matter, const settle_request *request) {
    for (size_t i = 0; i < sizeof rulings / sizeof rulings[0]; i++)
        if ((int32_t)rulings[i].kind == matter->kind && rulings[i].outcome == request->outcome)
            return &rulings[i];
    return NULL;
}

// ---- The command --------------------------------------------------------------------------------------------------

static const struct ruling *choose(const struct matter_row *matter, const settle_request *request,
                                   struct error *error) {
    const struct ruling *ruling = matter ? ruling_of(matter, request) : NULL;
    if (!matter)
        error_set(error, ERR_MATTER_NOT_FOUND, NULL);
    else if (!matter_is_open(matter))
        error_set(error, ERR_MATTER_STATE, "it is settled already");
    else if (deduction_is_open(matter))
        error_set(error, ERR_MATTER_STATE, "%s sees to it: it can be settled when that has ended", matter->gid);
    else if (!ruling)
        error_set(error, ERR_MATTER_STATE, "this kind of matter can't be settled like that");
    return error_is(error) ? NULL : ruling;
}

static const char *outcome_word(const settle_request *request) {
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&txcenter__trade__v1__matter_outcome__descriptor, (int)request->outcome);
    return value ? value->name + strlen("MATTER_OUTCOME_") : "";
}

// Begun in this turn.
static void begin(struct saga_turn *turn, struct matter_row *matter, const struct matter_settlement *settlement) {
    char gid[TRADE_GID_MAX];
    matter_begin(turn, matter, settlement);
    deduction_gid(trade_of(saga_turn_subject(turn)), matter, gid);
    str_fit(str_c(gid), matter->gid, sizeof matter->gid);
}

// With the turn in which it is so, or begins to be.
static void settle(struct command *command, struct saga_turn *turn, const struct ruling *ruling,
                   struct matter_row *matter, char ref[REF_MAX]) {
    const settle_request *request = (const void *)command->request;
    const struct matter_settlement settlement = {request->outcome, command->call->caller, request->reason,
                                                 request->reference};
    struct error error = {0}; // its form has been checked
    struct audit_row audit;
    if (ruling->how == LATER)
        begin(turn, matter, &settlement);
    else
        matter_settle(turn, matter, &settlement);
    audit_init(&audit, "settle-matter", str_c(command->call->caller), str_c(request->reason), &error);
    str_fit(str_c(matter->trade_no), audit.gid, sizeof audit.gid);
    str_fit(STR("open"), audit.before, sizeof audit.before);
    str_fit(ruling->how == LATER ? STR("UNDER_WAY") : str_c(outcome_word(request)), audit.after, sizeof audit.after);
    str_print(audit.detail, sizeof audit.detail, "matter %d: %s: %s%s%s", matter->number, matter->what, matter->reason,
              request->reference[0] ? ", by " : "", request->reference);
    audit_put(turn, id_slot(str_c(matter->trade_no)), &audit);
    snprintf(ref, REF_MAX, "M%d/%d", request->number, matter->tries);
}

static void carry_out(struct command *command, const struct ruling *ruling, struct matter_row *matter) {
    struct saga_turn *turn = command_turn(command);
    struct error error = {0};
    char ref[REF_MAX];
    if (ruling->carry_out && !ruling->carry_out(turn, matter, (const void *)command->request, &error)) {
        if (error.code != ERR_MATTER_STATE) {
            command_give_up(command, turn, &error);
            return;
        }
        saga_turn_abandon(turn);
        command_refuse(command, &error);
        return;
    }
    settle(command, turn, ruling, matter, ref);
    command_made(command, turn, ref);
}

// ---- A refund's leg that its saga waits for -----------------------------------------------------------------------

struct paying {
    struct command *command; // NULL: it is settled, and answered by whoever waits for the trade
    const struct ruling *ruling;
};

// The step is resolved: the leg is DONE. The trade may have been loaded afresh meanwhile.
static void paid_otherwise(void *ctx, struct saga_turn *turn) {
    struct paying *paying = ctx;
    struct command *command = paying->command;
    const settle_request *request = (const void *)command->request;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct matter_row *matter = matter_numbered(trade, request->number);
    char ref[REF_MAX];
    saga_subject_hold(&trade->subject);
    saga_subject_release(&command->trade->subject);
    command->trade = trade;
    paying->command = NULL;
    refund_leg_paid_otherwise(turn, leg_of(trade, matter), request->reference);
    settle(command, turn, paying->ruling, matter, ref);
    command_join(command, turn, ref);
}

static void operated(void *ctx, const struct error *error) {
    struct paying *paying = ctx;
    struct error refused;
    if (paying->command && error->code == ERR_SAGA_STATE) {
        error_set(&refused, ERR_MATTER_STATE, "%s", error->text);
        command_refuse(paying->command, &refused);
    } else if (paying->command) {
        command_refuse(paying->command, error);
    }
    free(paying);
}

static void resolve(struct command *command, const struct ruling *ruling, const struct matter_row *matter) {
    const settle_request *request = (const void *)command->request;
    const struct refund_leg_row *leg = leg_of(command->trade, matter);
    struct paying *paying;
    char gid[TRADE_GID_MAX];
    if (!leg || leg->state != REFUND_LEG_STATE(FAILED)) {
        command_refuse_as(command, ERR_MATTER_STATE, "the channel may still make it, or has made it");
        return;
    }
    if (!(paying = malloc(sizeof *paying)))
        abort();
    *paying = (struct paying){command, ruling};
    trade_refund_gid(command->trade, leg->refund_no, gid);
    const struct saga_operation operation = {.act = SAGA_ACT_RESOLVE,
                                             .caller = str_c(command->call->caller),
                                             .reason = str_c(request->reason),
                                             .step = STR(REFUND_LEG_STEP),
                                             .leg = (uint32_t)leg->leg,
                                             .outcome = OUTCOME_OK,
                                             .also = paid_otherwise};
    saga_operate(command->trades->engine, str_c(gid), &operation, operated, paying);
}

// ---- The call -----------------------------------------------------------------------------------------------------

static void execute(struct command *command) {
    const settle_request *request = (const void *)command->request;
    struct matter_row *matter = matter_numbered(command->trade, request->number);
    struct error error = {0};
    const struct ruling *ruling = choose(matter, request, &error);
    if (!ruling)
        command_refuse(command, &error);
    else if (ruling->how == BY_STEP && matter->gid[0])
        resolve(command, ruling, matter);
    else
        carry_out(command, ruling, matter);
}

// The try that the command has begun. There may have been others since.
static bool is_under_way(const struct command *command, const struct matter_row *matter) {
    struct str rest = command->ref;
    int64_t try_no = 0;
    str_cut(&rest, '/');
    str_to_i64(rest, &try_no);
    return matter && deduction_is_open(matter) && matter->tries == try_no;
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    const settle_request *request = (const void *)command->request;
    const struct matter_row *matter = matter_numbered(trade, request->number);
    (void)ret_error;
    if (settled && is_under_way(command, matter))
        return false;
    Txcenter__Trade__V1__SettleMatterResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__settle_matter_response, Txcenter__Trade__V1__SettleMatterResponse);
    if (!response || !matter || !(response->matter = matter_view(matter, arena)) ||
        !(response->trade = view_trade(trade, arena)))
        return true;
    response->processing = !settled && is_under_way(command, matter);
    *ret_response = &response->base;
    return true;
}

const struct command_kind settle_matter_kind = {
    .check = check, .execute = execute, .outcome = outcome, .any_currency = true};
