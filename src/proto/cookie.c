/* One walk over the pairs of a Cookie field. */
#include "proto/cookie.h"

bool cookie_find(str field_value, str name, str *value)
{
    str pair;

    while (str_next(&field_value, ';', &pair)) {
        long at;

        pair = str_trim(pair);
        at = str_find_char(pair, '=');
        if (at < 0 || !str_eq(str_trim(str_upto(pair, (size_t)at)), name))
            continue;
        *value = str_trim(str_from(pair, (size_t)at + 1));
        return true;
    }
    return false;
}
