/* What the domain name system of the simulated world says. */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "base/addr.h"

enum { NAME_ADDRESSES_MOST = 8 };

enum name_mood { NAME_WELL, NAME_SILENT, NAME_FAILING };

void names_begin(void);

/* From now on `host` (static text) has these addresses; none: it is known to have none. */
void name_set(const char *host, const struct addr *addrs, unsigned count, uint32_t ttl);

/* How questions about it are taken. */
void name_set_mood(const char *host, enum name_mood mood);

#endif
