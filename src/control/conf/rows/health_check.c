/*
 * The rows of `health.active`: how servers are asked. The short forms are made long in
 * shorthand.c. Which settings stand there decides the kind of check (`path`: HTTP, and so
 * on); that only one kind is meant is looked at when all rows have been read.
 */
#include "control/conf/draft.h"
#include "proto/names.h"
#include "proto/uri.h"

static void read_path(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    struct uri uri;

    if (!node)
        return;
    if (node->text.n && node->text.p[0] == '/' && uri_split(node->text, &uri) == ERR_OK)
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
    else
        help_path(reader, complain_value(reader, "C029", node, "is not a path"),
                  node->text);
}

static const struct conf_form path_form = {
    .words = "a path, with or without a query",
    .schema = "{\"type\": \"string\", \"pattern\": \"^(/|\\\\$\\\\{)\"}",
    .read = read_path,
};

static void read_host(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (uri_check_authority(node->text))
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
    else
        complain_value(reader, "C026", node, "is not a host name");
}

static const struct conf_form host_form = {
    .words = "a host name",
    .schema = "{\"type\": \"string\"}",
    .read = read_host,
};

static bool is_upper_token(str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 'a' && text.p[i] <= 'z')
            return false;
    return text_is_token(text);
}

static void read_method(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (is_upper_token(node->text) && method_find(node->text) != HTTP_CONNECT)
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
    else
        complaint_help(complain_value(reader, "C029", node, "is not a method to ask by"),
                       "write GET, HEAD, POST or another one in capital letters");
}

static const struct conf_form method_form = {
    .words = "a method in capital letters",
    .schema = "{\"$ref\": \"#/definitions/word\"}",
    .read = read_method,
};

static bool check_header(struct reader *reader, const struct pair *pair)
{
    enum field_name known = name_find(pair->key->text);

    if (!text_is_token(pair->key->text)) {
        complain_value(reader, "C029", pair->key, "is not the name of a header");
        return false;
    }
    if (known == NAME_HOST || name_is_hop_by_hop(known)) {
        struct complaint *complaint = complain_value(
            reader, "C029", pair->key, "is a header that weir itself writes");

        if (known == NAME_HOST)
            complaint_help(complaint, "use the check's setting host");
        return false;
    }
    if (!word_wanted(reader, pair))
        return false;
    if (text_has_control(pair->value->text)) {
        complain(reader->complaints, "C029", pair->value->place,
                 "the value of a header can not hold a line end or another control byte");
        return false;
    }
    return true;
}

static void read_headers(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    struct check_request *request = CONF_FIELD(object, row, struct check_request);
    struct vec_of(struct check_header) headers = {0};

    if (!map_wanted(reader, pair, NULL))
        return;
    for (unsigned i = 0; i < pair->value->count; i++) {
        const struct pair *one = &pair->value->pairs[i];

        if (check_header(reader, one))
            *vec_add(&headers, reader->arena) = (struct check_header){
                str_keep(reader, one->key->text), str_keep(reader, one->value->text)};
    }
    request->headers = headers.items;
    request->header_count = (unsigned)headers.count;
}

static const struct conf_form headers_form = {
    .words = "a map of names to values",
    .schema = "{\"$ref\": \"#/definitions/values\"}",
    .read = read_headers,
};

/* ---- talks ---- */

/* The one step of the short form. */
static void read_step_part(struct reader *reader, const struct conf_row *row,
                           const struct pair *pair, void *object)
{
    struct health_check *check = object;
    const struct node *node = word_wanted(reader, pair);
    struct check_step *step = check->step_count == 1
                                  ? (struct check_step *)(uintptr_t)check->steps
                                  : ARENA_NEW(reader->arena, struct check_step);

    if (node)
        *CONF_FIELD(step, row, str) = str_keep(reader, node->text);
    check->steps = step;
    check->step_count = 1;
}

static const struct conf_form step_part_form = {
    .words = "any text",
    .schema = "{\"type\": \"string\"}",
    .read = read_step_part,
};

static const struct conf_row step_rows[] = {
    {.name = "send",
     .type = CONF_OWN,
     CONF_AT(struct check_step, send),
     .form = &text_form,
     .doc = "What is sent first."},
    {.name = "expect",
     .type = CONF_OWN,
     CONF_AT(struct check_step, expect),
     .form = &text_form,
     .doc = "A text that must come before the next step; without it nothing is waited "
            "for."},
    {.name = NULL},
};

static void read_steps(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    struct health_check *check = object;
    struct section section = {row->name, NULL, NULL};
    struct check_step *steps;

    if (!list_wanted(reader, pair))
        return;
    steps = ARENA_ARRAY(reader->arena, struct check_step, pair->value->count);
    for (unsigned i = 0; i < pair->value->count; i++) {
        struct node *item = pair->value->items[i];

        if (map_wanted(reader, &(struct pair){NULL, item}, step_rows))
            section_read(reader, &section, step_rows, item, &steps[i]);
    }
    check->steps = steps;
    check->step_count = pair->value->count;
}

static const struct conf_form steps_form = {
    .words = "a list of steps",
    .read = read_steps,
};

/* ---- programs ---- */

/* {x} with a word in it that means nothing here. */
static bool check_facts(struct reader *reader, const struct node *word)
{
    static const char *const facts[] = {"{address}", "{port}", "{pool}", "{server}"};
    str rest = word->text;
    long at;

    while ((at = str_find_char(rest, '{')) >= 0) {
        bool is_known = false;
        long end;

        rest = str_from(rest, (size_t)at);
        end = str_find_char(rest, '}');
        for (unsigned i = 0; i < array_len(facts); i++)
            is_known |= str_starts(rest, str_of(facts[i]));
        if (!is_known && end > 1 && text_is_token(str_slice(rest.p + 1, rest.p + end))) {
            complaint_help(complain_value(reader, "C029", word,
                                          "holds a word in braces that means nothing"),
                           "there are {address}, {port}, {pool} and {server}");
            return false;
        }
        rest = str_from(rest, 1);
    }
    return true;
}

static void read_exec(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct health_check *check = object;
    struct vec_of(str) words = {0};
    unsigned at = 0;
    const struct node *word;

    if (!list_wanted(reader, pair))
        return;
    if (!pair->value->count)
        complain(reader->complaints, "C013", pair->key->place, "'exec' is empty");
    while ((word = words_next(reader, pair, &at))) {
        if (at == 1 && !str_starts(word->text, STR("/")))
            complaint_help(complain_value(reader, "C029", word, "is not a whole path"),
                           "write where the program is: /usr/lib/weir/check");
        else if (check_facts(reader, word))
            *vec_add(&words, reader->arena) = str_keep(reader, word->text);
    }
    check->program = words.items;
    check->program_count = (unsigned)words.count;
}

static const struct conf_form exec_form = {
    .words = "a list: a program's path, and its arguments",
    .schema = "{\"type\": \"array\", \"items\": {\"$ref\": \"#/definitions/word\"}}",
    .read = read_exec,
};

const struct conf_choice check_kind_choices[] = {{"postgres", CHECK_BY_POSTGRES},
                                                 {"mysql", CHECK_BY_MYSQL},
                                                 {"redis", CHECK_BY_REDIS},
                                                 {"smtp", CHECK_BY_SMTP},
                                                 {NULL, 0}};

static const struct conf_choice tcp_choices[] = {{"true", 0}, {NULL, 0}};

/* ---- agents ---- */

static const struct conf_row agent_rows[] = {
    {.name = "port",
     .type = CONF_COUNT,
     .flags = CONF_REQUIRED,
     CONF_AT(struct agent_check, port),
     .min = 1,
     .max = 65535,
     .doc = "Where it listens, at the server's address."},
    {.name = "interval",
     .type = CONF_DURATION,
     CONF_AT(struct agent_check, interval),
     .fallback = "5s",
     .min = 10,
     .max = 24 * (uint64_t)HOUR,
     .doc = "From one question to the next."},
    {.name = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct agent_check, timeout),
     .fallback = "2s",
     .min = 1,
     .max = HOUR,
     .doc = "For the whole answer."},
    {.name = "send",
     .type = CONF_OWN,
     CONF_AT(struct agent_check, send),
     .form = &text_form,
     .doc = "Sent as soon as the connection stands."},
    {.name = NULL},
};

/* ---- all of it ---- */

const struct conf_row active_rows[] = {
    {.name = "path",
     .type = CONF_OWN,
     CONF_AT(struct health_check, request.path),
     .form = &path_form,
     .doc = "Asked for by HTTP; without it a TCP connection that stands is enough."},
    {.name = "host",
     .needs = "path",
     .type = CONF_OWN,
     CONF_AT(struct health_check, request.host),
     .form = &host_form,
     .doc = "The Host of the request; without it, the server's address."},
    {.name = "method",
     .needs = "path",
     .type = CONF_OWN,
     CONF_AT(struct health_check, request.method),
     .form = &method_form,
     .fallback = "GET",
     .doc = "How it is asked for."},
    {.name = "headers",
     .needs = "path",
     .type = CONF_OWN,
     CONF_AT(struct health_check, request),
     .form = &headers_form,
     .doc = "What the request says besides."},
    {.name = "expect",
     .type = CONF_SECTION,
     CONF_AT(struct health_check, expect),
     .rows = expect_rows,
     .word_offset = CONF_NO_FIELD,
     .needs = "path",
     .doc = "What a good answer is."},
    {.name = "json",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     CONF_AT(struct health_check, expect.json),
     .rows = json_rows,
     .word_offset = CONF_NO_FIELD,
     .needs = "path",
     .doc = "What the body must say, which is then JSON of at most 64 KiB."},
    {.name = "tcp",
     .type = CONF_CHOICE,
     .offset = CONF_NO_FIELD,
     .choices = tcp_choices,
     .doc = "A TCP connection that stands is enough, or what `send` and `expect_text` "
            "say. The same as nothing of all this."},
    {.name = "send",
     .type = CONF_OWN,
     CONF_AT(struct check_step, send),
     .form = &step_part_form,
     .doc =
         "Sent as soon as the connection stands. In double quotes \\r and \\n are ends "
         "of lines."},
    {.name = "expect_text",
     .type = CONF_OWN,
     CONF_AT(struct check_step, expect),
     .form = &step_part_form,
     .doc = "A text that must be somewhere in what the server says."},
    {.name = "steps",
     .type = CONF_LIST,
     .offset = CONF_NO_FIELD,
     .rows = step_rows,
     .form = &steps_form,
     .doc = "A longer talk: what to send and what to wait for, one after the other."},
    {.name = "kind",
     .type = CONF_CHOICE,
     CONF_AT(struct health_check, kind),
     .choices = check_kind_choices,
     .doc = "The first words of that protocol; nobody logs in."},
    {.name = "exec",
     .type = CONF_OWN,
     .offset = 0,
     .form = &exec_form,
     .doc =
         "A program that is run as weir's user, with an empty environment but for "
         "WEIR_ADDRESS, WEIR_PORT, WEIR_POOL and WEIR_SERVER. It ends with status 0 when "
         "the server is well; its last line is the reason. {address}, {port}, {pool} "
         "and {server} may stand in the arguments."},
    {.name = "port",
     .type = CONF_COUNT,
     CONF_AT(struct health_check, port),
     .min = 1,
     .max = 65535,
     .doc = "The port that is asked; without it, the server's own."},
    {.name = "interval",
     .type = CONF_DURATION,
     CONF_AT(struct health_check, interval),
     .fallback = "5s",
     .min = 10,
     .max = 24 * (uint64_t)HOUR,
     .doc = "From one check to the next."},
    {.name = "fast_interval",
     .type = CONF_DURATION,
     .flags = CONF_OFF,
     CONF_AT(struct health_check, fast_interval),
     .fallback = "1s",
     .min = 10,
     .max = 24 * (uint64_t)HOUR,
     .doc = "The same while the state is in doubt: from a first failure, or a first "
            "success, until it is decided."},
    {.name = "max_interval",
     .type = CONF_DURATION,
     .flags = CONF_OFF,
     CONF_AT(struct health_check, max_interval),
     .fallback = "off",
     .min = 10,
     .max = 24 * (uint64_t)HOUR,
     .doc = "How far the interval grows while all is well: it doubles with every ten "
            "checks passed in a row."},
    {.name = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct health_check, timeout),
     .fallback = "2s",
     .min = 1,
     .max = HOUR,
     .doc = "For the whole check."},
    {.name = "unhealthy_after",
     .type = CONF_COUNT,
     CONF_AT(struct health_check, unhealthy_after),
     .fallback = "3",
     .min = 1,
     .max = 1000,
     .doc = "Failures in a row that make a server down."},
    {.name = "healthy_after",
     .type = CONF_COUNT,
     CONF_AT(struct health_check, healthy_after),
     .fallback = "2",
     .min = 1,
     .max = 1000,
     .doc = "Successes in a row that bring it back."},
    {.name = "jitter",
     .type = CONF_PERCENT,
     CONF_AT(struct health_check, jitter),
     .fallback = "20%",
     .max = 100,
     .doc = "How much of the interval is left to chance, so that checks do not march in "
            "step."},
    {.name = "agent",
     .type = CONF_SECTION,
     .flags = CONF_OPTIONAL,
     CONF_AT(struct health_check, agent),
     .rows = agent_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Beside the server, a small program that says how much it can take: 75%, "
            "drain, maxconn:50, down, up."},
    {.name = NULL},
};

/* ---- what rows alone can not say ---- */

/* Settings that say which kind of check it is; CHECK_KIND_COUNT: their value does. */
static const struct claim {
    const char *name;
    enum check_kind kind;
} claims[] = {
    {"tcp", CHECK_BY_CONNECT},  {"path", CHECK_BY_HTTP},
    {"send", CHECK_BY_SCRIPT},  {"expect_text", CHECK_BY_SCRIPT},
    {"steps", CHECK_BY_SCRIPT}, {"kind", CHECK_KIND_COUNT},
    {"exec", CHECK_BY_PROGRAM},
};

static const struct claim *claim_of(str name)
{
    for (unsigned i = 0; i < array_len(claims); i++)
        if (str_eq(name, str_of(claims[i].name)))
            return &claims[i];
    return NULL;
}

/* Send and expect_text go together, and with tcp; steps only with tcp. */
static bool goes_with(const struct claim *one, const struct claim *other)
{
    bool has_tcp = one->kind == CHECK_BY_CONNECT || other->kind == CHECK_BY_CONNECT;
    bool has_steps = strcmp(one->name, "steps") == 0 || strcmp(other->name, "steps") == 0;

    if (has_tcp)
        return one->kind == CHECK_BY_SCRIPT || other->kind == CHECK_BY_SCRIPT;
    return one->kind == other->kind && !has_steps;
}

/* A server is checked in one way: C012 at the second one. */
static void settle_kind(struct reader *reader, const struct node *active,
                        struct health_check *check)
{
    const struct claim *first = NULL;

    for (unsigned i = 0; i < active->count; i++) {
        const struct node *key = active->pairs[i].key;
        const struct claim *claim = claim_of(key->text);

        if (!claim)
            continue;
        if (first && !goes_with(first, claim)) {
            complaint_help(complain(reader->complaints, "C012", key->place,
                                    "'%s' can not stand beside '%s'", claim->name,
                                    first->name),
                           "a server is checked in one way: use one or the other");
            return;
        }
        if (!first || first->kind == CHECK_BY_CONNECT)
            first = claim;
    }
    if (first && first->kind != CHECK_KIND_COUNT)
        check->kind = first->kind;
}

static const struct node *word_at(const struct node *map, str name)
{
    const struct pair *pair = node_find(map, name);

    return pair && pair->value->kind == NODE_WORD ? pair->value : NULL;
}

/* The check must have an answer before the next one is due. */
static void check_overlap(struct reader *reader, const struct node *active,
                          const struct health_check *check)
{
    const struct node *timeout = word_at(active, STR("timeout"));
    const struct node *interval = word_at(active, STR("interval"));
    const struct node *at = timeout ? timeout : interval;

    if (!at || check->timeout <= check->interval)
        return;
    complaint_help(
        complain(reader->complaints, "C040", at->place,
                 "health timeout (%s) is longer than the interval (%s): checks "
                 "will overlap",
                 timeout ? word_of(reader, timeout) : "2s",
                 interval ? word_of(reader, interval) : "5s"),
        "keep timeout below interval; the default is 2s of 5s");
}

/* An interval for special times that is no other than the usual one. */
static void check_special(struct reader *reader, const struct node *active,
                          const char *name, bool is_idle, const char *what)
{
    const struct node *given = word_at(active, str_of(name));
    const struct node *interval = word_at(active, STR("interval"));

    if (!given || !is_idle)
        return;
    complain(reader->complaints, "W110", given->place,
             "%s (%s) is not %s than the interval (%s): it changes nothing", name,
             word_of(reader, given), what, interval ? word_of(reader, interval) : "5s");
}

static void check_steps(struct reader *reader, const struct node *active,
                        const struct health_check *check)
{
    const struct pair *given = node_find(active, STR("steps"));
    const struct node *list = given ? given->value : NULL;

    if (!list || list->kind != NODE_LIST || check->step_count != list->count)
        return;
    if (!list->count)
        complain(reader->complaints, "C013", given->key->place, "'steps' is empty");
    for (unsigned i = 0; i < list->count; i++)
        if (list->items[i]->kind == NODE_MAP && !list->items[i]->count)
            complain(reader->complaints, "C013", list->items[i]->place,
                     "'send' or 'expect' is missing in this step");
}

void health_check_settle(struct reader *reader, const struct node *active,
                         struct health_check *check)
{
    if (!check->is_enabled || active->kind != NODE_MAP)
        return;
    settle_kind(reader, active, check);
    check_steps(reader, active, check);
    check_overlap(reader, active, check);
    check_special(reader, active, "fast_interval",
                  check->fast_interval && check->fast_interval >= check->interval,
                  "shorter");
    check_special(reader, active, "max_interval",
                  check->max_interval && check->max_interval <= check->interval,
                  "longer");
}
