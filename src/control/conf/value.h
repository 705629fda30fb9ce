/*
 * The types of values: numbers, durations, sizes, rates and percentages from text, with
 * no more leniency than the reference promises. Pure; the sentences are in schema.c.
 */
#ifndef CONTROL_CONF_VALUE_H
#define CONTROL_CONF_VALUE_H

#include "base/str.h"

enum value_fault {
    VALUE_FINE,
    VALUE_WRONG,     /* not of this type */
    VALUE_NEGATIVE,  /* a right value but for its sign */
    VALUE_FRACTION,  /* a number, but not a whole one */
    VALUE_TOO_LARGE, /* over 64 bits */
};

enum value_fault value_count(str text, uint64_t *out);
enum value_fault value_duration(str text, uint64_t *milliseconds);
enum value_fault value_size(str text, uint64_t *bytes);
enum value_fault value_rate(str text, uint64_t *bytes_a_second);
enum value_fault value_percent(str text, uint64_t *out);

/* "1.4": up to three decimals. */
enum value_fault value_factor(str text, uint64_t *thousandths);

enum { VALUE_TEXT_MOST = 32 };

/*
 * What was perhaps meant by a text that is wrong: "5sec" -> "5s", "1.5h" -> "90m",
 * "10MB" -> "10MiB". False: no idea.
 */
bool value_guess_duration(str text, char out[VALUE_TEXT_MOST]);
bool value_guess_size(str text, char out[VALUE_TEXT_MOST]);

/* As one would write it, in the largest unit that leaves a whole number. */
void value_print_duration(uint64_t milliseconds, char out[VALUE_TEXT_MOST]);
void value_print_size(uint64_t bytes, char out[VALUE_TEXT_MOST]);
void value_print_factor(uint64_t thousandths, char out[VALUE_TEXT_MOST]);

#endif
