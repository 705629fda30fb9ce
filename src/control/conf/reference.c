/*
 * The rows as documents: the reference of settings in Markdown and the manual page
 * weir.yaml(5). Both are kept in docs/, and a test fails when they are not what the rows
 * say (tools/make-reference writes them).
 */
#include "control/conf/conf.h"
#include "control/conf/draft.h"
#include "control/conf/value.h"

static void number(struct scroll *out, const struct conf_row *row, uint64_t value)
{
    char text[VALUE_TEXT_MOST];

    if (row->type == CONF_DURATION)
        value_print_duration(value, text);
    else if (row->type == CONF_FACTOR)
        value_print_factor(value, text);
    else
        value_print_size(value, text);
    scroll_add(out, str_of(text));
}

static void choices(struct scroll *out, const struct conf_choice *choice)
{
    for (const struct conf_choice *one = choice; one->name; one++)
        scroll_format(out, "%s%s", one == choice ? "" : ", ", one->name);
}

static void range(struct scroll *out, const struct conf_row *row)
{
    scroll_add(out, STR(", "));
    if (row->type == CONF_COUNT || row->type == CONF_PERCENT) {
        const char *sign = row->type == CONF_PERCENT ? "%" : "";

        scroll_format(out, "%llu%s to %llu%s", (unsigned long long)row->min, sign,
                      (unsigned long long)row->max, sign);
        return;
    }
    number(out, row, row->min);
    scroll_add(out, STR(" to "));
    number(out, row, row->max);
    if (row->type == CONF_RATE)
        scroll_add(out, STR("/s"));
}

static void form_words(struct scroll *out, const struct conf_form *form)
{
    const char *word, *doc;

    scroll_add(out, STR("one of "));
    for (unsigned i = 0; (word = form->word(i, &doc)); i++)
        scroll_format(out, "%s%s", i ? ", " : "", word);
}

void row_words(struct scroll *out, const struct conf_row *row)
{
    static const char *const words[] = {
        [CONF_FLAG] = "true or false",
        [CONF_COUNT] = "a whole number",
        [CONF_DURATION] = "a duration",
        [CONF_SIZE] = "a size",
        [CONF_SIZE64] = "a size",
        [CONF_RATE] = "a rate",
        [CONF_PERCENT] = "a percentage",
        [CONF_FACTOR] = "a number",
        [CONF_CHOICE] = "one of ",
        [CONF_SECTION] = "a map of settings",
        [CONF_NAMED] = "a map of names to settings",
        [CONF_LIST] = "a list",
        [CONF_OWN] = "",
    };

    if (row->form && row->form->word) {
        form_words(out, row->form);
    } else {
        scroll_add(out, str_of(words[row->type]));
    }
    if (row->type == CONF_CHOICE)
        choices(out, row->choices);
    else if (row->type == CONF_OWN && row->form)
        scroll_add(out, str_of(row->form->words));
    else if (row->max)
        range(out, row);
    if (row->flags & CONF_AUTO)
        scroll_add(out, STR("; or auto"));
    if (row->flags & CONF_OFF)
        scroll_add(out, STR("; or off"));
    if (row->word)
        scroll_format(out, "; or %s", row->word);
    if (row->also)
        scroll_format(out, "; or %s", row->also);
}

/* ---- Markdown ---- */

static void markdown_table(struct scroll *out, const struct conf_row *rows)
{
    scroll_add(out,
               STR("\n| setting | value | default | |\n| --- | --- | --- | --- |\n"));
    for (const struct conf_row *row = rows; row->name; row++) {
        scroll_format(out, "| `%s` | ", row->name);
        row_words(out, row);
        if (row->flags & CONF_REQUIRED)
            scroll_add(out, STR(" | needed"));
        else if (row->flags & CONF_DEFAULTS)
            scroll_add(out, STR(" | of `defaults`"));
        else if (row->fallback)
            scroll_format(out, " | `%s`", row->fallback);
        else
            scroll_add(out, STR(" | "));
        scroll_format(out, " | %s |\n", row->doc);
    }
}

/* What the words of a form mean. */
static void markdown_words(struct scroll *out, const struct conf_form *form)
{
    const char *word, *doc;

    scroll_add(out, STR("\n| value | |\n| --- | --- |\n"));
    for (unsigned i = 0; (word = form->word(i, &doc)); i++)
        scroll_format(out, "| `%s` | %s |\n", word, doc);
}

/* path: "pools.NAME.health". Sections that are like those of `defaults` are not repeated. */
static void markdown_section(struct scroll *out, const struct conf_row *row,
                             const char *path)
{
    struct scroll below = {0};

    scroll_format(out, "\n## %s\n\n%s\n", path, row->doc);
    if (row->form && row->form->word)
        markdown_words(out, row->form);
    markdown_table(out, row->rows);
    for (const struct conf_row *inner = row->rows; inner->name; inner++) {
        if (!inner->rows || (inner->flags & CONF_DEFAULTS))
            continue;
        below.n = 0;
        scroll_format(&below, "%s.%s%s", path, inner->name,
                      inner->type == CONF_LIST ? "[]" : "");
        scroll_char(&below, '\0');
        markdown_section(out, inner, below.p);
    }
    scroll_close(&below);
}

static const char *const path_ends[] = {
    [CONF_NAMED] = ".NAME", [CONF_LIST] = "[]", [CONF_OWN] = ""};

static const char *path_end(const struct conf_row *row)
{
    return row->type == CONF_SECTION ? "" : path_ends[row->type];
}

void conf_reference(struct scroll *out)
{
    scroll_add(out,
               STR("# Settings of weir.yaml\n"
                   "\n"
                   "Written by `tools/make-reference` from the tables that the program "
                   "reads by; do not edit.\n"
                   "\n"
                   "Durations are a whole number and ms, s, m or h; sizes a whole "
                   "number and B, KiB, MiB or GiB;\nrates a size and /s. `off` may be "
                   "spelled `false`. Values may hold `${NAME}`, `${NAME:-default}`\nand "
                   "`${file:/path}`.\n"
                   "\n"
                   "## top level\n"));
    markdown_table(out, top_rows);
    for (const struct conf_row *row = top_rows; row->name; row++) {
        struct scroll path = {0};

        if (!row->rows)
            continue;
        if (row->beside) {
            scroll_format(out, "\n## %s\n\n%s\n", row->name, row->doc);
            markdown_table(out, row->beside);
        }
        scroll_format(&path, "%s%s", row->name, path_end(row));
        scroll_char(&path, '\0');
        markdown_section(out, row, path.p);
        scroll_close(&path);
    }
}

/* ---- the manual page ---- */

/* roff reads a backslash anywhere and a dot or quote at the head of a line. */
static void roff(struct scroll *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        scroll_add(out, STR("\\&"));
    for (; *text; text++) {
        if (*text == '\\')
            scroll_add(out, STR("\\e"));
        else if (*text == '-')
            scroll_add(out, STR("\\-"));
        else
            scroll_char(out, *text);
    }
}

static void man_rows(struct scroll *out, const struct conf_row *rows)
{
    struct scroll words = {0};

    for (const struct conf_row *row = rows; row->name; row++) {
        scroll_format(out, ".TP\n.B %s\n", row->name);
        roff(out, row->doc);
        words.n = 0;
        row_words(&words, row);
        scroll_char(&words, '\0');
        scroll_add(out, STR("\n.br\nValue: "));
        roff(out, words.p);
        if (row->flags & CONF_REQUIRED)
            scroll_add(out, STR(". Needed."));
        else if (row->fallback) {
            scroll_add(out, STR(". Default: "));
            roff(out, row->fallback);
            scroll_char(out, '.');
        } else {
            scroll_char(out, '.');
        }
        scroll_char(out, '\n');
        if (row->rows && !(row->flags & CONF_DEFAULTS)) {
            scroll_add(out, STR(".RS\n"));
            if (row->beside)
                man_rows(out, row->beside);
            man_rows(out, row->rows);
            scroll_add(out, STR(".RE\n"));
        }
    }
    scroll_close(&words);
}

void conf_manual(struct scroll *out)
{
    scroll_add(out,
               STR(".\\\" Written by tools/make-reference; do not edit.\n"
                   ".TH WEIR.YAML 5 \"\" weir \"weir manual\"\n"
                   ".SH NAME\n"
                   "weir.yaml \\- the configuration of the load balancer weir\n"
                   ".SH SYNOPSIS\n"
                   ".I /etc/weir/weir.yaml\n"
                   ".SH DESCRIPTION\n"
                   "A YAML file of listeners, routes and pools. The shortest one is\n"
                   ".PP\n"
                   ".nf\n"
                   "listen: \":8080\"\n"
                   "to: [10.0.0.11:8080, 10.0.0.12:8080]\n"
                   ".fi\n"
                   ".PP\n"
                   "Anchors, aliases, tags and several documents are refused, and so "
                   "are keys given twice\nand settings that are not listed here.\n"
                   "Durations are a whole number and ms, s, m or h; sizes a whole number "
                   "and B, KiB, MiB\nor GiB; rates a size and /s. off may be spelled "
                   "false.\n"
                   "Values may hold ${NAME}, ${NAME:\\-default} and ${file:/path}.\n"
                   "Check a file with\n"
                   ".BR \"weir check\" ,\n"
                   "and see every default with\n"
                   ".BR \"weir expand\" .\n"
                   ".SH SETTINGS\n"));
    man_rows(out, top_rows);
    scroll_add(out, STR(".SH SEE ALSO\n.BR weir (8)\n"));
}
