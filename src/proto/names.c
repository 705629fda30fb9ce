/*
 * The tables of well-known words. A field name is found by one hash over its length, first
 * and last character, which has one collision among ours, and one comparison; names_test
 * checks that every name finds itself.
 */
#include "proto/names.h"

#include "proto/chars.h"

enum { KEPT = 1 << 0, ALONE = 1 << 1, NAME_MOST = 30 };

struct known_name {
    unsigned char length;
    unsigned char
        facts; /* KEPT: name_is_protected; ALONE: none like it, NAME_LOOKALIKE */
    char text[NAME_MOST];
};

/* clang-format off */
static const struct known_name names[NAME_COUNT] = {
    [NAME_ACCEPT] = {6, 0, "accept"},
    [NAME_AUTHORIZATION] = {13, KEPT, "authorization"},
    [NAME_CONNECTION] = {10, 0, "connection"},
    [NAME_CONTENT_LENGTH] = {14, KEPT | ALONE, "content-length"},
    [NAME_CONTENT_TYPE] = {12, KEPT, "content-type"},
    [NAME_COOKIE] = {6, KEPT, "cookie"},
    [NAME_DATE] = {4, KEPT, "date"},
    [NAME_EXPECT] = {6, KEPT, "expect"},
    [NAME_FORWARDED] = {9, KEPT, "forwarded"},
    [NAME_HOST] = {4, KEPT, "host"},
    [NAME_HTTP2_SETTINGS] = {14, 0, "http2-settings"},
    [NAME_KEEP_ALIVE] = {10, 0, "keep-alive"},
    [NAME_LOCATION] = {8, KEPT, "location"},
    [NAME_MAX_FORWARDS] = {12, KEPT, "max-forwards"},
    [NAME_PROXY_AUTHENTICATE] = {18, 0, "proxy-authenticate"},
    [NAME_PROXY_AUTHORIZATION] = {19, 0, "proxy-authorization"},
    [NAME_PROXY_CONNECTION] = {16, 0, "proxy-connection"},
    [NAME_REFERER] = {7, 0, "referer"},
    [NAME_RETRY_AFTER] = {11, 0, "retry-after"},
    [NAME_SEC_WEBSOCKET_ACCEPT] = {20, KEPT, "sec-websocket-accept"},
    [NAME_SEC_WEBSOCKET_KEY] = {17, KEPT, "sec-websocket-key"},
    [NAME_SEC_WEBSOCKET_VERSION] = {21, KEPT, "sec-websocket-version"},
    [NAME_SERVER] = {6, KEPT, "server"},
    [NAME_SET_COOKIE] = {10, KEPT, "set-cookie"},
    [NAME_TE] = {2, 0, "te"},
    [NAME_TRAILER] = {7, KEPT, "trailer"},
    [NAME_TRANSFER_ENCODING] = {17, KEPT | ALONE, "transfer-encoding"},
    [NAME_UPGRADE] = {7, 0, "upgrade"},
    [NAME_USER_AGENT] = {10, 0, "user-agent"},
    [NAME_VIA] = {3, KEPT, "via"},
    [NAME_X_FORWARDED_FOR] = {15, KEPT | ALONE, "x-forwarded-for"},
    [NAME_X_FORWARDED_HOST] = {16, KEPT | ALONE, "x-forwarded-host"},
    [NAME_X_FORWARDED_PORT] = {16, KEPT | ALONE, "x-forwarded-port"},
    [NAME_X_FORWARDED_PREFIX] = {18, KEPT | ALONE, "x-forwarded-prefix"},
    [NAME_X_FORWARDED_PROTO] = {17, KEPT | ALONE, "x-forwarded-proto"},
    [NAME_X_FORWARDED_SCHEME] = {18, KEPT | ALONE, "x-forwarded-scheme"},
    [NAME_X_FORWARDED_SERVER] = {18, KEPT | ALONE, "x-forwarded-server"},
    [NAME_X_FORWARDED_SSL] = {15, KEPT | ALONE, "x-forwarded-ssl"},
    [NAME_X_FORWARDED_URI] = {15, KEPT | ALONE, "x-forwarded-uri"},
    [NAME_X_REAL_IP] = {9, KEPT | ALONE, "x-real-ip"},
    [NAME_X_REQUEST_ID] = {12, KEPT, "x-request-id"},
};

/* By name_slot; X-Forwarded-Port is found by way of X-Forwarded-Host. */
static const unsigned char slots[128] = {
    [2] = NAME_SEC_WEBSOCKET_ACCEPT,
    [6] = NAME_CONNECTION,
    [8] = NAME_X_REQUEST_ID,
    [11] = NAME_DATE,
    [14] = NAME_SEC_WEBSOCKET_KEY,
    [17] = NAME_X_FORWARDED_SCHEME,
    [19] = NAME_MAX_FORWARDS,
    [20] = NAME_UPGRADE,
    [21] = NAME_TRAILER,
    [26] = NAME_X_FORWARDED_URI,
    [27] = NAME_KEEP_ALIVE,
    [35] = NAME_X_FORWARDED_SSL,
    [41] = NAME_X_REAL_IP,
    [42] = NAME_VIA,
    [46] = NAME_X_FORWARDED_PROTO,
    [53] = NAME_X_FORWARDED_FOR,
    [56] = NAME_X_FORWARDED_SERVER,
    [60] = NAME_X_FORWARDED_HOST,
    [61] = NAME_AUTHORIZATION,
    [68] = NAME_USER_AGENT,
    [72] = NAME_ACCEPT,
    [73] = NAME_REFERER,
    [74] = NAME_X_FORWARDED_PREFIX,
    [75] = NAME_SET_COOKIE,
    [77] = NAME_RETRY_AFTER,
    [80] = NAME_HOST,
    [87] = NAME_HTTP2_SETTINGS,
    [89] = NAME_FORWARDED,
    [90] = NAME_LOCATION,
    [96] = NAME_EXPECT,
    [97] = NAME_PROXY_AUTHENTICATE,
    [103] = NAME_COOKIE,
    [105] = NAME_TE,
    [109] = NAME_CONTENT_TYPE,
    [110] = NAME_SERVER,
    [113] = NAME_SEC_WEBSOCKET_VERSION,
    [120] = NAME_CONTENT_LENGTH,
    [122] = NAME_PROXY_CONNECTION,
    [125] = NAME_PROXY_AUTHORIZATION,
    [126] = NAME_TRANSFER_ENCODING,
};
/* clang-format on */

static inline unsigned name_slot(str name)
{
    unsigned first = (unsigned char)name.p[0] | 0x20;
    unsigned last = (unsigned char)name.p[name.n - 1] | 0x20;

    return ((unsigned)name.n + 38 * first + 3 * last) & 127;
}

/*
 * Are n >= 2 bytes of a token the same as a lower-case text of letters, digits and '-'?
 * Pieces may overlap. In tokens, setting the bit 0x20 makes no character one of these
 * but the capital of the same letter.
 */
static inline bool token_eq(const char *token, const char *text, size_t n)
{
    const uint64_t fold8 = 0x2020202020202020u;
    const uint32_t fold4 = 0x20202020u;
    size_t last = n - 8;

    if (n >= 8) {
        for (size_t i = 0; i < last; i += 8)
            if ((load_u64(token + i) | fold8) != load_u64(text + i))
                return false;
        return (load_u64(token + last) | fold8) == load_u64(text + last);
    }
    if (n >= 4)
        return (load_u32(token) | fold4) == load_u32(text) &&
               (load_u32(token + n - 4) | fold4) == load_u32(text + n - 4);
    return (token[0] | 0x20) == text[0] && (token[1] | 0x20) == text[1] &&
           (token[n - 1] | 0x20) == text[n - 1];
}

/* The same but for '_' in the place of '-'? Both have n bytes. */
static bool is_lookalike(const char *token, const struct known_name *of)
{
    for (unsigned i = 0; i < of->length; i++)
        if ((token[i] == '_' ? '-' : token[i] | 0x20) != of->text[i])
            return false;
    return (of->facts & ALONE) != 0;
}

/* A name that its hash leads to another one of the same length. By itself: few are. */
static NEVER_INLINE enum field_name find_beside(str name, enum field_name found)
{
    const struct known_name *port = &names[NAME_X_FORWARDED_PORT];

    if (found == NAME_X_FORWARDED_HOST && token_eq(name.p, port->text, name.n))
        return NAME_X_FORWARDED_PORT;
    if (is_lookalike(name.p, &names[found]) ||
        (found == NAME_X_FORWARDED_HOST && is_lookalike(name.p, port)))
        return NAME_LOOKALIKE;
    return NAME_OTHER;
}

enum field_name name_find(str name)
{
    const struct known_name *known;
    unsigned found;

    if (name.n == 0)
        return NAME_OTHER;
    found = slots[name_slot(name)];
    known = &names[found];
    if (known->length != name.n)
        return NAME_OTHER;
    if (unlikely(!token_eq(name.p, known->text, name.n)))
        return find_beside(name, (enum field_name)found);
    return (enum field_name)found;
}

str name_text(enum field_name name)
{
    return (str){names[name].text, names[name].length};
}

static bool starts_nocase(str s, str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_upto(s, prefix.n), prefix);
}

/* Fields that only a proxy may set; those that proxies rewrite requests by. */
static bool is_proxy_matter(str name)
{
    static const str prefixes[] = {
        {"x-forwarded", 11}, {"x-real-", 7},     {"x-request-id", 12},  {"x-client-", 9},
        {"x-original-", 11}, {"x-rewrite-", 10}, {"x-http-method", 13}, {"x-host", 6},
        {"x-accel-", 8},     {"x-sendfile", 10}, {"x-cluster-", 10},    {"x-auth", 6},
        {"x-api-", 6},       {"x-remote-", 9},   {"x-ssl-", 6},         {"x-user", 6},
    };

    for (unsigned i = 0; i < array_len(prefixes); i++)
        if (starts_nocase(name, prefixes[i]))
            return true;
    return false;
}

bool name_is_protected(str name)
{
    enum field_name known = name_find(name);

    return known == NAME_OTHER ? is_proxy_matter(name) : (names[known].facts & KEPT) != 0;
}

bool trailer_is_allowed(str name)
{
    static const str allowed[] = {
        {"digest", 6},       {"content-digest", 14}, {"repr-digest", 11},
        {"content-md5", 11}, {"server-timing", 13},  {"etag", 4},
    };

    for (unsigned i = 0; i < array_len(allowed); i++)
        if (str_eq_nocase(name, allowed[i]))
            return true;
    return starts_nocase(name, STR("grpc-"));
}

static const str methods[] = {
    [HTTP_GET] = {"GET", 3},         [HTTP_HEAD] = {"HEAD", 4},
    [HTTP_POST] = {"POST", 4},       [HTTP_PUT] = {"PUT", 3},
    [HTTP_DELETE] = {"DELETE", 6},   [HTTP_CONNECT] = {"CONNECT", 7},
    [HTTP_OPTIONS] = {"OPTIONS", 7}, [HTTP_TRACE] = {"TRACE", 5},
    [HTTP_PATCH] = {"PATCH", 5},
};

enum http_method method_find(str token)
{
    for (unsigned i = HTTP_GET; i < array_len(methods); i++)
        if (str_eq(token, methods[i]))
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

str method_text(enum http_method method)
{
    return method == HTTP_METHOD_OTHER ? STR("") : methods[method];
}

bool method_is_idempotent(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_PUT ||
           method == HTTP_DELETE || method == HTTP_OPTIONS || method == HTTP_TRACE;
}

str status_reason(unsigned status)
{
    switch (status) {
    case 100:
        return STR("Continue");
    case 101:
        return STR("Switching Protocols");
    case 103:
        return STR("Early Hints");
    case 200:
        return STR("OK");
    case 201:
        return STR("Created");
    case 202:
        return STR("Accepted");
    case 204:
        return STR("No Content");
    case 206:
        return STR("Partial Content");
    case 301:
        return STR("Moved Permanently");
    case 302:
        return STR("Found");
    case 303:
        return STR("See Other");
    case 304:
        return STR("Not Modified");
    case 307:
        return STR("Temporary Redirect");
    case 308:
        return STR("Permanent Redirect");
    case 400:
        return STR("Bad Request");
    case 401:
        return STR("Unauthorized");
    case 403:
        return STR("Forbidden");
    case 404:
        return STR("Not Found");
    case 405:
        return STR("Method Not Allowed");
    case 406:
        return STR("Not Acceptable");
    case 408:
        return STR("Request Timeout");
    case 409:
        return STR("Conflict");
    case 410:
        return STR("Gone");
    case 411:
        return STR("Length Required");
    case 413:
        return STR("Content Too Large");
    case 414:
        return STR("URI Too Long");
    case 415:
        return STR("Unsupported Media Type");
    case 417:
        return STR("Expectation Failed");
    case 421:
        return STR("Misdirected Request");
    case 422:
        return STR("Unprocessable Content");
    case 426:
        return STR("Upgrade Required");
    case 429:
        return STR("Too Many Requests");
    case 431:
        return STR("Request Header Fields Too Large");
    case 500:
        return STR("Internal Server Error");
    case 501:
        return STR("Not Implemented");
    case 502:
        return STR("Bad Gateway");
    case 503:
        return STR("Service Unavailable");
    case 504:
        return STR("Gateway Timeout");
    case 505:
        return STR("HTTP Version Not Supported");
    default:
        return STR("");
    }
}
