/*
 * Reading and explaining options. argv is walked anew for each question: a command line is
 * short, and so there is no second form of it that could differ from the first.
 */
#include "main/options.h"

#include <stdarg.h>
#include <stdio.h>

static const char *option_known(const void *of, unsigned i)
{
    const struct option_row *rows = of;

    return rows ? rows[i].name : NULL;
}

const char *name_meant(str given, const char *(*known)(const void *of, unsigned i),
                       const void *of)
{
    const char *best = NULL, *name;
    unsigned nearest = given.n / 3 + 1; /* about one mistake in three letters */

    for (unsigned i = 0; (name = known(of, i)); i++) {
        unsigned distance = str_distance(given, str_of(name));

        if (distance <= nearest && (!best || distance < nearest)) {
            best = name;
            nearest = distance;
        }
    }
    return best;
}

int usage_error(const struct verb *verb, const char *format, ...)
{
    va_list arguments;

    fputs("weir: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry: weir help%s%s\n", verb ? " " : "", verb ? verb->name : "");
    return EXIT_USAGE;
}

/* One word of the command line, and what it is. */
struct word {
    const struct option_row *row; /* NULL: no option, or an unknown one */
    str name, value;              /* value: STR_NONE when there is none */
    bool is_option;
};

/* Reads the word at *at, with its value, and moves on. */
static struct word word_read(const struct given *given, int *at)
{
    str text = str_of(given->words[(*at)++]);
    struct word word = {.is_option = text.n > 1 && text.p[0] == '-', .name = text};
    long equals = str_starts(text, STR("--")) ? str_find_char(text, '=') : -1;

    if (!word.is_option)
        return word;
    if (equals >= 0) {
        word.name = str_upto(text, (size_t)equals);
        word.value = str_from(text, (size_t)equals + 1);
    }
    for (const struct option_row *row = given->verb->options; row && row->name; row++) {
        if (str_eq(word.name, str_of(row->name)) ||
            (row->brief && str_eq(word.name, str_of(row->brief))))
            word.row = row;
    }
    if (word.row && word.row->kind != OPTION_FLAG && !word.value.p && *at < given->count)
        word.value = str_of(given->words[(*at)++]);
    return word;
}

static bool unknown_option(const struct given *given, str name)
{
    const char *meant = name_meant(name, option_known, given->verb->options);

    if (meant)
        usage_error(given->verb,
                    "weir %s has no option '" STR_FMT "'; did you mean '%s'?",
                    given->verb->name, STR_ARG(name), meant);
    else
        usage_error(given->verb, "weir %s has no option '" STR_FMT "'", given->verb->name,
                    STR_ARG(name));
    return false;
}

static bool unknown_word(const struct given *given, str word)
{
    const struct option_row *row = given->verb->options;

    if (given->verb->words_most == 0 && row && row->brief)
        usage_error(given->verb,
                    "weir %s does not know what to do with '" STR_FMT
                    "'; did you mean '%s " STR_FMT "'?",
                    given->verb->name, STR_ARG(word), row->brief, STR_ARG(word));
    else
        usage_error(given->verb, "weir %s does not know what to do with '" STR_FMT "'",
                    given->verb->name, STR_ARG(word));
    return false;
}

static bool option_check(const struct given *given, const struct word *word)
{
    const char *name;

    if (!word->row)
        return unknown_option(given, word->name);
    name = word->row->name;
    if (word->row->kind == OPTION_FLAG && word->value.p)
        return usage_error(given->verb, "%s takes no value", name), false;
    if (word->row->kind != OPTION_FLAG && word->value.n == 0)
        return usage_error(given->verb, "%s wants a value: %s %s", name, name,
                           word->row->value),
               false;
    return true;
}

static bool is_given_before(const struct given *given, const struct option_row *row,
                            int end)
{
    for (int at = 0; at < end;) {
        int here = at;
        struct word word = word_read(given, &at);

        if (word.row == row && here < end)
            return true;
    }
    return false;
}

bool options_check(const struct given *given)
{
    unsigned words = 0;

    for (int at = 0; at < given->count;) {
        int here = at;
        struct word word = word_read(given, &at);

        if (!word.is_option) {
            if (++words > given->verb->words_most)
                return unknown_word(given, word.name);
            continue;
        }
        if (!option_check(given, &word))
            return false;
        if (word.row->kind != OPTION_VALUES && is_given_before(given, word.row, here))
            return usage_error(given->verb, "%s is given twice", word.row->name), false;
    }
    return true;
}

bool option_next(const struct given *given, const char *name, int *at, str *value)
{
    while (*at < given->count) {
        struct word word = word_read(given, at);

        if (word.row && str_eq(str_of(word.row->name), str_of(name))) {
            *value = word.value;
            return true;
        }
    }
    return false;
}

bool option_is_given(const struct given *given, const char *name)
{
    int at = 0;
    str value;

    return option_next(given, name, &at, &value);
}

str option_value(const struct given *given, const char *name)
{
    int at = 0;
    str value;

    return option_next(given, name, &at, &value) ? value : STR_NONE;
}

str option_word(const struct given *given, unsigned n)
{
    for (int at = 0; at < given->count;) {
        struct word word = word_read(given, &at);

        if (!word.is_option && n-- == 0)
            return word.name;
    }
    return STR_NONE;
}

void verb_help(const struct verb *verb)
{
    printf("usage: weir %s%s%s\n\n%s\n", verb->name, *verb->words ? " " : "", verb->words,
           verb->doc);
    if (verb->options)
        printf("\n");
    for (const struct option_row *row = verb->options; row && row->name; row++) {
        char left[64];

        snprintf(left, sizeof left, "%s%s%s%s%s", row->brief ? row->brief : "",
                 row->brief ? ", " : "", row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        printf("  %-22s %s\n", left, row->doc);
    }
}
