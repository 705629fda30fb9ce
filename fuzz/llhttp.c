/*
 * Requests read by weir and by llhttp in strict mode, side by side. Where both accept,
 * they must have understood the same: method, target, fields, framing and where the head
 * ends. We may refuse more, but only for the reasons in `stricter`; we may accept more
 * only as `wider_than_llhttp` says. Each difference stands there with its explanation;
 * any other ends the run.
 *
 * llhttp is the one of Debian's node-llhttp (8.1.0), which comes as C source.
 */
#include "fuzz.h"
#include "llhttp_view.h"

#include "proto/h1_read.h"

enum { PLENTY = 1 << 20 };

static const struct h1_limits limits = {.head_most = PLENTY, .target_most = PLENTY};

/* What weir refuses and llhttp takes, by the words that weir refuses it with. */
static const struct {
    const char *why, *explanation;
} stricter[] = {
    {"Host is missing", "RFC 9112 3.2: 400; llhttp leaves Host to its caller"},
    {"Host is malformed", "RFC 9112 3.2: 400; the same"},
    {"more than one Host", "RFC 9112 3.2: 400; the same"},
    {"Host differs from the target", "two answers to who is meant; the same"},
    {"a character that may not stand in a request target",
     "fragments, and HTTP/0.9's line that ends behind the target"},
    {"malformed request target", "RFC 9112 3.2: four forms only, and no fragment"},
    {"malformed host in the request target", "no userinfo, no port but 1 to 65535"},
    {"the target * is for OPTIONS only", "RFC 9112 3.2.4"},
    {"CONNECT is not for this server", "a reverse proxy opens no tunnels by CONNECT"},
    {"the target of CONNECT is not host:port", "the same"},
    {"TRACE is not for this server",
     "it would show a client the fields added for servers"},
    {"HTTP version is not 1.0 or 1.1", "llhttp takes 0.9 and 2.0 too"},
    {"no HTTP version where it should stand",
     "llhttp takes ICE and RTSP for some methods"},
    {"a line ends in LF alone", "RFC 9112 2.2 lets one take it; others may not"},
    {"a field without a name", "RFC 9110 5.1: a name has at least one character"},
    {"a folded line", "RFC 9112 5.2: 400; llhttp joins the lines"},
    {"Transfer-Encoding in HTTP/1.0", "RFC 9112 6.1: framing that is faulty"},
    {"more than one Transfer-Encoding", "one coding is all that there can be"},
    {"Transfer-Encoding is not chunked", "no other coding is understood: 501"},
    {"Content-Length and Transfer-Encoding",
     "llhttp takes the length beside an empty coding"},
    {"Transfer-Encoding is empty", "llhttp takes it for no coding"},
    {"Content-Length is not a number that makes sense",
     "over 2^63-1: nobody has such a body, and others count in signed numbers"},
    {"Connection is not a short list of tokens", "tokens that are none, or over 16"},
    {"unknown expectation", "RFC 9110 10.1.1: 417; llhttp leaves Expect to its caller"},
    {"Max-Forwards is not a number", "RFC 9110 7.6.2; llhttp leaves it to its caller"},
    {"the method is not a token and a blank",
     "more than two empty lines, or a lone CR, before the request: llhttp skips any"},
    {"too many fields", "llhttp does not count"},
};

static bool is_stricter(const char *why)
{
    for (unsigned i = 0; i < array_len(stricter); i++)
        if (strcmp(why, stricter[i].why) == 0)
            return true;
    return false;
}

/* What weir takes and llhttp refuses, explained; NULL: not known. */
static const char *wider_than_llhttp(const struct head *head,
                                     const struct llhttp_view *view)
{
    if (str_eq(head->method_text, STR("PRI")))
        return "with HTTP/1.1 behind it PRI is a word like others, not HTTP/2's preface";
    if (view->is_unknown_method)
        return "RFC 9110 9.1: any token is a method; llhttp knows a list of them";
    return NULL;
}

static void show(str bytes, const char *what, const char *more)
{
    fprintf(stderr, "%s: %s\n", what, more ? more : "");
    fwrite(bytes.p, 1, bytes.n, stderr);
    fputc('\n', stderr);
    abort();
}

static void same_fields(const struct head *head, const struct llhttp_view *view,
                        str bytes)
{
    if (head->field_count != view->values_count)
        show(bytes, "another number of fields", NULL);
    for (unsigned i = 0; i < head->field_count; i++) {
        if (!str_eq(head->fields[i].name, view->names[i]))
            show(bytes, "another name", NULL);
        if (!str_eq(head->fields[i].value, str_trim(view->values[i])))
            show(bytes, "another value", NULL);
    }
}

static void same_meaning(const struct head *head, const struct llhttp_view *view,
                         str bytes)
{
    if (!str_eq(head->method_text, view->method))
        show(bytes, "another method", NULL);
    if (!str_eq(head->target, view->target))
        show(bytes, "another target", NULL);
    if (view->major != 1 || view->minor != (head->flags & HEAD_HTTP10 ? 0 : 1))
        show(bytes, "another version", NULL);
    if (view->is_chunked != (head->framing == FRAMING_CHUNKED))
        show(bytes, "chunked or not", NULL);
    if (view->content_length != head->content_length)
        show(bytes, "another length", NULL);
    if (view->end != bytes.p + head->bytes)
        show(bytes, "another end", NULL);
    same_fields(head, view, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct field fields[VIEW_FIELDS_MOST];
    static struct llhttp_view view;
    struct head head = {.fields = fields, .field_room = VIEW_FIELDS_MOST};
    struct h1_reader reader = {0};
    str bytes = fuzz_exact((str){(const char *)data, size});
    enum h1_verdict verdict = h1_read_request(&reader, bytes, &limits, &head);

    llhttp_view_read(&view, bytes);
    if (verdict == H1_DONE && view.is_done)
        same_meaning(&head, &view, bytes);
    else if (verdict == H1_DONE && !wider_than_llhttp(&head, &view))
        show(bytes, "weir takes what llhttp refuses", view.reason);
    else if (verdict == H1_BAD && view.is_done && !is_stricter(reader.why))
        show(bytes, "weir refuses without an explanation", reader.why);
    fuzz_free(bytes);
    return 0;
}
