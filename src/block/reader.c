#include "block/reader.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/arena.h"
#include "block/bytes.h"
#include "block/internal.h"
#include "block/section.h"

/* Sections, in their order. */
enum { KEYS, LEVELS, MESSAGES, ATTRIBUTES, SEQUENCES };

struct block_reader {
    struct section_reader *sections;
    struct arena arena;
    struct block_head head;
    bool keeps_sequence;
    struct log_key *keys;
    int64_t *times;
    uint64_t *sequences;
    uint16_t *codes;
    struct slice *levels;
    size_t levels_len;
    struct slice *messages;
    struct slice *attributes;
    struct column message_column;
};

struct block_reader *block_reader_new(void)
{
    struct block_reader *r = xcalloc(1, sizeof(*r));

    r->sections = section_reader_new();
    return r;
}

void block_reader_free(struct block_reader *r)
{
    if (!r)
        return;
    section_reader_free(r->sections);
    arena_release(&r->arena);
    free(r);
}

void block_close(struct block_reader *r)
{
    struct section_reader *sections = r->sections;
    struct arena arena = r->arena;

    arena_clear(&arena);
    *r = (struct block_reader){.sections = sections, .arena = arena};
}

int block_open(struct block_reader *r, const struct block_source *source,
               const struct block_head *head, struct errbuf *err)
{
    struct slice directory;
    int error;

    block_close(r);
    error = section_open(r->sections, source, head, &r->arena, &directory, err);
    if (error) {
        block_close(r);
        return error;
    }
    r->head = *head;
    r->head.levels_len = 0; /* whose texts are the caller's */
    r->keeps_sequence = directory.len > 0 && directory.data[0];
    return 0;
}

size_t block_rows(const struct block_reader *r)
{
    return r->head.rows;
}

size_t block_reader_memory(const struct block_reader *r)
{
    return r->arena.memory;
}

static int damaged(const struct block_reader *r, const char *what, struct errbuf *err)
{
    return errbuf_fail(err, LM_EIO, "block %lld is damaged: %s", (long long)r->head.number, what);
}

static void *take_rows(struct block_reader *r, size_t size)
{
    return arena_take(&r->arena, r->head.rows * size);
}

/* ---- Columns ---- */

static int need_keys(struct block_reader *r, struct errbuf *err)
{
    struct slice plain;
    int error;

    if (r->keys)
        return 0;
    error = section_read(r->sections, KEYS, &plain, err);
    if (error)
        return error;
    if (plain.len != (size_t)r->head.rows * LOG_KEY_BYTES)
        return damaged(r, "its keys", err);
    struct log_key *keys = take_rows(r, sizeof(*keys));
    int64_t *times = take_rows(r, sizeof(*times));
    if (!keys || !times)
        return LM_ENOMEM;
    for (size_t i = 0; i < r->head.rows; i++) {
        log_key_unpack(plain.data + i * LOG_KEY_BYTES, &keys[i]);
        times[i] = keys[i].timestamp_us;
        if (i > 0 && log_key_compare(&keys[i - 1], &keys[i]) >= 0)
            return damaged(r, "its keys do not ascend", err);
    }
    if (log_key_compare(&keys[0], &r->head.first) != 0 ||
        log_key_compare(&keys[r->head.rows - 1], &r->head.last) != 0)
        return damaged(r, "its keys are not those of its head", err);
    r->keys = keys;
    r->times = times;
    return 0;
}

int block_keys(struct block_reader *r, const struct log_key **keys, struct errbuf *err)
{
    int error = need_keys(r, err);

    *keys = r->keys;
    return error;
}

int block_times(struct block_reader *r, const int64_t **times_us, struct errbuf *err)
{
    int error = need_keys(r, err);

    *times_us = r->times;
    return error;
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
    struct slice plain;
    int error;

    *sequences = r->sequences;
    if (r->sequences || !r->keeps_sequence)
        return 0;
    error = section_read(r->sections, SEQUENCES, &plain, err);
    if (error)
        return error;
    uint64_t *values = take_rows(r, sizeof(*values));
    if (!values)
        return LM_ENOMEM;
    for (size_t i = 0; i < r->head.rows; i++)
        if (!bytes_take_u64(&plain, &values[i]))
            return damaged(r, "its numbers in the order of storing", err);
    if (plain.len)
        return damaged(r, "its numbers in the order of storing", err);
    *sequences = r->sequences = values;
    return 0;
}

static int read_texts(struct block_reader *r, size_t section, const char *what,
                      struct slice **texts, struct errbuf *err)
{
    struct slice plain;
    int error;

    if (*texts)
        return 0;
    error = section_read(r->sections, section, &plain, err);
    if (error)
        return error;
    struct slice *values = take_rows(r, sizeof(*values));
    if (!values)
        return LM_ENOMEM;
    for (size_t i = 0; i < r->head.rows; i++)
        if (!bytes_take_text(&plain, &values[i]))
            return damaged(r, what, err);
    if (plain.len)
        return damaged(r, what, err);
    *texts = values;
    return 0;
}

int block_levels(struct block_reader *r, const uint16_t **codes, const struct slice **levels,
                 size_t *levels_len, struct errbuf *err)
{
    struct slice *texts = NULL;

    if (!r->levels) {
        int error = read_texts(r, LEVELS, "its levels", &texts, err);

        if (error)
            return error;
        uint16_t *numbers = take_rows(r, sizeof(*numbers));
        if (!numbers)
            return LM_ENOMEM;
        for (size_t i = 0; i < r->head.rows; i++) {
            size_t code = 0;

            while (code < r->levels_len && !slice_equal(texts[code], texts[i]))
                code++;
            if (code == r->levels_len)
                texts[r->levels_len++] = texts[i];
            numbers[i] = (uint16_t)code;
        }
        r->codes = numbers;
        r->levels = texts;
    }
    *codes = r->codes;
    *levels = r->levels;
    *levels_len = r->levels_len;
    return 0;
}

int block_messages(struct block_reader *r, const struct column **messages, struct errbuf *err)
{
    int error = read_texts(r, MESSAGES, "its messages", &r->messages, err);

    if (error)
        return error;
    r->message_column = (struct column){.kind = COLUMN_TEXT,
                                        .len = r->head.rows,
                                        .entries = r->messages,
                                        .entries_len = r->head.rows};
    *messages = &r->message_column;
    return 0;
}

int block_pool(struct block_reader *r, const struct templates *t, uint32_t pool, struct errbuf *err)
{
    return 0;
}

int block_attribute(struct block_reader *r, struct slice name, struct block_attribute *attribute,
                    struct errbuf *err)
{
    size_t words = (r->head.rows + 63) / 64;
    uint64_t *all = arena_take(&r->arena, words * sizeof(*all));

    if (!all)
        return LM_ENOMEM;
    memset(all, 0xff, words * sizeof(*all));
    *attribute = (struct block_attribute){.unknown = all};
    return 0;
}

int block_record(struct block_reader *r, size_t row, struct record *record, struct errbuf *err)
{
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    int error = need_keys(r, err);

    if (!error)
        error = block_levels(r, &codes, &levels, &levels_len, err);
    if (!error)
        error = read_texts(r, MESSAGES, "its messages", &r->messages, err);
    if (!error)
        error = read_texts(r, ATTRIBUTES, "its attributes", &r->attributes, err);
    if (error)
        return error;
    *record = (struct record){.key = r->keys[row],
                              .level = levels[codes[row]],
                              .message = r->messages[row],
                              .attributes = r->attributes[row]};
    return 0;
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

int block_columns(struct block_reader *r, block_column_fn *fn, void *ctx, struct errbuf *err)
{
    static const char *const names[] = {"key", "level", "message", "attributes", "sequence"};
    size_t directory = section_overhead(r->sections);

    fn(&(struct block_column_info){SLICE_LITERAL("directory"), SLICE_LITERAL("directory"),
                                   directory, directory},
       ctx);
    for (size_t i = 0; i < section_count(r->sections) && i <= SEQUENCES; i++)
        fn(&(struct block_column_info){slice_of_string(names[i]), SLICE_LITERAL("text"),
                                       section_get(r->sections, i)->stored,
                                       section_get(r->sections, i)->plain},
           ctx);
    return 0;
}
