/* The rows of `defaults`; routes have some of these sections too. */
#include "control/conf/draft.h"

const struct conf_row timeouts_rows[] = {
    {.name = "connect",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, connect),
     .fallback = "3s",
     .min = 1,
     .max = DURATION_MOST,
     .doc = "For a connection to a server to stand."},
    {.name = "request_header",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, request_header),
     .fallback = "10s",
     .min = 1,
     .max = DURATION_MOST,
     .doc = "For the whole head of a request, from its first byte."},
    {.name = "request_body",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, request_body),
     .fallback = "60s",
     .flags = CONF_OFF,
     .min = 1,
     .max = DURATION_MOST,
     .doc = "Silence of a client in the middle of a request's body."},
    {.name = "response",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, response),
     .fallback = "60s",
     .flags = CONF_OFF,
     .min = 1,
     .max = DURATION_MOST,
     .doc = "For the head of a response, from the end of the request."},
    {.name = "response_body",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, response_body),
     .fallback = "60s",
     .flags = CONF_OFF,
     .min = 1,
     .max = DURATION_MOST,
     .doc = "Silence of a server in the middle of a response's body."},
    {.name = "client_write",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, client_write),
     .fallback = "60s",
     .flags = CONF_OFF,
     .min = 1,
     .max = DURATION_MOST,
     .doc = "A client that takes nothing of what is sent to it."},
    {.name = "idle",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, idle),
     .fallback = "75s",
     .min = 1,
     .max = DURATION_MOST,
     .doc = "A client's connection between two requests."},
    {.name = "tunnel",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, tunnel),
     .fallback = "1h",
     .flags = CONF_OFF,
     .min = 1,
     .max = DURATION_MOST,
     .doc = "Silence in both directions of a WebSocket or a TCP connection."},
    {.name = "half_closed",
     .type = CONF_DURATION,
     CONF_AT(struct timeouts, half_closed),
     .fallback = "30s",
     .flags = CONF_OFF,
     .min = 1,
     .max = DURATION_MOST,
     .doc =
         "The same when one side has ended, and perhaps gone; never longer than tunnel."},
    {.name = NULL},
};

const struct conf_row sizes_rows[] = {
    {.name = "header_size",
     .type = CONF_SIZE,
     CONF_AT(struct sizes, header_size),
     .fallback = "32KiB",
     .min = 1 << 10,
     .max = 64 << 10,
     .doc = "All of a head, of a request (431) or of a response (502)."},
    {.name = "headers",
     .type = CONF_COUNT,
     CONF_AT(struct sizes, headers),
     .fallback = "100",
     .min = 1,
     .max = 1000,
     .doc = "Fields in one head."},
    {.name = "uri",
     .type = CONF_SIZE,
     CONF_AT(struct sizes, uri),
     .fallback = "8KiB",
     .min = 64,
     .max = 1 << 20,
     .doc = "A request's target (414)."},
    {.name = "body",
     .type = CONF_SIZE64,
     CONF_AT(struct sizes, body),
     .fallback = "100MiB",
     .flags = CONF_OFF,
     .min = 0,
     .max = (uint64_t)1 << 60,
     .doc = "A request's body (413); off is no limit. It is streamed, not held."},
    {.name = "buffer",
     .type = CONF_SIZE,
     CONF_AT(struct sizes, buffer),
     .fallback = "64KiB",
     .min = 4 << 10,
     .max = 16 << 20,
     .doc = "Of a body, held in memory in each direction."},
    {.name = NULL},
};

static const struct conf_choice retry_choices[] = {
    {"connect_error", RETRY_CONNECT_ERROR},
    {"reset_before_response", RETRY_RESET_BEFORE_RESPONSE},
    {"response_timeout", RETRY_RESPONSE_TIMEOUT},
    {"429", RETRY_429},
    {"500", RETRY_500},
    {"502", RETRY_502},
    {"503", RETRY_503},
    {"504", RETRY_504},
    {NULL, 0},
};

static void read_on_errors(struct reader *reader, const struct conf_row *row,
                           const struct pair *pair, void *object)
{
    uint32_t bits = 0;
    unsigned at = 0;
    const struct node *word;

    while ((word = words_next(reader, pair, &at))) {
        const struct conf_choice *choice = retry_choices;

        while (choice->name && !str_eq(word->text, str_of(choice->name)))
            choice++;
        if (choice->name)
            bits |= (uint32_t)choice->value;
        else
            complain_choice(reader, row->name, word, retry_choices);
    }
    *CONF_FIELD(object, row, uint32_t) = bits;
}

static const struct conf_form on_errors_form = {
    .words =
        "a list of connect_error, reset_before_response, response_timeout, 429, 500, "
        "502, 503, 504",
    .schema = "{\"$ref\": \"#/definitions/on_errors\"}",
    .read = read_on_errors,
};

static const struct conf_choice methods_choices[] = {
    {"idempotent", false}, {"all", true}, {NULL, 0}};

static void read_methods(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (str_eq(node->text, STR("idempotent")) || str_eq(node->text, STR("all")))
        *CONF_FIELD(object, row, bool) = str_eq(node->text, STR("all"));
    else
        complain_choice(reader, row->name, node, methods_choices);
}

static const struct conf_form methods_form = {
    .words = "idempotent, or all",
    .schema = "{\"enum\": [\"idempotent\", \"all\"]}",
    .read = read_methods,
};

static const struct conf_row budget_rows[] = {
    {.name = "share",
     .type = CONF_PERCENT,
     CONF_AT(struct retries, budget_share),
     .fallback = "20%",
     .max = 100,
     .doc = "Retries at once, as a share of the pool's requests in flight."},
    {.name = "floor",
     .type = CONF_COUNT,
     CONF_AT(struct retries, budget_floor),
     .fallback = "3",
     .max = 1000000,
     .doc = "Retries at once that are always allowed."},
    {.name = NULL},
};

const struct conf_row retries_rows[] = {
    {.name = "count",
     .type = CONF_COUNT,
     CONF_AT(struct retries, count),
     .flags = CONF_LEAD,
     .fallback = "2",
     .max = 8,
     .doc = "Tries after the first."},
    {.name = "on_errors",
     .type = CONF_OWN,
     CONF_AT(struct retries, on_errors),
     .form = &on_errors_form,
     .fallback = "[connect_error, reset_before_response]",
     .doc = "After what to try again; a status that a server answered only when it is "
            "named. A failure before a byte was sent costs no budget and is retried for "
            "every method."},
    {.name = "methods",
     .type = CONF_OWN,
     CONF_AT(struct retries, all_methods),
     .form = &methods_form,
     .fallback = "idempotent",
     .doc = "Which requests may be sent twice."},
    {.name = "backoff",
     .type = CONF_DURATION,
     CONF_AT(struct retries, backoff),
     .fallback = "off",
     .flags = CONF_OFF,
     .min = 1,
     .max = 60000,
     .doc =
         "How long a retry waits at most before it is sent: a random time up to this, "
         "doubled with every further retry up to 16 times this. off sends it at once."},
    {.name = "budget",
     .type = CONF_SECTION,
     .offset = 0,
     .rows = budget_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Keeps retries from becoming a storm."},
    {.name = NULL},
};

static const struct conf_row forwarded_rows[] = {
    {.name = "x_forwarded",
     .type = CONF_FLAG,
     CONF_AT(struct forwarded, x_forwarded),
     .fallback = "true",
     .doc = "Send X-Forwarded-For, -Proto and -Host to servers."},
    {.name = "forwarded",
     .type = CONF_FLAG,
     CONF_AT(struct forwarded, forwarded),
     .fallback = "false",
     .doc = "Send Forwarded (RFC 7239) to servers."},
    {.name = "request_id",
     .type = CONF_OWN,
     CONF_AT(struct forwarded, request_id),
     .form = &header_name_form,
     .fallback = "X-Request-Id",
     .doc = "The header that carries a request's id; off for none."},
    {.name = NULL},
};

const struct conf_row defaults_rows[] = {
    {.name = "timeouts",
     .type = CONF_SECTION,
     CONF_AT(struct defaults, timeouts),
     .rows = timeouts_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "How long each phase may take."},
    {.name = "retries",
     .type = CONF_SECTION,
     CONF_AT(struct defaults, retries),
     .rows = retries_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "When a request is given to another server."},
    {.name = "sizes",
     .type = CONF_SECTION,
     CONF_AT(struct defaults, sizes),
     .rows = sizes_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Bounds of one message."},
    {.name = "forwarded",
     .type = CONF_SECTION,
     CONF_AT(struct defaults, forwarded),
     .rows = forwarded_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "What servers are told of the client."},
    {.name = NULL},
};
