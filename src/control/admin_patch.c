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

static bool read_state(const json_t *value, void *object, struct patch_text *text)
{
    struct server_patch *patch = object;
    const char *word = json_string_value(value);

    if (word && strcmp(word, "drain") == 0)
        patch->state = PATCH_DRAIN;
    else if (word && strcmp(word, "up") == 0)
        patch->state = PATCH_UP;
    else
        return refuse(text, "'state' must be \"drain\" or \"up\"");
    return true;
}

static bool read_weight(const json_t *value, void *object, struct patch_text *text)
{
    struct server_patch *patch = object;
    json_int_t weight = json_integer_value(value);

    if (!json_is_integer(value) || weight < 0 || weight > 1000000)
        return refuse(text, "'weight' must be a whole number from 0 to 1000000");
    patch->has_weight = true;
    patch->weight = (uint32_t)weight;
    return true;
}

/* It will stand in events and tables: no control bytes. */
static bool read_reason(const json_t *value, str *reason, struct patch_text *text)
{
    size_t n = json_string_length(value);

    if (!json_is_string(value) || n > sizeof text->reason)
        return refuse(text, "'reason' must be a text of at most 200 bytes");
    for (size_t i = 0; i < n; i++) {
        char c = json_string_value(value)[i];

        text->reason[i] = (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
    }
    *reason = (str){text->reason, n};
    return true;
}

static bool read_server_reason(const json_t *value, void *object, struct patch_text *text)
{
    struct server_patch *patch = object;

    return read_reason(value, &patch->reason, text);
}

/* One key of an object, and who reads it into what. */
struct patch_key {
    const char *name; /* NULL ends a table */
    bool (*read)(const json_t *value, void *object, struct patch_text *text);
};

static bool unknown_key(const char *name, const struct patch_key *keys,
                        struct patch_text *text)
{
    char all[PATCH_WHY_MOST / 2];
    size_t n = 0;

    for (const struct patch_key *key = keys; key->name; key++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", key == keys ? "" : ", ",
                              key->name);
    return refuse(text, "unknown key '%.40s'; there are: %s", name, all);
}

static bool read_key(const char *name, const json_t *value, const struct patch_key *keys,
                     void *object, struct patch_text *text)
{
    for (const struct patch_key *key = keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key->read(value, object, text);
    return unknown_key(name, keys, text);
}

/* *has_first: was the table's first key there? */
static bool read_object(str json, const struct patch_key *keys, void *object,
                        struct patch_text *text, bool *has_first)
{
    json_t *all = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    bool is_right = json_is_object(all);
    const char *name;
    json_t *value;

    if (!is_right)
        refuse(text, "the body must be a JSON object");
    *has_first = json_object_get(all, keys[0].name) != NULL;
    json_object_foreach(all, name, value)
    {
        if (is_right)
            is_right = read_key(name, value, keys, object, text);
    }
    json_decref(all);
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

/* ---- a server ---- */

static const struct patch_key server_keys[] = {{"state", read_state},
                                               {"weight", read_weight},
                                               {"reason", read_server_reason},
                                               {NULL, NULL}};

bool patch_read_server(str json, struct server_patch *patch, struct patch_text *text)
{
    bool has_state;

    *patch = (struct server_patch){.reason = STR("")};
    if (!read_object(json, server_keys, patch, text, &has_state))
        return false;
    if (patch->state == PATCH_STATE_KEEP && !patch->has_weight)
        return refuse(text, "nothing is asked for: give 'state' or 'weight'");
    return true;
}

/* ---- maintenance ---- */

static bool read_enabled(const json_t *value, void *object, struct patch_text *text)
{
    struct maintenance_patch *patch = object;

    if (!json_is_boolean(value))
        return refuse(text, "'enabled' must be true or false");
    patch->is_enabled = json_is_true(value);
    return true;
}

static bool read_page(const json_t *value, void *object, struct patch_text *text)
{
    struct maintenance_patch *patch = object;
    size_t n = json_string_length(value);

    if (!json_is_string(value) || n == 0 || n > sizeof text->name)
        return refuse(text, "'page' must be the name of a page");
    memcpy(text->name, json_string_value(value), n);
    patch->page = (str){text->name, n};
    return true;
}

static bool read_except(const json_t *value, void *object, struct patch_text *text)
{
    struct maintenance_patch *patch = object;
    const json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) > array_len(text->except))
        return refuse(text, "'except' must be a list of at most %zu networks",
                      array_len(text->except));
    json_array_foreach(value, i, item)
    {
        const char *word = json_string_value(item);

        if (!word || prefix_parse(str_of(word), &text->except[i]))
            return refuse(text, "'%.60s' is not an address or a network (10.0.0.0/8)",
                          word ? word : "?");
    }
    patch->except = (struct prefixes){text->except, (unsigned)i};
    return true;
}

static bool read_maintenance_reason(const json_t *value, void *object,
                                    struct patch_text *text)
{
    struct maintenance_patch *patch = object;

    return read_reason(value, &patch->reason, text);
}

static const struct patch_key maintenance_keys[] = {{"enabled", read_enabled},
                                                    {"page", read_page},
                                                    {"except", read_except},
                                                    {"reason", read_maintenance_reason},
                                                    {NULL, NULL}};

bool patch_read_maintenance(str json, struct maintenance_patch *patch,
                            struct patch_text *text)
{
    bool is_said;

    *patch = (struct maintenance_patch){.page = STR(""), .reason = STR("")};
    if (!read_object(json, maintenance_keys, patch, text, &is_said))
        return false;
    return is_said || refuse(text, "nothing is asked for: give 'enabled', true or false");
}

/* ---- degradation ---- */

static bool read_level(const json_t *value, void *object, struct patch_text *text)
{
    struct degrade_patch *patch = object;
    size_t n = json_string_length(value);

    if (!json_is_string(value) || n == 0 || n > sizeof text->name)
        return refuse(text, "'level' must be the name of a level, or auto");
    memcpy(text->name, json_string_value(value), n);
    patch->level = (str){text->name, n};
    return true;
}

static bool read_degrade_reason(const json_t *value, void *object,
                                struct patch_text *text)
{
    struct degrade_patch *patch = object;

    return read_reason(value, &patch->reason, text);
}

static const struct patch_key degrade_keys[] = {
    {"level", read_level}, {"reason", read_degrade_reason}, {NULL, NULL}};

bool patch_read_degrade(str json, struct degrade_patch *patch, struct patch_text *text)
{
    bool is_said;

    *patch = (struct degrade_patch){.reason = STR("")};
    if (!read_object(json, degrade_keys, patch, text, &is_said))
        return false;
    return is_said || refuse(text, "nothing is asked for: give 'level'");
}
