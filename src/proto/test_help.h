/*
 * What the tests of this room share: bytes in a heap block of exactly their size, so that
 * a sanitizer sees the first byte read too far, and comparing slices with literals.
 */
#ifndef PROTO_TEST_HELP_H
#define PROTO_TEST_HELP_H

#include "base/rand.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

/* A copy with nothing behind it; free((void *)s.p) gives it back. */
static inline str exact(str s)
{
    char *copy = malloc(s.n ? s.n : 1);

    assert_non_null(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return (str){copy, s.n};
}

static inline void exact_free(str s)
{
    free((void *)(uintptr_t)s.p);
}

#define assert_str(got, want) assert_str_(got, want, __FILE__, __LINE__)

static inline void assert_str_(str got, const char *want, const char *file, int line)
{
    if (got.n == strlen(want) && memcmp(got.p ? got.p : "", want, got.n) == 0)
        return;
    print_error("got \"" STR_FMT "\", want \"%s\"\n", STR_ARG(got), want);
    _fail(file, line);
}

#endif
