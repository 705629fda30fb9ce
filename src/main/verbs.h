/* The verbs that main carries out itself; each gives the exit status. */
#ifndef MAIN_VERBS_H
#define MAIN_VERBS_H

#include "main/options.h"

int run_verb(const struct given *given);
int proxy_verb(const struct given *given);
int demo_verb(const struct given *given);
int drain_verb(const struct given *given);
int enable_verb(const struct given *given);
int weight_verb(const struct given *given);
int maintenance_verb(const struct given *given);
int degrade_verb(const struct given *given);
int reload_verb(const struct given *given);
int status_verb(const struct given *given);
int breaker_verb(const struct given *given);

#endif
