/* The one place where the build's word for the version arrives. */
#include "base/version.h"

const char weir_version[] = WEIR_VERSION;
