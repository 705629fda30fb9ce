/*
 * The scanner of the text's outside: lines, indentation, and what is refused wherever it
 * stands. It keeps a stack of the blocks that are open, by their indentation, and walks
 * line by line; what stands on a line is the business of textual_line.c.
 *
 * The first mistake ends the scan, because nothing behind it can be trusted: after a
 * quote that is never closed every further message would be noise.
 */
#include "control/conf/textual.h"

#include "control/conf/textual_scan.h"
#include "control/conf/utf8.h"

uint32_t scan_column(const struct scan *scan, const char *at)
{
    return utf8_width(str_slice(scan->line_start, at)) + 1;
}

struct mark scan_mark(const struct scan *scan)
{
    return (struct mark){scan->at, scan->line_start, scan->line};
}

struct complaint *scan_complain(struct scan *scan, const char *code, struct mark mark,
                                str what, const char *message)
{
    struct place place = {scan->file, mark.line,
                          utf8_width(str_slice(mark.line_start, mark.at)) + 1,
                          utf8_width(what)};

    scan->is_broken = true;
    return complain(scan->complaints, code, place, "%s", message);
}

const char *scan_word(struct scan *scan, str word)
{
    return complaint_word(scan->complaints, word);
}

void scan_tab(struct scan *scan, const char *at)
{
    bool is_indentation = true;
    struct complaint *complaint;

    for (const char *p = scan->line_start; p < at; p++)
        is_indentation &= *p == ' ';
    complaint = scan_complain(
        scan, "C001", (struct mark){at, scan->line_start, scan->line}, (str){at, 1},
        is_indentation ? "tabs can not be used for indentation"
                       : "a tab can not stand between words");
    complaint_label(complaint, STR("tab"));
    if (is_indentation)
        complaint_help(complaint, "use two spaces per level");
    else
        complaint_help(complaint, "use a space");
}

bool scan_next_line(struct scan *scan)
{
    const char *newline = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));

    if (!newline) {
        scan->at = scan->end;
        return false;
    }
    scan->at = newline + 1;
    scan->line_start = scan->at;
    scan->line++;
    return scan->at < scan->end;
}

bool scan_is_line_end(const struct scan *scan, const char *at)
{
    return at >= scan->end || *at == '\n' ||
           (*at == '\r' && (at + 1 == scan->end || at[1] == '\n'));
}

bool scan_is_space(struct scan *scan, struct mark mark)
{
    str rest = str_slice(mark.at, scan->end), c = str_upto(rest, utf8_size(rest));
    char message[64];

    if (!utf8_is_blank(c))
        return true;
    snprintf(message, sizeof message, "this is no space but another blank (U+%04X)",
             (unsigned)utf8_code(c));
    complaint_help(scan_complain(scan, "C003", mark, c, message),
                   "write a plain space: text copied from a page may hold others");
    return false;
}

bool scan_blanks(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t')) {
        if (*scan->at == '\t') {
            scan_tab(scan, scan->at);
            return false;
        }
        scan->at++;
    }
    return scan->at == scan->end || (unsigned char)*scan->at < 0x80 ||
           scan_is_space(scan, scan_mark(scan));
}

bool scan_is_done(const struct scan *scan)
{
    return scan_is_line_end(scan, scan->at) ||
           (*scan->at == '#' && (scan->at == scan->line_start || scan->at[-1] == ' ' ||
                                 scan->at[-1] == '\t'));
}

void scan_end_plain(struct scan *scan)
{
    if (scan->last == LAST_PLAIN && scan->at < scan->end && *scan->at == '#')
        scan->last = LAST_CLOSED;
}

/* Eight bytes at once: is each of them from 0x20 to 0x7e? */
static bool are_plain(const char *at)
{
    const uint64_t ones = 0x0101010101010101, tops = ones << 7;
    uint64_t word;

    memcpy(&word, at, sizeof word);
    /* A top bit: set in the byte, by a borrow below 0x20, or by a carry from 0x7f on. */
    return ((word | (word - ones * 0x20) | (word + ones)) & tops) == 0;
}

/* The first byte that is not UTF-8 or a control byte; NULL when all are fine. */
static const char *find_bad_byte(str text)
{
    for (size_t at = 0; at < text.n;) {
        unsigned char c = (unsigned char)text.p[at];
        size_t size;

        if (at + 8 <= text.n && are_plain(text.p + at)) {
            at += 8;
            continue;
        }
        if ((c >= 0x20 && c < 0x7f) || c == '\n') {
            at++;
            continue;
        }
        size = utf8_size(str_from(text, at));
        if (size == 0)
            return text.p + at;
        if (size == 1 && c != '\n' && c != '\t' &&
            !(c == '\r' && (at + 1 == text.n || text.p[at + 1] == '\n')))
            return text.p + at;
        if (utf8_is_unseen((str){text.p + at, size}))
            return text.p + at;
        at += size;
    }
    return NULL;
}

static void complain_byte(struct scan *scan, const char *bad)
{
    struct mark mark = {bad, scan->line_start, 1};
    str rest = str_slice(bad, scan->end);
    size_t size = utf8_size(rest);
    const char *message = "the file is not UTF-8";
    struct complaint *complaint;

    for (const char *p = scan->start; p < bad; p++) {
        if (*p == '\n') {
            mark.line++;
            mark.line_start = p + 1;
        }
    }
    if (size)
        message =
            *bad ? "the file holds a control byte" : "the file holds a NUL control byte";
    complaint =
        scan_complain(scan, "C007", mark, str_upto(rest, size ? size : 1), message);
    if (size)
        complaint_label(complaint, STR("this character can not stand here"));
    else
        complaint_help(complaint, "save the file as UTF-8");
}

static bool is_document_mark(const struct scan *scan, const char *mark)
{
    return scan->end - scan->at >= 3 && memcmp(scan->at, mark, 3) == 0 &&
           (scan_is_line_end(scan, scan->at + 3) || scan->at[3] == ' ' ||
            scan->at[3] == '\t');
}

/* "---" and "...": true when the line was one of them. */
static bool read_document_mark(struct scan *scan)
{
    bool is_start = is_document_mark(scan, "---");
    struct mark mark = scan_mark(scan);

    if (!is_start && !is_document_mark(scan, "..."))
        return false;
    if (is_start && (scan->has_content || scan->has_mark || scan->is_ended)) {
        scan_complain(scan, "C006", mark, (str){scan->at, 3},
                      "a second document begins here; a configuration is one document");
        return true;
    }
    scan->has_mark |= is_start;
    scan->is_ended |= !is_start;
    scan->at += 3;
    if (scan_blanks(scan) && !scan_is_done(scan))
        scan_complain(scan, "C003", scan_mark(scan), scan_rest(scan),
                      "nothing may stand behind the mark of a document");
    return true;
}

static struct complaint *complain_indentation(struct scan *scan, unsigned indent,
                                              unsigned used)
{
    char message[96];
    struct complaint *complaint;
    struct mark mark = {scan->line_start, scan->line_start, scan->line};

    snprintf(message, sizeof message,
             "unexpected indentation: %u space%s, but this block uses %u", indent,
             indent == 1 ? "" : "s", used);
    complaint =
        scan_complain(scan, "C008", mark, (str){scan->line_start, indent}, message);
    complaint_label(complaint, STR("this indentation"));
    complaint_help(complaint, "line it up with the block above");
    return complaint;
}

bool scan_push(struct scan *scan, unsigned indent, enum block_kind kind)
{
    if (scan->depth == NEST_MOST) {
        scan_complain(scan, "C003", scan_mark(scan), (str){scan->at, 1},
                      "this is nested too deep");
        return false;
    }
    scan->blocks[scan->depth++] = (struct block){indent, kind};
    scan->last = LAST_NOTHING;
    return true;
}

static bool is_item(const struct scan *scan)
{
    return *scan->at == '-' && (scan_is_line_end(scan, scan->at + 1) ||
                                scan->at[1] == ' ' || scan->at[1] == '\t');
}

static unsigned distance(unsigned a, unsigned b)
{
    return a > b ? a - b : b - a;
}

/* A line deeper than the block it follows, although nothing awaits a value. */
static bool read_deeper(struct scan *scan, unsigned indent)
{
    bool is_key = line_has_key(scan, scan->at);
    str first = scan->depth == 0 ? scan->last_word : STR_NONE;

    if (scan->last == LAST_PLAIN && !is_key && !is_item(scan)) {
        /* The plain value goes on; libyaml joins the lines. */
        if (!scan_plain_rest(scan))
            return false;
        scan->last_word = first; /* a key without its colon is still the likeliest */
        return true;
    }
    if (scan->last == LAST_PLAIN && is_key && scan->last_word.p) {
        complain_no_colon(scan, scan->last_mark, scan->last_word);
        return false;
    }
    if (scan->depth)
        complain_indentation(scan, indent, scan->blocks[scan->depth - 1].indent);
    else
        scan_complain(scan, "C003", scan_mark(scan), scan_rest(scan),
                      "nothing may follow here: the configuration is complete");
    return false;
}

/* Brings the stack of blocks to this line's indentation. False: a complaint was made.
 * *is_new: a block begins with this line. */
static bool settle(struct scan *scan, unsigned indent, bool *is_new, bool *is_over)
{
    unsigned popped = 0;
    bool has_popped = false;
    struct block *top;

    *is_new = *is_over = false;
    if (scan->depth == 0) {
        *is_new = scan->last == LAST_NOTHING;
        *is_over = !*is_new;
        return *is_new || read_deeper(scan, indent);
    }
    while (scan->depth > 1 && scan->blocks[scan->depth - 1].indent > indent) {
        popped = scan->blocks[--scan->depth].indent;
        has_popped = true;
    }
    top = &scan->blocks[scan->depth - 1];
    if (top->indent == indent) {
        if (top->kind == BLOCK_MAP && is_item(scan) && !has_popped &&
            scan->last == LAST_AWAITING)
            *is_new = true; /* a list at the indentation of its key */
        else if (top->kind == BLOCK_LIST && !is_item(scan) && scan->depth > 1 &&
                 scan->blocks[scan->depth - 2].indent == indent)
            scan->depth--;
        return true;
    }
    if (!has_popped && indent > top->indent) {
        *is_new = scan->last == LAST_AWAITING;
        *is_over = !*is_new;
        return *is_new || read_deeper(scan, indent);
    }
    if (has_popped && distance(popped, indent) <= distance(top->indent, indent))
        complain_indentation(scan, indent, popped);
    else
        complain_indentation(scan, indent, top->indent);
    return false;
}

static bool read_line(struct scan *scan)
{
    unsigned indent = 0;
    bool is_new, is_over;

    while (scan->at < scan->end && *scan->at == ' ')
        scan->at++;
    indent = (unsigned)(scan->at - scan->line_start);
    if (!scan_blanks(scan))
        return false;
    if (scan_is_done(scan)) {
        scan_end_plain(scan);
        return true;
    }
    if (indent == 0 && read_document_mark(scan))
        return !scan->is_broken;
    if (scan->is_ended) {
        scan_complain(scan, "C006", scan_mark(scan), scan_rest(scan),
                      "a second document begins here; a configuration is one document");
        return false;
    }
    if (indent == 0 && *scan->at == '%' && !scan->has_content) {
        scan_complain(scan, "C005", scan_mark(scan), scan_rest(scan),
                      "directives are not used here");
        return false;
    }
    scan->has_content = true;
    if (!settle(scan, indent, &is_new, &is_over))
        return false;
    return is_over || line_read(scan, indent, is_new);
}

bool textual_check(struct complaints *complaints, uint32_t file, struct textual *out)
{
    str text = complaints->sources.items[file].text;
    struct scan scan = {
        .complaints = complaints,
        .file = file,
        .start = text.p,
        .at = text.p,
        .end = text.p + text.n,
        .line_start = text.p,
        .line = 1,
        .out = out,
    };
    const char *bad = find_bad_byte(text);

    if (bad) {
        complain_byte(&scan, bad);
        return false;
    }
    while (scan.at < scan.end) {
        if (!read_line(&scan))
            return false;
        scan_next_line(&scan);
    }
    return !scan.is_broken;
}
