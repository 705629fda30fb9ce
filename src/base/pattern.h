/*
 * One condition on a text, compiled once and used by all workers: equal to, begins with,
 * ends with, contains, or matches a regular expression (PCRE2, with its JIT where the
 * machine allows it). What "~..." means in a file is the caller's business, and so is
 * what bounds a segment of a path.
 *
 * Regular expressions see bytes, not UTF-8; `$` is the very end; they are not anchored
 * unless they say so. A run is bounded in steps and memory: one that goes over says "no
 * match", and the scratch says that it went over.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/err.h"
#include "base/str.h"

enum pattern_kind {
    PATTERN_EXACT,
    PATTERN_PREFIX,
    PATTERN_SUFFIX,
    PATTERN_SUBSTRING,
    PATTERN_REGEX,
};

enum { PATTERN_LENGTH_MOST = 4096, PATTERN_MESSAGE_MOST = 128 };

struct pattern {
    enum pattern_kind kind;
    bool is_nocase; /* ASCII letters only */
    str text;       /* the caller's bytes; of a regex, its source */
    void *code;     /* of a regex: pcre2_code */
};

/* Why a regex does not compile. */
struct pattern_error {
    size_t offset; /* in bytes from the start of the text */
    char message[PATTERN_MESSAGE_MOST];
};

/* What a match needs to write on: one for each worker, never shared by two threads. */
struct pattern_scratch {
    void *match_data, *limits, *stack; /* PCRE2's */
    bool is_over_limit;                /* the last regex run was cut off */
};

/*
 * text is not copied: it must live as long as the pattern. ERR_INVALID and *error for a
 * regex that does not compile, ERR_TOO_LARGE (with *error too) over PATTERN_LENGTH_MOST;
 * the other kinds cannot fail. error may be NULL. After an error there is nothing to close.
 */
MUST_CHECK enum err pattern_compile(struct pattern *pattern, enum pattern_kind kind,
                                    bool is_nocase, str text,
                                    struct pattern_error *error);

/* Gives the compiled code back, which no arena can do. Harmless on a zeroed pattern. */
void pattern_close(struct pattern *pattern);

void pattern_scratch_init(struct pattern_scratch *scratch);
void pattern_scratch_close(struct pattern_scratch *scratch);

/* scratch is looked at only for a regex, and may be NULL otherwise. */
bool pattern_match(const struct pattern *pattern, str subject,
                   struct pattern_scratch *scratch);

#endif
