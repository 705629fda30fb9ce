/*
 * What an application says of itself in JSON: whether one field has the value that means
 * well, and which of the things it needs are not. A "deep" check shows both.
 */
#ifndef CONTROL_PROBE_JSON_STATE_H
#define CONTROL_PROBE_JSON_STATE_H

#include "control/probe/probe.h"

/*
 * Does the body say that all is well? What it says besides goes to outcome_tell: why not, and
 * the names of dependencies that are not well. is_aside: the verdict is clear already (a
 * bad status), only the words count.
 */
bool json_state_judge(struct check_outcome *outcome, const struct check_json *wanted,
                      str body, bool is_aside);

#endif
