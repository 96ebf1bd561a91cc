// The end of a seed, when everything has come to rest: the store's rows, the participants' books and what callers were
// told are compared.
#ifndef TXC_TESTS_SIMULATION_BOOKS_H
#define TXC_TESTS_SIMULATION_BOOKS_H

#include <stdbool.h>
#include <stddef.h>

// Whether every saga on the disk has ended.
bool books_are_closed(void);

// Those that wait for an operator, or for a signal, are helped.
void books_help(void);

// Those that have not ended, for a report.
void books_describe_open(char *out, size_t size);

void books_check(void);

#endif
