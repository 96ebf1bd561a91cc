#include "adapters/card/card.h"

#include "adapters/wire.h"

#define SERVICE &participant__card__v1__card_service__descriptor
#define PB(name) Participant__Card__V1__##name

const struct adapter_method card_methods[] = {
    [CARD_GET] = {.rpc = {.service = SERVICE, .name = "GetCard"},
                  .op = ADAPTER_READ,
                  .deadline_ms = 1000,
                  .wanted = {"available.principal.currency", "available.bonus.currency"}},
    [CARD_FREEZE] = {.rpc = {.service = SERVICE, .name = "FreezeCard"},
                     .op = ADAPTER_ACTION,
                     .deadline_ms = 3000,
                     .wanted = {"frozen.principal.currency", "frozen.bonus.currency"}},
    [CARD_RELEASE] = {.rpc = {.service = SERVICE, .name = "ReleaseCard"},
                      .op = ADAPTER_COMPENSATE,
                      .deadline_ms = 3000},
    [CARD_CONFIRM] = {.rpc = {.service = SERVICE, .name = "ConfirmCard"},
                      .op = ADAPTER_ACTION,
                      .deadline_ms = 3000,
                      .wanted = {"taken.principal.currency", "taken.bonus.currency"}},
    [CARD_REFUND] = {.rpc = {.service = SERVICE, .name = "RefundCard"},
                     .op = ADAPTER_ACTION,
                     .deadline_ms = 3000,
                     .wanted = {"refunded.principal.currency", "refunded.bonus.currency"}},
};

void card_get(struct adapter *adapter, const struct adapter_effect *effect, const char *card_no, adapter_done_fn *done,
              void *ctx) {
    PB(GetCardRequest) request = PARTICIPANT__CARD__V1__GET_CARD_REQUEST__INIT;
    request.card_no = wire_text(card_no);
    adapter_call(adapter, &card_methods[CARD_GET], effect, &request.base, done, ctx);
}

void card_freeze(struct adapter *adapter, const struct adapter_effect *effect, const struct card_freeze *args,
                 adapter_done_fn *done, void *ctx) {
    PB(FreezeCardRequest) request = PARTICIPANT__CARD__V1__FREEZE_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = wire_money(&args->amount);
    request.tender_no = wire_text(args->tender_no);
    request.card_no = wire_text(args->card_no);
    request.user_id = wire_text(args->user_id);
    request.amount = &amount;
    adapter_call(adapter, &card_methods[CARD_FREEZE], effect, &request.base, done, ctx);
}

void card_release(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                  adapter_done_fn *done, void *ctx) {
    PB(ReleaseCardRequest) request = PARTICIPANT__CARD__V1__RELEASE_CARD_REQUEST__INIT;
    request.tender_no = wire_text(tender_no);
    adapter_call(adapter, &card_methods[CARD_RELEASE], effect, &request.base, done, ctx);
}

void card_confirm(struct adapter *adapter, const struct adapter_effect *effect, const struct card_confirm *args,
                  adapter_done_fn *done, void *ctx) {
    PB(ConfirmCardRequest) request = PARTICIPANT__CARD__V1__CONFIRM_CARD_REQUEST__INIT;
    request.tender_no = wire_text(args->tender_no);
    request.freeze_key = wire_text(args->freeze_key);
    adapter_call(adapter, &card_methods[CARD_CONFIRM], effect, &request.base, done, ctx);
}

void card_refund(struct adapter *adapter, const struct adapter_effect *effect, const struct card_refund *args,
                 adapter_done_fn *done, void *ctx) {
    PB(RefundCardRequest) request = PARTICIPANT__CARD__V1__REFUND_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = wire_money(&args->amount);
    request.tender_no = wire_text(args->tender_no);
    request.refund_no = wire_text(args->refund_no);
    request.amount = &amount;
    adapter_call(adapter, &card_methods[CARD_REFUND], effect, &request.base, done, ctx);
}
