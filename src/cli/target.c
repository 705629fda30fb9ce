/*
 * Names of servers are addresses or whatever the configuration calls them, so every byte
 * but the plainest is escaped.
 */
#include "cli/target.h"

bool target_cut(str name, struct named *named)
{
    long slash = str_find_char(name, '/');

    if (slash <= 0 || (size_t)slash + 1 == name.n)
        return false;
    named->pool = str_upto(name, (size_t)slash);
    named->server = str_from(name, (size_t)slash + 1);
    return true;
}

void target_add_part(struct text *target, str part)
{
    for (size_t i = 0; i < part.n; i++) {
        unsigned char c = (unsigned char)part.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';

        if (is_plain)
            text_char(target, (char)c);
        else
            text_format(target, "%%%02X", c);
    }
}

void target_add_server(struct text *target, const struct named *named)
{
    text_add(target, STR("/v1/pools/"));
    target_add_part(target, named->pool);
    text_add(target, STR("/servers/"));
    target_add_part(target, named->server);
}
