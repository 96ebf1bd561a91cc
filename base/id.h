// Numbers that we make: 26 characters of Crockford's base 32 (no I, L, O, U), sorted by the time they were made:
//   10 characters  milliseconds since the Unix epoch
//    2 characters  slot (0..255), the partition that owns everything under this number
//   14 characters  70 random bits
#ifndef TXC_BASE_ID_H
#define TXC_BASE_ID_H

#include "base/str.h"

enum { ID_LEN = 26, SLOT_COUNT = 256 };

// `random` gives 64 bits a call.
void id_make(int64_t unix_ms, unsigned slot, uint64_t (*random)(void *ctx), void *ctx, char out[ID_LEN + 1]);

// Well-formed: length, alphabet, and a slot below SLOT_COUNT.
bool id_valid(struct str id);

// The slot of anything that begins with a number of ours, up to the end or a '/'; otherwise a hash of the whole text.
// Everything of one trade ("<trade_no>/1", "<trade_no>/1/pay/2", …) therefore lives in one slot.
unsigned id_slot(struct str id);

// 64 random bits from the kernel's generator (getrandom); aborts when there is none.
uint64_t id_random(void *unused);

#endif
