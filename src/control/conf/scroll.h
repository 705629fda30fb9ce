/*
 * A text that grows on the heap: what `expand`, `schema` and the printers of complaints
 * write into. Nothing on the data path uses it.
 */
#ifndef CONTROL_CONF_SCROLL_H
#define CONTROL_CONF_SCROLL_H

#include "base/str.h"

struct scroll {
    char *p; /* all zero is an empty scroll */
    size_t n, room;
    bool is_secret; /* what it held is overwritten before the memory is given back */
};

void scroll_add(struct scroll *scroll, str s);
void scroll_char(struct scroll *scroll, char c);
void scroll_repeat(struct scroll *scroll, char c, size_t count);
void scroll_format(struct scroll *scroll, const char *format, ...) PRINTF_LIKE(2, 3);

/* With quotes around it, escaped as JSON wants it. Bytes that are no UTF-8 become U+FFFD. */
void scroll_json(struct scroll *scroll, str s);

/* Gives the memory back; the scroll is empty afterwards. */
void scroll_close(struct scroll *scroll);

static inline str scroll_str(const struct scroll *scroll)
{
    return (str){scroll->p ? scroll->p : "", scroll->n};
}

#endif
