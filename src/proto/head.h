/*
 * The one shape that the head of every HTTP message has here, whatever version it came
 * by: a start line and fields, all slices into the bytes it was read from. Readers fill
 * it, the router and filters look at it, writers emit it anew; nothing copies it.
 */
#ifndef PROTO_HEAD_H
#define PROTO_HEAD_H

#include "base/str.h"

/* Well-known methods; HTTP_METHOD_OTHER for any other token. */
enum http_method {
    HTTP_METHOD_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_CONNECT,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_PATCH,
};

/* Field names that weir acts on; NAME_OTHER for the rest. */
enum field_name {
    NAME_OTHER,
    NAME_ACCEPT,
    NAME_AUTHORIZATION,
    NAME_CONNECTION,
    NAME_CONTENT_LENGTH,
    NAME_CONTENT_TYPE,
    NAME_COOKIE,
    NAME_DATE,
    NAME_EXPECT,
    NAME_FORWARDED,
    NAME_HOST,
    NAME_HTTP2_SETTINGS,
    NAME_KEEP_ALIVE,
    NAME_LOCATION,
    NAME_MAX_FORWARDS,
    NAME_PROXY_AUTHENTICATE,
    NAME_PROXY_AUTHORIZATION,
    NAME_PROXY_CONNECTION,
    NAME_REFERER,
    NAME_RETRY_AFTER,
    NAME_SEC_WEBSOCKET_ACCEPT,
    NAME_SEC_WEBSOCKET_KEY,
    NAME_SEC_WEBSOCKET_VERSION,
    NAME_SERVER,
    NAME_SET_COOKIE,
    NAME_TE,
    NAME_TRAILER,
    NAME_TRANSFER_ENCODING,
    NAME_UPGRADE,
    NAME_USER_AGENT,
    NAME_VIA,
    NAME_X_FORWARDED_FOR,
    NAME_X_FORWARDED_HOST,
    NAME_X_FORWARDED_PORT,
    NAME_X_FORWARDED_PREFIX,
    NAME_X_FORWARDED_PROTO,
    NAME_X_FORWARDED_SCHEME,
    NAME_X_FORWARDED_SERVER,
    NAME_X_FORWARDED_SSL,
    NAME_X_FORWARDED_URI,
    NAME_X_REAL_IP,
    NAME_X_REQUEST_ID,
    NAME_LOOKALIKE, /* one that CGI cannot tell from those it must believe: X_Forwarded_For */
    NAME_COUNT,
};

struct field {
    str name;              /* as it came; compare without case */
    str value;             /* without blanks at the ends */
    unsigned char known;   /* enum field_name */
    unsigned char dropped; /* hop-by-hop or removed: writers pass over it */
};

/* How the body of a message is delimited: decided once, by the reader. */
enum framing {
    FRAMING_NONE,   /* no body */
    FRAMING_LENGTH, /* content_length bytes */
    FRAMING_CHUNKED,
    FRAMING_CLOSE, /* until the peer closes; responses only */
};

/* Facts about a head that the reader learnt on its one pass over the fields. */
enum head_flag {
    HEAD_KEEP_ALIVE = 1 << 0, /* the connection may be used again after this message */
    HEAD_EXPECT_CONTINUE = 1 << 1, /* Expect: 100-continue */
    HEAD_UPGRADE = 1 << 2,         /* Connection: upgrade with Upgrade: websocket */
    HEAD_HTTP10 = 1 << 3,
    HEAD_HAS_COOKIE = 1 << 4,
    HEAD_TE_TRAILERS = 1 << 5,  /* TE: trailers was among the request's fields */
    HEAD_ABSOLUTE = 1 << 6,     /* the target came in absolute form */
    HEAD_LENGTH_SAID = 1 << 7,  /* FRAMING_NONE, but a length was said (HEAD, 304) */
    HEAD_NO_LENGTH = 1 << 8,    /* FRAMING_NONE, answers HEAD, nobody said a length */
    HEAD_PATH_NORMAL = 1 << 9,  /* the path is its own normal form, as the reader saw */
    HEAD_HOST_FOLDED = 1 << 10, /* the host needs no uri_fold_host, as the reader saw */
};

struct head {
    struct field *fields; /* the caller's array */
    unsigned field_count, field_room;
    uint64_t
        known; /* bit 1 << name: that name may be among the fields (NAME_COUNT < 64) */
    unsigned flags; /* enum head_flag */
    /* request */
    enum http_method method;
    str method_text;
    str target;    /* as it came */
    str path;      /* the target's path as it came: "/..." or "*" */
    str query;     /* behind the '?'; STR_NONE when there is no '?' */
    str authority; /* host[:port] from the target or Host; valid; STR_NONE in HTTP/1.0 */
    str host;      /* the authority less its port, as it came: uri_fold_host it */
    /* response */
    unsigned status;
    str reason;
    /* both */
    enum framing framing;
    uint64_t content_length; /* with FRAMING_LENGTH or HEAD_LENGTH_SAID */
    size_t bytes;            /* length on the wire, with the empty lines at both ends */
};

/* The first field of that well-known name that is not dropped; NULL when there is none. */
struct field *head_find(const struct head *head, enum field_name name);

/* The first field with this name (any case) that is not dropped; NULL when none. */
struct field *head_find_name(const struct head *head, str name);

/* Marks every field of that name dropped; how many there were. */
unsigned head_drop(struct head *head, enum field_name name);
unsigned head_drop_name(struct head *head, str name);

/* As head_drop_name, with '_' and '-' for the same, as they are in a variable of CGI. */
void head_drop_alike(struct head *head, str name);

/* Appends a field; false when the array is full. The slices must outlive the head. */
MUST_CHECK static inline bool head_add(struct head *head, enum field_name known, str name,
                                       str value)
{
    unsigned at = head->field_count;

    if (unlikely(at >= head->field_room))
        return false;
    head->known |= (uint64_t)1 << known;
    head->field_count = at + 1;
    head->fields[at] = (struct field){name, value, (unsigned char)known, false};
    return true;
}

#endif
