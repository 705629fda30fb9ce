/*
 * What a request's JSON body says, read strictly: what is not known or of the wrong type
 * is refused in words, because an order that is half understood does harm.
 */
#ifndef CONTROL_ADMIN_PATCH_H
#define CONTROL_ADMIN_PATCH_H

#include "control/admin.h"

enum { PATCH_REASON_MOST = 200, PATCH_WHY_MOST = 160 };

/* Memory that a patch's strings lie in, and why it was refused. */
struct patch_text {
    char reason[PATCH_REASON_MOST];
    char why[PATCH_WHY_MOST];
};

/* {"state": "drain" | "up", "weight": N, "reason": "..."}: at least one of the first two. */
bool patch_read_server(str json, struct server_patch *patch, struct patch_text *text);

/* {"action": "open" | "close" | "reset"} */
bool patch_read_breaker(str json, struct breaker_order *order, struct patch_text *text);

#endif
