/*
 * Request targets: split, checked, and brought into one normal form that is used both
 * for matching and for what the server sees, so that no rule can be walked around by
 * writing a path in another way. (RFC 3986, RFC 9112 3.2.) Does not decode queries.
 */
#ifndef PROTO_URI_H
#define PROTO_URI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct uri {
    str scheme;    /* absolute form only: "http" or "https" in any case; else STR_NONE */
    str authority; /* absolute form only; not checked here (uri_check_authority) */
    str path;      /* "/..." or "*"; "/" when an absolute form has none */
    str query;     /* behind the '?'; STR_NONE without one */
};

/*
 * Origin form ("/a?b"), absolute form ("http://h/a?b") or "*". ERR_INVALID: anything
 * else, a byte outside visible ASCII, a fragment, another scheme.
 */
MUST_CHECK enum err uri_split(str target, struct uri *out);

/*
 * The normal form of an absolute path: escapes of unreserved characters decoded, other
 * escapes in upper case, characters that have no place in a path escaped ('\' too),
 * "//" merged, dot segments removed. It is its own normal form. %2F stays what it is: not
 * a slash. *normal is `path` itself when nothing is to change (the usual case), else
 * lives in `arena`.
 *
 * ERR_INVALID: no leading '/' (but "*" alone is fine), a broken escape, %00, overlong
 * UTF-8, ".." above the root, dot segments with parameters ("..;x") or hidden behind
 * an escaped separator ("..%2F", "..%5C").
 */
MUST_CHECK enum err uri_normalise(str path, struct arena *arena, str *normal);

/*
 * Is the path its own normal form, so that uri_normalise need not be asked? May say no
 * where it is, never yes where it is not. `end`: how far bytes can be read, behind the
 * path too.
 */
bool uri_is_plain(str path, const char *end);

/* host[:port], cut in two. */
struct uri_authority {
    str host;
    uint16_t port; /* 0: none was named */
    bool
        is_folded; /* uri_fold_host would change nothing; may be false where that is so */
};

/*
 * Host is a name of letters, digits, '-', '_' and '.', an IPv4 address, or an IPv6 address
 * in brackets, which stay. No userinfo. False: it is not valid.
 */
MUST_CHECK bool uri_cut_authority(str authority, struct uri_authority *out);

/* Valid host[:port]: the check alone. */
bool uri_check_authority(str authority);

/* A host that was cut, in lower case and without one dot at its end: a slice of it when
 * it was in lower case already, else it lives in `arena`. */
str uri_fold_host(str host, struct arena *arena);

/* uri_cut_authority and uri_fold_host. ERR_INVALID: it is not valid. */
MUST_CHECK enum err uri_host(str authority, struct arena *arena, str *host,
                             uint16_t *port);

/*
 * The value of the first parameter `name` in a query ("a=1&b" has a with "1" and b with
 * ""). Compared and returned as written, escapes and '+' not decoded.
 */
bool query_find(str query, str name, str *value);

#endif
