/* systemd's journal export format (formats/journal.h). */
#include "formats/journal.h"

#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "format_run.h"
#include "record/key.h"

static struct format_run run;

static int begin(void **state)
{
    format_run_begin(&run, &journal_upload);
    return 0;
}

static int end(void **state)
{
    format_run_end(&run);
    return 0;
}

#define FIELDS                                                                                     \
    "\"_BOOT_ID\":\"0000000000000000000000000000000b\",\"SYSLOG_IDENTIFIER\":\"shop\","            \
    "\"_HOSTNAME\":\"web-1\",\"_MACHINE_ID\":\"0000000000000000000000000000000c\","                \
    "\"_PID\":\"4711\",\"_TRANSPORT\":\"journal\",\"_SYSTEMD_UNIT\":\"shop.service\"}"

static const struct format_run_log UPLOADED[] = {
    {"info", "order 1 placed ✓", "2026-11-28T00:50:02.453000Z", "{" FIELDS},
    {"error", "failed", "2026-11-28T00:50:03.453000Z", "{" FIELDS},
    {"warning", "line one\nline two", "2026-11-28T00:50:04.453000Z", "{" FIELDS},
    {"info", "bin \x01\x02\xef\xbf\xbd", "2026-11-28T00:50:05.453000Z", "{" FIELDS},
};

static void what_the_uploader_sends_is_taken(void **state)
{
    format_run_capture(&run, "journal-upload-252.bin", UPLOADED, 4);
}

static void an_entry_that_comes_again_is_the_same_log(void **state)
{
    struct slice body = format_capture("journal-upload-252.bin");
    struct log_key keys[4];

    assert_int_equal(format_run(&run, body), 0);
    for (size_t i = 0; i < 4; i++)
        keys[i] = run.kept.records[i].key;
    assert_true(log_key_compare(&keys[0], &keys[1]) < 0);
    assert_int_equal(format_run(&run, body), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(log_key_compare(&keys[i], &run.kept.records[i].key), 0);
    free((char *)body.data);
}

/* Whatever the pieces are, entries are handed over as soon as they are whole. */
static void an_upload_comes_in_any_pieces(void **state)
{
    struct slice body = format_capture("journal-upload-252.bin");
    struct journal_reader *r = journal_reader_new(NULL);
    struct errbuf why = ERRBUF_INIT;

    for (size_t piece = 1; piece < 200; piece += piece < 20 ? 1 : 19) {
        struct format_counts counts = {0};
        bool early = false;

        kept_forget(&run.kept);
        journal_reader_reset(r);
        for (size_t at = 0; at < body.len; at += piece) {
            size_t len = body.len - at < piece ? body.len - at : piece;

            assert_int_equal(
                journal_read(r, slice_of(body.data + at, len), kept_sink, &run.kept, &counts, &why),
                0);
            early |= run.kept.records_len == 1 && at < body.len / 2;
        }
        assert_int_equal(journal_finish(r, kept_sink, &run.kept, &counts, &why), 0);
        assert_true(early);
        assert_int_equal(run.kept.records_len, 4);
        for (size_t i = 0; i < 4; i++)
            format_run_expect(&run, i, UPLOADED[i].level, UPLOADED[i].message, UPLOADED[i].time,
                              UPLOADED[i].attributes);
    }
    journal_reader_free(r);
    free((char *)body.data);
}

static void assert_refused(struct slice body, const char *want)
{
    assert_int_equal(format_run(&run, body), LM_EINVAL);
    buffer_append_char(&run.wrong, '\0');
    assert_string_equal(run.wrong.data, want);
}

static void what_is_no_journal_is_refused(void **state)
{
    assert_refused(SLICE_LITERAL("{\"MESSAGE\":1}\n"), "no name of a field of a journal\n");
    assert_refused(SLICE_LITERAL("=x\n"), "no name of a field of a journal\n");
    assert_refused(SLICE_LITERAL("MESSAGE=a"), "the last entry of the journal is cut short\n");
    assert_refused(SLICE_LITERAL("MESSAGE"), "the last entry of the journal is cut short\n");
    assert_refused(SLICE_LITERAL("M\n\1\0\0\0\0\0\0\0a"),
                   "the last entry of the journal is cut short\n");
    assert_refused(SLICE_LITERAL("M\n\1\0\0\0\0\0\0\0ab\n"),
                   "no line feed behind the data of a field\n");
    assert_refused(SLICE_LITERAL("M\n\0\0\0\0\0\0\0\1"),
                   "a field of a journal is too large: at most 805306368\n");
}

static void odd_entries_are_read(void **state)
{
    assert_int_equal(format_run(&run, SLICE_LITERAL("\n\nPRIORITY=9\n__REALTIME_TIMESTAMP=x\n"
                                                    "A=1=2\nA\n\0\0\0\0\0\0\0\0\n\n")),
                     0);
    assert_int_equal(run.kept.records_len, 1);
    format_run_expect(&run, 0, "info", "", NULL, "{\"PRIORITY\":\"9\",\"A\":\"\"}");
    assert_int_equal(format_run(&run, SLICE_LITERAL("")), 0);
    assert_int_equal(run.kept.records_len, 0);
}

static void an_entry_that_is_too_large_is_left_out(void **state)
{
    struct buffer body;

    buffer_init(&body, JOURNAL_ENTRY_MAX + 1024);
    buffer_append_string(&body, "MESSAGE=a\n\nMESSAGE=");
    size_t len = JOURNAL_ENTRY_MAX - sizeof("MESSAGE=\n") + 1;
    char *room = buffer_reserve(&body, len + 1);
    assert_non_null(room);
    memset(room, 'x', len + 1);
    body.len += len;
    size_t mark = body.len;
    buffer_append_string(&body, "\n\nMESSAGE=c\n");
    assert_int_equal(format_run(&run, buffer_slice(&body)), 0);
    assert_int_equal(run.kept.records_len, 3);
    assert_int_equal(run.kept.records[1].message.len, len);

    buffer_truncate(&body, mark);
    buffer_append_string(&body, "x\n\nMESSAGE=c\n");
    assert_int_equal(format_run(&run, buffer_slice(&body)), 0);
    assert_int_equal(run.kept.records_len, 2);
    assert_int_equal(run.counts.refused, 1);
    format_run_expect(&run, 1, "info", "c", NULL, "");
    buffer_release(&body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_the_uploader_sends_is_taken),
        TEST(an_entry_that_comes_again_is_the_same_log),
        TEST(an_upload_comes_in_any_pieces),
        TEST(what_is_no_journal_is_refused),
        TEST(odd_entries_are_read),
        TEST(an_entry_that_is_too_large_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
