/*
 * Cookies: the name is what stands before the first NUL of the input. The value stays
 * inside, holds no ';', and stands behind its name in the field.
 */
#include "fuzz.h"

#include "proto/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size}, name = STR("a"), field = all, value;
    long at = str_find_char(all, '\0');

    if (at >= 0) {
        name = str_upto(all, (size_t)at);
        field = str_from(all, (size_t)at + 1);
    }
    field = fuzz_exact(field);
    if (cookie_find(field, name, &value)) {
        HOLDS(value.p && fuzz_is_inside(field, value));
        HOLDS(str_find_char(value, ';') < 0);
        HOLDS(str_find(str_slice(field.p, value.p), name) >= 0);
        HOLDS(str_find_char(str_slice(field.p, value.p), '=') >= 0);
    }
    fuzz_free(field);
    return 0;
}
