#include "query/regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../cmocka_all.h"
#include "../store/dice.h"
#include "base/xalloc.h"

static struct regex *make(const char *text)
{
    struct errbuf err = ERRBUF_INIT;
    struct regex *r;
    size_t offset;

    if (regex_new(slice_of_string(text), &r, &offset, &err))
        fail_msg("/%s/: %s", text, err.text);
    return r;
}

static bool found(struct regex *r, struct slice text)
{
    bool result;

    assert_int_equal(regex_match(r, text, &result, NULL), 0);
    return result;
}

static bool finds(const char *pattern, const char *text)
{
    struct regex *r = make(pattern);
    bool result = found(r, slice_of_string(text));

    regex_free(r);
    return result;
}

static void it_is_found_anywhere(void **state)
{
    assert_true(finds("time.?out after \\d+", "a timeout after 30 s"));
    assert_false(finds("time.?out after \\d+", "a timeout after some s"));
    assert_false(finds("Timeout", "timeout"));
    assert_true(finds("(?i)TIMEOUT", "timeout"));
    assert_true(finds("^a", "ab"));
    assert_false(finds("^b", "ab"));
    assert_true(finds("", ""));
    assert_true(finds("^$", ""));
    assert_true(finds("K.ln", "Köln"));
    assert_true(finds("(?i)KÖLN", "köln"));
    assert_false(finds("^\\w+$", "Köln"));
    assert_true(finds("(*UCP)^\\w+$", "Köln"));
}

static void bytes_that_are_no_text_are_passed(void **state)
{
    struct regex *r = make("a.c|\\bend");

    assert_false(found(r, SLICE_LITERAL("a\xff"
                                        "c")));
    assert_true(found(r, SLICE_LITERAL("\xff\xc3 abc \xfe")));
    assert_true(found(r, SLICE_LITERAL("\x80\xbf end")));
    regex_free(r);
}

static void a_mistake_has_its_place(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct regex *r;
    size_t offset;
    char *text = xmalloc(REGEX_TEXT_MAX + 1);

    assert_int_equal(regex_new(SLICE_LITERAL("ab(c"), &r, &offset, &err), LM_EINVAL);
    assert_int_equal(offset, 4);
    assert_true(err.text[0]);
    assert_null(r);
    assert_int_equal(regex_new(SLICE_LITERAL("a\\C"), &r, &offset, &err), LM_EINVAL);
    assert_int_equal(regex_new(SLICE_LITERAL("\xff"), &r, &offset, &err), LM_EINVAL);
    memset(text, 'a', REGEX_TEXT_MAX + 1);
    assert_int_equal(regex_new(slice_of(text, REGEX_TEXT_MAX + 1), &r, &offset, &err), LM_EINVAL);
    assert_int_equal(regex_new(slice_of(text, REGEX_TEXT_MAX), &r, &offset, &err), 0);
    regex_free(r);
    assert_int_equal(regex_new(SLICE_LITERAL("(((a{100}){100}){100}){100}"), &r, &offset, &err),
                     LM_EINVAL);
    free(text);
}

/* What may be made can be run, also if it is too large for machine code. */
static void large_expressions_are_refused_where_they_are_checked(void **state)
{
    static const char *const texts[] = {"(\\w\\d?)", "(a|[89bx-z]|ab)", "(\\S)"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        for (int n = 1; n < 2000; n += n / 2 + 1) {
            char text[64];
            struct errbuf err = ERRBUF_INIT;
            struct regex *r;
            size_t offset;

            snprintf(text, sizeof(text), "%s{1,%d}x", texts[i], n);

            int error = regex_new(slice_of_string(text), &r, &offset, &err);

            assert_int_equal(regex_check(slice_of_string(text), &offset, &err), error);
            assert_true(!error || error == LM_EINVAL);
            if (!error)
                assert_true(found(r, SLICE_LITERAL("- a9ax")));
            if (!error)
                assert_false(found(r, SLICE_LITERAL("- a9ay")));
            regex_free(r);
        }
    }
}

/* ---- Time ---- */

static double worked_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What takes time that is exponential, cubic or quadratic. */
static void no_expression_takes_longer_than_it_may(void **state)
{
    static const char *const patterns[] = {
        "(a+)+[^a]", "(a|a)*[^a]", "a*a*a*a*a*[^a]", "(.*)*\\1[^a]", "a*[^a]",
    };
    static const size_t lengths[] = {30, 300, 3000, 4096, 4097, 30000, 1 << 20};
    char *text = xmalloc(1 << 20);

    memset(text, 'a', 1 << 20);
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
        for (size_t k = 0; k < sizeof(lengths) / sizeof(*lengths); k++) {
            struct regex *r = make(patterns[i]);
            double began = worked_s();
            bool result = false;
            int error = regex_match(r, slice_of(text, lengths[k]), &result, NULL);
            double most = 1.0 + 100e-9 * (double)lengths[k]; /* sanitizers and all */

            assert_true(!error || error == LM_ETOOBIG);
            assert_false(result && !error);
            if (worked_s() - began > most)
                fail_msg("/%s/ took %.3f s on %zu bytes", patterns[i], worked_s() - began,
                         lengths[k]);
            regex_free(r);
        }
    }
    free(text);
}

static void many_texts_may_not_take_long_each(void **state)
{
    char text[4000];
    struct regex *r = make("a*[^a]|x");
    double began = worked_s();
    bool result;
    int error = 0;

    memset(text, 'a', sizeof(text));
    for (int i = 0; i < 100000 && !error; i++)
        error = regex_match(r, slice_of(text, sizeof(text)), &result, NULL);
    assert_int_equal(error, LM_ETOOBIG);
    assert_true(worked_s() - began < 10);
    regex_free(r);
}

static void a_long_text_is_no_harm(void **state)
{
    size_t len = 8 << 20;
    char *text = xmalloc(len);
    struct regex *r = make("id=\\d+ status=5\\d\\d");
    uint64_t steps = 0;
    bool result;

    for (size_t i = 0; i < len; i++)
        text[i] = "id=1234 status=404 \n"[i % 20];
    memcpy(text + len - 18, "id=9 status=503 xx", 18);
    assert_int_equal(regex_match(r, slice_of(text, len), &result, &steps), 0);
    assert_true(result);
    assert_true(steps > 1000);
    regex_free(r);
    free(text);
}

/* ---- Literals ---- */

static void assert_literals(const char *pattern, const char *expected)
{
    struct regex *r = make(pattern);
    const struct slice *literals;
    bool with_case;
    size_t n = regex_literals(r, &literals, &with_case);
    char text[256];
    int len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%.*s", i ? "|" : "",
                        SLICE_ARG(literals[i]));
    if (n && !with_case)
        snprintf(text + len, sizeof(text) - (size_t)len, "|i");
    assert_string_equal(text, expected);
    regex_free(r);
}

static void literals_are_what_must_be_there(void **state)
{
    assert_literals("time.?out after \\d+", "out after |time");
    assert_literals("abc", "abc");
    assert_literals("abc*", "ab");
    assert_literals("abc+de", "abc|de");
    assert_literals("abc{0,3}de", "ab|de");
    assert_literals("ab|cd", "");
    assert_literals("(ab|cd)ef", "ef");
    assert_literals("ab(?:cd)?ef[a-z]]gh", "]gh|ab|ef");
    assert_literals("ab(?:\\)|[)(]|\\])cd", "ab|cd");
    assert_literals("^/api/v\\d+/users$", "/api/v|/users");
    assert_literals("a\\.b\\/c", "a.b/c");
    assert_literals("K(ö|o)lnöx*", "lnö");
    assert_literals("(?i)Timeout mark", "Timeout mar|i");
    assert_literals("(?ms)ab.cd", "ab|cd");
    assert_literals("(?i)köln", "ln|i");
    assert_literals("a(?i)bc", "");
    assert_literals("ab(?#c)*", "");
    assert_literals("(?x)ab # cd", "");
    assert_literals("\\Qab\\E", "");
    assert_literals("ab(*ACCEPT)cd", "");
    assert_literals("ab\\x41cd", "");
    assert_literals("[[:alpha:]x]ab[^]]cd[]]ef", "ab|cd|ef");
    assert_literals("aa.bb.ccc.d.dddd.ee.f", "dddd|ccc|aa|bb");
}

static void append(char *to, const char *what)
{
    if (strlen(to) + strlen(what) < 200)
        strcat(to, what);
}

/* Patterns of pieces, and texts: where one is found, its literals are. */
static void what_is_found_has_the_literals(void **state)
{
    static const char *const pieces[] = {
        "a", "b",   "ab",  "k",   "s",     ".",  "\\d",  "[ab]",  "(",    ")",   "|",
        "?", "*",   "+",   "{2}", "{0,1}", "^",  "$",    "(?:",   "(?i)", "\\.", "[^a]",
        "ö", "\\b", "(?=", "(?!", "1",     "+?", "[]a]", "(?<x>", "\\n",  "K"};
    struct dice d = {7};
    unsigned matched = 0;

    for (int i = 0; i < 20000; i++) {
        char pattern[256] = "", text[256] = "";
        struct errbuf err;
        struct regex *r;
        const struct slice *literals;
        size_t offset, n;
        bool with_case, result;

        if (dice_one_in(&d, 4))
            append(pattern, "(?i)");
        for (size_t k = 1 + dice_below(&d, 7); k > 0; k--)
            append(pattern, pieces[dice_below(&d, sizeof(pieces) / sizeof(*pieces))]);
        if (regex_new(slice_of_string(pattern), &r, &offset, &err))
            continue;
        n = regex_literals(r, &literals, &with_case);
        for (int t = 0; n && t < 20; t++) {
            static const char *const parts[] = {
                "a", "b", "A", "B", "k", "\xe2\x84\xaa", "s", "ſ", "ö", "Ö", "1", ".", "K", "\n"};

            text[0] = '\0';
            for (size_t k = dice_below(&d, 12); k > 0; k--)
                append(text, parts[dice_below(&d, sizeof(parts) / sizeof(*parts))]);
            assert_int_equal(regex_match(r, slice_of_string(text), &result, NULL), 0);
            /* Without its literals, by the pattern made an alternative that they are not of. */
            char other[300];
            struct regex *same;

            snprintf(other, sizeof(other), "(?:%s)|(?!)", pattern);
            if (regex_new(slice_of_string(other), &same, &offset, &err) == 0) {
                bool expected;

                assert_int_equal(regex_match(same, slice_of_string(text), &expected, NULL), 0);
                if (result != expected)
                    fail_msg("/%s/ on `%s`: its literals are in the way", pattern, text);
                regex_free(same);
            }
            matched += result;
            for (size_t k = 0; result && k < n; k++) {
                char literal[256];

                snprintf(literal, sizeof(literal), "%.*s", SLICE_ARG(literals[k]));
                if (with_case ? !strstr(text, literal) : !strcasestr(text, literal))
                    fail_msg("/%s/ is in `%s`, and its literal %s is not", pattern, text, literal);
            }
        }
        regex_free(r);
    }
    assert_true(matched > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_anywhere),
        cmocka_unit_test(bytes_that_are_no_text_are_passed),
        cmocka_unit_test(a_mistake_has_its_place),
        cmocka_unit_test(large_expressions_are_refused_where_they_are_checked),
        cmocka_unit_test(no_expression_takes_longer_than_it_may),
        cmocka_unit_test(many_texts_may_not_take_long_each),
        cmocka_unit_test(a_long_text_is_no_harm),
        cmocka_unit_test(literals_are_what_must_be_there),
        cmocka_unit_test(what_is_found_has_the_literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
