// What the sources of a quote have said, as the input of the search for the best combination.
#ifndef TXC_FLOWS_TRADE_QUOTE_INPUT_H
#define TXC_FLOWS_TRADE_QUOTE_INPUT_H

#include "flows/trade/quote_line.h"
#include "flows/trade/solver.h"
#include "txcenter/trade/v1/facts.pb-c.h"

// `lines` are those of the wish, priced; `facts` what a quote keeps of its sources (an answer that is absent offers
// nothing), at the moment `facts->at`. All are borrowed as long as the input is. What can't be counted with is left
// out, and told as an alert. False when the arena is too small.
bool quote_input_make(struct trades *trades, const struct quote_wish *wish, const struct quote_line *lines,
                      const Txcenter__Trade__V1__QuoteFacts *facts, struct arena *arena,
                      struct solver_input *ret_input);

#endif
