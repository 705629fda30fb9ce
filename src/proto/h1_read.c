/*
 * The lines of an HTTP/1 head. One pass over the bytes cuts the start line and the
 * fields into slices; h1_fields then judges what they mean together.
 *
 * A head that comes in pieces stays linear: lines that were complete are not read again
 * until the head's end has come, and an incomplete line is only searched for its end.
 * A fault in a line counts when the line is complete (few exceptions in `early_fault`),
 * so that the verdict does not depend on where the pieces were cut.
 */
#include "proto/h1_read.h"

#include "proto/chars.h"
#include "proto/h1_fields.h"
#include "proto/names.h"
#include "proto/uri.h"

enum {
    EMPTY_LINES_MOST = 2,    /* before a request, RFC 9112 2.2 */
    METHOD_MOST = 32,        /* bytes of a method */
    LINE_BESIDE_TARGET = 64, /* what a request line may have besides the target */
};

struct scan {
    const char *low;  /* where the bytes begin */
    const char *end;  /* of the bytes that can belong to the head */
    const char *line; /* where the line in hand begins */
    struct head *head;
    const struct h1_limits *limits;
    unsigned fields_most;
    struct field *next; /* behind the fields of complete lines */
    uint64_t known;     /* 1 << name for each name seen */
    struct h1_fault fault;
    bool is_response;
    bool is_start; /* the line in hand is the start line */
    bool is_cut;   /* there are at least as many bytes as a head may have */
};

/* Always NULL, so that the line readers can end with it. */
static const char *fail(struct scan *scan, unsigned status, const char *why)
{
    scan->fault = (struct h1_fault){status, why};
    return NULL;
}

static const char *expect_line_end(struct scan *scan, const char *p)
{
    if (likely(scan->end - p >= 2 && p[0] == '\r' && p[1] == '\n'))
        return p + 2;
    if (p < scan->end && *p == '\n')
        return fail(scan, 400, "a line ends in LF alone");
    return fail(scan, 400, "a character that may not stand in the start line");
}

static const char no_version[] = "no HTTP version where it should stand";

/* "HTTP/1.0" or "HTTP/1.1", nothing else. */
static const char *read_version(struct scan *scan, const char *p)
{
    if (scan->end - p < 8)
        return fail(scan, 400, no_version);
    if (likely(memcmp(p, "HTTP/1.1", 8) == 0))
        return p + 8;
    if (memcmp(p, "HTTP/", 5) != 0)
        return fail(scan, 400, no_version);
    if (memcmp(p + 5, "1.0", 3) == 0) {
        scan->head->flags |= HEAD_HTTP10;
        return p + 8;
    }
    if ((unsigned)(p[5] - '0') > 9 || p[6] != '.' || (unsigned)(p[7] - '0') > 9)
        return fail(scan, 400, no_version);
    return fail(scan, 505, "HTTP version is not 1.0 or 1.1");
}

/* Targets that do not begin with '/' (RFC 9112 3.2.2 to 3.2.4). */
static bool judge_odd_target(struct scan *scan)
{
    struct head *head = scan->head;
    bool is_options = head->method == HTTP_OPTIONS;
    struct uri_authority authority;
    struct uri uri;

    if (head->method == HTTP_CONNECT)
        return uri_check_authority(head->target)
                   ? fail(scan, 405, "CONNECT is not for this server")
                   : fail(scan, 400, "the target of CONNECT is not host:port");
    if (uri_split(head->target, &uri))
        return fail(scan, 400, "malformed request target");
    if (!uri.scheme.p && !is_options)
        return fail(scan, 400, "the target * is for OPTIONS only");
    head->path = uri.path;
    head->query = uri.query;
    if (!uri.scheme.p)
        return true;
    if (!uri_cut_authority(uri.authority, &authority))
        return fail(scan, 400, "malformed host in the request target");
    head->host = authority.host;
    if (is_options &&
        uri.authority.p + uri.authority.n == head->target.p + head->target.n)
        head->path = STR("*");
    head->authority = uri.authority;
    head->flags |= HEAD_ABSOLUTE;
    return true;
}

/* What method and target mean together; `path_end`: the first '?' or the target's end. */
static bool judge_target(struct scan *scan, const char *path_end)
{
    struct head *head = scan->head;
    str target = head->target;

    if (unlikely(target.n == 0))
        return fail(scan, 400, "malformed request target");
    if (unlikely(*target.p != '/' || head->method == HTTP_CONNECT)) {
        if (!judge_odd_target(scan))
            return false;
    } else {
        head->path = str_slice(target.p, path_end);
        if (uri_is_plain(head->path, scan->end))
            head->flags |= HEAD_PATH_NORMAL;
        if (path_end < target.p + target.n)
            head->query = str_slice(path_end + 1, target.p + target.n);
    }
    if (unlikely(head->method == HTTP_TRACE))
        return fail(scan, 405, "TRACE is not for this server");
    return true;
}

static const char *read_method(struct scan *scan, const char *p)
{
    struct head *head = scan->head;
    const char *after;

    if (likely(scan->end - p >= 4 && memcmp(p, "GET ", 4) == 0)) {
        head->method = HTTP_GET;
        head->method_text = (str){p, 3};
        return p + 4;
    }
    after = scan_class(p, scan->end, CHAR_TOKEN);
    if (after == p || after == scan->end || *after != ' ')
        return fail(scan, 400, "the method is not a token and a blank");
    head->method_text = str_slice(p, after);
    head->method = method_find(head->method_text);
    return after + 1;
}

static const char *read_request_line(struct scan *scan, const char *p)
{
    struct head *head = scan->head;
    const char *target = read_method(scan, p), *after, *path_end;

    if (!target)
        return NULL;
    path_end = after = scan_path(target, scan->end, scan->low);
    if (after < scan->end && *after == '?')
        after = scan_target(after, scan->end, scan->low);
    if (after == scan->end || *after != ' ')
        return fail(scan, 400, "a character that may not stand in a request target");
    head->target = str_slice(target, after);
    p = read_version(scan, after + 1);
    if (p)
        p = expect_line_end(scan, p);
    if (!p)
        return NULL;
    if (unlikely(head->target.n > scan->limits->target_most))
        return fail(scan, 414, "the request target is too long");
    if (unlikely(head->method_text.n > METHOD_MOST))
        return fail(scan, 501, "the method is too long");
    return judge_target(scan, path_end) ? p : NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *read_status_line(struct scan *scan, const char *p)
{
    struct head *head = scan->head;
    const char *reason;

    p = read_version(scan, p);
    if (!p)
        return NULL;
    if (scan->end - p < 5 || p[0] != ' ' || !is_digit(p[1]) || !is_digit(p[2]) ||
        !is_digit(p[3]))
        return fail(scan, 502, "no status of three digits");
    head->status = (unsigned)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
    if (head->status < 100 || head->status > 599)
        return fail(scan, 502, "the status is not from 100 to 599");
    p += 4;
    reason = *p == ' ' ? p + 1 : p;
    p = *p == ' ' ? scan_value(reason, scan->end, scan->low) : p;
    head->reason = str_slice(reason, p);
    return expect_line_end(scan, p);
}

/* Why a line that does not begin with a name and a colon is bad. */
static const char *name_fault(struct scan *scan, const char *line, const char *p)
{
    if (p == scan->end)
        return fail(scan, 400, "no colon in a field line");
    if (*p == ' ' || *p == '\t')
        return fail(scan, 400, p == line ? "a folded line" : "a blank before the colon");
    if (*p == '\n')
        return fail(scan, 400, "a line ends in LF alone");
    if (*p == '\r')
        return fail(scan, 400, "no colon in a field line");
    if (*p == ':')
        return fail(scan, 400, "a field without a name");
    return fail(scan, 400, "a field name is not a token");
}

static const char *value_fault(struct scan *scan, const char *stop)
{
    if (stop < scan->end && *stop == '\n')
        return fail(scan, 400, "a line ends in LF alone");
    return fail(scan, 400, "a control character in a field");
}

/* `last`: the last byte there is, where no line end can begin. */
static ALWAYS_INLINE bool is_line_end(const char *p, const char *last)
{
    return likely(p < last) && memcmp(p, "\r\n", 2) == 0;
}

/* Neither SP nor HTAB; of bytes that may stand in a value these are the lowest. */
static ALWAYS_INLINE bool is_seen(char c)
{
    return (unsigned char)c > ' ';
}

/* The value of a field, from behind the colon; it ends before `stop`. */
static ALWAYS_INLINE str trim(const char *p, const char *stop)
{
    if (likely(stop - p >= 2 && *p == ' ' && is_seen(p[1]) && is_seen(stop[-1])))
        return str_slice(p + 1, stop);
    return str_trim(str_slice(p, stop));
}

/* The field lines up to and with the empty line. */
static const char *read_fields(struct scan *scan, const char *p)
{
    const char *end = scan->end, *low = scan->low;
    const char *last = end - 1; /* a start line stands before it */
    struct field *field = scan->next;
    struct field *fields_end = scan->head->fields + scan->fields_most;
    uint64_t known = scan->known;

    scan->is_start = false;
    for (; !is_line_end(p, last); field++) {
        const char *colon, *stop;

        scan->line = p;
        scan->next = field;
        if (unlikely(field == fields_end))
            return fail(scan, 431, "too many fields");
        colon = scan_token(p, end, low);
        if (unlikely(colon == end || *colon != ':' || colon == p))
            return name_fault(scan, p, colon);
        stop = scan_value(colon + 1, end, low);
        if (unlikely(!is_line_end(stop, last)))
            return value_fault(scan, stop);
        field->name = str_slice(p, colon);
        field->value = trim(colon + 1, stop);
        field->known = (unsigned char)name_find(field->name);
        field->dropped = false;
        known |= (uint64_t)1 << field->known;
        p = stop + 2;
    }
    scan->next = field;
    scan->known = known;
    return p + 2;
}

/*
 * Faults of a start line that count before it is complete; `n` bytes of it are there.
 * Whoever speaks another language here (TLS, say) should hear it at once.
 */
static bool early_fault(struct scan *scan, size_t n)
{
    if (n == 0)
        return false;
    if (scan->is_response) {
        if (*scan->line != 'H')
            return fail(scan, 502, "not an HTTP answer"), true;
        return false;
    }
    if (!char_is(*scan->line, CHAR_TOKEN) && !(*scan->line == '\r' && n == 1))
        return fail(scan, 400, "the method is not a token and a blank"), true;
    if (n > METHOD_MOST && !memchr(scan->line, ' ', METHOD_MOST + 1))
        return fail(scan, 501, "the method is too long"), true;
    if (n > scan->limits->target_most + LINE_BESIDE_TARGET)
        return fail(scan, 414, "the request line is too long"), true;
    return false;
}

static enum h1_verdict bad(struct h1_reader *reader, const struct scan *scan)
{
    reader->status = scan->is_response ? 502 : scan->fault.status;
    reader->why = scan->fault.why;
    return H1_BAD;
}

/* A line reader ended early: is the line bad, or just not complete? */
static NEVER_INLINE enum h1_verdict stopped(struct h1_reader *reader, struct scan *scan,
                                            str bytes, bool may_have_end)
{
    const char *end = NULL;
    size_t n = (size_t)(scan->end - scan->line);

    if (may_have_end && n)
        end = memchr(scan->line, '\n', n);
    if (end)
        n = (size_t)(end - scan->line);
    if (scan->is_start && early_fault(scan, n))
        return bad(reader, scan);
    if (end)
        return bad(reader, scan);
    if (scan->is_cut) {
        if (scan->is_start)
            fail(scan, 414, "the request line is too long");
        else
            fail(scan, 431, "the head is too long");
        return bad(reader, scan);
    }
    reader->line = scan->is_start ? 0 : (size_t)(scan->line - bytes.p);
    reader->fields = (unsigned)(scan->next - scan->head->fields);
    reader->seen = (size_t)(scan->end - bytes.p);
    return H1_MORE;
}

/* Over the empty lines that may stand before a request. */
static const char *skip_empty_lines(const struct scan *scan, const char *p)
{
    for (unsigned i = 0; i < EMPTY_LINES_MOST; i++) {
        if (scan->end - p < 2 || p[0] != '\r' || p[1] != '\n')
            break;
        p += 2;
    }
    return p;
}

/* The whole head from its first byte; NULL when it is not complete or bad. */
static const char *read_whole(struct scan *scan, const char *p)
{
    struct head *head = scan->head;

    head->flags = 0;
    head->content_length = 0;
    head->method = HTTP_METHOD_OTHER;
    head->method_text = head->target = head->path = head->query = head->authority =
        head->host = head->reason = STR_NONE;
    head->status = 0;
    scan->is_start = true;
    scan->next = head->fields;
    scan->known = 0;
    if (!scan->is_response)
        p = skip_empty_lines(scan, p);
    scan->line = p;
    p = scan->is_response ? read_status_line(scan, p) : read_request_line(scan, p);
    return p ? read_fields(scan, p) : NULL;
}

/* Lines of it were read before. H1_DONE: it is worth to read the whole. */
static NEVER_INLINE enum h1_verdict resume(struct h1_reader *reader, str bytes,
                                           struct scan *scan)
{
    const char *from = bytes.p + reader->seen;
    bool has_end = from < scan->end && memchr(from, '\n', (size_t)(scan->end - from));

    scan->is_start = reader->line == 0;
    scan->next = scan->head->fields + reader->fields;
    scan->line = bytes.p + reader->line;
    if (scan->is_start && !scan->is_response)
        scan->line = skip_empty_lines(scan, scan->line);
    if (has_end && (scan->is_start || read_fields(scan, scan->line)))
        return H1_DONE;
    return stopped(reader, scan, bytes, has_end);
}

static ALWAYS_INLINE enum h1_verdict read_head(struct h1_reader *reader, str bytes,
                                               struct scan *scan)
{
    const char *p;

    scan->low = bytes.p;
    scan->is_cut = bytes.n >= scan->limits->head_most;
    scan->end = bytes.p + (scan->is_cut ? scan->limits->head_most : bytes.n);
    scan->fields_most = scan->head->field_room;
    if (scan->limits->fields_most && scan->limits->fields_most < scan->fields_most)
        scan->fields_most = scan->limits->fields_most;
    if (unlikely(reader->seen)) {
        enum h1_verdict verdict = resume(reader, bytes, scan);

        if (verdict != H1_DONE)
            return verdict;
    }
    p = read_whole(scan, bytes.p);
    if (!p)
        return stopped(reader, scan, bytes, true);
    scan->head->field_count = (unsigned)(scan->next - scan->head->fields);
    scan->head->bytes = (size_t)(p - bytes.p);
    return H1_DONE;
}

enum h1_verdict h1_read_request(struct h1_reader *reader, str bytes,
                                const struct h1_limits *limits, struct head *head)
{
    struct scan scan = {.head = head, .limits = limits};
    enum h1_verdict verdict = read_head(reader, bytes, &scan);

    if (verdict != H1_DONE)
        return verdict;
    head->known = scan.known;
    scan.fault = h1_judge_request(head, scan.known);
    return scan.fault.why ? bad(reader, &scan) : H1_DONE;
}

enum h1_verdict h1_read_response(struct h1_reader *reader, str bytes,
                                 const struct h1_limits *limits, enum http_method asked,
                                 struct head *head)
{
    struct scan scan = {.head = head, .limits = limits, .is_response = true};
    enum h1_verdict verdict = read_head(reader, bytes, &scan);

    if (verdict != H1_DONE)
        return verdict;
    head->known = scan.known;
    scan.fault = h1_judge_response(head, scan.known, asked);
    return scan.fault.why ? bad(reader, &scan) : H1_DONE;
}
