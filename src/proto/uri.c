/*
 * Splitting and normalising of request targets. Normalising first looks whether there is
 * anything to do, which is rare; then it writes the new form byte by byte, removing dot
 * segments as it goes, so that an escaped dot counts like a plain one.
 */
#include "proto/uri.h"

#include "base/addr.h"
#include "base/text.h"
#include "proto/chars.h"

enum { HOST_MOST = 255 };

static void cut_query(str from, struct uri *out)
{
    long at = str_find_char(from, '?');

    out->path = at < 0 ? from : str_upto(from, (size_t)at);
    out->query = at < 0 ? STR_NONE : str_from(from, (size_t)at + 1);
}

static enum err split_absolute(str target, struct uri *out)
{
    long colon = str_find_char(target, ':');
    str rest;
    size_t n = 0;

    if (colon < 0)
        return ERR_INVALID;
    out->scheme = str_upto(target, (size_t)colon);
    if (!str_eq_nocase(out->scheme, STR("http")) &&
        !str_eq_nocase(out->scheme, STR("https")))
        return ERR_INVALID;
    rest = str_from(target, (size_t)colon);
    if (!str_starts(rest, STR("://")))
        return ERR_INVALID;
    rest = str_from(rest, 3);
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    out->authority = str_upto(rest, n);
    if (n == 0)
        return ERR_INVALID;
    cut_query(str_from(rest, n), out);
    if (out->path.n == 0)
        out->path = STR("/");
    return ERR_OK;
}

enum err uri_split(str target, struct uri *out)
{
    *out = (struct uri){0};
    if (target.n == 0 || !chars_are_target(target))
        return ERR_INVALID;
    if (target.p[0] != '/' && !str_eq(target, STR("*")))
        return split_absolute(target, out);
    cut_query(target, out);
    return ERR_OK;
}

/* The next sixteen characters, zeros behind the last; how many of them are real. */
static inline chars16 load_piece(str s, size_t at, unsigned *count)
{
    if (s.n - at >= 16) {
        *count = 16;
        return chars_load(s.p + at);
    }
    *count = (unsigned)(s.n - at);
    return chars_load_few(s.p + at, *count);
}

/* One bit for each of the characters that needs no second look in a path. */
static inline unsigned are_usual(chars16 v)
{
    return VECTOR_MASK((v - '&' <= ';' - '&') | (v - '@' <= 'Z' - '@') |
                       (v - 'a' <= 'z' - 'a') | (v == '_') | (v == '=') | (v == '~'));
}

/* `end`: how far can be read. */
static ALWAYS_INLINE bool is_plain(str path, const char *end)
{
    unsigned slash_before = 0;

    for (size_t at = 0; at < path.n; at += 16) {
        const char *p = path.p + at;
        unsigned count = path.n - at < 16 ? (unsigned)(path.n - at) : 16;
        chars16 v = end - p >= 16 ? chars_load(p) : chars_load_few(p, count);
        unsigned slashes = VECTOR_MASK(v == '/');
        unsigned dots = VECTOR_MASK(v == '.');
        unsigned within = ~(~0u << count);

        if (~are_usual(v) & within)
            return false;
        if ((slashes << 1 | slash_before) & (slashes | dots) & within)
            return false;
        slash_before = slashes >> 15;
    }
    return true;
}

bool uri_is_plain(str path, const char *end)
{
    return path.n && *path.p == '/' && is_plain(path, end);
}

/* One character of a path, escaped or not. */
struct letter {
    unsigned char c;
    bool is_escaped; /* it was written as an escape */
    unsigned length; /* bytes that it takes in the path; 0: a broken escape */
};

static struct letter letter_at(str path, size_t at)
{
    struct letter letter = {(unsigned char)path.p[at], false, 1};

    if (letter.c != '%')
        return letter;
    if (path.n - at < 3 || !char_is(path.p[at + 1], CHAR_HEX) ||
        !char_is(path.p[at + 2], CHAR_HEX))
        return (struct letter){0};
    letter.c = (unsigned char)(char_hex(path.p[at + 1]) << 4 | char_hex(path.p[at + 2]));
    letter.is_escaped = true;
    letter.length = 3;
    return letter;
}

/* Does `before` lead in a UTF-8 sequence that `c` makes longer than it need be? */
static bool is_overlong(unsigned char before, unsigned char c)
{
    if (c < 0x80 || c > 0xbf)
        return false;
    return before == 0xc0 || before == 0xc1 || (before == 0xe0 && c < 0xa0) ||
           (before == 0xf0 && c < 0x90);
}

static void put_escape(struct text *out, unsigned char c)
{
    text_char(out, '%');
    text_char(out, "0123456789ABCDEF"[c >> 4]);
    text_char(out, "0123456789ABCDEF"[c & 15]);
}

/* Writes a character in its normal form. */
static void put_letter(struct text *out, struct letter letter)
{
    char c = (char)letter.c;

    if (letter.is_escaped ? char_is(c, CHAR_UNRESERVED) : char_is(c, CHAR_PATH))
        text_char(out, c);
    else
        put_escape(out, letter.c);
}

static bool is_separator(str at)
{
    return str_starts(at, STR("%2F")) || str_starts(at, STR("%5C"));
}

/* "." or "..", alone or with a parameter behind it. */
static bool is_dots(str piece)
{
    size_t n = 0;

    while (n < piece.n && piece.p[n] == '.')
        n++;
    if (n == 0 || n > 2)
        return false;
    piece = str_from(piece, n);
    return piece.n == 0 || piece.p[0] == ';' || str_starts(piece, STR("%3B"));
}

/*
 * Would somebody behind us take this segment (normal form, no '/') for a dot segment,
 * because of a parameter or of an escaped separator in it?
 */
static bool hides_dots(str segment)
{
    for (;;) {
        size_t n = 0;

        while (n < segment.n && !is_separator(str_from(segment, n)))
            n++;
        if (is_dots(str_upto(segment, n)))
            return true;
        if (n == segment.n)
            return false;
        segment = str_from(segment, n + 3);
    }
}

/*
 * A segment has been written from `from` on (behind its slash): acts on dot segments.
 * False when there is no normal form.
 */
static bool segment_end(struct text *out, size_t from)
{
    str segment = {out->p + from, out->n - from};

    if (str_eq(segment, STR("."))) {
        out->n = from;
    } else if (str_eq(segment, STR(".."))) {
        if (from <= 1)
            return false;
        for (out->n = from - 1; out->p[out->n - 1] != '/';)
            out->n--;
    } else if (segment.n && (segment.p[0] == '.' || memchr(segment.p, '%', segment.n))) {
        return !hides_dots(segment);
    }
    return true;
}

/* Writes the normal form; out has room for three times the path. */
static bool normalise_into(str path, struct text *out)
{
    size_t from = 1; /* where the segment in hand begins in out */
    unsigned char before = 0;

    text_char(out, '/');
    for (size_t i = 1; i < path.n;) {
        struct letter letter = letter_at(path, i);

        if (letter.length == 0 || letter.c == 0 || is_overlong(before, letter.c))
            return false;
        i += letter.length;
        before = letter.c;
        if (letter.c != '/' || letter.is_escaped) {
            put_letter(out, letter);
            continue;
        }
        if (!segment_end(out, from))
            return false;
        if (out->p[out->n - 1] != '/')
            text_char(out, '/');
        from = out->n;
    }
    return segment_end(out, from);
}

enum err uri_normalise(str path, struct arena *arena, str *normal)
{
    struct text out;

    if (path.n == 1 && path.p[0] == '*') {
        *normal = path;
        return ERR_OK;
    }
    if (path.n == 0 || path.p[0] != '/')
        return ERR_INVALID;
    if (is_plain(path, path.p + path.n)) {
        *normal = path;
        return ERR_OK;
    }
    out = text_in(arena_alloc(arena, path.n * 3), path.n * 3);
    if (!normalise_into(path, &out))
        return ERR_INVALID;
    *normal = str_eq(text_str(&out), path) ? path : text_str(&out);
    return ERR_OK;
}

/* One bit for each of the characters that may stand in a host name. */
static inline unsigned are_host(chars16 v)
{
    return VECTOR_MASK(((v | 0x20) - 'a' <= 25) | (v - '0' <= 9) | (v - '-' <= 1) |
                       (v == '_'));
}

static inline unsigned are_capitals(chars16 v)
{
    return VECTOR_MASK(v - 'A' <= 'Z' - 'A');
}

/*
 * Letters, digits, '-', '_', '.', no empty label but a last one. Ends at the first ':'.
 * *is_folded: no capital, no '.' at the end.
 */
static ALWAYS_INLINE size_t host_name_length(str s, bool *is_folded)
{
    unsigned dot_before = 1, capitals = 0, count, length = 16;
    size_t n = 0;

    for (; n < s.n && length == 16; n += length) {
        chars16 v = load_piece(s, n, &count);
        unsigned dots = VECTOR_MASK(v == '.'), within;

        length = (unsigned)__builtin_ctz(~are_host(v));
        within = (1u << length) - 1;
        if ((dots << 1 | dot_before) & dots & within)
            return 0;
        dot_before = dots >> 15;
        capitals |= are_capitals(v) & within;
    }
    if (n > HOST_MOST || (n < s.n && s.p[n] != ':'))
        return 0;
    *is_folded = n && !capitals && s.p[n - 1] != '.';
    return n;
}

/* 1 to 65535 in at most five digits. */
static bool port_parse(str s, uint16_t *port)
{
    unsigned value = 0;

    if (s.n == 0 || s.n > 5)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

/* "[address]" with or without ":port". By itself because few have one. */
static NEVER_INLINE bool cut_ip6(str authority, struct uri_authority *out)
{
    struct addr addr;
    long at = str_find_char(authority, ']');

    if (at < 0)
        return false;
    out->host = str_upto(authority, (size_t)at + 1);
    if (addr_parse_ip(str_slice(authority.p + 1, authority.p + at), &addr) ||
        addr.family != ADDR_IP6 || addr.scope)
        return false;
    authority = str_from(authority, (size_t)at + 1);
    if (authority.n == 0)
        return true;
    return authority.p[0] == ':' && port_parse(str_from(authority, 1), &out->port);
}

bool uri_cut_authority(str authority, struct uri_authority *out)
{
    out->port = 0;
    out->is_folded = false;
    if (authority.n && authority.p[0] == '[')
        return cut_ip6(authority, out);
    out->host = str_upto(authority, host_name_length(authority, &out->is_folded));
    if (out->host.n == 0)
        return false;
    if (out->host.n == authority.n)
        return true;
    return port_parse(str_from(authority, out->host.n + 1), &out->port);
}

bool uri_check_authority(str authority)
{
    struct uri_authority cut;

    return uri_cut_authority(authority, &cut);
}

static bool has_capital(str s)
{
    unsigned count;

    for (size_t at = 0; at < s.n; at += 16)
        if (are_capitals(load_piece(s, at, &count)))
            return true;
    return false;
}

str uri_fold_host(str host, struct arena *arena)
{
    char *copy;

    if (host.p[host.n - 1] == '.')
        host.n--;
    if (!has_capital(host))
        return host;
    copy = arena_alloc(arena, host.n);
    for (size_t i = 0; i < host.n; i++)
        copy[i] = char_lower(host.p[i]);
    return (str){copy, host.n};
}

enum err uri_host(str authority, struct arena *arena, str *host, uint16_t *port)
{
    struct uri_authority cut;

    if (!uri_cut_authority(authority, &cut))
        return ERR_INVALID;
    *host = cut.is_folded ? cut.host : uri_fold_host(cut.host, arena);
    *port = cut.port;
    return ERR_OK;
}

bool query_find(str query, str name, str *value)
{
    str pair;

    while (str_next(&query, '&', &pair)) {
        long at = str_find_char(pair, '=');
        str key = at < 0 ? pair : str_upto(pair, (size_t)at);

        if (!str_eq(key, name))
            continue;
        *value = at < 0 ? str_from(pair, pair.n) : str_from(pair, (size_t)at + 1);
        return true;
    }
    return false;
}
