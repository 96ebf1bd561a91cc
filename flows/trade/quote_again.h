// A kept quote, priced once more for what was really bought.
#ifndef TXC_FLOWS_TRADE_QUOTE_AGAIN_H
#define TXC_FLOWS_TRADE_QUOTE_AGAIN_H

#include "flows/trade/quote_line.h"
#include "txcenter/trade/v1/facts.pb-c.h"

// Prices these lines as they would have been quoted then: by what was kept, with the benefits of the chosen combination
// as far as they fit, and no others. In the arena; NULL with an error, or without one when the arena is too small.
struct quote_again {
    const Txcenter__Trade__V1__QuoteFacts *facts;
    const Txcenter__Trade__V1__Combination *chosen;
    const struct quote_line *lines;
    size_t n_lines;
};
Txcenter__Trade__V1__Combination *quote_price_again(struct trades *trades, const struct quote_again *again,
                                                    struct arena *arena, struct error *error);

#endif
