#include "block/writer.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/bytes.h"
#include "block/hashes.h"
#include "block/section.h"

struct block_writer {
    struct section_writer *sections;
    struct buffer column;
    struct block_hashes *hashes;
};

struct block_writer *block_writer_new(void)
{
    struct block_writer *w = xcalloc(1, sizeof(*w));

    w->sections = section_writer_new();
    buffer_init(&w->column, SIZE_MAX / 2);
    w->hashes = block_hashes_new();
    return w;
}

void block_writer_free(struct block_writer *w)
{
    if (!w)
        return;
    section_writer_free(w->sections);
    buffer_release(&w->column);
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

static void add_keys(struct block_writer *w, const struct block_row *rows, size_t n)
{
    buffer_clear(&w->column);
    for (size_t i = 0; i < n; i++) {
        char key[LOG_KEY_BYTES];

        log_key_pack(&rows[i].record.key, key);
        buffer_append(&w->column, key, sizeof(key));
    }
    section_add(w->sections, buffer_slice(&w->column), SECTION_TEXT);
}

static void add_sequences(struct block_writer *w, const struct block_row *rows, size_t n)
{
    buffer_clear(&w->column);
    for (size_t i = 0; i < n; i++)
        bytes_append_u64(&w->column, rows[i].sequence);
    section_add(w->sections, buffer_slice(&w->column), SECTION_TEXT);
}

typedef struct slice text_of(const struct block_row *row);

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

static void add_texts(struct block_writer *w, const struct block_row *rows, size_t n, text_of *text)
{
    buffer_clear(&w->column);
    for (size_t i = 0; i < n; i++)
        bytes_append_text(&w->column, text(&rows[i]));
    if (buffer_error(&w->column))
        return;
    section_add(w->sections, buffer_slice(&w->column), SECTION_TEXT);
}

int block_write(struct block_writer *w, const struct block_row *rows, size_t n,
                const struct block_options *options, struct buffer *out, struct block_head *head,
                struct errbuf *err)
{
    char directory = options->keeps_sequence;
    size_t before = out->len;
    int error = 0;

    block_hashes_clear(w->hashes);
    if (options->hashes)
        error = block_hashes_gather(w->hashes, rows, n);
    if (error)
        return error;
    section_begin(w->sections, options->zstd_level ? options->zstd_level : BLOCK_LEVEL_HOT);
    add_keys(w, rows, n);
    add_texts(w, rows, n, level_of);
    add_texts(w, rows, n, message_of);
    add_texts(w, rows, n, attributes_of);
    if (options->keeps_sequence)
        add_sequences(w, rows, n);
    if (buffer_error(&w->column))
        return LM_ENOMEM;
    error = section_end(w->sections, (uint32_t)n, slice_of(&directory, 1), out);
    if (error)
        return error;
    fill_head(head, rows, n, options);
    head->bytes = (uint32_t)(out->len - before);
    return 0;
}

void block_writer_hashes(const struct block_writer *w, const uint64_t **hashes, size_t *n)
{
    block_hashes_get(w->hashes, hashes, n);
}
