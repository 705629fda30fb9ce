/*
 * The tables of well-known words. A field name is found by one multiply-free hash over
 * its length, first and last character, which has no collisions among ours, and one
 * comparison; names_test checks that every name finds itself.
 */
#include "proto/names.h"

enum { HOP = 1 << 0, KEPT = 1 << 1, NAME_MOST = 24 };

struct known_name {
    unsigned char length;
    char text[NAME_MOST];
    unsigned char facts; /* HOP: name_is_hop_by_hop, KEPT: name_is_protected */
};

/* clang-format off */
static const struct known_name names[NAME_COUNT] = {
    [NAME_ACCEPT] = {6, "accept", 0},
    [NAME_AUTHORIZATION] = {13, "authorization", KEPT},
    [NAME_CONNECTION] = {10, "connection", HOP},
    [NAME_CONTENT_LENGTH] = {14, "content-length", HOP | KEPT},
    [NAME_CONTENT_TYPE] = {12, "content-type", KEPT},
    [NAME_COOKIE] = {6, "cookie", KEPT},
    [NAME_DATE] = {4, "date", KEPT},
    [NAME_EXPECT] = {6, "expect", KEPT},
    [NAME_FORWARDED] = {9, "forwarded", KEPT},
    [NAME_HOST] = {4, "host", KEPT},
    [NAME_HTTP2_SETTINGS] = {14, "http2-settings", HOP},
    [NAME_KEEP_ALIVE] = {10, "keep-alive", HOP},
    [NAME_LOCATION] = {8, "location", KEPT},
    [NAME_MAX_FORWARDS] = {12, "max-forwards", KEPT},
    [NAME_PROXY_AUTHENTICATE] = {18, "proxy-authenticate", HOP},
    [NAME_PROXY_AUTHORIZATION] = {19, "proxy-authorization", HOP},
    [NAME_PROXY_CONNECTION] = {16, "proxy-connection", HOP},
    [NAME_REFERER] = {7, "referer", 0},
    [NAME_RETRY_AFTER] = {11, "retry-after", 0},
    [NAME_SEC_WEBSOCKET_ACCEPT] = {20, "sec-websocket-accept", KEPT},
    [NAME_SEC_WEBSOCKET_KEY] = {17, "sec-websocket-key", KEPT},
    [NAME_SEC_WEBSOCKET_VERSION] = {21, "sec-websocket-version", KEPT},
    [NAME_SERVER] = {6, "server", KEPT},
    [NAME_SET_COOKIE] = {10, "set-cookie", KEPT},
    [NAME_TE] = {2, "te", HOP},
    [NAME_TRAILER] = {7, "trailer", KEPT},
    [NAME_TRANSFER_ENCODING] = {17, "transfer-encoding", HOP | KEPT},
    [NAME_UPGRADE] = {7, "upgrade", HOP},
    [NAME_USER_AGENT] = {10, "user-agent", 0},
    [NAME_VIA] = {3, "via", KEPT},
    [NAME_X_FORWARDED_FOR] = {15, "x-forwarded-for", KEPT},
    [NAME_X_FORWARDED_HOST] = {16, "x-forwarded-host", KEPT},
    [NAME_X_FORWARDED_PROTO] = {17, "x-forwarded-proto", KEPT},
    [NAME_X_REAL_IP] = {9, "x-real-ip", KEPT},
    [NAME_X_REQUEST_ID] = {12, "x-request-id", KEPT},
};

/* By name_slot. */
static const unsigned char slots[128] = {
    [1] = NAME_SEC_WEBSOCKET_VERSION,
    [9] = NAME_PROXY_AUTHENTICATE,
    [11] = NAME_MAX_FORWARDS,
    [13] = NAME_AUTHORIZATION,
    [17] = NAME_TE,
    [19] = NAME_SET_COOKIE,
    [22] = NAME_CONNECTION,
    [25] = NAME_REFERER,
    [28] = NAME_UPGRADE,
    [29] = NAME_RETRY_AFTER,
    [30] = NAME_SERVER,
    [37] = NAME_TRAILER,
    [38] = NAME_X_FORWARDED_PROTO,
    [40] = NAME_X_REQUEST_ID,
    [41] = NAME_X_REAL_IP,
    [47] = NAME_COOKIE,
    [51] = NAME_DATE,
    [53] = NAME_CONTENT_TYPE,
    [54] = NAME_TRANSFER_ENCODING,
    [57] = NAME_FORWARDED,
    [66] = NAME_SEC_WEBSOCKET_ACCEPT,
    [68] = NAME_USER_AGENT,
    [69] = NAME_X_FORWARDED_FOR,
    [72] = NAME_ACCEPT,
    [74] = NAME_LOCATION,
    [88] = NAME_CONTENT_LENGTH,
    [92] = NAME_X_FORWARDED_HOST,
    [96] = NAME_EXPECT,
    [99] = NAME_KEEP_ALIVE,
    [106] = NAME_PROXY_CONNECTION,
    [109] = NAME_PROXY_AUTHORIZATION,
    [111] = NAME_HTTP2_SETTINGS,
    [112] = NAME_HOST,
    [114] = NAME_VIA,
    [118] = NAME_SEC_WEBSOCKET_KEY,
};
/* clang-format on */

static inline unsigned name_slot(str name)
{
    unsigned first = (unsigned char)name.p[0] | 0x20;
    unsigned last = (unsigned char)name.p[name.n - 1] | 0x20;

    return ((unsigned)name.n + 6 * first + 11 * last) & 127;
}

enum { FOLD = 0x20 };

static inline uint64_t load8(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/*
 * Are n bytes of a token the same as a lower-case text of letters, digits and '-'? For
 * tokens, folding by 0x20 makes no two different characters of these equal.
 */
static inline bool token_eq(const char *token, const char *text, size_t n)
{
    const uint64_t fold = FOLD * 0x0101010101010101u;
    size_t i = 0;

    if (n >= 8) {
        for (; i + 8 <= n; i += 8)
            if ((load8(token + i) | fold) != load8(text + i))
                return false;
        return (load8(token + n - 8) | fold) == load8(text + n - 8);
    }
    for (; i < n; i++)
        if ((token[i] | FOLD) != text[i])
            return false;
    return true;
}

enum field_name name_find(str name)
{
    const struct known_name *known;
    unsigned found;

    if (name.n == 0)
        return NAME_OTHER;
    found = slots[name_slot(name)];
    known = &names[found];
    if (known->length != name.n || !token_eq(name.p, known->text, name.n))
        return NAME_OTHER;
    return (enum field_name)found;
}

str name_text(enum field_name name)
{
    return (str){names[name].text, names[name].length};
}

bool name_is_hop_by_hop(enum field_name name)
{
    return names[name].facts & HOP;
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
    if (starts_nocase(name, STR("grpc-")))
        return true;
    return starts_nocase(name, STR("x-")) && name.n > 2 && !is_proxy_matter(name);
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
