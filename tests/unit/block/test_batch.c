/* What a block hands out by columns is what its logs say, one by one. */
#include "block/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "block/internal.h"
#include "block/row_set.h"
#include "block/survey.h"
#include "block_support.h"
#include "query/aggregate.h"
#include "query/extract.h"
#include "query/survey_table.h"
#include "random_logs.h"

enum { ROUNDS = 300, LOGS_MAX = 300, ANSWER_MAX = 1 << 24 };

struct place {
    struct random_logs logs;
    struct test_block block;
    struct block_writer *writer;
    struct block_reader *reader;
    uint64_t rows[ROW_SET_WORDS_MAX + 1];
    uint32_t from, to;
    size_t others; /* logs that columns did not tell */
};

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct buffer *bytes = ctx;

    (void)err;
    assert_true(offset <= bytes->len && len <= bytes->len - offset);
    if (len)
        memcpy(to, bytes->data + offset, len);
    return 0;
}

static void open_block(struct place *p, const struct block_row *rows, size_t n)
{
    struct errbuf err = ERRBUF_INIT;

    p->writer = block_writer_new();
    p->reader = block_reader_new();
    buffer_init(&p->block.bytes, ANSWER_MAX);
    assert_int_equal(block_write(p->writer, rows, n, &(struct block_options){0}, &p->block.bytes,
                                 &p->block.head, &err),
                     0);
    p->block.source = (struct block_source){read_bytes, &p->block.bytes, p->block.bytes.len};
    assert_int_equal(block_open(p->reader, &p->block.source, &p->block.head, &err), 0);
}

static void close_block(struct place *p)
{
    block_reader_free(p->reader);
    block_writer_free(p->writer);
    buffer_release(&p->block.bytes);
}

/* ---- By columns, and by logs ---- */

static bool is_asked(const struct place *p, size_t row)
{
    return row >= p->from && row < p->to && row_set_has(p->rows, row);
}

static void add_extracted(struct log_extractor *e, struct aggregate *a)
{
    struct log_batch batch;

    assert_int_equal(log_extractor_batch(e, &batch), 0);
    assert_int_equal(aggregate_add(a, &batch), 0);
    log_extractor_clear(e);
}

static void add_log(struct log_extractor *e, struct aggregate *a, const struct record *r)
{
    assert_int_equal(log_extractor_add(e, r), 0);
    if (log_extractor_is_full(e))
        add_extracted(e, a);
}

static void by_logs(const struct place *p, const struct block_row *rows, struct aggregate *a)
{
    struct log_extractor *e = log_extractor_new(aggregate_fields(a));

    for (size_t row = p->block.head.rows; row-- > 0;)
        if (is_asked(p, row))
            add_log(e, a, &rows[row].record);
    add_extracted(e, a);
    log_extractor_free(e);
}

static void by_columns(struct place *p, struct aggregate *a)
{
    struct block_batcher *b = block_batcher_new(aggregate_fields(a));
    struct log_extractor *e = log_extractor_new(aggregate_fields(a));
    struct errbuf err = ERRBUF_INIT;
    struct block_batched batched;
    struct record record;

    assert_int_equal(block_batch(b, p->reader, p->rows, p->from, p->to, &batched, &err), 0);
    if (batched.batch.rows > 0)
        assert_int_equal(aggregate_add(a, &batched.batch), 0);
    for (size_t row = p->block.head.rows; batched.any_others && row-- > 0;) {
        if (!row_set_has(batched.others, row))
            continue;
        p->others++;
        assert_true(is_asked(p, row));
        assert_int_equal(block_record(p->reader, row, &record, &err), 0);
        add_log(e, a, &record);
    }
    add_extracted(e, a);
    log_extractor_free(e);
    block_batcher_free(b);
}

static struct aggregate *new_aggregate(const char *by, const char *values, int64_t bucket_us)
{
    struct errbuf err = ERRBUF_INIT;
    struct aggregate_spec spec;
    struct aggregate *a;

    if (aggregate_spec_parse(slice_of_string(by), slice_of_string(values), &spec, &err))
        fail_msg("%s; %s: %s", by, values, err.text);
    spec.bucket_us = bucket_us;
    spec.bucket_from_us = 0;
    a = aggregate_new(&spec, NULL);
    assert_non_null(a);
    return a;
}

static void compare(struct place *p, const struct block_row *rows, const char *by,
                    const char *values, int64_t bucket_us)
{
    struct aggregate *expected = new_aggregate(by, values, bucket_us);
    struct aggregate *came = new_aggregate(by, values, bucket_us);
    struct buffer x, y;

    by_logs(p, rows, expected);
    by_columns(p, came);
    buffer_init(&x, ANSWER_MAX);
    buffer_init(&y, ANSWER_MAX);
    assert_int_equal(aggregate_append_answer(expected, &x, LOGS_MAX), 0);
    assert_int_equal(aggregate_append_answer(came, &y, LOGS_MAX), 0);
    if (!slice_equal(buffer_slice(&x), buffer_slice(&y)))
        fail_msg("by %s, values %s:\n%.*s\nis to be\n%.*s", by, values, (int)y.len, y.data,
                 (int)x.len, x.data);
    buffer_release(&x);
    buffer_release(&y);
    aggregate_free(expected);
    aggregate_free(came);
}

/* ---- Which fields there are ---- */

static void survey_logs(const struct place *p, const struct block_row *rows, struct survey *s)
{
    for (size_t row = 0; row < p->block.head.rows; row++)
        if (is_asked(p, row))
            assert_int_equal(survey_add(s, &rows[row].record), 0);
}

static void survey_columns(struct place *p, struct survey *s)
{
    struct block_surveyor *b = block_surveyor_new();
    struct errbuf err = ERRBUF_INIT;
    const uint64_t *others;
    struct record record;
    int failed;

    assert_int_equal(block_survey(b, p->reader, p->rows, p->from, p->to, s, &others, &failed, &err),
                     0);
    for (size_t row = 0; row < p->block.head.rows; row++) {
        if (!row_set_has(others, row))
            continue;
        p->others++;
        assert_true(is_asked(p, row));
        assert_int_equal(block_record(p->reader, row, &record, &err), 0);
        assert_int_equal(survey_add(s, &record), 0);
    }
    block_surveyor_free(b);
}

static void compare_surveys(struct place *p, const struct block_row *rows)
{
    struct survey *expected = survey_new(NULL), *came = survey_new(NULL);
    struct buffer x, y;

    expected->values_max = came->values_max = 1 << 20; /* so that they are exact */
    survey_logs(p, rows, expected);
    survey_columns(p, came);
    buffer_init(&x, ANSWER_MAX);
    buffer_init(&y, ANSWER_MAX);
    assert_int_equal(survey_append_answer(expected, &x, SURVEY_TOP_MAX), 0);
    assert_int_equal(survey_append_answer(came, &y, SURVEY_TOP_MAX), 0);
    if (!slice_equal(buffer_slice(&x), buffer_slice(&y)))
        fail_msg("fields:\n%.*s\nare to be\n%.*s", (int)y.len, y.data, (int)x.len, x.data);
    buffer_release(&x);
    buffer_release(&y);
    survey_free(expected);
    survey_free(came);
}

/* ---- Logs by chance ---- */

/* The last one has quotes, with which it cannot be measured. */
static const char *const fields[] = {
    "level",  "message",    "pattern", "host",    "trace_id",  "n",   "service",
    "Host",   "ok",         "ключ",    "user id", "a",         "a.b", "ratio",
    "host.n", "attr.level", "a.a",     "n.n",     "\"d\x7f\"",
};

enum { FIELDS = sizeof(fields) / sizeof(*fields), QUOTED = 1 };

/* One field or two different ones. */
static void print_fields(struct random_logs *l, char *to, size_t size)
{
    uint64_t first = random_logs_below(l, FIELDS);
    uint64_t step = random_logs_below(l, FIELDS);

    if (step == 0 || random_logs_below(l, 2))
        snprintf(to, size, "%s", fields[first]);
    else
        snprintf(to, size, "%s,%s", fields[first], fields[(first + step) % FIELDS]);
}

static const char *any_value(struct random_logs *l)
{
    return fields[random_logs_below(l, FIELDS - QUOTED)];
}

static void choose_rows(struct place *p)
{
    size_t n = p->block.head.rows;
    uint64_t most = random_logs_below(&p->logs, 3);

    memset(p->rows, 0, sizeof(p->rows));
    for (size_t row = 0; row < n; row++)
        if (most == 0 || random_logs_below(&p->logs, most * most * 4) > 0)
            row_set_add(p->rows, row);
    p->from = random_logs_below(&p->logs, 2) ? 0 : (uint32_t)random_logs_below(&p->logs, n);
    p->to = random_logs_below(&p->logs, 2)
                ? (uint32_t)n
                : p->from + (uint32_t)random_logs_below(&p->logs, n - p->from + 1);
}

static void any_logs_are_handed_out_as_they_are(void **state)
{
    static struct place p;
    size_t others = 0;

    (void)state;
    for (uint32_t seed = 1; seed <= ROUNDS; seed++) {
        char by[200], values[400];

        random_logs_make(&p.logs, slice_of((const char *)&seed, sizeof(seed)), LOGS_MAX);
        open_block(&p, p.logs.rows, p.logs.len);
        for (unsigned i = 0; i < 8; i++) {
            struct random_logs *l = &p.logs;

            choose_rows(&p);
            print_fields(l, by, sizeof(by));
            snprintf(values, sizeof(values),
                     i % 3 == 0   ? "count"
                     : i % 3 == 1 ? "count(%s),min(%s),max(%s),p50(%s)"
                                  : "distinct(%s),max(timestamp),levels(level)",
                     any_value(l), any_value(l), any_value(l), any_value(l));
            compare(&p, p.logs.rows, by, values, random_logs_below(l, 2) ? 3 : 0);
        }
        compare(&p, p.logs.rows, "pattern", "levels(level),min(timestamp)", 0);
        for (unsigned i = 0; i < 3; i++) {
            choose_rows(&p);
            compare_surveys(&p, p.logs.rows);
        }
        others += p.others;
        p.others = 0;
        close_block(&p);
        random_logs_free(&p.logs);
    }
    assert_true(others > 0);
}

/* ---- Logs by hand ---- */

static struct place hand;
static struct test_rows hand_rows;

static void add(const char *attributes)
{
    char message[64];

    snprintf(message, sizeof(message), "request %zu took %zu ms", hand_rows.len * 7919,
             hand_rows.len % 50);
    test_rows_add(&hand_rows, slice_of_string(hand_rows.len % 5 ? "info" : "error"),
                  slice_of_string(message), slice_of_string(attributes));
}

static void ask_hand(const char *by, const char *values)
{
    open_block(&hand, hand_rows.rows, hand_rows.len);
    memset(hand.rows, 0xff, sizeof(hand.rows));
    hand.from = 0;
    hand.to = (uint32_t)hand_rows.len;
    hand.others = 0;
    compare(&hand, hand_rows.rows, by, values, 0);
    close_block(&hand);
}

static void survey_hand(void)
{
    open_block(&hand, hand_rows.rows, hand_rows.len);
    memset(hand.rows, 0xff, sizeof(hand.rows));
    hand.from = 0;
    hand.to = (uint32_t)hand_rows.len;
    hand.others = 0;
    compare_surveys(&hand, hand_rows.rows);
    close_block(&hand);
}

static void end_hand(void)
{
    test_rows_release(&hand_rows);
    hand_rows = (struct test_rows){0};
}

static void numbers_of_several_forms_are_one_field(void **state)
{
    static const char *const ends[] = {"", ".5", ".25", "00"};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char number[16], text[64];

        snprintf(number, sizeof(number), "%d%s", i * 37, ends[i % 4]);
        snprintf(text, sizeof(text), "{\"ms\":%s,\"text\":\"%d\",\"pad\":\"%05d\"}", number, i * 91,
                 i * 13);
        add(text);
    }
    ask_hand("", "p95(ms),min(ms),max(ms),distinct(ms)");
    ask_hand("ms", "count");
    ask_hand("text", "p50(text),max(text),distinct(text)");
    ask_hand("pad", "p50(pad),max(pad),distinct(pad)");
    assert_int_equal(hand.others, 0);
    survey_hand();
    assert_int_equal(hand.others, 0);
    end_hand();
}

static void logs_with_several_values_are_told_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        char text[200];

        snprintf(text, sizeof(text),
                 i % 3 == 0   ? "{\"a\":{\"b\":%d},\"a.b\":\"x%d\",\"t\":[%d,1]}"
                 : i % 3 == 1 ? "{\"a\":{\"b\":%d,\"c\":%d},\"t\":[%d]}"
                              : "{\"a\":%d,\"t\":[],\"o\":{\"%d\":%d}}",
                 i % 7, i % 5, i % 3);
        add(text);
    }
    ask_hand("a.b", "count");
    assert_true(hand.others > 0 && hand.others < 200);
    ask_hand("t", "count");
    assert_true(hand.others > 0);
    ask_hand("a", "count(a.c)");
    assert_int_equal(hand.others, 0);
    ask_hand("o", "max(t)");
    survey_hand();
    end_hand();
}

/* Where a survey ends: at objects that lead too deep. */
static void fields_of_all_kinds_are_found_by_columns(void **state)
{
    enum { TEXT_MAX = 4096 };
    static char text[TEXT_MAX];

    (void)state;
    for (int i = 0; i < 400; i++) {
        size_t len = (size_t)snprintf(
            text, sizeof(text),
            i % 4 ? "{\"ok\":%s,\"n\":%s,\"t\":\"a \\\"%d\\\" \\n\",\"\xc3\xa9 x\":1,\"\":%d"
                  : "{\"ok\":%s,\"m\":{\"n\":%s},\"t\":\"%d\",\"d\":%d",
            i % 5 == 0  ? "null"
            : i % 5 > 2 ? "true"
                        : "false",
            i % 3 == 0   ? "12.50"
            : i % 3 == 1 ? "1e2"
                         : "-7",
            i % 9, i);

        if (i % 8 == 4)
            len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"empty\":{},\"a \\\"b\":1");
        if (i % 8 == 0)
            len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"l\":{\"%0*d\":%d}",
                                    1020 + i % 7, 0, i);
        for (int depth = 0; i % 8 == 1 && depth < 28 + i % 10; depth++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"d\":", depth ? "{" : ",");
        for (int depth = 0; i % 8 == 1 && depth < 28 + i % 10; depth++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", depth ? "}" : "1");
        snprintf(text + len, sizeof(text) - len, "}");
        add(text);
    }
    survey_hand();
    assert_true(hand.others > 0 && hand.others < hand_rows.len);
    end_hand();
}

static void a_template_has_one_pattern(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        add("{}");
    ask_hand("pattern", "levels(level),max(timestamp)");
    end_hand();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_logs_are_handed_out_as_they_are),
        cmocka_unit_test(numbers_of_several_forms_are_one_field),
        cmocka_unit_test(logs_with_several_values_are_told_apart),
        cmocka_unit_test(a_template_has_one_pattern),
        cmocka_unit_test(fields_of_all_kinds_are_found_by_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
