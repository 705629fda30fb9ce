/* ${NAME}, ${NAME:-default} and ${file:/path} in values. */
#include "control/conf/substitute.h"

#include "control/conf/include.h"

enum { FILE_MOST = 64 << 10 };

struct substitution {
    struct complaints *complaints;
    const struct conf_world *world;
    struct node *node;
    struct scroll text;
};

static bool is_variable_name(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = char_lower(name.p[i]);

        if (!(c >= 'a' && c <= 'z') && c != '_' && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.n > 0;
}

/* `piece` is all from ${ to }. */
static struct place piece_place(const struct substitution *s, str piece)
{
    return node_part(s->node, (size_t)(piece.p - s->node->text.p), piece.n);
}

static bool add_file(struct substitution *s, str piece, str path)
{
    struct complaints *complaints = s->complaints;
    str content = STR_NONE;
    enum err e;

    e = s->world->read_file(s->world->owner, path, &complaints->arena, &content);
    if (e == ERR_OK && content.n > FILE_MOST)
        e = ERR_TOO_LARGE;
    if (e) {
        complain(complaints, "C032", piece_place(s, piece), "can not read %s: %s",
                 complaint_word(complaints, path), include_reason(e));
        return false;
    }
    while (content.n &&
           (content.p[content.n - 1] == '\n' || content.p[content.n - 1] == '\r'))
        content.n--;
    scroll_add(&s->text, content);
    return true;
}

static bool add_variable(struct substitution *s, str piece, str name, str fallback)
{
    struct complaints *complaints = s->complaints;
    str value = STR_NONE;

    if (!is_variable_name(name)) {
        complaint_help(complain(complaints, "C036", piece_place(s, piece),
                                "'%s' is not the name of a variable",
                                complaint_word(complaints, name)),
                       "write ${NAME}, ${NAME:-default} or ${file:/path}");
        return false;
    }
    if (s->world->get_variable(s->world->owner, name, &value) &&
        (value.n || !fallback.p)) {
        scroll_add(&s->text, value);
        return true;
    }
    if (fallback.p) {
        scroll_add(&s->text, fallback);
        return true;
    }
    complaint_help(complain(complaints, "C036", piece_place(s, piece),
                            "environment variable '%s' is not set",
                            complaint_word(complaints, name)),
                   "set it, or give a default: ${%s:-value}",
                   complaint_word(complaints, name));
    return false;
}

/* piece: "${...}" */
static bool add_piece(struct substitution *s, str piece)
{
    str inner = {piece.p + 2, piece.n - 3};
    long colon = str_find(inner, STR(":-"));

    if (str_starts(inner, STR("file:")))
        return add_file(s, piece, str_from(inner, 5));
    if (colon < 0)
        return add_variable(s, piece, inner, STR_NONE);
    return add_variable(s, piece, str_upto(inner, (size_t)colon),
                        str_from(inner, (size_t)colon + 2));
}

static bool add_all(struct substitution *s)
{
    str rest = s->node->text;
    long at;

    while ((at = str_find(rest, STR("${"))) >= 0) {
        long end;

        scroll_add(&s->text, str_upto(rest, (size_t)at));
        rest = str_from(rest, (size_t)at);
        end = str_find_char(rest, '}');
        if (end < 0) {
            struct place place = piece_place(s, str_upto(rest, 2));

            complaint_help(
                complain(s->complaints, "C036", place, "this '${' is never closed"),
                "write ${NAME}");
            return false;
        }
        if (!add_piece(s, str_upto(rest, (size_t)end + 1)))
            return false;
        rest = str_from(rest, (size_t)end + 1);
    }
    scroll_add(&s->text, rest);
    return true;
}

static void substitute_word(struct complaints *complaints, const struct conf_world *world,
                            struct node *node)
{
    struct substitution s = {complaints, world, node, {.is_secret = true}};

    if (add_all(&s)) {
        node->text = arena_copy(&complaints->arena, scroll_str(&s.text));
        node->is_exact = false;
    } else {
        node->is_bad = true;
    }
    scroll_close(&s.text);
}

void substitute(struct complaints *complaints, const struct conf_world *world,
                struct node *root)
{
    switch (root->kind) {
    case NODE_WORD:
        if (str_find_char(root->text, '$') >= 0 && str_find(root->text, STR("${")) >= 0)
            substitute_word(complaints, world, root);
        break;
    case NODE_LIST:
        for (unsigned i = 0; i < root->count; i++)
            substitute(complaints, world, root->items[i]);
        break;
    case NODE_MAP:
        for (unsigned i = 0; i < root->count; i++)
            substitute(complaints, world, root->pairs[i].value);
        break;
    default:
        break;
    }
}
