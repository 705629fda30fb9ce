/* Small pages. Every text from outside is escaped by the JSON writer or not shown. */
#include "proxy/reply.h"

#include "base/json.h"
#include "lb/template.h"
#include "proto/names.h"
#include "proxy/facts.h"

enum { PAGE_ROOM = 1024, REPLY_FIELDS = 16, LOCATION_MOST = 64 * 1024 };
enum { RETRY_AFTER = 5 /* seconds, where nothing better is known */ };

static void begin(struct exchange *x, unsigned status)
{
    unsigned room = REPLY_FIELDS + (x->route ? x->route->response_headers.count : 0);
    struct field *fields = arena_alloc(&x->arena, sizeof *fields * room);

    x->response = (struct head){.fields = fields,
                                .field_room = room,
                                .status = status,
                                .reason = status_reason(status),
                                .framing = FRAMING_LENGTH};
    x->reply = STR("");
    x->flags |= EXCHANGE_OWN_REPLY;
}

static void add(struct exchange *x, enum field_name known, str name, str value)
{
    if (!head_add(&x->response, known, name, value))
        x->cause = CAUSE_INTERNAL; /* more edits than a head may have fields */
}

static void set_body(struct exchange *x, str body, str type)
{
    bool has_none = x->response.status == 204 || x->response.status == 304;

    if (!has_none)
        add(x, NAME_CONTENT_TYPE, STR("Content-Type"), type);
    x->reply = has_none || x->request.method == HTTP_HEAD ? STR("") : body;
    x->response.content_length = has_none ? 0 : body.n;
    x->response.framing =
        has_none || x->request.method == HTTP_HEAD ? FRAMING_NONE : FRAMING_LENGTH;
    if (x->request.method == HTTP_HEAD && !has_none)
        x->response.flags |= HEAD_LENGTH_SAID;
}

/* Does the client like JSON better than text? The first of the two that Accept names. */
static bool prefers_json(const struct exchange *x)
{
    const struct field *accept = head_find(&x->request, NAME_ACCEPT);
    long json, text;

    if (!accept)
        return false;
    json = str_find(accept->value, STR("application/json"));
    text = str_find(accept->value, STR("text/"));
    return json >= 0 && (text < 0 || json < text);
}

/* A client that was refused for its bytes: nothing behind them can be trusted. */
static bool is_out_of_step(unsigned status)
{
    return status == 400 || status == 408 || status == 413 || status == 414 ||
           status == 431 || status == 505;
}

/* The built-in texts. */
static void set_plain(struct exchange *x, str cause_word, const char *why)
{
    struct text page = text_in(arena_alloc(&x->arena, PAGE_ROOM), PAGE_ROOM);
    unsigned status = x->response.status;

    if (prefers_json(x)) {
        struct json json = json_on(&page);

        json_object(&json);
        json_key(&json, STR("status"));
        json_u64(&json, status);
        json_key(&json, STR("cause"));
        json_string(&json, cause_word);
        json_key(&json, STR("message"));
        json_string(&json, str_of(why));
        json_key(&json, STR("request_id"));
        json_string(&json, x->request_id);
        json_object_end(&json);
        text_char(&page, '\n');
        set_body(x, text_str(&page), STR("application/json"));
    } else {
        text_format(&page, "%u " STR_FMT "\nweir: %s\nrequest id: " STR_FMT "\n", status,
                    STR_ARG(x->response.reason), why, STR_ARG(x->request_id));
        set_body(x, text_str(&page), STR("text/plain; charset=utf-8"));
    }
}

/* What every answer of ours to something that went wrong is like. page: NULL or without a
 * body: the built-in text. retry_after: seconds; 0: nothing is said. */
struct refusal {
    unsigned status;
    enum cause cause;
    const char *why;
    uint32_t retry_after;
    const struct page *page;
};

static enum flow refuse(struct exchange *x, const struct refusal *refusal)
{
    const struct page *page = refusal->page;
    unsigned status = refusal->status;
    str cause_word = str_of(cause_text(refusal->cause));

    if (!x->request_id.p)
        exchange_make_id(x);
    begin(x, status);
    x->cause = refusal->cause;
    if (is_out_of_step(status))
        x->flags &= ~(unsigned)EXCHANGE_KEEP_FRONT;
    if (page && page->body.n && (page->is_json || !prefers_json(x)))
        set_body(x, page->body, page->content_type);
    else
        set_plain(x, cause_word, refusal->why);
    add(x, NAME_OTHER, STR("Weir-Cause"), cause_word);
    add(x, NAME_X_REQUEST_ID, STR("X-Request-Id"), x->request_id);
    if (refusal->retry_after)
        add(x, NAME_RETRY_AFTER, STR("Retry-After"),
            arena_printf(&x->arena, "%u", refusal->retry_after));
    if (status == 405)
        add(x, NAME_OTHER, STR("Allow"),
            STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    if (status == 426)
        add(x, NAME_SEC_WEBSOCKET_VERSION, STR("Sec-WebSocket-Version"), STR("13"));
    return FLOW_REPLY;
}

/* The user's page for that status; NULL: none. */
static const struct page *error_page(const struct exchange *x, unsigned status)
{
    const struct page **errors = x->snapshot->pages.errors;

    return errors && status - ERROR_FIRST < ERROR_COUNT ? errors[status - ERROR_FIRST]
                                                        : NULL;
}

enum flow reply_error(struct exchange *x, unsigned status, enum cause cause,
                      const char *why)
{
    struct refusal refusal = {status, cause, why, status == 503 ? RETRY_AFTER : 0,
                              error_page(x, status)};

    return refuse(x, &refusal);
}

enum flow reply_later(struct exchange *x, enum cause cause, const char *why,
                      uint32_t seconds)
{
    struct refusal refusal = {503, cause, why, seconds, error_page(x, 503)};

    return refuse(x, &refusal);
}

static const struct page *named_page(const struct exchange *x, str name)
{
    const struct page_book *pages = &x->snapshot->pages;

    for (unsigned i = 0; name.n && i < pages->count; i++)
        if (str_eq(pages->items[i].name, name))
            return &pages->items[i];
    return NULL;
}

enum flow reply_page(struct exchange *x, str name, enum cause cause, const char *why)
{
    const struct page *page = named_page(x, name);
    struct refusal refusal = {503, cause, why, RETRY_AFTER, page};

    if (!page)
        return reply_error(x, 503, cause, why);
    refusal.status = page->status;
    if (page->retry_after || page->status != 503)
        refusal.retry_after = page->retry_after;
    if (!page->body.n)
        refusal.page = error_page(x, page->status);
    return refuse(x, &refusal);
}

enum flow reply_respond(struct exchange *x, const struct respond *respond)
{
    begin(x, respond->status);
    set_body(x, respond->body, respond->content_type);
    return FLOW_REPLY;
}

enum flow reply_redirect(struct exchange *x, const struct redirect *redirect)
{
    struct template_facts facts = exchange_facts(x);
    str to = template_render_in(redirect->compiled, &facts, &x->arena, LOCATION_MOST);

    if (!to.p)
        return reply_error(x, 431, CAUSE_TOO_LARGE,
                           "what was asked for makes the redirect's target too long");
    begin(x, redirect->status);
    add(x, NAME_LOCATION, STR("Location"), to);
    set_body(x, STR(""), STR("text/plain; charset=utf-8"));
    return FLOW_REPLY;
}
