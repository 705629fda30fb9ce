/* The words that other programs use for what we name otherwise: for "did you mean". */
#ifndef CONTROL_CONF_FOREIGN_H
#define CONTROL_CONF_FOREIGN_H

#include "base/rows.h"
#include "control/conf/complaint.h"

/*
 * Adds the help for a word that is known from elsewhere. place: the section of an unknown
 * setting, or the name of the setting whose value it is. False: not known.
 */
bool foreign_suggest(struct complaint *complaint, const char *place, str word);

/* Adds where a setting that is unknown here belongs, when that is one or two places: below
 * `rows`, where it stands, or else anywhere. */
void elsewhere_suggest(struct complaint *complaint, const struct conf_row *rows, str key);

#endif
