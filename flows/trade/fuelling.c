#include "flows/trade/fuelling.h"

#include "flows/trade/effect.h"
#include "flows/trade/load.h"
#include "flows/trade/purchase_end.h"
#include "saga/inbox.h"
#include "txcenter/trade/v1/facts.pb-c.h"

#include <stdlib.h>

// ---- Which --------------------------------------------------------------------------------------------------------

static const struct line_row *nth(const struct trade *trade, unsigned n) {
    const struct line_row *line;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++)
        if (line->pump_serial[0] && n-- == 0)
            return line;
    return NULL;
}

unsigned fuelling_lines(const struct saga_subject *subject, struct str input) {
    unsigned n = 0;
    (void)input;
    while (nth(trade_of_const(subject), n))
        n++;
    return n;
}

// ---- Giving way ---------------------------------------------------------------------------------------------------

// For an order that is over, is being closed, or was paid meanwhile there is nothing to do; the next look says so.
static bool gives_way(const struct trade *trade, int32_t purchase_no) {
    bool unpaid = trade->row.state == TRADE_STATE(ORDERING) || trade->row.state == TRADE_STATE(ORDERED) ||
                  trade->row.state == TRADE_STATE(PAYING);
    return unpaid && trade->row.closing == CLOSING_NO && trade->row.purchase_no == purchase_no;
}

static void give_way(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    trade_edit(trade)->closing = CLOSING_TAKEN;
    trade_set_state(trade, TRADE_STATE(CLOSING), saga_turn_now(turn));
    purchase_end_poke(turn);
}

// What came through the inbox, until its trade is there.
struct taken {
    struct trades *trades;
    int32_t purchase_no;
    saga_reply_fn *done;
    void *ctx;
};

static void taken_found(void *ctx, struct trade *trade, const struct error *error) {
    struct taken taken = *(struct taken *)ctx;
    free(ctx);
    if (trade && gives_way(trade, taken.purchase_no)) {
        struct saga_turn *turn = saga_turn_begin(taken.trades->engine, &trade->subject);
        give_way(turn);
        saga_turn_commit(turn, taken.done, taken.ctx);
    } else {
        taken.done(taken.ctx, error);
    }
    if (trade)
        saga_subject_release(&trade->subject);
}

void trades_source_taken(struct trades *trades, const ProtobufCMessage *message, saga_reply_fn *done, void *ctx) {
    const Txcenter__Trade__V1__SourceTaken *told = (const void *)message;
    struct taken *taken = malloc(sizeof *taken);
    if (!taken)
        abort();
    *taken = (struct taken){trades, told->purchase_no, done, ctx};
    load_trade(trades, str_c(told->trade_no), taken_found, taken);
}

// ---- Claiming -----------------------------------------------------------------------------------------------------

struct claim {
    struct saga_call *call;
    struct trades *trades;
    struct fuelling_row row;    // ours; its term once it is known
    struct fuelling_row holder; // of the term before
    bool takes_over;            // from one that is still open
    struct store_group group;
};

static void finish(struct claim *claim, enum outcome outcome, enum err code, const char *text) {
    if (outcome == OUTCOME_OK)
        saga_call_ok(claim->call, STR_NONE);
    else
        saga_call_done(claim->call, outcome, code, err_info(code)->name, text, STR_NONE);
    free(claim);
}

// Nothing is known to have been done: it is looked at again. What was done after all is found then.
static void look_again(struct claim *claim, const struct error *error) {
    finish(claim, OUTCOME_RETRY, ERR_RETRY, error ? error->text : "another order is being closed for it");
}

static void claimed(void *ctx, const struct error *error) {
    if (error)
        look_again(ctx, error); // another one was quicker, or it is not known
    else
        finish(ctx, OUTCOME_OK, ERR_OK, NULL);
}

static void claim_term(struct claim *claim, int32_t term) {
    struct store *store = claim->trades->options.store;
    struct store_write *write = store_write_new(store);
    claim->row.term = term;
    store_row(write, &fuelling_table, STORE_INSERT, &claim->row);
    store_submit(store, write, &claim->group, claimed, claim);
}

static void holder_told(void *ctx, const struct error *error) {
    look_again(ctx, error);
}

static void tell_holder(struct claim *claim) {
    struct trades *trades = claim->trades;
    struct str trade_no = str_c(claim->holder.trade_no);
    Txcenter__Trade__V1__SourceTaken taken = TXCENTER__TRADE__V1__SOURCE_TAKEN__INIT;
    uint8_t body[TRADE_NO_MAX + 32];
    struct error elsewhere;
    taken.trade_no = claim->holder.trade_no;
    taken.purchase_no = claim->holder.purchase_no;
    if (load_is_ours(trades, trade_no, &elsewhere))
        trades_source_taken(trades, &taken.base, holder_told, claim);
    else
        saga_inbox_keep(trades->engine,
                        &(struct saga_keeping){
                            .slot = id_slot(trade_no),
                            .method = TRADES_SOURCE_TAKEN,
                            .caller = STR(""),
                            .about = STR(""),
                            .body = str_n(body, txcenter__trade__v1__source_taken__pack(&taken, body)),
                        },
                        holder_told, claim);
}

enum standing { VOID, OPEN, CLOSING, BOUGHT };

// How the order stands that a trade's row tells of. VOID is for ever.
static enum standing standing_of(const struct trade_row *row, int32_t purchase_no) {
    if (row->purchase_no != purchase_no)
        return VOID; // ordered again since
    if (row->unsold)
        return VOID;
    switch (row->state) {
    case TRADE_STATE(ORDERING):
    case TRADE_STATE(ORDERED):
    case TRADE_STATE(PAYING): return OPEN;
    case TRADE_STATE(CLOSING): return CLOSING;
    case TRADE_STATE(PAID):
    case TRADE_STATE(COMPLETED):
    case TRADE_STATE(PARTIALLY_REFUNDED):
    case TRADE_STATE(CONFLICTED): return BOUGHT;
    default: return VOID;
    }
}

static void holder_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct claim *claim = ctx;
    if (error) {
        look_again(claim, error);
        return;
    }
    switch (n == 0 ? VOID : standing_of(rows, claim->holder.purchase_no)) {
    case VOID: claim_term(claim, claim->holder.term + 1); break;
    case BOUGHT: finish(claim, OUTCOME_REJECTED, ERR_SOURCE_PAID, NULL); break;
    case CLOSING: look_again(claim, NULL); break;
    case OPEN:
        if (claim->takes_over)
            tell_holder(claim);
        else
            finish(claim, OUTCOME_REJECTED, ERR_SOURCE_TAKEN, "another trade is for it, and this one locks first");
        break;
    }
}

static void newest_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct claim *claim = ctx;
    if (error) {
        look_again(claim, error);
        return;
    }
    if (n == 0) {
        claim_term(claim, 1);
        return;
    }
    claim->holder = *(const struct fuelling_row *)rows;
    if (strcmp(claim->holder.trade_no, claim->row.trade_no) == 0 &&
        claim->holder.purchase_no == claim->row.purchase_no) {
        finish(claim, OUTCOME_OK, ERR_OK, NULL);
        return;
    }
    struct store_query query = {
        .table = &trade_table,
        .conds = {{.column = "trade_no", .cmp = STORE_EQ, .text = str_c(claim->holder.trade_no)}},
        .limit = 1};
    store_read(claim->trades->options.store, &query, holder_read, claim);
}

void fuelling_claim(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    const struct line_row *line = nth(trade, saga_call_leg(call));
    struct claim *claim = calloc(1, sizeof *claim);
    if (!claim)
        abort();
    *claim = (struct claim){.call = call, .trades = trade->trades, .takes_over = !trade_locks_first(trade)};
    struct fuelling_row *row = &claim->row;
    memcpy(row->tenant_id, trade->row.tenant_id, sizeof row->tenant_id);
    memcpy(row->station_id, trade->row.station_id, sizeof row->station_id);
    memcpy(row->nozzle, line->nozzle, sizeof row->nozzle);
    memcpy(row->pump_serial, line->pump_serial, sizeof row->pump_serial);
    memcpy(row->trade_no, trade->row.trade_no, sizeof row->trade_no);
    row->purchase_no = trade->row.purchase_no;
    row->claimed_ms = trades_now(trade->trades);
    struct store_query query = {
        .table = &fuelling_table,
        .conds = {{.column = "tenant_id", .cmp = STORE_EQ, .text = str_c(row->tenant_id)},
                  {.column = "station_id", .cmp = STORE_EQ, .text = str_c(row->station_id)},
                  {.column = "nozzle", .cmp = STORE_EQ, .text = str_c(row->nozzle)},
                  {.column = "pump_serial", .cmp = STORE_EQ, .text = str_c(row->pump_serial)}},
        .descending = true,
        .limit = 1,
    };
    store_read(trade->trades->options.store, &query, newest_read, claim);
}

void fuelling_unclaim(struct saga_call *call) {
    saga_call_ok(call, STR_NONE); // with its order the claim is void
}
