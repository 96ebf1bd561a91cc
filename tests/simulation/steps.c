#include "tests/simulation/steps.h"

#include "base/buf.h"
#include "saga/call.h"
#include "tests/simulation/center.h"
#include "tests/simulation/network.h"
#include "tests/simulation/subject.h"
#include "tests/simulation/watch.h"
#include "tests/simulation/world.h"

#include <stdio.h>

unsigned step_no_legs(const struct saga_subject *subject, struct str input) {
    (void)subject, (void)input;
    return 0;
}

unsigned step_two_legs(const struct saga_subject *subject, struct str input) {
    (void)subject, (void)input;
    return 2;
}

unsigned step_three_legs(const struct saga_subject *subject, struct str input) {
    (void)subject, (void)input;
    return 3;
}

unsigned step_some_legs(const struct saga_subject *subject, struct str input) {
    (void)subject;
    return input.len ? (unsigned)input.ptr[input.len - 1] % 4 : 0;
}

// ---- Requests -----------------------------------------------------------------------------------------------------

// Made from the input, the kept answers of core steps of earlier stages, and the number that an earlier step drew: all
// of it is durable by now, or a keyed call's answer (E11).
void step_send(struct saga_call *call) {
    const struct saga_step *step = saga_call_step(call);
    const struct sim_flow *flow = sim_flow_with(&world_now->flows, step);
    struct saga_subject *subject = saga_call_subject(call);
    struct buf body;
    buf_init(&body, 131072);
    buf_printf(&body, "%s %s %.*s", saga_call_key(call), saga_op_name(saga_call_op(call)),
               STR_FMT(saga_call_input(call)));
    for (const struct saga_step *earlier = flow->steps; earlier->stage < step->stage; earlier++)
        if (earlier->tier == SAGA_CORE)
            buf_printf(&body, " %u=%.*s", earlier->id, STR_FMT(saga_call_answer_of(call, earlier->id, 0)));
    if (subject && sim_traits(flow, step)->numbers) {
        const struct sim_entry_row *entry = subject_find_entry(sim_subject_of(subject), saga_call_gid(call));
        buf_printf(&body, " number=%lld", entry ? (long long)entry->number : 0);
    }
    network_send(world_now->running, call, body.ptr);
    buf_release(&body);
}

void step_answered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct saga_subject *subject = saga_turn_subject(turn);
    if (!subject || op != SAGA_ACTION || outcome != OUTCOME_OK)
        return;
    struct sim_entry_row *entry = subject_entry(sim_subject_of(subject), saga_turn_saga(turn)->gid);
    str_fit(str_n(answer.ptr, answer.len < 16 ? answer.len : 16), entry->noted, sizeof entry->noted);
}

// ---- Decisions ----------------------------------------------------------------------------------------------------

// What a decision draws for its saga: the same each time, until an operator has looked.
static uint64_t drawn(const struct saga_turn *turn, const char *what) {
    char text[SAGA_GID_MAX + 64];
    snprintf(text, sizeof text, "%s %s %u.%u", what, saga_turn_saga(turn)->gid, saga_turn_step(turn)->id,
             saga_turn_leg(turn));
    struct seeded dice = draw_stream(world_now->seed, text, 0);
    return seeded_next(&dice);
}

static bool is_fixed(const struct saga_turn *turn) {
    return world_now->calm || ledger_book(&world_now->ledger, saga_turn_saga(turn)->gid)->fixed;
}

static void mark(struct saga_turn *turn, const char *what) {
    struct sim_mark_row row;
    memset(&row, 0, sizeof row);
    snprintf(row.gid, sizeof row.gid, "%s", saga_turn_saga(turn)->gid);
    snprintf(row.mark, sizeof row.mark, "%s", what);
    saga_turn_row(turn, &sim_mark_table, STORE_INSERT, &row); // a second one is refused
}

static int64_t amount_of(const struct saga_turn *turn) {
    int64_t amount = 0;
    str_to_i64(saga_turn_input(turn), &amount);
    return amount;
}

static void book(struct saga_turn *turn) {
    struct saga_subject *base = saga_turn_subject(turn);
    if (!base) {
        mark(turn, "booked");
        return;
    }
    struct sim_subject *subject = sim_subject_of(base);
    struct sim_entry_row *entry = subject_entry(subject, saga_turn_saga(turn)->gid);
    entry->bookings++;
    entry->booked += amount_of(turn);
    // One that is drawn again, because the first was never durable, is another one.
    entry->number = ++subject_edit(subject)->numbers * 100000 + (int64_t)(world_now->tally.sends % 100000);
    subject_edit(subject)->amount += amount_of(turn);
}

static struct saga_verdict book_if_possible(struct saga_turn *turn) {
    if (!is_fixed(turn) && world_fate(drawn(turn, "books")) == FATE_NO)
        return saga_reject(ERR_BENEFIT_UNAVAILABLE, NULL);
    book(turn);
    return saga_done();
}

static int64_t since_ms(const struct saga_turn *turn) {
    const struct saga_leg *leg = saga_instance_leg(saga_turn_saga(turn), saga_turn_step(turn)->id, saga_turn_leg(turn));
    return leg->started_ms;
}

static struct saga_verdict later(struct saga_turn *turn, int64_t until_ms) {
    return saga_turn_now(turn) >= until_ms ? saga_done() : saga_wait(until_ms);
}

static struct saga_verdict paid(struct saga_turn *turn, int64_t until_ms) {
    struct saga_subject *subject = saga_turn_subject(turn);
    if (!subject)
        return later(turn, until_ms);
    const struct sim_entry_row *entry = subject_find_entry(sim_subject_of(subject), saga_turn_saga(turn)->gid);
    if ((entry && entry->paid[0]) || world_now->calm)
        return saga_done();
    if (saga_turn_now(turn) < until_ms)
        return saga_wait(until_ms);
    bool forward = saga_turn_step(turn)->kind == SAGA_RETRIABLE;
    return forward ? saga_done() : saga_reject(ERR_TIMED_OUT, NULL);
}

static struct saga_verdict ask(struct saga_turn *turn) {
    const struct saga_asked *asked = saga_turn_asked(turn);
    if (!asked)
        return saga_ask();
    if (asked->outcome == OUTCOME_OK)
        return saga_done();
    if (asked->outcome == OUTCOME_REJECTED)
        return saga_reject(asked->code, asked->text);
    if (!saga_turn_exhausted(turn))
        return saga_wait(saga_turn_again_ms(turn));
    bool rejects = saga_turn_step(turn)->kind != SAGA_RETRIABLE && drawn(turn, "gives up") % 2;
    return rejects ? saga_reject(ERR_TIMED_OUT, NULL) : saga_park(ERR_RETRIES_EXHAUSTED, asked->text);
}

struct saga_verdict step_decide(struct saga_turn *turn) {
    const struct sim_step *traits = sim_traits(sim_flow_of(saga_turn_saga(turn)->flow), saga_turn_step(turn));
    int64_t until_ms = since_ms(turn) + traits->wait_ms;
    switch (traits->decide) {
    case DECIDES_BOOK: return book_if_possible(turn);
    case DECIDES_LATER: return later(turn, until_ms);
    case DECIDES_PAID: return paid(turn, until_ms);
    case DECIDES_ASK: return ask(turn);
    case DECIDES_PARK:
    case DECIDES_NOT: break;
    }
    if (!is_fixed(turn) && world_fate(drawn(turn, "spoils")) == FATE_SPOILT)
        mark(turn, "\xff"); // no text: the store refuses it
    bool parks = !is_fixed(turn) && drawn(turn, "parks") % 3 == 0;
    return parks ? saga_park(ERR_SAGA_STATE, "somebody must look at this") : saga_done();
}

// What an operator says has taken place takes place.
void step_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    const struct sim_step *traits = sim_traits(sim_flow_of(saga_turn_saga(turn)->flow), saga_turn_step(turn));
    bool done = ruling->act == SAGA_ACT_RESOLVE && ruling->op == SAGA_ACTION && ruling->outcome == OUTCOME_OK;
    if (done && traits->decide == DECIDES_BOOK)
        book(turn);
}

// ---- Turning points -----------------------------------------------------------------------------------------------

// Gives a payment back, in the turn in which it turned out that nobody wants it.
void step_refund(struct saga_turn *turn, struct sim_subject *subject, struct payment *payment) {
    struct sim_payment_row *row = &subject_payment(subject, payment->row.name)->row;
    struct error error;
    snprintf(row->refund, sizeof row->refund, "%s/r%s", subject->row.name, row->name);
    struct saga_start start = {.flow = "refund", .gid = str_c(row->refund), .input = STR("1")};
    // One that can't be started belongs to a turn that will not be durable; else the books will show that it lacks.
    if (!saga_turn_start(turn, &start, &error))
        world_trace("", "%s can't be started: %s", world_short(row->refund), error.text);
}

struct saga_verdict step_reversed(struct saga_turn *turn) {
    struct saga_subject *base = saga_turn_subject(turn);
    if (!base) {
        mark(turn, "reversed");
        return saga_done();
    }
    struct sim_subject *subject = sim_subject_of(base);
    struct sim_entry_row *entry = subject_entry(subject, saga_turn_saga(turn)->gid);
    entry->reversals++;
    subject_edit(subject)->amount -= entry->booked;
    entry->booked = 0;
    if (entry->paid[0])
        step_refund(turn, subject, subject_find_payment(subject, entry->paid));
    return saga_done();
}

struct saga_verdict step_ended(struct saga_turn *turn) {
    struct saga_subject *base = saga_turn_subject(turn);
    if (!is_fixed(turn) && world_fate(drawn(turn, "spoils")) == FATE_SPOILT)
        mark(turn, "\xff");
    if (!base) {
        mark(turn, "ended");
        return saga_done();
    }
    struct sim_subject *subject = sim_subject_of(base);
    struct sim_entry_row *entry = subject_entry(subject, saga_turn_saga(turn)->gid);
    entry->ends++;
    if (saga_turn_saga(turn)->status == SAGA_TERMINATED && entry->paid[0] && entry->reversals == 0)
        step_refund(turn, subject, subject_find_payment(subject, entry->paid));
    return saga_done();
}

// ---- Children and subjects ----------------------------------------------------------------------------------------

bool step_child(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child) {
    const struct saga_instance *saga = saga_turn_saga(turn);
    const struct saga_step *step = saga_turn_step(turn);
    uint8_t index = sim_traits(sim_flow_of(saga->flow), step)->child;
    uint64_t chance = drawn(turn, "child") % 100;
    bool first = saga_turn_generation(turn) == 1;
    // A child that fails again and again, as one that awaits what never comes in time, is done without in the end.
    if (chance < 8 || (world_now->calm && saga_turn_generation(turn) > 6))
        return false;
    *ret_child = (struct saga_child){
        .flow = first && chance < 12 ? "nobody knows" : sim_flow_name(&world_now->flows, index),
        .gid =
            arena_printf(arena, "%s/c%u.%u.%u", saga->gid, step->id, saga_turn_leg(turn), saga_turn_generation(turn)),
        .input = arena_printf(arena, "%llu", (unsigned long long)chance + 10),
    };
    // One that is taken; not where it would refuse the parent, too.
    if (first && chance >= 12 && chance < 18 && watch_is_durable(saga->gid) && watch_is_durable(world_now->gids[0]))
        ret_child->gid = str_c(world_now->gids[0]);
    return true;
}

void step_attach(void *ctx, struct saga_engine *engine, struct str subject_key, void *token) {
    struct center *center = ctx;
    subject_attach(&center->subjects, engine, subject_key, token);
}
