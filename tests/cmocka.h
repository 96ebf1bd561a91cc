// cmocka with what it wants before it.
#ifndef TXC_TESTS_CMOCKA_H
#define TXC_TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
