/*
 * Judges the fields of a head (RFC 9110, RFC 9112 6). One walk gathers what the few
 * fields that matter claim; the rules are then applied in the order of the standard.
 * Whatever could be read in two ways is a fault.
 */
#include "proto/h1_fields.h"

#include "proto/chars.h"
#include "proto/names.h"
#include "proto/uri.h"

enum connection_option {
    OPTION_CLOSE = 1 << 0,
    OPTION_KEEP_ALIVE = 1 << 1,
    OPTION_UPGRADE = 1 << 2,
    OPTION_TE = 1 << 3,
    OPTION_NAMED = 1 << 4, /* names a field */
    OPTION_BAD = 1 << 5,   /* not a short list of tokens */
    OPTION_COUNT = 1 << 8, /* times how many there are */
};

/* More than that, in all fields together, is an attack on the walk over the fields. */
enum { OPTIONS_MOST = 16 };

/* What the fields that matter say; the last of each where there are several. Without any,
 * only their number (0) is written. */
struct claims {
    str host, length, coding, upgrade;
    unsigned hosts, lengths, codings, upgrades;
    unsigned options; /* enum connection_option */
    bool te_trailers;
    bool expects, expects_twice;
    bool expects_other;
};

/* The names that `gather` looks at. */
static const uint64_t matters = NAMES_HOP_BY_HOP | NAME_BIT(NAME_COOKIE) |
                                NAME_BIT(NAME_EXPECT) | NAME_BIT(NAME_HOST);

static struct h1_fault fault(unsigned status, const char *why)
{
    return (struct h1_fault){status, why};
}

/* The next element of a comma list; empty ones are passed over but counted. */
static bool list_next(str *rest, unsigned *left, str *element)
{
    while (*left && str_next(rest, ',', element)) {
        --*left;
        *element = str_trim(*element);
        if (element->n)
            return true;
    }
    return false;
}

static unsigned option_of(str token)
{
    if (scan_class(token.p, token.p + token.n, CHAR_TOKEN) != token.p + token.n)
        return OPTION_BAD;
    if (str_eq_nocase(token, STR("close")))
        return OPTION_CLOSE;
    if (str_eq_nocase(token, STR("keep-alive")))
        return OPTION_KEEP_ALIVE;
    if (str_eq_nocase(token, STR("upgrade")))
        return OPTION_UPGRADE;
    if (str_eq_nocase(token, STR("te")))
        return OPTION_TE;
    return OPTION_NAMED;
}

/* `options`: of the fields before. */
static unsigned connection_options(unsigned options, str value)
{
    unsigned most = OPTIONS_MOST - options / OPTION_COUNT, left = most;
    str token;

    while (list_next(&value, &left, &token))
        options |= option_of(token);
    return value.p ? OPTION_BAD : options + (most - left) * OPTION_COUNT;
}

static bool list_has(str value, str wanted)
{
    unsigned left = OPTIONS_MOST;
    str element;

    while (list_next(&value, &left, &element))
        if (str_eq_nocase(element, wanted))
            return true;
    return false;
}

static void expect_gather(struct claims *claims, str value)
{
    claims->expects_twice = claims->expects;
    claims->expects = true;
    if (!str_eq_nocase(value, STR("100-continue")))
        claims->expects_other = true;
}

/* A field that few heads have. */
static NEVER_INLINE void gather_rare(struct claims *claims, const struct field *field)
{
    switch ((enum field_name)field->known) {
    case NAME_CONNECTION:
        claims->options = connection_options(claims->options, field->value);
        break;
    case NAME_UPGRADE:
        claims->upgrades++;
        claims->upgrade = field->value;
        break;
    case NAME_TE:
        claims->te_trailers |= list_has(field->value, STR("trailers"));
        break;
    case NAME_EXPECT:
        expect_gather(claims, field->value);
        break;
    default:
        break;
    }
}

/* One field that matters. */
static void gather(struct claims *claims, struct head *head, struct field *field)
{
    if (name_is_hop_by_hop((enum field_name)field->known))
        field->dropped = true;
    switch ((enum field_name)field->known) {
    case NAME_HOST:
        claims->hosts++;
        claims->host = field->value;
        break;
    case NAME_CONTENT_LENGTH:
        claims->lengths++;
        claims->length = field->value;
        break;
    case NAME_TRANSFER_ENCODING:
        claims->codings++;
        claims->coding = field->value;
        break;
    case NAME_COOKIE:
        head->flags |= HEAD_HAS_COOKIE;
        break;
    default:
        gather_rare(claims, field);
        break;
    }
}

static void gather_all(struct claims *claims, struct head *head)
{
    struct field *end = head->fields + head->field_count;

    claims->hosts = claims->lengths = claims->codings = claims->upgrades = 0;
    claims->options = 0;
    claims->te_trailers = false;
    claims->expects = claims->expects_twice = claims->expects_other = false;
    for (struct field *field = head->fields; field < end; field++)
        if (matters >> field->known & 1)
            gather(claims, head, field);
}

/* Drops the fields that the Connection fields name, where that can do no harm. */
static void drop_named(struct head *head)
{
    for (unsigned i = 0; i < head->field_count; i++) {
        str rest = head->fields[i].value, token;
        unsigned left = OPTIONS_MOST;

        if (head->fields[i].known != NAME_CONNECTION)
            continue;
        while (list_next(&rest, &left, &token))
            if (option_of(token) == OPTION_NAMED && !name_is_protected(token))
                head_drop_name(head, token);
    }
}

/* What Connection fields make of the connection and the fields. */
static NEVER_INLINE void options_apply(struct head *head, const struct claims *claims)
{
    bool is_10 = head->flags & HEAD_HTTP10;
    bool keeps = is_10 ? (claims->options & OPTION_KEEP_ALIVE) != 0 : true;

    if (keeps && !(claims->options & OPTION_CLOSE))
        head->flags |= HEAD_KEEP_ALIVE;
    if (!is_10 && claims->options & OPTION_UPGRADE && claims->upgrades == 1 &&
        str_eq_nocase(claims->upgrade, STR("websocket")))
        head->flags |= HEAD_UPGRADE;
    if (claims->te_trailers && claims->options & OPTION_TE)
        head->flags |= HEAD_TE_TRAILERS;
    if (claims->options & OPTION_NAMED)
        drop_named(head);
}

/* The same for all heads; in HTTP/1.1 silence means that the connection is kept. */
static void connection_apply(struct head *head, const struct claims *claims)
{
    if (likely(!claims->options && !(head->flags & HEAD_HTTP10)))
        head->flags |= HEAD_KEEP_ALIVE;
    else
        options_apply(head, claims);
}

/* Framing as the fields claim it (RFC 9112 6.3); `unnamed` where they are silent. */
static struct h1_fault framing_of(struct head *head, const struct claims *claims,
                                  enum framing unnamed)
{
    if (claims->codings) {
        if (head->flags & HEAD_HTTP10)
            return fault(400, "Transfer-Encoding in HTTP/1.0");
        if (claims->lengths)
            return fault(400, "Content-Length and Transfer-Encoding");
        if (claims->codings > 1)
            return fault(400, "more than one Transfer-Encoding");
        if (claims->coding.n == 0)
            return fault(400, "Transfer-Encoding is empty");
        if (!str_eq_nocase(claims->coding, STR("chunked")))
            return fault(501, "Transfer-Encoding is not chunked");
        head->framing = FRAMING_CHUNKED;
    } else if (claims->lengths) {
        if (claims->lengths > 1)
            return fault(400, "more than one Content-Length");
        if (!str_to_u64(claims->length, &head->content_length) ||
            head->content_length > INT64_MAX)
            return fault(400, "Content-Length is not a number that makes sense");
        head->framing = FRAMING_LENGTH;
    } else {
        head->framing = unnamed;
    }
    return fault(0, NULL);
}

static struct h1_fault host_of(struct head *head, const struct claims *claims)
{
    struct uri_authority authority;

    if (claims->hosts > 1)
        return fault(400, "more than one Host");
    if (claims->hosts == 0)
        return head->flags & HEAD_HTTP10 ? fault(0, NULL) : fault(400, "Host is missing");
    if (!uri_cut_authority(claims->host, &authority))
        return fault(400, "Host is malformed");
    if (!(head->flags & HEAD_ABSOLUTE)) {
        head->authority = claims->host;
        head->host = authority.host;
        if (authority.is_folded)
            head->flags |= HEAD_HOST_FOLDED;
    } else if (!str_eq_nocase(head->authority, claims->host)) {
        return fault(400, "Host differs from the target");
    }
    return fault(0, NULL);
}

static struct h1_fault expect_of(struct head *head, const struct claims *claims)
{
    if (!claims->expects)
        return fault(0, NULL);
    if (claims->expects_other || claims->expects_twice)
        return fault(417, "unknown expectation");
    if (head->flags & HEAD_HTTP10 || head->framing == FRAMING_NONE ||
        (head->framing == FRAMING_LENGTH && head->content_length == 0))
        head_drop(head, NAME_EXPECT);
    else
        head->flags |= HEAD_EXPECT_CONTINUE;
    return fault(0, NULL);
}

/* Max-Forwards has a meaning with OPTIONS (and TRACE) only. RFC 9110 7.6.2. */
static struct h1_fault max_forwards_of(const struct head *head)
{
    const struct field *field = NULL;
    uint64_t number;

    if (head->method == HTTP_OPTIONS)
        field = head_find(head, NAME_MAX_FORWARDS);
    if (field && !str_to_u64(field->value, &number))
        return fault(400, "Max-Forwards is not a number");
    return fault(0, NULL);
}

struct h1_fault h1_judge_request(struct head *head, uint64_t known)
{
    struct claims claims;
    struct h1_fault bad;

    gather_all(&claims, head);
    if (claims.options & OPTION_BAD)
        return fault(400, "Connection is not a short list of tokens");
    bad = framing_of(head, &claims, FRAMING_NONE);
    if (bad.why)
        return bad;
    bad = host_of(head, &claims);
    if (bad.why)
        return bad;
    bad = expect_of(head, &claims);
    if (bad.why)
        return bad;
    if (known & NAME_BIT(NAME_MAX_FORWARDS)) {
        bad = max_forwards_of(head);
        if (bad.why)
            return bad;
    }
    connection_apply(head, &claims);
    if (known & NAME_BIT(NAME_TRAILER) && head->framing != FRAMING_CHUNKED)
        head_drop(head, NAME_TRAILER);
    return fault(0, NULL);
}

/*
 * Answers without a body whatever their fields say. One that claims a body where none
 * may be said is not followed by another on the same connection.
 */
static struct h1_fault bodiless(struct head *head, const struct claims *claims,
                                enum http_method asked)
{
    bool has_length = head->framing == FRAMING_LENGTH;
    bool claims_body = claims->codings || (has_length && head->content_length != 0);

    head->framing = FRAMING_NONE;
    if (head->status < 200)
        return claims_body ? fault(502, "an interim answer with a body") : fault(0, NULL);
    if (head->status == 204) {
        if (claims_body)
            head->flags &= ~(unsigned)HEAD_KEEP_ALIVE;
        return fault(0, NULL);
    }
    if (has_length)
        head->flags |= HEAD_LENGTH_SAID;
    else if (asked == HTTP_HEAD)
        head->flags |= HEAD_NO_LENGTH;
    return fault(0, NULL);
}

struct h1_fault h1_judge_response(struct head *head, uint64_t known,
                                  enum http_method asked)
{
    struct claims claims;
    struct h1_fault bad;

    gather_all(&claims, head);
    if (claims.options & OPTION_BAD)
        return fault(502, "Connection is not a short list of tokens");
    bad = framing_of(head, &claims, FRAMING_CLOSE);
    if (bad.why)
        return fault(502, bad.why);
    connection_apply(head, &claims);
    if (head->status < 200 || head->status == 204 || head->status == 304 ||
        asked == HTTP_HEAD) {
        bad = bodiless(head, &claims, asked);
        if (bad.why)
            return bad;
    }
    if (head->framing == FRAMING_CLOSE)
        head->flags &= ~(unsigned)HEAD_KEEP_ALIVE;
    if (known & NAME_BIT(NAME_TRAILER) && head->framing != FRAMING_CHUNKED)
        head_drop(head, NAME_TRAILER);
    return fault(0, NULL);
}
