/* The rows of routes: what a request must be, and what is done with it. */
#include "control/conf/draft.h"
#include "control/conf/template_read.h"
#include "proto/uri.h"

enum { REDIRECT_MOST = 4096, CONTENT_TYPE_MOST = 256 };

static void read_name(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    const struct node *node = word_wanted(reader, pair);

    if (!node || !name_check(reader, node))
        return;
    route->name = node;
    route->spec.name = str_keep(reader, node->text);
}

static const struct conf_form name_form = {
    .words = "a name",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_name,
};

static void add_use(struct reader *reader, struct draft_route *route,
                    const struct node *name, uint32_t share)
{
    *vec_add(&route->uses, &reader->complaints->arena) = (struct use){name, share};
}

static void read_to(struct reader *reader, const struct conf_row *row,
                    const struct pair *pair, void *object)
{
    struct draft_route *route = object;

    route->spec.action = ROUTE_TO_POOL;
    if (pair->value->kind == NODE_WORD)
        add_use(reader, route, pair->value, 1);
    else if (pair->value->kind == NODE_NONE)
        word_wanted(reader, pair);
    else
        complaint_help(complain(reader->complaints, "C014", pair->value->place,
                                "'to' must be the name of one pool"),
                       "share between pools with 'split: {a: 90%%, b: 10%%}'");
}

static const struct conf_form to_form = {
    .words = "the name of a pool",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_to,
};

struct share_field {
    uint32_t share;
};

static const struct conf_row share_rows[] = {
    {.name = "share",
     .type = CONF_PERCENT,
     CONF_AT(struct share_field, share),
     .max = 100},
    {.name = NULL},
};

static void read_split(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    unsigned before = reader->complaints->errors, sum = 0;
    struct node *map = pair->value;

    route->spec.action = ROUTE_SPLIT;
    if (!map_wanted(reader, pair, NULL))
        return;
    if (map->count == 0)
        complain(reader->complaints, "C013", pair->key->place, "'split' names no pool");
    for (unsigned i = 0; i < map->count; i++) {
        struct share_field field = {0};

        row_read(reader, share_rows, &map->pairs[i], &field);
        add_use(reader, route, map->pairs[i].key, field.share);
        sum += field.share;
    }
    if (map->count && !map->has_doubles && sum != 100 &&
        reader->complaints->errors == before)
        complain(reader->complaints, "C027", pair->key->place,
                 "the shares of 'split' add up to %u%%, not 100%%", sum);
}

static const struct conf_form split_form = {
    .words = "a map of pools to shares that add up to 100%",
    .schema = "{\"$ref\": \"#/definitions/split\"}",
    .read = read_split,
};

static void read_redirect_to(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    const struct node *node = word_wanted(reader, pair);
    struct complaint *complaint;
    str text;

    if (!node)
        return;
    text = node->text;
    if (text.n > REDIRECT_MOST) {
        complain_value(reader, "C029", node, "is too long for the target of a redirect");
        return;
    }
    if (str_starts(text, STR("/")) || str_starts(text, STR("http://")) ||
        str_starts(text, STR("https://")) || str_starts(text, STR("{"))) {
        route->spec.redirect.to = str_keep(reader, text);
        route->spec.redirect.compiled = template_read(reader, node, TEMPLATE_URL);
        return;
    }
    complaint = complain_value(reader, "C029", node, "is not a target of a redirect");
    if (text.n && str_find(text, STR("://")) < 0)
        complaint_help(complaint, "write 'https://%s'", word_of(reader, node));
    else
        complaint_help(complaint, "write a path, or an http:// or https:// address");
}

static const struct conf_form redirect_to_form = {
    .words = "a path or URL, which may hold facts in braces: https://x.example{path}",
    .schema = "{\"type\": \"string\"}",
    .read = read_redirect_to,
};

static bool read_status(struct reader *reader, const struct pair *pair, unsigned *out)
{
    const struct node *node = word_wanted(reader, pair);
    uint64_t status;

    if (!node)
        return false;
    *out = str_to_u64(node->text, &status) && status < 1000 ? (unsigned)status : 0;
    return true;
}

static void read_redirect_status(struct reader *reader, const struct conf_row *row,
                                 const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    unsigned status;

    if (!read_status(reader, pair, &status))
        return;
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
        route->spec.redirect.status = status;
    else
        complaint_help(complain_value(reader, "C029", pair->value,
                                      "is not the status of a redirect"),
                       "write 301, 302, 303, 307 or 308");
}

static const struct conf_form redirect_status_form = {
    .words = "301, 302, 303, 307 or 308",
    .schema = "{\"enum\": [301, 302, 303, 307, 308, \"301\", \"302\", \"303\", \"307\", "
              "\"308\"]}",
    .read = read_redirect_status,
};

static const struct conf_row redirect_rows[] = {
    {.name = "to",
     .type = CONF_OWN,
     .offset = 0,
     .flags = CONF_REQUIRED,
     .form = &redirect_to_form,
     .doc = "Where the client is sent."},
    {.name = "status",
     .type = CONF_OWN,
     .offset = 0,
     .form = &redirect_status_form,
     .fallback = "308",
     .doc = "308 and 307 keep method and body."},
    {.name = NULL},
};

static void read_respond_status(struct reader *reader, const struct conf_row *row,
                                const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    unsigned status;

    if (!read_status(reader, pair, &status))
        return;
    if (status >= 200 && status <= 599)
        route->spec.respond.status = status;
    else
        complaint_help(
            complain_value(reader, "C029", pair->value, "is not the status of an answer"),
            "write 200 to 599");
}

static const struct conf_form respond_status_form = {
    .words = "200 to 599",
    .schema = "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 200, \"maximum\": 599}, "
              "{\"type\": \"string\"}]}",
    .read = read_respond_status,
};

static void read_content_type(struct reader *reader, const struct conf_row *row,
                              const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    str text;

    if (!node)
        return;
    text = node->text;
    if (str_find_char(text, '/') > 0 && text.n <= CONTENT_TYPE_MOST &&
        !text_has_control(text))
        *CONF_FIELD(object, row, str) = str_keep(reader, text);
    else
        complaint_help(
            complain_value(reader, "C029", node, "is not a type of content"),
            "write it like 'text/html; charset=utf-8', with at most %d letters",
            CONTENT_TYPE_MOST);
}

static const struct conf_form content_type_form = {
    .words = "a media type",
    .schema = "{\"$ref\": \"#/definitions/word\"}",
    .read = read_content_type,
};

static const struct conf_row respond_rows[] = {
    {.name = "status",
     .type = CONF_OWN,
     .offset = 0,
     .form = &respond_status_form,
     .flags = CONF_LEAD,
     .fallback = "200",
     .doc = "The status of the answer."},
    {.name = "body",
     .type = CONF_OWN,
     CONF_AT(struct draft_route, spec.respond.body),
     .form = &text_form,
     .doc = "What it says."},
    {.name = "content_type",
     .type = CONF_OWN,
     CONF_AT(struct draft_route, spec.respond.content_type),
     .form = &content_type_form,
     .fallback = "text/plain; charset=utf-8",
     .doc = "What kind of text that is."},
    {.name = NULL},
};

static void read_strip_prefix(struct reader *reader, const struct conf_row *row,
                              const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    struct draft_route *route = object;
    struct complaint *complaint;
    str normal;

    if (!node)
        return;
    if (str_starts(node->text, STR("/")) && str_find_char(node->text, '*') < 0 &&
        str_find_char(node->text, '?') < 0 &&
        uri_normalise(node->text, reader->arena, &normal) == ERR_OK) {
        route->spec.strip_prefix = str_keep(reader, normal);
        return;
    }
    complaint = complain_value(reader, "C029", node, "is not the front of a path");
    if (node->text.n && node->text.p[0] != '/')
        help_path(reader, complaint, node->text);
    else if (node->text.n > 2 && str_ends(node->text, STR("/*")))
        complaint_help(complaint, "write '" STR_FMT "'", (int)node->text.n - 2,
                       node->text.p);
}

static const struct conf_form strip_prefix_form = {
    .words = "the front of a path: /api",
    .schema = "{\"type\": \"string\", \"pattern\": \"^(/|\\\\$\\\\{)\"}",
    .read = read_strip_prefix,
};

static void read_host_header(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    struct draft_route *route = object;
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (str_eq(node->text, STR("keep"))) {
        route->spec.host_header = HOST_KEEP;
    } else if (str_eq(node->text, STR("server"))) {
        route->spec.host_header = HOST_SERVER;
    } else if (uri_check_authority(node->text)) {
        route->spec.host_header = HOST_FIXED;
        route->spec.host_name = str_keep(reader, node->text);
    } else {
        complaint_help(complain_value(reader, "C026", node, "is not a host name"),
                       "write keep, server, or a host name");
    }
}

static const struct conf_form host_header_form = {
    .words = "keep, server, or a host name",
    .schema = "{\"type\": \"string\"}",
    .read = read_host_header,
};

static const struct conf_choice priority_choices[] = {{"critical", PRIORITY_CRITICAL},
                                                      {"normal", PRIORITY_NORMAL},
                                                      {"low", PRIORITY_LOW},
                                                      {NULL, 0}};

const struct conf_row route_rows[] = {
    {.name = "name",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &name_form,
     .doc = "How it is called in logs and metrics; route-N without it."},
    {.name = "match",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .offset = 0,
     .rows = match_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "What a request must be; all of it. Without it, everything fits."},
    {.name = "to",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &to_form,
     .doc = "The pool that serves it."},
    {.name = "split",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &split_form,
     .doc = "Several pools and the share of each."},
    {.name = "redirect",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .offset = 0,
     .rows = redirect_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "The client is sent elsewhere."},
    {.name = "respond",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .offset = 0,
     .rows = respond_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "weir itself answers."},
    {.name = "strip_prefix",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &strip_prefix_form,
     .doc = "Taken from the front of the path before it goes to a server."},
    {.name = "host_header",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .form = &host_header_form,
     .fallback = "keep",
     .doc = "The Host that servers see: the client's, the server's own, or a fixed one."},
    {.name = "headers",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     .offset = 0,
     .rows = headers_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Headers to set, add and remove."},
    {.name = "timeouts",
     .type = CONF_SECTION,
     CONF_AT(struct draft_route, spec.timeouts),
     .flags = CONF_DEFAULTS,
     .rows = timeouts_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "As in defaults."},
    {.name = "retries",
     .type = CONF_SECTION,
     CONF_AT(struct draft_route, spec.retries),
     .flags = CONF_DEFAULTS,
     .rows = retries_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "As in defaults."},
    {.name = "hedge",
     .also = "p95, or a duration",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     CONF_AT(struct draft_route, spec.hedge),
     .rows = hedge_rows,
     .word = "off",
     .word_offset = offsetof(struct draft_route, spec.hedge.is_enabled),
     .doc = "As in pools, for this route, with times of its own. Without it, as the pool "
            "has it."},
    {.name = "priority",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_route, spec.priority),
     .choices = priority_choices,
     .fallback = "normal",
     .doc = "Who is turned away first when not all can be served: low, then normal."},
    {.name = "degrade",
     .type = CONF_OWN,
     CONF_AT(struct draft_route, ladder),
     .form = &ladder_name_form,
     .doc = "One of 'degrade': its levels count for this route."},
    {.name = "breaker",
     .type = CONF_OWN,
     CONF_AT(struct draft_route, breaker),
     .form = &breaker_name_form,
     .doc = "One of 'breakers': the route as a whole gets one."},
    {.name = "sizes",
     .type = CONF_SECTION,
     CONF_AT(struct draft_route, spec.sizes),
     .flags = CONF_DEFAULTS,
     .rows = sizes_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "As in defaults."},
    {.name = NULL},
};

static const char *const targets[] = {"to", "split", "redirect", "respond"};

static bool is_target(str name)
{
    for (size_t i = 0; i < array_len(targets); i++) {
        if (str_eq(name, str_of(targets[i])))
            return true;
    }
    return false;
}

/* A setting about servers, where the target is none. */
static void check_asks(struct reader *reader, const struct node *at, const char *name,
                       const struct node *target)
{
    if (target && !str_eq(target->text, STR("to")) && !str_eq(target->text, STR("split")))
        complain(reader->complaints, "C012", at->place,
                 "'%s' means nothing beside '" STR_FMT "': no server is asked", name,
                 STR_ARG(target->text));
}

/* Exactly one of to, split, redirect and respond. */
static void check_target(struct reader *reader, const struct draft_route *route,
                         bool is_whole)
{
    const struct node *item = route->item, *first = NULL;
    struct complaint *complaint;

    for (unsigned i = 0; i < item->count; i++) {
        const struct node *key = item->pairs[i].key;

        if (!is_target(key->text))
            continue;
        if (first)
            complain(reader->complaints, "C012", key->place,
                     "'" STR_FMT "' can not stand beside '" STR_FMT
                     "': a route has one target",
                     STR_ARG(key->text), STR_ARG(first->text));
        else
            first = key;
    }
    if (route->breaker)
        check_asks(reader, route->breaker, "breaker", first);
    if (route->hedge)
        check_asks(reader, route->hedge, "hedge", first);
    if (first || !is_whole)
        return;
    if (route->name)
        complaint = complain(reader->complaints, "C013", item->place,
                             "route '%s' has no target", word_of(reader, route->name));
    else
        complaint =
            complain(reader->complaints, "C013", item->place, "this route has no target");
    complaint_help(complaint, "write one of: to, split, redirect, respond");
}

static const struct node *key_of(const struct node *map, str name)
{
    const struct pair *pair = node_find(map, name);

    return pair ? pair->key : NULL;
}

static void read_one(struct reader *reader, struct node *item, struct draft_route *route)
{
    struct section section = {"routes", NULL, NULL};
    bool is_whole;

    route->item = item;
    if (!map_wanted(reader, &(struct pair){NULL, item}, route_rows))
        return;
    is_whole = section_read(reader, &section, route_rows, item, route);
    route->has_match = node_find(item, STR("match")) != NULL;
    route->hedge = key_of(item, STR("hedge"));
    check_target(reader, route, is_whole);
    if (node_find(item, STR("redirect")))
        route->spec.action = ROUTE_REDIRECT;
    else if (node_find(item, STR("respond")))
        route->spec.action = ROUTE_RESPOND;
    if (!route->spec.name.n)
        route->spec.name = arena_printf(reader->arena, "route-%u", route->spec.index + 1);
}

static void read_routes(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    struct draft *draft = reader->draft;
    struct draft_route fresh = {0};
    struct node *list = pair->value;

    draft->has_all_routes = list_wanted(reader, pair);
    if (!draft->has_all_routes)
        return;
    rows_fill(reader, route_rows, &fresh);
    fresh.spec.timeouts = draft->settings.defaults.timeouts;
    fresh.spec.retries = draft->settings.defaults.retries;
    fresh.spec.sizes = draft->settings.defaults.sizes;
    fresh.spec.forwarded = draft->settings.defaults.forwarded;
    draft->routes =
        ARENA_ARRAY(&reader->complaints->arena, struct draft_route, list->count);
    draft->route_count = list->count;
    for (unsigned i = 0; i < list->count; i++) {
        draft->routes[i] = fresh;
        draft->routes[i].spec.index = i;
        read_one(reader, list->items[i], &draft->routes[i]);
    }
}

const struct conf_form routes_form = {
    .words = "a list of routes",
    .read = read_routes,
};
