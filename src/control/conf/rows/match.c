/*
 * The rows of `match`: what a route looks at. What a text means is decided by lb/match.h;
 * here it is taken from the tree, and what is wrong with it is said.
 */
#include "control/conf/address.h"
#include "control/conf/draft.h"

static void read_listener(struct reader *reader, const struct conf_row *row,
                          const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at)))
        *vec_add(&route->listeners, &reader->complaints->arena) = word;
}

static const struct conf_form listener_form = {
    .words = "the name of an http listener, or a list of them",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_listener,
};

static void complain_host(struct reader *reader, const struct node *node)
{
    struct complaint *complaint =
        complain_value(reader, "C026", node, "is not a host or '*.' and a host");
    long scheme = str_find(node->text, STR("://"));
    str host = scheme < 0 ? node->text : str_from(node->text, (size_t)scheme + 3), piece;

    if (str_next(&host, '/', &piece) && piece.n) {
        host = piece;
        str_next(&host, ':', &piece);
    }
    if (piece.n && piece.n < node->text.n && str_find_char(piece, ' ') < 0)
        complaint_help(complaint, "write the name alone: %s",
                       complaint_word(reader->complaints, piece));
    else
        complaint_help(complaint, "write example.com, or *.example.com for all below it");
}

static void read_host(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    struct vec_of(struct host_match) hosts = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct host_match host;

        if (host_match_parse(reader->arena, word->text, &host) == ERR_OK)
            *vec_add(&hosts, reader->arena) = host;
        else
            complain_host(reader, word);
    }
    route->match.hosts = hosts.items;
    route->match.host_count = (unsigned)hosts.count;
}

static const struct conf_form host_form = {
    .words = "a host name, '*.' and a host name, or a list of them",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_host,
};

/* C028, at the character of the expression that PCRE2 names; it stands behind a '~'. */
static void complain_regex(struct reader *reader, const struct node *node,
                           const struct pattern_error *error)
{
    struct place place = node_part(node, 1 + error->offset, 1);

    struct complaint *complaint;

    if (node->is_exact)
        place.length = 1;
    complaint = complain(reader->complaints, "C028", place, "regular expression: %s",
                         error->message);
    if (str_starts(node->text, STR("~*")))
        complaint_help(complaint,
                       "for capital and small letters alike: '~(?i)" STR_FMT "'",
                       STR_ARG(str_trim(str_from(node->text, 2))));
}

/* nginx's `~ ^/a`, which would be an expression that begins with a blank. */
static void complain_blank(struct reader *reader, const struct node *node)
{
    struct place place = node_part(node, 1, 1);

    complaint_help(complain(reader->complaints, "C028", place,
                            "regular expression: it begins with a blank, and no path "
                            "does"),
                   "write '~%s'",
                   complaint_word(reader->complaints, str_trim(str_from(node->text, 1))));
}

static void complain_path(struct reader *reader, const struct node *node)
{
    struct complaint *complaint =
        complain_value(reader, "C029", node, "is not a path to match");
    const char *word = word_of(reader, node);
    str text = node->text;

    if (str_find_char(text, '?') >= 0)
        complaint_help(complaint, "match the part behind '?' by 'query'");
    else if (text.n && text.p[0] == '^')
        complaint_help(complaint, "a regular expression stands behind a '~': '~%s'",
                       word);
    else if (text.n && text.p[0] != '/' && str_find_char(text, '*') < 0)
        help_path(reader, complaint, text);
    else if (str_find_char(text, '*') == (long)text.n - 1 && text.n > 1)
        complaint_help(complaint, "write '" STR_FMT "/*'", (int)text.n - 1, text.p);
    else
        complaint_help(complaint,
                       "write /x for exactly that, /x/* for all below it, or a "
                       "regular expression behind '~'");
}

static bool has_blank(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
            return true;
    }
    return false;
}

static void read_path(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    struct vec_of(struct path_match) paths = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct pattern_error error = {0};
        struct path_match path;
        bool is_regex = str_starts(word->text, STR("~"));

        if (!is_regex && has_blank(word->text))
            complain_path(reader, word);
        else if (str_starts(word->text, STR("~ ")))
            complain_blank(reader, word);
        else if (path_match_parse(reader->arena, word->text, &path, &error) == ERR_OK)
            *vec_add(&paths, reader->arena) = path;
        else if (is_regex)
            complain_regex(reader, word, &error);
        else
            complain_path(reader, word);
    }
    route->match.paths = paths.items;
    route->match.path_count = (unsigned)paths.count;
}

static const struct conf_form path_form = {
    .words = "/x exactly, /x/* with all below it, ~REGEX, or a list of them",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_path,
};

static void read_method(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct complaint *complaint;
        char upper[16];

        if (match_add_method(reader->arena, &route->match, word->text) == ERR_OK)
            continue;
        complaint = complain_value(reader, "C029", word, "is not a method");
        if (word->text.n == 0 || word->text.n >= sizeof upper || has_blank(word->text))
            continue;
        for (size_t i = 0; i <= word->text.n; i++) {
            char c = i < word->text.n ? word->text.p[i] : '\0';

            upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
        complaint_help(complaint, "write '%s'", upper);
    }
}

static const struct conf_form method_form = {
    .words = "a method in capital letters, or a list of them; GET takes HEAD too",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_method,
};

/* A map of names to conditions. */
static void read_values(struct reader *reader, const struct pair *pair, const char *thing,
                        struct value_matches *out)
{
    struct vec_of(struct value_match) items = {0};
    struct node *map = pair->value;
    bool is_query = strcmp(thing, "query") == 0;

    if (!map_wanted(reader, pair, NULL))
        return;
    for (unsigned i = 0; i < map->count; i++) {
        const struct node *key = map->pairs[i].key, *word;
        struct pattern_error error = {0};
        struct value_match value;

        if (is_query ? key->text.n == 0 : !text_is_token(key->text)) {
            complain(reader->complaints, "C029", key->place,
                     "'%s' is not the name of a %s", word_of(reader, key),
                     is_query ? "query parameter" : thing);
            continue;
        }
        word = word_wanted(reader, &map->pairs[i]);
        if (!word)
            continue;
        if (value_match_parse(reader->arena, key->text, word->text, &value, &error) ==
            ERR_OK)
            *vec_add(&items, reader->arena) = value;
        else
            complain_regex(reader, word, &error);
    }
    out->items = items.items;
    out->count = (unsigned)items.count;
}

static void read_header(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    read_values(reader, pair, "header", &((struct draft_route *)object)->match.headers);
}

static void read_cookie(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    read_values(reader, pair, "cookie", &((struct draft_route *)object)->match.cookies);
}

static void read_query(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    read_values(reader, pair, "query", &((struct draft_route *)object)->match.queries);
}

static const struct conf_form header_form = {
    .words = "a map of names to values: a text, ~REGEX, present, or absent",
    .schema = "{\"$ref\": \"#/definitions/values\"}",
    .read = read_header,
};

static const struct conf_form cookie_form = {
    .words = "a map of names to values: a text, ~REGEX, present, or absent",
    .schema = "{\"$ref\": \"#/definitions/values\"}",
    .read = read_cookie,
};

static const struct conf_form query_form = {
    .words = "a map of names to values: a text, ~REGEX, present, or absent",
    .schema = "{\"$ref\": \"#/definitions/values\"}",
    .read = read_query,
};

static const struct conf_row client_ip_rows[] = {
    {.name = "not",
     .type = CONF_OWN,
     CONF_AT(struct draft_route, match.client_not),
     .flags = CONF_REQUIRED,
     .form = &networks_form,
     .doc = "Clients that are not meant."},
    {.name = NULL},
};

static void read_client_ip(struct reader *reader, const struct conf_row *row,
                           const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    struct section section = {row->name, NULL, pair->key};

    if (pair->value->kind == NODE_MAP)
        section_read(reader, &section, client_ip_rows, pair->value, object);
    else
        route->match.client_in = address_read_prefixes(reader, pair);
}

static const struct conf_form client_ip_form = {
    .words = "an IP address or network, a list of them, or {not: ...}",
    .schema = "{\"$ref\": \"#/definitions/client_ip\"}",
    .read = read_client_ip,
};

const struct conf_row match_rows[] = {
    {.name = "listener",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &listener_form,
     .doc = "Where the request came in; any http listener without it."},
    {.name = "host",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &host_form,
     .doc = "The host that is asked for; one of a list is enough."},
    {.name = "path",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &path_form,
     .doc = "The path in its normal form; one of a list is enough. /x/* takes /x too."},
    {.name = "method",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &method_form,
     .doc = "The method; one of a list is enough."},
    {.name = "header",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &header_form,
     .doc = "Headers; each must fit."},
    {.name = "cookie",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &cookie_form,
     .doc = "Cookies; each must fit."},
    {.name = "query",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &query_form,
     .doc = "Parameters behind '?'; each must fit."},
    {.name = "client_ip",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &client_ip_form,
     .doc = "The client's address, behind trusted proxies."},
    {.name = NULL},
};
