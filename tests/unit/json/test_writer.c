#include "json/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"

static void assert_string_text(struct slice s, const char *expected)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    json_append_string(&b, s);
    assert_int_equal(buffer_error(&b), 0);
    assert_int_equal(b.len, strlen(expected));
    assert_memory_equal(b.data, expected, b.len);
    buffer_release(&b);
}

static void strings_are_copied_with_quotes(void **state)
{
    assert_string_text(slice_of(NULL, 0), "\"\"");
    assert_string_text(SLICE_LITERAL("a"), "\"a\"");
    assert_string_text(SLICE_LITERAL("a/b é 日本語 😀"), "\"a/b é 日本語 😀\"");
}

static void what_json_and_sqs_do_not_take_is_escaped(void **state)
{
    assert_string_text(SLICE_LITERAL("\"\\"), "\"\\\"\\\\\"");
    assert_string_text(SLICE_LITERAL("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    assert_string_text(SLICE_LITERAL("\0\x01\x0b\x1f"), "\"\\u0000\\u0001\\u000b\\u001f\"");
    assert_string_text(SLICE_LITERAL("\x7f"), "\"\\u007f\"");
    assert_string_text(SLICE_LITERAL("\xef\xbf\xbe\xef\xbf\xbf"), "\"\\ufffe\\uffff\"");
    /* U+FFFD, U+FEFF and U+FFEE begin with the same byte and are let through. */
    assert_string_text(SLICE_LITERAL("\xef\xbf\xbd\xef\xbb\xbf\xef\xbf\xae"),
                       "\"\xef\xbf\xbd\xef\xbb\xbf\xef\xbf\xae\"");
}

/* Every byte, at every offset of the words that are looked at as a whole. */
/* A string of `len`, in which `c` is the `at`th. */
static void assert_escaped(int c, size_t at, size_t len)
{
    char text[64];
    char expected[80];
    char escaped[8];

    memset(text, 'x', sizeof(text));
    text[at] = (char)c;
    if (c == '"' || c == '\\')
        snprintf(escaped, sizeof(escaped), "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        snprintf(escaped, sizeof(escaped), "\\%c", "btn?fr"[c - 8]);
    else if (c < 0x20 || c == 0x7f)
        snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)c);
    else
        snprintf(escaped, sizeof(escaped), "%c", c);
    snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int)at, text, escaped,
             (int)(len - at - 1), text + at + 1);
    assert_string_text(slice_of(text, len), expected);
}

static void escapes_are_found_at_every_offset(void **state)
{
    static const size_t lengths[] = {1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 50};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
        for (size_t at = 0; at < lengths[i]; at++)
            for (int c = 0; c < 0x80; c++)
                assert_escaped(c, at, lengths[i]);
}

static void a_string_that_does_not_fit_sets_the_error(void **state)
{
    struct buffer b;

    buffer_init(&b, 8);
    json_append_string(&b, SLICE_LITERAL("123456"));
    assert_int_equal(buffer_error(&b), 0);
    buffer_clear(&b);
    json_append_string(&b, SLICE_LITERAL("1234567"));
    assert_int_equal(buffer_error(&b), LM_ETOOBIG);
    buffer_clear(&b);
    json_append_string(&b, SLICE_LITERAL("12345\n"));
    assert_int_equal(buffer_error(&b), LM_ETOOBIG);
    buffer_release(&b);
}

static yyjson_doc *read_json(const char *text)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), YYJSON_READ_NUMBER_AS_RAW);

    assert_non_null(doc);
    return doc;
}

static void assert_rewritten(const char *text, const char *expected)
{
    struct buffer b;
    yyjson_doc *doc = read_json(text);

    buffer_init(&b, 1 << 20);
    json_append_value(&b, yyjson_doc_get_root(doc));
    assert_int_equal(buffer_error(&b), 0);
    buffer_append_char(&b, '\0');
    assert_string_equal(b.data, expected);
    buffer_release(&b);
    yyjson_doc_free(doc);
}

static void values_are_written_compactly_and_numbers_keep_their_digits(void **state)
{
    assert_rewritten(" [ 1.50 , -0, 1e400, 123456789012345678901234567890 ] ",
                     "[1.50,-0,1e400,123456789012345678901234567890]");
    assert_rewritten("{ \"a\" : [ true , false , null ] , \"\" : { } , \"b\\n\" : [ ] }",
                     "{\"a\":[true,false,null],\"\":{},\"b\\n\":[]}");
    assert_rewritten("\"\\u00e9\\/\\u007f\"", "\"é/\\u007f\"");
}

static void the_last_of_equal_names_counts(void **state)
{
    assert_rewritten("{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}");
    assert_rewritten("{\"a\":1,\"\\u0061\":2}", "{\"a\":2}");
    assert_rewritten("[{\"x\":{\"a\":1,\"a\":2,\"a\":3}}]", "[{\"x\":{\"a\":3}}]");
    assert_rewritten("{\"a\\u0000b\":1,\"a\\u0000c\":2,\"a\":3}",
                     "{\"a\\u0000b\":1,\"a\\u0000c\":2,\"a\":3}");
}

/* Of `members` names each comes twice; they differ in what is between `begin` and `end`. */
static void the_last_counts_of(int members, const char *begin, const char *end)
{
    struct buffer text;
    struct buffer expected;

    buffer_init(&text, 1 << 24);
    buffer_init(&expected, 1 << 24);
    for (int i = 0; i < members; i++)
        buffer_appendf(&text, "%s\"%s%06d%s\":%d", i ? "," : "{", begin, i % (members / 2), end, i);
    buffer_append_string(&text, "}");
    for (int i = members / 2; i < members; i++)
        buffer_appendf(&expected, "%s\"%s%06d%s\":%d", i > members / 2 ? "," : "{", begin,
                       i - members / 2, end, i);
    buffer_append_string(&expected, "}");
    buffer_append_char(&text, '\0');

    struct buffer b;
    yyjson_doc *doc = read_json(text.data);
    buffer_init(&b, 1 << 24);
    json_append_value(&b, yyjson_doc_get_root(doc));
    assert_true(slice_equal(buffer_slice(&b), buffer_slice(&expected)));
    yyjson_doc_free(doc);
    buffer_release(&b);
    buffer_release(&text);
    buffer_release(&expected);
}

/* By their number other ways are taken, which must give the same and not be quadratic. */
static void the_last_of_equal_names_counts_among_many(void **state)
{
    static const int members[] = {2, 16, 18, 254, 256, 258, 200000};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        the_last_counts_of(members[i], "n", "");
        the_last_counts_of(members[i], "all begin so ", " and end so");
    }
}

/* Names that begin as others do, in an order that puts them between each other. */
static void are_compared_to_their_end(int members)
{
    enum { NAMES = 97 };
    int last[NAMES];
    struct buffer text;
    struct buffer expected;
    char name[NAMES + 1];

    buffer_init(&text, 1 << 20);
    buffer_init(&expected, 1 << 20);
    memset(name, 'a', sizeof(name));
    for (int i = 0; i < members; i++) {
        int len = i * i * 31 % NAMES;
        buffer_appendf(&text, "%s\"%.*s\":%d", i ? "," : "{", len, name, i);
        last[len] = i;
    }
    buffer_append_string(&text, "}");
    buffer_append_char(&text, '\0');
    for (int i = 0; i < members; i++) {
        int len = i * i * 31 % NAMES;
        if (last[len] == i)
            buffer_appendf(&expected, "%s\"%.*s\":%d", expected.len ? "," : "{", len, name, i);
    }
    buffer_append_string(&expected, "}");
    buffer_append_char(&expected, '\0');
    assert_rewritten(text.data, expected.data);
    buffer_release(&text);
    buffer_release(&expected);
}

static void names_are_compared_to_their_end(void **state)
{
    are_compared_to_their_end(10);
    are_compared_to_their_end(100);
    are_compared_to_their_end(2000);
}

static void depth_is_bounded(void **state)
{
    enum { DEPTH = 100000 };
    struct buffer text;
    struct buffer b;

    buffer_init(&text, 1 << 20);
    for (int i = 0; i < DEPTH; i++)
        buffer_append_char(&text, '[');
    for (int i = 0; i < DEPTH; i++)
        buffer_append_char(&text, ']');
    buffer_append_char(&text, '\0');
    yyjson_doc *doc = read_json(text.data);
    buffer_init(&b, 1 << 20);
    json_append_value(&b, yyjson_doc_get_root(doc));
    assert_int_equal(buffer_error(&b), LM_ETOOBIG);
    assert_true(json_deeper_than(yyjson_doc_get_root(doc), 128));
    yyjson_doc_free(doc);

    /* The deepest that is written. */
    text.data[JSON_APPEND_MAX_DEPTH] = '\0';
    memset(text.data + JSON_APPEND_MAX_DEPTH, ']', JSON_APPEND_MAX_DEPTH);
    text.data[2 * JSON_APPEND_MAX_DEPTH] = '\0';
    assert_rewritten(text.data, text.data);
    buffer_release(&b);
    buffer_release(&text);
}

static void depth_counts_arrays_and_objects(void **state)
{
    yyjson_doc *doc = read_json("[1,{\"a\":[]},\"[[[[\"]");
    yyjson_val *root = yyjson_doc_get_root(doc);

    assert_true(json_deeper_than(root, 2));
    assert_false(json_deeper_than(root, 3));
    assert_false(json_deeper_than(yyjson_arr_get(root, 0), 0));
    yyjson_doc_free(doc);
}

static void doubles_have_as_few_digits_as_tell_them_apart(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-3, "-3"},
        {0.1, "0.1"},
        {1e15, "1e+15"},
        {1.0 / 3, "0.3333333333333333"},
        {123456.789, "123456.789"},
        {5e-324, "4.94065645841247e-324"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer b;

        buffer_init(&b, 100);
        json_append_double(&b, cases[i].number);
        buffer_append(&b, "", 1);
        assert_string_equal(b.data, cases[i].text);
        buffer_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_copied_with_quotes),
        cmocka_unit_test(what_json_and_sqs_do_not_take_is_escaped),
        cmocka_unit_test(escapes_are_found_at_every_offset),
        cmocka_unit_test(a_string_that_does_not_fit_sets_the_error),
        cmocka_unit_test(values_are_written_compactly_and_numbers_keep_their_digits),
        cmocka_unit_test(the_last_of_equal_names_counts),
        cmocka_unit_test(the_last_of_equal_names_counts_among_many),
        cmocka_unit_test(names_are_compared_to_their_end),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(depth_counts_arrays_and_objects),
        cmocka_unit_test(doubles_have_as_few_digits_as_tell_them_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
