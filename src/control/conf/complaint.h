/*
 * What is wrong with a configuration, where, and what was perhaps meant. The reader
 * collects complaints and goes on; they are sorted by place and printed at the end, for
 * people (interface: the catalogue of errors) or as JSON. A collection owns the texts of
 * the files that it speaks of, because it shows their lines.
 */
#ifndef CONTROL_CONF_COMPLAINT_H
#define CONTROL_CONF_COMPLAINT_H

#include "base/arena.h"
#include "base/vec.h"
#include "control/conf/scroll.h"

/* Line and column count from 1, in characters. Line 0: the file as a whole. */
struct place {
    uint32_t file; /* index into complaints->sources */
    uint32_t line, column, length;
};

struct source {
    str name;              /* as the user named it */
    str text;              /* without a byte order mark */
    uint32_t *line_starts; /* made when a line is first shown */
    uint32_t line_count;
    /* How far a line was walked last: complaints come in the order of their places. */
    uint32_t walked_line, walked_column;
    size_t walked_bytes;
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_HINT, SEVERITY_COUNT };

struct complaint {
    enum severity severity;
    const char *code; /* "C011" */
    struct place place;
    str message;
    str label; /* behind the carets */
    struct vec_of(str) help, notes;
    str choices_label; /* "settings here", "pools", ... */
    struct vec_of(str) choices;
    struct complaints *owner;
};

struct complaints {
    struct arena arena;
    struct vec_of(struct source) sources;
    struct vec_of(struct complaint *) items;
    unsigned errors, warnings, hints;
    bool is_strict;         /* warnings count as errors */
    bool wants_hints;       /* false to begin with */
    bool wants_errors_only; /* likewise: what is only advised against is not looked for */
};

void complaints_init(struct complaints *complaints, bool is_strict);
void complaints_close(struct complaints *complaints);

/* The index for struct place. name is copied; text is not, and must live as long as the
 * complaints, as what lies in their arena does. */
uint32_t complaints_add_source(struct complaints *complaints, str name, str text);

/* The text of a line without its end; empty when there is no such line. */
str source_line(struct complaints *complaints, struct place place);

/* Codes beginning with W, and C040, are warnings; with H, hints. The result takes help, notes, choices. */
struct complaint *complain(struct complaints *complaints, const char *code,
                           struct place place, const char *format, ...) PRINTF_LIKE(4, 5);
void complaint_label(struct complaint *complaint, str label);
void complaint_help(struct complaint *complaint, const char *format, ...)
    PRINTF_LIKE(2, 3);
void complaint_note(struct complaint *complaint, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* choice: not copied, must outlive the complaint. */
void complaint_choice(struct complaint *complaint, const char *label, str choice);
/* All of them at once. The array is not copied: many complaints may name the same. */
void complaint_choices(struct complaint *complaint, const char *label, str *choices,
                       size_t count);
/* Choices in alphabetical order. */
void complaint_sort_choices(struct complaint *complaint);

/* Adds "did you mean 'x'?" when one of the choices is near enough. */
void complaint_suggest(struct complaint *complaint, str given);

/* A word of the file for use in a sentence, cut when it is long. Ends with a NUL. */
const char *complaint_word(struct complaints *complaints, str word);

/* "weir.yaml:12:3" */
const char *complaint_where(struct complaints *complaints, struct place place);

/* By file, line and column; equal places stay in the order of their making. */
void complaints_sort(struct complaints *complaints);

/* The diagnostics alone, then "FILE: 2 errors, 1 warning" when there are errors. */
void complaints_print(struct complaints *complaints, struct scroll *out);
void complaints_print_json(struct complaints *complaints, struct scroll *out);

/* "2 errors, 1 warning, 1 hint": what there is of them, from `first` on. */
void complaints_print_counts(const struct complaints *complaints, enum severity first,
                             struct scroll *out);

#endif
