#include "cli/line.h"

#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "../cmocka_all.h"
#include "cli/cli.h"
#include "json/writer.h"

/* What the readers of the tests read, where it is one input. */
static struct line_input input;

/* A reader with the flags `args`, of `import`; it keeps no view of them. */
static void begin(struct line_reader *r, char **args, int args_len)
{
    struct errbuf err = ERRBUF_INIT;
    struct flags flags;

    assert_int_equal(flags_parse(&flags, client_find("import"), args, args_len, &err), 0);
    assert_int_equal(line_reader_init(r, &flags, &err), 0);
    line_input_begin(&input, &r->forms);
}

static void end(struct line_reader *r)
{
    line_input_release(&input, &r->gather);
    line_reader_release(r);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

/* Adds a line, and returns how many logs it was, or -1 if it cannot be one. */
static int add(struct line_reader *r, struct buffer *b, struct slice text, struct errbuf *err)
{
    const struct line_part part = {.text = text, .is_first = true, .is_last = true};
    int logs = 0;
    int error = line_append(b, r, &input, &part, count, &logs, err);

    assert_true(!error || error == LM_EDATA);
    return error ? -1 : logs;
}

static void assert_one(const char *text, const char *expected_end)
{
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;

    begin(&r, NULL, 0);
    buffer_init(&b, 1 << 20);
    if (add(&r, &b, slice_of_string(text), &err) != 1)
        fail_msg("%s: %s", text, err.text);
    buffer_append_char(&b, '\0');
    if (!strstr(b.data, expected_end))
        fail_msg("%s: %s", text, b.data);
    buffer_release(&b);
    end(&r);
}

static void assert_refused(const char *text, const char *reason)
{
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;

    begin(&r, NULL, 0);
    buffer_init(&b, 1 << 20);
    assert_int_equal(add(&r, &b, slice_of_string(text), &err), -1);
    assert_int_equal(b.len, 0);
    if (!strstr(err.text, reason))
        fail_msg("%s: %s", text, err.text);
    buffer_release(&b);
    end(&r);
}

static void what_is_no_json_is_the_message_of_a_log(void **state)
{
    assert_one("text", "\"level\":\"info\",\"message\":\"text\"}\n");
    assert_one("{\"no message\":1}", "\"message\":\"{\\\"no message\\\":1}\"}\n");
    assert_one("{\"cut", "\"message\":\"{\\\"cut\"}\n");
    assert_one("{ message: 1 }", "\"message\":\"{ message: 1 }\"}\n");
    assert_one("{} \"message\"", "\"message\":\"{} \\\"message\\\"\"}\n");
    assert_one("[1]\r", "\"message\":\"[1]\"}\n");
    assert_one("\xe9", "\"message\":\"\xef\xbf\xbd\"}\n");
}

static void what_a_json_log_lacks_is_added_behind_it(void **state)
{
    assert_one("{\"message\":\"m\",\"level\":\"x\",\"timestamp\":null,\"id\":null}",
               "{\"message\":\"m\",\"level\":\"x\",\"timestamp\":null,\"id\":null,\"id\":\"0");
    assert_one("\xef\xbb\xbf {\"message\":\"m\",\"timestamp\":\"2026-01-01\",\"timestamp\":null} ",
               "\"timestamp\":null,\"id\":\"0");
    assert_one(
        "{\"message\":\"m\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}",
        "{\"message\":\"m\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"level\":\"info\"}\n");
    assert_one("{\"mess\\u0061ge\":\"m\",\"timestamp\":1700000000}",
               "\"timestamp\":1700000000,\"id\":\"018bcfe5-6800-7");
}

static void what_is_meant_as_a_log_and_cannot_be_one_is_refused(void **state)
{
    assert_refused("{\"message\":1}", "message: Input should be a valid string");
    assert_refused("{\"message\":null}", "message: Input should be a valid string");
    assert_refused("{\"message\":\"m\",\"level\":30}", "level: Input should be a valid string");
    assert_refused("{\"message\":\"m\",\"level\":null}", "level: ");
    assert_refused("{\"message\":\"m\",\"timestamp\":1700000000000000000}",
                   "timestamp: Input should be a valid datetime, dates after 9999");
    assert_refused("{\"message\":\"m\",\"timestamp\":\"2016-12-31T23:59:60Z\"}",
                   "allowed: 2026-11-25T10:00:00.123456+01:00, or Unix seconds or milliseconds");
    assert_refused("{\"message\":\"m\",\"timestamp\":\"2026-01-01T00:00:00+02\"}", "timestamp: ");
    assert_refused("{\"message\":\"m\",\"id\":\"x\"}", "id: Input should be a valid UUID");
    assert_refused("{\"message\":\"\xe9\"}", "not JSON: Invalid UTF-8 at character 12");
    assert_refused("{\"message\":\"\\uDC00\"}", "not JSON: Lone surrogate");
    assert_refused("{\"message\":\"m\",\"n\":NaN}", "not JSON: Expecting value");
    assert_refused("{\"message\":\"m\",}", "not JSON: ");
    assert_refused("{\"message\":\"m\"} {\"message\":\"n\"}",
                   "not JSON: Extra data at character 16");
    assert_refused("{\"message\":\"m\",\"a\":[1",
                   "not JSON: Expecting ',' delimiter at character 21");
    assert_refused("{\"level\":\"x\",\"message\" : \"cut", "not JSON: Unterminated string");
    assert_refused("{\"message\":\"a\tb\"}", "not JSON: Invalid control character");
}

/* The ids of the logs in `b`, in their order, as texts one after the other. */
static int ids_of(const struct buffer *b, char ids[][37], int max)
{
    struct slice rest = buffer_slice(b);
    int n = 0;

    while (rest.len > 0 && n < max) {
        struct slice line = slice_cut(&rest, '\n');
        yyjson_doc *doc = yyjson_read(line.data, line.len, 0);

        struct slice id = json_text(yyjson_obj_get(yyjson_doc_get_root(doc), "id"));

        assert_int_equal(id.len, 36);
        memcpy(ids[n], id.data, id.len);
        ids[n++][36] = '\0';
        yyjson_doc_free(doc);
    }
    return n;
}

/* Reads `text` as a whole input of the given flags, with one time for all. */
static int read_input(const char *text, char **args, int args_len, char ids[][37], int max)
{
    struct slice rest = slice_of_string(text);
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;
    int n;

    begin(&r, args, args_len);
    buffer_init(&b, 1 << 24);
    struct line_place place = line_place_begin(&r);
    place.time_us = 1700000000000000;
    line_input_begin_again(&input, &r.forms, &place);
    while (rest.len > 0)
        assert_true(add(&r, &b, slice_cut(&rest, '\n'), &err) >= 0);
    n = ids_of(&b, ids, max);
    buffer_release(&b);
    end(&r);
    return n;
}

static void ids_keep_the_order_and_are_the_same_for_the_same_beginning(void **state)
{
    static char one[8][37], grown[8][37];

    assert_int_equal(read_input("z\na\na\n\n{\"message\":\"a\"}\n", NULL, 0, one, 8), 4);
    assert_int_equal(read_input("z\na\na\n\n{\"message\":\"a\"}\nb", NULL, 0, grown, 8), 5);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(one[i], grown[i]);
        assert_true(strcmp(grown[i], grown[i + 1]) < 0);
    }
}

static void another_beginning_or_other_flags_give_other_ids(void **state)
{
    char attr_a[] = "--attr=host=a", attr_b[] = "--attr=host=b", level[] = "--level=warn";
    char *flags[][1] = {{attr_a}, {attr_b}, {level}};
    static char ids[6][2][37];

    assert_int_equal(read_input("a\nx", NULL, 0, ids[0], 2), 2);
    assert_int_equal(read_input("b\nx", NULL, 0, ids[1], 2), 2);
    assert_int_equal(read_input("a\n\nx", NULL, 0, ids[2], 2), 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(read_input("a\nx", flags[i], 1, ids[3 + i], 2), 2);
    assert_string_equal(ids[0][0], ids[2][0]);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(ids[i][1], ids[k][1]);
}

static void the_pieces_of_a_long_line_keep_their_order(void **state)
{
    static char ids[4][37];
    char *text = calloc(1, 3 * LINE_PIECE_MAX + 1);

    memset(text, 'x', 3 * LINE_PIECE_MAX);
    assert_int_equal(read_input(text, NULL, 0, ids, 4), 3);
    assert_true(strcmp(ids[0], ids[1]) < 0 && strcmp(ids[1], ids[2]) < 0);
    free(text);
}

static void a_log_without_a_time_has_that_of_the_one_before(void **state)
{
    struct line_place place = {.time_us = 1000000, .is_spread = true};
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;

    begin(&r, NULL, 0);
    buffer_init(&b, 1 << 20);
    line_input_begin_again(&input, &r.forms, &place);
    assert_int_equal(add(&r, &b, SLICE_LITERAL("first"), &err), 1);
    assert_int_equal(add(&r, &b, SLICE_LITERAL("second"), &err), 1);
    assert_int_equal(
        add(&r, &b, SLICE_LITERAL("{\"message\":\"m\",\"timestamp\":\"2026-01-01\"}"), &err), 1);
    assert_int_equal(add(&r, &b, SLICE_LITERAL("  at Foo.bar"), &err), 1);
    buffer_append_char(&b, '\0');
    assert_non_null(strstr(
        b.data,
        "\"timestamp\":\"1970-01-01T00:00:01.000000Z\",\"level\":\"info\",\"message\":\"first\""));
    assert_non_null(strstr(
        b.data,
        "\"timestamp\":\"1970-01-01T00:00:01.000001Z\",\"level\":\"info\",\"message\":\"second\""));
    assert_non_null(strstr(
        b.data,
        "\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"info\",\"message\":\"  at"));
    buffer_release(&b);
    end(&r);
}

static void attributes_win_over_flags_and_a_log_with_an_id_gets_none(void **state)
{
    char attr[] = "--attr=host=a", level[] = "--level=warn";
    char *args[] = {attr, level};
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;

    begin(&r, args, 2);
    buffer_init(&b, 1 << 20);
    assert_int_equal(
        add(&r, &b, SLICE_LITERAL("{\"message\":\"m\",\"host\":\"b\",\"level\":\"x\"}"), &err), 1);
    assert_int_equal(add(&r, &b,
                         SLICE_LITERAL("{\"message\":\"m\",\"id\":\"01890a5d-ac96-774b-bcce-"
                                       "b302099a8057\",\"level\":\"x\"}"),
                         &err),
                     1);
    buffer_append_char(&b, '\0');
    assert_non_null(
        strstr(b.data, "{\"host\":\"a\",\"message\":\"m\",\"host\":\"b\",\"level\":\"x\",\"id\""));
    assert_non_null(strstr(
        b.data,
        "\n{\"message\":\"m\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"level\":\"x\"}\n"));
    buffer_release(&b);
    end(&r);
}

/* ---- Forms ---- */

/* The messages of what `lines` are with the flags `args`, each with a level before it: "info:m|".
 */
static void assert_logs(const char *lines, char **args, int args_len, const char *expected)
{
    struct slice rest = slice_of_string(lines);
    struct errbuf err = ERRBUF_INIT;
    struct buffer b, got;
    struct line_reader r;
    int logs = 0;

    begin(&r, args, args_len);
    buffer_init(&b, 1 << 20);
    buffer_init(&got, 1 << 20);
    line_reader_set_now(&r, 1795867200000000);
    while (rest.len > 0)
        assert_true(add(&r, &b, slice_cut(&rest, '\n'), &err) >= 0);
    assert_int_equal(line_flush(&b, &r, &input, count, &logs, &err), 0);
    assert_false(line_is_open(&input));
    rest = buffer_slice(&b);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        yyjson_doc *doc = yyjson_read(line.data, line.len, 0);
        yyjson_val *log = yyjson_doc_get_root(doc);

        buffer_append_slice(&got, json_text(yyjson_obj_get(log, "level")));
        buffer_append_char(&got, ':');
        buffer_append_slice(&got, json_text(yyjson_obj_get(log, "message")));
        buffer_append_char(&got, '|');
        yyjson_doc_free(doc);
    }
    if (!slice_equal(buffer_slice(&got), slice_of_string(expected)))
        fail_msg("%s: %.*s, not %s", lines, SLICE_ARG(buffer_slice(&got)), expected);
    buffer_release(&b);
    buffer_release(&got);
    end(&r);
}

static char LOGFMT[] = "level=warn msg=a";
static char LOGFMT_OF_ITS_FORM_ALONE[] = "a=b c=d";

static void the_first_line_that_is_of_one_form_decides(void **state)
{
    static const char access[] = "::1 - - [28/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 500 1";
    struct buffer b;

    buffer_init(&b, 1 << 20);
    /* After logfmt an access log is text; before it, what is not surely logfmt is. */
    buffer_appendf(&b, "%s\n%s\n%s\n{\"msg\":\"j\",\"level\":30}", LOGFMT_OF_ITS_FORM_ALONE, LOGFMT,
                   access);
    buffer_append_char(&b, '\0');
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "info:a=b c=d|warn:a|info:%s|info:j|", access);
    assert_logs(b.data, NULL, 0, expected);
    buffer_clear(&b);
    buffer_appendf(&b, "%s\n%s", access, LOGFMT);
    buffer_append_char(&b, '\0');
    (void)snprintf(expected, sizeof(expected), "error:%s|info:%s|", access, LOGFMT);
    assert_logs(b.data, NULL, 0, expected);
    buffer_release(&b);
}

static void a_form_is_looked_for_among_the_first_bytes_alone(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (int i = 0; i < LINE_GUESS_BYTES / 16; i++)
        buffer_append_string(&b, "\n               ");
    buffer_appendf(&b, "\n%s", LOGFMT);
    buffer_append_char(&b, '\0');
    assert_logs(b.data, NULL, 0, "info:level=warn msg=a|");
    buffer_release(&b);
}

static void an_object_of_others_is_read_by_its_members_if_ours_are_missing(void **state)
{
    assert_one("{\"message\":\"m\",\"@timestamp\":\"2026-01-01T00:00:00Z\",\"id\":null,\"n\":1}",
               "\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"info\",\"message\":\"m\","
               "\"attributes\":{\"id\":null,\"n\":1}}\n");
    assert_one("{\"message\":\"m\",\"severity\":\"warn\"}",
               "\"level\":\"warn\",\"message\":\"m\"}\n");
    /* Ours are there, or it has no other. */
    assert_one("{\"message\":\"m\",\"level\":\"x\",\"severity\":\"warn\"}",
               "{\"message\":\"m\",\"level\":\"x\",\"severity\":\"warn\",\"id\":");
    assert_one("{\"message\":\"m\",\"status\":\"error\"}",
               "{\"message\":\"m\",\"status\":\"error\",");
    assert_refused(
        "{\"message\":\"m\",\"timestamp\":\"x\",\"@timestamp\":\"2026-01-01T00:00:00Z\"}",
        "timestamp: ");
}

static void lines_that_are_not_of_the_form_are_counted(void **state)
{
    char format[] = "--format=logfmt";
    char *args[] = {format};
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;

    begin(&r, args, 1);
    buffer_init(&b, 1 << 20);
    for (uint64_t number = 1; number <= 4; number++) {
        const struct line_part part = {.text = slice_of_string(number % 2 ? "a=b" : "a b"),
                                       .is_first = true,
                                       .is_last = true,
                                       .number = number};
        int logs = 0;
        int64_t us;

        assert_false(line_own_time(&r, &input, part.text, &us)); /* which counts nothing */
        assert_int_equal(line_append(&b, &r, &input, &part, count, &logs, &err), 0);
        assert_int_equal(logs, 1);
    }
    assert_int_equal(input.chosen.unfit, 2);
    assert_int_equal(input.chosen.first_unfit, 2);
    buffer_release(&b);
    end(&r);
}

static void parts_of_two_streams_are_put_together(void **state)
{
    assert_logs("2026-11-28T12:00:01Z stdout P a\n2026-11-28T12:00:01Z stderr P [warn] b\n"
                "2026-11-28T12:00:02Z stdout F c\n2026-11-28T12:00:02Z stderr P d\n",
                NULL, 0, "info:ac|warn:[warn] bd|");
}

static void lines_of_one_log_are_its_message_whatever_its_form(void **state)
{
    char multiline[] = "--multiline", first[] = "--multiline-first=x";
    char *args[] = {multiline}, *pattern[] = {first};

    assert_logs("level=warn msg=a\n  b\n\nc\n", args, 1, "warn:a\n  b|info:c|");
    assert_logs("{\"message\":\"a\"}\n  b\n c", args, 1, "info:a|info:  b\n c|");
    assert_logs("xa\n{\"message\":\"b\"}\nax\nxb", pattern, 1,
                "info:xa\n{\"message\":\"b\"}\nax|info:xb|");
}

static void a_log_has_the_id_of_all_up_to_its_last_line(void **state)
{
    static char one[8][37], grown[8][37];
    char multiline[] = "--multiline", zone[] = "--zone=UTC";
    char *args[] = {multiline, zone};

    /* What is still open is not there. */
    assert_int_equal(read_input("a\n b\nc\nd", args, 2, one, 8), 2);
    assert_int_equal(read_input("a\n b\nc\nd\n e\nf", args, 2, grown, 8), 3);
    assert_string_equal(one[0], grown[0]);
    assert_string_equal(one[1], grown[1]);
    assert_int_equal(read_input("a\n c\nc\nd", args, 2, grown, 8), 2);
    assert_string_not_equal(one[0], grown[0]);
}

static void what_was_held_back_and_is_refused_has_the_number_of_its_first_line(void **state)
{
    char format[] = "--format=json", first[] = "--multiline-first=x";
    char *args[] = {format, first};
    const struct line_part parts[] = {
        {.text = SLICE_LITERAL("xa"), .is_first = true, .is_last = true, .number = 1},
        {.text = SLICE_LITERAL("xc"), .is_first = true, .is_last = true, .number = 3},
    };
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct buffer b;
    int logs = 0;

    begin(&r, args, 2);
    buffer_init(&b, 1 << 20);
    assert_int_equal(line_append(&b, &r, &input, &parts[0], count, &logs, &err), 0);
    assert_int_equal(line_append(&b, &r, &input, &parts[1], count, &logs, &err), LM_EDATA);
    assert_int_equal(r.log_number, 1);
    buffer_release(&b);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_is_the_message_of_a_log),
        cmocka_unit_test(what_a_json_log_lacks_is_added_behind_it),
        cmocka_unit_test(what_is_meant_as_a_log_and_cannot_be_one_is_refused),
        cmocka_unit_test(ids_keep_the_order_and_are_the_same_for_the_same_beginning),
        cmocka_unit_test(another_beginning_or_other_flags_give_other_ids),
        cmocka_unit_test(the_pieces_of_a_long_line_keep_their_order),
        cmocka_unit_test(a_log_without_a_time_has_that_of_the_one_before),
        cmocka_unit_test(attributes_win_over_flags_and_a_log_with_an_id_gets_none),
        cmocka_unit_test(the_first_line_that_is_of_one_form_decides),
        cmocka_unit_test(a_form_is_looked_for_among_the_first_bytes_alone),
        cmocka_unit_test(an_object_of_others_is_read_by_its_members_if_ours_are_missing),
        cmocka_unit_test(lines_that_are_not_of_the_form_are_counted),
        cmocka_unit_test(parts_of_two_streams_are_put_together),
        cmocka_unit_test(lines_of_one_log_are_its_message_whatever_its_form),
        cmocka_unit_test(a_log_has_the_id_of_all_up_to_its_last_line),
        cmocka_unit_test(what_was_held_back_and_is_refused_has_the_number_of_its_first_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
