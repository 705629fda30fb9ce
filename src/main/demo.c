#include "main/verbs.h"
int demo_verb(const struct given *given)
{
    return 1;
}
