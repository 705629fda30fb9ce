/*
 * The handshake's fields are few and fixed, so both checks are a short list of what must
 * be there. Upgrade is looked at although the reader has marked it dropped.
 */
#include "proto/websocket.h"

#include "proto/chars.h"

/* The only field of that name, dropped or not; NULL when there is none or several. */
static const struct field *only(const struct head *head, enum field_name name)
{
    const struct field *found = NULL;

    for (unsigned i = 0; i < head->field_count; i++) {
        if (head->fields[i].known != name)
            continue;
        if (found)
            return NULL;
        found = &head->fields[i];
    }
    return found;
}

static bool is_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '+' || c == '/';
}

/* Base64 of as many bytes as give `padding` signs '=' in a text of `length`. */
static bool is_base64_of(str s, size_t length, size_t padding)
{
    if (s.n != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (i < length - padding ? !is_base64(s.p[i]) : s.p[i] != '=')
            return false;
    return true;
}

unsigned websocket_check_request(const struct head *head)
{
    const struct field *key = only(head, NAME_SEC_WEBSOCKET_KEY);
    const struct field *version = only(head, NAME_SEC_WEBSOCKET_VERSION);

    if (!(head->flags & HEAD_UPGRADE) || head->flags & HEAD_HTTP10 ||
        head->method != HTTP_GET || head->framing != FRAMING_NONE)
        return 400;
    if (!version || !key || key->dropped || version->dropped)
        return 400;
    if (!str_eq(version->value, STR("13")))
        return 426;
    return is_base64_of(key->value, 24, 2) ? 0 : 400;
}

bool websocket_check_answer(const struct head *head)
{
    const struct field *accept = only(head, NAME_SEC_WEBSOCKET_ACCEPT);

    return head->status == 101 && head->flags & HEAD_UPGRADE &&
           !(head->flags & HEAD_HTTP10) && accept && is_base64_of(accept->value, 28, 1);
}
