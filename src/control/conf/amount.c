/*
 * Settings that are amounts: whole numbers, and numbers with a unit. value.h reads the
 * text; here are the bounds of a row, and what is wrong in words, with the right spelling
 * where it can be guessed.
 */
#include "control/conf/schema.h"
#include "control/conf/value.h"

#include <stdio.h>

static void print_bound(const struct conf_row *row, uint64_t value,
                        char out[VALUE_TEXT_MOST])
{
    char size[VALUE_TEXT_MOST];

    switch (row->type) {
    case CONF_DURATION:
        value_print_duration(value, out);
        break;
    case CONF_SIZE:
    case CONF_SIZE64:
        value_print_size(value, out);
        break;
    case CONF_RATE:
        value_print_size(value, size);
        snprintf(out, VALUE_TEXT_MOST, "%.*s/s", VALUE_TEXT_MOST - 3, size);
        break;
    case CONF_FACTOR:
        value_print_factor(value, out);
        break;
    default:
        snprintf(out, VALUE_TEXT_MOST, "%llu%s", (unsigned long long)value,
                 row->type == CONF_PERCENT ? "%" : "");
        break;
    }
}

static void complain_range(struct reader *reader, const struct conf_row *row,
                           const char *code, const struct node *node)
{
    char from[VALUE_TEXT_MOST], to[VALUE_TEXT_MOST];

    print_bound(row, row->min, from);
    print_bound(row, row->max, to);
    complain(reader->complaints, code, node->place, "'%s' must be %s to %s, got '%s'",
             row->name, from, to, word_of(reader, node));
}

static void complain_count(struct reader *reader, const struct conf_row *row,
                           const struct node *node, enum value_fault fault)
{
    struct complaint *complaint;

    if (fault == VALUE_NEGATIVE || fault == VALUE_TOO_LARGE) {
        complain_range(reader, row, "C020", node);
        return;
    }
    complaint = complain(reader->complaints, "C020", node->place,
                         fault == VALUE_FRACTION ? "'%s' is not a whole number"
                                                 : "'%s' is not a number",
                         word_of(reader, node));
    if (row->flags & CONF_AUTO)
        complaint_help(complaint, "write a whole number or 'auto'");
    else
        complaint_help(complaint, "write a whole number");
}

static void complain_factor(struct reader *reader, const struct conf_row *row,
                            const struct node *node, enum value_fault fault)
{
    char example[VALUE_TEXT_MOST];

    if (fault == VALUE_NEGATIVE || fault == VALUE_TOO_LARGE) {
        complain_range(reader, row, "C020", node);
        return;
    }
    value_print_factor(row->min + 250, example);
    complaint_help(complain(reader->complaints, "C020", node->place,
                            "'%s' is not a number", word_of(reader, node)),
                   "write a number with up to three decimals: %s", example);
}

static void complain_duration(struct reader *reader, const struct node *node)
{
    char guess[VALUE_TEXT_MOST];
    struct complaint *complaint =
        complain(reader->complaints, "C023", node->place, "'%s' is not a duration",
                 word_of(reader, node));

    if (!value_guess_duration(node->text, guess))
        value_print_duration(5000, guess);
    complaint_help(complaint, "write a number and a unit: %s  (units: ms, s, m, h)",
                   guess);
}

static void complain_size(struct reader *reader, const struct node *node, bool is_rate)
{
    char guess[VALUE_TEXT_MOST];
    str text = node->text;
    struct complaint *complaint = complain(
        reader->complaints, is_rate ? "C022" : "C021", node->place,
        is_rate ? "'%s' is not a rate" : "'%s' is not a size", word_of(reader, node));

    if (is_rate && str_ends(text, STR("/s")))
        text.n -= 2;
    if (!value_guess_size(text, guess))
        value_print_size(is_rate ? 500 : 64 << 10, guess);
    complaint_help(complaint,
                   is_rate ? "write bytes a second: %s/s  (units: B, KiB, MiB, GiB)"
                           : "write a number and a unit: %s  (units: B, KiB, MiB, GiB)",
                   guess);
}

static void complain_percent(struct reader *reader, const struct conf_row *row,
                             const struct node *node, enum value_fault fault)
{
    struct complaint *complaint;
    uint64_t number;

    if (fault == VALUE_NEGATIVE || fault == VALUE_TOO_LARGE) {
        complain_range(reader, row, "C027", node);
        return;
    }
    complaint = complain(reader->complaints, "C027", node->place,
                         "'%s' is not a percentage", word_of(reader, node));
    if (value_count(node->text, &number) == VALUE_FINE)
        complaint_help(complaint, "write '%s%%'", word_of(reader, node));
    else
        complaint_help(complaint, "write a whole number and %%: 20%%");
}

static const char *const type_codes[] = {
    [CONF_COUNT] = "C020",  [CONF_DURATION] = "C023", [CONF_SIZE] = "C021",
    [CONF_SIZE64] = "C021", [CONF_RATE] = "C022",     [CONF_PERCENT] = "C027",
    [CONF_FACTOR] = "C020",
};

static void complain_type(struct reader *reader, const struct conf_row *row,
                          const struct node *node, enum value_fault fault)
{
    switch (row->type) {
    case CONF_COUNT:
        complain_count(reader, row, node, fault);
        break;
    case CONF_FACTOR:
        complain_factor(reader, row, node, fault);
        break;
    case CONF_PERCENT:
        complain_percent(reader, row, node, fault);
        break;
    case CONF_DURATION:
        if (fault == VALUE_TOO_LARGE)
            complain_range(reader, row, "C023", node);
        else
            complain_duration(reader, node);
        break;
    default:
        if (fault == VALUE_TOO_LARGE)
            complain_range(reader, row, type_codes[row->type], node);
        else
            complain_size(reader, node, row->type == CONF_RATE);
        break;
    }
}

static enum value_fault parse_number(const struct conf_row *row, str text, uint64_t *out)
{
    switch (row->type) {
    case CONF_DURATION:
        return value_duration(text, out);
    case CONF_SIZE:
    case CONF_SIZE64:
        return value_size(text, out);
    case CONF_RATE:
        return value_rate(text, out);
    case CONF_PERCENT:
        return value_percent(text, out);
    case CONF_FACTOR:
        return value_factor(text, out);
    default:
        return value_count(text, out);
    }
}

void amount_read(struct reader *reader, const struct conf_row *row,
                 const struct node *node, void *object)
{
    uint64_t value = 0;
    enum value_fault fault = VALUE_FINE;

    if ((row->flags & CONF_OFF) && word_is_off(node->text)) {
        value = row->type == CONF_SIZE64 ? UINT64_MAX : 0;
    } else if (!((row->flags & CONF_AUTO) && str_eq(node->text, STR("auto")))) {
        fault = parse_number(row, node->text, &value);
        if (fault != VALUE_FINE) {
            complain_type(reader, row, node, fault);
            return;
        }
        if (value < row->min || value > row->max) {
            complain_range(reader, row, type_codes[row->type], node);
            return;
        }
    }
    if (row->type == CONF_SIZE64)
        *CONF_FIELD(object, row, uint64_t) = value;
    else
        *CONF_FIELD(object, row, uint32_t) = (uint32_t)value;
}
