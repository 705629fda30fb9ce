/*
 * What stands on one line of a block: items, keys, and the value behind them. Only as
 * much is understood as is needed to know where a value ends and whether a mistake that
 * people make is in it.
 */
#include "control/conf/textual_scan.h"

static bool is_blank(const struct scan *scan, const char *at)
{
    return scan_is_line_end(scan, at) || *at == ' ' || *at == '\t';
}

static bool is_item(const struct scan *scan)
{
    return *scan->at == '-' && is_blank(scan, scan->at + 1);
}

static int parent_indent(const struct scan *scan)
{
    return scan->depth ? (int)scan->blocks[scan->depth - 1].indent : -1;
}

str scan_rest(const struct scan *scan)
{
    const char *at = scan->at, *last = scan->at;

    for (; scan_is_inner(scan, at) || !scan_is_line_end(scan, at); at++) {
        if (*at == '#' && at > scan->at && is_blank(scan, at - 1))
            break;
        if (*at != ' ' && *at != '\t')
            last = at + 1;
    }
    return str_slice(scan->at, last);
}

/* Behind the closing quote of a word on one line; NULL when it does not end there. */
static const char *quoted_end(const struct scan *scan, const char *at)
{
    char quote = *at++;

    for (; scan_is_inner(scan, at) || !scan_is_line_end(scan, at); at++) {
        if (*at == '\\' && quote == '"' && !scan_is_line_end(scan, at + 1))
            at++;
        else if (*at == quote && quote == '\'' && at + 1 < scan->end && at[1] == '\'')
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

/* The colon of a `key: value`; NULL when there is none on this line. */
static const char *find_colon(const struct scan *scan, const char *at)
{
    if (at < scan->end && (*at == '"' || *at == '\'')) {
        at = quoted_end(scan, at);
        while (at && at < scan->end && *at == ' ')
            at++;
        return at && at < scan->end && *at == ':' && is_blank(scan, at + 1) ? at : NULL;
    }
    if (at < scan->end && (*at == '[' || *at == '{'))
        return NULL;
    for (const char *p = at; scan_is_inner(scan, p) || !scan_is_line_end(scan, p); p++) {
        if (*p == ':' && is_blank(scan, p + 1))
            return p;
        if (*p == '#' && p > at && is_blank(scan, p - 1))
            return NULL;
    }
    return NULL;
}

bool line_has_key(const struct scan *scan, const char *at)
{
    return find_colon(scan, at) != NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-';
}

/* `name`, `name:...`, `name = ...`: something meant as a setting. */
static bool is_like_key(str words)
{
    size_t n = 0;

    while (n < words.n && is_name_char(words.p[n]))
        n++;
    return n && (words.p[0] < '0' || words.p[0] > '9') && words.p[0] != '-' &&
           (n == words.n || strchr(": \t=[{", words.p[n]));
}

void complain_no_colon(struct scan *scan, struct mark mark, str words)
{
    char message[192];
    struct complaint *complaint;
    struct mark behind = mark;
    size_t n = 0;
    str name, rest;

    while (n < words.n && !strchr(":= \t[{", words.p[n]))
        n++;
    name = str_upto(words, n ? n : words.n);
    behind.at = words.p + n + 1;
    if (n + 1 < words.n && words.p[n] == ':' && !scan_is_space(scan, behind))
        return;
    rest = str_trim(str_from(words, name.n));
    if (rest.n && (rest.p[0] == ':' || rest.p[0] == '='))
        rest = str_trim(str_from(rest, 1));
    snprintf(message, sizeof message, "missing ': ' after '%s'", scan_word(scan, name));
    complaint = scan_complain(scan, "C002", mark, words, message);
    complaint_label(complaint, STR("expected 'key: value'"));
    complaint_help(complaint, "write '%s:%s%s'", scan_word(scan, name), rest.n ? " " : "",
                   scan_word(scan, rest));
}

static bool complain_bracket(struct scan *scan)
{
    char message[64];

    snprintf(message, sizeof message, "this '%c' closes nothing", *scan->at);
    scan_complain(scan, "C003", scan_mark(scan), (str){scan->at, 1}, message);
    return false;
}

/* What YAML would take for something we do not use. */
static const char *refused_name(char c)
{
    switch (c) {
    case '&':
        return "anchors";
    case '*':
        return "aliases";
    case '!':
        return "tags";
    default:
        return NULL;
    }
}

static bool check_reserved(struct scan *scan)
{
    char c = *scan->at, message[96];
    const char *end = scan->at, *refused = refused_name(c);
    struct complaint *complaint;
    str word;

    while (!is_blank(scan, end) && !strchr(",]}", *end))
        end++;
    word = str_slice(scan->at, end > scan->at ? end : end + 1);
    if (refused)
        snprintf(message, sizeof message, "%s are not used here", refused);
    else if (c == '@' || c == '`' || c == '%' || c == '|' || c == '>')
        snprintf(message, sizeof message, "a value can not begin with '%c'", c);
    else if (c == ']' || c == '}' || c == ',')
        return complain_bracket(scan);
    else if ((c == '?' || c == '-') && is_blank(scan, scan->at + 1))
        snprintf(message, sizeof message, "'%c ' can not stand here", c);
    else
        return true;
    complaint =
        scan_complain(scan, refused ? "C005" : "C003", scan_mark(scan), word, message);
    if (c == '-')
        complaint_help(complaint, "begin the list on a line of its own");
    else if (word.n > 1)
        complaint_help(complaint, "if it is meant as text, put it in quotes: \"%s\"",
                       scan_word(scan, word));
    else
        complaint_help(complaint, "if it is meant as text, put it in quotes");
    return false;
}

bool scan_reserved(struct scan *scan)
{
    char c = *scan->at;
    bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   (c >= '0' && c <= '9') || c == '/';

    return is_name || check_reserved(scan);
}

static bool complain_escape(struct scan *scan, size_t size)
{
    char message[96];
    str escape = str_upto(str_slice(scan->at, scan->end), size);
    struct complaint *complaint;

    snprintf(message, sizeof message, "unknown escape '%s' in double quotes",
             scan_word(scan, escape));
    complaint = scan_complain(scan, "C003", scan_mark(scan), escape, message);
    complaint_help(complaint, "use single quotes, in which a backslash is only itself, "
                              "or write two backslashes");
    return false;
}

/* At a backslash: goes behind its escape. */
static bool read_escape(struct scan *scan)
{
    const char *known = "0abtnvfre \"/\\N_LP\t";
    char c = scan->at + 1 < scan->end ? scan->at[1] : '\0';
    unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;

    if (scan_is_line_end(scan, scan->at + 1)) {
        scan->at++;
        return true;
    }
    for (unsigned i = 0; i < digits; i++) {
        const char *p = scan->at + 2 + i;

        if (p >= scan->end || *p == '\0' || !strchr("0123456789abcdefABCDEF", *p))
            return complain_escape(scan, 2 + i);
    }
    if (!digits && (c == '\0' || !strchr(known, c))) {
        size_t size = 2;

        while (scan->at + size < scan->end &&
               ((unsigned char)scan->at[size] & 0xc0) == 0x80)
            size++;
        return complain_escape(scan, size);
    }
    scan->at += 2 + digits;
    return true;
}

static bool complain_quote(struct scan *scan, struct mark open)
{
    struct complaint *complaint = scan_complain(scan, "C003", open, (str){open.at, 1},
                                                "this quote is never closed");

    complaint_label(complaint, STR("opened here"));
    complaint_help(complaint, "add %c at the end of the value", *open.at);
    return false;
}

bool scan_quoted(struct scan *scan, int indent)
{
    struct mark open = scan_mark(scan);
    char quote = *scan->at++;

    while (scan->at < scan->end) {
        if (*scan->at == quote) {
            scan->at++;
            if (quote == '"' || scan->at == scan->end || *scan->at != '\'')
                return true;
            scan->at++;
        } else if (*scan->at == '\\' && quote == '"') {
            if (!read_escape(scan))
                return false;
        } else if (*scan->at == '\n') {
            if (!scan_next_line(scan))
                break;
            while (scan->at < scan->end && *scan->at == ' ')
                scan->at++;
            if (!scan_is_line_end(scan, scan->at) &&
                scan->at - scan->line_start <= indent)
                break;
        } else {
            scan->at++;
        }
    }
    return complain_quote(scan, open);
}

bool scan_plain_rest(struct scan *scan)
{
    str rest = scan_rest(scan);
    long tab = str_find_char(rest, '\t');

    if (tab >= 0) {
        scan_tab(scan, rest.p + tab);
        return false;
    }
    scan->at = rest.p + rest.n;
    scan->last = LAST_PLAIN;
    scan->last_word = STR_NONE;
    if (!scan_blanks(scan))
        return false;
    scan_end_plain(scan);
    return true;
}

/* The lines of a block text (| or >), which may hold anything. */
static bool read_block_text(struct scan *scan)
{
    int parent = parent_indent(scan), content = -1;

    scan->at++;
    for (; !is_blank(scan, scan->at); scan->at++) {
        if (*scan->at >= '1' && *scan->at <= '9')
            content = (parent < 0 ? 0 : parent) + (*scan->at - '0');
        else if (*scan->at != '+' && *scan->at != '-')
            break;
    }
    if (!scan_blanks(scan))
        return false;
    if (!scan_is_done(scan)) {
        scan_complain(scan, "C003", scan_mark(scan), scan_rest(scan),
                      "a block text begins on the next line");
        return false;
    }
    scan->last = LAST_CLOSED;
    for (;;) {
        struct mark before = scan_mark(scan);
        int indent;

        if (!scan_next_line(scan))
            return true;
        while (scan->at < scan->end && *scan->at == ' ')
            scan->at++;
        indent = (int)(scan->at - scan->line_start);
        if (scan_is_line_end(scan, scan->at))
            continue;
        if (*scan->at == '\t' && (content < 0 || indent < content)) {
            scan_tab(scan, scan->at);
            return false;
        }
        if (indent <= parent || indent < content) {
            scan->at = before.at;
            scan->line_start = before.line_start;
            scan->line = before.line;
            return true;
        }
        if (content < 0)
            content = indent;
    }
}

static bool begins_line(const struct mark *mark)
{
    const char *at = mark->line_start;

    while (at < mark->at && *at == ' ')
        at++;
    return at == mark->at;
}

/* Alone on a line: what is meant for an item or a comment, and would be a value. */
static bool check_alone(struct scan *scan, struct mark mark, str rest)
{
    struct complaint *complaint;

    if (rest.n > 1 && rest.p[0] == '-' && rest.p[1] != '-') {
        complaint = scan_complain(scan, "C003", mark, rest, "missing ' ' after '-'");
        complaint_help(complaint, "write '- %s'", scan_word(scan, str_from(rest, 1)));
        return false;
    }
    if (str_starts(rest, STR("//")) || str_starts(rest, STR("/*")) ||
        str_starts(rest, STR(";"))) {
        complaint = scan_complain(scan, "C003", mark, rest, "a comment begins with '#'");
        complaint_help(complaint, "write '# ' in front of it");
        return false;
    }
    return true;
}

static bool read_plain(struct scan *scan, bool is_alone)
{
    struct mark mark = scan_mark(scan);
    str rest = scan_rest(scan);
    const char *colon = find_colon(scan, scan->at);

    if (is_alone && begins_line(&mark) && !check_alone(scan, mark, rest))
        return false;
    if (colon && colon < rest.p + rest.n) {
        struct complaint *complaint = scan_complain(
            scan, "C003", mark, rest, "there is a second ': ' in this line");

        complaint_help(complaint, "if it belongs to the value, put the value in quotes");
        return false;
    }
    if (!scan_plain_rest(scan))
        return false;
    if (is_alone && is_like_key(rest)) {
        scan->last_word = rest;
        scan->last_mark = mark;
    } else if (is_alone && scan->depth == 0) {
        scan->last_word = rest;
        scan->last_mark = mark;
    }
    return true;
}

/* A quoted word or a flow collection has ended: what stands behind it? */
static bool read_tail(struct scan *scan, struct mark value)
{
    struct complaint *complaint;

    scan->last = LAST_CLOSED;
    if (!scan_blanks(scan))
        return false;
    if (scan_is_done(scan))
        return true;
    if (*scan->at == ']' || *scan->at == '}')
        return complain_bracket(scan);
    if (*scan->at == ':' && is_blank(scan, scan->at + 1)) {
        complaint = scan_complain(scan, "C003", value, (str){value.at, 1},
                                  "this can not be a key");
        complaint_help(complaint, "a key is one word");
        return false;
    }
    complaint = scan_complain(scan, "C003", scan_mark(scan), scan_rest(scan),
                              "nothing may stand behind a value that is complete");
    if (*value.at == '"' || *value.at == '\'')
        complaint_help(complaint, "put the quotes around the whole value");
    return false;
}

/* is_alone: not behind a key, so that it may be a key without its colon. */
static bool read_value(struct scan *scan, bool is_alone)
{
    struct mark mark = scan_mark(scan);

    scan->last_word = STR_NONE;
    switch (*scan->at) {
    case '|':
    case '>':
        return read_block_text(scan);
    case '[':
    case '{':
        return scan_flow(scan, parent_indent(scan)) && read_tail(scan, mark);
    case '"':
    case '\'':
        return scan_quoted(scan, parent_indent(scan)) && read_tail(scan, mark);
    default:
        return scan_reserved(scan) && read_plain(scan, is_alone);
    }
}

static bool complain_key(struct scan *scan, const char *code, str what,
                         const char *message)
{
    scan_complain(scan, code, scan_mark(scan), what, message);
    return false;
}

bool scan_key_fits(struct scan *scan, struct mark mark, str key)
{
    char message[192];

    if (key.n <= KEY_MOST)
        return true;
    snprintf(message, sizeof message, "unknown setting '%s': no key is so long",
             scan_word(scan, key));
    scan_complain(scan, "C011", mark, key, message);
    return false;
}

/* At a key, whose colon is known. */
static bool read_setting(struct scan *scan, const char *colon)
{
    str key = str_trim(str_slice(scan->at, colon));
    long tab = str_find_char(key, '\t');

    if (!scan_key_fits(scan, scan_mark(scan), key))
        return false;
    if (key.n == 0)
        return complain_key(scan, "C003", (str){colon, 1},
                            "there is no key before this ':'");
    if (str_eq(key, STR("<<")))
        return complain_key(scan, "C005", key, "merge keys are not used here");
    if (*scan->at == '"' || *scan->at == '\'') {
        if (!scan_quoted(scan, parent_indent(scan)))
            return false;
    } else if (!scan_reserved(scan)) {
        return false;
    } else if (tab >= 0) {
        scan_tab(scan, key.p + tab);
        return false;
    }
    scan->at = colon + 1;
    if (!scan_blanks(scan))
        return false;
    if (scan_is_done(scan)) {
        scan->last = LAST_AWAITING;
        return true;
    }
    return read_value(scan, false);
}

static bool complain_no_dash(struct scan *scan)
{
    str rest = scan_rest(scan);
    struct complaint *complaint = scan_complain(scan, "C003", scan_mark(scan), rest,
                                                "expected '- ' as in the items above");

    complaint_help(complaint, "write '- %s'", scan_word(scan, rest));
    return false;
}

static bool complain_dash(struct scan *scan)
{
    struct complaint *complaint = scan_complain(
        scan, "C003", scan_mark(scan), (str){scan->at, 1},
        "a list item can not stand between settings: expected 'key: value'");

    complaint_help(complaint, "put the list below a setting of its own");
    return false;
}

bool line_read(struct scan *scan, unsigned indent, bool is_new)
{
    bool is_alone = is_new;
    const char *colon;

    while (is_item(scan)) {
        if (is_new && !scan_push(scan, indent, BLOCK_LIST))
            return false;
        if (!is_new && scan->blocks[scan->depth - 1].kind == BLOCK_MAP)
            return complain_dash(scan);
        scan->at++;
        if (!scan_blanks(scan))
            return false;
        if (scan_is_done(scan)) {
            scan->last = LAST_AWAITING;
            return true;
        }
        indent = (unsigned)(scan->at - scan->line_start);
        is_new = is_alone = true;
    }
    colon = find_colon(scan, scan->at);
    if (colon) {
        if (is_new && !scan_push(scan, indent, BLOCK_MAP))
            return false;
        if (scan->blocks[scan->depth - 1].kind == BLOCK_LIST)
            return complain_no_dash(scan);
        return read_setting(scan, colon);
    }
    if (is_alone)
        return read_value(scan, true);
    if (scan->blocks[scan->depth - 1].kind == BLOCK_LIST)
        return complain_no_dash(scan);
    if (!scan_reserved(scan))
        return false;
    complain_no_colon(scan, scan_mark(scan), scan_rest(scan));
    return false;
}
