#include "orchestrator/ctl/trade_specs.h"

#include "base/money.h"
#include "orchestrator/ctl/words.h"
#include "txcenter/trade/v1/trade.pb-c.h"

#define FUEL_FORM                                                                                                      \
    "CODE:amount=200.00 or CODE:volume=30.00, with nozzle=N and authorised behind a comma, or CODE:serial=S,nozzle=N"
#define GOODS_FORM "SKU or SKU=PIECES, such as OIL4L=2"
#define ACTUAL_FORM "N:amount=150.00 or N:volume=19.53, or N alone for nothing"
#define TENDER_FORM "KIND=AMOUNT:ACCOUNT, such as card=50.00:C0001, cash=20.00 or wechat:openid1"

// "30.00" litres as 3000. Volumes have two decimals, as the yuan has.
static bool parse_centi(struct str text, int64_t *ret_centi) {
    struct money parsed;
    if (!money_parse(text, STR("CNY"), &parsed) || parsed.minor <= 0)
        return false;
    *ret_centi = parsed.minor;
    return true;
}

static bool set_part(struct request *request, Txcenter__Trade__V1__Fuel *fuel, struct str name, struct str value) {
    if (str_eq_c(name, "amount"))
        return (fuel->amount = (Txcenter__Type__V1__Money *)request_money(request, value)) != NULL;
    if (str_eq_c(name, "volume"))
        return parse_centi(value, &fuel->volume_centi);
    if (str_eq_c(name, "nozzle"))
        return !str_empty(value) && (fuel->nozzle = request_text(request, value)) != NULL;
    if (str_eq_c(name, "serial"))
        return !str_empty(value) && (fuel->pump_serial = request_text(request, value)) != NULL;
    if (str_eq_c(name, "authorised"))
        return (fuel->authorised = !value.ptr);
    return false;
}

ProtobufCMessage *trade_fuel_spec(struct request *request, const char *option, struct str text) {
    struct str rest = text, code = str_cut(&rest, ':');
    Txcenter__Trade__V1__Line *line = request_new(request, &txcenter__trade__v1__line__descriptor);
    Txcenter__Trade__V1__Fuel *fuel = line ? request_new(request, &txcenter__trade__v1__fuel__descriptor) : NULL;
    if (!fuel || !(fuel->oil_code = request_text(request, code)))
        return NULL;
    while (rest.ptr) {
        struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
        if (!set_part(request, fuel, name, value))
            return error_is(request->error) ? NULL : request_refuse(request, option, FUEL_FORM, text);
    }
    if (str_empty(code) || (!fuel->amount && fuel->volume_centi == 0 && !fuel->pump_serial[0]))
        return request_refuse(request, option, FUEL_FORM, text);
    line->item_case = TXCENTER__TRADE__V1__LINE__ITEM_FUEL;
    line->fuel = fuel;
    return &line->base;
}

ProtobufCMessage *trade_goods_spec(struct request *request, const char *option, struct str text) {
    struct str pieces = text, sku = str_cut(&pieces, '=');
    Txcenter__Trade__V1__Line *line = request_new(request, &txcenter__trade__v1__line__descriptor);
    Txcenter__Trade__V1__Goods *goods = line ? request_new(request, &txcenter__trade__v1__goods__descriptor) : NULL;
    if (!goods || !(goods->sku = request_text(request, sku)))
        return NULL;
    goods->quantity = 1;
    if (str_empty(sku) || (pieces.ptr && (!str_to_i64(pieces, &goods->quantity) || goods->quantity <= 0)))
        return request_refuse(request, option, GOODS_FORM, text);
    line->item_case = TXCENTER__TRADE__V1__LINE__ITEM_GOODS;
    line->goods = goods;
    return &line->base;
}

// "NAME=AMOUNT", both of which must be there. NULL and an error otherwise.
static Txcenter__Type__V1__Money *named_amount(struct request *request, const char *option, const char *form,
                                               struct str text, char **ret_name) {
    struct str amount = text, name = str_cut(&amount, '=');
    *ret_name = request_text(request, name);
    Txcenter__Type__V1__Money *money =
        *ret_name && amount.ptr ? (Txcenter__Type__V1__Money *)request_money(request, amount) : NULL;
    if (!error_is(request->error) && (str_empty(name) || !money)) {
        request_refuse(request, option, form, text);
        return NULL;
    }
    return money;
}

ProtobufCMessage *trade_recharge_spec(struct request *request, const char *option, struct str text) {
    Txcenter__Trade__V1__Line *line = request_new(request, &txcenter__trade__v1__line__descriptor);
    Txcenter__Trade__V1__Recharge *recharge =
        line ? request_new(request, &txcenter__trade__v1__recharge__descriptor) : NULL;
    if (!recharge || !(recharge->amount = named_amount(request, option, "CARD=AMOUNT", text, &recharge->card_no)))
        return NULL;
    line->item_case = TXCENTER__TRADE__V1__LINE__ITEM_RECHARGE;
    line->recharge = recharge;
    return &line->base;
}

ProtobufCMessage *trade_actual_spec(struct request *request, const char *option, struct str text) {
    struct str value = text, index = str_cut(&value, ':'), name = str_cut(&value, '=');
    Txcenter__Trade__V1__ActualLine *line = request_new(request, &txcenter__trade__v1__actual_line__descriptor);
    int64_t n;
    if (!line)
        return NULL;
    bool good = str_to_i64(index, &n) && n >= 0 && n <= INT32_MAX;
    if (good && str_eq_c(name, "amount"))
        good = (line->amount = (Txcenter__Type__V1__Money *)request_money(request, value)) != NULL;
    else if (good && str_eq_c(name, "volume"))
        good = parse_centi(value, &line->volume_centi);
    else
        good = good && !name.ptr;
    if (!good)
        return error_is(request->error) ? NULL : request_refuse(request, option, ACTUAL_FORM, text);
    line->index = (int32_t)n;
    return &line->base;
}

ProtobufCMessage *trade_tender_spec(struct request *request, const char *option, struct str text) {
    struct str account = text, amount = str_cut(&account, ':'), kind = str_cut(&amount, '=');
    Txcenter__Trade__V1__TenderInput *tender = request_new(request, &txcenter__trade__v1__tender_input__descriptor);
    int value;
    if (!tender)
        return NULL;
    if (!words_value(&txcenter__trade__v1__tender_kind__descriptor, kind, &value)) {
        struct buf kinds;
        buf_init(&kinds, ERR_TEXT_MAX);
        buf_append(&kinds, STR("KIND=AMOUNT:ACCOUNT with KIND one of "));
        words_list(&txcenter__trade__v1__tender_kind__descriptor, &kinds);
        request_refuse(request, option, buf_str(&kinds).ptr, text);
        buf_release(&kinds);
        return NULL;
    }
    tender->kind = (Txcenter__Trade__V1__TenderKind)value;
    if (amount.ptr && !(tender->amount = (Txcenter__Type__V1__Money *)request_money(request, amount)))
        return error_is(request->error) ? NULL : request_refuse(request, option, TENDER_FORM, text);
    if (account.ptr && !(tender->account = request_text(request, account)))
        return NULL;
    return &tender->base;
}

ProtobufCMessage *trade_split_spec(struct request *request, const char *option, struct str text) {
    Txcenter__Trade__V1__RefundSplit *split = request_new(request, &txcenter__trade__v1__refund_split__descriptor);
    if (!split || !(split->amount = named_amount(request, option, "TENDER_NO=AMOUNT", text, &split->tender_no)))
        return NULL;
    return &split->base;
}
