#include "store/sqlite/segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/byte_order.h"
#include "base/check.h"
#include "base/xalloc.h"
#include "block/bytes.h"
#include "block/filter.h"
#include "block/select.h"
#include "store/sqlite/summary.h"

enum {
    FILTER_HASHES_MAX = 1 << 16, /* of a block; one that has more may hold anything */
    MARK_BYTES = 8,              /* a word of marks */
    SUM_BYTES = 4,               /* a checksum */
    BUILT_BYTES_MAX = 1 << 30,   /* ceilings because every buffer has one */
    HEADS_BYTES_MAX = 16 << 20,
};

_Static_assert((int)SUMMARY_BLOCKS_MAX >= (int)SEGMENT_BLOCKS_MAX, "each has a place there");

/* ---- Making one ---- */

struct built_block {
    struct block_head head; /* levels are in `texts` */
    size_t start;           /* in `data` */
    uint64_t *hashes;       /* of its filter; NULL: there are none, too many, or a column */
    size_t hashes_len;
    bool is_full;    /* there are too many */
    bool hashed_all; /* block_writer_hashed_all */
    char *column;    /* of its filter, of a block that was copied; else NULL */
    char texts[BLOCK_HEAD_LEVELS_MAX * BLOCK_HEAD_LEVEL_BYTES_MAX];
};

struct segment_builder {
    struct block_writer *writer;
    struct buffer data; /* all blocks, one after the other */
    struct built_block blocks[SEGMENT_BLOCKS_MAX];
    uint32_t len;
    uint32_t buckets; /* of the columns, if any was copied; else 0 */
    uint32_t usual;   /* of the segment that was stored last without such; else 0 */
    bool cold;
    bool keeps_sequence;
    struct summary_maker *summary; /* NULL: none was ever cold */
};

struct segment_builder *segment_builder_new(void)
{
    struct segment_builder *b = xcalloc(1, sizeof(*b));

    b->writer = block_writer_new();
    buffer_init(&b->data, BUILT_BYTES_MAX);
    return b;
}

void segment_builder_free(struct segment_builder *b)
{
    if (!b)
        return;
    segment_builder_begin(b, false, false);
    block_writer_free(b->writer);
    summary_maker_free(b->summary);
    buffer_release(&b->data);
    free(b);
}

void segment_builder_begin(struct segment_builder *b, bool cold, bool keeps_sequence)
{
    for (uint32_t i = 0; i < b->len; i++) {
        free(b->blocks[i].hashes);
        free(b->blocks[i].column);
    }
    buffer_clear(&b->data);
    b->len = 0;
    b->buckets = 0;
    b->cold = cold;
    b->keeps_sequence = keeps_sequence;
    if (cold && !b->summary)
        b->summary = summary_maker_new();
    if (b->summary)
        summary_maker_begin(b->summary);
}

/* The last block was added. */
static void summarize(struct segment_builder *b)
{
    const struct built_block *block = &b->blocks[b->len - 1];

    if (b->cold)
        summary_maker_add(b->summary, &block->head,
                          slice_of(b->data.data + block->start, b->data.len - block->start));
}

/* The head's levels are views of the rows: here they get a place that stays. */
static void keep_levels(struct built_block *block)
{
    char *at = block->texts;

    for (unsigned i = 0; i < block->head.levels_len; i++) {
        struct slice *level = &block->head.levels[i].level;

        if (level->len > 0)
            memcpy(at, level->data, level->len);
        level->data = at;
        at += level->len;
    }
}

static int keep_hashes(struct segment_builder *b, struct built_block *block, struct errbuf *err)
{
    const uint64_t *hashes;

    block_writer_hashes(b->writer, &hashes, &block->hashes_len);
    block->is_full = block->hashes_len > FILTER_HASHES_MAX;
    block->hashed_all = block_writer_hashed_all(b->writer);
    if (block->is_full || block->hashes_len == 0)
        return 0;
    block->hashes = try_malloc(block->hashes_len * sizeof(*hashes));
    if (!block->hashes)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the filter of a block");
    memcpy(block->hashes, hashes, block->hashes_len * sizeof(*hashes));
    return 0;
}

int segment_builder_add(struct segment_builder *b, const struct block_row *rows, size_t n,
                        int64_t stored_us, struct errbuf *err)
{
    const struct block_options options = {
        .zstd_level = b->cold ? BLOCK_LEVEL_COLD : BLOCK_LEVEL_HOT,
        .keeps_sequence = b->keeps_sequence,
        .hashes = true,
    };
    struct built_block *block = &b->blocks[b->len];

    CHECK(b->len < SEGMENT_BLOCKS_MAX && n > 0);
    CHECK(b->len == 0 || log_key_compare(&block[-1].head.last, &rows[0].record.key) < 0);
    block->hashes = NULL;
    block->column = NULL;
    block->is_full = false;
    block->start = b->data.len;
    int error = block_write(b->writer, rows, n, &options, &b->data, &block->head, err);
    if (error)
        return error;
    error = keep_hashes(b, block, err);
    if (error) {
        buffer_truncate(&b->data, block->start);
        return error;
    }
    keep_levels(block);
    block->head.stored_us = stored_us;
    b->len++;
    summarize(b);
    return 0;
}

/* Whether so many serve where `needed` do: by an eighth fewer, and false hits are a little more. */
static bool are_near(uint32_t buckets, uint32_t needed)
{
    return buckets >= needed - needed / 8 && buckets <= needed + needed / 8;
}

/* Whether the columns of all blocks will have so many buckets. */
static bool fits(const struct segment_builder *b, uint32_t buckets)
{
    if (b->buckets > 0)
        return b->buckets == buckets;
    for (uint32_t i = 0; i < b->len; i++)
        if (!b->blocks[i].is_full && block_filter_buckets(b->blocks[i].hashes_len) > buckets &&
            !are_near(buckets, block_filter_buckets(b->blocks[i].hashes_len)))
            return false;
    return true;
}

/* Takes the column of `place` out of a filter. */
static char *take_column(const struct segment *from, uint32_t place, struct slice filter)
{
    const size_t len = BLOCK_FILTER_BUCKET_BYTES;
    char *column = try_malloc(from->buckets * len);

    for (size_t k = 0; column && k < from->buckets; k++)
        memcpy(column + k * len, filter.data + (k * from->blocks + place) * len, len);
    return column;
}

int segment_builder_copy(struct segment_builder *b, const struct segment *from, uint32_t place,
                         const struct block_head *head, struct slice bytes, struct slice filter,
                         bool *taken, struct errbuf *err)
{
    struct built_block *block = &b->blocks[b->len];

    CHECK(b->len < SEGMENT_BLOCKS_MAX && place < from->blocks);
    CHECK(b->len == 0 || log_key_compare(&block[-1].head.last, &head->first) < 0);
    CHECK(filter.len == (size_t)from->buckets * from->blocks * BLOCK_FILTER_BUCKET_BYTES);
    *taken = from->buckets > 0 && head->bytes == bytes.len && fits(b, from->buckets);
    if (!*taken)
        return 0;
    char *column = take_column(from, place, filter);
    size_t start = b->data.len;
    buffer_append_slice(&b->data, bytes);
    if (!column || buffer_error(&b->data)) {
        free(column);
        return errbuf_fail(err, LM_ENOMEM, "no memory for a block");
    }
    block->head = *head;
    if (!b->keeps_sequence)
        block->head.first_sequence = block->head.last_sequence = 0;
    block->start = start;
    block->hashes = NULL;
    block->hashes_len = 0;
    block->is_full = false;
    block->hashed_all = from->hashed >> place & 1;
    block->column = column;
    keep_levels(block);
    b->buckets = from->buckets;
    b->len++;
    summarize(b);
    return 0;
}

uint32_t segment_builder_blocks(const struct segment_builder *b)
{
    return b->len;
}

size_t segment_builder_bytes(const struct segment_builder *b)
{
    return b->data.len;
}

static int store_blocks(struct sqlite_db *db, struct segment_builder *b, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "INSERT INTO blocks(data) VALUES(?)", &stmt, err);

    for (uint32_t i = 0; !error && i < b->len; i++) {
        struct block_head *head = &b->blocks[i].head;

        sqlite3_bind_blob64(stmt, 1, b->data.data + b->blocks[i].start, head->bytes, SQLITE_STATIC);
        error = sqlite_db_run(db, stmt, err);
        head->number = sqlite3_last_insert_rowid(db->handle);
    }
    return error;
}

/* How many buckets a row of `filters` has: some whole ones. */
static size_t buckets_of_chunk(uint32_t blocks)
{
    size_t n = SEGMENT_FILTER_CHUNK / ((size_t)blocks * BLOCK_FILTER_BUCKET_BYTES);

    return n > 0 ? n : 1;
}

/*
 * As many as those of copied blocks, or as the fullest block needs, but for those that may hold
 * anything. Or as the last segment had, if that is about as many: blocks can only be copied into
 * one segment if their filters are of one size, and logs that are alike need now a little more,
 * now a little less.
 */
static uint32_t choose_buckets(struct segment_builder *b)
{
    size_t most = 0;

    if (b->buckets > 0)
        return b->buckets;
    for (uint32_t i = 0; i < b->len; i++) {
        const struct built_block *block = &b->blocks[i];

        if (!block->is_full && block->hashes_len > most)
            most = block->hashes_len;
    }
    uint32_t needed = block_filter_buckets(most);
    if (!are_near(b->usual, needed))
        b->usual = needed;
    return b->usual;
}

static void fill_block(char *bytes, uint32_t buckets, uint32_t blocks, uint32_t block)
{
    for (uint32_t k = 0; k < buckets; k++)
        memset(bytes + ((size_t)k * blocks + block) * BLOCK_FILTER_BUCKET_BYTES, 0xff,
               BLOCK_FILTER_BUCKET_BYTES);
}

static void put_column(char *bytes, uint32_t buckets, uint32_t blocks, uint32_t block,
                       const char *column)
{
    const size_t len = BLOCK_FILTER_BUCKET_BYTES;

    for (size_t k = 0; k < buckets; k++)
        memcpy(bytes + (k * blocks + block) * len, column + k * len, len);
}

/* What lies beside blocks has a checksum of its own behind it: SUM_BYTES of each piece. */
static void sum_piece(struct slice bytes, char sum[SUM_BYTES])
{
    byte_order_put32(sum, bytes_checksum(bytes));
}

/*
 * The piece in the first column, without its checksum: a view until the statement is stepped or
 * reset. False if it is not as it was written.
 */
static bool take_piece(sqlite3_stmt *stmt, struct slice *piece)
{
    const char *data = sqlite3_column_blob(stmt, 0);
    size_t len = (size_t)sqlite3_column_bytes(stmt, 0);

    *piece = slice_of(data, 0);
    if (!data || len < SUM_BYTES)
        return false;
    piece->len = len - SUM_BYTES;
    return byte_order_get32(data + piece->len) == bytes_checksum(*piece);
}

static int store_chunks(struct sqlite_db *db, int64_t segment, struct slice filter, size_t chunk,
                        struct errbuf *err)
{
    sqlite3_stmt *stmt;
    char *piece = try_malloc(chunk + SUM_BYTES);
    int64_t number = 0;

    if (!piece)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the filter of a segment");
    int error =
        sqlite_db_statement(db, "INSERT INTO filters(place, data) VALUES(?, ?)", &stmt, err);
    for (size_t at = 0; !error && at < filter.len; at += chunk) {
        size_t len = filter.len - at < chunk ? filter.len - at : chunk;

        memcpy(piece, filter.data + at, len);
        sum_piece(slice_of(piece, len), piece + len);
        sqlite3_bind_int64(stmt, 1, segment * SEGMENT_FILTER_PLACES + number++);
        sqlite3_bind_blob64(stmt, 2, piece, len + SUM_BYTES, SQLITE_STATIC);
        error = sqlite_db_run(db, stmt, err);
    }
    free(piece);
    return error;
}

static int store_filter(struct sqlite_db *db, const struct segment_builder *b, int64_t segment,
                        uint32_t buckets, struct errbuf *err)
{
    size_t row = (size_t)b->len * BLOCK_FILTER_BUCKET_BYTES;
    size_t len = buckets * row;

    CHECK(len > 0);
    char *bytes = try_malloc(len > 0 ? len : 1);
    if (!bytes)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the filter of a segment");
    memset(bytes, 0, len);
    for (uint32_t i = 0; i < b->len; i++) {
        const struct built_block *block = &b->blocks[i];

        if (block->column)
            put_column(bytes, buckets, b->len, i, block->column);
        else if (block->is_full)
            fill_block(bytes, buckets, b->len, i);
        else
            block_filter_add(bytes, buckets, b->len, i, block->hashes, block->hashes_len);
    }
    int error =
        store_chunks(db, segment, slice_of(bytes, len), buckets_of_chunk(b->len) * row, err);
    free(bytes);
    return error;
}

/* What is known of all blocks together. */
static struct segment sum_up(const struct segment_builder *b, uint32_t buckets)
{
    struct segment s = {
        .first = b->blocks[0].head.first,
        .last = b->blocks[b->len - 1].head.last,
        .bytes = b->data.len + (uint64_t)buckets * b->len * BLOCK_FILTER_BUCKET_BYTES,
        .blocks = b->len,
        .buckets = buckets,
        .first_sequence = b->keeps_sequence ? UINT64_MAX : 0,
        .cold = b->cold,
    };

    for (uint32_t i = 0; i < b->len; i++) {
        const struct block_head *head = &b->blocks[i].head;

        s.rows += head->rows;
        s.hashed |= (uint64_t)b->blocks[i].hashed_all << i;
        if (head->first_sequence < s.first_sequence)
            s.first_sequence = head->first_sequence;
        if (head->last_sequence > s.last_sequence)
            s.last_sequence = head->last_sequence;
        if (head->stored_us > s.stored_us)
            s.stored_us = head->stored_us;
    }
    return s;
}

static void bind_key(sqlite3_stmt *stmt, int index, const struct log_key *key)
{
    char packed[LOG_KEY_BYTES];

    log_key_pack_ordered(key, packed);
    sqlite3_bind_blob(stmt, index, packed, sizeof(packed), SQLITE_TRANSIENT);
}

static int store_row(struct sqlite_db *db, const struct segment *s, struct slice heads,
                     struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db,
        "INSERT INTO segments(first, last, rows, erased, bytes, blocks, gone, buckets, "
        "first_sequence, last_sequence, stored, cold, changes, heads, hashed) "
        "VALUES(?, ?, ?, 0, ?, ?, 0, ?, ?, ?, ?, ?, 0, ?, ?)",
        &stmt, err);

    if (error)
        return error;
    bind_key(stmt, 1, &s->first);
    bind_key(stmt, 2, &s->last);
    sqlite3_bind_int64(stmt, 3, (int64_t)s->rows);
    sqlite3_bind_int64(stmt, 4, (int64_t)(s->bytes + heads.len));
    sqlite3_bind_int64(stmt, 5, s->blocks);
    sqlite3_bind_int64(stmt, 6, s->buckets);
    sqlite3_bind_int64(stmt, 7, (int64_t)s->first_sequence);
    sqlite3_bind_int64(stmt, 8, (int64_t)s->last_sequence);
    sqlite3_bind_int64(stmt, 9, s->stored_us);
    sqlite3_bind_int64(stmt, 10, s->cold);
    sqlite3_bind_blob64(stmt, 11, heads.data, heads.len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 12, (int64_t)s->hashed);
    return sqlite_db_run(db, stmt, err);
}

static int pack_heads(const struct segment_builder *b, struct buffer *out, struct errbuf *err)
{
    struct block_head *heads = xmalloc(b->len * sizeof(*heads));

    for (uint32_t i = 0; i < b->len; i++)
        heads[i] = b->blocks[i].head;
    block_heads_append(out, heads, b->len);
    free(heads);
    return buffer_error(out) ? errbuf_fail(err, LM_ENOMEM, "no memory for the heads of a segment")
                             : 0;
}

int segment_store(struct sqlite_db *db, struct segment_builder *b, int64_t *number,
                  struct errbuf *err)
{
    uint32_t buckets = choose_buckets(b);
    struct segment s = sum_up(b, buckets);
    struct buffer heads;

    CHECK(b->len > 0);
    buffer_init(&heads, HEADS_BYTES_MAX);
    int error = store_blocks(db, b, err);
    if (!error)
        error = pack_heads(b, &heads, err);
    if (!error)
        error = store_row(db, &s, buffer_slice(&heads), err);
    *number = sqlite3_last_insert_rowid(db->handle);
    if (!error)
        error = store_filter(db, b, *number, buckets, err);
    if (!error && b->cold)
        error = summary_store(db, b->summary, *number, s.bytes, err);
    buffer_release(&heads);
    return error;
}

/* ---- Reading one ---- */

static int damaged(struct sqlite_db *db, int64_t segment, const char *what, struct errbuf *err)
{
    errbuf_set(err, "%s is damaged: %s of segment %lld", db->path, what, (long long)segment);
    return LM_EIO;
}

int segment_take(struct sqlite_db *db, sqlite3_stmt *stmt, struct segment *s, struct errbuf *err)
{
    const char *first = sqlite3_column_blob(stmt, 1);
    const char *last = sqlite3_column_blob(stmt, 2);
    bool are_keys = sqlite3_column_bytes(stmt, 1) == LOG_KEY_BYTES &&
                    sqlite3_column_bytes(stmt, 2) == LOG_KEY_BYTES;

    *s = (struct segment){
        .number = sqlite3_column_int64(stmt, 0),
        .rows = (uint64_t)sqlite3_column_int64(stmt, 3),
        .erased = (uint64_t)sqlite3_column_int64(stmt, 4),
        .bytes = (uint64_t)sqlite3_column_int64(stmt, 5),
        .blocks = (uint32_t)sqlite3_column_int64(stmt, 6),
        .gone = (uint32_t)sqlite3_column_int64(stmt, 7),
        .buckets = (uint32_t)sqlite3_column_int64(stmt, 8),
        .first_sequence = (uint64_t)sqlite3_column_int64(stmt, 9),
        .last_sequence = (uint64_t)sqlite3_column_int64(stmt, 10),
        .stored_us = sqlite3_column_int64(stmt, 11),
        .cold = sqlite3_column_int(stmt, 12) != 0,
        .changes = sqlite3_column_int64(stmt, 13),
        .hashed = (uint64_t)sqlite3_column_int64(stmt, 14),
    };
    if (!are_keys || s->blocks == 0 || s->blocks > SEGMENT_BLOCKS_MAX || s->gone >= s->blocks)
        return damaged(db, s->number, "the row", err);
    log_key_unpack_ordered(first, &s->first);
    log_key_unpack_ordered(last, &s->last);
    return 0;
}

/* Leaves the heads of the blocks that are there at the front. */
static int drop_gone(struct sqlite_db *db, const struct segment *s, struct block_head *heads,
                     size_t *n, struct errbuf *err)
{
    if (*n != s->blocks)
        return damaged(db, s->number, "the heads", err);
    *n -= s->gone;
    memmove(heads, heads + s->gone, *n * sizeof(*heads));
    return 0;
}

int segment_heads(struct sqlite_db *db, const struct segment *s, struct block_head **heads,
                  size_t *n, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT heads FROM segments WHERE number = ?", &stmt, err);

    *heads = NULL;
    *n = 0;
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, s->number);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *bytes = sqlite3_column_blob(stmt, 0);

        error = block_heads_read((struct slice){bytes, (size_t)sqlite3_column_bytes(stmt, 0)},
                                 heads, n, err);
        if (!error)
            error = drop_gone(db, s, *heads, n, err);
    } else {
        error = rc == SQLITE_DONE ? damaged(db, s->number, "no row", err)
                                  : sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    if (error) {
        free(*heads);
        *heads = NULL;
        *n = 0;
    }
    return error;
}

int segment_filter_row(struct sqlite_db *db, const struct segment *s, uint64_t hash,
                       struct buffer *row, struct errbuf *err)
{
    const size_t len = (size_t)s->blocks * BLOCK_FILTER_BUCKET_BYTES;
    size_t bucket = block_filter_bucket(hash, s->buckets);
    size_t of_chunk = buckets_of_chunk(s->blocks);
    size_t offset = bucket % of_chunk * len;
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT data FROM filters WHERE place = ?", &stmt, err);

    buffer_clear(row);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, s->number * SEGMENT_FILTER_PLACES + (int64_t)(bucket / of_chunk));
    int rc = sqlite3_step(stmt);
    struct slice chunk;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    else if (rc == SQLITE_DONE || !take_piece(stmt, &chunk) || chunk.len < offset + len)
        error = damaged(db, s->number, "the filter", err);
    else
        buffer_append(row, chunk.data + offset, len);
    sqlite3_reset(stmt);
    if (!error && buffer_error(row))
        error = errbuf_fail(err, buffer_error(row), "no memory for a filter");
    return error;
}

int segment_filter(struct sqlite_db *db, const struct segment *s, struct buffer *filter,
                   struct errbuf *err)
{
    const size_t len = (size_t)s->buckets * s->blocks * BLOCK_FILTER_BUCKET_BYTES;
    sqlite3_stmt *stmt;
    bool is_whole = true;
    int rc;
    int error = sqlite_db_statement(
        db, "SELECT data FROM filters WHERE place >= ? AND place < ? ORDER BY place", &stmt, err);

    buffer_clear(filter);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, s->number * SEGMENT_FILTER_PLACES);
    sqlite3_bind_int64(stmt, 2, (s->number + 1) * SEGMENT_FILTER_PLACES);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && is_whole) {
        struct slice chunk;

        is_whole = take_piece(stmt, &chunk);
        buffer_append_slice(filter, chunk);
    }
    sqlite3_reset(stmt);
    if (!is_whole)
        return damaged(db, s->number, "the filter", err);
    if (rc != SQLITE_DONE)
        return sqlite_db_error(db, rc, err);
    if (buffer_error(filter))
        return errbuf_fail(err, buffer_error(filter), "no memory for a filter");
    return filter->len == len ? 0 : damaged(db, s->number, "the filter", err);
}

static int read_blob(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    struct segment_blob *blob = ctx;

    if (offset > blob->source.len || len > blob->source.len - offset)
        return errbuf_fail(err, LM_EIO, "%s is damaged: a block ends early", blob->db->path);
    int rc = sqlite3_blob_read(blob->blob, to, (int)len, (int)offset);
    return rc == SQLITE_OK ? 0 : sqlite_db_error(blob->db, rc, err);
}

int segment_blob_open(struct segment_blob *blob, struct sqlite_db *db, int64_t block,
                      struct errbuf *err)
{
    int rc = blob->blob
                 ? sqlite3_blob_reopen(blob->blob, block)
                 : sqlite3_blob_open(db->handle, "main", "blocks", "data", block, 0, &blob->blob);

    if (rc != SQLITE_OK) {
        int error = rc == SQLITE_ERROR ? errbuf_fail(err, LM_EIO, "%s is damaged: no block %lld",
                                                     db->path, (long long)block)
                                       : sqlite_db_error(db, rc, err);
        segment_blob_close(blob);
        return error;
    }
    blob->db = db;
    blob->source = (struct block_source){
        .read = read_blob, .ctx = blob, .len = (size_t)sqlite3_blob_bytes(blob->blob)};
    return 0;
}

void segment_blob_close(struct segment_blob *blob)
{
    sqlite3_blob_close(blob->blob);
    *blob = (struct segment_blob){0};
}

/* ---- Marks ---- */

static uint64_t get_word(const char *p)
{
    uint64_t word = 0;

    for (int i = MARK_BYTES; i-- > 0;)
        word = word << 8 | (unsigned char)p[i];
    return word;
}

static void put_word(char *p, uint64_t word)
{
    for (int i = 0; i < MARK_BYTES; i++)
        p[i] = (char)(word >> 8 * i);
}

/* The marks of a block, a view until `*stmt` is reset; NULL if it has none. */
static int read_marks(struct sqlite_db *db, int64_t block, size_t words, sqlite3_stmt **stmt,
                      const char **marks, struct errbuf *err)
{
    int error = sqlite_db_statement(db, "SELECT marks FROM erased WHERE block = ?", stmt, err);

    *marks = NULL;
    if (error)
        return error;
    sqlite3_bind_int64(*stmt, 1, block);
    int rc = sqlite3_step(*stmt);
    if (rc == SQLITE_ROW) {
        struct slice piece;

        if (take_piece(*stmt, &piece) && piece.len == words * MARK_BYTES)
            *marks = piece.data;
        else
            error = errbuf_fail(err, LM_EIO, "%s is damaged: the marks of block %lld", db->path,
                                (long long)block);
    } else if (rc != SQLITE_DONE) {
        error = sqlite_db_error(db, rc, err);
    }
    return error;
}

int segment_unmark(struct sqlite_db *db, int64_t block, uint64_t *rows, size_t n, bool *any,
                   struct errbuf *err)
{
    size_t words = BLOCK_ROW_WORDS(n);
    sqlite3_stmt *stmt = NULL;
    const char *marks;
    int error = read_marks(db, block, words, &stmt, &marks, err);

    *any = !error && marks;
    for (size_t i = 0; *any && i < words; i++)
        rows[i] &= ~get_word(marks + i * MARK_BYTES);
    sqlite3_reset(stmt);
    return error;
}

/* ---- Changing one ---- */

/* Runs `sql`, whose parameters ?1 and ?2 are these. */
static int run_on(struct sqlite_db *db, const char *sql, int64_t one, int64_t two,
                  struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, one);
    if (sqlite3_bind_parameter_count(stmt) > 1)
        sqlite3_bind_int64(stmt, 2, two);
    return sqlite_db_run(db, stmt, err);
}

static int delete_blocks(struct sqlite_db *db, const struct block_head *heads, size_t n,
                         struct errbuf *err)
{
    int error = 0;

    for (size_t i = 0; !error && i < n; i++) {
        error = run_on(db, "DELETE FROM blocks WHERE number = ?", heads[i].number, 0, err);
        if (!error)
            error = run_on(db, "DELETE FROM erased WHERE block = ?", heads[i].number, 0, err);
    }
    return error;
}

/* What belongs to a segment that is no more, but for its blocks. */
static int delete_rest(struct sqlite_db *db, int64_t number, struct errbuf *err)
{
    int error = run_on(db, "DELETE FROM filters WHERE place >= ? AND place < ?",
                       number * SEGMENT_FILTER_PLACES, (number + 1) * SEGMENT_FILTER_PLACES, err);

    return error ? error : run_on(db, "DELETE FROM segments WHERE number = ?", number, 0, err);
}

static int get(struct sqlite_db *db, int64_t number, struct segment *s, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT " SEGMENT_COLUMNS " FROM segments WHERE number = ?",
                                    &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, number);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        error = segment_take(db, stmt, s, err);
    else
        error =
            rc == SQLITE_DONE ? damaged(db, number, "no row", err) : sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Whether `error`, of reading a segment, says that what is there is wrong. */
static bool is_damage(struct sqlite_db *db, int error)
{
    int rc = sqlite3_errcode(db->handle) & 0xff;

    return error == LM_EIO && (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE);
}

int segment_delete(struct sqlite_db *db, int64_t number, struct errbuf *err)
{
    struct block_head *heads = NULL;
    struct segment s = {0};
    size_t n = 0;
    int error = get(db, number, &s, err);

    if (!error)
        error = segment_heads(db, &s, &heads, &n, err);
    if (is_damage(db, error))
        error = 0;
    if (!error)
        error = delete_blocks(db, heads, n, err);
    if (!error)
        error = delete_rest(db, number, err);
    free(heads);
    return error;
}

/* How many rows of these blocks are marked. */
static int count_marks(struct sqlite_db *db, const struct block_head *heads, size_t n,
                       uint64_t *marked, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT rows FROM erased WHERE block = ?", &stmt, err);

    *marked = 0;
    for (size_t i = 0; !error && i < n; i++) {
        sqlite3_bind_int64(stmt, 1, heads[i].number);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            *marked += (uint64_t)sqlite3_column_int64(stmt, 0);
        else if (rc != SQLITE_DONE)
            error = sqlite_db_error(db, rc, err);
        sqlite3_reset(stmt);
    }
    return error;
}

/* The row of a segment whose first `n` blocks, of heads[0..), go; heads[n] is the first then. */
static int shorten_row(struct sqlite_db *db, const struct segment *s,
                       const struct block_head *heads, uint32_t n, uint64_t marked,
                       struct errbuf *err)
{
    sqlite3_stmt *stmt;
    uint64_t rows = 0, bytes = 0;
    int error = sqlite_db_statement(
        db,
        "UPDATE segments SET first = ?2, rows = rows - ?3, erased = erased - ?4, "
        "bytes = bytes - ?5, gone = gone + ?6, changes = changes + 1 WHERE number = ?1",
        &stmt, err);

    if (error)
        return error;
    for (uint32_t i = 0; i < n; i++) {
        rows += heads[i].rows;
        bytes += heads[i].bytes;
    }
    sqlite3_bind_int64(stmt, 1, s->number);
    bind_key(stmt, 2, &heads[n].first);
    sqlite3_bind_int64(stmt, 3, (int64_t)rows);
    sqlite3_bind_int64(stmt, 4, (int64_t)marked);
    sqlite3_bind_int64(stmt, 5, (int64_t)bytes);
    sqlite3_bind_int64(stmt, 6, n);
    return sqlite_db_run(db, stmt, err);
}

int segment_drop_leading(struct sqlite_db *db, const struct segment *s, uint32_t n,
                         struct errbuf *err)
{
    struct block_head *heads = NULL;
    uint64_t marked = 0;
    size_t len = 0;

    if (n == 0)
        return 0;
    if (n >= s->blocks - s->gone)
        return segment_delete(db, s->number, err);
    int error = segment_heads(db, s, &heads, &len, err);
    if (!error && (!heads || len < n))
        error = damaged(db, s->number, "its heads", err);
    if (!error)
        error = count_marks(db, heads, n, &marked, err);
    if (!error)
        error = delete_blocks(db, heads, n, err);
    if (!error)
        error = shorten_row(db, s, heads, n, marked, err);
    free(heads);
    return error;
}

/* Sets `marks`, of `words` words, to those that are there or are in `rows`; counts both. */
static int join_marks(struct sqlite_db *db, int64_t block, const uint64_t *rows, char *marks,
                      size_t words, uint64_t *before, uint64_t *after, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *old;
    int error = read_marks(db, block, words, &stmt, &old, err);

    *before = *after = 0;
    for (size_t i = 0; !error && i < words; i++) {
        uint64_t word = old ? get_word(old + i * MARK_BYTES) : 0;

        *before += (uint64_t)__builtin_popcountll(word);
        *after += (uint64_t)__builtin_popcountll(word | rows[i]);
        put_word(marks + i * MARK_BYTES, word | rows[i]);
    }
    sqlite3_reset(stmt);
    return error;
}

static int store_marks(struct sqlite_db *db, int64_t block, uint64_t n, struct slice marks,
                       struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "INSERT INTO erased(block, rows, marks) VALUES(?1, ?2, ?3) "
                                    "ON CONFLICT(block) DO UPDATE SET rows = ?2, marks = ?3",
                                    &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, block);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    sqlite3_bind_blob64(stmt, 3, marks.data, marks.len, SQLITE_STATIC);
    return sqlite_db_run(db, stmt, err);
}

int segment_mark(struct sqlite_db *db, const struct segment *s, const struct block_head *head,
                 const uint64_t *rows, struct errbuf *err)
{
    char marks[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX) * MARK_BYTES + SUM_BYTES];
    size_t words = BLOCK_ROW_WORDS(head->rows);
    size_t len = words * MARK_BYTES;
    uint64_t before, after;
    int error = join_marks(db, head->number, rows, marks, words, &before, &after, err);

    if (error || before == after)
        return error;
    sum_piece(slice_of(marks, len), marks + len);
    error = store_marks(db, head->number, after, slice_of(marks, len + SUM_BYTES), err);
    if (!error)
        error = run_on(db,
                       "UPDATE segments SET erased = erased + ?2, changes = changes + 1 "
                       "WHERE number = ?1",
                       s->number, (int64_t)(after - before), err);
    return error;
}
