/*
 * The rows as JSON Schema (draft-07), for editors that complete and check while one types.
 * It is a little wider than the reader: that a name exists, or that a host is one, only
 * the reader knows. Every word may also come from a variable, so wherever a number or a
 * choice is wanted a text with ${...} fits too.
 */
#include "control/conf/conf.h"
#include "control/conf/draft.h"
#include "control/conf/value.h"

struct writer {
    struct scroll *out;
    unsigned indent;
};

static void line(struct writer *writer, const char *text)
{
    scroll_repeat(writer->out, ' ', writer->indent * 2);
    scroll_add(writer->out, str_of(text));
    scroll_char(writer->out, '\n');
}

static const char any_of[] = "{\"anyOf\": [";
static const char variable[] = "{\"$ref\": \"#/definitions/variable\"}";
static const char off[] = "{\"enum\": [\"off\", \"false\", false]}, ";

static void pattern(struct writer *writer, const struct conf_row *row, const char *regex)
{
    struct scroll *out = writer->out;

    scroll_add(out, str_of(any_of));
    if (row->flags & CONF_OFF)
        scroll_add(out, str_of(off));
    scroll_format(out, "{\"type\": \"string\", \"pattern\": \"%s\"}, %s]}", regex,
                  variable);
}

static void count(struct writer *writer, const struct conf_row *row)
{
    struct scroll *out = writer->out;

    scroll_add(out, str_of(any_of));
    if (row->flags & CONF_AUTO)
        scroll_add(out, STR("{\"const\": \"auto\"}, "));
    if (row->flags & CONF_OFF)
        scroll_add(out, str_of(off));
    scroll_format(out,
                  "{\"type\": \"integer\", \"minimum\": %llu, \"maximum\": %llu}, "
                  "{\"type\": \"string\", \"pattern\": \"^[0-9]+$\"}, %s]}",
                  (unsigned long long)row->min, (unsigned long long)row->max, variable);
}

static void factor(struct writer *writer, const struct conf_row *row)
{
    char least[VALUE_TEXT_MOST], most[VALUE_TEXT_MOST];
    struct scroll *out = writer->out;

    value_print_factor(row->min, least);
    value_print_factor(row->max, most);
    scroll_add(out, str_of(any_of));
    if (row->flags & CONF_OFF)
        scroll_add(out, str_of(off));
    scroll_format(out,
                  "{\"type\": \"number\", \"minimum\": %s, \"maximum\": %s}, "
                  "{\"type\": \"string\", \"pattern\": "
                  "\"^[0-9]+([.][0-9]{1,3})?$\"}, %s]}",
                  least, most, variable);
}

static bool is_number(const char *name)
{
    uint64_t number;

    return str_to_u64(str_of(name), &number);
}

/* The words, and what YAML makes of some of them. */
static void choice(struct writer *writer, const struct conf_choice *choices)
{
    struct scroll *out = writer->out;

    scroll_format(out, "%s{\"enum\": [", any_of);
    for (const struct conf_choice *one = choices; one->name; one++) {
        scroll_format(out, "%s\"%s\"", one == choices ? "" : ", ", one->name);
        if (strcmp(one->name, "off") == 0)
            scroll_add(out, STR(", \"false\", false"));
        else if (is_number(one->name) || strcmp(one->name, "true") == 0)
            scroll_format(out, ", %s", one->name);
    }
    scroll_format(out, "]}, %s]}", variable);
}

static void value(struct writer *writer, const struct conf_row *row)
{
    struct scroll *out = writer->out;

    switch (row->type) {
    case CONF_FLAG:
        scroll_format(out, "%s{\"enum\": [true, false, \"true\", \"false\"]}, %s]}",
                      any_of, variable);
        break;
    case CONF_COUNT:
        count(writer, row);
        break;
    case CONF_DURATION:
        pattern(writer, row, "^[0-9]+(ms|s|m|h)$");
        break;
    case CONF_SIZE:
    case CONF_SIZE64:
        pattern(writer, row, "^[0-9]+(B|KiB|MiB|GiB)$");
        break;
    case CONF_RATE:
        pattern(writer, row, "^[0-9]+(B|KiB|MiB|GiB)/s$");
        break;
    case CONF_PERCENT:
        pattern(writer, row, "^[0-9]+%$");
        break;
    case CONF_FACTOR:
        factor(writer, row);
        break;
    case CONF_CHOICE:
        choice(writer, row->choices);
        break;
    default:
        scroll_add(out, str_of(row->form->schema));
        break;
    }
}

static void object(struct writer *writer, const struct conf_row *rows);
static void properties(struct writer *writer, const struct conf_row *rows, bool is_first);

/* The opening of a property, with what the reference says of it. */
static void begin_property(struct writer *writer, const struct conf_row *row,
                           bool is_first)
{
    struct scroll *out = writer->out;

    if (!is_first)
        scroll_add(out, STR(",\n"));
    scroll_repeat(out, ' ', writer->indent * 2);
    scroll_format(out, "\"%s\": {\"description\": ", row->name);
    scroll_json(out, str_of(row->doc));
    if (row->fallback) {
        scroll_add(out, STR(", \"default\": "));
        scroll_json(out, str_of(row->fallback));
    }
}

/* One of the words, or a map of one to its settings. */
static void form_words(struct writer *writer, const struct conf_row *row)
{
    struct scroll *out = writer->out;
    const char *word, *doc;

    scroll_format(out, "%s{\"enum\": [", any_of);
    for (unsigned i = 0; (word = row->form->word(i, &doc)); i++)
        scroll_format(out, "%s\"%s\"", i ? ", " : "", word);
    scroll_format(out, "]}, %s, ", variable);
    object(writer, row->rows);
    scroll_add(out, STR("]}"));
}

static void property(struct writer *writer, const struct conf_row *row, bool is_first)
{
    struct scroll *out = writer->out;

    begin_property(writer, row, is_first);
    scroll_add(out, STR(", \"allOf\": ["));
    if (!row->rows) {
        value(writer, row);
        scroll_add(out, STR("]}"));
        return;
    }
    if (row->form && row->form->word) {
        form_words(writer, row);
        scroll_add(out, STR(", {\"minProperties\": 1, \"maxProperties\": 1}]}"));
        return;
    }
    if (row->type == CONF_NAMED) {
        scroll_add(out, STR("{\"type\": \"object\", \"propertyNames\": {\"$ref\": "
                            "\"#/definitions/name\"}, "));
        if (row->beside) {
            scroll_add(out, STR("\"properties\": {\n"));
            writer->indent++;
            properties(writer, row->beside, true);
            writer->indent--;
            scroll_add(out, STR("}, "));
        }
        scroll_add(out, STR("\"additionalProperties\": "));
    }
    if (row->type == CONF_LIST)
        scroll_add(out, STR("{\"type\": \"array\", \"items\": "));
    if (row->word || row->also)
        scroll_format(out, "%s{\"type\": [\"string\", \"boolean\"]}, ", any_of);
    object(writer, row->rows);
    if (row->word || row->also)
        scroll_add(out, STR("]}"));
    if (row->type != CONF_SECTION)
        scroll_char(out, '}');
    scroll_add(out, STR("]}"));
}

static void properties(struct writer *writer, const struct conf_row *rows, bool is_first)
{
    for (const struct conf_row *row = rows; row->name; row++, is_first = false) {
        property(writer, row, is_first);
        if (row->flags & CONF_INLINE)
            properties(writer, row->rows, false);
    }
}

static void object(struct writer *writer, const struct conf_row *rows)
{
    struct scroll *out = writer->out;
    bool is_first = true;

    scroll_add(out, STR("{\"type\": \"object\", \"additionalProperties\": false"));
    for (const struct conf_row *row = rows; row->name; row++) {
        if (!(row->flags & CONF_REQUIRED))
            continue;
        scroll_format(out, "%s\"%s\"", is_first ? ", \"required\": [" : ", ", row->name);
        is_first = false;
    }
    scroll_add(out,
               is_first ? STR(", \"properties\": {\n") : STR("], \"properties\": {\n"));
    writer->indent++;
    properties(writer, rows, true);
    writer->indent--;
    scroll_char(out, '\n');
    scroll_repeat(out, ' ', writer->indent * 2);
    scroll_add(out, STR("}}"));
}

static const char *const definitions[] = {
    "\"variable\": {\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"},",
    "\"word\": {\"type\": [\"string\", \"number\", \"boolean\"]},",
    "\"name\": {\"anyOf\": [{\"type\": \"string\", \"pattern\": "
    "\"^[A-Za-z0-9._-]{1,128}$\"}, {\"type\": [\"number\", \"boolean\"]}, "
    "{\"$ref\": \"#/definitions/variable\"}]},",
    "\"words\": {\"anyOf\": [{\"$ref\": \"#/definitions/word\"}, {\"type\": \"array\", "
    "\"items\": {\"$ref\": \"#/definitions/word\"}}]},",
    "\"values\": {\"type\": \"object\", \"additionalProperties\": {\"$ref\": "
    "\"#/definitions/word\"}},",
    "\"statuses\": {\"anyOf\": [{\"$ref\": \"#/definitions/status\"}, {\"type\": \"array\", "
    "\"items\": {\"$ref\": \"#/definitions/status\"}}]},",
    "\"status\": {\"anyOf\": [{\"type\": \"integer\", \"minimum\": 100, \"maximum\": 599}, "
    "{\"type\": \"string\", \"pattern\": \"^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$\"}, "
    "{\"$ref\": \"#/definitions/variable\"}]},",
    "\"on_errors\": {\"anyOf\": [{\"$ref\": \"#/definitions/on_error\"}, {\"type\": "
    "\"array\", \"items\": {\"$ref\": \"#/definitions/on_error\"}}]},",
    "\"on_error\": {\"anyOf\": [{\"enum\": [\"connect_error\", \"reset_before_response\", "
    "\"response_timeout\", 500, 502, 503, 504, \"500\", \"502\", \"503\", \"504\"]}, "
    "{\"$ref\": \"#/definitions/variable\"}]},",
    "\"split\": {\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": "
    "{\"type\": \"string\", \"pattern\": \"^[0-9]+%$|\\\\$\\\\{\"}},",
    "\"client_ip\": {\"anyOf\": [{\"$ref\": \"#/definitions/words\"}, {\"type\": "
    "\"object\", \"required\": [\"not\"], \"additionalProperties\": false, "
    "\"properties\": {\"not\": {\"$ref\": \"#/definitions/words\"}}}]}",
};

void conf_schema(struct scroll *out)
{
    struct writer writer = {out, 1};

    scroll_add(out, STR("{\n"));
    line(&writer, "\"$schema\": \"http://json-schema.org/draft-07/schema#\",");
    line(&writer, "\"title\": \"weir.yaml\",");
    line(&writer, "\"definitions\": {");
    writer.indent++;
    for (size_t i = 0; i < array_len(definitions); i++)
        line(&writer, definitions[i]);
    writer.indent--;
    line(&writer, "},");
    line(&writer, "\"type\": \"object\",");
    line(&writer, "\"additionalProperties\": false,");
    line(&writer, "\"properties\": {");
    writer.indent++;
    properties(&writer, top_rows, true);
    writer.indent--;
    scroll_char(out, '\n');
    line(&writer, "}");
    scroll_add(out, STR("}\n"));
}
