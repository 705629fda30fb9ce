/* The end of a process that has caught itself in a lie: words, a backtrace, abort. */
#include "base/check.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_FRAMES = 32 };

void check_failed(const char *file, int line, const char *what)
{
    void *frames[MOST_FRAMES];
    int count = backtrace(frames, MOST_FRAMES);

    fprintf(stderr, "panic: %s:%d: this must hold: %s\n", file, line, what);
    fflush(stderr);
    backtrace_symbols_fd(frames, count, 2);
    abort();
}
