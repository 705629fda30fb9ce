/*
 * Targets: the normal form of a path is its own normal form and holds no dot segment and
 * no empty one; hosts come out in lower case and are their own normal form.
 */
#include "fuzz.h"

#include "proto/uri.h"

static void check_path(str path, struct arena *arena)
{
    str normal, again, rest, segment;

    if (uri_normalise(path, arena, &normal))
        return;
    HOLDS(normal.n > 0 && normal.n <= path.n * 3);
    HOLDS(uri_normalise(normal, arena, &again) == ERR_OK);
    HOLDS(again.p == normal.p && again.n == normal.n);
    if (str_eq(normal, STR("*")))
        return;
    HOLDS(normal.p[0] == '/');
    rest = str_from(normal, 1);
    while (str_next(&rest, '/', &segment)) {
        HOLDS(segment.n > 0 || !rest.p);
        HOLDS(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
        HOLDS(!str_starts(segment, STR("..;")) && !str_starts(segment, STR("..%3B")));
        HOLDS(!str_starts(segment, STR("..%2F")) && !str_ends(segment, STR("%2F..")));
    }
    for (size_t i = 0; i < normal.n; i++)
        HOLDS(normal.p[i] > ' ' && normal.p[i] < 0x7f && normal.p[i] != '\\');
}

static void check_host(str authority, struct arena *arena)
{
    uint16_t port, other_port;
    str host, other;

    HOLDS(uri_check_authority(authority) ==
          (uri_host(authority, arena, &host, &port) == ERR_OK));
    if (!uri_check_authority(authority))
        return;
    for (size_t i = 0; i < host.n; i++)
        HOLDS(host.p[i] == char_lower(host.p[i]));
    HOLDS(uri_host(host, arena, &other, &other_port) == ERR_OK);
    HOLDS(str_eq(host, other) && other_port == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = fuzz_exact((str){(const char *)data, size}), value;
    struct arena arena;
    struct uri uri;

    arena_init(&arena, 0);
    check_path(bytes, &arena);
    check_host(bytes, &arena);
    if (uri_split(bytes, &uri) == ERR_OK) {
        HOLDS(uri.path.n > 0);
        HOLDS(fuzz_is_inside(bytes, uri.query) && fuzz_is_inside(bytes, uri.authority));
        check_path(uri.path, &arena);
        if (uri.authority.p)
            check_host(uri.authority, &arena);
        if (uri.query.p && query_find(uri.query, STR("a"), &value))
            HOLDS(fuzz_is_inside(bytes, value));
    }
    arena_reset(&arena);
    fuzz_free(bytes);
    return 0;
}
