/* Levels, repeats, the clock; the words are made by base/log. */
#include "io/event_log.h"

void event_log_add(struct event_log *log, enum log_level level, const char *message,
                   const struct log_field *fields)
{
    struct log_event event = {.level = level, .message = message, .fields = fields};
    struct text text;
    char *memory;

    if (!log->ring || level > log->level)
        return;
    if (!log_repeat_allows(&log->repeats, &event, sys_now(), &event.repeated))
        return;
    memory = log_ring_reserve(log->ring, EVENT_LINE_MOST);
    if (!memory)
        return;
    event.wall = sys_wall();
    text = text_in(memory, EVENT_LINE_MOST);
    log_add_event(&text, &event, log->format);
    if (text.overflow) { /* better without its fields than not at all */
        text = text_in(memory, EVENT_LINE_MOST);
        event.fields = NULL;
        log_add_event(&text, &event, log->format);
    }
    log_ring_commit(log->ring, text.n);
}
