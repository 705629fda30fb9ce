/*
 * HTTP dates: the one form that is written today, IMF-fixdate (RFC 9110 5.6.7). Pure
 * arithmetic on the proleptic Gregorian calendar; no locale, no time zone, no libc.
 */
#ifndef PROTO_DATE_H
#define PROTO_DATE_H

#include "base/str.h"

enum { DATE_LENGTH = 29 };

/*
 * "Sun, 06 Nov 1994 08:49:37 GMT" into 29 bytes, no NUL. Seconds since 1970 in UTC, from
 * 0 to the end of the year 9999; what lies outside is written as the nearer end.
 */
void date_write(char out[DATE_LENGTH], int64_t unix_seconds);

#endif
