#include "query/language.h"

#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/utf8.h"
#include "query_drawing.h"

static const int64_t NOW_US = INT64_C(1767225600000000) + INT64_C(45000) * 1000000; /* below */

#define NOW "2026-01-01T12:30:00.000000Z"
#define TODAY "2026-01-01T00:00:00.000000Z"
#define ID "018f3e2a-0000-7000-8000-00000000abcd"

enum { ROOM = 1 << 20 };

static int parse(const char *text, struct query **q, struct query_mistake *mistake)
{
    return query_parse(slice_of_string(text), NOW_US, NULL, q, mistake);
}

static struct query *parsed(const char *text)
{
    struct query_mistake mistake;
    struct query *q;

    if (parse(text, &q, &mistake))
        fail_msg("'%s': at %zu: %s", text, mistake.position, mistake.message);
    return q;
}

/* What is printed is parsed to the same tree. */
static void assert_prints(const struct query *q)
{
    struct buffer text;
    struct query_mistake mistake;
    struct query *again = NULL;

    buffer_init(&text, ROOM);
    query_print(&text, q);
    if (query_parse(buffer_slice(&text), 0, NULL, &again, &mistake))
        fail_msg("'%.*s' is printed, but: %s", SLICE_ARG(buffer_slice(&text)), mistake.message);
    if (!query_equal(q, again))
        fail_msg("'%.*s' is printed, but is another query", SLICE_ARG(buffer_slice(&text)));
    query_unref(again);
    buffer_release(&text);
}

static void assert_means(const char *text, const char *expected)
{
    struct query *q = parsed(text);
    struct buffer drawing;

    buffer_init(&drawing, ROOM);
    query_draw(&drawing, q);
    if (strcmp(drawing.data, expected) != 0)
        fail_msg("'%s' is\n  %s, not\n  %s", text, drawing.data, expected);
    assert_prints(q);
    buffer_release(&drawing);
    query_unref(q);
}

struct meaning {
    const char *text, *means;
};

static void assert_all_mean(const struct meaning *meanings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_means(meanings[i].text, meanings[i].means);
}

#define ASSERT_ALL_MEAN(meanings) assert_all_mean(meanings, sizeof(meanings) / sizeof(*(meanings)))

/* ---- What is understood ---- */

static void nothing_asks_for_all(void **state)
{
    static const struct meaning meanings[] = {{"", "all"}, {"  \t\n", "all"}};
    struct query_mistake mistake;
    struct query *q = NULL;

    ASSERT_ALL_MEAN(meanings);
    assert_int_equal(query_parse(slice_of(NULL, 0), NOW_US, NULL, &q, &mistake), 0);
    assert_null(q);
}

static void a_word_is_held_by_the_message(void **state)
{
    static const struct meaning meanings[] = {
        {"timeout", "message holds <timeout>"},
        {" timeout ", "message holds <timeout>"},
        {"Zeitüberschreitung", "message holds <Zeitüberschreitung>"},
        {"\"pool exhausted\"", "message holds <pool exhausted>"},
        {"\"a \\\"b\\\" \\\\c\"", "message holds <a \"b\" \\c>"},
        {"\"C:\\temp\"", "message holds <C:\\temp>"},
        {"\"AND\"", "message holds <AND>"},
        {"and", "message holds <and>"},
        {"TO", "message holds <TO>"},
        {"[error]", "message holds <[error]>"},
        {"a-b", "message holds <a-b>"},
        {"*timeout*", "message holds <timeout>"},
        {"timeout*", "message holds <timeout>"},
        {"\"*\"", "message holds <*>"},
        {"*", "message exists"},
        {"message:timeout", "message holds <timeout>"},
        {"message:*timeout*", "message holds <timeout>"},
        {"message:timeout*", "message begins <timeout>"},
        {"message:*timeout", "message ends <timeout>"},
        {"message:\"a b\"*", "message begins <a b>"},
        {"message:*", "message exists"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void times_addresses_and_names_of_cpp_are_texts(void **state)
{
    static const struct meaning meanings[] = {
        {"12:30:45", "message holds <12:30:45>"},
        {"10.0.0.1:8080", "message holds <10.0.0.1:8080>"},
        {"http://example.org/a?b=c", "message holds <http://example.org/a?b=c>"},
        {"std::vector", "message holds <std::vector>"},
        {"::1", "message holds <::1>"},
        {"-12:30", "NOT(message holds <12:30>)"},
        {"\"404\":x", ".404 = <x>"},
        {"attr.404:x", ".404 = <x>"},
        {"url:http://example.org", ".url = <http://example.org>"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void levels_are_equal_or_compared(void **state)
{
    static const struct meaning meanings[] = {
        {"level:error", "level = <error>"},
        {"level:\"my level\"", "level = <my level>"},
        {"level:>=warning", "level >= warning"},
        {"level:>warn", "level > warn"},
        {"level:<=INFO", "level <= INFO"},
        {"level:[info TO error}", "level >= info < error"},
        {"level:err*", "level begins <err>"},
        {"level:*ning", "level ends <ning>"},
        {"level:*", "level exists"},
        {"level:(warn OR error)", "OR(level = <warn>, level = <error>)"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void attributes_are_equal_there_or_begin_and_end(void **state)
{
    static const struct meaning meanings[] = {
        {"service:pay", ".service = <pay>"},
        {"service:\"pay out\"", ".service = <pay out>"},
        {"service:\"\"", ".service = <>"},
        {"service:AND", ".service = <AND>"},
        {"service:a:b", ".service = <a:b>"},
        {"service:-5", ".service = <-5>"},
        {"a.b.c:1.0", ".a.b.c = <1.0>"},
        {"mail:*@example.org", ".mail ends <@example.org>"},
        {"host:web-*", ".host begins <web->"},
        {"host:*web*", ".host contains <web>"},
        {"host:*\"a b\"*", ".host contains <a b>"},
        {"host:\"a*\"", ".host = <a*>"},
        {"trace_id:*", ".trace_id exists"},
        {"-trace_id:*", "NOT(.trace_id exists)"},
        {"path:/api/users", ".path = </api/users>"},
        {"path:/api", ".path = </api>"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void numbers_are_compared(void **state)
{
    static const struct meaning meanings[] = {
        {"http.status:>=500", ".http.status >= 500"},
        {"ms:>1.5e3", ".ms > 1.5e3"},
        {"ms:<-2", ".ms < -2"},
        {"ms:<=0", ".ms <= 0"},
        {"ms:[500 TO 599]", ".ms >= 500 <= 599"},
        {"ms:{500 TO 599]", ".ms > 500 <= 599"},
        {"ms:[ 5 TO 9.5 }", ".ms >= 5 < 9.5"},
        {"ms:[* TO 9]", ".ms <= 9"},
        {"ms:{5 TO *]", ".ms > 5"},
        {"ms:[\"5\" TO 5.0]", ".ms >= 5 <= 5.0"},
        {"ms:([1 TO 2] OR >100)", "OR(.ms >= 1 <= 2, .ms > 100)"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void names_may_be_those_of_the_language_or_have_signs(void **state)
{
    static const struct meaning meanings[] = {
        {"attr.level:x", ".level = <x>"},
        {"attr.since:x", ".since = <x>"},
        {"attr.attr.x:y", ".attr.x = <y>"},
        {"\"strange name\":x", ".strange name = <x>"},
        {"\"level\":x", ".level = <x>"},
        {"\"a\\\"b\":x", ".a\"b = <x>"},
        {"\"\":x", ". = <x>"},
        {"http.\"status code\":5", ".http.status code = <5>"},
        {"attr.\"strange name\":x", ".strange name = <x>"},
        {"\"attr.x\":y", ".attr.x = <y>"},
        {"AND:x", ".AND = <x>"},
        {"\"-x\":y", ".-x = <y>"},
        {"\"a*\":y", ".a* = <y>"},
        {"Level:x", ".Level = <x>"},
        {"message.text:x", ".message.text = <x>"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void any_is_held_by_all_texts(void **state)
{
    static const struct meaning meanings[] = {
        {"any:4711", "any holds <4711>"},   {"any:*4711*", "any holds <4711>"},
        {"any:\"a b\"", "any holds <a b>"}, {"any:*", "any exists"},
        {"attr.any:x", ".any = <x>"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void regular_expressions_end_at_a_slash(void **state)
{
    static const struct meaning meanings[] = {
        {"/time.?out after \\d+/", "message regex <time.?out after \\d+>"},
        {"path:/^\\/api/", ".path regex <^/api>"},
        {"path:(/a/ OR /b b/)", "OR(.path regex <a>, .path regex <b b>)"},
        {"(/a/)", "message regex <a>"},
        {"-/a/ b", "AND(NOT(message regex <a>), message holds <b>)"},
        {"message:/a/", "message regex <a>"},
        {"/a\\\\/", "message regex <a\\\\>"},
        {"/a/b/", "message regex <a/b>"},
        {"/\"\\(:*/", "message regex <\"\\(:*>"},
        /* … and these are none: */
        {"/api", "message holds </api>"},
        {"//", "message holds <//>"},
        {"/a\\/", "message holds </a\\/>"},
        {"/a/users /b/", "AND(message holds </a/users>, message regex <b>)"},
        {"path:/api/users path:/x/", "AND(.path = </api/users>, .path regex <x>)"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void times_are_absolute_in_the_tree(void **state)
{
    static const struct meaning meanings[] = {
        {"since:2h", "timestamp from 2026-01-01T10:30:00.000000Z to "},
        {"since:\"2h ago\"", "timestamp from 2026-01-01T10:30:00.000000Z to "},
        {"since:now", "timestamp from " NOW " to "},
        {"until:yesterday", "timestamp from  to 2025-12-31T00:00:00.000000Z"},
        {"until:2026-01-01", "timestamp from  to " TODAY},
        {"timestamp:>=2026-01-01", "timestamp from " TODAY " to "},
        {"timestamp:>2026-01-01", "timestamp from 2026-01-02T00:00:00.000000Z to "},
        {"timestamp:<2026-01-01", "timestamp from  to " TODAY},
        {"timestamp:<=2026-01-01", "timestamp from  to 2026-01-02T00:00:00.000000Z"},
        {"timestamp:2026-01-01", "timestamp from " TODAY " to 2026-01-02T00:00:00.000000Z"},
        {"timestamp:today", "timestamp from " TODAY " to 2026-01-02T00:00:00.000000Z"},
        {"timestamp:[2026-01-01T01:00:00+02:00 TO 1767225600]",
         "timestamp from 2025-12-31T23:00:00.000000Z to 2026-01-01T00:00:00.000001Z"},
        {"timestamp:[1h TO now]", "timestamp from 2026-01-01T11:30:00.000000Z to "
                                  "2026-01-01T12:30:00.000001Z"},
        {"timestamp:2026-01-01T00:00:00Z",
         "timestamp from " TODAY " to 2026-01-01T00:00:00.000001Z"},
        {"timestamp:*", "timestamp exists"},
        {"timestamp:<=9999-12-31", "timestamp from  to 253402300800000000"},
        {"timestamp:>9999-12-31", "timestamp from 253402300800000000 to "},
    };

    ASSERT_ALL_MEAN(meanings);
}

static int64_t berlin(int64_t us)
{
    return us < INT64_C(1774746000000000) ? 3600 : 7200; /* from 2026-03-29T01:00:00Z on */
}

static void a_day_has_the_hours_that_it_has_in_the_zone(void **state)
{
    struct query_mistake mistake;
    struct query *q;

    assert_int_equal(query_parse(SLICE_LITERAL("timestamp:today"), INT64_C(1774782000000000),
                                 berlin, &q, &mistake),
                     0);
    assert_int_equal(q->nodes[0].low_us, INT64_C(1774738800000000));
    assert_int_equal(q->nodes[0].high_us - q->nodes[0].low_us, INT64_C(23) * 3600 * 1000000);
    query_unref(q);
}

static void ids_are_uuids(void **state)
{
    static const struct meaning meanings[] = {
        {"id:" ID, "id = <" ID ">"},
        {"id:018F3E2A00007000800000000000ABCD", "id = <" ID ">"},
        {"id:\"{" ID "}\"", "id = <" ID ">"},
        {"id:(\"" ID "\" OR " ID ")", "OR(id = <" ID ">, id = <" ID ">)"},
        {"id:*", "id exists"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void and_binds_tighter_than_or(void **state)
{
    static const struct meaning meanings[] = {
        {"a b", "AND(message holds <a>, message holds <b>)"},
        {"a AND b", "AND(message holds <a>, message holds <b>)"},
        {"a AND b c", "AND(message holds <a>, message holds <b>, message holds <c>)"},
        {"a OR b", "OR(message holds <a>, message holds <b>)"},
        {"a b OR c", "OR(AND(message holds <a>, message holds <b>), message holds <c>)"},
        {"a (b OR c)", "AND(message holds <a>, OR(message holds <b>, message holds <c>))"},
        {"(a)", "message holds <a>"},
        {"((a b))", "AND(message holds <a>, message holds <b>)"},
        {"a(b)", "AND(message holds <a>, message holds <b>)"},
        {"\"a\"b", "AND(message holds <a>, message holds <b>)"},
        {"key=\"value\"", "AND(message holds <key=>, message holds <value>)"},
        {"x:1 y:2", "AND(.x = <1>, .y = <2>)"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void not_is_of_what_follows(void **state)
{
    static const struct meaning meanings[] = {
        {"-a", "NOT(message holds <a>)"},
        {"NOT a", "NOT(message holds <a>)"},
        {"NOT NOT a", "message holds <a>"},
        {"--a", "message holds <a>"},
        {"NOT -a", "message holds <a>"},
        {"-a b", "AND(NOT(message holds <a>), message holds <b>)"},
        {"-(a b)", "NOT(AND(message holds <a>, message holds <b>))"},
        {"-(a OR b) c", "AND(NOT(OR(message holds <a>, message holds <b>)), message holds <c>)"},
        {"NOT(a)", "NOT(message holds <a>)"},
        {"-\"a b\"", "NOT(message holds <a b>)"},
        {"-level:error", "NOT(level = <error>)"},
        {"a OR NOT b", "OR(message holds <a>, NOT(message holds <b>))"},
    };

    ASSERT_ALL_MEAN(meanings);
}

static void a_name_is_given_to_each_of_several_values(void **state)
{
    static const struct meaning meanings[] = {
        {"s:(pay OR cart)", "OR(.s = <pay>, .s = <cart>)"},
        {"s:( pay OR \"b c\" )", "OR(.s = <pay>, .s = <b c>)"},
        {"s:(pay)", ".s = <pay>"},
        {"s:(a* AND *b)", "AND(.s begins <a>, .s ends <b>)"},
        {"s:(NOT pay)", "NOT(.s = <pay>)"},
        {"s:(-5 OR -x)", "OR(.s = <-5>, .s = <-x>)"},
        {"s:(a OR (b AND NOT c))", "OR(.s = <a>, AND(.s = <b>, NOT(.s = <c>)))"},
        {"-s:(a OR b)", "NOT(OR(.s = <a>, .s = <b>))"},
        {"message:(a OR b)", "OR(message holds <a>, message holds <b>)"},
    };

    ASSERT_ALL_MEAN(meanings);
}

/* ---- What is not ---- */

struct wrong {
    const char *text;
    size_t position, len;
    const char *message;
};

static void assert_mistake(const struct wrong *wrong)
{
    struct query_mistake m = {0};
    struct query *q;

    if (parse(wrong->text, &q, &m) != LM_EINVAL)
        fail_msg("'%s' is understood", wrong->text);
    assert_null(q);
    if (m.position != wrong->position || m.len != wrong->len || !strstr(m.message, wrong->message))
        fail_msg("'%s': at %zu, %zu bytes: %s", wrong->text, m.position, m.len, m.message);
}

static void a_mistake_is_told_with_its_place(void **state)
{
    static const struct wrong wrongs[] = {
        {"level:", 6, 0, "expected a value right after level:, met the end"},
        {"level: error", 6, 1, "expected a value right after level:, met a blank"},
        {"x:()", 3, 1, "expected a value, met )"},
        {"x:(a b)", 5, 1, "expected OR, AND or ), met b"},
        {"x:(a", 4, 0, "expected OR, AND or ), met the end"},
        {"x:(a OR", 7, 0, "expected a value"},
        {"x:(OR a)", 3, 2, "expected a value, met OR"},
        {"x:(a)b", 5, 1, "expected a blank or the end after ), met b"},
        {"x:\"a\"b", 5, 1, "expected a blank or the end after the value, met b"},
        {"x:a(b)", 3, 1, "expected a blank or the end after the value, met ("},
        {"(a", 2, 0, "expected ), met the end"},
        {"a)", 1, 1, "expected ( before ), met )"},
        {")", 0, 1, "expected a term, met )"},
        {"()", 1, 1, "expected a term, met )"},
        {"a AND", 5, 0, "expected a term, met the end"},
        {"a AND OR b", 6, 2, "expected a term, met OR"},
        {"OR a", 0, 2, "expected a term, met OR"},
        {"AND", 0, 3, "expected a term, met AND"},
        {"a OR ", 5, 0, "expected a term, met the end"},
        {"NOT", 3, 0, "expected a term, met the end"},
        {"a - b", 2, 1, "expected a term, met -"},
        {"a || b", 2, 2, "expected a term, met ||"},
        {"a && b", 2, 2, "expected a term, met &&"},
        {"status >= 5", 7, 2, "expected a term, met >="},
        {"\"a", 0, 1, "the quote is not closed"},
        {"x:\"a\\\"", 2, 1, "the quote is not closed"},
        {"ü \"a", 2, 1, "the quote is not closed"},
        {"\"\"", 0, 2, "not empty"},
        {"any:\"\"", 4, 2, "not empty"},
        {"message:\"\"*", 8, 3, "not empty"},
        {":8080", 0, 5, "expected a name before the colon"},
        {"a*b", 1, 1, "a * stands for anything at the beginning and at the end"},
        {"x:a*b", 3, 1, "a * stands for anything"},
        {"x*:a", 0, 3, "a name has no *"},
        {"x:**", 2, 2, "x cannot be **"},
        {"x:>", 3, 0, "expected a bound, met the end"},
        {"x:>= 5", 4, 1, "expected a bound, met a blank"},
        {"x:>abc", 3, 3, "expected a number, met abc"},
        {"x:>*", 3, 1, "expected a bound"},
        {"x:>1e401", 3, 5, "expected a number, met 1e401"},
        {"x:[1 TO b]", 8, 1, "expected a number, met b"},
        {"x:[5 TO 3]", 2, 8, "the range has nothing in it"},
        {"x:[* TO *]", 2, 8, "one of the bounds has to be there"},
        {"x:[5]", 4, 1, "expected TO, met ]"},
        {"x:[5 TO 6", 9, 0, "expected ] or }, met the end"},
        {"x:[5 6]", 5, 2, "expected TO, met 6]"},
        {"x:[]", 3, 1, "expected a bound, met ]"},
        {"x:[a]", 4, 1, "expected TO, met ]"},
        {"level:>=custom", 8, 6, "custom is no level that is more or less than others"},
        {"level:/x/", 6, 3, "level cannot be /x/"},
        {"level:*x*", 6, 3, "level cannot be *x*"},
        {"level:[error TO info]", 6, 15, "the range has nothing in it"},
        {"any:/x/", 4, 3, "any cannot be /x/"},
        {"any:>5", 4, 2, "any cannot be >5"},
        {"message:>5", 8, 2, "message cannot be >5"},
        {"id:x", 3, 1, "expected the UUID of a log: "},
        {"id:0*", 3, 2, "id cannot be 0*"},
        {"since:x", 6, 1, "expected a time: "},
        {"since:*", 6, 1, "since cannot be *"},
        {"since:>1h", 6, 3, "since cannot be >1h"},
        {"since:(1h)", 6, 1, "expected a value right after since:, met ("},
        {"since:99999999w", 6, 9, "expected a time: outside the years"},
        {"timestamp:2026-13-01", 10, 10, "expected a time: "},
        {"timestamp:/x/", 10, 3, "timestamp cannot be /x/"},
        {"/a(b/", 4, 1, "the regular expression is wrong: missing closing parenthesis"},
        {"x:/\\/\\/a[/ b", 9, 1, "the regular expression is wrong: missing terminating ]"},
        {"/a\\/?*+/", 5, 1, "the regular expression is wrong: quantifier"},
        {"a \xff", 2, 1, "not UTF-8"},
        {"timestamp:[now TO yesterday]", 10, 18, "the range has nothing in it"},
    };

    for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++)
        assert_mistake(&wrongs[i]);
}

static void a_character_that_no_log_has_is_refused(void **state)
{
    struct query_mistake mistake;
    struct query *q;

    assert_int_equal(query_parse(slice_of("a\0b", 3), NOW_US, NULL, &q, &mistake), LM_EINVAL);
    assert_int_equal(mistake.offset, 1);
}

static void what_is_allowed_is_told(void **state)
{
    static const struct {
        const char *text, *allowed;
    } rows[] = {
        {"a OR", "a word, a text in quotes, NAME:VALUE"},
        {"level:", "> >= < <= and a level"},
        {"ms:", "[number TO number]"},
        {"since:soon", "2h, 30m"},
        {"level:>x", "critical, alert"},
        {"id:1", "UUID"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct query_mistake m;
        struct query *q;

        assert_int_equal(parse(rows[i].text, &q, &m), LM_EINVAL);
        if (!strstr(m.allowed, rows[i].allowed))
            fail_msg("'%s': '%s' lacks '%s'", rows[i].text, m.allowed, rows[i].allowed);
    }
}

/* `n` times `part`, then `middle`, then as often `end`. */
static char *repeated(size_t n, const char *part, const char *middle, const char *end)
{
    char *text = calloc(1, n * (strlen(part) + strlen(end)) + strlen(middle) + 1);
    char *to = text;

    for (size_t i = 0; i < n; i++)
        to = stpcpy(to, part);
    to = stpcpy(to, middle);
    for (size_t i = 0; i < n; i++)
        to = stpcpy(to, end);
    return text;
}

static void assert_wrong(char *text, size_t position, const char *message)
{
    struct query_mistake m;
    struct query *q;

    if (parse(text, &q, &m) != LM_EINVAL || m.position != position || !strstr(m.message, message))
        fail_msg("'%.99s': at %zu: %s", text, m.position, m.message);
    free(text);
}

static void assert_right(char *text)
{
    struct query *q = parsed(text);

    assert_prints(q);
    query_unref(q);
    free(text);
}

static void what_is_too_much_is_told_at_its_place(void **state)
{
    assert_right(repeated(QUERY_PARENTHESES_MAX, "(", "a", ")"));
    assert_wrong(repeated(QUERY_PARENTHESES_MAX + 1, "(", "a", ")"), QUERY_PARENTHESES_MAX,
                 "more than 40 parentheses");
    assert_right(repeated(QUERY_PARENTHESES_MAX, "-(", "a", ")"));
    assert_right(repeated(QUERY_DEPTH_MAX / 2, "-(a ", "b", ")"));
    assert_wrong(repeated(QUERY_DEPTH_MAX / 2 + 1, "-(a ", "b", ")"), QUERY_DEPTH_MAX / 2 * 4 + 1,
                 "more than 32 deep");
    assert_right(repeated(QUERY_DEPTH_MAX / 2, "a (b OR ", "c", ")"));
    assert_right(repeated(3000, "-", "a", ""));
    assert_right(repeated(QUERY_TESTS_MAX, "a ", "", ""));
    assert_wrong(repeated(QUERY_TESTS_MAX, "a ", "b", ""), 2 * QUERY_TESTS_MAX,
                 "more than 256 terms");
    assert_right(repeated(QUERY_REGEX_MAX, "/a/ ", "", ""));
    assert_wrong(repeated(QUERY_REGEX_MAX, "/a/ ", "x:/b/", ""), 4 * QUERY_REGEX_MAX + 2,
                 "more than 16 regular expressions");
    assert_right(repeated(QUERY_TEXT_MAX, "a", "", ""));
    assert_wrong(repeated(QUERY_TEXT_MAX, "a", "b", ""), QUERY_TEXT_MAX, "longer than 8192 bytes");
    assert_right(repeated(QUERY_TESTS_MAX - 1, "-(a)OR ", "a", ""));
}

/* What a message shows is cut between characters, so that it is UTF-8 as the query is. */
static void messages_are_whole_characters(void **state)
{
    for (size_t n = 1; n < 200; n++) {
        char *name = repeated(n, "ü", ":", "");
        char *value = repeated(n, "ü", "", "");
        char *bound;
        struct query_mistake m;
        struct query *q;

        assert_int_equal(parse(name, &q, &m), LM_EINVAL);
        assert_int_equal(m.position, n + 1);
        assert_int_equal(m.offset, 2 * n + 1);
        assert_true(utf8_valid(slice_of_string(m.message)));
        assert_true(asprintf(&bound, "x:>a%s", value) > 0);
        assert_int_equal(parse(bound, &q, &m), LM_EINVAL);
        assert_true(utf8_valid(slice_of_string(m.message)));
        free(bound);
        free(value);
        free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asks_for_all),
        cmocka_unit_test(a_word_is_held_by_the_message),
        cmocka_unit_test(times_addresses_and_names_of_cpp_are_texts),
        cmocka_unit_test(levels_are_equal_or_compared),
        cmocka_unit_test(attributes_are_equal_there_or_begin_and_end),
        cmocka_unit_test(numbers_are_compared),
        cmocka_unit_test(names_may_be_those_of_the_language_or_have_signs),
        cmocka_unit_test(any_is_held_by_all_texts),
        cmocka_unit_test(regular_expressions_end_at_a_slash),
        cmocka_unit_test(times_are_absolute_in_the_tree),
        cmocka_unit_test(a_day_has_the_hours_that_it_has_in_the_zone),
        cmocka_unit_test(ids_are_uuids),
        cmocka_unit_test(and_binds_tighter_than_or),
        cmocka_unit_test(not_is_of_what_follows),
        cmocka_unit_test(a_name_is_given_to_each_of_several_values),
        cmocka_unit_test(a_mistake_is_told_with_its_place),
        cmocka_unit_test(a_character_that_no_log_has_is_refused),
        cmocka_unit_test(what_is_allowed_is_told),
        cmocka_unit_test(what_is_too_much_is_told_at_its_place),
        cmocka_unit_test(messages_are_whole_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
