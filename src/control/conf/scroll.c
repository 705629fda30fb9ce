/*
 * A text that grows on the heap. Doubling, so that appending is linear in the whole; as
 * everywhere on the control side, memory that the system refuses ends the process.
 */
#include "control/conf/scroll.h"

#include "base/check.h"
#include "control/conf/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void scroll_move(struct scroll *scroll, size_t room)
{
    char *p = scroll->is_secret ? malloc(room) : realloc(scroll->p, room);

    CHECK(p);
    if (scroll->is_secret && scroll->p) {
        memcpy(p, scroll->p, scroll->n);
        explicit_bzero(scroll->p, scroll->room);
        free(scroll->p);
    }
    scroll->p = p;
    scroll->room = room;
}

static char *scroll_room(struct scroll *scroll, size_t n)
{
    if (scroll->room - scroll->n < n) {
        size_t room = scroll->room ? scroll->room : 512;

        while (room - scroll->n < n)
            room *= 2;
        scroll_move(scroll, room);
    }
    return scroll->p + scroll->n;
}

void scroll_add(struct scroll *scroll, str s)
{
    if (s.n == 0)
        return;
    memcpy(scroll_room(scroll, s.n), s.p, s.n);
    scroll->n += s.n;
}

void scroll_char(struct scroll *scroll, char c)
{
    *scroll_room(scroll, 1) = c;
    scroll->n++;
}

void scroll_repeat(struct scroll *scroll, char c, size_t count)
{
    if (count == 0)
        return;
    memset(scroll_room(scroll, count), c, count);
    scroll->n += count;
}

void scroll_format(struct scroll *scroll, const char *format, ...)
{
    size_t room = scroll->room - scroll->n;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(room ? scroll->p + scroll->n : NULL, room, format, args);
    va_end(args);
    CHECK(n >= 0);
    if ((size_t)n >= room) {
        va_start(args, format);
        vsnprintf(scroll_room(scroll, (size_t)n + 1), (size_t)n + 1, format, args);
        va_end(args);
    }
    scroll->n += (size_t)n;
}

void scroll_json(struct scroll *scroll, str s)
{
    scroll_char(scroll, '"');
    for (size_t at = 0; at < s.n;) {
        unsigned char c = (unsigned char)s.p[at];
        size_t size = utf8_size(str_from(s, at));

        if (size == 0)
            scroll_add(scroll, STR("\xef\xbf\xbd"));
        else if (c == '"' || c == '\\')
            scroll_format(scroll, "\\%c", c);
        else if (c == '\n')
            scroll_add(scroll, STR("\\n"));
        else if (c < 0x20 || c == 0x7f)
            scroll_format(scroll, "\\u%04x", c);
        else if (utf8_is_unseen((str){s.p + at, size}))
            scroll_format(scroll, "\\u%04x", utf8_code((str){s.p + at, size}));
        else
            scroll_add(scroll, (str){s.p + at, size});
        at += size ? size : 1;
    }
    scroll_char(scroll, '"');
}

void scroll_close(struct scroll *scroll)
{
    if (scroll->is_secret && scroll->p)
        explicit_bzero(scroll->p, scroll->room);
    free(scroll->p);
    *scroll = (struct scroll){0};
}
