#include "store/sqlite/block_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "block/reader.h"
#include "block/select.h"
#include "store/sqlite/segment.h"

struct kept_keys {
    int64_t block; /* 0: free */
    struct log_key *keys;
    size_t len;    /* 0: it is damaged */
    uint64_t used; /* when it was asked for last, in calls */
};

struct block_keys {
    struct block_reader *reader;
    struct segment_blob blob;
    int64_t open; /* the block on which both stand; 0: none */
    uint64_t calls;
    size_t kept_len;
    struct kept_keys kept[];
};

struct block_keys *block_keys_new(size_t blocks)
{
    struct block_keys *b = xcalloc(1, sizeof(*b) + blocks * sizeof(b->kept[0]));

    b->reader = block_reader_new();
    b->kept_len = blocks;
    return b;
}

void block_keys_free(struct block_keys *b)
{
    if (!b)
        return;
    block_keys_close(b);
    for (size_t i = 0; i < b->kept_len; i++)
        free(b->kept[i].keys);
    block_reader_free(b->reader);
    free(b);
}

void block_keys_close(struct block_keys *b)
{
    block_close(b->reader);
    segment_blob_close(&b->blob);
    b->open = 0;
}

bool block_keys_is_damage(struct sqlite_db *db)
{
    int rc = sqlite3_errcode(db->handle) & 0xff;

    return rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_ERROR ||
           rc == SQLITE_CORRUPT;
}

static int open_block(struct block_keys *b, struct sqlite_db *db, const struct block_head *head,
                      struct errbuf *err)
{
    if (b->open == head->number)
        return 0;
    block_close(b->reader);
    b->open = 0;
    int error = segment_blob_open(&b->blob, db, head->number, err);
    if (!error)
        error = block_open(b->reader, &b->blob.source, head, err);
    if (!error)
        b->open = head->number;
    return error;
}

static int decode(struct block_keys *b, struct sqlite_db *db, const struct block_head *head,
                  struct kept_keys *kept, struct errbuf *err)
{
    const struct log_key *keys = NULL;
    int error = open_block(b, db, head, err);

    if (!error)
        error = block_keys(b->reader, &keys, err);
    if (error)
        return error;
    kept->keys = try_malloc(head->rows * sizeof(*keys));
    if (!kept->keys)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the keys of a block");
    memcpy(kept->keys, keys, head->rows * sizeof(*keys));
    kept->len = head->rows;
    return 0;
}

/* Of a damaged block, none. */
static int get_keys(struct block_keys *b, struct sqlite_db *db, const struct block_head *head,
                    struct kept_keys **kept, struct errbuf *err)
{
    struct kept_keys *oldest = &b->kept[0];

    b->calls++;
    for (size_t i = 0; i < b->kept_len; i++) {
        *kept = &b->kept[i];
        if (b->kept[i].block == head->number)
            goto found;
        if (b->kept[i].used < oldest->used)
            oldest = &b->kept[i];
    }
    free(oldest->keys);
    *oldest = (struct kept_keys){0};
    int error = decode(b, db, head, oldest, err);
    if (error && !(error == LM_EIO && block_keys_is_damage(db)))
        return error;
    oldest->block = head->number;
    *kept = oldest;
found:
    (*kept)->used = b->calls;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return log_key_compare(a, b);
}

static int is_erased(struct sqlite_db *db, const struct block_head *head, size_t row, bool *is,
                     struct errbuf *err)
{
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)] = {0};
    bool any;

    rows[row / 64] = UINT64_C(1) << row % 64;
    int error = segment_unmark(db, head->number, rows, head->rows, &any, err);
    *is = !error && rows[row / 64] == 0;
    return error;
}

int block_keys_find(struct block_keys *b, struct sqlite_db *db, const struct block_head *head,
                    const struct log_key *key, struct record *record, struct errbuf *err)
{
    struct kept_keys *kept;
    bool is = false;
    int error = get_keys(b, db, head, &kept, err);

    if (error)
        return error;
    const struct log_key *at =
        kept->len > 0 ? bsearch(key, kept->keys, kept->len, sizeof(*key), compare_keys) : NULL;
    if (!at)
        return LM_ENOTFOUND;
    size_t row = (size_t)(at - kept->keys);
    error = is_erased(db, head, row, &is, err);
    if (!error && is)
        return LM_ENOTFOUND;
    if (!error)
        error = open_block(b, db, head, err);
    if (!error)
        error = block_record(b->reader, row, record, err);
    return error == LM_EIO && block_keys_is_damage(db) ? LM_ENOTFOUND : error;
}
