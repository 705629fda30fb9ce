/*
 * What people order of servers while weir runs: drain, enable, another weight. An order
 * holds for every address of the server's name, at once and over reloads, until it is
 * taken back, the process ends, or the file's own value for what was ordered has changed
 * since; then the file wins, and that is announced.
 */
#ifndef CONTROL_ORDERS_H
#define CONTROL_ORDERS_H

#include "control/steward_inside.h"

/* As admin_house.patch_server: 200 and JSON, or a status and words. */
unsigned orders_patch(struct steward *steward, str pool, str server,
                      const struct server_patch *patch, struct scroll *answer);

/* Before the members of a pool are built anew: drops what the file has overtaken. */
void orders_review(struct steward *steward, struct pool_record *pool);

/* Forgets all of them without a word. */
void orders_free(struct pool_record *pool);

/* "drain by uid 0 \"kernel update\", 7 left, closes in 281s": why it is as it is;
 * false: nothing that would need a reason was ordered. now: monotonic ns. */
bool orders_reason(const struct server_record *record, uint64_t now, struct scroll *out);

#endif
