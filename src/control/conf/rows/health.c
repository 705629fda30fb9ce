/* The rows of health checks. The short forms are made long in shorthand.c. */
#include "control/conf/draft.h"
#include "proto/uri.h"

static void read_path(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    struct health_check *check = object;
    const struct node *node = word_wanted(reader, pair);
    struct uri uri;

    if (!node)
        return;
    check->is_http = true;
    if (node->text.n && node->text.p[0] == '/' && uri_split(node->text, &uri) == ERR_OK)
        check->path = str_keep(reader, node->text);
    else
        complaint_help(complain_value(reader, "C029", node, "is not a path"),
                       "write '/%s'", word_of(reader, node));
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

static bool parse_status(str text, uint16_t *out)
{
    uint64_t number;

    if (text.n != 3 || !str_to_u64(text, &number) || number < 100 || number > 599)
        return false;
    *out = (uint16_t)number;
    return true;
}

/* "204" or "200-299". */
static bool parse_range(str text, struct status_range *out)
{
    long dash = str_find_char(text, '-');
    str from = dash < 0 ? text : str_upto(text, (size_t)dash);
    str to = dash < 0 ? text : str_from(text, (size_t)dash + 1);

    return parse_status(from, &out->from) && parse_status(to, &out->to) &&
           out->from <= out->to;
}

static void read_status(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    struct health_check *check = object;
    struct vec_of(struct status_range) ranges = {0};
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        struct status_range range;

        if (parse_range(word->text, &range))
            *vec_add(&ranges, reader->arena) = range;
        else
            complaint_help(complain_value(reader, "C029", word,
                                          "is not a status or a range of statuses"),
                           "write 200, 200-299 or a list of them");
    }
    check->expect_status = ranges.items;
    check->expect_status_count = (unsigned)ranges.count;
}

static const struct conf_form status_form = {
    .words = "a status, a range (200-299), or a list of them",
    .schema = "{\"$ref\": \"#/definitions/statuses\"}",
    .read = read_status,
};

static const struct conf_row expect_rows[] = {
    {.name = "status",
     .type = CONF_OWN,
     CONF_AT(struct health_check, expect_status),
     .form = &status_form,
     .fallback = "200-299",
     .doc = "Statuses that are well."},
    {.name = "body",
     .type = CONF_OWN,
     CONF_AT(struct health_check, expect_body),
     .form = &text_form,
     .doc = "A text that must be somewhere in the body."},
    {.name = NULL},
};

const struct conf_row active_rows[] = {
    {.name = "path",
     .type = CONF_OWN,
     CONF_AT(struct health_check, path),
     .form = &path_form,
     .doc = "Asked for by GET; without it a TCP connection that stands is enough."},
    {.name = "host",
     .needs = "path",
     .type = CONF_OWN,
     CONF_AT(struct health_check, host),
     .form = &host_form,
     .doc = "The Host of the request; without it, the server's address."},
    {.name = "expect",
     .type = CONF_SECTION,
     .offset = 0,
     .rows = expect_rows,
     .word_offset = CONF_NO_FIELD,
     .needs = "path",
     .doc = "What a good answer is."},
    {.name = "interval",
     .type = CONF_DURATION,
     CONF_AT(struct health_check, interval),
     .fallback = "5s",
     .min = 10,
     .max = 24 * (uint64_t)HOUR,
     .doc = "From one check to the next."},
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
    {.name = NULL},
};

static const struct conf_choice down_choices[] = {
    {"fail", ALL_DOWN_FAIL}, {"open", ALL_DOWN_OPEN}, {NULL, 0}};

const struct conf_row health_rows[] = {
    {.name = "active",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.check),
     .flags = CONF_INLINE,
     .rows = active_rows,
     .word = "off",
     .word_offset = offsetof(struct draft_pool, spec.check.is_enabled),
     .doc = "Checks that weir makes by itself; off for none. Its settings may stand in "
            "'health' directly."},
    {.name = "when_all_down",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_pool, spec.when_all_down),
     .choices = down_choices,
     .fallback = "fail",
     .doc = "Answer 503, or try the servers all the same (open)."},
    {.name = NULL},
};
