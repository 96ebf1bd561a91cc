#include "flows/trade/matter.h"

#include "flows/trade/matter_list.h"
#include "flows/trade/view.h"

enum { EVENT_MAX = 256 };

// ---- Finding ------------------------------------------------------------------------------------------------------

struct matter_row *matter_numbered(const struct trade *trade, int32_t number) {
    struct matter_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_MATTER, i)); i++)
        if (row->number == number)
            return row;
    return NULL;
}

struct matter_row *matter_about(const struct trade *trade, Txcenter__Trade__V1__MatterKind kind, const char *what) {
    struct matter_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_MATTER, i)); i++)
        if (row->kind == (int32_t)kind && strcmp(row->what, what) == 0)
            return row;
    return NULL;
}

bool matter_is_open(const struct matter_row *row) {
    return row->settled_ms == 0;
}

bool matter_any_open(const struct trade *trade) {
    const struct matter_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_MATTER, i)); i++)
        if (matter_is_open(row))
            return true;
    return false;
}

void matter_of_leg(const struct refund_leg_row *leg, char out[MATTER_WHAT_MAX + 1]) {
    str_print(out, MATTER_WHAT_MAX + 1, "%s/%d", leg->refund_no, leg->leg);
}

// ---- Raising and settling -----------------------------------------------------------------------------------------

static void tell(struct saga_turn *turn, const char *type, const struct matter_row *row) {
    char text[EVENT_MAX];
    str_print(text, sizeof text, "%d: %s: %s", row->number, row->what, row->reason);
    saga_turn_event(turn, type, str_c(text));
    matter_count_soon(trade_of(saga_turn_subject(turn))->trades);
}

static void fill(struct saga_turn *turn, struct matter_row *row, const struct matter *matter) {
    const struct trade_row *trade = &trade_of(saga_turn_subject(turn))->row;
    memcpy(row->tenant_id, trade->tenant_id, sizeof row->tenant_id);
    memcpy(row->currency, trade->currency, sizeof row->currency);
    row->kind = (int32_t)matter->kind;
    str_fit(str_c(matter->what), row->what, sizeof row->what);
    str_fit(str_c(matter->reason), row->reason, sizeof row->reason);
    str_fit(str_c(matter->text), row->text, sizeof row->text);
    str_fit(str_c(matter->gid), row->gid, sizeof row->gid);
    row->amount = matter->amount;
    row->points = matter->points;
    row->generation = matter->generation;
    row->created_ms = saga_turn_now(turn);
    tell(turn, "matter.raised", row);
}

void matter_raise(struct saga_turn *turn, const struct matter *matter) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    if (trade->archived)
        return; // it has no such rows any more: what came is kept as a stray, or told of by its saga
    const struct matter_row key = {.number = ++trade_edit(trade)->matters};
    fill(turn, trade_add(trade, PART_MATTER, &key), matter);
}

void matter_hold(struct saga_turn *turn, const struct matter *matter) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct matter_row *row = matter_about(trade, matter->kind, matter->what);
    if (!row) {
        matter_raise(turn, matter);
    } else if (!matter_is_open(row)) {
        struct matter_row again = {.number = row->number};
        memcpy(again.trade_no, row->trade_no, sizeof again.trade_no);
        trade_change(trade, row);
        *row = again;
        fill(turn, row, matter);
    } else if (strcmp(row->gid, matter->gid ? matter->gid : "") != 0) {
        trade_change(trade, row);
        str_fit(str_c(matter->gid), row->gid, sizeof row->gid);
    }
}

static void sign(struct matter_row *row, const struct matter_settlement *settlement) {
    str_fit(str_c(settlement->by), row->settled_by, sizeof row->settled_by);
    str_fit(str_c(settlement->note), row->note, sizeof row->note);
    str_fit(str_c(settlement->reference), row->reference, sizeof row->reference);
}

void matter_settle(struct saga_turn *turn, struct matter_row *row, const struct matter_settlement *settlement) {
    bool was_open = matter_is_open(row);
    trade_change(trade_of(saga_turn_subject(turn)), row);
    row->settled_ms = saga_turn_now(turn);
    row->outcome = (int32_t)settlement->outcome;
    sign(row, settlement);
    if (was_open)
        tell(turn, "matter.settled", row);
}

void matter_begin(struct saga_turn *turn, struct matter_row *row, const struct matter_settlement *settlement) {
    trade_change(trade_of(saga_turn_subject(turn)), row);
    row->tries++;
    sign(row, settlement);
}

void matter_stays(struct saga_turn *turn, struct matter_row *row, const char *reason, const char *text) {
    trade_change(trade_of(saga_turn_subject(turn)), row);
    row->gid[0] = '\0';
    sign(row, &(struct matter_settlement){.by = "", .note = "", .reference = ""});
    str_fit(str_c(reason), row->reason, sizeof row->reason);
    str_fit(str_c(text), row->text, sizeof row->text);
    tell(turn, "matter.stays", row);
}

void matter_over(struct saga_turn *turn, Txcenter__Trade__V1__MatterKind kind, const char *what, const char *why) {
    struct matter_row *row = matter_about(trade_of(saga_turn_subject(turn)), kind, what);
    if (row && matter_is_open(row))
        matter_settle(turn, row, &(struct matter_settlement){MATTER_OUTCOME(OVER), "", why, ""});
}

// ---- As callers see it --------------------------------------------------------------------------------------------

Txcenter__Trade__V1__Matter *matter_view(const struct matter_row *row, struct arena *arena) {
    Txcenter__Trade__V1__Matter *view = VIEW_NEW(arena, txcenter__trade__v1__matter, Txcenter__Trade__V1__Matter);
    if (!view || !(view->amount = view_money(row->currency, row->amount, arena)) ||
        !(view->created_at = view_time(row->created_ms, arena)) ||
        (row->settled_ms && !(view->settled_at = view_time(row->settled_ms, arena))))
        return NULL;
    view->trade_no = view_text(row->trade_no);
    view->number = row->number;
    view->kind = (Txcenter__Trade__V1__MatterKind)row->kind;
    view->tenant_id = view_text(row->tenant_id);
    view->what = view_text(row->what);
    view->reason = view_text(row->reason);
    view->text = view_text(row->text);
    view->points = row->points;
    view->gid = view_text(row->gid);
    view->outcome = (Txcenter__Trade__V1__MatterOutcome)row->outcome;
    view->settled_by = view_text(row->settled_by);
    view->note = view_text(row->note);
    view->reference = view_text(row->reference);
    view->tries = row->tries;
    return view;
}
