#include "query/levels.h"

/* By severity, each by all its names. */
static const char *const NAMES[LEVEL_SEVERITIES][2] = {
    {"trace"},
    {"debug"},
    {"info"},
    {"notice"},
    {"warning", "warn"},
    {"error", "err"},
    {"critical", "fatal"},
    {"alert"},
    {"emergency"},
};

/* `*k`: which of its names it is. */
static int find(struct slice level, size_t *k)
{
    for (int severity = 0; severity < LEVEL_SEVERITIES; severity++)
        for (*k = 0; *k < 2 && NAMES[severity][*k]; ++*k)
            if (slice_equal_ascii_nocase(level, slice_of_string(NAMES[severity][*k])))
                return severity;
    return LEVEL_WITHOUT_SEVERITY;
}

int level_severity(struct slice level)
{
    size_t k;

    return find(level, &k);
}

unsigned level_names(int severity, struct slice names[2])
{
    unsigned n = 0;

    for (; n < 2 && NAMES[severity][n]; n++)
        names[n] = slice_of_string(NAMES[severity][n]);
    return n;
}

struct slice level_other_name(struct slice level)
{
    size_t k;
    int severity = find(level, &k);

    if (severity == LEVEL_WITHOUT_SEVERITY || !NAMES[severity][1])
        return slice_of(NULL, 0);
    return slice_of_string(NAMES[severity][1 - k]);
}
