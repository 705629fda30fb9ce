/*
 * What `weir status` shows, as JSON: one object with the state of everything, reasons in
 * words. The command line only lays it out. Fields without a value are left out.
 */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include "control/overview.h"

void status_write(const struct overview *view, struct scroll *out);

#endif
