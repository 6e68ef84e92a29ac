/* What somebody probably meant: names that are written nearly so. */
#ifndef LOGMILL_BASE_NEAREST_H
#define LOGMILL_BASE_NEAREST_H

#include <stddef.h>

#include "base/slice.h"

enum { NEAREST_NAME_MAX = 32 }; /* bytes of a name that is compared; longer ones are near to none */

/*
 * The one of `names` that takes the fewest changes to make of `text` (a character more, less,
 * other, or two in the other order; case does not matter): two at most, and less than half of them.
 * NULL if none is so near.
 */
const char *nearest_name(struct slice text, const char *const *names, size_t n);

#endif
