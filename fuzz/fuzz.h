/*
 * What the fuzz targets share: a property that does not hold ends the run, and input is
 * given to the code in a heap block of exactly its size, so that the sanitizer sees the
 * first byte read too far.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(condition) \
    (likely(condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #condition))

NORETURN static inline void fuzz_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

static inline str fuzz_exact(str s)
{
    char *copy = malloc(s.n ? s.n : 1);

    HOLDS(copy != NULL);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return (str){copy, s.n};
}

static inline void fuzz_free(str s)
{
    free((void *)(uintptr_t)s.p);
}

/* Cuts the first byte off, as a number from 0 to 255 that steers the run. */
static inline unsigned fuzz_byte(str *rest)
{
    unsigned byte = rest->n ? (unsigned char)rest->p[0] : 0;

    *rest = str_from(*rest, 1);
    return byte;
}

static inline bool fuzz_is_inside(str whole, str part)
{
    return part.p == NULL || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

#endif
