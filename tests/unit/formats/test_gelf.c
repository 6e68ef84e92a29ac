/* GELF (formats/gelf.h). */
#include "formats/gelf.h"

#include <stdlib.h>

#include <zlib.h>

#include "../cmocka_all.h"
#include "format_run.h"
#include "formats/stream.h"

static struct format_run run;

static int begin(void **state)
{
    format_run_begin(&run, &gelf_message);
    return 0;
}

static int end(void **state)
{
    format_run_end(&run);
    return 0;
}

static void assert_log(const char *body, const char *level, const char *message, const char *time,
                       const char *attributes)
{
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    assert_int_equal(run.kept.records_len, 1);
    format_run_expect(&run, 0, level, message, time, attributes);
}

static void a_message_is_read_as_the_specification_has_it(void **state)
{
    assert_log("{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"a\",\"level\":3,"
               "\"timestamp\":1795827118.5001234,\"_user\":\"u\",\"_n\":null,\"_o\":{\"p\":[1]}}",
               "error", "a", "2026-11-28T00:51:58.500123Z",
               "{\"host\":\"h\",\"user\":\"u\",\"n\":null,\"o\":{\"p\":[1]},\"nanoseconds\":400}");
    assert_log("{\"short_message\":\"a\",\"timestamp\":\"1795827118.5\",\"level\":\"4\"}",
               "warning", "a", "2026-11-28T00:51:58.500000Z", "");
    assert_log("{\"short_message\":\"a\",\"timestamp\":\"noon\",\"level\":9}", "info", "a", NULL,
               "{\"timestamp\":\"noon\",\"level\":9}");
    assert_log("{\"short_message\":\"a\",\"host\":\"h\",\"_host\":\"i\",\"_\":1,\"_level\":2}",
               "info", "a", NULL, "{\"host\":\"h\",\"_host\":\"i\",\"_\":1,\"_level\":2}");
    assert_log("{\"short_message\":\"a\"}\n", "info", "a", NULL, "");
}

static void a_full_message_is_kept_if_it_says_more(void **state)
{
    assert_log("{\"short_message\":\"a\",\"full_message\":\"a\\n\"}", "info", "a", NULL, "");
    assert_log("{\"full_message\":\"a\\n  at b\",\"short_message\":\"a\"}", "info", "a", NULL,
               "{\"full_message\":\"a\\n  at b\"}");
    assert_log("{\"full_message\":\"a\"}", "info", "a", NULL, "");
}

static void assert_refused(struct slice body, const char *want)
{
    assert_int_equal(format_run(&run, body), LM_EINVAL);
    buffer_append_char(&run.wrong, '\0');
    assert_string_equal(run.wrong.data, want);
}

static void what_is_no_message_is_refused(void **state)
{
    assert_refused(SLICE_LITERAL(""), "no JSON object\n");
    assert_refused(SLICE_LITERAL("[]"), "no JSON object\n");
    assert_int_equal(run.counts.unpacked, 0);
    assert_refused(SLICE_LITERAL("{\"short_message\":"), "no JSON object\n");
    assert_refused(SLICE_LITERAL("xyz"), "neither zlib nor gzip, as its first bytes say\n");
    assert_refused(SLICE_LITERAL("\x1f\x8b"), "neither zlib nor gzip, as its first bytes say\n");
}

/* Zeros, packed with zlib. */
static struct slice bomb(size_t len)
{
    uLongf packed_len = compressBound(len);
    unsigned char *zeros = calloc(len, 1);
    unsigned char *packed = malloc(packed_len);

    assert_non_null(zeros);
    assert_non_null(packed);
    assert_int_equal(compress(packed, &packed_len, zeros, len), Z_OK);
    free(zeros);
    return slice_of((char *)packed, packed_len);
}

static void a_bomb_goes_off_in_a_small_room(void **state)
{
    struct slice within = bomb(GELF_MESSAGE_MAX);
    struct slice beyond = bomb(GELF_MESSAGE_MAX + 1);

    assert_refused(within, "no JSON object\n");
    assert_int_equal(run.counts.unpacked, GELF_MESSAGE_MAX);
    assert_int_equal(format_run(&run, beyond), LM_EDATA);
    assert_refused(slice_of(within.data, within.len - 1),
                   "neither zlib nor gzip, as its first bytes say\n");
    free((char *)within.data);
    free((char *)beyond.data);
}

static void what_clients_send_is_taken(void **state)
{
    FORMAT_RUN_CAPTURE(&run, "graypy-http-2.1.0.bin",
                       {"info", "order 1 placed ✓", "2026-11-28T00:55:35.691452Z",
                        "{\"host\":\"vm\",\"facility\":\"orders\","
                        "\"file\":\"/srv/reports/clients-src/py/loki_http.py\",\"line\":39,"
                        "\"function\":\"call\",\"pid\":6610,\"thread_name\":\"MainThread\","
                        "\"process_name\":\"MainProcess\",\"stack_info\":null,\"n\":42,\"f\":1.5,"
                        "\"mp\":{\"x\":1},\"nanoseconds\":300}"});
    FORMAT_RUN_CAPTURE(&run, "pygelf-http-0.4.3.bin",
                       {"info", "order 1 placed ✓", "2026-11-28T00:56:06.140595Z",
                        "{\"host\":\"vm\",\"stack_info\":null,\"n\":42,\"f\":1.5,"
                        "\"mp\":{\"x\":1}}"});
    FORMAT_RUN_CAPTURE(&run, "logback-gelf-http-6.1.2.bin",
                       {"info", "order 1 placed ✓", "2026-11-28T01:02:56.200000Z",
                        "{\"host\":\"vm\",\"thread_name\":\"main\",\"logger_name\":"
                        "\"shop.orders\",\"user\":\"u1\"}"});
}

/* Else the datagrams that came with it would be tried again with it, for ever. */
static void what_memory_can_never_hold_is_left_out(void **state)
{
    static const struct stream_setup setup = {.hostname = "here"};
    struct ledger ledger;
    struct slice packed = bomb(1 << 20);
    struct errbuf why = ERRBUF_INIT;
    struct stream_input in = {.bytes = packed, .is_over = true, .arrival_us = 1};
    struct stream_output out = {.why = &why};

    ledger_init(&ledger, 1 << 20);
    void *memory = gelf_datagram.memory_new(&setup, ledger_account(&ledger, LEDGER_INTAKE));
    assert_int_equal(gelf_datagram.read(memory, NULL, &in, kept_sink, &run.kept, &out), 0);
    assert_int_equal(out.counts.refused, 1);
    gelf_datagram.memory_free(memory);
    assert_int_equal(ledger_used(&ledger), 0);
    free((char *)packed.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_read_as_the_specification_has_it),
        TEST(a_full_message_is_kept_if_it_says_more),
        TEST(what_is_no_message_is_refused),
        TEST(a_bomb_goes_off_in_a_small_room),
        TEST(what_memory_can_never_hold_is_left_out),
        TEST(what_clients_send_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
