/*
 * A look at the text of a configuration before libyaml reads it. libyaml's words and
 * places are poor (a missing space behind a colon is reported a line later), so the
 * mistakes that people make in YAML are found here and told in our words: tabs, odd
 * indentation, `key:value`, brackets and quotes never closed, commas forgotten, and all
 * of YAML that we refuse (anchors, aliases, tags, directives, several documents).
 *
 * It does not build anything: what passes here is given to libyaml, which decides.
 */
#ifndef CONTROL_CONF_TEXTUAL_H
#define CONTROL_CONF_TEXTUAL_H

#include "control/conf/complaint.h"

enum { NEST_MOST = 32, SOURCE_MOST = 16 << 20 };

/* Where a word in a list holds a forgotten comma. The YAML is right, the list is not:
 * the complaint is made here, the reader of the tree leaves the value alone. */
struct spoiled {
    uint32_t line, column;
};

struct textual {
    struct vec_of(struct spoiled) spoiled; /* in the order of the text */
};

/* False: one complaint (C001 to C009) was made, and the file can not be read further. */
bool textual_check(struct complaints *complaints, uint32_t file, struct textual *out);

#endif
