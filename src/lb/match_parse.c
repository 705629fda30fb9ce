/*
 * What the texts of a `match` mean. They are brought into the same normal form as the
 * requests that they will be compared with.
 */
#include "lb/match.h"

#include "proto/names.h"
#include "proto/uri.h"

enum err host_match_parse(struct arena *arena, str text, struct host_match *out)
{
    uint16_t port;
    str host;

    *out = (struct host_match){.is_wildcard = str_starts(text, STR("*."))};
    if (out->is_wildcard)
        text = str_from(text, 2);
    if (!text.n || text.p[0] == '.' ||
        (text.p[0] != '[' && str_find_char(text, ':') >= 0) ||
        (text.p[0] == '[' && (out->is_wildcard || text.p[text.n - 1] != ']')))
        return ERR_INVALID;
    if (uri_host(text, arena, &host, &port) || !host.n)
        return ERR_INVALID;
    out->name = out->is_wildcard ? arena_printf(arena, "." STR_FMT, STR_ARG(host))
                                 : arena_copy(arena, host);
    return ERR_OK;
}

static enum err regex_compile(struct arena *arena, str text, str *source,
                              struct pattern **regex, struct pattern_error *error)
{
    struct pattern *pattern = ARENA_NEW(arena, struct pattern);
    enum err e;

    *source = arena_copy(arena, text);
    if ((e = pattern_compile(pattern, PATTERN_REGEX, false, *source, error)))
        return e;
    *regex = pattern;
    return ERR_OK;
}

enum err path_match_parse(struct arena *arena, str text, struct path_match *out,
                          struct pattern_error *error)
{
    str normal;

    *out = (struct path_match){.kind = PATH_EXACT};
    if (error)
        *error = (struct pattern_error){0};
    if (str_starts(text, STR("~"))) {
        out->kind = PATH_REGEX;
        return regex_compile(arena, str_from(text, 1), &out->text, &out->regex, error);
    }
    if (str_ends(text, STR("/*"))) {
        out->kind = PATH_PREFIX;
        text.n -= 1;
    }
    if (!str_starts(text, STR("/")) || str_find_char(text, '*') >= 0 ||
        str_find_char(text, '?') >= 0 || str_find_char(text, '#') >= 0)
        return ERR_INVALID;
    if (uri_normalise(text, arena, &normal))
        return ERR_INVALID;
    if (out->kind == PATH_PREFIX)
        normal.n -= str_ends(normal, STR("/"));
    out->text = arena_copy(arena, normal);
    return ERR_OK;
}

enum err value_match_parse(struct arena *arena, str name, str text,
                           struct value_match *out, struct pattern_error *error)
{
    if (error)
        *error = (struct pattern_error){0};
    *out = (struct value_match){
        .name = arena_copy(arena, name),
        .kind = VALUE_EXACT,
        .known = name_find(name),
    };
    if (!name.n)
        return ERR_INVALID;
    if (str_starts(text, STR("~"))) {
        out->kind = VALUE_REGEX;
        return regex_compile(arena, str_from(text, 1), &out->text, &out->regex, error);
    }
    if (str_eq(text, STR("absent")))
        out->kind = VALUE_ABSENT;
    else if (str_eq(text, STR("present")))
        out->kind = VALUE_PRESENT;
    else
        out->text = arena_copy(arena, text);
    return ERR_OK;
}

static bool is_token(str text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < text.n; i++) {
        char c = char_lower(text.p[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return text.n > 0;
}

/* "get" would be a method of its own, and surely is not what was meant. */
static bool is_known_in_lower_case(str text)
{
    for (int i = HTTP_METHOD_OTHER + 1; i <= HTTP_PATCH; i++)
        if (str_eq_nocase(text, method_text((enum http_method)i)))
            return true;
    return false;
}

static void add_other_method(struct arena *arena, struct match *match, str text)
{
    unsigned count = match->other_method_count;
    str *methods = (str *)match->other_methods;

    if ((count & (count - 1)) == 0) { /* there is room for 1, 2, 4, ... */
        methods = ARENA_ARRAY(arena, str, count ? 2 * (size_t)count : 1);
        if (count)
            memcpy(methods, match->other_methods, count * sizeof *methods);
        match->other_methods = methods;
    }
    methods[match->other_method_count++] = arena_copy(arena, text);
}

enum err match_add_method(struct arena *arena, struct match *match, str text)
{
    enum http_method method = method_find(text);

    if (!is_token(text))
        return ERR_INVALID;
    if (method == HTTP_METHOD_OTHER) {
        if (is_known_in_lower_case(text))
            return ERR_INVALID;
        add_other_method(arena, match, text);
        return ERR_OK;
    }
    match->methods |= 1u << method;
    if (method == HTTP_GET)
        match->methods |= 1u << HTTP_HEAD;
    return ERR_OK;
}

void match_add_listener(struct arena *arena, struct match *match, unsigned index)
{
    unsigned words = index / 64 + 1;
    uint64_t *bits = (uint64_t *)(uintptr_t)match->listeners; /* made here */

    if (words > match->listener_words) {
        bits = ARENA_ARRAY(arena, uint64_t, words);
        if (match->listener_words)
            memcpy(bits, match->listeners, match->listener_words * sizeof *bits);
        match->listeners = bits;
        match->listener_words = words;
    }
    bits[index / 64] |= (uint64_t)1 << (index % 64);
}
