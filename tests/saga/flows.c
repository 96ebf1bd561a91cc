#include "tests/saga/flows.h"

#include "tests/saga/account.h"
#include "tests/saga/bed.h"

#include <stdio.h>

#define CALL(number, at, text)                                                                                         \
    .id = (number), .stage = (at), .name = (text), .participant = "model", .run = bed_send, .inquire = bed_send,       \
    .undo = bed_send, .deadline_ms = 1000, .undo_retry = SAGA_STUBBORN
#define AFTER(number, at, text)                                                                                        \
    .id = (number), .stage = (at), .name = (text), .participant = "model", .kind = SAGA_RETRIABLE, .run = bed_send,    \
    .inquire = bed_send, .deadline_ms = 1000, .retry = SAGA_STUBBORN

static const struct saga_step pair_steps[] = {{CALL(1, 1, "debit")}, {CALL(2, 2, "credit")}};
const struct saga_flow flow_pair = {.name = "test.pair", .version = 1, .steps = pair_steps, .n_steps = 2};

static const struct saga_step trip_steps[] = {
    {CALL(1, 1, "a")},
    {CALL(2, 1, "b")},
    {CALL(3, 2, "c")},
    {.id = 4,
     .stage = 3,
     .name = "pivot",
     .kind = SAGA_PIVOT,
     .run = bed_send,
     .inquire = bed_send,
     .deadline_ms = 1000},
    {AFTER(5, 4, "d")},
    {AFTER(6, 4, "extra"), .tier = SAGA_NON_CORE},
    {AFTER(7, 5, "e")},
};
const struct saga_flow flow_trip = {.name = "test.trip", .version = 1, .steps = trip_steps, .n_steps = 7};

// ---- About an account ---------------------------------------------------------------------------------------------

static int64_t input_of(const struct saga_turn *turn) {
    int64_t amount = 0;
    str_to_i64(saga_turn_input(turn), &amount);
    return amount;
}

static struct saga_verdict book(struct saga_turn *turn) {
    account_edit(account_of(saga_turn_subject(turn)))->amount += input_of(turn);
    return saga_done();
}

enum { PAY_WITHIN_MS = 60000 };

static struct saga_verdict paid(struct saga_turn *turn) {
    const struct account *account = account_of(saga_turn_subject(turn));
    int64_t until_ms = saga_instance_leg(saga_turn_saga(turn), 3, 0)->started_ms + PAY_WITHIN_MS;
    if (strcmp(account->row.paid, "yes") == 0)
        return saga_done();
    if (strcmp(account->row.paid, "no") == 0)
        return saga_reject(ERR_PAYMENT_FAILED, NULL);
    return saga_turn_now(turn) >= until_ms ? saga_reject(ERR_TIMED_OUT, NULL) : saga_wait(until_ms);
}

static struct saga_verdict reversed(struct saga_turn *turn) {
    if (saga_instance_leg(saga_turn_saga(turn), 2, 0)->state == LEG_DONE)
        account_edit(account_of(saga_turn_subject(turn)))->amount -= input_of(turn);
    return saga_done();
}

static struct saga_verdict ended(struct saga_turn *turn) {
    struct account_row *row = account_edit(account_of(saga_turn_subject(turn)));
    if (bed_now->spoil_note)
        return saga_done();
    snprintf(row->note, sizeof row->note, "%s", saga_status_name(saga_turn_saga(turn)->status));
    return saga_done();
}

// What a participant wrote, into a text column: the flow is at fault when it is no text.
static void shipped(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    (void)answer;
    if (outcome == OUTCOME_OK && bed_now->spoil_note)
        memcpy(account_edit(account_of(saga_turn_subject(turn)))->note, "\xff", 2);
}

static const struct saga_step order_steps[] = {
    {CALL(1, 1, "reserve")},
    {.id = 2, .stage = 2, .name = "book", .decide = book},
    {.id = 3, .stage = 3, .name = "paid", .kind = SAGA_PIVOT, .decide = paid},
    {AFTER(4, 4, "ship"), .answered = shipped},
    {AFTER(5, 4, "tell"), .tier = SAGA_NON_CORE},
};
const struct saga_flow flow_order = {.name = "test.order",
                                     .version = 1,
                                     .steps = order_steps,
                                     .n_steps = 5,
                                     .on_reversed = reversed,
                                     .on_end = ended,
                                     .attach = account_attach};

// ---- Awaits, children, questions ----------------------------------------------------------------------------------

static const struct saga_step await_steps[] = {
    {CALL(1, 1, "begin")},
    {.id = 2, .stage = 2, .name = "await", .signal = "paid", .timeout_ms = 600000},
    {CALL(3, 3, "close")},
};
const struct saga_flow flow_await = {.name = "test.await", .version = 1, .steps = await_steps, .n_steps = 3};

static bool child(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child) {
    const char *gid = saga_turn_saga(turn)->gid;
    if (str_eq_c(saga_turn_input(turn), "childless"))
        return false;
    ret_child->flow = str_eq_c(saga_turn_input(turn), "unknown") ? "test.nothing" : flow_pair.name;
    ret_child->gid = arena_printf(arena, "%s/child%u", gid, saga_turn_generation(turn));
    ret_child->input = arena_str(arena, STR("of the child"));
    return true;
}

static const struct saga_step parent_steps[] = {
    {.id = 1, .stage = 1, .name = "child", .child = child, .undo = bed_send, .deadline_ms = 1000},
    {CALL(2, 2, "b")},
};
const struct saga_flow flow_parent = {.name = "test.parent", .version = 1, .steps = parent_steps, .n_steps = 2};

static const struct saga_step beside_steps[] = {
    {.id = 1, .stage = 1, .name = "child", .child = child, .undo = bed_send, .deadline_ms = 1000},
    {CALL(2, 1, "b")},
};
const struct saga_flow flow_beside = {.name = "test.beside", .version = 1, .steps = beside_steps, .n_steps = 2};

static struct saga_verdict know(struct saga_turn *turn) {
    const struct saga_asked *asked = saga_turn_asked(turn);
    if (asked && asked->outcome == OUTCOME_OK)
        return saga_done();
    if (asked && saga_turn_exhausted(turn))
        return saga_park(ERR_RETRIES_EXHAUSTED, asked->text);
    return asked ? saga_wait(saga_turn_again_ms(turn)) : saga_ask();
}

static const struct saga_step ask_steps[] = {
    {.id = 1, .stage = 1, .name = "know", .decide = know, .ask = bed_send, .deadline_ms = 1000, .retry = SAGA_QUICK},
};
const struct saga_flow flow_ask = {.name = "test.ask", .version = 1, .steps = ask_steps, .n_steps = 1};

// ---- What operators decide ----------------------------------------------------------------------------------------

static struct saga_verdict judge(struct saga_turn *turn) {
    (void)turn;
    return saga_park(ERR_TRADE_ENDED, "a person decides");
}

static void judged(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct account_row *row = account_edit(account_of(saga_turn_subject(turn)));
    snprintf(row->note, sizeof row->note, "%s %s: %s", saga_act_name(ruling->act), outcome_name(ruling->outcome),
             ruling->text);
}

static void reserved(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct account_row *row = account_edit(account_of(saga_turn_subject(turn)));
    const struct saga_asked *asked = saga_turn_asked(turn);
    snprintf(row->note, sizeof row->note, "%s %s: %.*s %s", saga_op_name(op), outcome_name(outcome), STR_FMT(answer),
             asked->text ? asked->text : "");
}

// An account that is paid stays so; an answer of `reserve` says so.
static bool desk_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    const struct account *account = account_of(saga_turn_subject(turn));
    bool paid = strcmp(account->row.paid, "yes") == 0;
    if (ruling->act == SAGA_ACT_COMPENSATE && paid)
        return error_set(error, ERR_SAGA_STATE, "the account is paid");
    if (ruling->act == SAGA_ACT_RESOLVE && saga_turn_step(turn)->id == 1 && ruling->outcome == OUTCOME_OK &&
        !str_starts(ruling->answer, STR("answer")))
        error_field(error, "answer", "is none of reserve's");
    return !error_is(error);
}

static struct saga_verdict desk_ended(struct saga_turn *turn) {
    struct account_row *row = account_edit(account_of(saga_turn_subject(turn)));
    size_t length = strlen(row->note);
    snprintf(row->note + length, sizeof row->note - length, "; %s", saga_status_name(saga_turn_saga(turn)->status));
    return saga_done();
}

static const struct saga_step desk_steps[] = {
    {CALL(1, 1, "reserve"), .answered = reserved},
    {.id = 2, .stage = 2, .name = "judge", .decide = judge, .ruled = judged},
};
const struct saga_flow flow_desk = {.name = "test.desk",
                                    .version = 1,
                                    .steps = desk_steps,
                                    .n_steps = 2,
                                    .on_end = desk_ended,
                                    .allows = desk_allows,
                                    .attach = account_attach};

const struct saga_flow *const test_flows[] = {&flow_pair,   &flow_trip, &flow_order, &flow_await, &flow_parent,
                                              &flow_beside, &flow_ask,  &flow_desk,  NULL};
