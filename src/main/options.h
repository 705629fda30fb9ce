/*
 * What stands on the command line behind a verb. Strict: what is not understood is refused
 * with what was perhaps meant, because an option that is silently passed over does harm.
 * Rows say what a verb takes; the same rows are its help. Nothing is copied: values are
 * looked up in argv when they are asked for.
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "base/str.h"

enum option_kind {
    OPTION_FLAG,
    OPTION_VALUE,  /* --name VALUE or --name=VALUE, once */
    OPTION_VALUES, /* as often as one likes */
};

struct option_row {
    const char *name;  /* "--listen"; NULL ends a table */
    const char *brief; /* "-c", or NULL */
    enum option_kind kind;
    const char *value; /* what help calls the value */
    const char *doc;
};

struct given;

struct verb {
    const char *name;  /* NULL ends the table of verbs */
    const char *words; /* the usage behind the name */
    const char *doc;
    const struct option_row *options;      /* NULL: none */
    unsigned words_most;                   /* how many words that are no options */
    int (*run)(const struct given *given); /* gives the exit status */
};

/* A command line that was found good. */
struct given {
    const struct verb *verb;
    const char *program; /* as it was called */
    int count;           /* behind the verb */
    char **words;
};

enum { EXIT_GOOD = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* Checks all words behind the verb; false: told on stderr. */
bool options_check(const struct given *given);

bool option_is_given(const struct given *given, const char *name);

/* The value, STR_NONE where it was not given. */
str option_value(const struct given *given, const char *name);

/* The values of a repeated option, one by one; *at begins with 0. */
bool option_next(const struct given *given, const char *name, int *at, str *value);

/* The n-th word that is no option, from 0; STR_NONE: there is none. */
str option_word(const struct given *given, unsigned n);

/* "weir: " and the words on stderr, then how to get help; gives EXIT_USAGE. */
int usage_error(const struct verb *verb, const char *format, ...) PRINTF_LIKE(2, 3);

/* The name in `known` that is near enough to have been meant; NULL: none. */
const char *name_meant(str given, const char *(*known)(const void *of, unsigned i),
                       const void *of);

/* On stdout: how a verb is used. */
void verb_help(const struct verb *verb);

#endif
