// What the benches buy: 200 of 92# at one station, each for another user.
#ifndef TXC_TESTS_BENCH_BASKET_H
#define TXC_TESTS_BENCH_BASKET_H

#include "txcenter/trade/v1/trade.pb-c.h"

#include <stdint.h>

enum { BASKET_FIRST_USER = 5 }; // the simulators' world begins with special ones: frozen, poor

// Its messages point into it.
struct basket {
    char request_id[64], user[16], card[16];
    Txcenter__Trade__V1__Context context;
    Txcenter__Trade__V1__Fuel fuel;
    Txcenter__Type__V1__Money amount;
    Txcenter__Trade__V1__Line line, *lines[1];
};

// The `number`th of a run, of `users` in turn.
void basket_fill(struct basket *basket, const char *run, uint64_t number, unsigned users);

#endif
