// A load on a store whose every answer is remembered and compared with what is there in the end: what was acknowledged
// must be stored, whole; what was said to have failed must not be.
//
// It runs in lanes, one write at a time in each. A write inserts a new row, made from its number, and puts the number
// into its lane's row. A batch that were repeated would conflict; one that were forgotten, torn, or done after all once
// it was given up, shows in one row or the other.
#ifndef TXC_TESTS_STORE_LOAD_H
#define TXC_TESTS_STORE_LOAD_H

#include "tests/store/bed.h"

struct load;

// On the bed's open store, which has item_tables. Nothing runs yet.
struct load *load_new(struct bed *bed, unsigned lanes);
// Nothing is asked of it any more, though writes may be in flight: before the bed is destroyed. Then it can be freed.
void load_stop(struct load *load);
void load_free(struct load *load);

// Writes may fail with this; with anything else the test fails. Without it nothing may fail.
void load_allow(struct load *load, enum err code);

// Runs until `n` more writes have been called back; the lanes stay full.
void load_run(struct load *load, size_t n);

// Runs while another thread does `fault` again and again, until `n` more were called back.
void load_run_under(struct load *load, size_t n, void (*fault)(void *ctx), void *ctx);

// Lets the writes in flight end. What the bed is asked for then does not wait for lanes that go on for ever.
void load_pause(struct load *load);

// Pauses, and compares.
void load_check(struct load *load);

size_t load_done(const struct load *load);   // writes that were acknowledged
size_t load_failed(const struct load *load); // writes that were said to have failed

#endif
