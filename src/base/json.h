/*
 * Writes JSON (RFC 8259) as it goes, onto a text. It puts the commas; that objects and
 * arrays are closed in order and that a key comes before each value in an object is the
 * caller's part. Strings may hold any bytes: what is not UTF-8 becomes U+FFFD, so the
 * result is always valid. What does not fit sets text->overflow, and then the text is
 * worth nothing. No indentation.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/text.h"

struct json {
    struct text *text;
    bool wants_comma; /* a value stands before this place */
};

static inline struct json json_on(struct text *text)
{
    return (struct json){text, false};
}

static inline void json_comma(struct json *json)
{
    if (json->wants_comma)
        text_char(json->text, ',');
    json->wants_comma = true;
}

static inline void json_object(struct json *json)
{
    json_comma(json);
    text_char(json->text, '{');
    json->wants_comma = false;
}

static inline void json_object_end(struct json *json)
{
    text_char(json->text, '}');
    json->wants_comma = true;
}

static inline void json_array(struct json *json)
{
    json_comma(json);
    text_char(json->text, '[');
    json->wants_comma = false;
}

static inline void json_array_end(struct json *json)
{
    text_char(json->text, ']');
    json->wants_comma = true;
}

/* Quoted and escaped, without a comma: the piece that json_key and json_string share. */
void json_quote(struct text *text, str s);

static inline void json_key(struct json *json, str key)
{
    json_comma(json);
    json_quote(json->text, key);
    text_char(json->text, ':');
    json->wants_comma = false;
}

static inline void json_string(struct json *json, str s)
{
    json_comma(json);
    json_quote(json->text, s);
}

static inline void json_u64(struct json *json, uint64_t value)
{
    json_comma(json);
    text_u64(json->text, value);
}

void json_i64(struct json *json, int64_t value);

/* Nanoseconds as seconds with six decimals. */
static inline void json_seconds(struct json *json, uint64_t ns)
{
    json_comma(json);
    text_seconds(json->text, ns);
}

static inline void json_bool(struct json *json, bool value)
{
    json_comma(json);
    text_add(json->text, value ? STR("true") : STR("false"));
}

static inline void json_null(struct json *json)
{
    json_comma(json);
    text_add(json->text, STR("null"));
}

#endif
