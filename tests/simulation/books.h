// The end of a seed, when everything has come to rest: the store's rows, the participants' books and what callers were
// told are compared.
#ifndef TXC_TESTS_SIMULATION_BOOKS_H
#define TXC_TESTS_SIMULATION_BOOKS_H

#include <stdbool.h>
#include <stddef.h>

struct saga_row;

// Whether every saga on the disk has ended.
bool books_are_closed(void);

// Those that wait for an operator, or for a signal, are helped.
void books_help(void);

// Those that have not ended, for a report.
void books_describe_open(char *out, size_t size);

// One that has ended, as its row says.
void books_check_saga(const struct saga_row *row);

// The payments for one subject, all of whose sagas have ended.
void books_check_payments(const char *subject);

// What became of a saga, even if it is deleted by now. 0: there never was one.
int books_status_of(const char *gid);

void books_check(void);

#endif
