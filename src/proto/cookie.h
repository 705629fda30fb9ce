/*
 * Finds one cookie in a Cookie field (RFC 6265 4.2, read as tolerantly as 5.4 has
 * browsers write it): pairs between ';', blanks around them ignored, the value up to the
 * next ';', a pair without '=' has no name. Names are compared with case.
 */
#ifndef PROTO_COOKIE_H
#define PROTO_COOKIE_H

#include "base/str.h"

/*
 * The first cookie of that name in one field's value; quotes around the value are part
 * of it. A request may carry more than one Cookie field: ask for each.
 */
bool cookie_find(str field_value, str name, str *value);

#endif
