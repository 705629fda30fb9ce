/*
 * The plain kinds are a few comparisons; regular expressions go to PCRE2. The pattern may
 * come from a file that its writer trusts, but the subject comes from anybody: so match
 * steps, depth and heap are limited, the JIT gets a bounded stack of its own, and a
 * pattern cannot switch UTF mode on (which would refuse subjects that are not UTF-8).
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include "base/check.h"

#include <pcre2.h>
#include <stdio.h>

enum {
    MATCH_STEPS = 100000,  /* a fifth of a millisecond with the JIT, two without */
    MATCH_DEPTH = 1000,    /* of backtracking; the JIT is bounded by its stack instead */
    MATCH_HEAP_KIB = 1024, /* the JIT uses none */
    JIT_STACK_FIRST = 32 * 1024,
    JIT_STACK_MOST = 256 * 1024,
};

static void describe(struct pattern_error *error, int number, size_t offset)
{
    PCRE2_UCHAR message[PATTERN_MESSAGE_MOST];

    if (!error)
        return;
    error->offset = offset;
    if (pcre2_get_error_message(number, message, sizeof message) < 0)
        snprintf((char *)message, sizeof message, "error %d", number);
    snprintf(error->message, sizeof error->message, "%s", (const char *)message);
}

/* PCRE2 refuses NULL, even for no bytes. */
static PCRE2_SPTR bytes_of(str s)
{
    return (PCRE2_SPTR)(s.p ? s.p : "");
}

static enum err compile_regex(struct pattern *pattern, struct pattern_error *error)
{
    uint32_t options = PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
                       (pattern->is_nocase ? PCRE2_CASELESS : 0);
    size_t offset = 0;
    int number = 0;

    if (pattern->text.n > PATTERN_LENGTH_MOST) {
        describe(error, PCRE2_ERROR_PATTERN_STRING_TOO_LONG, PATTERN_LENGTH_MOST);
        return ERR_TOO_LARGE;
    }
    pattern->code = pcre2_compile(bytes_of(pattern->text), pattern->text.n, options,
                                  &number, &offset, NULL);
    if (!pattern->code) {
        describe(error, number, offset);
        return ERR_INVALID;
    }
    /* Without a JIT on this machine, or for a pattern that it cannot do, it interprets. */
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return ERR_OK;
}

enum err pattern_compile(struct pattern *pattern, enum pattern_kind kind, bool is_nocase,
                         str text, struct pattern_error *error)
{
    *pattern = (struct pattern){.kind = kind, .is_nocase = is_nocase, .text = text};
    if (kind == PATTERN_REGEX)
        return compile_regex(pattern, error);
    return ERR_OK;
}

void pattern_close(struct pattern *pattern)
{
    pcre2_code_free(pattern->code);
    *pattern = (struct pattern){0};
}

void pattern_scratch_init(struct pattern_scratch *scratch)
{
    scratch->is_over_limit = false;
    scratch->match_data = pcre2_match_data_create(1, NULL);
    scratch->limits = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL);
    if (!scratch->match_data || !scratch->limits)
        check_failed(__FILE__, __LINE__, "the system has memory left");
    pcre2_set_match_limit(scratch->limits, MATCH_STEPS);
    pcre2_set_depth_limit(scratch->limits, MATCH_DEPTH);
    pcre2_set_heap_limit(scratch->limits, MATCH_HEAP_KIB);
    pcre2_jit_stack_assign(scratch->limits, NULL, scratch->stack); /* NULL: no JIT here */
}

void pattern_scratch_close(struct pattern_scratch *scratch)
{
    pcre2_match_data_free(scratch->match_data);
    pcre2_match_context_free(scratch->limits);
    pcre2_jit_stack_free(scratch->stack);
    *scratch = (struct pattern_scratch){0};
}

static bool match_regex(const struct pattern *pattern, str subject,
                        struct pattern_scratch *scratch)
{
    int found = pcre2_match(pattern->code, bytes_of(subject), subject.n, 0, 0,
                            scratch->match_data, scratch->limits);

    /* 0: it matched, and has more groups than we asked for. Errors other than "no match"
     * are all limits of some kind. */
    scratch->is_over_limit = found < 0 && found != PCRE2_ERROR_NOMATCH;
    return found >= 0;
}

bool pattern_match(const struct pattern *pattern, str subject,
                   struct pattern_scratch *scratch)
{
    str text = pattern->text;
    long last = (long)subject.n - (long)text.n;

    if (pattern->kind == PATTERN_REGEX)
        return match_regex(pattern, subject, scratch);
    if (last < 0 || (pattern->kind == PATTERN_EXACT && last > 0))
        return false;
    if (!pattern->is_nocase && pattern->kind == PATTERN_SUBSTRING)
        return str_find(subject, text) >= 0;
    for (long at = pattern->kind == PATTERN_SUFFIX ? last : 0; at <= last; at++) {
        str piece = str_upto(str_from(subject, (size_t)at), text.n);

        if (pattern->is_nocase ? str_eq_nocase(piece, text) : str_eq(piece, text))
            return true;
        if (pattern->kind != PATTERN_SUBSTRING)
            return false;
    }
    return false;
}
