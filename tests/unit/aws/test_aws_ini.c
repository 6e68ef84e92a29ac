#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "aws/ini.h"
#include "base/buffer.h"

static void note(const struct aws_ini_item *item, void *ctx)
{
    struct buffer *b = ctx;

    buffer_appendf(b, "%.*s|%.*s|%.*s\n", SLICE_ARG(item->section), SLICE_ARG(item->key),
                   SLICE_ARG(item->value));
}

static void check(const char *text, const char *expected)
{
    /* An exact copy, so that the sanitizer sees a read past its end. */
    size_t len = strlen(text);
    char *copy = malloc(len > 0 ? len : 1);
    struct buffer b;

    memcpy(copy, text, len);
    buffer_init(&b, 1 << 16);
    aws_ini_parse(slice_of(copy, len), note, &b);
    buffer_append_char(&b, '\0');
    assert_string_equal(b.data, expected);
    buffer_release(&b);
    free(copy);
}

static void sections_and_settings_are_given_in_order(void **state)
{
    check("", "");
    check("[default]", "default||\n");
    check("[ a ]\nk=v\n[profile b c]\nk2 = v 2 \r\n",
          "a||\na|k|v\nprofile b c||\nprofile b c|k2|v 2\n");
    check("[a]\nk = x=y==\nempty =\n", "a||\na|k|x=y==\na|empty|\n");
}

static void comments_are_passed_over(void **state)
{
    check("# x\n; y\n[a] # z\nk = v # w\nl = a#b;c\n#m = n\n", "a||\na|k|v\na|l|a#b;c\n");
}

static void what_is_nested_or_nothing_is_passed_over(void **state)
{
    check("k = before\n[a]\ns3 =\n  k = nested\n\tl = nested\nnonsense\n= v\nk = v",
          "a||\na|s3|\na|k|v\n");
    check("[a\nk = v\n[b]\nk = v\n", "b||\nb|k|v\n");
    check("[\n]\n[]\n", "||\n");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(sections_and_settings_are_given_in_order),
        cmocka_unit_test(comments_are_passed_over),
        cmocka_unit_test(what_is_nested_or_nothing_is_passed_over),
    };

    return cmocka_run_group_tests_name("aws_ini", cases, NULL, NULL);
}
