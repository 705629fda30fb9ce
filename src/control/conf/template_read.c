/* Compiling a template of the file, with what is wrong at its place. */
#include "control/conf/template_read.h"

/* The nearest fact; of "req.header.x" the part before the name is compared. */
static str fact_nearest(str piece)
{
    str best = STR_NONE;
    unsigned best_distance = 4;

    const char *name;

    for (unsigned i = 0; (name = template_fact_name(i)); i++) {
        str fact = str_of(name);
        bool has_name = str_ends(fact, STR("."));
        str given = has_name ? str_upto(piece, fact.n) : piece;
        unsigned distance = str_distance(given, fact);

        if (distance < best_distance && distance * 2 < fact.n) {
            best_distance = distance;
            best = fact;
        }
    }
    return best;
}

bool fact_suggest(struct complaint *complaint, str name)
{
    str best = fact_nearest(name);

    if (!best.n)
        return false;
    complaint_help(complaint, "did you mean '" STR_FMT "%s'?", STR_ARG(best),
                   str_ends(best, STR(".")) ? "NAME" : "");
    return true;
}

static void suggest_in_braces(struct complaint *complaint, str piece)
{
    str best = fact_nearest(piece);

    if (!best.n)
        return;
    if (str_ends(best, STR(".")))
        complaint_help(complaint, "did you mean '{" STR_FMT "NAME}'?", STR_ARG(best));
    else
        complaint_help(complaint, "did you mean '{" STR_FMT "}'?", STR_ARG(best));
}

const struct template *template_read(struct reader *reader, const struct node *node,
                                     enum template_use use)
{
    struct template_error error;
    const struct template *compiled =
        template_compile(reader->arena, node->text, use, &error);
    struct complaint *complaint;
    struct place place;

    if (compiled)
        return compiled;
    if (error.at && node->text.p[error.at - 1] == '{') /* a fact, with its braces */
        place = node_part(node, error.at - 1, error.piece.n + 2);
    else
        place = node_part(node, error.at, 1);
    complaint = complain(reader->complaints, "C029", place, "%s in a template%s%s%s",
                         error.reason, error.piece.n ? ": '" : "",
                         complaint_word(reader->complaints, error.piece),
                         error.piece.n ? "'" : "");
    suggest_in_braces(complaint, error.piece);
    complaint_help(complaint, "a brace itself is written twice: {{ or }}");
    return NULL;
}
