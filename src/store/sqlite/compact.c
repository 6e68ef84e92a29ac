#include "store/sqlite/compact.h"

#include <string.h>

#include "base/check.h"
#include "base/xalloc.h"
#include "block/select.h"
#include "store/sqlite/internal.h"

enum {
    TEXTS_BYTES_MAX = 1 << 30, /* ceilings because every buffer has one */
    FILTER_BYTES_MAX = 1 << 30,
};

/* A segment that is merged, and how far that has come. */
struct source {
    struct segment segment;   /* as it is in the file now */
    struct block_head *heads; /* of the blocks that were there at the start */
    size_t heads_len;
    size_t dropped; /* of these, deleted since */
    size_t block;   /* the one whose rows come next; heads_len: all are taken */

    /* Of that block, if it is open: */
    bool is_open;
    size_t row;                 /* that comes next */
    const struct log_key *keys; /* the reader's */
    const uint64_t *sequences;  /* the reader's; NULL: not kept */
    uint64_t *alive;            /* rows that are not marked as erased */
    char *bytes;                /* the block */
    struct block_source block_source;
    struct block_reader *reader; /* NULL: no block is open */
    struct buffer filter;        /* of the segment, once a block was to be copied */
};

struct compaction {
    const struct store_sqlite_sizes *sizes;
    struct source sources[COMPACT_SOURCES_MAX];
    size_t sources_len; /* 0: nothing is under way */
    bool drops_sequence;
    struct segment_builder *builder; /* some ten MiB, while a compaction is under way */
    struct block_reader *spare;      /* for the next block that is opened; NULL: there is none */
    struct block_row *rows; /* of the next block; until it is full their texts are offsets */
    size_t rows_len;
    struct buffer texts; /* of these rows, one after the other */
    bool has_copied;     /* the step's block was taken over as it was */
    bool has_taken;      /* since the beginning, a log … */
    struct log_key last; /* … the last of which has this key */
    int64_t stored_us;   /* of these rows, the latest */
    int64_t failed;      /* a segment, as compact_failed says */
    bool is_damaged;     /* that one */
    uint64_t rows_encoded;
};

struct compaction *compact_new(const struct store_sqlite_sizes *sizes)
{
    struct compaction *c = xcalloc(1, sizeof(*c));

    c->sizes = sizes;
    c->rows = xcalloc(sizes->block_rows, sizeof(*c->rows));
    buffer_init(&c->texts, TEXTS_BYTES_MAX);
    return c;
}

void compact_free(struct compaction *c)
{
    if (!c)
        return;
    compact_stop(c);
    free(c->rows);
    free(c);
}

bool compact_is_under_way(const struct compaction *c)
{
    return c->sources_len > 0;
}

int64_t compact_failed(const struct compaction *c, bool *is_damaged)
{
    *is_damaged = c->is_damaged;
    return c->failed;
}

static void note_failure(struct compaction *c, const struct source *s, bool is_damaged)
{
    c->failed = s->segment.number;
    c->is_damaged = is_damaged;
}

static void note_none(struct compaction *c)
{
    c->failed = 0;
    c->is_damaged = false;
}

uint64_t compact_rows(const struct compaction *c)
{
    return c->rows_encoded;
}

/* ---- Blocks of a source ---- */

static bool is_done(const struct source *s)
{
    return s->block == s->heads_len;
}

static bool is_alive(const struct source *s, size_t row)
{
    CHECK(s->alive); /* as long as it is open */
    return s->alive[row / 64] >> row % 64 & 1;
}

/* Gives a source a reader. Each keeps some MiB, so there are as many as blocks are open. */
static void need_reader(struct compaction *c, struct source *s)
{
    s->reader = c->spare ? c->spare : block_reader_new();
    c->spare = NULL;
}

static void give_reader_back(struct compaction *c, struct source *s)
{
    if (s->reader)
        block_close(s->reader);
    if (c->spare)
        block_reader_free(s->reader);
    else
        c->spare = s->reader;
    s->reader = NULL;
}

static void close_block(struct compaction *c, struct source *s)
{
    give_reader_back(c, s);
    free(s->bytes);
    free(s->alive);
    s->bytes = NULL;
    s->alive = NULL;
    s->is_open = false;
    s->row = 0;
}

/* The row from `row` on that is not erased; the block's number of rows: none. */
static size_t next_alive(const struct source *s, size_t row)
{
    while (row < s->heads[s->block].rows && !is_alive(s, row))
        row++;
    return row;
}

/* Goes on after the row that was taken. */
static void advance(struct compaction *c, struct source *s)
{
    s->row = next_alive(s, s->row + 1);
    if (s->row < s->heads[s->block].rows)
        return;
    close_block(c, s);
    s->block++;
}

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    struct source *s = ctx;

    if (offset > s->block_source.len || len > s->block_source.len - offset)
        return errbuf_fail(err, LM_EIO, "block %lld is damaged: it ends early",
                           (long long)s->heads[s->block].number);
    memcpy(to, s->bytes + offset, len);
    return 0;
}

/* All of the block, since nothing is open in the file between two steps. */
static int load_bytes(struct source *s, struct sqlite_db *db, struct errbuf *err)
{
    struct segment_blob blob = {0};
    int error = segment_blob_open(&blob, db, s->heads[s->block].number, err);

    if (error)
        return error;
    s->bytes = try_malloc(blob.source.len ? blob.source.len : 1);
    if (!s->bytes)
        error = errbuf_fail(err, LM_ENOMEM, "no memory for a block");
    else
        error = blob.source.read(blob.source.ctx, 0, blob.source.len, s->bytes, err);
    s->block_source = (struct block_source){.read = read_bytes, .ctx = s, .len = blob.source.len};
    segment_blob_close(&blob);
    return error;
}

static int load_marks(struct source *s, struct sqlite_db *db, struct errbuf *err)
{
    size_t rows = s->heads[s->block].rows;
    bool any;

    s->alive = try_malloc(BLOCK_ROW_WORDS(rows) * sizeof(*s->alive));
    if (!s->alive)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the marks of a block");
    memset(s->alive, 0xff, BLOCK_ROW_WORDS(rows) * sizeof(*s->alive));
    return segment_unmark(db, s->heads[s->block].number, s->alive, rows, &any, err);
}

/* Opens the next block, or leaves it out if all of its rows are erased. */
static int open_block(struct compaction *c, struct source *s, struct sqlite_db *db,
                      struct errbuf *err)
{
    const struct block_head *head = &s->heads[s->block];
    int error = load_marks(s, db, err);

    if (!error && (s->row = next_alive(s, 0)) == head->rows) {
        close_block(c, s);
        s->block++;
        return 0;
    }
    if (!error)
        error = load_bytes(s, db, err);
    need_reader(c, s);
    if (!error)
        error = block_open(s->reader, &s->block_source, head, err);
    if (!error)
        error = block_keys(s->reader, &s->keys, err);
    if (!error)
        error = block_sequences(s->reader, &s->sequences, err);
    s->is_open = !error;
    return error;
}

/* ---- Beginning and ending ---- */

void compact_stop(struct compaction *c)
{
    for (size_t i = 0; i < c->sources_len; i++) {
        struct source *s = &c->sources[i];

        close_block(c, s);
        buffer_release(&s->filter);
        free(s->heads);
    }
    c->sources_len = 0;
    c->rows_len = 0;
    segment_builder_free(c->builder);
    block_reader_free(c->spare);
    c->builder = NULL;
    c->spare = NULL;
    buffer_release(&c->texts);
}

/* The bytes of texts that this source may hold at one time. */
static uint64_t largest_block(const struct source *s)
{
    uint64_t most = 0;

    for (size_t i = 0; i < s->heads_len; i++)
        most = s->heads[i].raw_bytes > most ? s->heads[i].raw_bytes : most;
    return most;
}

static bool overlap(const struct segment *a, const struct segment *b)
{
    return log_key_compare(&a->first, &b->last) <= 0 && log_key_compare(&b->first, &a->last) <= 0;
}

/* How much texts may be held at once because of the last source, by it and those it overlaps. */
static uint64_t bytes_beside_last(const struct compaction *c)
{
    const struct source *last = &c->sources[c->sources_len - 1];
    uint64_t bytes = 0;

    for (size_t i = 0; i < c->sources_len; i++)
        if (overlap(&c->sources[i].segment, &last->segment))
            bytes += largest_block(&c->sources[i]);
    return bytes;
}

int compact_begin(struct compaction *c, struct sqlite_db *db, const struct segment *sources,
                  size_t n, bool drops_sequence, bool all, struct errbuf *err)
{
    int error = 0;

    CHECK(!compact_is_under_way(c) && n > 0 && n <= COMPACT_SOURCES_MAX);
    c->drops_sequence = drops_sequence;
    c->has_taken = false;
    note_none(c);
    c->builder = segment_builder_new();
    segment_builder_begin(c->builder, true, !drops_sequence);
    for (size_t i = 0; !error && i < n; i++) {
        struct source *s = &c->sources[c->sources_len++];

        *s = (struct source){.segment = sources[i]};
        buffer_init(&s->filter, FILTER_BYTES_MAX);
        error = segment_heads(db, &s->segment, &s->heads, &s->heads_len, err);
        if (error || i < 2 || bytes_beside_last(c) <= c->sizes->compact_bytes)
            continue;
        if (all) {
            error = errbuf_fail(err, LM_ETOOBIG, "too much memory to merge %zu segments", n);
            break;
        }
        free(s->heads); /* two are always taken, or nothing would ever become of them */
        c->sources_len--;
        break;
    }
    if (error == LM_EIO)
        note_failure(c, &c->sources[c->sources_len - 1], store_sqlite_is_damage(db, error));
    if (error)
        compact_stop(c);
    return error;
}

/* ---- Merging ---- */

static const struct log_key *next_key(const struct source *s)
{
    return s->is_open ? &s->keys[s->row] : &s->heads[s->block].first;
}

/* The source with the lowest next key; *limit is that of the others (NULL: there are none). */
static struct source *lowest(struct compaction *c, const struct log_key **limit)
{
    struct source *low = NULL;

    *limit = NULL;
    for (size_t i = 0; i < c->sources_len; i++) {
        struct source *s = &c->sources[i];

        if (is_done(s))
            continue;
        if (!low || log_key_compare(next_key(s), next_key(low)) < 0) {
            *limit = low ? next_key(low) : NULL;
            low = s;
        } else if (!*limit || log_key_compare(next_key(s), *limit) < 0) {
            *limit = next_key(s);
        }
    }
    return low;
}

enum { WHOLE_RAW_BYTES = BLOCK_RAW_BYTES / 4 * 3 }; /* of a block that ended for its texts */

/* Whether a block would be too large with the texts of `r`, too. */
static bool is_full(const struct compaction *c, const struct record *r)
{
    size_t len = r->level.len + r->message.len + r->attributes.len;

    return c->rows_len == c->sizes->block_rows ||
           (c->rows_len > 0 && c->texts.len + len > BLOCK_RAW_BYTES);
}

static void note_taken(struct compaction *c, const struct log_key *key)
{
    c->last = *key;
    c->has_taken = true;
}

static void append_row(struct compaction *c, const struct record *r, uint64_t sequence)
{
    note_taken(c, &r->key);
    c->rows[c->rows_len++] = (struct block_row){.record = *r, .sequence = sequence};
    buffer_append_slice(&c->texts, r->level);
    buffer_append_slice(&c->texts, r->message);
    buffer_append_slice(&c->texts, r->attributes);
}

/* No log is in two segments; if one were, the second would be left out here. */
static bool is_repeat(const struct compaction *c, const struct log_key *key)
{
    return c->has_taken && log_key_compare(&c->last, key) == 0;
}

/* Takes rows of the open block of `s` that come before `limit`, until the block is full. */
static int take_rows(struct compaction *c, struct source *s, const struct log_key *limit,
                     bool *full, struct errbuf *err)
{
    size_t block = s->block;
    struct record r;

    c->stored_us =
        s->heads[block].stored_us > c->stored_us ? s->heads[block].stored_us : c->stored_us;
    do {
        int error = block_record(s->reader, s->row, &r, err);
        if (error)
            return error;
        *full = is_full(c, &r);
        if (*full)
            return 0;
        if (!is_repeat(c, &r.key))
            append_row(c, &r, s->sequences ? s->sequences[s->row] : 0);
        advance(c, s);
    } while (s->block == block && (!limit || log_key_compare(&s->keys[s->row], limit) <= 0));
    return 0;
}

/* Whether the next block of `s` needs no change: it is as large as blocks are made, nothing lies
 * within it, and nothing in it is marked. */
static bool is_to_be_copied(const struct compaction *c, const struct source *s,
                            const struct log_key *limit)
{
    const struct block_head *head = &s->heads[s->block];
    bool is_whole = head->rows >= c->sizes->block_rows || head->raw_bytes >= WHOLE_RAW_BYTES;

    return c->rows_len == 0 && !s->is_open && is_whole && s->segment.erased == 0 &&
           s->segment.buckets > 0 && !is_repeat(c, &head->first) &&
           (!limit || log_key_compare(&head->last, limit) < 0);
}

/* Takes the next block of `s` over; *taken is false if it has to be made anew. */
static int copy_block(struct compaction *c, struct source *s, struct sqlite_db *db, bool *taken,
                      struct errbuf *err)
{
    size_t first = s->segment.blocks - s->heads_len; /* place of the first one */
    int error = 0;

    if (s->filter.len == 0)
        error = segment_filter(db, &s->segment, &s->filter, err);
    if (!error)
        error = load_bytes(s, db, err);
    need_reader(c, s);
    if (!error) /* is it one? */
        error = block_open(s->reader, &s->block_source, &s->heads[s->block], err);
    if (!error)
        error = segment_builder_copy(c->builder, &s->segment, (uint32_t)(first + s->block),
                                     &s->heads[s->block], slice_of(s->bytes, s->block_source.len),
                                     buffer_slice(&s->filter), taken, err);
    close_block(c, s);
    if (!error && *taken) {
        note_taken(c, &s->heads[s->block].last);
        s->block++;
    }
    return error;
}

/* Fills the rows of the next block; fewer: the sources are at their end. */
static int gather(struct compaction *c, struct sqlite_db *db, struct errbuf *err)
{
    bool full = false;

    c->rows_len = 0;
    c->stored_us = 0;
    c->has_copied = false;
    buffer_clear(&c->texts);
    while (!full && !c->has_copied) {
        const struct log_key *limit;
        struct log_key kept;
        struct source *s = lowest(c, &limit);

        if (!s)
            break;
        if (limit) /* a view of what is closed when its source goes on */
            kept = *limit;
        int error = 0;
        if (is_to_be_copied(c, s, limit))
            error = copy_block(c, s, db, &c->has_copied, err);
        if (!error && !c->has_copied)
            error = s->is_open ? take_rows(c, s, limit ? &kept : NULL, &full, err)
                               : open_block(c, s, db, err);
        if (error) {
            if (error == LM_EIO)
                note_failure(c, s, store_sqlite_is_damage(db, error));
            return error;
        }
    }
    return buffer_error(&c->texts)
               ? errbuf_fail(err, buffer_error(&c->texts), "no memory for the logs of a block")
               : 0;
}

/* Gives the rows their texts, now that these do not move any more, and makes a block of them. */
static int encode(struct compaction *c, struct errbuf *err)
{
    const char *at = c->texts.data;

    for (size_t i = 0; i < c->rows_len; i++) {
        struct record *r = &c->rows[i].record;

        r->level.data = at;
        r->message.data = at + r->level.len;
        r->attributes.data = r->message.data + r->message.len;
        at = r->attributes.data + r->attributes.len;
    }
    c->rows_encoded += c->rows_len;
    return segment_builder_add(c->builder, c->rows, c->rows_len, c->stored_us, err);
}

/* ---- Taking the sources' place ---- */

/* LM_ESTOPPED if the segment is no longer as it was read. */
static int check_unchanged(struct sqlite_db *db, const struct segment *segment, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "SELECT changes FROM segments WHERE number = ?", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, segment->number);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE ||
        (rc == SQLITE_ROW && sqlite3_column_int64(stmt, 0) != segment->changes))
        error = LM_ESTOPPED;
    else if (rc != SQLITE_ROW)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static int reload(struct sqlite_db *db, struct segment *segment, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT " SEGMENT_COLUMNS " FROM segments WHERE number = ?",
                                    &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, segment->number);
    int rc = sqlite3_step(stmt);
    error = rc == SQLITE_ROW ? segment_take(db, stmt, segment, err) : sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Marks the rows of the open block that were taken. */
static int mark_taken(struct source *s, struct sqlite_db *db, struct errbuf *err)
{
    const struct block_head *head = &s->heads[s->block];
    size_t words = BLOCK_ROW_WORDS(head->rows);
    uint64_t *taken = xcalloc(words, sizeof(*taken));

    for (size_t row = 0; row < s->row; row++)
        taken[row / 64] |= UINT64_C(1) << row % 64;
    int error = segment_mark(db, &s->segment, head, taken, err);
    free(taken);
    return error;
}

/* Takes from the file what of this source is in the new segment. */
static int trim(struct source *s, struct sqlite_db *db, struct errbuf *err)
{
    size_t n = s->block - s->dropped;
    int error = 0;

    if (s->dropped == s->heads_len) /* with an earlier one */
        return 0;
    if (n > 0)
        error = segment_drop_leading(db, &s->segment, (uint32_t)n, err);
    s->dropped = s->block;
    if (error || is_done(s))
        return error;
    if (n > 0)
        error = reload(db, &s->segment, err);
    if (!error && s->is_open && s->row > 0)
        error = mark_taken(s, db, err);
    return error ? error : reload(db, &s->segment, err);
}

/* What was stored up to the last of these logs cannot be followed any more. */
static int raise_follow_from(struct compaction *c, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    uint64_t last = 0;

    for (size_t i = 0; i < c->sources_len; i++)
        if (c->sources[i].segment.last_sequence > last)
            last = c->sources[i].segment.last_sequence;
    if (!c->drops_sequence || last == 0)
        return 0;
    int error = sqlite_db_statement(db, "UPDATE sequence SET follow_from = max(follow_from, ?)",
                                    &stmt, err);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, (int64_t)last);
    return sqlite_db_run(db, stmt, err);
}

/* Within a transaction. */
static int swap(struct compaction *c, struct sqlite_db *db, struct errbuf *err)
{
    int64_t number;
    int error = 0;

    for (size_t i = 0; !error && i < c->sources_len; i++)
        if (c->sources[i].dropped < c->sources[i].heads_len)
            error = check_unchanged(db, &c->sources[i].segment, err);
    if (!error && segment_builder_blocks(c->builder) > 0)
        error = segment_store(db, c->builder, &number, err);
    if (!error)
        error = raise_follow_from(c, db, err);
    for (size_t i = 0; !error && i < c->sources_len; i++)
        error = trim(&c->sources[i], db, err);
    return error;
}

static int put_in_place(struct compaction *c, struct sqlite_db *db, struct errbuf *err)
{
    int error = sqlite_db_begin(db, err);

    if (error)
        return error;
    error = swap(c, db, err);
    if (!error)
        error = sqlite_db_commit(db, err);
    if (error) {
        sqlite_db_rollback(db);
        return error;
    }
    sqlite_db_checkpoint(db);
    segment_builder_begin(c->builder, true, !c->drops_sequence);
    return 0;
}

static bool is_at_end(const struct compaction *c)
{
    for (size_t i = 0; i < c->sources_len; i++)
        if (!is_done(&c->sources[i]))
            return false;
    return true;
}

static bool is_segment_full(const struct compaction *c)
{
    return segment_builder_blocks(c->builder) == c->sizes->segment_blocks ||
           segment_builder_bytes(c->builder) >= c->sizes->segment_bytes ||
           segment_builder_bytes(c->builder) >= COMPACT_HELD_BYTES;
}

/* Damage, or only a block that has been taken away meanwhile? */
static bool has_changed(struct compaction *c, struct sqlite_db *db)
{
    for (size_t i = 0; i < c->sources_len; i++)
        if (c->sources[i].segment.number == c->failed)
            return check_unchanged(db, &c->sources[i].segment, NULL) == LM_ESTOPPED;
    return false;
}

int compact_step(struct compaction *c, struct sqlite_db *db, struct errbuf *err)
{
    CHECK(compact_is_under_way(c));
    note_none(c);
    int error = gather(c, db, err);
    if (c->is_damaged && has_changed(c, db)) {
        note_none(c);
        error = LM_ESTOPPED;
    }
    if (!error && c->rows_len > 0)
        error = encode(c, err);
    bool ends = is_at_end(c);
    if (!error && (ends || is_segment_full(c))) {
        error = put_in_place(c, db, err);
        if (error == LM_EIO) /* a neighbour's page, maybe: without this one it is another plan */
            note_failure(c, &c->sources[0], false);
    }
    if (error || ends)
        compact_stop(c);
    return error == LM_ESTOPPED ? 0 : error;
}
