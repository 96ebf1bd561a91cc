#include "tests/bench/basket.h"

#include <inttypes.h>
#include <stdio.h>

void basket_fill(struct basket *basket, const char *run, uint64_t number, unsigned users) {
    static char tenant[] = "T001", station[] = "S001", currency[] = "CNY", oil[] = "92#";
    unsigned user = (unsigned)(number % users) + BASKET_FIRST_USER;
    snprintf(basket->request_id, sizeof basket->request_id, "%s-%" PRIu64, run, number);
    snprintf(basket->user, sizeof basket->user, "U%04u", user);
    snprintf(basket->card, sizeof basket->card, "C%04u", user);
    txcenter__trade__v1__context__init(&basket->context);
    txcenter__trade__v1__fuel__init(&basket->fuel);
    txcenter__trade__v1__line__init(&basket->line);
    txcenter__type__v1__money__init(&basket->amount);
    basket->context.tenant_id = tenant;
    basket->context.station_id = station;
    basket->context.user_id = basket->user;
    basket->amount.currency = currency;
    basket->amount.minor_units = 20000;
    basket->fuel.oil_code = oil;
    basket->fuel.amount = &basket->amount;
    basket->line.item_case = TXCENTER__TRADE__V1__LINE__ITEM_FUEL;
    basket->line.fuel = &basket->fuel;
    basket->lines[0] = &basket->line;
}
