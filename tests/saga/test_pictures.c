// The pictures of docs/ENGINE.md are what the code says: the tables of states, and what sagas of two steps send and
// write, as the engine really does it on the bed. `saga.pictures --write` brings the page up to date.
#include "tests/cmocka.h"
#include "tests/pages/page.h"
#include "tests/saga/bed.h"

#include <stdio.h>

// ---- Tables of states ---------------------------------------------------------------------------------------------

static void draw_statuses(struct buf *out) {
    buf_printf(out, "stateDiagram-v2\n    [*] --> running\n    [*] --> forward\n");
    for (enum saga_status from = SAGA_RUNNING; from <= SAGA_TERMINATED; from++)
        for (enum saga_status to = SAGA_RUNNING; to <= SAGA_TERMINATED; to++)
            if (saga_status_leads_to(from, to))
                buf_printf(out, "    %s --> %s\n", saga_status_name(from), saga_status_name(to));
    for (enum saga_status status = SAGA_RUNNING; status <= SAGA_TERMINATED; status++)
        if (saga_status_ended(status))
            buf_printf(out, "    %s --> [*]\n", saga_status_name(status));
}

// Those with a call on its way have round ends, those that wait for a time are slanted, those that wait for an operator
// are pointed.
static void put_state(struct buf *out, enum leg_state state) {
    struct saga_leg leg = {.state = state};
    struct saga_instance saga = {.status = SAGA_RUNNING, .legs = &leg, .n_legs = 1};
    const char *open = "[", *close = "]";
    if (saga_leg_in_flight(&leg))
        open = "([", close = "])";
    else if (saga_leg_timed(&saga, &leg))
        open = "[/", close = "/]";
    else if (saga_instance_parked(&saga))
        open = "{{", close = "}}";
    buf_printf(out, "    s%d%s%s%s\n", (int)state, open, leg_state_name(state), close);
}

static void draw_states(struct buf *out) {
    buf_printf(out, "flowchart LR\n");
    for (enum leg_state state = LEG_IDLE; state < LEG_STATES; state++)
        put_state(out, state);
    for (enum leg_state from = LEG_IDLE; from < LEG_STATES; from++) {
        bool first = true;
        for (enum leg_state to = LEG_IDLE; to < LEG_STATES; to++) {
            if (!leg_state_leads_to(from, to))
                continue;
            if (first)
                buf_printf(out, "    s%d --> s%d", (int)from, (int)to);
            else
                buf_printf(out, " & s%d", (int)to);
            first = false;
        }
        if (!first)
            buf_byte(out, '\n');
    }
}

// ---- Sagas of two steps -------------------------------------------------------------------------------------------

struct drawing {
    struct buf *out;
    struct saga_bed bed;
    void (*watch)(void *ctx, struct saga_call *call, const char *body); // the bed's own
    struct bed_reply reply;
    bool replied;
    int64_t commits;
    size_t attempts, events;
};
static struct drawing *drawn;

static void draw_row(struct drawing *drawing) {
    struct saga_instance saga = bed_instance(&drawing->bed, "one");
    const struct saga_row *row = bed_row(&drawing->bed, "one");
    buf_printf(drawing->out, "saga %s", saga_status_name(saga.status));
    for (uint8_t i = 0; i < saga.n_legs; i++)
        buf_printf(drawing->out, ", %s %s", saga.legs[i].step->name, leg_state_name(saga.legs[i].state));
    if (row->resume_count > 0)
        buf_printf(drawing->out, ", resumed once");
    saga_instance_release(&saga);
}

// What has become durable, and who heard of it, since this was last looked at.
static void draw_commits(struct drawing *drawing) {
    struct saga_bed *bed = &drawing->bed;
    if (bed->commits > drawing->commits) {
        size_t attempts = bed_count(bed, &attempt_table), events = bed_count(bed, &outbox_table);
        buf_printf(drawing->out, "    engine->>store: commit %lld: ", (long long)bed->commits);
        draw_row(drawing);
        if (attempts > drawing->attempts)
            buf_printf(drawing->out, " + the failed attempt");
        if (events > drawing->events)
            buf_printf(drawing->out, " + the event saga.ended");
        buf_byte(drawing->out, '\n');
        drawing->commits = bed->commits;
        drawing->attempts = attempts;
        drawing->events = events;
    }
    if (drawing->reply.came && !drawing->replied)
        buf_printf(drawing->out, "    engine-->>caller: accepted\n");
    drawing->replied = drawing->reply.came;
}

static void sent(void *ctx, struct saga_call *call, const char *body) {
    draw_commits(drawn);
    buf_printf(drawn->out, "    engine->>%s: %s, key %s\n", saga_call_step(call)->name,
               saga_op_name(saga_call_op(call)), saga_call_key(call));
    drawn->watch(ctx, call, body);
}

static void answered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    (void)answer;
    buf_printf(drawn->out, "    %s-->>engine: %s\n", saga_turn_step(turn)->name, outcome_name(outcome));
}

#define CALL(number, at, text)                                                                                         \
    {                                                                                                                  \
        .id = (number), .stage = (at), .name = (text), .participant = "model", .run = bed_send, .undo = bed_send,      \
        .answered = answered, .deadline_ms = 1000, .undo_retry = SAGA_STUBBORN                                         \
    }
static const struct saga_step two_steps[] = {CALL(1, 1, "debit"), CALL(2, 2, "credit")};
static const struct saga_flow two = {.name = "test.two", .version = 1, .steps = two_steps, .n_steps = 2};
static const struct saga_flow *const flows[] = {&two, NULL};

static void draw_saga(struct buf *out, enum model_fate fate) {
    struct drawing drawing = {.out = out};
    struct saga_bed *bed = &drawing.bed;
    drawn = &drawing;
    bed_init(bed);
    bed->options.flow_sets[0] = (struct saga_flow_set){flows, NULL};
    drawing.watch = bed->model.watch;
    bed->model.watch = sent;
    bed_open(bed);
    model_plan(&bed->model, "credit", SAGA_ACTION, fate, 1, 0);
    buf_printf(out, "sequenceDiagram\n    participant caller\n    participant engine\n    participant store\n"
                    "    participant debit\n    participant credit\n    caller->>engine: start\n");
    bed_begin(bed, &two, "one", "", NULL, &drawing.reply);
    if (fate == MODEL_HANGS) {
        while (model_requests(&bed->model, "one/2/1", SAGA_ACTION) == 0)
            assert_true(bed_step(bed));
        buf_printf(out, "    note over engine: the process dies, another starts on the same store\n");
        bed_revive(bed);
    }
    do {
        assert_true(bed_step(bed));
        draw_commits(&drawing);
    } while (!bed_row(bed, "one") || !saga_status_ended(bed_status(bed, "one")));
    bed_release(bed);
}

static void draw_success(struct buf *out) {
    draw_saga(out, MODEL_OK);
}

static void draw_turn(struct buf *out) {
    draw_saga(out, MODEL_REFUSE);
}

static void draw_death(struct buf *out) {
    draw_saga(out, MODEL_HANGS);
}

// ---- The page -----------------------------------------------------------------------------------------------------

static const struct page_picture pictures[] = {
    {"statuses", "mermaid", draw_statuses}, {"states", "mermaid", draw_states}, {"success", "mermaid", draw_success},
    {"turn", "mermaid", draw_turn},         {"death", "mermaid", draw_death},
};

int main(int argc, char **argv) {
    return page_main(argc, argv,
                     &(struct page){.path = "docs/ENGINE.md",
                                    .program = "saga.pictures",
                                    .pictures = pictures,
                                    .n_pictures = sizeof pictures / sizeof pictures[0]});
}
