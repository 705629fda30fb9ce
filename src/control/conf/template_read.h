/* Compiling a template of the file (lb/template.h), with what is wrong at its place. */
#ifndef CONTROL_CONF_TEMPLATE_READ_H
#define CONTROL_CONF_TEMPLATE_READ_H

#include "control/conf/schema.h"
#include "lb/template.h"

/* "did you mean 'req.path'?", of the fact nearest to `name`; false when none is near. */
bool fact_suggest(struct complaint *complaint, str name);

/* NULL after a complaint (C029). */
const struct template *template_read(struct reader *reader, const struct node *node,
                                     enum template_use use);

#endif
