#include "block/writer.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/attributes.h"
#include "block/grow.h"
#include "block/hashes.h"
#include "block/keys.h"

struct block_writer {
    struct stream_writer streams;
    struct column_writer columns;
    struct keys_writer keys;
    struct template_writer *templates;
    struct attributes_writer *attributes;
    struct slice *texts; /* of a column */
    size_t texts_capacity;
    struct block_hashes *hashes;
};

struct block_writer *block_writer_new(void)
{
    struct block_writer *w = xcalloc(1, sizeof(*w));

    stream_writer_init(&w->streams);
    column_writer_init(&w->columns, &w->streams);
    keys_writer_init(&w->keys, &w->columns.numbers);
    w->templates = template_writer_new(&w->columns);
    w->attributes = attributes_writer_new(&w->columns, w->templates);
    w->hashes = block_hashes_new();
    return w;
}

void block_writer_free(struct block_writer *w)
{
    if (!w)
        return;
    attributes_writer_free(w->attributes);
    template_writer_free(w->templates);
    keys_writer_release(&w->keys);
    column_writer_release(&w->columns);
    stream_writer_release(&w->streams);
    free(w->texts);
    block_hashes_free(w->hashes);
    free(w);
}

size_t block_fill(const struct block_row *rows, size_t n)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < n && i < BLOCK_ROWS; i++) {
        const struct record *r = &rows[i].record;

        bytes += r->level.len + r->message.len + r->attributes.len;
        if (bytes > BLOCK_RAW_BYTES && i > 0)
            return i;
    }
    return n < BLOCK_ROWS ? n : BLOCK_ROWS;
}

/* ---- The head ---- */

static void count_level(struct block_head *head, struct slice level, bool *fits)
{
    for (unsigned i = 0; i < head->levels_len; i++)
        if (slice_equal(head->levels[i].level, level)) {
            head->levels[i].rows++;
            return;
        }
    *fits = head->levels_len < BLOCK_HEAD_LEVELS_MAX && level.len <= BLOCK_HEAD_LEVEL_BYTES_MAX;
    if (*fits)
        head->levels[head->levels_len++] = (struct block_level_count){level, 1};
}

static void fill_head(struct block_head *head, const struct block_row *rows, size_t n,
                      const struct block_options *options)
{
    bool fits = true;

    *head = (struct block_head){
        .first = rows[0].record.key, .last = rows[n - 1].record.key, .rows = (uint32_t)n};
    for (size_t i = 0; i < n; i++) {
        const struct record *r = &rows[i].record;

        head->raw_bytes += r->level.len + r->message.len + r->attributes.len;
        if (fits)
            count_level(head, r->level, &fits);
        if (!options->keeps_sequence)
            continue;
        if (i == 0 || rows[i].sequence < head->first_sequence)
            head->first_sequence = rows[i].sequence;
        if (rows[i].sequence > head->last_sequence)
            head->last_sequence = rows[i].sequence;
    }
    if (!fits)
        head->levels_len = 0;
}

/* ---- Columns ---- */

static struct slice level_of(const struct block_row *row)
{
    return row->record.level;
}

static struct slice message_of(const struct block_row *row)
{
    return row->record.message;
}

static struct slice attributes_of(const struct block_row *row)
{
    return row->record.attributes;
}

static void gather(struct block_writer *w, const struct block_row *rows, size_t n,
                   struct slice (*text)(const struct block_row *row))
{
    for (size_t i = 0; i < n; i++)
        w->texts[i] = text(&rows[i]);
}

static int write_columns(struct block_writer *w, const struct block_row *rows, size_t n,
                         const struct block_options *options)
{
    struct block_hashes *hashes = options->hashes ? w->hashes : NULL;
    int error;

    if (!GROW(w->texts, w->texts_capacity, n))
        return LM_ENOMEM;
    w->streams.group = STREAM_KEYS;
    keys_write(&w->keys, rows, n, options->keeps_sequence);
    w->streams.group = STREAM_LEVEL;
    gather(w, rows, n, level_of);
    column_write_dictionary(&w->columns, w->texts, n);
    w->streams.group = STREAM_MESSAGE;
    gather(w, rows, n, message_of);
    template_write(w->templates, w->texts, n);
    if (hashes)
        template_add_words(w->templates, w->texts, n, hashes);
    w->streams.group = STREAM_ATTRIBUTES;
    gather(w, rows, n, attributes_of);
    error = attributes_writer_write(w->attributes, w->texts, n, hashes);
    if (hashes && !error)
        error = block_hashes_error(hashes);
    /* Each is asked, or it would tell of this block when it is asked about the next. */
    int of_texts = template_writer_error(w->templates);
    int of_columns = column_writer_error(&w->columns);
    int of_keys = keys_writer_error(&w->keys);
    return of_texts || of_columns || of_keys ? LM_ENOMEM : error;
}

int block_write(struct block_writer *w, const struct block_row *rows, size_t n,
                const struct block_options *options, struct buffer *out, struct block_head *head,
                struct errbuf *err)
{
    size_t before = out->len;
    int error;

    block_hashes_clear(w->hashes);
    stream_begin(&w->streams, options->zstd_level ? options->zstd_level : BLOCK_LEVEL_HOT);
    error = write_columns(w, rows, n, options);
    if (!error)
        error = stream_end(&w->streams, (uint32_t)n, out);
    if (error)
        return errbuf_fail(err, error, "no memory to write a block of %zu logs", n);
    fill_head(head, rows, n, options);
    head->bytes = (uint32_t)(out->len - before);
    return 0;
}

bool block_writer_hashed_all(const struct block_writer *w)
{
    return block_hashes_are_all(w->hashes);
}

void block_writer_hashes(const struct block_writer *w, const uint64_t **hashes, size_t *n)
{
    block_hashes_get(w->hashes, hashes, n);
}
