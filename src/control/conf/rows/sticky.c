/*
 * The rows of a pool's `sticky`. Which of them mean something depends on `by`, so those of
 * one kind have no default here: it is set when all are read, and what does not belong to
 * the kind is told there. The short form, `sticky: cookie`, is made long in shorthand.c.
 */
#include "control/conf/draft.h"
#include "lb/key.h"
#include "lb/sticky.h"

enum { KEYS_MOST = 16, KEY_LEAST = 32, ENTRIES = 1000000, COOKIE_PATH_MOST = 1024 };

const struct conf_choice sticky_by_choices[] = {{"cookie", STICKY_COOKIE},
                                                {"ip", STICKY_IP},
                                                {"session_id", STICKY_SESSION_ID},
                                                {NULL, 0}};
static const struct conf_choice on_down_choices[] = {
    {"rebalance", ON_DOWN_REBALANCE}, {"fail", ON_DOWN_FAIL}, {NULL, 0}};
static const struct conf_choice same_site_choices[] = {{"lax", SAME_SITE_LAX},
                                                       {"strict", SAME_SITE_STRICT},
                                                       {"none", SAME_SITE_NONE},
                                                       {NULL, 0}};

static void read_token(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (text_is_token(node->text))
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
    else
        complain_value(reader, "C029", node,
                       strcmp(row->name, "header") == 0 ? "is not the name of a header"
                                                        : "is not the name of a cookie");
}

static const struct conf_form token_form = {
    .words = "a name",
    .schema = "{\"$ref\": \"#/definitions/word\"}",
    .read = read_token,
};

static void read_query(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    for (size_t i = 0; i < node->text.n; i++) {
        unsigned char c = (unsigned char)node->text.p[i];

        if (c <= 0x20 || c >= 0x7f || strchr("&=#%+", c)) {
            complain_value(reader, "C029", node, "is not the name of a query parameter");
            return;
        }
    }
    *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form query_form = {
    .words = "the name of a query parameter",
    .schema = "{\"$ref\": \"#/definitions/word\"}",
    .read = read_query,
};

static void read_path(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    bool is_right;

    if (!node)
        return;
    is_right = node->text.n && node->text.n <= COOKIE_PATH_MOST && node->text.p[0] == '/';
    for (size_t i = 0; is_right && i < node->text.n; i++)
        is_right =
            node->text.p[i] > ' ' && node->text.p[i] < 0x7f && node->text.p[i] != ';';
    if (is_right)
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
    else
        complaint_help(
            complain_value(reader, "C029", node, "is not the path of a cookie"),
            "it begins with '/' and holds no blank and no ';', in at most %d letters",
            COOKIE_PATH_MOST);
}

static const struct conf_form path_form = {
    .words = "a path",
    .schema = "{\"type\": \"string\", \"pattern\": \"^(/|\\\\$\\\\{)\"}",
    .read = read_path,
};

/* What is wrong with a secret is told without it, and beside it: at the setting's name. */
static void read_keys(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct sticky *sticky = object;
    unsigned at = 0, count = 0;
    str *keys = ARENA_ARRAY(reader->arena, str, KEYS_MOST);
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        if (count == KEYS_MOST) {
            complain(reader->complaints, "C014", pair->key->place,
                     "'%s' holds at most %d keys", row->name, KEYS_MOST);
            return;
        }
        if (word->text.n < KEY_LEAST) {
            complaint_help(complain(reader->complaints, "C014", pair->key->place,
                                    "key %u of '%s' is shorter than %d characters",
                                    count + 1, row->name, KEY_LEAST),
                           "make one: head -c 32 /dev/urandom | base64 > /run/secrets/x, "
                           "and name it \"${file:/run/secrets/x}\"");
            return;
        }
        keys[count++] = str_keep(reader, word->text);
    }
    sticky->keys = keys;
    sticky->key_count = count;
}

static const struct conf_form keys_form = {
    .words = "a secret of at least 32 characters, or a list of them",
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"items\": "
              "{\"type\": \"string\"}}]}",
    .read = read_keys,
};

const struct conf_row sticky_rows[] = {
    {.name = "by",
     .type = CONF_CHOICE,
     CONF_AT(struct sticky, by),
     .flags = CONF_REQUIRED,
     .choices = sticky_by_choices,
     .doc = "What a client is known by: a cookie that weir sets, its address, or the "
            "session that the application has given it."},
    {.name = "on_down",
     .type = CONF_CHOICE,
     CONF_AT(struct sticky, on_down),
     .choices = on_down_choices,
     .fallback = "rebalance",
     .doc = "When its server can not take it: another one does, or the answer is 503."},
    {.name = "idle",
     .type = CONF_DURATION,
     CONF_AT(struct sticky, idle),
     .flags = CONF_OFF,
     .fallback = "off",
     .min = SECOND,
     .max = DURATION_MOST,
     .doc = "A client that does not come for so long is new."},
    {.name = "absolute",
     .type = CONF_DURATION,
     CONF_AT(struct sticky, absolute),
     .flags = CONF_OFF,
     .min = SECOND,
     .max = DURATION_MOST,
     .doc = "So long after it was first kept it is new in any case; never without this."},
    {.name = "ttl",
     .type = CONF_DURATION,
     CONF_AT(struct sticky, absolute),
     .flags = CONF_OFF,
     .min = SECOND,
     .max = DURATION_MOST,
     .doc = "Another name of absolute."},
    {.name = "name",
     .type = CONF_OWN,
     CONF_AT(struct sticky, name),
     .form = &token_form,
     .doc = "By cookie: what it is called; LB_SERVER without this."},
    {.name = "path",
     .type = CONF_OWN,
     CONF_AT(struct sticky, path),
     .form = &path_form,
     .doc = "By cookie: its Path; / without this."},
    {.name = "http_only",
     .type = CONF_FLAG,
     CONF_AT(struct sticky, http_only),
     .doc = "By cookie: scripts in pages can not read it; true without this."},
    {.name = "same_site",
     .type = CONF_CHOICE,
     CONF_AT(struct sticky, same_site),
     .choices = same_site_choices,
     .doc = "By cookie: its SameSite; lax without this. none needs secure."},
    {.name = "secure",
     .type = CONF_FLAG,
     CONF_AT(struct sticky, secure),
     .doc = "By cookie: browsers send it over HTTPS only; false without this."},
    {.name = "keys",
     .type = CONF_OWN,
     CONF_AT(struct sticky, keys),
     .flags = CONF_SECRET,
     .form = &keys_form,
     .doc = "By cookie: secrets that several weirs share; the first one seals, all of "
            "them open. Without this, keys that weir makes and keeps in state_dir."},
    {.name = "prefix_v4",
     .type = CONF_COUNT,
     CONF_AT(struct sticky, prefix_ip4),
     .min = 1,
     .max = 32,
     .doc = "By ip: bits of an IPv4 address that count; 32 without this."},
    {.name = "prefix_v6",
     .type = CONF_COUNT,
     CONF_AT(struct sticky, prefix_ip6),
     .min = 1,
     .max = 128,
     .doc = "By ip: bits of an IPv6 address that count; 64 without this."},
    {.name = "cookie",
     .type = CONF_OWN,
     CONF_AT(struct sticky, cookie),
     .form = &token_form,
     .doc = "By session_id: the application's cookie that holds it."},
    {.name = "header",
     .type = CONF_OWN,
     CONF_AT(struct sticky, header),
     .form = &token_form,
     .doc = "By session_id: the header that holds it, in requests and answers."},
    {.name = "query",
     .type = CONF_OWN,
     CONF_AT(struct sticky, query),
     .form = &query_form,
     .doc = "By session_id: the query parameter that holds it, as it is written there."},
    {.name = "entries",
     .type = CONF_COUNT,
     CONF_AT(struct sticky, entries),
     .min = 1000,
     .max = 100000000,
     .doc = "By ip and session_id: how many clients are remembered, the oldest go first; "
            "1000000 without this. Needs a restart."},
    {.name = NULL},
};

/* ---- when all are read ---- */

enum { OF_COOKIE = 1 << STICKY_COOKIE, OF_IP = 1 << STICKY_IP };
enum { OF_SESSION = 1 << STICKY_SESSION_ID };

/* Settings that only some kinds know. */
static const struct belonging {
    const char *name;
    unsigned to;
} belongings[] = {
    {"name", OF_COOKIE},      {"path", OF_COOKIE},   {"http_only", OF_COOKIE},
    {"same_site", OF_COOKIE}, {"secure", OF_COOKIE}, {"keys", OF_COOKIE},
    {"prefix_v4", OF_IP},     {"prefix_v6", OF_IP},  {"cookie", OF_SESSION},
    {"header", OF_SESSION},   {"query", OF_SESSION}, {"entries", OF_IP | OF_SESSION},
};

static void check_belongings(struct reader *reader, const struct node *map,
                             enum sticky_by by)
{
    for (size_t i = 0; i < array_len(belongings); i++) {
        const struct pair *pair = node_find(map, str_of(belongings[i].name));
        const char *help = "write 'name' for the cookie that weir sets";

        if (!pair || belongings[i].to & 1u << by)
            continue;
        if (by != STICKY_COOKIE || strcmp(belongings[i].name, "cookie") != 0)
            help = belongings[i].to & OF_COOKIE    ? "it belongs to by: cookie"
                   : belongings[i].to & OF_SESSION ? "it belongs to by: session_id"
                                                   : "it belongs to by: ip";
        complaint_help(complain(reader->complaints, "C012", pair->key->place,
                                "'%s' means nothing with by: %s", belongings[i].name,
                                sticky_by_choices[by].name),
                       "%s", help);
    }
}

static bool is_given(const struct node *map, const char *name)
{
    return node_find(map, str_of(name)) != NULL;
}

/* What the kinds have in place of what is not given. */
static void fill(const struct node *map, struct sticky *sticky)
{
    if (!sticky->name.n)
        sticky->name = STR("LB_SERVER");
    if (!sticky->path.n)
        sticky->path = STR("/");
    if (!is_given(map, "http_only"))
        sticky->http_only = true;
    if (!sticky->prefix_ip4)
        sticky->prefix_ip4 = 32;
    if (!sticky->prefix_ip6)
        sticky->prefix_ip6 = 64;
    if (!sticky->entries)
        sticky->entries = ENTRIES;
}

static void check_lifetimes(struct reader *reader, const struct node *map)
{
    const struct pair *ttl = node_find(map, STR("ttl"));

    if (ttl && is_given(map, "absolute"))
        complaint_help(complain(reader->complaints, "C012", ttl->key->place,
                                "'ttl' can not stand beside 'absolute'"),
                       "they are the same: leave one of them out");
}

static void check_kind(struct reader *reader, const struct pair *given,
                       const struct sticky *sticky)
{
    const struct pair *same_site = node_find(given->value, STR("same_site"));

    if (same_site && sticky->same_site == SAME_SITE_NONE && !sticky->secure)
        complaint_help(complain(reader->complaints, "C013", same_site->value->place,
                                "same_site: none without 'secure': browsers refuse such "
                                "a cookie"),
                       "add secure: true");
    if (sticky->by == STICKY_SESSION_ID && !is_given(given->value, "cookie") &&
        !is_given(given->value, "header") && !is_given(given->value, "query"))
        complaint_help(complain(reader->complaints, "C013", given->key->place,
                                "by: session_id does not say where the session is"),
                       "add cookie: JSESSIONID, or header, or query");
}

void sticky_settle(struct reader *reader, const struct pair *given,
                   struct draft_pool *pool)
{
    struct sticky *sticky = &pool->sticky;
    const struct pair *by;

    if (!given || given->value->kind != NODE_MAP)
        return;
    by = node_find(given->value, STR("by"));
    if (!by || by->value->is_bad || by->value->kind != NODE_WORD)
        return;
    check_belongings(reader, given->value, sticky->by);
    check_lifetimes(reader, given->value);
    check_kind(reader, given, sticky);
    fill(given->value, sticky);
    sticky->key = key_of_client(reader->arena, sticky->prefix_ip4, sticky->prefix_ip6);
    pool->sticky_by = by->value;
    sticky->pool_id = sticky_pool_id(pool->spec.name);
    pool->spec.sticky = ARENA_NEW(reader->arena, struct sticky);
    *pool->spec.sticky = *sticky;
}
