// What a value looks like where others can write, too: what we put there, or nothing.
#ifndef TXC_STORE_CACHE_VALUE_H
#define TXC_STORE_CACHE_VALUE_H

#include "base/str.h"

enum { CACHE_VALUE_HEAD = 40 }; // bytes before the value itself

// What must fit for a value to be good.
struct cache_value {
    struct str name;     // under which it stands: a value that was copied from elsewhere is none
    uint64_t generation; // of its space when it was asked for
    int64_t until_ms;
};

// Writes what goes before the value.
void cache_value_head(const struct cache_value *of, struct str value, uint8_t out[CACHE_VALUE_HEAD]);

// The value in `bytes`, borrowed from it. False: it is not one that was written for this name in this generation, is of
// another version of the format, or its time is over at `of->until_ms`, which is the present here. Any bytes are safe.
bool cache_value_read(const struct cache_value *of, struct str bytes, struct str *ret_value);

#endif
