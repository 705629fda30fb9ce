/* Which weir this is: the project's version as the build says it. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char weir_version[]; /* "0.1.0" */

#endif
