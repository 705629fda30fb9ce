/*
 * Applications agree on little: {"status": "degraded", "checks": {"db": "down: timeout"}},
 * Spring's {"components": {"db": {"status": "DOWN", "details": ...}}}, the draft
 * application/health+json with lists of observations, ASP.NET's "entries". All are maps
 * (or lists) of things with a state in a word, so that is what is looked for; a shape that
 * has no such word is passed over, never guessed at. The parser bounds the depth, the
 * caller the size.
 */
#include "control/probe/json_state.h"

#include <jansson.h>
#include <stdio.h>

enum {
    NUMBER_MOST = 32,
    TOLD_MOST = 512,    /* of all dependencies */
    TELLING_MOST = 280, /* of one of them */
};

/* ---- looking ---- */

static json_t *find(json_t *value, str path)
{
    str piece;

    while (value && str_next(&path, '.', &piece)) {
        uint64_t at;

        if (json_is_array(value) && str_to_u64(piece, &at))
            value = json_array_get(value, at);
        else
            value = json_object_getn(value, piece.p, piece.n);
    }
    return value;
}

/* A single value as it would be written, without quotes; STR_NONE for a map or a list. */
static str word_in(const json_t *value, char memory[NUMBER_MOST])
{
    switch (value ? json_typeof(value) : JSON_OBJECT) {
    case JSON_STRING:
        return (str){json_string_value(value), json_string_length(value)};
    case JSON_TRUE:
        return STR("true");
    case JSON_FALSE:
        return STR("false");
    case JSON_NULL:
        return STR("null");
    case JSON_INTEGER:
        snprintf(memory, NUMBER_MOST, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return str_of(memory);
    case JSON_REAL:
        snprintf(memory, NUMBER_MOST, "%g", json_real_value(value));
        return str_of(memory);
    default:
        return STR_NONE;
    }
}

static bool is_good(const struct check_json *wanted, str word)
{
    for (unsigned i = 0; i < wanted->equal_count; i++)
        if (str_eq_nocase(word, wanted->equals[i]))
            return true;
    return false;
}

/* The first of these members that is a single value. */
static str member_word(json_t *object, const char *const *names, unsigned count,
                       char memory[NUMBER_MOST])
{
    for (unsigned i = 0; i < count; i++) {
        str word = word_in(json_object_get(object, names[i]), memory);

        if (word.p)
            return word;
    }
    return STR_NONE;
}

/* ---- what it needs ---- */

struct telling {
    const struct check_json *wanted;
    struct text text;
    const char *separator;
};

static void tell(struct telling *telling, str name, str state, str why)
{
    struct text *text = &telling->text;

    if (text->room - text->n < TELLING_MOST)
        return; /* enough is said */
    text_add(text, str_of(text->n ? telling->separator : ""));
    text_add(text, str_upto(name, 64));
    text_add(text, name.n ? STR(": ") : STR(""));
    text_add(text, str_upto(state, 96));
    if (why.n) {
        text_add(text, state.n ? STR(": ") : STR(""));
        text_add(text, str_upto(why, 96));
    }
}

/* "ok (3 ms)" is ok: the first word counts. */
static str first_word(str state)
{
    size_t n = 0;

    while (n < state.n && !strchr(" \t:,;(", state.p[n]))
        n++;
    return str_upto(state, n);
}

static void look_at_state(struct telling *telling, str name, str state, str why)
{
    if (state.n && !is_good(telling->wanted, first_word(state)) &&
        !is_good(telling->wanted, state))
        tell(telling, name, state, why);
}

static void look_at_object(struct telling *telling, str name, json_t *object)
{
    static const char *const states[] = {"status", "state", "health", "healthy"};
    static const char *const whys[] = {"message", "error", "output", "reason",
                                       "description"};
    char number[NUMBER_MOST], other[NUMBER_MOST];
    str why = member_word(object, whys, array_len(whys), other);

    if (!why.n)
        why =
            member_word(json_object_get(object, "details"), whys, array_len(whys), other);
    look_at_state(telling, name, member_word(object, states, array_len(states), number),
                  why);
}

static void look_at(struct telling *telling, str name, json_t *value)
{
    char number[NUMBER_MOST];
    json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (json_is_object(item))
                look_at_object(telling, name, item);
        }
    } else if (json_is_object(value)) {
        look_at_object(telling, name, value);
    } else {
        look_at_state(telling, name, word_in(value, number), STR_NONE);
    }
}

static void look_at_all(struct telling *telling, json_t *all)
{
    static const char *const names[] = {"name", "id", "component"};
    char number[NUMBER_MOST];
    const char *key;
    json_t *value;
    size_t i, n;

    json_object_keylen_foreach(all, key, n, value)
    {
        look_at(telling, (str){key, n}, value);
    }
    json_array_foreach(all, i, value)
    {
        look_at(telling, member_word(value, names, array_len(names), number), value);
    }
}

static void look_at_dependencies(struct telling *telling, json_t *body)
{
    static const char *const usual[] = {"checks",  "components", "dependencies",
                                        "entries", "results",    "services"};

    if (telling->wanted->dependencies.n) {
        look_at_all(telling, find(body, telling->wanted->dependencies));
        return;
    }
    for (unsigned i = 0; i < array_len(usual); i++)
        look_at_all(telling, json_object_get(body, usual[i]));
}

/* ---- the verdict ---- */

static void tell_bad(struct telling *telling, str field, str state,
                     const struct text *more)
{
    struct text *text = &telling->text;

    text_add(text, str_upto(field, 64));
    text_add(text, state.p ? STR(" is '") : STR(" is no single value"));
    text_add(text, str_upto(state, 64));
    text_add(text, state.p ? STR("'") : STR(""));
    if (!more->n)
        return;
    text_add(text, STR(" ("));
    text_add(text, text_str(more));
    text_char(text, ')');
}

static bool judge(struct check_outcome *outcome, const struct check_json *wanted,
                  json_t *body, bool is_aside)
{
    char more_memory[TOLD_MOST], memory[TOLD_MOST * 2], number[NUMBER_MOST];
    struct telling more = {wanted, text_in(more_memory, sizeof more_memory), ", "};
    struct telling all = {wanted, text_in(memory, sizeof memory), ""};
    json_t *field = find(body, wanted->field);
    str state = word_in(field, number);
    bool is_well = field && is_good(wanted, state);
    char why_memory[NUMBER_MOST];

    if (!is_well && wanted->reason.n) {
        str why = word_in(find(body, wanted->reason), why_memory);

        if (why.n)
            tell(&more, STR(""), why, STR_NONE);
    }
    look_at_dependencies(&more, body);
    if (is_well || is_aside) {
        outcome_tell(outcome, text_str(&more.text));
        return is_well;
    }
    if (field) {
        tell_bad(&all, wanted->field, state, &more.text);
    } else {
        text_add(&all.text, STR("there is no field '"));
        text_add(&all.text, str_upto(wanted->field, 64));
        text_char(&all.text, '\'');
    }
    outcome_tell(outcome, text_str(&all.text));
    return false;
}

bool json_state_judge(struct check_outcome *outcome, const struct check_json *wanted,
                      str body, bool is_aside)
{
    json_error_t error;
    json_t *read = json_loadb(body.p, body.n, JSON_DECODE_ANY, &error);
    bool is_well;

    if (!read) {
        char memory[JSON_ERROR_TEXT_LENGTH + 64];

        if (!body.n)
            snprintf(memory, sizeof memory, "the body is empty");
        else
            snprintf(memory, sizeof memory, "the body is not JSON: %s (line %d)",
                     error.text, error.line);
        if (!is_aside)
            outcome_tell(outcome, str_of(memory));
        return false;
    }
    is_well = judge(outcome, wanted, read, is_aside);
    json_decref(read);
    return is_well;
}
