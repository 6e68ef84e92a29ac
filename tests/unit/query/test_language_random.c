/* Printing and parsing are each other's inverse, over trees and texts made by chance. */
#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "awkward_query.h"
#include "query/language.h"

enum { ROOM = 1 << 20, TREES = 20000, TEXTS = 50000 };

static void a_printed_tree_parses_to_itself(void **state)
{
    struct buffer text;
    uint64_t seed = 1;

    buffer_init(&text, ROOM);
    for (int i = 0; i < TREES; i++) {
        struct query *q = awkward_query(&seed);
        struct query *again = NULL;
        struct query_mistake mistake;

        buffer_clear(&text);
        query_print(&text, q);
        if (text.len <= QUERY_TEXT_MAX) {
            if (query_parse(buffer_slice(&text), 0, NULL, &again, &mistake))
                fail_msg("%d: <%.*s>: at %zu: %s", i, SLICE_ARG(buffer_slice(&text)),
                         mistake.position, mistake.message);
            if (!query_equal(q, again))
                fail_msg("%d: <%.*s> is another tree", i, SLICE_ARG(buffer_slice(&text)));
        }
        query_unref(again);
        query_unref(q);
    }
    buffer_release(&text);
}

/* Texts of the signs of the language: what is understood is printed as a text that means it. */
static void what_is_parsed_is_printed_as_the_same(void **state)
{
    static const char *const parts[] = {
        "a",   " ",        " ",      "b",        "\"",         "\\",    "*",    ":",
        "/",   "-",        "(",      ")",        "[",          "]",     "{",    "}",
        "<",   ">",        "=",      "5",        "OR",         "AND",   "NOT ", "TO",
        "x:",  "y.z:",     "ü",      "\n",       " ",          "/a",    "/ ",   "x ",
        "] ",  "[1 TO 5]", "level:", "warn",     "since:",     "1h",    "any:", "attr.",
        "id:", "message:", ">5",     "(a OR b)", "timestamp:", "today", "*a",   "a*"};
    enum { PARTS = sizeof(parts) / sizeof(*parts) };
    unsigned short seed[3] = {1, 2, 3};
    struct buffer text;
    int understood = 0;

    buffer_init(&text, ROOM);
    for (int i = 0; i < TEXTS; i++) {
        char source[256] = "";
        size_t len = 0;
        struct query *q;
        struct query *again = NULL;
        struct query_mistake mistake;

        for (long n = 1 + nrand48(seed) % 10; n > 0; n--)
            len += (size_t)snprintf(source + len, sizeof(source) - len, "%s",
                                    parts[nrand48(seed) % PARTS]);
        if (query_parse(slice_of(source, len), 0, NULL, &q, &mistake)) {
            assert_true(mistake.offset + mistake.len <= len && mistake.message[0]);
            continue;
        }
        understood++;
        buffer_clear(&text);
        query_print(&text, q);
        if (query_parse(buffer_slice(&text), 1, NULL, &again, &mistake) || !query_equal(q, again))
            fail_msg("<%s> is printed as <%.*s>", source, SLICE_ARG(buffer_slice(&text)));
        query_unref(again);
        query_unref(q);
    }
    assert_in_range(understood, TEXTS / 10, TEXTS);
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_printed_tree_parses_to_itself),
        cmocka_unit_test(what_is_parsed_is_printed_as_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
