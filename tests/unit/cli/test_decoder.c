#include "cli/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"

/*
 * What `input` is decoded to, terminated, or the reason why it is refused; fed in pieces of `step`
 * bytes. The caller releases `out`.
 */
static const char *decode_by(struct slice input, size_t step, bool is_plain, struct buffer *out)
{
    struct errbuf err = ERRBUF_INIT;
    struct decoder d;
    int error = 0;

    decoder_init(&d, is_plain);
    buffer_init(out, 1 << 20);
    for (size_t at = 0; at <= input.len && !error; at += step) {
        size_t len = input.len - at < step ? input.len - at : step;

        error = decoder_feed(&d, slice_of(input.data + at, len), at + step > input.len, out, &err);
    }
    decoder_release(&d);
    if (error)
        buffer_clear(out);
    if (error)
        buffer_append_string(out, err.text);
    buffer_append_char(out, '\0');
    return out->data;
}

static void assert_decoded(struct slice input, const char *expected)
{
    const size_t steps[] = {1, 2, 3, 7, 1000};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct buffer out;

        assert_string_equal(decode_by(input, steps[i], false, &out), expected);
        buffer_release(&out);
    }
}

#define DECODED(input, expected) assert_decoded(SLICE_LITERAL(input), expected)

static void lines_are_left_as_they_are(void **state)
{
    DECODED("", "");
    DECODED("a", "a");
    DECODED("\n\n", "\n\n");
    DECODED("line\nB\xe9\n{\"logs\":1}\n[{not json}]\n",
            "line\nB\xe9\n{\"logs\":1}\n[{not json}]\n");
    DECODED("timestamp,id,level,message\n", "timestamp,id,level,message\n");
    DECODED("[2026] x", "[2026] x");
    DECODED("PK", "PK");
}

static void a_byte_order_mark_tells_the_charset_and_is_no_text(void **state)
{
    DECODED("\xef\xbb\xbf", "");
    DECODED("\xef\xbb\xbf"
            "a\n",
            "a\n");
    DECODED("\xff\xfe"
            "a\0\xe9\0\x3d\xd8\x00\xde\n\0",
            "a\xc3\xa9\xf0\x9f\x98\x80\n");
    DECODED("\xfe\xff\0a\0\xe9\xd8\x3d\xde\x00\0\n", "a\xc3\xa9\xf0\x9f\x98\x80\n");
    /* Halves of characters, at the end too, and an odd byte. */
    DECODED("\xff\xfe"
            "\0\xdc"
            "a\0\x3d\xd8"
            "b\0\x3d\xd8"
            "c",
            "\xef\xbf\xbd"
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
}

static void what_is_no_text_is_refused_by_name(void **state)
{
    DECODED("\xfd"
            "7zXZ\0rest",
            "it is xz, not text; give it to `logmill import`, or pipe it through: xz -dc");
    DECODED("BZh01AY&SYrest", "BZh01AY&SYrest");
    DECODED("BZh11AY&SYrest", "it is bzip2, not text; pipe it through: bzip2 -dc");
    DECODED("BZh91AY&SYrest", "it is bzip2, not text; pipe it through: bzip2 -dc");
    DECODED("\x04\x22\x4d\x18rest", "it is lz4, not text; pipe it through: lz4 -dc");
    DECODED("\xff\xfe\0\0rest",
            "it is UTF-32, not text; turn it into UTF-8 first: iconv -f UTF-32 -t UTF-8");
    DECODED("\x1f\x8b\x08",
            "it is gzip, not text; give it to `logmill import`, or pipe it through: "
            "gzip -dc");
}

static void the_answer_of_the_api_and_an_array_are_a_line_an_object(void **state)
{
    DECODED("{\"logs\":[{\"a\":[{}]},{\"b\":\"]}\\\"{\"}],\"next\":\"x]\"}\n",
            "{\"a\":[{}]}\n{\"b\":\"]}\\\"{\"}\n");
    DECODED(" {\n \"logs\" : [ ] , \"next\": null}", "");
    DECODED("[\n  {\n\t\"a\": 1\r\n  },\n  {\"b\":\"\\\\\"}\n]\n",
            "{  \"a\": 1    }\n{\"b\":\"\\\\\"}\n");
    DECODED("[{\"a\":1}] and more",
            "it begins as a JSON array of logs, and goes on as something else");
    DECODED("[{\"a\":1},2]", "it begins as a JSON array of logs, and goes on as something else");
    DECODED("[{\"a\":\"x\ny\"}]",
            "it begins as a JSON array of logs, and goes on as something else");
    DECODED("{\"logs\":[{\"a\":1}", "its JSON array is cut off");
    DECODED("[{\"a\":{}", "its JSON array is cut off");
}

#define HEAD CSV_HEAD "\r\n"

static void csv_of_ours_is_a_line_a_row_with_its_number(void **state)
{
    DECODED(CSV_HEAD, "\n");
    DECODED(HEAD "t,i,\"l\",\"a \"\"q\"\", b\",\"{\"\"n\"\":1.10}\"\r\n",
            "\n{\"timestamp\":\"t\",\"id\":\"i\",\"level\":\"l\",\"message\":\"a \\\"q\\\", "
            "b\",\"attributes\":{\"n\":1.10}}\n");
    DECODED(HEAD "t,i,l,\"two\nlines\r\n\",\n\nt,i,l,m,{}",
            "\n{\"timestamp\":\"t\",\"id\":\"i\",\"level\":\"l\",\"message\":\"two\\nlines\\r\\n\","
            "\"attributes\":{}}\n\n\n\n{\"timestamp\":\"t\",\"id\":\"i\",\"level\":\"l\","
            "\"message\":\"m\",\"attributes\":{}}\n");
    DECODED(HEAD "t,i,l\n", "line 2 of its CSV has 3 columns, not the 5 of " CSV_HEAD);
    DECODED(HEAD "1,2,3,4,5,6\n", "line 2 of its CSV has more than the 5 columns " CSV_HEAD);
    DECODED(HEAD "t,i,l,\"m\"x,{}\n", "line 2 of its CSV has text behind a closing quote");
    DECODED(HEAD "a,b,c,d,e\nt,i,l,\"m", "its CSV is cut off in the row that begins in line 3");
}

static void what_an_input_is_shows_in_its_first_bytes(void **state)
{
    enum { LEN = 32 << 20 }; /* looked at again with each read, these would take minutes */
    char *text = malloc(LEN);
    struct buffer out;

    memset(text, ' ', LEN);
    text[0] = '[';
    buffer_init(&out, 2 * LEN);
    struct errbuf err = ERRBUF_INIT;
    struct decoder d;
    decoder_init(&d, false);
    for (size_t at = 0; at < LEN; at += 1024)
        assert_int_equal(decoder_feed(&d, slice_of(text + at, 1024), false, &out, &err), 0);
    assert_int_equal(out.len, LEN);
    decoder_release(&d);
    buffer_release(&out);
    free(text);
}

static void utf16_may_hold_all_of_it(void **state)
{
    DECODED("\xfe\xff\0[\0{\0\"\0a\0\"\0:\0\x31\0}\0]", "{\"a\":1}\n");
}

static void plain_lines_are_never_anything_else(void **state)
{
    struct buffer out;

    assert_string_equal(decode_by(SLICE_LITERAL("[{\"a\":1}]\n"), 100, true, &out),
                        "[{\"a\":1}]\n");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_left_as_they_are),
        cmocka_unit_test(a_byte_order_mark_tells_the_charset_and_is_no_text),
        cmocka_unit_test(what_is_no_text_is_refused_by_name),
        cmocka_unit_test(the_answer_of_the_api_and_an_array_are_a_line_an_object),
        cmocka_unit_test(csv_of_ours_is_a_line_a_row_with_its_number),
        cmocka_unit_test(what_an_input_is_shows_in_its_first_bytes),
        cmocka_unit_test(utf16_may_hold_all_of_it),
        cmocka_unit_test(plain_lines_are_never_anything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
