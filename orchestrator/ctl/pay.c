// Pay and OrderPay want every tender's amount. One that has none on the command line pays the rest, as with
// QuoteOrderPay.
#include "base/money.h"
#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/run.h"
#include "txcenter/trade/v1/trade.pb-c.h"

static const struct rpc_method get_trade = {.service = &txcenter__trade__v1__trade_service__descriptor,
                                            .name = "GetTrade"};

// What both requests have.
struct wish {
    char *trade_no;
    Txcenter__Trade__V1__TenderInput **tenders;
    size_t n;
    const char *combination;                       // "": the best; NULL: what was ordered
    const Txcenter__Type__V1__Money *rounding_off; // NULL: nothing
};

static struct wish wish_of(ProtobufCMessage *message) {
    if (message->descriptor == &txcenter__trade__v1__order_pay_request__descriptor) {
        const Txcenter__Trade__V1__OrderPayRequest *request = (const void *)message;
        return (struct wish){request->trade_no, request->tenders, request->n_tenders, request->combination_id,
                             request->rounding_off};
    }
    const Txcenter__Trade__V1__PayRequest *request = (const void *)message;
    return (struct wish){request->trade_no, request->tenders, request->n_tenders, NULL, request->rounding_off};
}

// NULL when every tender has its amount.
static Txcenter__Trade__V1__TenderInput *open_tender(const struct wish *wish, size_t *ret_n) {
    Txcenter__Trade__V1__TenderInput *open = NULL;
    size_t n = 0;
    for (size_t i = 0; i < wish->n; i++) {
        if (wish->tenders[i]->amount)
            continue;
        open = wish->tenders[i];
        n++;
    }
    *ret_n = n;
    return open;
}

// NULL when the trade does not say.
static const Txcenter__Type__V1__Money *payable_of(const Txcenter__Trade__V1__Trade *trade, const struct wish *wish) {
    if (!wish->combination)
        return trade->payable;
    for (size_t i = 0; trade->quote && i < trade->quote->n_combinations; i++) {
        const Txcenter__Trade__V1__Combination *combination = trade->quote->combinations[i];
        if (!*wish->combination || strcmp(combination->combination_id, wish->combination) == 0)
            return combination->payable;
    }
    return NULL;
}

static bool rest_of(const Txcenter__Type__V1__Money *payable, const struct wish *wish, int64_t *ret_rest) {
    int64_t sum = wish->rounding_off ? wish->rounding_off->minor_units : 0;
    for (size_t i = 0; i < wish->n; i++)
        if (wish->tenders[i]->amount && !money_add(sum, wish->tenders[i]->amount->minor_units, &sum))
            return false;
    *ret_rest = payable->minor_units - sum;
    return *ret_rest > 0;
}

// Where the trade does not say what is payable the server does, in its refusal.
static int fill(struct session *session, struct wish *wish, Txcenter__Trade__V1__TenderInput *open) {
    Txcenter__Trade__V1__GetTradeRequest request = TXCENTER__TRADE__V1__GET_TRADE_REQUEST__INIT;
    request.trade_no = wish->trade_no;
    struct session_failure failure;
    const Txcenter__Trade__V1__GetTradeResponse *found =
        (const void *)session_call(session, &get_trade, &request.base, &failure);
    if (!found)
        return session_report(session, &failure);
    const Txcenter__Type__V1__Money *payable = found->trade ? payable_of(found->trade, wish) : NULL;
    if (!payable)
        return TXCTL_OK;
    int64_t rest;
    if (!rest_of(payable, wish, &rest)) {
        char text[READING_MONEY_MAX];
        struct error error;
        reading_money(payable, text);
        error_set(&error, ERR_INVALID_REQUEST,
                  "--tender: %s is payable, so nothing is left for the one without an amount", text);
        return session_usage(session->env, session->json, error.text);
    }
    open->amount = arena_calloc(&session->arena, 1, sizeof *open->amount);
    if (!open->amount)
        return session_usage(session->env, session->json, "the request is too large");
    *open->amount = *payable;
    open->amount->minor_units = rest;
    return TXCTL_OK;
}

int run_pay(struct session *session) {
    ProtobufCMessage *request = session_request(session);
    if (!request)
        return TXCTL_USAGE;
    struct wish wish = wish_of(request);
    size_t n;
    Txcenter__Trade__V1__TenderInput *open = open_tender(&wish, &n);
    if (n > 1)
        return session_usage(session->env, session->json, "--tender: only one may have no amount, and pay the rest");
    int code = open ? fill(session, &wish, open) : TXCTL_OK;
    return code == TXCTL_OK ? session_send(session, request) : code;
}
