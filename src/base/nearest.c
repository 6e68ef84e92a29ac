#include "base/nearest.h"

#include <stdbool.h>

enum { CHANGES_MAX = 2 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many changes make `b` of `a` (the "optimal string alignment"); both at most NAME_MAX long. */
static size_t changes(struct slice a, struct slice b)
{
    /* rows[i % 3][j]: between the first i bytes of `a` and the first j of `b` */
    size_t rows[3][NEAREST_NAME_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = lower(a.data[i - 1]);
            char y = lower(b.data[j - 1]);

            row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b.data[j - 2]) && y == lower(a.data[i - 2]))
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

const char *nearest_name(struct slice text, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t fewest = CHANGES_MAX + 1;

    if (text.len > NEAREST_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        struct slice name = slice_of_string(names[i]);
        size_t needed = name.len <= NEAREST_NAME_MAX ? changes(text, name) : fewest;

        if (needed < fewest && 2 * needed < name.len + (needed == 0)) {
            fewest = needed;
            best = names[i];
        }
    }
    return best;
}
