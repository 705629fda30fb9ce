/* Names become pointers, and what only the whole configuration shows is checked. */
#ifndef CONTROL_CONF_RESOLVE_H
#define CONTROL_CONF_RESOLVE_H

#include "control/conf/draft.h"
#include "control/conf/world.h"

/* Complains of listeners' addresses that other programs hold, where the world can tell. */
void resolve_try_addresses(struct reader *reader, const struct conf_world *world);

/* Complains of names that do not exist and of things given twice. */
void resolve_names(struct reader *reader);

/* Complains of settings that say nothing for the connections of tcp listeners (tcp_pools.c). */
void tcp_pools_check(struct reader *reader);

/* Reads the files of own pages, and complains of those that can not be (pages.c). */
void pages_resolve(struct reader *reader, const struct conf_world *world);
void pages_build(struct reader *reader, struct snapshot *snapshot);

/* What ladders name, and who names them (ladders.c). */
void ladders_resolve(struct reader *reader);
void ladders_build(struct reader *reader, struct snapshot *snapshot);

/* Names of one kind of thing, for complaints about one that does not exist. */
struct names {
    struct map map;
    str *sorted; /* made when first needed */
    unsigned count;
};

void names_init(struct names *names);

/* C030, with the names there are. thing: "pool", label: "pools". */
void complain_name(struct reader *reader, struct names *names, const char *thing,
                   const char *label, const struct node *node);

/* The names of all pages; and complains of one that is not among them. NULL is fine. */
void page_names(struct reader *reader, struct names *pages);
void page_name_check(struct reader *reader, struct names *pages, const struct node *name);

/* Fills the snapshot from a draft without errors. */
void resolve_build(struct reader *reader, struct snapshot *snapshot);

/* Gives each http listener the router of its routes (routers.c). */
void routers_build(struct reader *reader, struct snapshot *snapshot);

/* Warnings about a whole configuration without errors (lint.c). */
void lint(struct reader *reader, const struct snapshot *snapshot);

/* Hints, in the same manner (advice.c). */
void advise(struct reader *reader, const struct snapshot *snapshot);

#endif
