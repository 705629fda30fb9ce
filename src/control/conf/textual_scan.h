/*
 * What the two halves of the text's scanner share: where it stands, and which blocks are
 * open. Private to textual.c, textual_line.c and textual_flow.c.
 */
#ifndef CONTROL_CONF_TEXTUAL_SCAN_H
#define CONTROL_CONF_TEXTUAL_SCAN_H

#include "control/conf/textual.h"

#include <stdio.h>

enum block_kind { BLOCK_MAP, BLOCK_LIST };

struct block {
    unsigned indent;
    enum block_kind kind;
};

/* What the line before ended with. */
enum last {
    LAST_NOTHING,
    LAST_AWAITING, /* `key:` or `-` with nothing behind it */
    LAST_PLAIN,    /* a plain value, which the next line may go on with */
    LAST_CLOSED,   /* a quoted value, a flow list, a block text: complete */
};

struct mark {
    const char *at, *line_start;
    uint32_t line;
};

struct scan {
    struct complaints *complaints;
    uint32_t file;
    const char *start, *at, *end, *line_start;
    uint32_t line;
    struct block blocks[NEST_MOST];
    unsigned depth;
    enum last last;
    str last_word; /* of an item that may be `key:value` without its blank */
    struct mark last_mark;
    struct textual *out;
    bool has_content, has_mark, is_ended, is_broken;
};

uint32_t scan_column(const struct scan *scan, const char *at);
struct mark scan_mark(const struct scan *scan);
const char *scan_word(struct scan *scan, str word);

/* A complaint at `mark` as wide as `what`; the scan is broken by it. */
struct complaint *scan_complain(struct scan *scan, const char *code, struct mark mark,
                                str what, const char *message);
void scan_tab(struct scan *scan, const char *at);

bool scan_is_line_end(const struct scan *scan, const char *at);
/* A byte inside a line, at the first look; what is not may be one all the same. */
static inline bool scan_is_inner(const struct scan *scan, const char *at)
{
    return at<scan->end && * at> '\r';
}

/* Nothing but a comment is left on this line. */
bool scan_is_done(const struct scan *scan);
/* At the end of a line: a comment ends a plain value, which no line can go on with then. */
void scan_end_plain(struct scan *scan);
/* False at a blank beyond ASCII, which is complained of. */
bool scan_is_space(struct scan *scan, struct mark mark);
/* Skips spaces; false at a tab or another blank, which is complained of. */
bool scan_blanks(struct scan *scan);
/* To the beginning of the next line; false at the end of the text. */
bool scan_next_line(struct scan *scan);
/* A block begins; false when it is nested too deep. */
bool scan_push(struct scan *scan, unsigned indent, enum block_kind kind);

/* What is left of the line, without a comment and blanks at its end. */
str scan_rest(const struct scan *scan);

/* textual_line.c */
bool line_read(struct scan *scan, unsigned indent, bool is_new);
/* Is there a `key: value` or `key:` at `at`? */
bool line_has_key(const struct scan *scan, const char *at);
/* Goes to the end of a plain value that goes on; false at a mistake. */
bool scan_plain_rest(struct scan *scan);
void complain_no_colon(struct scan *scan, struct mark mark, str words);

/* libyaml takes no key over 1,024 bytes; ours are shorter still. */
enum { KEY_MOST = 1000 };
bool scan_key_fits(struct scan *scan, struct mark mark, str key);

/*
 * A quoted word, from its quote to behind the closing one. `indent`: that of the block it
 * stands in, -1 at the top; a line at or left of it means that the quote is never closed.
 */
bool scan_quoted(struct scan *scan, int indent);

/* textual_flow.c: from the bracket to behind its closing one. */
bool scan_flow(struct scan *scan, int indent);
/* A word that begins with something YAML keeps for itself; false: complained of. */
bool scan_reserved(struct scan *scan);

#endif
