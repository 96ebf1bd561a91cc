// The methods of the card system that concern recharges: rows of card.c, kept in recharge.c.
#ifndef TXC_SIM_CARD_H
#define TXC_SIM_CARD_H

#include "participant/card/v1/card.pb-c.h"
#include "sim/world.h"

void sim_recharge_card(struct sim_call *call);
void sim_cancel_recharge(struct sim_call *call);
void sim_get_recharge(struct sim_call *call);
void sim_reverse_recharge(struct sim_call *call);

// In the call's arena.
Participant__Card__V1__CardAmount *sim_card_amount(struct sim_call *call, const char *currency, int64_t principal,
                                                   int64_t bonus);

// Both parts of a movement on a card, in the ledger.
void sim_card_post(struct sim_change *change, const char *kind, const struct sim_card_row *card, int64_t principal,
                   int64_t bonus, const char *state, const char *detail);

#endif
