#include "store/sqlite/blocks.h"

#include <stdlib.h>

#include "base/xalloc.h"

static void close_block(struct open_block *block)
{
    block_reader_free(block->reader);
    free(block->rows);
    *block = (struct open_block){0};
}

void blocks_clear(struct blocks *b)
{
    segment_blob_close(&b->blob);
    for (int i = 0; i < BLOCKS_OPEN_MAX; i++)
        close_block(&b->open[i]);
    *b = (struct blocks){.db = b->db, .kept = b->kept};
}

unsigned blocks_count(const struct blocks *b)
{
    unsigned n = 0;

    for (int i = 0; i < BLOCKS_OPEN_MAX; i++)
        n += b->open[i].reader != NULL;
    return n;
}

static struct open_block *longest_unused(struct blocks *b)
{
    struct open_block *oldest = NULL;

    for (int i = 0; i < BLOCKS_OPEN_MAX; i++)
        if (b->open[i].reader && (!oldest || b->open[i].used < oldest->used))
            oldest = &b->open[i];
    return oldest;
}

static size_t memory(const struct blocks *b)
{
    size_t bytes = 0;

    for (int i = 0; i < BLOCKS_OPEN_MAX; i++)
        if (b->open[i].reader)
            bytes += block_reader_memory(b->open[i].reader);
    return bytes;
}

static void bound_memory(struct blocks *b)
{
    while (memory(b) > BLOCKS_KEPT_BYTES)
        close_block(longest_unused(b));
}

void blocks_close_blob(struct blocks *b)
{
    segment_blob_close(&b->blob);
    b->blob_block = 0;
}

void blocks_rest(struct blocks *b)
{
    blocks_close_blob(b);
    bound_memory(b);
}

/* ---- Reading bytes ---- */

static int read_block(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    struct open_block *block = ctx;
    struct blocks *b = block->blocks;
    int error = 0;

    b->bytes += len;
    if (b->blob_block != block->head.number) {
        b->blob_block = 0;
        error = segment_blob_open(&b->blob, b->db, block->head.number, err);
        if (!error)
            b->blob_block = block->head.number;
    }
    if (!error)
        error = b->blob.source.read(b->blob.source.ctx, offset, len, to, err);
    return error;
}

/* ---- Opening ---- */

static struct open_block *find(struct blocks *b, int64_t number)
{
    for (int i = 0; i < BLOCKS_OPEN_MAX; i++)
        if (b->open[i].reader && b->open[i].head.number == number)
            return &b->open[i];
    return NULL;
}

bool blocks_has(const struct blocks *b, int64_t number)
{
    return find((struct blocks *)b, number);
}

void blocks_pass(struct blocks *b, int64_t number)
{
    struct open_block *block = find(b, number);

    if (block)
        block->is_passed = true;
}

/*
 * Of those that were passed a few are kept, and the memory of one is used again by the next: so a
 * scan that goes from block to block stays within the processor's caches.
 */
static struct open_block *place(struct blocks *b)
{
    struct open_block *unused = NULL, *passed = NULL;
    int open = 0;

    for (int i = 0; i < BLOCKS_OPEN_MAX; i++) {
        struct open_block *block = &b->open[i];

        open += block->reader != NULL;
        if (!block->reader)
            unused = block;
        else if (block->is_passed && (!passed || block->used < passed->used))
            passed = block;
    }
    if (passed && open >= (b->kept > 0 ? b->kept : BLOCKS_KEPT))
        return passed;
    return unused ? unused : longest_unused(b);
}

int blocks_open(struct blocks *b, const struct block_head *head, struct open_block **block,
                struct errbuf *err)
{
    struct open_block *at = find(b, head->number);
    int error = 0;

    if (!at) {
        bound_memory(b);
        at = place(b);
        if (!at->reader)
            at->reader = block_reader_new();
        at->head = *head;
        at->head.levels_len = 0;
        at->blocks = b;
        at->plan = 0;
        at->source = (struct block_source){.read = read_block, .ctx = at, .len = head->bytes};
        error = block_open(at->reader, &at->source, &at->head, err);
        if (error)
            close_block(at);
    }
    at->used = ++b->calls;
    at->is_passed = false;
    *block = at;
    return error;
}

/* ---- Rows ---- */

static uint32_t times_below(const int64_t *times_us, uint32_t n, int64_t time_us)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (times_us[middle] < time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int blocks_rows_below(struct open_block *block, const struct log_key *key, uint32_t *rows,
                      struct errbuf *err)
{
    static const struct uuid zero;
    const int64_t *times_us;
    size_t row;
    bool found;
    int error;

    *rows = 0;
    if (log_key_compare(key, &block->head.first) <= 0)
        return 0;
    *rows = block->head.rows;
    if (log_key_compare(key, &block->head.last) > 0)
        return 0;
    if (memcmp(&key->id, &zero, sizeof(zero)) == 0) { /* the ids are not needed */
        error = block_times(block->reader, &times_us, err);
        if (!error)
            *rows = times_below(times_us, block->head.rows, key->timestamp_us);
        return error;
    }
    error = block_find(block->reader, key, &row, &found, err);
    if (!error)
        *rows = (uint32_t)row;
    return error;
}

static int reserve(struct open_block *block, struct errbuf *err)
{
    size_t words = BLOCK_ROW_WORDS(block->head.rows);

    if (words <= block->words)
        return 0;
    free(block->rows);
    block->words = 0;
    block->rows = try_malloc(words * sizeof(*block->rows));
    if (!block->rows)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the rows of a block");
    block->words = words;
    return 0;
}

static void set_range(uint64_t *rows, size_t words, uint32_t from, uint32_t to)
{
    memset(rows, 0, words * sizeof(*rows));
    for (uint32_t i = from; i < to;) {
        if (i % 64 == 0 && to - i >= 64) {
            rows[i / 64] = UINT64_MAX;
            i += 64;
        } else {
            rows[i / 64] |= UINT64_C(1) << i % 64;
            i++;
        }
    }
}

int blocks_select(struct open_block *block, const struct blocks_wanted *wanted, struct errbuf *err)
{
    bool any;
    int error;

    if (block->plan == wanted->plan_number && block->marked == wanted->segment->changes &&
        block->from <= wanted->from && wanted->to <= block->to)
        return 0;
    block->plan = 0;
    error = reserve(block, err);
    if (error)
        return error;
    set_range(block->rows, BLOCK_ROW_WORDS(block->head.rows), wanted->from, wanted->to);
    if (wanted->segment->erased > 0)
        error = segment_unmark(block->blocks->db, block->head.number, block->rows, block->head.rows,
                               &any, err);
    if (!error && wanted->plan)
        error = block_select(block->reader, wanted->plan, block->rows, wanted->explain, err);
    if (error)
        return error;
    block->plan = wanted->plan_number;
    block->marked = wanted->segment->changes;
    block->from = wanted->from;
    block->to = wanted->to;
    return 0;
}
