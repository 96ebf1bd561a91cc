// flows/trade/FLOWS.md says on one page each what buying, paying, capturing and refunding do: as the flows' tables say
// it.
#include "flows/trade/after.h"
#include "flows/trade/capture.h"
#include "flows/trade/holding.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_step.h"
#include "flows/trade/tell.h"
#include "tests/pages/page.h"

#include <stdio.h>

// A decision that waits says so in its text; of the others that ask nobody none ever fails.
static const char *if_nobody_is_asked(const struct saga_step *step) {
    return str_starts(str_c(step->text), STR("Waits")) ? "waits as long as it takes" : "never does";
}

static const char *if_it_fails(const struct saga_step *step) {
    if (step->kind == SAGA_PIVOT)
        return "turns round: the watershed";
    if (step->kind == SAGA_COMPENSATABLE)
        return step->undo ? "turns round; undone when a later one does" : "turns round; nothing to undo";
    if (!step->run && !step->ask)
        return if_nobody_is_asked(step);
    return step->tier == SAGA_CORE ? "tried until done, or parked" : "tried until done, or parked; holds nothing up";
}

static const char *when(const struct saga_step *step) {
    return step->when ? step->when : step->legs ? "when there is something for it" : "always";
}

// What a step of a refund does when only a part of the trade goes back.
static const char *of_a_part(const struct saga_step *step) {
    const struct holding_row *held = holding_of_step(HOLDING_GIVE_BACK, step->id);
    enum after_benefit benefit = after_of_take_step(step->id);
    bool lines = (held && held->is->comes_back) || step->run == refund_withdraw_item;
    bool whole = held || (benefit != AFTERS && !follower_rows[benefit].is->take);
    bool tells = step->run == tell_screens || step->run == tell_user || step->run == tell_os;
    if (lines)
        return "lines whose money is all back";
    if (whole)
        return "only with the last one";
    return tells || (!step->run && !step->ask) ? "the same" : "its share";
}

static void draw_table(struct buf *out, const struct saga_flow *flow, const char *(*part)(const struct saga_step *)) {
    buf_printf(out,
               "| stage | step | what it does | whom it calls | when |%s if it fails |\n|---|---|---|---|---|%s---|\n",
               part ? " of a part |" : "", part ? "---|" : "");
    for (size_t i = 0; i < flow->n_steps; i++) {
        const struct saga_step *step = &flow->steps[i];
        buf_printf(out, "| %d | `%s` | %s | %s | %s |", step->stage, step->name, step->text,
                   step->participant ? step->participant : "", when(step));
        if (part)
            buf_printf(out, " %s |", part(step));
        buf_printf(out, " %s |\n", if_it_fails(step));
    }
}

static void draw_flow(struct buf *out, const struct saga_flow *flow) {
    draw_table(out, flow, NULL);
}

static void draw_purchase(struct buf *out) {
    draw_flow(out, &purchase_flow);
}

static void draw_payment(struct buf *out) {
    draw_flow(out, &payment_flow);
}

static void draw_capture(struct buf *out) {
    draw_flow(out, &capture_flow);
}

static void draw_refund(struct buf *out) {
    draw_table(out, &refund_flow, of_a_part);
}

int main(int argc, char **argv) {
    static const struct page_picture pictures[] = {{"purchase", NULL, draw_purchase},
                                                   {"payment", NULL, draw_payment},
                                                   {"capture", NULL, draw_capture},
                                                   {"refund", NULL, draw_refund}};
    return page_main(argc, argv,
                     &(struct page){.path = "flows/trade/FLOWS.md",
                                    .program = "flows.pages",
                                    .pictures = pictures,
                                    .n_pictures = sizeof pictures / sizeof pictures[0]});
}
