// Inside store/ only: a thread with a name, with every signal blocked: they are the program's main thread's to handle.
#ifndef TXC_STORE_THREAD_H
#define TXC_STORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

// `name` has at most 15 characters. False when there is no thread to be had.
bool thread_start(pthread_t *thread, void *(*run)(void *), void *ctx, const char *name);

#endif
