#include "store/sqlite/summary.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/byte_order.h"
#include "base/check.h"
#include "base/xalloc.h"
#include "block/batch.h"
#include "block/bytes.h"
#include "block/survey.h"
#include "query/dictionary.h"
#include "json/writer.h"

enum {
    VERSION = 1,
    ZSTD_LEVEL = 6,
    MANY_BYTES = 2048, /* of a field in a survey that does not know all of its values, about */
    SEGMENT_BYTES = 6 << 20,   /* of one, about, at most */
    TEXT_MAX = 256,            /* bytes of a value */
    COMBINATIONS_MAX = 512,    /* of levels and values, of a block */
    TABLE_MAX = 1 << 14,       /* the same as codes of a batch, which may be alike */
    SUM_BYTES = 4,             /* a checksum */
    BUFFER_BYTES_MAX = 1 << 30 /* a ceiling because every buffer has one */
};

/* ---- Making one: a field ---- */

struct field {
    char *path;
    size_t path_len;
    struct block_batcher *batcher;  /* NULL: its values are too many */
    struct dictionary values;       /* tag: their type */
    struct dictionary combinations; /* struct pair */
    struct buffer counts;           /* uint32_t: of each block that tells, of the combinations … */
    size_t starts[SUMMARY_BLOCKS_MAX]; /* … from here on */
    size_t lens[SUMMARY_BLOCKS_MAX];   /* so many of them were known then; 0: it does not tell */
};

/* A level, and a value's number and 1, or 0 for none. */
struct pair {
    uint32_t level, value;
};

struct summary_maker {
    struct block_reader *reader;
    struct block_surveyor *surveyor;
    struct survey *survey; /* NULL: it has too many fields */
    struct dictionary levels;
    struct field fields[SUMMARY_FIELDS_MAX];
    size_t fields_len;
    uint32_t blocks;
    bool is_lost; /* there will be no summary */
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)];
    uint32_t table[TABLE_MAX];
};

struct summary_maker *summary_maker_new(void)
{
    struct summary_maker *m = xcalloc(1, sizeof(*m));

    m->reader = block_reader_new();
    m->surveyor = block_surveyor_new();
    dictionary_init(&m->levels);
    summary_maker_begin(m);
    return m;
}

static void end_field(struct field *f)
{
    block_batcher_free(f->batcher);
    dictionary_release(&f->values);
    dictionary_release(&f->combinations);
    buffer_release(&f->counts);
    f->batcher = NULL;
}

static void release(struct summary_maker *m)
{
    for (size_t i = 0; i < m->fields_len; i++) {
        end_field(&m->fields[i]);
        free(m->fields[i].path);
    }
    m->fields_len = 0;
    survey_free(m->survey);
    m->survey = NULL;
    dictionary_clear(&m->levels);
}

void summary_maker_free(struct summary_maker *m)
{
    if (!m)
        return;
    release(m);
    dictionary_release(&m->levels);
    block_surveyor_free(m->surveyor);
    block_reader_free(m->reader);
    free(m);
}

void summary_maker_begin(struct summary_maker *m)
{
    release(m);
    m->survey = survey_new(NULL);
    m->blocks = 0;
    m->is_lost = !m->survey;
}

/* A field that is met for the first time: earlier blocks do not tell of it. */
static void add_field(struct slice path, void *ctx)
{
    struct summary_maker *m = ctx;
    struct field *f = &m->fields[m->fields_len];
    struct log_fields asked = {.len = 2, .any_time = true};

    for (size_t i = 0; i < m->fields_len; i++)
        if (slice_equal(path, slice_of(m->fields[i].path, m->fields[i].path_len)))
            return;
    if (m->fields_len == SUMMARY_FIELDS_MAX)
        return;
    *f = (struct field){.path = try_malloc(path.len + 1), .path_len = path.len};
    if (!f->path) {
        m->is_lost = true;
        return;
    }
    if (path.len > 0)
        memcpy(f->path, path.data, path.len);
    asked.items[0].kind = LOG_FIELD_LEVEL;
    asked.items[1] = (struct log_field){LOG_FIELD_ATTRIBUTE, slice_of(f->path, f->path_len)};
    f->batcher = block_batcher_new(&asked);
    dictionary_init(&f->values);
    dictionary_init(&f->combinations);
    buffer_init(&f->counts, BUFFER_BYTES_MAX);
    m->fields_len++;
    m->is_lost = m->is_lost || !f->batcher;
}

/* ---- Making one: what a block says of a field ---- */

/* A batch of two columns, as how many rows have each of their values (none: the last). */
struct crossed {
    const struct log_column *levels, *values;
    size_t width; /* of a row of the table, which has one for each level */
};

static bool cross(struct summary_maker *m, const struct block_batched *batched, struct crossed *c)
{
    const struct log_batch *b = &batched->batch;

    *c = (struct crossed){.levels = &b->columns[0], .values = &b->columns[1]};
    c->width = (size_t)c->values->values_len + 1;
    if (batched->any_others || c->levels->integers || c->values->integers || b->rows == 0 ||
        c->width > TABLE_MAX || c->levels->values_len > TABLE_MAX / c->width)
        return false;
    memset(m->table, 0, c->levels->values_len * c->width * sizeof(m->table[0]));
    for (size_t i = 0; i < b->rows; i++) {
        uint32_t level = c->levels->codes[i], value = c->values->codes[i];

        if (level >= c->levels->values_len ||
            (value != LOG_CODE_NONE && value >= c->values->values_len))
            return false;
        m->table[level * c->width + (value == LOG_CODE_NONE ? c->width - 1 : value)]++;
    }
    return true;
}

static bool can_be_kept(const struct log_value *value)
{
    return value->text.len <= TEXT_MAX && value->type != LOG_VALUE_OBJECT &&
           value->type != LOG_VALUE_ARRAY;
}

/* The number of a value and 1, or 0 for none; false: it cannot have one. */
static int number_value(struct field *f, const struct crossed *c, size_t at, uint32_t *number,
                        bool *fits)
{
    const struct log_value *value = &c->values->values[at];
    int error;

    *number = 0;
    if (at == c->width - 1)
        return 0;
    *fits = can_be_kept(value);
    if (!*fits)
        return 0;
    error = dictionary_add(&f->values, value->text, value->type, number);
    *fits = *number < SUMMARY_VALUES_MAX;
    ++*number;
    return error;
}

static int number_level(struct summary_maker *m, const struct crossed *c, size_t at,
                        uint32_t *number, bool *fits)
{
    struct slice level = c->levels->values[at].text;
    int error;

    *number = 0;
    *fits = level.len <= TEXT_MAX;
    if (!*fits)
        return 0;
    error = dictionary_add(&m->levels, level, 0, number);
    *fits = *number < SUMMARY_LEVELS_MAX;
    return error;
}

static int number_pair(struct summary_maker *m, struct field *f, const struct crossed *c, size_t at,
                       uint32_t *number, bool *fits)
{
    struct pair pair;
    int error = number_level(m, c, at / c->width, &pair.level, fits);

    *number = 0;
    if (!error && *fits)
        error = number_value(f, c, at % c->width, &pair.value, fits);
    if (error || !*fits)
        return error;
    error =
        dictionary_add(&f->combinations, slice_of((const char *)&pair, sizeof(pair)), 0, number);
    *fits = *number < COMBINATIONS_MAX;
    return error;
}

/* Keeps the table as the block's; `*fits` is false if there is something that cannot be kept. */
static int keep_table(struct summary_maker *m, struct field *f, const struct crossed *c, bool *fits)
{
    uint32_t counts[COMBINATIONS_MAX] = {0};
    size_t len;
    int error = 0;

    *fits = true;
    for (size_t i = 0; !error && *fits && i < c->levels->values_len * c->width; i++) {
        uint32_t number;

        if (m->table[i] == 0)
            continue;
        error = number_pair(m, f, c, i, &number, fits);
        if (!error && *fits)
            counts[number] += m->table[i];
    }
    if (error || !*fits)
        return error;
    len = dictionary_len(&f->combinations);
    f->starts[m->blocks] = f->counts.len / sizeof(counts[0]);
    f->lens[m->blocks] = len;
    buffer_append(&f->counts, counts, len * sizeof(counts[0]));
    return buffer_error(&f->counts);
}

static int add_block(struct summary_maker *m, struct field *f, size_t rows, struct errbuf *err)
{
    struct block_batched batched;
    struct crossed c;
    bool fits;
    int error = block_batch(f->batcher, m->reader, m->rows, 0, (uint32_t)rows, &batched, err);

    if (!error && cross(m, &batched, &c))
        error = keep_table(m, f, &c, &fits);
    if (!error && (dictionary_len(&f->values) > SUMMARY_VALUES_MAX ||
                   dictionary_len(&f->combinations) > COMBINATIONS_MAX))
        end_field(f);
    return error;
}

/* ---- Making one: blocks ---- */

struct bytes_of_block {
    struct slice bytes;
};

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct bytes_of_block *b = ctx;

    if (offset > b->bytes.len || len > b->bytes.len - offset)
        return errbuf_fail(err, LM_EIO, "a block is damaged: it ends early");
    memcpy(to, b->bytes.data + offset, len);
    return 0;
}

static int add_others(struct summary_maker *m, const uint64_t *others, size_t rows,
                      struct errbuf *err)
{
    int error = 0;

    for (size_t word = 0; !error && word < BLOCK_ROW_WORDS(rows); word++)
        for (uint64_t left = others[word]; !error && left; left &= left - 1) {
            struct record record;

            error =
                block_record(m->reader, word * 64 + (size_t)__builtin_ctzll(left), &record, err);
            if (!error)
                error = survey_add(m->survey, &record);
        }
    return error;
}

static uint64_t piece_most(uint64_t segment_bytes)
{
    return segment_bytes / SUMMARY_SHARE > SUMMARY_BYTES_MIN ? segment_bytes / SUMMARY_SHARE
                                                             : SUMMARY_BYTES_MIN;
}

static void count_path(struct slice path, void *ctx)
{
    (void)path;
    ++*(size_t *)ctx;
}

/* Whether its survey will be left out, of a segment with such blocks: work for nothing. */
static bool is_hopeless(const struct survey *s, const struct block_head *head)
{
    const uint64_t bytes = (uint64_t)head->bytes * SUMMARY_BLOCKS_MAX;
    size_t fields = survey_fields(s), known = 1; /* levels */

    survey_tell_few(s, SIZE_MAX, count_path, &known);
    return fields > SUMMARY_SURVEY_FIELDS_MAX ||
           (fields > known && (fields - known) * MANY_BYTES >
                                  piece_most(bytes < SEGMENT_BYTES ? bytes : SEGMENT_BYTES));
}

static int survey_block(struct summary_maker *m, const struct block_head *head, struct errbuf *err)
{
    const size_t rows = head->rows;
    const uint64_t *others;
    int survey_error;
    int error = block_survey(m->surveyor, m->reader, m->rows, 0, (uint32_t)rows, m->survey, &others,
                             &survey_error, err);

    if (!error)
        error = add_others(m, others, rows, err);
    if (error)
        return error;
    survey_tell_few(m->survey, SUMMARY_VALUES_MAX, add_field, m);
    if (is_hopeless(m->survey, head)) {
        survey_free(m->survey);
        m->survey = NULL;
    }
    return 0;
}

static void set_rows(struct summary_maker *m, size_t rows)
{
    memset(m->rows, 0xff, sizeof(m->rows));
    memset(m->rows + BLOCK_ROW_WORDS(rows), 0,
           sizeof(m->rows) - BLOCK_ROW_WORDS(rows) * sizeof(m->rows[0]));
    if (rows % 64)
        m->rows[rows / 64] = (UINT64_C(1) << rows % 64) - 1;
}

void summary_maker_add(struct summary_maker *m, const struct block_head *head, struct slice bytes)
{
    struct bytes_of_block from = {bytes};
    const struct block_source source = {.read = read_bytes, .ctx = &from, .len = bytes.len};
    struct errbuf err = ERRBUF_INIT;
    int error;

    if (m->is_lost)
        return;
    set_rows(m, head->rows);
    error = block_open(m->reader, &source, head, &err);
    if (!error && m->survey)
        error = survey_block(m, head, &err);
    for (size_t i = 0; !error && !m->is_lost && i < m->fields_len; i++)
        if (m->fields[i].batcher)
            error = add_block(m, &m->fields[i], head->rows, &err);
    block_close(m->reader);
    m->is_lost = m->is_lost || error;
    m->blocks++;
}

/* ---- Making one: the row ---- */

/* The counts lie by combinations, since those of one are near to each other. */
static void append_field(const struct summary_maker *m, const struct field *f, struct buffer *b)
{
    const void *data = f->counts.data;
    const uint32_t *counts = data;

    bytes_append_text(b, slice_of(f->path, f->path_len));
    bytes_append_varint(b, dictionary_len(&f->values));
    for (uint32_t i = 0; i < dictionary_len(&f->values); i++) {
        bytes_append_varint(b, dictionary_tag(&f->values, i));
        bytes_append_text(b, dictionary_text(&f->values, i));
    }
    bytes_append_varint(b, m->blocks);
    for (uint32_t k = 0; k < m->blocks; k++)
        bytes_append_varint(b, f->lens[k] > 0);
    bytes_append_varint(b, dictionary_len(&f->combinations));
    for (uint32_t i = 0; i < dictionary_len(&f->combinations); i++) {
        struct pair pair;

        memcpy(&pair, dictionary_text(&f->combinations, i).data, sizeof(pair));
        bytes_append_varint(b, pair.level);
        bytes_append_varint(b, pair.value);
        for (uint32_t k = 0; k < m->blocks; k++)
            if (f->lens[k] > 0)
                bytes_append_varint(b, i < f->lens[k] ? counts[f->starts[k] + i] : 0);
    }
}

static void append_counts(const struct summary_maker *m, struct buffer *b)
{
    const size_t met = dictionary_len(&m->levels);
    const size_t levels = met < SUMMARY_LEVELS_MAX ? met : SUMMARY_LEVELS_MAX; /* that are used */
    size_t fields = 0;
    struct buffer one;

    for (size_t i = 0; i < m->fields_len; i++)
        fields += m->fields[i].batcher != NULL;
    if (fields == 0)
        return;
    bytes_append_varint(b, VERSION);
    bytes_append_varint(b, levels);
    for (uint32_t i = 0; i < levels; i++)
        bytes_append_text(b, dictionary_text(&m->levels, i));
    bytes_append_varint(b, fields);
    buffer_init(&one, BUFFER_BYTES_MAX);
    for (size_t i = 0; i < m->fields_len; i++) {
        if (!m->fields[i].batcher)
            continue;
        buffer_clear(&one);
        append_field(m, &m->fields[i], &one);
        bytes_append_text(b, buffer_slice(&one));
        if (buffer_error(&one))
            b->error = buffer_error(&one);
    }
    buffer_release(&one);
}

/* Appends `plain` as a piece to `to`; nothing if it is too long. */
static void append_piece(struct slice plain, uint64_t most, struct buffer *to)
{
    size_t bound = ZSTD_compressBound(plain.len), start;
    char sum[SUM_BYTES], *at;

    if (plain.len == 0 || plain.len > SUMMARY_PLAIN_BYTES_MAX)
        return;
    bytes_append_varint(to, plain.len);
    start = to->len;
    at = buffer_reserve(to, bound);
    if (!at)
        return;
    size_t len = ZSTD_compress(at, bound, plain.data, plain.len, ZSTD_LEVEL);
    if (ZSTD_isError(len)) {
        to->error = LM_ENOMEM;
        return;
    }
    to->len = start + len;
    byte_order_put32(sum, bytes_checksum(buffer_slice(to)));
    buffer_append(to, sum, sizeof(sum));
    if (to->len > most)
        buffer_clear(to);
}

static int insert(struct sqlite_db *db, int64_t segment, struct slice counts, struct slice fields,
                  struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "INSERT INTO summaries(segment, counts, fields) VALUES(?, ?, ?)", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, segment);
    sqlite3_bind_blob64(stmt, 2, counts.len ? counts.data : "", counts.len, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 3, fields.len ? fields.data : "", fields.len, SQLITE_STATIC);
    return sqlite_db_run(db, stmt, err);
}

int summary_store(struct sqlite_db *db, struct summary_maker *m, int64_t segment, uint64_t bytes,
                  struct errbuf *err)
{
    const uint64_t most = piece_most(bytes);
    struct buffer plain, counts, fields;
    int error = 0;

    if (m->is_lost || m->blocks == 0)
        return 0;
    buffer_init(&plain, BUFFER_BYTES_MAX);
    buffer_init(&counts, BUFFER_BYTES_MAX);
    buffer_init(&fields, BUFFER_BYTES_MAX);
    append_counts(m, &plain);
    append_piece(buffer_slice(&plain), most, &counts);
    if (m->survey && survey_trim(m->survey, SUMMARY_SURVEY_VALUES) == 0) {
        int failed = buffer_error(&plain);

        buffer_clear(&plain);
        survey_append_state(m->survey, &plain);
        append_piece(buffer_slice(&plain), most, &fields);
        plain.error = plain.error ? plain.error : failed;
    }
    /* Without memory there is none, which is no error. */
    if (!buffer_error(&plain) && !buffer_error(&counts) && !buffer_error(&fields) &&
        counts.len + fields.len > 0)
        error = insert(db, segment, buffer_slice(&counts), buffer_slice(&fields), err);
    buffer_release(&plain);
    buffer_release(&counts);
    buffer_release(&fields);
    return error;
}

/* ---- Reading: pieces ---- */

/* Takes a piece apart; `*plain` is NULL if it is damaged, or freed by free(). */
static int unpack(struct slice piece, char **plain, size_t *len)
{
    struct slice rest;
    uint64_t n;

    *plain = NULL;
    if (piece.len < SUM_BYTES)
        return 0;
    rest = slice_of(piece.data, piece.len - SUM_BYTES);
    if (byte_order_get32(piece.data + rest.len) != bytes_checksum(rest) ||
        !bytes_take_varint(&rest, &n) || n > SUMMARY_PLAIN_BYTES_MAX)
        return 0;
    *plain = try_malloc((size_t)n + 1);
    if (!*plain)
        return LM_ENOMEM;
    *len = ZSTD_decompress(*plain, (size_t)n, rest.data, rest.len);
    if (!ZSTD_isError(*len) && *len == n)
        return 0;
    free(*plain);
    *plain = NULL;
    return 0;
}

/* Reads the piece that `sql` selects of the segment; NULL: there is none, or it is damaged, which
 * `*is_damaged` (or NULL) tells apart. */
static int read_piece(struct sqlite_db *db, const char *sql, int64_t segment, char **plain,
                      size_t *len, bool *is_damaged, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    struct slice piece = {"", 0};
    int error = sqlite_db_statement(db, sql, &stmt, err);
    int rc;

    *plain = NULL;
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, segment);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *data = sqlite3_column_blob(stmt, 0);

        piece = slice_of(data ? data : "", (size_t)sqlite3_column_bytes(stmt, 0));
        if (unpack(piece, plain, len))
            error = errbuf_fail(err, LM_ENOMEM, "no memory for a summary");
    } else if (rc != SQLITE_DONE) {
        error = sqlite_db_error(db, rc, err);
    }
    if (is_damaged)
        *is_damaged = !error && piece.len > 0 && !*plain;
    sqlite3_reset(stmt);
    return error;
}

static int read_counts(struct sqlite_db *db, int64_t segment, char **plain, size_t *len,
                       bool *is_damaged, struct errbuf *err)
{
    return read_piece(db, "SELECT counts FROM summaries WHERE segment = ?", segment, plain, len,
                      is_damaged, err);
}

static int read_fields(struct sqlite_db *db, int64_t segment, char **plain, size_t *len,
                       bool *is_damaged, struct errbuf *err)
{
    return read_piece(db, "SELECT fields FROM summaries WHERE segment = ?", segment, plain, len,
                      is_damaged, err);
}

/* ---- Reading: counts ---- */

enum { UNJUDGED, MATCHES, MATCHES_NOT };

struct summary_counts {
    char *plain;
    struct slice path;
    struct log_value levels[SUMMARY_LEVELS_MAX];
    size_t levels_len;
    struct log_value values[SUMMARY_VALUES_MAX];
    size_t values_len;
    uint32_t blocks; /* of the segment … */
    uint64_t told;   /* … a bit for each that tells */
    struct pair combinations[COMBINATIONS_MAX];
    size_t combinations_len;
    uint32_t *counts; /* of each block, of each combination */
    char judged[COMBINATIONS_MAX];
    struct buffer json; /* the attributes that are judged */
    /* The last batch: */
    struct log_column columns[LOG_FIELDS_MAX];
    uint32_t level_codes[COMBINATIONS_MAX], value_codes[COMBINATIONS_MAX];
    uint64_t logs[COMBINATIONS_MAX];
    int64_t times[COMBINATIONS_MAX];
};

void summary_counts_free(struct summary_counts *c)
{
    if (!c)
        return;
    buffer_release(&c->json);
    free(c->counts);
    free(c->plain);
    free(c);
}

static bool take_number(struct slice *rest, uint64_t most, uint64_t *n)
{
    return bytes_take_varint(rest, n) && *n <= most;
}

static bool take_told(struct summary_counts *c, struct slice *rest)
{
    uint64_t n, is;

    if (!take_number(rest, SUMMARY_BLOCKS_MAX, &n))
        return false;
    for (; c->blocks < n; c->blocks++) {
        if (!take_number(rest, 1, &is))
            return false;
        c->told |= is << c->blocks;
    }
    return true;
}

static bool take_pair(struct summary_counts *c, struct slice *rest, size_t i)
{
    uint64_t level, value, logs;

    if (!bytes_take_varint(rest, &level) || level >= c->levels_len ||
        !take_number(rest, c->values_len, &value))
        return false;
    c->combinations[i] = (struct pair){(uint32_t)level, (uint32_t)value};
    for (uint32_t k = 0; k < c->blocks; k++) {
        logs = 0;
        if (c->told >> k & 1 && !take_number(rest, BLOCK_ROWS_MAX, &logs))
            return false;
        c->counts[k * c->combinations_len + i] = (uint32_t)logs;
    }
    return true;
}

static bool take_blocks(struct summary_counts *c, struct slice rest)
{
    uint64_t n;

    if (!take_told(c, &rest) || c->blocks == 0 || !take_number(&rest, COMBINATIONS_MAX, &n))
        return false;
    c->combinations_len = (size_t)n;
    c->counts = try_malloc((c->blocks * c->combinations_len + 1) * sizeof(*c->counts));
    if (!c->counts)
        return false;
    for (size_t i = 0; i < c->combinations_len; i++)
        if (!take_pair(c, &rest, i))
            return false;
    return true;
}

static bool take_values(struct summary_counts *c, struct slice *rest)
{
    uint64_t n, type;

    if (!take_number(rest, SUMMARY_VALUES_MAX, &n))
        return false;
    for (; c->values_len < n; c->values_len++) {
        struct log_value *value = &c->values[c->values_len];

        if (!take_number(rest, LOG_VALUE_TYPES - 1, &type) || !bytes_take_text(rest, &value->text))
            return false;
        value->type = (enum log_value_type)type;
    }
    return true;
}

/* Finds the field; false: it is not there, or what is there is not as it was written. */
static bool take_counts(struct summary_counts *c, struct slice rest, struct slice path)
{
    uint64_t version, n;

    if (!take_number(&rest, VERSION, &version) || version != VERSION ||
        !take_number(&rest, SUMMARY_LEVELS_MAX, &n))
        return false;
    for (; c->levels_len < n; c->levels_len++) {
        c->levels[c->levels_len].type = LOG_VALUE_STRING;
        if (!bytes_take_text(&rest, &c->levels[c->levels_len].text))
            return false;
    }
    if (!take_number(&rest, SUMMARY_FIELDS_MAX, &n))
        return false;
    for (; n > 0; n--) {
        struct slice field;

        if (!bytes_take_text(&rest, &field) || !bytes_take_text(&field, &c->path))
            return false;
        if (slice_equal(c->path, path))
            return take_values(c, &field) && take_blocks(c, field);
    }
    return false;
}

int summary_counts_read(struct sqlite_db *db, int64_t segment, struct slice path,
                        struct summary_counts **counts, struct errbuf *err)
{
    char *plain;
    size_t len = 0;
    struct summary_counts *c;
    int error = read_counts(db, segment, &plain, &len, NULL, err);

    *counts = NULL;
    if (error || !plain)
        return error;
    c = try_malloc(sizeof(*c));
    if (!c) {
        free(plain);
        return errbuf_fail(err, LM_ENOMEM, "no memory for a summary");
    }
    memset(c, 0, sizeof(*c));
    c->plain = plain;
    buffer_init(&c->json, BUFFER_BYTES_MAX);
    if (take_counts(c, slice_of(plain, len), path)) {
        *counts = c;
        return 0;
    }
    summary_counts_free(c);
    return 0;
}

/* ---- Reading: who matches ---- */

/* The tests that a value decides by itself, without how its number was spelled. */
static bool can_judge_test(const struct query_node *node, struct slice *path)
{
    if (node->field == QUERY_LEVEL)
        return true;
    if (node->field != QUERY_ATTRIBUTE ||
        (node->test != QUERY_EXISTS && node->test != QUERY_EQUALS && node->test != QUERY_RANGE))
        return false;
    if (!path->data)
        *path = node->path;
    return slice_equal(node->path, *path);
}

bool summary_can_judge(const struct log_fields *fields, const struct query *query,
                       struct slice *path)
{
    *path = (struct slice){NULL, 0};
    for (size_t i = 0; i < fields->len; i++) {
        const struct log_field *f = &fields->items[i];

        if (f->kind == LOG_FIELD_LEVEL)
            continue;
        if (f->kind != LOG_FIELD_ATTRIBUTE)
            return false;
        if (!path->data)
            *path = f->path;
        if (!slice_equal(f->path, *path))
            return false;
    }
    for (uint32_t i = 0; query && i < query->len; i++)
        if (query->nodes[i].kind == QUERY_TEST && !can_judge_test(&query->nodes[i], path))
            return false;
    return path->data;
}

/* The log that has this level and this value, and nothing else. */
static int judge(struct summary_counts *c, const struct log_matcher *matcher, const struct pair *x,
                 bool *matches, struct errbuf *err)
{
    const struct log_value *value = x->value ? &c->values[x->value - 1] : NULL;
    struct record record = {.level = c->levels[x->level].text,
                            .message = SLICE_LITERAL(""),
                            .attributes = SLICE_LITERAL("")};

    buffer_clear(&c->json);
    if (value) {
        buffer_append_char(&c->json, '{');
        json_append_string(&c->json, c->path);
        buffer_append_char(&c->json, ':');
        if (value->type == LOG_VALUE_STRING)
            json_append_string(&c->json, value->text);
        else
            buffer_append_slice(&c->json, value->text);
        buffer_append_char(&c->json, '}');
        record.attributes = buffer_slice(&c->json);
    }
    if (buffer_error(&c->json))
        return errbuf_fail(err, LM_ENOMEM, "no memory for a summary");
    return log_matcher_match(matcher, &record, matches, err);
}

static int matches(struct summary_counts *c, const struct log_matcher *matcher, size_t i, bool *is,
                   struct errbuf *err)
{
    int error = 0;

    *is = true;
    if (!matcher)
        return 0;
    if (c->judged[i] == UNJUDGED) {
        error = judge(c, matcher, &c->combinations[i], is, err);
        if (!error)
            c->judged[i] = *is ? MATCHES : MATCHES_NOT;
    }
    *is = c->judged[i] == MATCHES;
    return error;
}

/* ---- Reading: a batch ---- */

static void set_columns(struct summary_counts *c, const struct log_fields *fields)
{
    for (size_t i = 0; i < fields->len; i++)
        c->columns[i] = fields->items[i].kind == LOG_FIELD_LEVEL
                            ? (struct log_column){.values = c->levels,
                                                  .values_len = (uint32_t)c->levels_len,
                                                  .codes = c->level_codes}
                            : (struct log_column){.values = c->values,
                                                  .values_len = (uint32_t)c->values_len,
                                                  .codes = c->value_codes};
}

/* The combinations that match, with their logs in `counts`. */
static int make_batch(struct summary_counts *c, const uint64_t *counts,
                      const struct log_fields *fields, const struct log_matcher *matcher,
                      int64_t time_us, struct log_batch *batch, struct errbuf *err)
{
    size_t rows = 0;

    for (size_t i = 0; i < c->combinations_len; i++) {
        const struct pair *x = &c->combinations[i];
        bool is = false;
        int error = counts[i] > 0 ? matches(c, matcher, i, &is, err) : 0;

        if (error)
            return error;
        if (!is)
            continue;
        c->level_codes[rows] = x->level;
        c->value_codes[rows] = x->value ? x->value - 1 : LOG_CODE_NONE;
        c->logs[rows] = counts[i];
        c->times[rows++] = time_us;
    }
    set_columns(c, fields);
    *batch = (struct log_batch){.rows = rows,
                                .times_us = fields->any_time ? NULL : c->times,
                                .counts = c->logs,
                                .columns = c->columns};
    return 0;
}

static void add_counts(const struct summary_counts *c, uint32_t place, uint64_t *counts)
{
    for (size_t i = 0; i < c->combinations_len; i++)
        counts[i] += c->counts[place * c->combinations_len + i];
}

int summary_counts_batch(struct summary_counts *c, uint32_t place, const struct log_fields *fields,
                         const struct log_matcher *matcher, int64_t time_us,
                         struct log_batch *batch, bool *tells, struct errbuf *err)
{
    uint64_t counts[COMBINATIONS_MAX] = {0};

    *tells = place < c->blocks && c->told >> place & 1;
    if (!*tells)
        return 0;
    add_counts(c, place, counts);
    return make_batch(c, counts, fields, matcher, time_us, batch, err);
}

bool summary_counts_tell_all(const struct summary_counts *c)
{
    return c->told == UINT64_MAX >> (SUMMARY_BLOCKS_MAX - c->blocks);
}

int summary_counts_all(struct summary_counts *c, const struct log_fields *fields,
                       const struct log_matcher *matcher, struct log_batch *batch,
                       struct errbuf *err)
{
    uint64_t counts[COMBINATIONS_MAX] = {0};

    for (uint32_t place = 0; place < c->blocks; place++)
        add_counts(c, place, counts);
    return make_batch(c, counts, fields, matcher, 0, batch, err);
}

/* ---- Reading: the survey ---- */

int summary_survey_add(struct sqlite_db *db, int64_t segment, struct survey *to, bool *is_there,
                       int *survey_error, struct errbuf *err)
{
    struct errbuf detail = ERRBUF_INIT;
    char *plain;
    size_t len = 0;
    int error = read_fields(db, segment, &plain, &len, NULL, err);

    *is_there = !error && plain;
    *survey_error = 0;
    if (!*is_there)
        return error;
    error = survey_merge_state(to, slice_of(plain, len), &detail);
    free(plain);
    if (error == LM_EINVAL) { /* nothing was added */
        *is_there = false;
        return 0;
    }
    *survey_error = error;
    return error;
}

int summary_has_survey(struct sqlite_db *db, int64_t segment, bool *has, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "SELECT 1 FROM summaries WHERE segment = ? AND length(fields) > 0", &stmt, err);
    int rc;

    *has = false;
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, segment);
    rc = sqlite3_step(stmt);
    *has = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

int summary_verify(struct sqlite_db *db, int64_t segment, bool *is_whole, struct errbuf *err)
{
    bool counts = false, fields = false;
    char *plain;
    size_t len;
    int error = read_counts(db, segment, &plain, &len, &counts, err);

    free(plain);
    if (!error) {
        error = read_fields(db, segment, &plain, &len, &fields, err);
        free(plain);
    }
    *is_whole = !counts && !fields;
    return error;
}
