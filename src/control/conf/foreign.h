/* The words that other programs use for what we name otherwise: for "did you mean". */
#ifndef CONTROL_CONF_FOREIGN_H
#define CONTROL_CONF_FOREIGN_H

#include "control/conf/complaint.h"

/*
 * Adds the help for a word that is known from elsewhere. place: the section of an unknown
 * setting, or the name of the setting whose value it is. False: not known.
 */
bool foreign_suggest(struct complaint *complaint, const char *place, str word);

#endif
