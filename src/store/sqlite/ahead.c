#include "store/sqlite/ahead.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/xalloc.h"

struct ahead_log {
    uint32_t row;
    struct record record;
};

struct ahead {
    struct buffer texts;
    size_t at, len;
    struct ahead_log logs[];
};

void ahead_free(struct ahead *a)
{
    if (a)
        buffer_release(&a->texts);
    free(a);
}

static size_t text_bytes(const struct record *record)
{
    return record->level.len + record->message.len + record->attributes.len;
}

/* False: it cannot be read, or does not fit in. */
static bool add(struct ahead *a, struct open_block *block, uint32_t row, size_t bytes)
{
    struct record record;

    if (block_record(block->reader, row, &record, NULL) ||
        a->texts.len + text_bytes(&record) > bytes)
        return false;
    buffer_append_slice(&a->texts, record.level);
    buffer_append_slice(&a->texts, record.message);
    buffer_append_slice(&a->texts, record.attributes);
    if (buffer_error(&a->texts))
        return false;
    a->logs[a->len++] = (struct ahead_log){.row = row, .record = record};
    return true;
}

/* Their texts, now that these do not move any more. */
static void give_texts(struct ahead *a)
{
    const char *at = a->texts.data;

    for (size_t i = 0; i < a->len; i++) {
        struct record *r = &a->logs[i].record;
        struct slice *texts[] = {&r->level, &r->message, &r->attributes};

        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
            texts[k]->data = at;
            at = at ? at + texts[k]->len : NULL;
        }
    }
}

struct ahead *ahead_new(struct open_block *block, const uint32_t *rows, size_t n, size_t bytes)
{
    struct ahead *a = xmalloc(sizeof(*a) + n * sizeof(a->logs[0])); /* some kilobytes */

    a->at = a->len = 0;
    buffer_init(&a->texts, SIZE_MAX / 2);
    while (a->len < n && add(a, block, rows[a->len], bytes))
        ;
    if (a->len > 0 && !buffer_error(&a->texts)) {
        give_texts(a);
        return a;
    }
    ahead_free(a);
    return NULL;
}

bool ahead_next(struct ahead *a, size_t *row)
{
    if (a->at + 1 >= a->len)
        return false;
    *row = a->logs[++a->at].row;
    return true;
}

const struct record *ahead_record(const struct ahead *a)
{
    return &a->logs[a->at].record;
}
