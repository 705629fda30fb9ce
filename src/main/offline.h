/* The verbs that need no daemon: check, expand, schema. Each gives the exit status. */
#ifndef MAIN_OFFLINE_H
#define MAIN_OFFLINE_H

/* argv[0] is the verb. 0: ok (warnings too), 1: errors, 2: wrong usage. */
int offline_check(int argc,
                  char **argv); /* [-c FILE|-] [--strict] [--format text|json] */
int offline_expand(int argc, char **argv); /* [-c FILE|-] */
int offline_schema(int argc, char **argv); /* [--format json|markdown|man] */

#endif
