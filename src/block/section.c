#include "block/section.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/xalloc.h"
#include "block/bytes.h"

/*
 * Head, of 32-bit numbers: magic, version, rows, stored and plain bytes of the directory, checksum
 * of its stored bytes, checksum of all before it. Then the directory, compressed if that is
 * shorter: varint number of sections; of each varint 2 * stored + compressed, varint plain (if
 * compressed), checksum (4 bytes); then what the columns are (column.h). Then the sections.
 */
enum {
    HEAD_NUMBERS = 7,
    HEAD_BYTES = 4 * HEAD_NUMBERS,
    CHECKSUM_BYTES = 4,
    SECTION_TABLE_MIN = 1 + CHECKSUM_BYTES, /* of a section, in the table */
    COMPRESSED_MIN = 24,                    /* bytes of less gain nothing */
    MATCH_OF_NUMBERS = 7,                   /* shorter repeats of numbers are chance */
    /* Plain bytes that a block may have, for what its head says. */
    PLAIN_OF_RAW = 8,
    PLAIN_OF_ROW = 96,
    PLAIN_SPARE = 64 * 1024,
};

static const uint32_t MAGIC = 0x6c6d626b; /* "lmbk" */

/* ---- Writing ---- */

struct section_writer {
    ZSTD_CCtx *zstd;
    int level;
    size_t count;
    struct buffer table, bytes, directory;
};

struct section_writer *section_writer_new(void)
{
    struct section_writer *w = xcalloc(1, sizeof(*w));

    buffer_init(&w->table, SIZE_MAX / 2);
    buffer_init(&w->bytes, SIZE_MAX / 2);
    buffer_init(&w->directory, SIZE_MAX / 2);
    w->zstd = ZSTD_createCCtx();
    if (!w->zstd)
        abort(); /* as of any small allocation */
    return w;
}

void section_writer_free(struct section_writer *w)
{
    if (!w)
        return;
    ZSTD_freeCCtx(w->zstd);
    buffer_release(&w->table);
    buffer_release(&w->bytes);
    buffer_release(&w->directory);
    free(w);
}

void section_begin(struct section_writer *w, int zstd_level)
{
    w->level = zstd_level;
    w->count = 0;
    buffer_clear(&w->table);
    buffer_clear(&w->bytes);
    buffer_clear(&w->directory);
}

/* zstd's parameters for a level, changed for numbers. */
static void set_parameters(struct section_writer *w, enum section_kind kind)
{
    ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, w->level);
    if (kind == SECTION_NUMBERS) {
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, 1);
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_strategy, ZSTD_fast);
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_minMatch, MATCH_OF_NUMBERS);
    }
}

/* Appends `plain` to `to`, compressed if that is shorter; sets whether it is. */
static void append_compressed(struct section_writer *w, struct slice plain, enum section_kind kind,
                              struct buffer *to, bool *is_compressed)
{
    size_t bound = ZSTD_compressBound(plain.len);
    char *room;

    *is_compressed = false;
    if (kind != SECTION_BITS && plain.len >= COMPRESSED_MIN) {
        room = buffer_reserve(to, bound);
        if (!room)
            return;
        set_parameters(w, kind);
        size_t len = ZSTD_compress2(w->zstd, room, bound, plain.data, plain.len);
        if (ZSTD_isError(len)) {
            to->error = LM_ENOMEM; /* the one thing that can be wrong: there is room */
            return;
        }
        if (len < plain.len) {
            to->len += len;
            *is_compressed = true;
            return;
        }
    }
    buffer_append_slice(to, plain);
}

size_t section_add(struct section_writer *w, struct slice plain, enum section_kind kind)
{
    size_t before = w->bytes.len;
    bool is_compressed;
    char checksum[CHECKSUM_BYTES];

    append_compressed(w, plain, kind, &w->bytes, &is_compressed);
    if (buffer_error(&w->bytes))
        return 0;
    size_t stored = w->bytes.len - before;
    w->count++;
    bytes_append_varint(&w->table, (uint64_t)stored << 1 | is_compressed);
    if (is_compressed)
        bytes_append_varint(&w->table, plain.len);
    byte_order_put32(checksum, bytes_checksum(stored ? slice_of(w->bytes.data + before, stored)
                                                     : SLICE_LITERAL("")));
    buffer_append(&w->table, checksum, sizeof(checksum));
    return stored;
}

static void append_directory(struct section_writer *w, struct slice directory, size_t *plain)
{
    struct buffer *d = &w->directory;
    bool is_compressed;

    bytes_append_varint(d, w->count);
    buffer_append_slice(d, buffer_slice(&w->table));
    buffer_append_slice(d, directory);
    *plain = d->len;
    buffer_clear(&w->table);
    if (!buffer_error(d))
        append_compressed(w, buffer_slice(d), SECTION_TEXT, &w->table, &is_compressed);
}

int section_end(struct section_writer *w, uint32_t rows, struct slice directory, struct buffer *out)
{
    size_t before = out->len;
    size_t plain;
    char head[HEAD_BYTES];

    if (buffer_error(&w->table) || buffer_error(&w->bytes))
        return LM_ENOMEM;
    append_directory(w, directory, &plain);
    if (buffer_error(&w->table) || buffer_error(&w->directory))
        return LM_ENOMEM;
    struct slice stored = buffer_slice(&w->table);
    char *p = byte_order_put32(head, MAGIC);
    p = byte_order_put32(p, BLOCK_VERSION);
    p = byte_order_put32(p, rows);
    p = byte_order_put32(p, (uint32_t)stored.len);
    p = byte_order_put32(p, (uint32_t)plain);
    p = byte_order_put32(p, bytes_checksum(stored));
    byte_order_put32(p, bytes_checksum(slice_of(head, (size_t)(p - head))));
    buffer_append(out, head, sizeof(head));
    buffer_append_slice(out, stored);
    buffer_append_slice(out, buffer_slice(&w->bytes));
    if (!buffer_error(out))
        return 0;
    buffer_truncate(out, before);
    return LM_ENOMEM;
}

/* ---- Reading ---- */

struct section_reader {
    ZSTD_DCtx *zstd;
    const struct block_source *source;
    struct arena *arena;
    struct section *sections;
    size_t count;
    size_t overhead;
    int64_t number; /* the block's, to be named */
};

struct section_reader *section_reader_new(void)
{
    struct section_reader *r = xcalloc(1, sizeof(*r));

    r->zstd = ZSTD_createDCtx();
    if (!r->zstd)
        abort();
    return r;
}

void section_reader_free(struct section_reader *r)
{
    if (!r)
        return;
    ZSTD_freeDCtx(r->zstd);
    free(r);
}

static int damaged(const struct section_reader *r, const char *what, struct errbuf *err)
{
    errbuf_set(err, "block %lld is damaged: %s", (long long)r->number, what);
    return LM_EIO;
}

/* Reads and checks stored bytes, and decompresses them. */
static int read_stored(struct section_reader *r, const struct section *s, const char *what,
                       char **bytes, struct errbuf *err)
{
    char *stored = arena_take(r->arena, s->stored + SECTION_SPARE);
    int error;

    if (!stored)
        return LM_ENOMEM;
    error = r->source->read(r->source->ctx, s->offset, s->stored, stored, err);
    if (error)
        return error;
    if (bytes_checksum(slice_of(stored, s->stored)) != s->checksum)
        return damaged(r, what, err);
    *bytes = stored;
    memset(stored + s->stored, 0, SECTION_SPARE);
    if (!s->is_compressed)
        return 0;
    *bytes = arena_take(r->arena, s->plain + SECTION_SPARE);
    if (!*bytes)
        return LM_ENOMEM;
    memset(*bytes + s->plain, 0, SECTION_SPARE);
    size_t len = ZSTD_decompressDCtx(r->zstd, *bytes, s->plain, stored, s->stored);
    if (ZSTD_isError(len) && ZSTD_getErrorCode(len) == ZSTD_error_memory_allocation)
        return LM_ENOMEM;
    return ZSTD_isError(len) || len != s->plain ? damaged(r, what, err) : 0;
}

static uint64_t plain_max(const struct block_head *head)
{
    return head->raw_bytes > UINT64_MAX / (2 * PLAIN_OF_RAW)
               ? UINT64_MAX / 2
               : head->raw_bytes * PLAIN_OF_RAW + (uint64_t)head->rows * PLAIN_OF_ROW + PLAIN_SPARE;
}

/* Reads the block's own head: where the directory is, as a section. */
static int read_head(struct section_reader *r, const struct block_head *head,
                     struct section *directory, struct errbuf *err)
{
    char bytes[HEAD_BYTES];
    uint32_t numbers[HEAD_NUMBERS];
    int error;

    if (r->source->len != head->bytes || r->source->len < HEAD_BYTES)
        return damaged(r, "it has not the length it was written with", err);
    error = r->source->read(r->source->ctx, 0, sizeof(bytes), bytes, err);
    if (error)
        return error;
    for (size_t i = 0; i < HEAD_NUMBERS; i++)
        numbers[i] = byte_order_get32(bytes + 4 * i);
    if (numbers[0] != MAGIC ||
        numbers[HEAD_NUMBERS - 1] != bytes_checksum(slice_of(bytes, HEAD_BYTES - CHECKSUM_BYTES)))
        return damaged(r, "its first bytes are not those of a block", err);
    if (numbers[1] != BLOCK_VERSION)
        return errbuf_fail(err, LM_EIO,
                           "block %lld is of version %u, of which this logmill knows %d",
                           (long long)r->number, numbers[1], BLOCK_VERSION);
    if (numbers[2] != head->rows)
        return damaged(r, "its head tells another number of logs", err);
    *directory = (struct section){
        .offset = HEAD_BYTES,
        .stored = numbers[3],
        .plain = numbers[4],
        .checksum = numbers[5],
        .is_compressed = numbers[3] < numbers[4],
    };
    if (directory->stored > r->source->len - HEAD_BYTES || directory->stored > directory->plain ||
        directory->plain > plain_max(head))
        return damaged(r, "its directory is too long", err);
    return 0;
}

static bool take_section(struct slice *rest, struct section *s)
{
    uint64_t stored, plain = 0;
    struct slice checksum;

    if (!bytes_take_varint(rest, &stored))
        return false;
    s->is_compressed = stored & 1;
    s->stored = (size_t)(stored >> 1);
    if (s->is_compressed && !bytes_take_varint(rest, &plain))
        return false;
    s->plain = s->is_compressed ? (size_t)plain : s->stored;
    if (!bytes_take(rest, CHECKSUM_BYTES, &checksum))
        return false;
    s->checksum = byte_order_get32(checksum.data);
    return true;
}

/* The table of sections: they fill the rest of the block, and are no longer than `plain_left`. */
static bool take_table(struct section_reader *r, struct slice *rest, size_t offset,
                       uint64_t plain_left)
{
    for (size_t i = 0; i < r->count; i++) {
        struct section *s = &r->sections[i];

        *s = (struct section){.offset = offset};
        if (!take_section(rest, s) || s->stored > r->source->len - offset || s->plain > plain_left)
            return false;
        offset += s->stored;
        plain_left -= s->plain;
    }
    r->overhead = 0;
    return offset == r->source->len;
}

int section_open(struct section_reader *r, const struct block_source *source,
                 const struct block_head *head, struct arena *arena, struct slice *directory,
                 struct errbuf *err)
{
    struct section d;
    char *bytes;
    uint64_t count;
    int error;

    r->source = source;
    r->arena = arena;
    r->number = head->number;
    r->count = 0;
    error = read_head(r, head, &d, err);
    if (!error)
        error = read_stored(r, &d, "its directory", &bytes, err);
    if (error)
        return error;
    struct slice rest = slice_of(bytes, d.plain);
    if (!bytes_take_varint(&rest, &count) || count > rest.len / SECTION_TABLE_MIN)
        return damaged(r, "its table of sections", err);
    r->sections = arena_take(arena, (size_t)count * sizeof(*r->sections));
    if (!r->sections)
        return LM_ENOMEM;
    r->count = (size_t)count;
    if (!take_table(r, &rest, HEAD_BYTES + d.stored, plain_max(head) - d.plain))
        return damaged(r, "its table of sections", err);
    r->overhead = HEAD_BYTES + d.stored;
    *directory = rest;
    return 0;
}

size_t section_count(const struct section_reader *r)
{
    return r->count;
}

const struct section *section_get(const struct section_reader *r, size_t number)
{
    return &r->sections[number];
}

size_t section_overhead(const struct section_reader *r)
{
    return r->overhead;
}

int section_read(struct section_reader *r, size_t number, struct slice *plain, struct errbuf *err)
{
    char what[40];
    char *bytes;
    int error;

    if (number >= r->count)
        return damaged(r, "it lacks a section", err);
    struct section *s = &r->sections[number];
    if (!s->bytes) {
        snprintf(what, sizeof(what), "its section %zu", number);
        error = read_stored(r, s, what, &bytes, err);
        if (error)
            return error;
        s->bytes = bytes;
    }
    *plain = slice_of(s->bytes, s->plain);
    return 0;
}
