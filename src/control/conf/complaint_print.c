/*
 * How complaints look: the shape of the catalogue for people, and JSON for programs.
 * A long source line is shown in part, around the place that is meant.
 */
#include "control/conf/complaint.h"
#include "control/conf/utf8.h"

enum { LINE_MOST = 160, LINE_BEFORE = 60, CHOICES_SHOWN = 60 };

static const char *const severity_texts[SEVERITY_COUNT] = {
    [SEVERITY_ERROR] = "error",
    [SEVERITY_WARNING] = "warning",
    [SEVERITY_HINT] = "hint",
};

/* Skips `count` characters. */
static size_t bytes_of(str s, size_t count)
{
    size_t at = 0;

    while (count-- && at < s.n) {
        size_t size = utf8_size(str_from(s, at));

        at += size ? size : 1;
    }
    return at;
}

/* How much at the front is ASCII that can be shown. */
static size_t plain_size(str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f)
        n++;
    return n;
}

/* Control and broken bytes would upset the terminal; they are shown as one character. */
static void print_safely(struct scroll *out, str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t plain = plain_size(str_from(s, at)), size;
        unsigned char c;

        scroll_add(out, str_upto(str_from(s, at), plain));
        at += plain;
        if (at == s.n)
            return;
        size = utf8_size(str_from(s, at));
        c = (unsigned char)s.p[at];
        if (size == 0 || (c < 0x20 && c != '\t') || c == 0x7f ||
            utf8_is_unseen((str){s.p + at, size}))
            scroll_add(out, STR("�"));
        else
            scroll_add(out, (str){s.p + at, size});
        at += size ? size : 1;
    }
}

/* What of a long line is left of `column`, from where the one before has come to. */
static size_t bytes_before(const struct complaint *complaint, str line, size_t column)
{
    struct source *source = &complaint->owner->sources.items[complaint->place.file];

    if (source->walked_line != complaint->place.line || source->walked_column > column) {
        source->walked_line = complaint->place.line;
        source->walked_column = 0;
        source->walked_bytes = 0;
    }
    source->walked_bytes +=
        bytes_of(str_from(line, source->walked_bytes), column - source->walked_column);
    source->walked_column = (uint32_t)column;
    return source->walked_bytes;
}

static void print_source(struct scroll *out, const struct complaint *complaint)
{
    struct place place = complaint->place;
    str line = source_line(complaint->owner, place);
    size_t column = place.column ? place.column - 1 : 0, cut = 0;
    uint32_t length = place.length ? place.length : 1;
    bool is_long = bytes_of(line, LINE_MOST) < line.n, is_cut_behind = false;

    if (!line.p)
        return;
    if (is_long) {
        size_t most;

        cut = column > LINE_BEFORE ? column - LINE_BEFORE : 0;
        line = str_from(line, bytes_before(complaint, line, cut));
        most = bytes_of(line, LINE_MOST);
        is_cut_behind = most < line.n;
        line = str_upto(line, most);
        column -= cut;
    }
    scroll_format(out, "%5u | %s", place.line, cut ? "…" : "");
    print_safely(out, line);
    scroll_add(out, is_cut_behind ? STR("…\n      | ") : STR("\n      | "));
    if (cut)
        scroll_char(out, ' ');
    for (size_t i = 0, at = 0; i < column; i++) {
        scroll_char(out, at < line.n && line.p[at] == '\t' ? '\t' : ' ');
        at += bytes_of(str_from(line, at), 1);
    }
    if (column + length > LINE_MOST && is_long)
        length = column < LINE_MOST ? (uint32_t)(LINE_MOST - column) : 1;
    scroll_repeat(out, '^', length);
    if (complaint->label.n)
        scroll_format(out, " " STR_FMT, STR_ARG(complaint->label));
    scroll_char(out, '\n');
}

static void print_one(struct scroll *out, const struct complaint *complaint)
{
    scroll_format(out, "%s[%s]: ", severity_texts[complaint->severity], complaint->code);
    print_safely(out, complaint->message);
    scroll_format(out, "\n  --> %s\n",
                  complaint_where(complaint->owner, complaint->place));
    print_source(out, complaint);
    for (size_t i = 0; i < complaint->help.count; i++) {
        scroll_add(out, STR("      = help: "));
        print_safely(out, complaint->help.items[i]);
        scroll_char(out, '\n');
    }
    for (size_t i = 0; i < complaint->notes.count; i++) {
        scroll_add(out, STR("      = note: "));
        print_safely(out, complaint->notes.items[i]);
        scroll_char(out, '\n');
    }
    if (complaint->choices.count == 0)
        return;
    scroll_format(out, "      = " STR_FMT ": ", STR_ARG(complaint->choices_label));
    for (size_t i = 0; i < complaint->choices.count; i++) {
        if (i == CHOICES_SHOWN) {
            scroll_format(out, ", … (%zu in all)", complaint->choices.count);
            break;
        }
        if (i)
            scroll_add(out, STR(", "));
        print_safely(out, complaint->choices.items[i]);
    }
    scroll_char(out, '\n');
}

void complaints_print_counts(const struct complaints *complaints, enum severity first,
                             struct scroll *out)
{
    const unsigned counts[SEVERITY_COUNT] = {complaints->errors, complaints->warnings,
                                             complaints->hints};
    const char *between = "";

    for (unsigned i = first; i < SEVERITY_COUNT; i++) {
        if (!counts[i])
            continue;
        scroll_format(out, "%s%u %s%s", between, counts[i], severity_texts[i],
                      counts[i] == 1 ? "" : "s");
        between = ", ";
    }
}

void complaints_print(struct complaints *complaints, struct scroll *out)
{
    complaints_sort(complaints);
    for (size_t i = 0; i < complaints->items.count; i++)
        print_one(out, complaints->items.items[i]);
    if (complaints->errors == 0)
        return;
    scroll_format(out, "\n" STR_FMT ": ", STR_ARG(complaints->sources.items[0].name));
    complaints_print_counts(complaints, SEVERITY_ERROR, out);
    scroll_char(out, '\n');
}

static void print_json_list(struct scroll *out, const str *items, size_t count)
{
    scroll_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            scroll_add(out, STR(", "));
        scroll_json(out, items[i]);
    }
    scroll_char(out, ']');
}

static void print_json_one(struct scroll *out, const struct complaint *complaint)
{
    struct place place = complaint->place;

    scroll_format(out, "{\"severity\": \"%s\", \"code\": \"%s\", \"file\": ",
                  severity_texts[complaint->severity], complaint->code);
    scroll_json(out, complaint->owner->sources.items[place.file].name);
    scroll_format(out, ", \"line\": %u, \"column\": %u, \"length\": %u, \"message\": ",
                  place.line, place.column, place.length);
    scroll_json(out, complaint->message);
    scroll_add(out, STR(", \"help\": "));
    print_json_list(out, complaint->help.items, complaint->help.count);
    scroll_add(out, STR(", \"notes\": "));
    print_json_list(out, complaint->notes.items, complaint->notes.count);
    if (complaint->choices.count) {
        scroll_add(out, STR(", \"choices\": {\"label\": "));
        scroll_json(out, complaint->choices_label);
        scroll_add(out, STR(", \"values\": "));
        print_json_list(out, complaint->choices.items, complaint->choices.count);
        scroll_char(out, '}');
    }
    scroll_char(out, '}');
}

void complaints_print_json(struct complaints *complaints, struct scroll *out)
{
    complaints_sort(complaints);
    scroll_format(
        out,
        "{\"ok\": %s, \"errors\": %u, \"warnings\": %u, \"hints\": %u, \"diagnostics\": [",
        complaints->errors ? "false" : "true", complaints->errors, complaints->warnings,
        complaints->hints);
    for (size_t i = 0; i < complaints->items.count; i++) {
        scroll_add(out, i ? STR(",\n  ") : STR("\n  "));
        print_json_one(out, complaints->items.items[i]);
    }
    scroll_add(out, STR("]}\n"));
}
