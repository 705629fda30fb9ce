/* JSON by jansson: duplicate keys and what follows the object are refused, too. */
#include "control/admin_patch.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

static bool PRINTF_LIKE(2, 3) refuse(struct patch_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(text->why, sizeof text->why, format, args);
    va_end(args);
    return false;
}

static bool read_state(const json_t *value, struct server_patch *patch,
                       struct patch_text *text)
{
    const char *word = json_string_value(value);

    if (word && strcmp(word, "drain") == 0)
        patch->state = PATCH_DRAIN;
    else if (word && strcmp(word, "up") == 0)
        patch->state = PATCH_UP;
    else
        return refuse(text, "'state' must be \"drain\" or \"up\"");
    return true;
}

static bool read_weight(const json_t *value, struct server_patch *patch,
                        struct patch_text *text)
{
    json_int_t weight = json_integer_value(value);

    if (!json_is_integer(value) || weight < 0 || weight > 1000000)
        return refuse(text, "'weight' must be a whole number from 0 to 1000000");
    patch->has_weight = true;
    patch->weight = (uint32_t)weight;
    return true;
}

/* It will stand in events and tables: no control bytes. */
static bool read_reason(const json_t *value, struct server_patch *patch,
                        struct patch_text *text)
{
    size_t n = json_string_length(value);

    if (!json_is_string(value) || n > sizeof text->reason)
        return refuse(text, "'reason' must be a text of at most 200 bytes");
    for (size_t i = 0; i < n; i++) {
        char c = json_string_value(value)[i];

        text->reason[i] = (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
    }
    patch->reason = (str){text->reason, n};
    return true;
}

static const struct {
    const char *name;
    bool (*read)(const json_t *value, struct server_patch *patch,
                 struct patch_text *text);
} keys[] = {{"state", read_state}, {"weight", read_weight}, {"reason", read_reason}};

static bool read_key(const char *name, const json_t *value, struct server_patch *patch,
                     struct patch_text *text)
{
    for (size_t i = 0; i < array_len(keys); i++)
        if (strcmp(keys[i].name, name) == 0)
            return keys[i].read(value, patch, text);
    return refuse(text, "unknown key '%.40s'; there are: state, weight, reason", name);
}

bool patch_read_server(str json, struct server_patch *patch, struct patch_text *text)
{
    json_t *object = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    bool is_right = json_is_object(object);
    const char *name;
    json_t *value;

    *patch = (struct server_patch){.reason = STR("")};
    if (!is_right)
        refuse(text, "the body must be a JSON object");
    json_object_foreach(object, name, value)
    {
        if (is_right)
            is_right = read_key(name, value, patch, text);
    }
    json_decref(object);
    if (is_right && patch->state == PATCH_STATE_KEEP && !patch->has_weight)
        is_right = refuse(text, "nothing is asked for: give 'state' or 'weight'");
    return is_right;
}

bool patch_read_breaker(str json, struct breaker_order *order, struct patch_text *text)
{
    static const char *const known[] = {"open", "close", "reset"};
    json_t *object = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    const char *word = json_string_value(json_object_get(object, "action"));
    bool is_alone = json_object_size(object) == 1;

    order->action = STR_NONE;
    for (size_t i = 0; word && is_alone && i < array_len(known); i++)
        if (strcmp(word, known[i]) == 0)
            order->action = str_of(known[i]);
    json_decref(object);
    return order->action.p ||
           refuse(text, "the body must be {\"action\": \"open\"}, or close, or reset");
}
