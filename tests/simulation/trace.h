// What happened, line by line: shown when asked for, always hashed, and the last lines kept for a report. The hash is
// what tells that a seed played the same again: no line may hold an address, the machine's time or anything else that
// differs between two runs.
#ifndef TXC_TESTS_SIMULATION_TRACE_H
#define TXC_TESTS_SIMULATION_TRACE_H

#include <stdint.h>
#include <stdio.h>

enum { TRACE_LINE_MAX = 240, TRACE_KEPT = 64 };

struct trace {
    FILE *out; // NULL: not shown
    uint64_t digest;
    uint64_t lines;
    char kept[TRACE_KEPT][TRACE_LINE_MAX];
};

void trace_line(struct trace *trace, int64_t at_ms, const char *who, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// The lines that were kept, the oldest first, as many as fit.
void trace_tail(const struct trace *trace, char *out, size_t size);

#endif
