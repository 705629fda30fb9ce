/*
 * Collecting complaints and ordering them. The sentences are made where the mistake is
 * found; here is only what all of them share. Nothing quoted from a file is repeated at
 * full length: a configuration may hold a word of a megabyte.
 */
#include "control/conf/complaint.h"

#include "base/check.h"
#include "control/conf/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORD_MOST = 60 };

void complaints_init(struct complaints *complaints, bool is_strict)
{
    *complaints = (struct complaints){.is_strict = is_strict};
    arena_init(&complaints->arena, 64 << 10);
}

void complaints_close(struct complaints *complaints)
{
    arena_wipe(&complaints->arena); /* the files may hold secrets */
}

uint32_t complaints_add_source(struct complaints *complaints, str name, str text)
{
    struct source *source = vec_add(&complaints->sources, &complaints->arena);

    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from(text, 3);
    source->name = arena_copy(&complaints->arena, name);
    source->text = text;
    return (uint32_t)complaints->sources.count - 1;
}

static void index_lines(struct source *source, struct arena *arena)
{
    str text = source->text, rest = text, line;
    uint32_t count = 1;

    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '\n';
    source->line_starts = ARENA_ARRAY(arena, uint32_t, count);
    source->line_count = 1;
    while (str_next(&rest, '\n', &line) && rest.p)
        source->line_starts[source->line_count++] = (uint32_t)(rest.p - text.p);
    /* What follows the last newline is a line only if something stands there. */
    if (source->line_starts[source->line_count - 1] == text.n)
        source->line_count--;
}

str source_line(struct complaints *complaints, struct place place)
{
    struct source *source = &complaints->sources.items[place.file];
    str line;
    long end;

    if (!source->line_starts)
        index_lines(source, &complaints->arena);
    if (place.line == 0 || place.line > source->line_count)
        return STR_NONE;
    line = str_from(source->text, source->line_starts[place.line - 1]);
    end = place.line < source->line_count
              ? (long)source->line_starts[place.line] -
                    (long)source->line_starts[place.line - 1] - 1
              : str_find_char(line, '\n');
    if (end >= 0)
        line.n = (size_t)end;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

PRINTF_LIKE(2, 0)
static str format_copy(struct arena *arena, const char *format, va_list args)
{
    char small[256];
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(small, sizeof small, format, again);
    va_end(again);
    CHECK(n >= 0);
    if ((size_t)n >= sizeof small) {
        char *large = arena_alloc(arena, (size_t)n + 1);

        vsnprintf(large, (size_t)n + 1, format, args);
        return (str){large, (size_t)n};
    }
    return arena_copy(arena, (str){small, (size_t)n});
}

static enum severity severity_of(const struct complaints *complaints, const char *code)
{
    if (code[0] == 'H')
        return SEVERITY_HINT;
    if (code[0] != 'W' && strcmp(code, "C040") != 0)
        return SEVERITY_ERROR;
    return complaints->is_strict ? SEVERITY_ERROR : SEVERITY_WARNING;
}

static unsigned *count_of(struct complaints *complaints, enum severity severity)
{
    return severity == SEVERITY_ERROR     ? &complaints->errors
           : severity == SEVERITY_WARNING ? &complaints->warnings
                                          : &complaints->hints;
}

struct complaint *complain(struct complaints *complaints, const char *code,
                           struct place place, const char *format, ...)
{
    struct complaint *complaint = ARENA_NEW(&complaints->arena, struct complaint);
    va_list args;

    va_start(args, format);
    complaint->message = format_copy(&complaints->arena, format, args);
    va_end(args);
    complaint->severity = severity_of(complaints, code);
    complaint->code = code;
    complaint->place = place;
    complaint->owner = complaints;
    (*count_of(complaints, complaint->severity))++;
    *vec_add(&complaints->items, &complaints->arena) = complaint;
    return complaint;
}

void complaint_label(struct complaint *complaint, str label)
{
    complaint->label = label;
}

void complaint_help(struct complaint *complaint, const char *format, ...)
{
    struct arena *arena = &complaint->owner->arena;
    va_list args;

    va_start(args, format);
    *vec_add(&complaint->help, arena) = format_copy(arena, format, args);
    va_end(args);
}

void complaint_note(struct complaint *complaint, const char *format, ...)
{
    struct arena *arena = &complaint->owner->arena;
    va_list args;

    va_start(args, format);
    *vec_add(&complaint->notes, arena) = format_copy(arena, format, args);
    va_end(args);
}

void complaint_choice(struct complaint *complaint, const char *label, str choice)
{
    struct arena *arena = &complaint->owner->arena;

    complaint->choices_label = str_of(label);
    *vec_add(&complaint->choices, arena) = choice;
}

void complaint_choices(struct complaint *complaint, const char *label, str *choices,
                       size_t count)
{
    complaint->choices_label = str_of(label);
    complaint->choices.items = choices;
    complaint->choices.count = complaint->choices.room = count;
}

static int by_text(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

void complaint_sort_choices(struct complaint *complaint)
{
    if (complaint->choices.count)
        qsort(complaint->choices.items, complaint->choices.count, sizeof(str), by_text);
}

static unsigned slips_allowed(size_t length)
{
    return length < 4 ? 1 : length < 6 ? 2 : 3;
}

/* Which bytes are in it, 64 kinds of them. */
static uint64_t kinds_of(str text)
{
    uint64_t kinds = 0;

    for (size_t i = 0; i < text.n; i++)
        kinds |= (uint64_t)1 << (text.p[i] & 63);
    return kinds;
}

/*
 * The least that their distance can be, for a fraction of its cost: one slip adds or
 * takes one byte at most, and brings in or drops one kind at most.
 */
static unsigned least_distance(str a, str b, uint64_t kinds_of_a)
{
    uint64_t kinds_of_b = kinds_of(b);
    unsigned longer = (unsigned)(a.n > b.n ? a.n - b.n : b.n - a.n);
    unsigned lost = (unsigned)__builtin_popcountll(kinds_of_a & ~kinds_of_b);
    unsigned won = (unsigned)__builtin_popcountll(kinds_of_b & ~kinds_of_a);
    unsigned most = lost > won ? lost : won;

    return longer > most ? longer : most;
}

void complaint_suggest(struct complaint *complaint, str given)
{
    str best = STR_NONE;
    unsigned best_distance = slips_allowed(given.n) + 1;
    uint64_t kinds = kinds_of(given);

    for (size_t i = 0; i < complaint->choices.count; i++) {
        str choice = complaint->choices.items[i];
        bool is_same = str_eq_nocase(given, choice);
        unsigned distance = 0;

        if (!is_same && least_distance(given, choice, kinds) >= best_distance)
            continue;
        if (!is_same)
            distance = str_distance(given, choice);
        if (distance < best_distance && distance < choice.n && distance < given.n) {
            best = choice;
            best_distance = distance;
        }
    }
    if (best.n)
        complaint_help(complaint, "did you mean '" STR_FMT "'?", STR_ARG(best));
}

const char *complaint_word(struct complaints *complaints, str word)
{
    size_t n = 0;

    if (word.n <= WORD_MOST)
        return arena_copy(&complaints->arena, word).p;
    while (n < WORD_MOST) {
        size_t size = utf8_size(str_from(word, n));

        n += size ? size : 1;
    }
    return arena_printf(&complaints->arena, STR_FMT "…", (int)n, word.p).p;
}

const char *complaint_where(struct complaints *complaints, struct place place)
{
    str name = complaints->sources.items[place.file].name;

    return arena_printf(&complaints->arena, STR_FMT ":%u:%u", STR_ARG(name), place.line,
                        place.column)
        .p;
}

static int by_place(const void *left, const void *right)
{
    const struct complaint *a = *(struct complaint *const *)left;
    const struct complaint *b = *(struct complaint *const *)right;

    if (a->place.file != b->place.file)
        return a->place.file < b->place.file ? -1 : 1;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return 0;
}

/* Merging keeps equal places in their order, which qsort does not promise. */
static void merge_sort(struct complaint **items, struct complaint **room, size_t count)
{
    size_t half = count / 2, left = 0, right = half;

    if (count < 2)
        return;
    merge_sort(items, room, half);
    merge_sort(items + half, room, count - half);
    for (size_t i = 0; i < count; i++) {
        bool take_left =
            right == count || (left < half && by_place(&items[left], &items[right]) <= 0);

        room[i] = take_left ? items[left++] : items[right++];
    }
    memcpy(items, room, count * sizeof(struct complaint *));
}

void complaints_sort(struct complaints *complaints)
{
    size_t count = complaints->items.count;

    merge_sort(complaints->items.items,
               ARENA_ARRAY(&complaints->arena, struct complaint *, count), count);
}
