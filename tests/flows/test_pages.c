// flows/trade/FLOWS.md says on one page each what buying, paying, capturing and refunding do: as the flows' tables say
// it.
#include "flows/trade/capture.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund.h"
#include "tests/pages/page.h"

#include <stdio.h>

// What becomes of a step that is refused, or whose saga turns round.
static const char *when_refused(const struct saga_step *step) {
    if (step->kind == SAGA_PIVOT)
        return "the watershed";
    if (step->kind == SAGA_RETRIABLE && !step->run && !step->ask)
        return "waits as long as it takes";
    if (step->kind == SAGA_RETRIABLE)
        return step->tier == SAGA_CORE ? "tried until done, or parked" : "the same, beside the others";
    return step->undo ? "undone when a later one fails" : "nothing to undo";
}

static const char *when(const struct saga_step *step) {
    return step->when ? step->when : step->legs ? "when there is something for it" : "always";
}

static void draw_flow(struct buf *out, const struct saga_flow *flow) {
    buf_printf(out, "| stage | step | what it does | whom it calls | when | |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < flow->n_steps; i++) {
        const struct saga_step *step = &flow->steps[i];
        buf_printf(out, "| %d | `%s` | %s | %s | %s | %s |\n", step->stage, step->name, step->text,
                   step->participant ? step->participant : "", when(step), when_refused(step));
    }
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
    draw_flow(out, &refund_flow);
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
