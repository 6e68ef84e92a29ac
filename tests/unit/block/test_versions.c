/*
 * Blocks of every version of the format that there has been, as files: they are read for ever.
 *
 *     versions/N/logs.zst   the logs, a line each: time, id, number in the order of storing, and
 *                           level, message, attributes as JSON strings
 *     versions/N/block      all of them, as sealing writes a block
 *     versions/N/cold       as compaction does
 *     versions/N/heads      the heads of both
 *     versions/N/recent     the first of the logs, as they are before they are sealed
 *
 * `LOGMILL_WRITE_BLOCKS=DIRECTORY test_versions` writes those of the version of today.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "../cmocka_all.h"
#include "base/hex.h"
#include "base/uuid7.h"
#include "base/xalloc.h"
#include "block/raw.h"
#include "block_support.h"
#include "json/writer.h"

enum {
    LOGS = 1300, /* so many that columns of numbers have sections of their own */
    WILD = 200,  /* of them as none should be */
    RECENT = 60, /* in the file of recent logs */
    FILE_MAX = 8 << 20
};

static const struct block_options HOT = {.keeps_sequence = true};
static const struct block_options COLD = {.zstd_level = BLOCK_LEVEL_COLD};

/* ---- Files ---- */

static void file_path(char path[1024], const char *directory, unsigned version, const char *name)
{
    if (version > 0)
        snprintf(path, 1024, "%s/%u/%s", directory, version, name);
    else
        snprintf(path, 1024, "%s/%s", directory, name);
}

static void read_file(unsigned version, const char *name, struct buffer *b)
{
    const char *directory = getenv("LOGMILL_BLOCK_VERSIONS");
    char path[1024];
    char piece[4096];
    size_t n;

    file_path(path, directory ? directory : "tests/unit/block/versions", version, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: %s: each version of the format has its files", path, strerror(errno));
    buffer_init(b, FILE_MAX);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        buffer_append(b, piece, n);
    assert_int_equal(ferror(file), 0);
    assert_int_equal(buffer_error(b), 0);
    fclose(file);
}

static void write_file(const char *directory, const char *name, struct slice bytes)
{
    char path[1024];

    file_path(path, directory, 0, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* ---- The logs as lines ---- */

static void append_line(struct buffer *b, const struct record *r, uint64_t sequence)
{
    char id[UUID_TEXT_LEN];

    uuid_format(&r->key.id, id);
    buffer_appendf(b, "%lld ", (long long)r->key.timestamp_us);
    buffer_append(b, id, sizeof(id));
    buffer_appendf(b, " %llu ", (unsigned long long)sequence);
    json_append_string(b, r->level);
    buffer_append_char(b, ' ');
    json_append_string(b, r->message);
    buffer_append_char(b, ' ');
    json_append_string(b, r->attributes);
    buffer_append_char(b, '\n');
}

static void read_lines(unsigned version, struct buffer *lines)
{
    struct buffer packed;

    read_file(version, "logs.zst", &packed);
    buffer_init(lines, FILE_MAX);
    char *room = xmalloc(FILE_MAX);
    size_t n = ZSTD_decompress(room, FILE_MAX, packed.data, packed.len);
    assert_false(ZSTD_isError(n));
    buffer_append(lines, room, n);
    free(room);
    buffer_release(&packed);
}

/* ---- Logs that have columns of all kinds ---- */

/* Members in an order that varies without end. */
static void append_shuffled(struct buffer *b, uint64_t *state)
{
    unsigned order[6];

    for (unsigned i = 0; i < 6; i++) {
        unsigned j = (unsigned)test_random(state, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    buffer_append_string(b, "\"shuffled\":{");
    for (unsigned i = 0; i < 6; i++)
        buffer_appendf(b, "%s\"m%u\":%u", i ? "," : "", order[i], order[i] * 11);
    buffer_append_string(b, "}");
}

static void append_attributes(struct buffer *b, uint64_t *state, unsigned n)
{
    static const char *const services[] = {"api", "web", "worker", "größe"};
    static const char *const odd[] = {"true", "null", "1e5", "\"1\"", "[]", "{\"a\":{\"b\":7}}"};
    char uuid[UUID_TEXT_LEN];
    struct uuid id;

    for (size_t i = 0; i < sizeof(id.bytes); i++)
        id.bytes[i] = (uint8_t)test_random(state, 256);
    uuid_format(&id, uuid);
    buffer_appendf(b, "{\"constant\":\"same\",\"service\":\"%s\",\"n\":%u,\"padded\":\"%06u\"",
                   services[test_random(state, 4)], n * 37, n);
    buffer_appendf(b, ",\"took\":%u.%02u", (unsigned)test_random(state, 500),
                   (unsigned)test_random(state, 100));
    if (n % 5 == 0)
        buffer_appendf(b, ",\"trace\":\"%016llx\"",
                       (unsigned long long)test_random(state, UINT64_MAX));
    if (n % 9 == 0)
        buffer_appendf(b, ",\"request\":\"%.*s\"", (int)sizeof(uuid), uuid);
    buffer_appendf(b, ",\"path\":\"/v%u/%c%u?x\",\"list\":[%u,\"a\"]", n % 3, 'a' + (int)(n % 26),
                   (unsigned)test_random(state, 9), n % 5);
    buffer_appendf(b, ",\"free\":\"%.*s\"", (int)test_random(state, 26),
                   "the quick brown fox jumps…");
    if (n % 3 == 0)
        buffer_appendf(b, ",\"odd\":%s", odd[test_random(state, 6)]);
    buffer_append_char(b, ',');
    append_shuffled(b, state);
    buffer_append_char(b, '}');
}

static void add_usual(struct test_rows *t, uint64_t *state, unsigned n)
{
    static const char *const levels[] = {"info", "info", "ERROR", "warning", "größe"};
    struct buffer message, attributes;

    buffer_init(&message, 1 << 16);
    buffer_init(&attributes, 1 << 16);
    unsigned long long user = test_random(state, UINT64_C(1) << 40);
    unsigned ms = (unsigned)test_random(state, 900);
    if (n % 3 == 0)
        buffer_appendf(&message, "request %u of user %llx took %u ms", n, user, ms);
    else if (n % 3 == 1)
        buffer_appendf(&message, "GET /items/%u?key=%llx gave %u", n, user, ms);
    else
        buffer_appendf(&message, "“ü”	😀 %u: no room for %llx in %u", n, user, ms);
    append_attributes(&attributes, state, n);
    test_rows_add(t, slice_of_string(levels[test_random(state, 5)]), buffer_slice(&message),
                  buffer_slice(&attributes));
    buffer_release(&message);
    buffer_release(&attributes);
}

static void make_logs(struct test_rows *t)
{
    uint64_t state = 1;

    for (unsigned n = 0; n < LOGS; n++)
        if (n % (LOGS / WILD) == 0)
            test_rows_add_random(t, &state);
        else
            add_usual(t, &state, n);
}

static void write_all(const char *directory)
{
    struct test_rows t = {0};
    struct test_block hot, cold;
    struct buffer b;
    size_t n;

    make_logs(&t);
    buffer_init(&b, FILE_MAX);
    for (size_t i = 0; i < t.len; i++)
        append_line(&b, &t.rows[i].record, t.rows[i].sequence);
    char *packed = xmalloc(ZSTD_compressBound(b.len));
    n = ZSTD_compress(packed, ZSTD_compressBound(b.len), b.data, b.len, 19);
    write_file(directory, "logs.zst", slice_of(packed, n));
    free(packed);

    test_block_write(&hot, &t, &HOT);
    test_block_write(&cold, &t, &COLD);
    write_file(directory, "block", buffer_slice(&hot.bytes));
    write_file(directory, "cold", buffer_slice(&cold.bytes));
    const struct block_head heads[] = {hot.head, cold.head};
    buffer_clear(&b);
    block_heads_append(&b, heads, 2);
    write_file(directory, "heads", buffer_slice(&b));

    buffer_clear(&b);
    for (size_t i = 0; i < RECENT; i++)
        block_raw_append(&b, &t.rows[i]);
    write_file(directory, "recent", buffer_slice(&b));
    test_block_release(&hot);
    test_block_release(&cold);
    buffer_release(&b);
    test_rows_release(&t);
}

/* ---- They come back ---- */

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct buffer *bytes = ctx;

    assert_true(offset <= bytes->len && len <= bytes->len - offset);
    memcpy(to, bytes->data + offset, len);
    return 0;
}

/* Bits: which kinds of columns there are. */
static void note_kind(const struct block_column_info *column, void *ctx)
{
    static const char *const kinds[] = {"constant", "dictionary", "integer", "decimal",
                                        "hex",      "uuid",       "text",    "template"};

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_equal(column->kind, slice_of_string(kinds[i])))
            *(unsigned *)ctx |= 1U << i;
}

/* Fails unless the block of the file has the lines; those lack the numbers if it keeps none. */
static void block_has(unsigned version, const char *name, const struct block_head *head,
                      struct slice lines)
{
    struct block_reader *r = block_reader_new();
    struct errbuf err = ERRBUF_INIT;
    const uint64_t *sequences;
    unsigned kinds = 0;
    struct buffer bytes, got;
    struct record record;

    read_file(version, name, &bytes);
    buffer_init(&got, FILE_MAX);
    const struct block_source source = {read_bytes, &bytes, bytes.len};
    if (block_open(r, &source, head, &err))
        fail_msg("version %u, %s: %s", version, name, err.text);
    assert_int_equal(block_verify(r, &err), 0);
    assert_int_equal(block_sequences(r, &sequences, &err), 0);
    for (size_t i = 0; i < block_rows(r); i++) {
        assert_int_equal(block_record(r, i, &record, &err), 0);
        append_line(&got, &record, sequences ? sequences[i] : 1000 + i);
    }
    assert_true(slice_equal(buffer_slice(&got), lines));
    assert_int_equal(block_columns(r, note_kind, &kinds, &err), 0);
    assert_int_equal(kinds, 0xff);
    block_reader_free(r);
    buffer_release(&got);
    buffer_release(&bytes);
}

static void test_blocks_of_every_version_are_read(void **state)
{
    for (unsigned version = 1; version <= BLOCK_VERSION; version++) {
        struct errbuf err = ERRBUF_INIT;
        struct buffer lines, bytes;
        struct block_head *heads;
        size_t n;

        read_lines(version, &lines);
        read_file(version, "heads", &bytes);
        assert_int_equal(block_heads_read(buffer_slice(&bytes), &heads, &n, &err), 0);
        assert_int_equal(n, 2);
        assert_int_equal(heads[0].rows, LOGS);
        assert_int_equal(heads[0].first_sequence, 1000);
        assert_int_equal(heads[0].levels_len, 6);
        block_has(version, "block", &heads[0], buffer_slice(&lines));
        block_has(version, "cold", &heads[1], buffer_slice(&lines));
        free(heads);
        buffer_release(&bytes);
        buffer_release(&lines);
    }
}

static void test_recent_logs_of_every_version_are_read(void **state)
{
    for (unsigned version = 1; version <= BLOCK_VERSION; version++) {
        struct errbuf err = ERRBUF_INIT;
        struct buffer lines, bytes, got;
        struct block_row row;
        size_t n = 0;

        read_lines(version, &lines);
        read_file(version, "recent", &bytes);
        buffer_init(&got, FILE_MAX);
        for (struct slice rest = buffer_slice(&bytes); block_raw_next(&rest, &row, &err) == 0; n++)
            append_line(&got, &row.record, row.sequence);
        assert_int_equal(n, RECENT);
        assert_true(got.len <= lines.len && memcmp(got.data, lines.data, got.len) == 0);
        buffer_release(&got);
        buffer_release(&bytes);
        buffer_release(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_every_version_are_read),
        cmocka_unit_test(test_recent_logs_of_every_version_are_read),
    };
    const char *directory = getenv("LOGMILL_WRITE_BLOCKS");

    if (directory) {
        write_all(directory);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
