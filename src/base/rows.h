/*
 * How any room describes its settings: as rows of data. One row gives the parser, the
 * check of its range, its default, its line in `weir expand`, its part of the JSON Schema
 * and its paragraph in the reference. This file knows only what a row is; control/conf
 * reads, prints and documents them.
 */
#ifndef BASE_ROWS_H
#define BASE_ROWS_H

#include "base/str.h"

/* What a setting's text means, and what the field at `offset` is. */
enum conf_type {
    CONF_FLAG,     /* true, false -> bool */
    CONF_COUNT,    /* a whole number -> uint32_t */
    CONF_DURATION, /* 5s -> uint32_t, milliseconds */
    CONF_SIZE,     /* 64KiB -> uint32_t, bytes */
    CONF_SIZE64,   /* 1GiB -> uint64_t, bytes */
    CONF_RATE,     /* 500B/s -> uint32_t, bytes a second */
    CONF_PERCENT,  /* 20% -> uint32_t */
    CONF_FACTOR,   /* 1.4 -> uint32_t, thousandths */
    CONF_CHOICE,   /* one of `choices` -> int (an enum) */
    CONF_SECTION,  /* a map with `rows` of its own */
    CONF_NAMED,    /* a map: the user's names -> maps with `rows` */
    CONF_LIST,     /* a list of maps with `rows` */
    CONF_OWN,      /* what `form` says; NAMED and LIST are read by it too */
};

struct conf_choice {
    const char *name; /* NULL ends a list of choices */
    int value;
};

enum conf_flag {
    CONF_REQUIRED = 1 << 0,
    CONF_AUTO = 1 << 1,     /* a count may be `auto`, which is 0 */
    CONF_OFF = 1 << 2,      /* may be `off`: 0, and no limit at all for CONF_SIZE64 */
    CONF_INLINE = 1 << 3,   /* the section's settings may stand directly in its parent */
    CONF_SHORT = 1 << 4,    /* a short form: rewritten before rows are read */
    CONF_OPTIONAL = 1 << 6, /* a section that is not there unless it is written */
    CONF_SECRET = 1 << 7,   /* never printed */
    CONF_LEAD = 1 << 8,     /* what a single value in the section's place would be */
    CONF_DEFAULTS = 1 << 5, /* starts from the section of that name in `defaults` */
};

struct conf_form; /* control/conf/schema.h */

struct conf_row {
    const char *name; /* NULL ends a table */
    enum conf_type type;
    unsigned flags;       /* enum conf_flag */
    size_t offset;        /* of the field, or of the section's object, in the object */
    const char *fallback; /* the default as one would write it; NULL: none */
    uint64_t min, max;    /* in the field's unit; max 0: no bounds */
    const struct conf_choice *choices; /* of a section: words for one of its settings */
    const struct conf_row *rows;
    const struct conf_row *beside; /* CONF_NAMED: settings among the names, or NULL */
    const struct conf_form *form;
    const char *word;   /* a word that may stand for the whole section: off, system */
    size_t word_offset; /* of a bool that is false with that word; ~0: none */
    const char *needs;  /* means something only beside the setting of this name */
    const char *also;   /* what may stand in its place, in short: "off, or a path" */
    const char *doc;    /* one sentence for the reference */
};

#define CONF_NO_FIELD (~(size_t)0)

#endif
