/*
 * Log lines as bytes: times for people, and events as text or JSON. Pure formatting; who
 * writes lines where is io/log_writer's affair. Nothing that came from outside can forge a
 * line or reach a terminal: control bytes are escaped in both forms.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/text.h"

enum log_format { LOG_JSON, LOG_COMBINED, LOG_TEXT };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* "error", "warn", "info", "debug". */
str log_level_text(enum log_level level);

/* ---- times (UTC) ---- */

/* A moment of the proleptic Gregorian calendar. */
struct log_date {
    unsigned year, month, day; /* month and day count from 1 */
    unsigned hour, minute, second;
};

/* Seconds since 1970. */
struct log_date log_date_of(uint64_t unix_seconds);

/* "Jan" and so on; month 1 to 12. */
str log_month_text(unsigned month);

/* "2026-11-23T07:51:15", without decimals and zone. */
void log_add_second(struct text *text, uint64_t unix_seconds);

/* "2026-11-23T07:51:15.123456Z" from nanoseconds since 1970. */
void log_add_time(struct text *text, uint64_t wall_ns);

/* ---- events ---- */

enum { EVENT_FIELDS_MOST = 16, EVENT_LINE_MOST = 4096 };

struct log_field {
    const char *key; /* a word of ours; NULL ends a list of fields */
    str value;
};

struct log_event {
    uint64_t wall; /* nanoseconds since 1970 */
    enum log_level level;
    const char *message;            /* words of ours, without values in them */
    const struct log_field *fields; /* up to one whose key is NULL, at most the bound */
    uint64_t repeated;              /* how often it was left out just before */
};

/*
 * One line with its newline. Text: time, level, message, key=value, values quoted where
 * they need it. LOG_COMBINED is taken for text. What does not fit sets text->overflow.
 */
void log_add_event(struct text *text, const struct log_event *event,
                   enum log_format format);

/*
 * A value in quotes with C's escapes: control bytes, quote, backslash, and what is not
 * ASCII as \xHH. Also what the `combined` access log asks for.
 */
void log_add_quoted(struct text *text, str value);

/* ---- repeats ---- */

enum { REPEAT_SLOTS = 64, REPEATS_ALLOWED = 5 };
#define REPEAT_WINDOW_NS UINT64_C(10000000000)

/* How often each event was told lately; all zero to begin with. */
struct log_repeats {
    struct log_repeat {
        uint64_t hash, began;
        uint32_t told, left_out;
    } slots[REPEAT_SLOTS];
};

/*
 * May this event be told at `now` (monotonic ns)? The same words with the same fields pass
 * REPEATS_ALLOWED times in a window. *repeated: how many were left out since the last one
 * that passed. Two events that share a slot push each other out: then more is told.
 */
bool log_repeat_allows(struct log_repeats *repeats, const struct log_event *event,
                       uint64_t now, uint64_t *repeated);

#endif
