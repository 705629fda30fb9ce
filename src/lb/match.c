/*
 * Does a request fulfil the conditions of a route? Cheap questions come first. Nothing is
 * allocated; the only bounded copy is of a query parameter that a regex wants decoded.
 */
#include "lb/match.h"

#include "proto/cookie.h"
#include "proto/names.h"

enum { DECODED_MOST = 4096 };

bool match_has_listener(const struct match *match, unsigned index)
{
    if (!match || !match->listeners)
        return true;
    return index / 64 < match->listener_words &&
           (match->listeners[index / 64] >> (index % 64) & 1);
}

bool host_match_holds(const struct host_match *host, str name)
{
    if (host->is_wildcard)
        return name.n > host->name.n && str_ends(name, host->name);
    return str_eq(name, host->name);
}

bool path_match_holds(const struct path_match *path, str text,
                      struct pattern_scratch *scratch)
{
    switch (path->kind) {
    case PATH_EXACT:
        return str_eq(text, path->text);
    case PATH_PREFIX:
        return str_starts(text, path->text) &&
               (text.n == path->text.n || text.p[path->text.n] == '/');
    case PATH_REGEX:
        return pattern_match(path->regex, text, scratch);
    }
    return false;
}

static bool hosts_hold(const struct match *match, str host)
{
    for (unsigned i = 0; i < match->host_count; i++)
        if (host_match_holds(&match->hosts[i], host))
            return true;
    return match->host_count == 0;
}

static bool paths_hold(const struct match *match, const struct request_facts *facts)
{
    for (unsigned i = 0; i < match->path_count; i++)
        if (path_match_holds(&match->paths[i], facts->path, facts->scratch))
            return true;
    return match->path_count == 0;
}

static bool methods_hold(const struct match *match, const struct head *head)
{
    if (!match->methods && !match->other_method_count)
        return true;
    if (head->method != HTTP_METHOD_OTHER)
        return match->methods >> head->method & 1;
    for (unsigned i = 0; i < match->other_method_count; i++)
        if (str_eq(match->other_methods[i], head->method_text))
            return true;
    return false;
}

static bool client_holds(const struct match *match, const struct addr *client)
{
    return (!match->client_in.count || prefixes_have(&match->client_in, client)) &&
           !prefixes_have(&match->client_not, client);
}

/* Not for VALUE_ABSENT, which is about all values of a name together. */
static bool value_fits(const struct value_match *want, str value,
                       struct pattern_scratch *scratch)
{
    switch (want->kind) {
    case VALUE_EXACT:
        return str_eq(value, want->text);
    case VALUE_REGEX:
        return pattern_match(want->regex, value, scratch);
    case VALUE_PRESENT:
        return true;
    case VALUE_ABSENT:
        break;
    }
    return false;
}

static bool field_is_seen(const struct field *field)
{
    return !field->dropped || (field->known != NAME_OTHER &&
                               name_is_hop_by_hop((enum field_name)field->known));
}

const struct field *field_find_seen(const struct head *head, enum field_name known,
                                    str name, const struct field *after)
{
    const struct field *end = head->fields + head->field_count;

    for (const struct field *f = after ? after + 1 : head->fields; f < end; f++)
        if (f->known == known && (known != NAME_OTHER || str_eq_nocase(f->name, name)) &&
            field_is_seen(f))
            return f;
    return NULL;
}

static bool header_holds(const struct value_match *want,
                         const struct request_facts *facts)
{
    const struct field *field = NULL;

    while ((field = field_find_seen(facts->head, want->known, want->name, field))) {
        if (want->kind == VALUE_ABSENT)
            return false;
        if (value_fits(want, field->value, facts->scratch))
            return true;
    }
    return want->kind == VALUE_ABSENT;
}

static bool cookie_holds(const struct value_match *want,
                         const struct request_facts *facts)
{
    const struct field *field = NULL;
    str value;

    while ((field = field_find_seen(facts->head, NAME_COOKIE, STR("cookie"), field))) {
        if (!cookie_find(field->value, want->name, &value))
            continue;
        if (want->kind == VALUE_ABSENT)
            return false;
        if (value_fits(want, value, facts->scratch))
            return true;
    }
    return want->kind == VALUE_ABSENT;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of a query, decoded; a broken escape stands for itself. */
static char query_byte(str *rest)
{
    char c = rest->p[0];
    int high, low;

    if (c == '%' && rest->n > 2) {
        high = hex_digit(rest->p[1]);
        low = hex_digit(rest->p[2]);
        if (high >= 0 && low >= 0) {
            *rest = str_from(*rest, 3);
            return (char)(high * 16 + low);
        }
    }
    *rest = str_from(*rest, 1);
    return c == '+' ? ' ' : c;
}

static bool query_eq(str raw, str text)
{
    size_t at = 0;

    if (raw.n < text.n)
        return false; /* decoding only shortens */
    for (; raw.n; at++)
        if (at == text.n || query_byte(&raw) != text.p[at])
            return false;
    return at == text.n;
}

static bool parameter_fits(const struct value_match *want, str raw,
                           struct pattern_scratch *scratch)
{
    char decoded[DECODED_MOST];
    size_t n = 0;

    if (want->kind == VALUE_EXACT)
        return query_eq(raw, want->text);
    if (want->kind == VALUE_PRESENT)
        return true;
    while (raw.n && n < sizeof decoded)
        decoded[n++] = query_byte(&raw);
    return value_fits(want, (str){decoded, n}, scratch);
}

static bool query_holds(const struct value_match *want, const struct request_facts *facts)
{
    str rest = facts->query, piece;

    while (str_next(&rest, '&', &piece)) {
        long at = str_find_char(piece, '=');
        str name = at < 0 ? piece : str_upto(piece, (size_t)at);
        str value = at < 0 ? str_from(piece, piece.n) : str_from(piece, (size_t)at + 1);

        if (!query_eq(name, want->name))
            continue;
        if (want->kind == VALUE_ABSENT)
            return false;
        if (parameter_fits(want, value, facts->scratch))
            return true;
    }
    return want->kind == VALUE_ABSENT;
}

static bool values_hold(const struct value_matches *values,
                        bool (*holds)(const struct value_match *,
                                      const struct request_facts *),
                        const struct request_facts *facts)
{
    for (unsigned i = 0; i < values->count; i++)
        if (!holds(&values->items[i], facts))
            return false;
    return true;
}

bool match_rest_holds(const struct match *match, const struct request_facts *facts)
{
    if (!match)
        return true;
    return methods_hold(match, facts->head) && client_holds(match, facts->client) &&
           values_hold(&match->headers, header_holds, facts) &&
           values_hold(&match->cookies, cookie_holds, facts) &&
           values_hold(&match->queries, query_holds, facts);
}

bool match_holds(const struct match *match, const struct request_facts *facts)
{
    if (!match)
        return true;
    return match_has_listener(match, facts->listener) && hosts_hold(match, facts->host) &&
           match_rest_holds(match, facts) && paths_hold(match, facts);
}

static void values_close(const struct value_matches *values)
{
    for (unsigned i = 0; i < values->count; i++)
        if (values->items[i].regex)
            pattern_close(values->items[i].regex);
}

void match_close(const struct match *match)
{
    if (!match)
        return;
    for (unsigned i = 0; i < match->path_count; i++)
        if (match->paths[i].regex)
            pattern_close(match->paths[i].regex);
    values_close(&match->headers);
    values_close(&match->cookies);
    values_close(&match->queries);
}
