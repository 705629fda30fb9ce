/*
 * CHECK: the program itself is wrong. Always compiled in. Only ever on our own
 * state: a CHECK that a peer or the kernel could reach would let one packet drop
 * every connection.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/compiler.h"

#define CHECK(condition) \
    (likely(condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* Long-lived structures carry a magic number; checked at each entry from an event. */
#define CHECK_MAGIC(object, number) CHECK((object)->magic == (number))

/* Prints where, what and a backtrace to stderr, then aborts. */
NORETURN void check_failed(const char *file, int line, const char *what);

#endif
