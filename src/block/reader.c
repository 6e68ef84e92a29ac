#include "block/reader.h"

#include <stdlib.h>

#include "base/timestamp.h"
#include "base/xalloc.h"
#include "block/attributes.h"
#include "block/keys.h"

struct block_reader {
    struct stream_reader streams;
    struct block_head head; /* without its levels, whose texts are the caller's */
    struct keys_stored stored_keys;
    struct column_stored stored_levels;
    struct template_column *messages;
    struct attributes_reader *attributes;
    /* What was made ready: */
    int64_t *times;
    struct log_key *keys;
    uint64_t *sequences;
    uint16_t *codes;
    struct column levels;
    struct buffer message, attribute_text; /* of the record that was asked for last */
};

struct block_reader *block_reader_new(void)
{
    struct block_reader *r = xcalloc(1, sizeof(*r));

    stream_reader_init(&r->streams);
    buffer_init(&r->message, SIZE_MAX / 2);
    buffer_init(&r->attribute_text, SIZE_MAX / 2);
    return r;
}

void block_reader_free(struct block_reader *r)
{
    if (!r)
        return;
    stream_reader_release(&r->streams);
    buffer_release(&r->message);
    buffer_release(&r->attribute_text);
    free(r);
}

enum { TEXT_KEEP_MAX = 64 * 1024 }; /* bytes of a record's text that are kept for the next */

static void shrink(struct buffer *b)
{
    if (b->capacity > TEXT_KEEP_MAX)
        buffer_release(b);
}

void block_close(struct block_reader *r)
{
    shrink(&r->message);
    shrink(&r->attribute_text);
    stream_close(&r->streams);
    *r = (struct block_reader){
        .streams = r->streams, .message = r->message, .attribute_text = r->attribute_text};
}

static int damaged(struct block_reader *r, const char *what, struct errbuf *err)
{
    stream_damaged(&r->streams, what, err);
    return LM_EIO;
}

static int take_columns(struct block_reader *r, struct errbuf *err)
{
    struct stream_reader *s = &r->streams;
    uint32_t rows = r->head.rows;
    int error;

    s->group = STREAM_KEYS;
    if (!keys_take(s, rows, &r->stored_keys))
        return damaged(r, "the keys of its directory", err);
    s->group = STREAM_LEVEL;
    if (!column_take(s, rows, &r->stored_levels) || r->stored_levels.kind > COLUMN_DICTIONARY)
        return damaged(r, "the levels of its directory", err);
    s->group = STREAM_MESSAGE;
    error = template_take(s, rows, &r->messages, err);
    s->group = STREAM_ATTRIBUTES;
    if (!error)
        error = attributes_reader_take(s, rows, &r->attributes, err);
    if (!error && s->directory.len > 0)
        error = damaged(r, "its directory is too long", err);
    return error;
}

int block_open(struct block_reader *r, const struct block_source *source,
               const struct block_head *head, struct errbuf *err)
{
    int error;

    block_close(r);
    error = stream_open(&r->streams, source, head, err);
    r->head = *head;
    r->head.levels_len = 0;
    if (!error)
        error = take_columns(r, err);
    if (error)
        block_close(r);
    return error;
}

size_t block_rows(const struct block_reader *r)
{
    return r->head.rows;
}

size_t block_reader_memory(const struct block_reader *r)
{
    return r->streams.arena.memory + r->message.capacity + r->attribute_text.capacity;
}

/* ---- Keys ---- */

int block_times(struct block_reader *r, const int64_t **times_us, struct errbuf *err)
{
    if (!r->times) {
        int64_t *times = stream_memory(&r->streams, r->head.rows, sizeof(*times));
        int error = times ? keys_load_times(&r->streams, &r->stored_keys, times, err) : LM_ENOMEM;

        if (error)
            return error;
        for (size_t i = 1; i < r->head.rows; i++)
            if (times[i - 1] > times[i])
                return damaged(r, "its times do not ascend", err);
        if (times[0] != r->head.first.timestamp_us ||
            times[r->head.rows - 1] != r->head.last.timestamp_us)
            return damaged(r, "its times are not those of its head", err);
        r->times = times;
    }
    *times_us = r->times;
    return 0;
}

int block_keys(struct block_reader *r, const struct log_key **keys, struct errbuf *err)
{
    const int64_t *times;

    if (!r->keys) {
        struct log_key *made = stream_memory(&r->streams, r->head.rows, sizeof(*made));
        int error = made ? block_times(r, &times, err) : LM_ENOMEM;

        if (!error)
            error = keys_load_ids(&r->streams, &r->stored_keys, times, made, err);
        if (error)
            return error;
        for (size_t i = 1; i < r->head.rows; i++)
            if (times[i - 1] == times[i] && log_key_compare(&made[i - 1], &made[i]) >= 0)
                return damaged(r, "its keys do not ascend", err);
        if (log_key_compare(&made[0], &r->head.first) != 0 ||
            log_key_compare(&made[r->head.rows - 1], &r->head.last) != 0)
            return damaged(r, "its keys are not those of its head", err);
        r->keys = made;
    }
    *keys = r->keys;
    return 0;
}

int block_find(struct block_reader *r, const struct log_key *key, size_t *row, bool *found,
               struct errbuf *err)
{
    const struct log_key *keys;
    size_t low = 0;
    size_t high = r->head.rows;
    int error = block_keys(r, &keys, err);

    if (error)
        return error;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log_key_compare(&keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *row = low;
    *found = low < r->head.rows && log_key_compare(&keys[low], key) == 0;
    return 0;
}

int block_sequences(struct block_reader *r, const uint64_t **sequences, struct errbuf *err)
{
    if (!r->sequences && r->stored_keys.keeps_sequence) {
        uint64_t *values = stream_memory(&r->streams, r->head.rows, sizeof(*values));
        int error =
            values ? keys_load_sequences(&r->streams, &r->stored_keys, values, err) : LM_ENOMEM;

        if (error)
            return error;
        r->sequences = values;
    }
    *sequences = r->sequences;
    return 0;
}

/* ---- Texts ---- */

int block_levels(struct block_reader *r, const uint16_t **codes, const struct slice **levels,
                 size_t *levels_len, struct errbuf *err)
{
    if (!r->codes) {
        uint16_t *made = stream_memory(&r->streams, r->head.rows, sizeof(*made));
        int error = made
                        ? column_load(&r->streams, &r->stored_levels, "its levels", &r->levels, err)
                        : LM_ENOMEM;

        if (error)
            return error;
        for (size_t i = 0; i < r->head.rows; i++)
            made[i] = r->levels.kind == COLUMN_CONSTANT
                          ? 0
                          : (uint16_t)numbers_get(&r->levels.numbers, i);
        r->codes = made;
    }
    *codes = r->codes;
    *levels = r->levels.entries;
    *levels_len = r->levels.entries_len;
    return 0;
}

int block_messages(struct block_reader *r, const struct column **messages, struct errbuf *err)
{
    return template_load(&r->streams, r->messages, "its messages", messages, err);
}

int block_codes(struct block_reader *r, const struct templates *t, struct errbuf *err)
{
    return template_load_codes(&r->streams, template_column_of(t), "templates of its texts", err);
}

int block_pool(struct block_reader *r, const struct templates *t, uint32_t pool, struct errbuf *err)
{
    return template_load_pool(&r->streams, template_column_of(t), pool, "slots of its texts", err);
}

int block_column_text(struct block_reader *r, const struct column *column, size_t i,
                      struct buffer *b, struct errbuf *err)
{
    buffer_clear(b);
    int error =
        template_append(&r->streams, template_column_of(column->templates), i, "its texts", b, err);
    return error ? error : buffer_error(b);
}

const struct block_head *block_head_of(const struct block_reader *r)
{
    return &r->head;
}

uint32_t block_columns_len(const struct block_reader *r)
{
    return attributes_paths_columns(r->attributes);
}

enum block_share block_share(const struct block_reader *r, uint32_t number,
                             const struct block_path *path)
{
    return attributes_paths_share(r->attributes, number, path);
}

void block_spell_path(const struct block_reader *r, uint32_t number, struct buffer *b)
{
    attributes_paths_spell(r->attributes, number, b);
}

size_t block_values_len(const struct block_reader *r, uint32_t number)
{
    return attributes_paths_values(r->attributes, number);
}

int block_scalars(struct block_reader *r, uint32_t number, struct block_values *v,
                  struct errbuf *err)
{
    return attributes_paths_scalars(&r->streams, r->attributes, number, v, err);
}

int block_lift(struct block_reader *r, uint32_t number, const uint64_t *places, uint64_t *rows,
               struct errbuf *err)
{
    return attributes_paths_lift(&r->streams, r->attributes, number, places, rows, err);
}

int block_is_single(struct block_reader *r, uint32_t number, bool *is_single, struct errbuf *err)
{
    return attributes_paths_is_single(&r->streams, r->attributes, number, is_single, err);
}

bool block_is_array(const struct block_reader *r, uint32_t number)
{
    return attributes_paths_is_array(r->attributes, number);
}

int block_lift_empty(struct block_reader *r, uint32_t number, uint64_t *rows, struct errbuf *err)
{
    return attributes_paths_lift_empty(&r->streams, r->attributes, number, rows, err);
}

int block_lower(struct block_reader *r, uint32_t number, const uint64_t *rows, uint64_t *places,
                struct errbuf *err)
{
    return attributes_paths_lower(&r->streams, r->attributes, number, rows, places, err);
}

int block_strange_rows(struct block_reader *r, uint64_t *rows, struct errbuf *err)
{
    return attributes_paths_texts(&r->streams, r->attributes, rows, err);
}

/* ---- Logs ---- */

static int read_message(struct block_reader *r, size_t row, struct slice *text, struct errbuf *err)
{
    const struct column *column;
    int error = block_messages(r, &column, err);

    buffer_clear(&r->message);
    if (!error)
        error = template_append(&r->streams, r->messages, row, "its messages", &r->message, err);
    if (!error)
        error = buffer_error(&r->message);
    *text = buffer_slice(&r->message);
    return error;
}

static int read_attributes(struct block_reader *r, size_t row, struct slice *text,
                           struct errbuf *err)
{
    int error;

    buffer_clear(&r->attribute_text);
    error = attributes_reader_append(&r->streams, r->attributes, row, &r->attribute_text, err);
    if (!error)
        error = buffer_error(&r->attribute_text);
    *text = buffer_slice(&r->attribute_text);
    return error;
}

int block_record(struct block_reader *r, size_t row, struct record *record, struct errbuf *err)
{
    const struct log_key *keys;
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    int error = block_keys(r, &keys, err);

    if (!error)
        error = block_levels(r, &codes, &levels, &levels_len, err);
    if (error)
        return error;
    *record = (struct record){.key = keys[row], .level = levels[codes[row]]};
    error = read_message(r, row, &record->message, err);
    if (!error)
        error = read_attributes(r, row, &record->attributes, err);
    return error;
}

int block_verify(struct block_reader *r, struct errbuf *err)
{
    const uint64_t *sequences;
    struct record record;
    int error = block_sequences(r, &sequences, err);

    for (size_t i = 0; i < r->head.rows && !error; i++)
        error = block_record(r, i, &record, err);
    return error;
}

/* ---- Where the bytes go ---- */

static void tell(const struct block_telling *t, const char *name, const char *kind, size_t bytes,
                 uint64_t raw_bytes)
{
    if (!t->measures)
        raw_bytes = 0;
    t->fn(&(struct block_column_info){slice_of_string(name), slice_of_string(kind), bytes,
                                      (size_t)raw_bytes},
          t->ctx);
}

static int measure_levels(struct block_reader *r, uint64_t *bytes, struct errbuf *err)
{
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    int error = block_levels(r, &codes, &levels, &levels_len, err);

    for (size_t i = 0; i < r->head.rows && !error; i++)
        *bytes += levels[codes[i]].len;
    return error;
}

static int tell_all(struct block_reader *r, const struct block_telling *t, struct errbuf *err)
{
    struct stream_reader *s = &r->streams;
    const struct keys_stored *k = &r->stored_keys;
    const uint64_t rows = r->head.rows;
    uint64_t levels = 0, messages = 0;
    int error = 0;

    if (t->measures)
        error = measure_levels(r, &levels, err);
    if (!error && t->measures)
        error = template_measure(s, r->messages, "its messages", &messages, err);
    if (error)
        return error;
    tell(t, "directory", "directory", section_overhead(s->sections), 0);
    tell(t, "timestamp", "integer", numbers_bytes(s, &k->times), rows * TIMESTAMP_TEXT_LEN);
    tell(t, "id", "uuid", keys_id_bytes(s, k), rows * UUID_TEXT_LEN);
    tell(t, "sequence", "integer", k->keeps_sequence ? numbers_bytes(s, &k->sequences) : 0, 0);
    tell(t, "level", column_kind_name(r->stored_levels.kind), column_bytes(s, &r->stored_levels),
         levels);
    tell(t, "message", column_kind_name(template_kind(r->messages)), template_bytes(s, r->messages),
         messages);
    return attributes_reader_tell(s, r->attributes, t, err);
}

int block_columns(struct block_reader *r, block_column_fn *fn, void *ctx, struct errbuf *err)
{
    return tell_all(r, &(struct block_telling){.fn = fn, .ctx = ctx}, err);
}

int block_measure(struct block_reader *r, block_column_fn *fn, void *ctx, struct errbuf *err)
{
    return tell_all(r, &(struct block_telling){.fn = fn, .ctx = ctx, .measures = true}, err);
}
