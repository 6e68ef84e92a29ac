/* What fuzz targets check by. */
#ifndef LOGMILL_TESTS_FUZZ_MUST_H
#define LOGMILL_TESTS_FUZZ_MUST_H

#include <stdbool.h>
#include <stdlib.h>

/* A condition that must hold, in every build. */
static inline void must(bool condition)
{
    if (!condition)
        abort();
}

#endif
