/*
 * Does one match take everything that another one could? For the warning that a route can
 * never match. A wrong yes would blame a good configuration, so where regexes or several
 * conditions together would have to be understood, the answer is no.
 */
#include "lb/match.h"

static bool listeners_cover(const struct match *wide, const struct match *narrow)
{
    if (!wide->listeners)
        return true;
    if (!narrow->listeners)
        return false;
    for (unsigned i = 0; i < narrow->listener_words; i++) {
        uint64_t word = i < wide->listener_words ? wide->listeners[i] : 0;

        if (narrow->listeners[i] & ~word)
            return false;
    }
    return true;
}

static bool host_covers(const struct host_match *wide, const struct host_match *narrow)
{
    if (narrow->is_wildcard)
        return wide->is_wildcard && str_ends(narrow->name, wide->name);
    return host_match_holds(wide, narrow->name);
}

static bool hosts_cover(const struct match *wide, const struct match *narrow)
{
    if (!wide->host_count)
        return true;
    for (unsigned i = 0; i < narrow->host_count; i++) {
        unsigned j = 0;

        while (j < wide->host_count && !host_covers(&wide->hosts[j], &narrow->hosts[i]))
            j++;
        if (j == wide->host_count)
            return false;
    }
    return narrow->host_count > 0;
}

static bool path_covers(const struct path_match *wide, const struct path_match *narrow)
{
    if (wide->kind == PATH_REGEX || narrow->kind == PATH_REGEX)
        return wide->kind == narrow->kind && str_eq(wide->text, narrow->text);
    if (wide->kind == PATH_EXACT && narrow->kind == PATH_PREFIX)
        return false;
    return path_match_holds(wide, narrow->text, NULL);
}

static bool paths_cover(const struct match *wide, const struct match *narrow)
{
    if (!wide->path_count)
        return true;
    for (unsigned i = 0; i < narrow->path_count; i++) {
        unsigned j = 0;

        while (j < wide->path_count && !path_covers(&wide->paths[j], &narrow->paths[i]))
            j++;
        if (j == wide->path_count)
            return false;
    }
    return narrow->path_count > 0;
}

static bool has_method(const struct match *match, str method)
{
    for (unsigned i = 0; i < match->other_method_count; i++)
        if (str_eq(match->other_methods[i], method))
            return true;
    return false;
}

static bool methods_cover(const struct match *wide, const struct match *narrow)
{
    if (!wide->methods && !wide->other_method_count)
        return true;
    if (!narrow->methods && !narrow->other_method_count)
        return false;
    for (unsigned i = 0; i < narrow->other_method_count; i++)
        if (!has_method(wide, narrow->other_methods[i]))
            return false;
    return !(narrow->methods & ~wide->methods);
}

static bool value_covers(const struct value_match *wide, const struct value_match *narrow)
{
    if (wide->kind == VALUE_PRESENT)
        return narrow->kind != VALUE_ABSENT;
    return wide->kind == narrow->kind && str_eq(wide->text, narrow->text);
}

/* Each condition of `wide` must follow from one of `narrow`. */
static bool values_cover(const struct value_matches *wide,
                         const struct value_matches *narrow,
                         bool (*is_same_name)(str, str))
{
    for (unsigned i = 0; i < wide->count; i++) {
        unsigned j = 0;

        while (j < narrow->count &&
               (!is_same_name(wide->items[i].name, narrow->items[j].name) ||
                !value_covers(&wide->items[i], &narrow->items[j])))
            j++;
        if (j == narrow->count)
            return false;
    }
    return true;
}

static bool clients_cover(const struct match *wide, const struct match *narrow)
{
    if (wide->client_in.count && (!narrow->client_in.count ||
                                  !prefixes_cover(&wide->client_in, &narrow->client_in)))
        return false;
    return prefixes_cover(&narrow->client_not, &wide->client_not);
}

bool match_covers(const struct match *wide, const struct match *narrow)
{
    static const struct match everything;

    if (!wide)
        wide = &everything;
    if (!narrow)
        narrow = &everything;
    return listeners_cover(wide, narrow) && hosts_cover(wide, narrow) &&
           paths_cover(wide, narrow) && methods_cover(wide, narrow) &&
           values_cover(&wide->headers, &narrow->headers, str_eq_nocase) &&
           values_cover(&wide->cookies, &narrow->cookies, str_eq) &&
           values_cover(&wide->queries, &narrow->queries, str_eq) &&
           clients_cover(wide, narrow);
}
