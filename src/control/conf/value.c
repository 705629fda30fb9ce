/*
 * A value is one whole number and one unit, without a blank. That is less than people
 * are used to write, on purpose: 1h30m, 1.5h and 90m would be three ways to say one thing
 * in files that are compared and searched. What they wrote instead is understood well
 * enough to tell them the right spelling.
 */
#include "control/conf/value.h"

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0},
};

static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0},
};

/* What is written elsewhere, in lower case, and what it is here. */
static const struct alias {
    const char *name;
    unsigned unit; /* index into the units */
} duration_aliases[] =
    {
        {"", 1},   {"ms", 0},  {"msec", 0}, {"millis", 0}, {"milliseconds", 0},
        {"s", 1},  {"sec", 1}, {"secs", 1}, {"second", 1}, {"seconds", 1},
        {"m", 2},  {"min", 2}, {"mins", 2}, {"minute", 2}, {"minutes", 2},
        {"h", 3},  {"hr", 3},  {"hrs", 3},  {"hour", 3},   {"hours", 3},
        {NULL, 0},
},
  size_aliases[] = {
      {"", 0},    {"b", 0},  {"byte", 0}, {"bytes", 0}, {"k", 1},   {"kb", 1},
      {"kib", 1}, {"ki", 1}, {"m", 2},    {"mb", 2},    {"mib", 2}, {"mi", 2},
      {"g", 3},   {"gb", 3}, {"gib", 3},  {"gi", 3},    {NULL, 0},
};

/* Digits at the front; *rest is what follows. */
static str cut_digits(str text, str *rest)
{
    size_t n = 0;

    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    *rest = str_from(text, n);
    return str_upto(text, n);
}

static bool is_fraction(str text)
{
    str rest, after, digits = cut_digits(text, &rest);

    if (!digits.n || !rest.n || rest.p[0] != '.')
        return false;
    digits = cut_digits(str_from(rest, 1), &after);
    return digits.n && after.n == 0;
}

enum value_fault value_count(str text, uint64_t *out)
{
    str rest, digits = cut_digits(text, &rest);

    if (text.n > 1 && text.p[0] == '-') {
        digits = cut_digits(str_from(text, 1), &rest);
        return digits.n && !rest.n ? VALUE_NEGATIVE : VALUE_WRONG;
    }
    if (is_fraction(text))
        return VALUE_FRACTION;
    if (!digits.n || rest.n)
        return VALUE_WRONG;
    return str_to_u64(digits, out) ? VALUE_FINE : VALUE_TOO_LARGE;
}

static enum value_fault with_unit(str text, const struct unit *units, uint64_t *out)
{
    str unit, digits = cut_digits(text, &unit);
    uint64_t number;

    if (!digits.n)
        return VALUE_WRONG;
    for (; units->name; units++) {
        if (!str_eq(unit, str_of(units->name)))
            continue;
        if (!str_to_u64(digits, &number) || number > UINT64_MAX / units->factor)
            return VALUE_TOO_LARGE;
        *out = number * units->factor;
        return VALUE_FINE;
    }
    return VALUE_WRONG;
}

enum value_fault value_duration(str text, uint64_t *milliseconds)
{
    return with_unit(text, duration_units, milliseconds);
}

enum value_fault value_size(str text, uint64_t *bytes)
{
    return with_unit(text, size_units, bytes);
}

enum value_fault value_rate(str text, uint64_t *bytes_a_second)
{
    if (!str_ends(text, STR("/s")))
        return VALUE_WRONG;
    return with_unit(str_upto(text, text.n - 2), size_units, bytes_a_second);
}

enum value_fault value_percent(str text, uint64_t *out)
{
    if (!str_ends(text, STR("%")))
        return VALUE_WRONG;
    return value_count(str_upto(text, text.n - 1), out);
}

enum value_fault value_factor(str text, uint64_t *thousandths)
{
    str rest, digits = cut_digits(text, &rest), decimals = STR_NONE;
    uint64_t number, part = 0;

    if (text.n > 1 && text.p[0] == '-') {
        enum value_fault fault = value_factor(str_from(text, 1), &part);

        return fault == VALUE_FINE ? VALUE_NEGATIVE : VALUE_WRONG;
    }
    if (rest.n > 1 && rest.p[0] == '.')
        decimals = cut_digits(str_from(rest, 1), &rest);
    if (!digits.n || rest.n || decimals.n > 3)
        return VALUE_WRONG;
    if (!str_to_u64(digits, &number) || number > UINT32_MAX)
        return VALUE_TOO_LARGE;
    for (size_t i = 0; i < 3; i++)
        part = part * 10 + (i < decimals.n ? (uint64_t)(decimals.p[i] - '0') : 0);
    *thousandths = number * 1000 + part;
    return VALUE_FINE;
}

static bool find_alias(const struct alias *aliases, str name, unsigned *unit)
{
    for (; aliases->name; aliases++) {
        if (str_eq_nocase(name, str_of(aliases->name))) {
            *unit = aliases->unit;
            return true;
        }
    }
    return false;
}

/* One "1.5h" off the front of *rest, in thousandths of the smallest unit. */
static bool cut_piece(str *rest, const struct alias *aliases, const struct unit *units,
                      uint64_t *thousandths)
{
    str digits = cut_digits(*rest, rest), decimals = STR_NONE, name;
    uint64_t number, part = 0;
    unsigned unit;
    size_t n = 0;

    if (rest->n && rest->p[0] == '.') {
        *rest = str_from(*rest, 1);
        decimals = cut_digits(*rest, rest);
    }
    while (n < rest->n && (rest->p[n] < '0' || rest->p[n] > '9'))
        n++;
    name = str_trim(str_upto(*rest, n));
    *rest = str_from(*rest, n);
    if (!digits.n || digits.n > 9 || decimals.n > 3 || !str_to_u64(digits, &number) ||
        !find_alias(aliases, name, &unit))
        return false;
    for (size_t i = 0; i < 3; i++)
        part = part * 10 + (i < decimals.n ? (uint64_t)(decimals.p[i] - '0') : 0);
    *thousandths = (number * 1000 + part) * units[unit].factor;
    return true;
}

static bool guess(str text, const struct alias *aliases, const struct unit *units,
                  uint64_t *out)
{
    uint64_t sum = 0, piece = 0;

    text = str_trim(text);
    if (!text.n)
        return false;
    while (text.n) {
        if (!cut_piece(&text, aliases, units, &piece))
            return false;
        sum += piece;
    }
    *out = sum / 1000;
    return sum % 1000 == 0;
}

static void print_unit(uint64_t value, const struct unit *units,
                       char out[VALUE_TEXT_MOST])
{
    const struct unit *best = units;

    for (; units->name; units++) {
        if (value && value % units->factor == 0)
            best = units;
    }
    snprintf(out, VALUE_TEXT_MOST, "%llu%s", (unsigned long long)(value / best->factor),
             best->name);
}

/* "5" and "60" are seconds, and stay 60s rather than become 1m. */
static bool guess_plain(str text, const struct alias *aliases, const struct unit *units,
                        char out[VALUE_TEXT_MOST])
{
    str unit, digits = cut_digits(str_trim(text), &unit);
    unsigned at;

    if (!digits.n || digits.n > 18 || !find_alias(aliases, str_trim(unit), &at))
        return false;
    snprintf(out, VALUE_TEXT_MOST, STR_FMT "%s", STR_ARG(digits), units[at].name);
    return true;
}

bool value_guess_duration(str text, char out[VALUE_TEXT_MOST])
{
    uint64_t value;

    if (guess_plain(text, duration_aliases, duration_units, out))
        return true;
    if (!guess(text, duration_aliases, duration_units, &value))
        return false;
    value_print_duration(value, out);
    return true;
}

bool value_guess_size(str text, char out[VALUE_TEXT_MOST])
{
    uint64_t value;

    if (guess_plain(text, size_aliases, size_units, out))
        return true;
    if (!guess(text, size_aliases, size_units, &value))
        return false;
    value_print_size(value, out);
    return true;
}

void value_print_duration(uint64_t milliseconds, char out[VALUE_TEXT_MOST])
{
    if (milliseconds == 0)
        snprintf(out, VALUE_TEXT_MOST, "0s");
    else
        print_unit(milliseconds, duration_units, out);
}

void value_print_size(uint64_t bytes, char out[VALUE_TEXT_MOST])
{
    print_unit(bytes, size_units, out);
}

void value_print_factor(uint64_t thousandths, char out[VALUE_TEXT_MOST])
{
    size_t n = (size_t)snprintf(out, VALUE_TEXT_MOST, "%llu.%03u",
                                (unsigned long long)(thousandths / 1000),
                                (unsigned)(thousandths % 1000));

    while (out[n - 1] == '0')
        out[--n] = 0;
    if (out[n - 1] == '.')
        out[n - 1] = 0;
}
