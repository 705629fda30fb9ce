/*
 * Runs llhttp over a request head and notes what it says. Spans come in pieces, but each
 * piece is of the input, so that first and last make the whole.
 */
#include "llhttp_view.h"

#include <llhttp.h>

static str joined(str s, const char *at, size_t n)
{
    return s.p ? str_slice(s.p, at + n) : (str){at, n};
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct llhttp_view *view = parser->data;

    view->target = joined(view->target, at, n);
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t n)
{
    struct llhttp_view *view = parser->data;

    if (view->names_count < VIEW_FIELDS_MOST)
        view->names[view->names_count] = joined(view->names[view->names_count], at, n);
    return 0;
}

static int on_name_end(llhttp_t *parser)
{
    struct llhttp_view *view = parser->data;

    if (view->names_count < VIEW_FIELDS_MOST)
        view->names_count++;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
    struct llhttp_view *view = parser->data;

    if (view->values_count < VIEW_FIELDS_MOST)
        view->values[view->values_count] =
            joined(view->values[view->values_count], at, n);
    return 0;
}

static int on_value_end(llhttp_t *parser)
{
    struct llhttp_view *view = parser->data;

    if (view->values_count < VIEW_FIELDS_MOST)
        view->values_count++;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct llhttp_view *view = parser->data;

    view->is_done = true;
    return HPE_PAUSED;
}

void llhttp_view_read(struct llhttp_view *view, str bytes)
{
    static const llhttp_settings_t settings = {
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_field_complete = on_name_end,
        .on_header_value = on_value,
        .on_header_value_complete = on_value_end,
        .on_headers_complete = on_headers_complete,
    };
    llhttp_t parser;
    enum llhttp_errno number;

    *view = (struct llhttp_view){0};
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = view;
    number = llhttp_execute(&parser, bytes.p, bytes.n);
    view->is_unknown_method = number == HPE_INVALID_METHOD;
    view->reason = parser.reason ? parser.reason : "";
    if (!view->is_done)
        return;
    view->method = str_of(llhttp_method_name(parser.method));
    view->major = parser.http_major;
    view->minor = parser.http_minor;
    view->is_chunked = (parser.flags & F_CHUNKED) != 0;
    view->content_length = parser.content_length;
    view->end = llhttp_get_error_pos(&parser);
}
