#include "store/sqlite/sizes.h"

#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "store/sqlite/segment.h"

static const struct {
    const char *name;
    size_t offset;
    size_t number; /* by default */
} fields[] = {
#define FIELD(name, number) {#name, offsetof(struct store_sqlite_sizes, name), number},
    STORE_SQLITE_SIZES(FIELD)
#undef FIELD
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static size_t *field(struct store_sqlite_sizes *sizes, int i)
{
    return (size_t *)((char *)sizes + fields[i].offset);
}

static void bound(size_t *size, size_t most)
{
    *size = *size < most ? *size : most;
}

void store_sqlite_sizes_settle(struct store_sqlite_sizes *sizes)
{
    for (int i = 0; i < FIELDS; i++) {
        if (*field(sizes, i) == 0)
            *field(sizes, i) = fields[i].number;
    }
    bound(&sizes->block_rows, BLOCK_ROWS_MAX);
    bound(&sizes->segment_blocks, SEGMENT_BLOCKS_MAX);
}

/* Takes one "name=number" off the start of `text`; NULL: it is none. */
static const char *take(struct store_sqlite_sizes *sizes, const char *text)
{
    size_t len = strcspn(text, "=");

    for (int i = 0; text[len] == '=' && i < FIELDS; i++) {
        char *end;

        if (strlen(fields[i].name) != len || memcmp(fields[i].name, text, len) != 0)
            continue;
        *field(sizes, i) = strtoull(text + len + 1, &end, 10);
        return end > text + len + 1 && (*end == ',' || *end == '\0') ? end + (*end == ',') : NULL;
    }
    return NULL;
}

int store_sqlite_sizes_parse(struct store_sqlite_sizes *sizes, const char *text, struct errbuf *err)
{
    for (const char *at = text; *at;) {
        at = take(sizes, at);
        if (!at)
            return errbuf_fail(err, LM_EINVAL, "\"%s\" is no list of sizes of a store", text);
    }
    return 0;
}
