#include "block/internal.h"

struct slice column_text(const struct column *c, size_t i, char room[COLUMN_ROOM])
{
    return c->entries[c->kind == COLUMN_CONSTANT ? 0 : i];
}
