/*
 * What a request's JSON body says, read strictly: what is not known or of the wrong type
 * is refused in words, because an order that is half understood does harm.
 */
#ifndef CONTROL_ADMIN_PATCH_H
#define CONTROL_ADMIN_PATCH_H

#include "control/admin.h"

enum {
    PATCH_REASON_MOST = 200,
    PATCH_WHY_MOST = 160,
    PATCH_NAME_MOST = 128,
    PATCH_EXCEPT_MOST = 64
};

/* Memory that a patch's strings lie in, and why it was refused. */
struct patch_text {
    char reason[PATCH_REASON_MOST];
    char name[PATCH_NAME_MOST];
    struct prefix except[PATCH_EXCEPT_MOST];
    char why[PATCH_WHY_MOST];
};

/* {"state": "drain" | "up", "weight": N, "reason": "..."}: at least one of the first two. */
bool patch_read_server(str json, struct server_patch *patch, struct patch_text *text);

/* {"action": "open" | "close" | "reset"} */
bool patch_read_breaker(str json, struct breaker_order *order, struct patch_text *text);

/* {"enabled": true, "page": "...", "except": ["10.0.0.0/8"], "reason": "..."}: the first is
 * needed. */
bool patch_read_maintenance(str json, struct maintenance_patch *patch,
                            struct patch_text *text);

/* {"level": "reduced" | ... | "auto", "reason": "..."}: the first is needed. */
bool patch_read_degrade(str json, struct degrade_patch *patch, struct patch_text *text);

#endif
