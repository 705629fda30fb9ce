/*
 * base64url (RFC 4648 5) without padding: bytes as a text that a cookie or a URL may hold.
 * Reading is strict, so that one text stands for one sequence of bytes and the other way
 * round.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/text.h"

/* Characters that n bytes become. */
#define BASE64_SIZE(n) (((n)*4 + 2) / 3)

void base64_write(struct text *text, const void *bytes, size_t n);

/* Exactly n bytes. False: another length, a foreign character, or bits left over. */
MUST_CHECK bool base64_read(str text, void *bytes, size_t n);

#endif
