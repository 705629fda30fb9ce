/* The rows of `health`: what decides whether a server is well. How servers are asked is in
 * health_check.c. */
#include "control/conf/draft.h"
#include "control/conf/value.h"
#include "proto/names.h"

static const struct conf_choice down_choices[] = {
    {"fail", ALL_DOWN_FAIL}, {"open", ALL_DOWN_OPEN}, {NULL, 0}};

static const struct conf_row passive_rows[] = {
    {.name = "failures",
     .type = CONF_COUNT,
     CONF_AT(struct passive, failures),
     .fallback = "5",
     .min = 1,
     .max = 1000,
     .doc = "Failed requests in a row that eject a server: no connection, a broken one, "
            "silence, an answer that is not HTTP, or status 500, 502, 503 or 504."},
    {.name = "error_rate",
     .type = CONF_PERCENT,
     CONF_AT(struct passive, error_rate),
     .fallback = "off",
     .flags = CONF_OFF,
     .min = 1,
     .max = 100,
     .doc = "A larger share of failures within 'within' ejects it, too."},
    {.name = "latency",
     .type = CONF_COUNT,
     CONF_AT(struct passive, latency),
     .fallback = "off",
     .flags = CONF_OFF,
     .min = 1,
     .max = 100,
     .doc = "So many median deviations above the median of the pool's servers (and at "
            "least twice it and 25 ms more) a mean time to first byte within 'within' "
            "ejects it, too; 3 is a good value."},
    {.name = "within",
     .type = CONF_DURATION,
     CONF_AT(struct passive, within),
     .fallback = "10s",
     .min = 1000,
     .max = HOUR,
     .doc = "How far back error_rate and latency look."},
    {.name = "samples",
     .type = CONF_COUNT,
     CONF_AT(struct passive, samples),
     .fallback = "20",
     .min = 1,
     .max = 1000000,
     .doc = "Requests within 'within' below which error_rate and latency say nothing."},
    {.name = "eject",
     .type = CONF_DURATION,
     CONF_AT(struct passive, eject),
     .fallback = "10s",
     .min = 100,
     .max = 24 * (uint64_t)HOUR,
     .doc = "How long it rests, times how often it was ejected lately."},
    {.name = "eject_max",
     .type = CONF_DURATION,
     CONF_AT(struct passive, eject_max),
     .fallback = "5m",
     .min = 100,
     .max = 24 * (uint64_t)HOUR,
     .doc = "The longest rest."},
    {.name = "max_ejected",
     .type = CONF_PERCENT,
     CONF_AT(struct passive, max_ejected),
     .fallback = "50%",
     .max = 100,
     .doc =
         "Never more than this share of the servers rests at once, nor the last usable "
         "one."},
    {.name = NULL},
};

/* It is taken out of answers: none that clients or weir need. */
static void read_load_header(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    str *name = CONF_FIELD(object, row, str);

    if (!node)
        return;
    if (word_is_off(node->text))
        *name = STR("");
    else if (!text_is_token(node->text))
        complain_value(reader, "C029", node, "is not the name of a header");
    else if (name_find(node->text) != NAME_OTHER)
        complaint_help(
            complain_value(reader, "C029", node, "is a header that has another meaning"),
            "use one that servers set for this alone: X-Server-Load");
    else
        *name = str_keep(reader, node->text);
}

static const struct conf_form load_header_form = {
    .words = "the name of a header, or off",
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"const\": false}]}",
    .read = read_load_header,
};

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
    {.name = "passive",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.passive),
     .rows = passive_rows,
     .word = "off",
     .word_offset = offsetof(struct draft_pool, spec.passive.is_enabled),
     .fallback = "off",
     .doc = "Servers whose answers to requests are bad rest for a while."},
    {.name = "load_header",
     .type = CONF_OWN,
     CONF_AT(struct draft_pool, spec.load_header),
     .form = &load_header_form,
     .fallback = "off",
     .doc = "A header of answers in which servers say how much they can take, in the "
            "words of agents: 75%, drain, maxconn:50, down, up. Clients do not see it."},
    {.name = "when_all_down",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_pool, spec.when_all_down),
     .choices = down_choices,
     .fallback = "fail",
     .doc = "Answer 503, or try the servers all the same (open)."},
    {.name = NULL},
};
