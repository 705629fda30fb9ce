/*
 * Flow lists and maps, [ ] and { }, over one or more lines. The hard mistakes live here:
 * a bracket that is never closed swallows the rest of the file, and a forgotten comma
 * makes one word of two, both without a word from YAML.
 */
#include "control/conf/textual_scan.h"

enum entry {
    ENTRY_EMPTY, /* behind a bracket or a comma */
    ENTRY_KEY,   /* one value was read: an item, or a key whose colon is to come */
    ENTRY_COLON, /* a colon was read */
    ENTRY_VALUE,
};

struct level {
    struct mark open;
    enum entry entry;
    struct mark first; /* the entry's first word */
    str last;          /* the last thing read, for the sentence */
    bool is_json_key;  /* the first word had quotes: its colon needs no blank */
};

struct flow {
    struct scan *scan;
    struct level levels[NEST_MOST];
    unsigned depth;
    int indent; /* of the block around it, -1 at the top */
};

/* The words of a plain value in a flow collection. */
struct words {
    struct mark first_mark, second_mark, last_mark;
    str first, second, before_last, last;
    unsigned count;
};

static bool is_flow_sign(char c)
{
    return c == ',' || c == '[' || c == ']' || c == '{' || c == '}';
}

/* What stands inside a word whatever follows it. */
static bool is_inner(const struct scan *scan, const char *at)
{
    return at < scan->end && ((*at >= 'a' && *at <= 'z') || (*at >= '-' && *at <= '9'));
}

static bool is_blank(const struct scan *scan, const char *at)
{
    return scan_is_line_end(scan, at) || *at == ' ' || *at == '\t';
}

static bool complain_open(struct flow *flow)
{
    struct mark open = flow->levels[flow->depth - 1].open;
    bool is_list = *open.at == '[';
    struct complaint *complaint = scan_complain(
        flow->scan, "C004", open, (str){open.at, 1},
        is_list ? "this [ list ] is never closed" : "this { map } is never closed");

    complaint_label(complaint, is_list ? STR("'[' opened here") : STR("'{' opened here"));
    complaint_help(complaint, is_list ? "add ']' or write one '- item' per line"
                                      : "add '}' or write one 'key: value' per line");
    return false;
}

static bool complain_comma(struct flow *flow, struct mark mark, str before, str after)
{
    struct scan *scan = flow->scan;
    char message[320];
    struct complaint *complaint;

    snprintf(message, sizeof message, "missing ',' between '%s' and '%s'",
             scan_word(scan, before), scan_word(scan, after));
    complaint = scan_complain(scan, "C009", mark, after, message);
    complaint_help(complaint, "write '%s, %s'", scan_word(scan, before),
                   scan_word(scan, after));
    return false;
}

/* A line that can not belong to what was opened: it begins left of it, and like a block. */
static bool is_block_line(const struct flow *flow)
{
    const struct scan *scan = flow->scan;
    const char *at = scan->at;

    if (at - scan->line_start > flow->indent)
        return false;
    return (*at == '-' && is_blank(scan, at + 1)) || line_has_key(scan, at);
}

/* Over blanks, comments and line ends to the next thing; false: a complaint was made. */
static bool skip_space(struct flow *flow)
{
    struct scan *scan = flow->scan;

    for (;;) {
        if (!scan_blanks(scan))
            return false;
        if (!scan_is_done(scan))
            return true;
        if (!scan_next_line(scan))
            return complain_open(flow);
        if (!scan_blanks(scan))
            return false;
        if (!scan_is_done(scan) && is_block_line(flow))
            return complain_open(flow);
    }
}

/* One word: up to a blank, a flow sign, or a colon that ends a key. */
static str read_word(struct scan *scan)
{
    const char *from = scan->at;

    while (is_inner(scan, scan->at) ||
           (!is_blank(scan, scan->at) && !is_flow_sign(*scan->at))) {
        if (*scan->at == ':' &&
            (is_blank(scan, scan->at + 1) || is_flow_sign(scan->at[1])))
            break;
        scan->at++;
    }
    return str_slice(from, scan->at);
}

static bool read_words(struct flow *flow, struct words *words)
{
    struct scan *scan = flow->scan;

    *words = (struct words){.first_mark = scan_mark(scan)};
    for (;;) {
        struct mark mark = scan_mark(scan);
        str word = read_word(scan);

        if (word.n == 0)
            return true;
        words->before_last = words->last;
        words->last = word;
        words->last_mark = mark;
        if (words->count == 0)
            words->first = word;
        if (words->count == 1) {
            words->second = word;
            words->second_mark = mark;
        }
        words->count++;
        if (!is_blank(scan, scan->at))
            return true;
        if (!skip_space(flow))
            return false;
    }
}

static str words_text(const struct words *words)
{
    return str_slice(words->first.p, words->last.p + words->last.n);
}

/* A comma forgotten in a list leaves good YAML: told here, and the value is left alone. */
static void spoil(struct flow *flow, const struct words *words)
{
    struct scan *scan = flow->scan;
    struct spoiled *spoiled = vec_add(&scan->out->spoiled, &scan->complaints->arena);
    struct mark mark = words->first_mark;

    spoiled->line = mark.line;
    spoiled->column = scan_column(&(struct scan){.line_start = mark.line_start}, mark.at);
    complain_comma(flow, words->second_mark, words->first, words->second);
    scan->is_broken = false;
}

static bool complain_sign(struct flow *flow, char sign)
{
    char message[64];
    struct complaint *complaint;

    snprintf(message, sizeof message, "'%c' can not stand in a value without quotes here",
             sign);
    complaint = scan_complain(flow->scan, "C003", scan_mark(flow->scan),
                              (str){flow->scan->at, 1}, message);
    complaint_help(complaint, "put the value in quotes");
    return false;
}

/* key:[ or key:{ */
static bool complain_joined_key(struct flow *flow, const struct words *words)
{
    struct scan *scan = flow->scan;
    char message[192];
    struct complaint *complaint;

    snprintf(message, sizeof message, "missing ': ' after '%s'",
             scan_word(scan, words->last));
    complaint = scan_complain(scan, "C002", words->last_mark,
                              str_slice(words->last.p, scan->at + 1), message);
    complaint_label(complaint, STR("expected 'key: value'"));
    complaint_help(complaint, "write '%s: %c'", scan_word(scan, words->last),
                   scan->at[1]);
    return false;
}

static bool read_plain(struct flow *flow)
{
    struct scan *scan = flow->scan;
    struct level *level = &flow->levels[flow->depth - 1];
    bool is_key, is_list = *level->open.at == '[';
    struct words words;

    if (!scan_reserved(scan) || !read_words(flow, &words))
        return false;
    is_key = *scan->at == ':';
    if (words.count == 0) { /* a ':' with nothing before it */
        scan_complain(scan, "C003", scan_mark(scan), (str){scan->at, 1},
                      "there is no key before this ':'");
        return false;
    }
    if (is_key && !is_blank(scan, scan->at + 1))
        return complain_joined_key(flow, &words);
    if ((*scan->at == '[' || *scan->at == '{') && !is_blank(scan, scan->at - 1))
        return complain_sign(flow, *scan->at);
    if (level->entry == ENTRY_COLON && is_key) {
        if (words.count > 1)
            return complain_comma(flow, words.last_mark, words.before_last, words.last);
        scan_complain(scan, "C003", words.first_mark, words.first,
                      "there is a second ': ' in this setting");
        return false;
    }
    level->last = words.last;
    if (level->entry == ENTRY_COLON) {
        level->entry = ENTRY_VALUE;
        return true;
    }
    if (is_key && str_eq(words_text(&words), STR("<<"))) {
        scan_complain(scan, "C005", words.first_mark, words.first,
                      "merge keys are not used here");
        return false;
    }
    if (is_key && !scan_key_fits(scan, words.first_mark, words_text(&words)))
        return false;
    level->entry = ENTRY_KEY;
    level->first = words.first_mark;
    if (is_list && !is_key && words.count > 1)
        spoil(flow, &words);
    if (!is_list && !is_key && words.first_mark.line == words.last_mark.line &&
        (words.count > 1 || str_find_char(words.first, ':') > 0)) {
        complain_no_colon(scan, words.first_mark, words_text(&words));
        return false;
    }
    return true;
}

/* At a quote: the word in it, quotes and all; the quote alone where it goes on. */
static str quoted_word(const struct scan *scan)
{
    const char *at = scan->at + 1;

    while (!scan_is_line_end(scan, at) && *at != *scan->at)
        at++;
    return scan_is_line_end(scan, at) ? (str){scan->at, 1} : str_slice(scan->at, at + 1);
}

/* A value is about to begin although one is complete. */
static bool complain_joined(struct flow *flow)
{
    struct scan *scan = flow->scan;
    struct level *level = &flow->levels[flow->depth - 1];
    struct mark mark = scan_mark(scan);
    str word = {scan->at, 1};

    if (*scan->at == '"' || *scan->at == '\'')
        word = quoted_word(scan);
    else if (!is_flow_sign(*scan->at))
        word = read_word(scan);
    if (*level->open.at == '{' && level->entry == ENTRY_KEY) {
        complain_no_colon(scan, level->first, level->last);
        return false;
    }
    return complain_comma(flow, mark, level->last, word.n ? word : (str){mark.at, 1});
}

static bool read_close(struct flow *flow)
{
    struct scan *scan = flow->scan;
    struct level *level = &flow->levels[flow->depth - 1];

    if ((*level->open.at == '[') != (*scan->at == ']'))
        return complain_open(flow);
    flow->depth--;
    if (flow->depth) {
        level = &flow->levels[flow->depth - 1];
        level->last = (str){scan->at, 1};
        level->entry = level->entry == ENTRY_COLON ? ENTRY_VALUE : ENTRY_KEY;
    }
    scan->at++;
    return true;
}

static bool read_open(struct flow *flow)
{
    struct scan *scan = flow->scan;

    if (flow->depth) {
        struct level *level = &flow->levels[flow->depth - 1];

        if (level->entry == ENTRY_KEY || level->entry == ENTRY_VALUE)
            return complain_joined(flow);
        if (level->entry == ENTRY_EMPTY)
            level->first = scan_mark(scan);
    }
    if (scan->depth + flow->depth >= NEST_MOST) {
        scan_complain(scan, "C003", scan_mark(scan), (str){scan->at, 1},
                      "this is nested too deep");
        return false;
    }
    flow->levels[flow->depth++] = (struct level){.open = scan_mark(scan)};
    scan->at++;
    return true;
}

static bool read_comma(struct flow *flow)
{
    struct scan *scan = flow->scan;
    struct level *level = &flow->levels[flow->depth - 1];

    if (level->entry == ENTRY_EMPTY) {
        scan_complain(scan, "C003", scan_mark(scan), (str){scan->at, 1},
                      "nothing stands before this ','");
        return false;
    }
    level->entry = ENTRY_EMPTY;
    level->is_json_key = false;
    scan->at++;
    return true;
}

static bool read_colon(struct flow *flow)
{
    struct scan *scan = flow->scan;
    struct level *level = &flow->levels[flow->depth - 1];

    if (level->entry != ENTRY_KEY || !level->first.at || *level->first.at == '[' ||
        *level->first.at == '{') {
        scan_complain(scan, "C003", scan_mark(scan), (str){scan->at, 1},
                      "this ':' has no key before it");
        return false;
    }
    level->entry = ENTRY_COLON;
    scan->at++;
    return true;
}

static bool is_colon(const struct scan *scan, const struct level *level)
{
    return *scan->at == ':' &&
           (is_blank(scan, scan->at + 1) || is_flow_sign(scan->at[1]) ||
            (level->entry == ENTRY_KEY && level->is_json_key));
}

static bool read_one(struct flow *flow)
{
    struct scan *scan = flow->scan;
    struct level *level = &flow->levels[flow->depth - 1];

    switch (*scan->at) {
    case '[':
    case '{':
        return read_open(flow);
    case ']':
    case '}':
        return read_close(flow);
    case ',':
        return read_comma(flow);
    default:
        break;
    }
    if (is_colon(scan, level))
        return read_colon(flow);
    if (level->entry == ENTRY_KEY || level->entry == ENTRY_VALUE)
        return complain_joined(flow);
    if (*scan->at != '"' && *scan->at != '\'')
        return read_plain(flow);
    if (level->entry == ENTRY_EMPTY) {
        level->first = scan_mark(scan);
        level->is_json_key = true;
    }
    level->last.p = scan->at;
    if (!scan_quoted(scan, flow->indent))
        return false;
    level->last.n = (size_t)(scan->at - level->last.p);
    level->entry = level->entry == ENTRY_COLON ? ENTRY_VALUE : ENTRY_KEY;
    return true;
}

bool scan_flow(struct scan *scan, int indent)
{
    struct flow flow = {.scan = scan, .indent = indent};

    if (!read_open(&flow))
        return false;
    while (flow.depth) {
        if (!skip_space(&flow) || !read_one(&flow))
            return false;
    }
    return true;
}
