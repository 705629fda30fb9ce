/* Forms that several tables use: names, plain texts, names of headers, networks. */
#include "control/conf/address.h"
#include "control/conf/draft.h"
#include "proto/chars.h"
#include "proto/names.h"

enum { NAME_MOST = 128, TOKEN_MOST = 256 };

bool text_is_token(str text)
{
    return text.n && text.n <= TOKEN_MOST &&
           scan_class(text.p, text.p + text.n, CHAR_TOKEN) == text.p + text.n;
}

bool text_has_control(str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* What was most likely meant as a path: not the scheme, method, host or fragment beside it. */
static str path_meant(str text)
{
    long scheme = str_find(text, STR("://")), slash, cut;

    if (scheme >= 0) {
        text = str_from(text, (size_t)scheme + 3);
        slash = str_find_char(text, '/');
        text = slash < 0 ? STR("/") : str_from(text, (size_t)slash);
    }
    cut = str_find(text, STR(" /"));
    if (cut >= 0)
        text = str_from(text, (size_t)cut + 1);
    cut = str_find_char(text, '#');
    return cut > 0 ? str_upto(text, (size_t)cut) : text;
}

void help_path(struct reader *reader, struct complaint *complaint, str text)
{
    str meant = path_meant(text);
    const char *word = complaint_word(reader->complaints, meant);

    if (!meant.n || meant.p[0] != '/')
        complaint_help(complaint, "write '/%s'", word);
    else if (meant.n != text.n)
        complaint_help(complaint, "write '%s'", word);
    else
        complaint_help(complaint, "blanks, and what is not ASCII, are written as %%XX");
}

bool name_check(struct reader *reader, const struct node *name)
{
    str text = name->text;
    bool is_right = text.n > 0 && text.n <= NAME_MOST;

    for (size_t i = 0; is_right && i < text.n; i++)
        is_right = char_is(text.p[i], CHAR_HOST);
    if (!is_right)
        complaint_help(complain_value(reader, "C039", name, "is not a name"),
                       "a name has 1 to %d letters, digits, '-', '_' and '.'", NAME_MOST);
    return is_right;
}

static void read_text(struct reader *reader, const struct conf_row *row,
                      const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (node)
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

const struct conf_form text_form = {
    .words = "any text",
    .schema = "{\"type\": \"string\"}",
    .read = read_text,
};

/* X-Request-Id has no other meaning to weir. */
static bool is_free(str header)
{
    enum field_name known = name_find(header);

    return known == NAME_OTHER || known == NAME_X_REQUEST_ID;
}

static void read_header_name(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (word_is_off(node->text))
        *CONF_FIELD(object, row, str) = STR("");
    else if (!text_is_token(node->text))
        complain_value(reader, "C029", node, "is not the name of a header");
    else if (!is_free(node->text))
        complaint_help(
            complain_value(reader, "C029", node, "is a header that has another meaning"),
            "use one that is there for this alone");
    else
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

const struct conf_form header_name_form = {
    .words = "the name of a header, or off",
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"const\": false}]}",
    .read = read_header_name,
};

static void read_networks(struct reader *reader, const struct conf_row *row,
                          const struct pair *pair, void *object)
{
    *CONF_FIELD(object, row, struct prefixes) = address_read_prefixes(reader, pair);
}

const struct conf_form networks_form = {
    .words = "a list of IP addresses and networks (10.0.0.0/8)",
    .schema = "{\"$ref\": \"#/definitions/words\"}",
    .read = read_networks,
};
