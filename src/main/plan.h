/*
 * A configuration made from a few words: what `weir proxy` and `weir demo` run. It is
 * written as text and read back by the ordinary reader, so that everything is checked
 * and defaulted in one place, and so that it can be printed to grow out of.
 */
#ifndef MAIN_PLAN_H
#define MAIN_PLAN_H

#include "control/conf/scroll.h"

struct plan {
    const str *listens; /* ":80", "127.0.0.1:80", "tcp://:5432" */
    unsigned listen_count;
    const str *servers;       /* "10.0.0.1:80", "10.0.0.1:80=3" */
    const char *const *names; /* of the servers; NULL: their addresses */
    unsigned server_count;
    str balance;      /* STR_NONE: the default */
    str sticky;       /* what clients are known by; STR_NONE: they are not */
    str health;       /* the path to ask for; STR_NONE: the default */
    str check;        /* more settings of the active check, as YAML; may be STR_NONE */
    str admin_socket; /* STR_NONE: the default; given: no admin address either */
};

/* All listeners are of one kind; a plan of two kinds is not whole. */
bool plan_is_tcp(const struct plan *plan);
bool plan_is_mixed(const struct plan *plan);

/* A listener's address without "tcp://". */
str plan_address(str listen);

void plan_write(const struct plan *plan, struct scroll *out);

/* What the start-up line says: "http://0.0.0.0:8080  →  pool main (2 servers, ...)". */
void plan_describe(const struct plan *plan, struct scroll *out);

#endif
