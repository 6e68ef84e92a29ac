#include "awkward_query.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/timestamp.h"

enum { NODES_MAX = 12, TEXTS_ROOM = 16 * 1024 };

struct making {
    uint64_t *state;
    struct query_builder builder;
    char texts[TEXTS_ROOM];
    size_t texts_len;
    int left; /* nodes that may be made still */
};

/* Below n. */
static unsigned below(struct making *m, unsigned n)
{
    *m->state = *m->state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)((*m->state >> 33) % n);
}

static struct slice keep(struct making *m, const char *text, size_t len)
{
    char *to = m->texts + m->texts_len;

    CHECK(len <= sizeof(m->texts) - m->texts_len);
    memcpy(to, text, len);
    m->texts_len += len;
    return slice_of(to, len);
}

/* Of 1 to 4 of `parts`. */
static struct slice joined(struct making *m, const char *const *parts, size_t n)
{
    char text[128] = "";
    size_t len = 0;

    for (unsigned i = 1 + below(m, 4); i > 0; i--)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", parts[below(m, n)]);
    return keep(m, text, len);
}

#define ONE_OF(m, array) (array)[below(m, sizeof(array) / sizeof(*(array)))]
#define JOINED(m, array) joined(m, array, sizeof(array) / sizeof(*(array)))

static struct slice some_text(struct making *m)
{
    static const char *const parts[] = {
        "a",  "b",   " ", "\"", "\\", "*",  ":",     "/",     "-",   "(",  ")", "[",   "]",  "{",
        "}",  "<",   ">", "=",  "&&", "||", "AND",   "OR",    "NOT", "TO", "ü", "€",   "\n", "\t",
        "//", "://", ".", "7",  "4",  "!",  "level", "attr.", "any", "é",  "",  "web", "'",  "\x01",
    };

    for (;;) {
        struct slice text = JOINED(m, parts);

        if (text.len > 0)
            return text;
    }
}

static struct slice some_regex(struct making *m)
{
    static const char *const parts[] = {"a",    "\\d+", "/",   " ",      "(a b)", "[/ ]", ".*?",
                                        "\\\\", "\\)",  "\"",  ":",      "a|b",   "ü",    "(/x )",
                                        "-",    "\\.",  "OR ", "a{1,2}", "\\(",   "b$",   "//"};

    return JOINED(m, parts);
}

static struct slice some_number(struct making *m)
{
    static const char *const numbers[] = {"0",     "-0",   "1",    "1.0",  "1e0",     "500",
                                          "599.5", "-1.5", "1e-3", "2e30", "-400E+2", "1e400"};

    return slice_of_string(ONE_OF(m, numbers));
}

static struct slice some_level(struct making *m)
{
    static const char *const levels[] = {"trace", "WARN",  "warning",  "err",
                                         "Error", "fatal", "critical", "emergency"};

    return slice_of_string(ONE_OF(m, levels));
}

static struct slice some_path(struct making *m)
{
    static const char *const paths[] = {
        "service", "http.status", "a.b.c", "level", "attr.x", "any", "x y",
        "",        "404",         "a:b",   "-x",    "a\"b",   "AND", "message",
        "since",   "a*",          "/x/",   "ü",     "a\\b",   ".",   "message.x"};

    return below(m, 4) ? slice_of_string(ONE_OF(m, paths)) : some_text(m);
}

/* Both bounds, or one of them. */
static void give_bounds(struct making *m, struct query_node *node, struct slice low,
                        struct slice high)
{
    unsigned which = below(m, 3);

    if (which != 0)
        node->low = low;
    if (which != 1)
        node->high = high;
    node->low_included = node->low.data && below(m, 2);
    node->high_included = node->high.data && below(m, 2);
}

/* From the first year to what is behind the last one. */
static int64_t some_us(struct making *m)
{
    static const int64_t all[] = {TIMESTAMP_MIN_US,
                                  -1,
                                  0,
                                  INT64_C(1767225600000000),
                                  INT64_C(1767225600000001),
                                  TIMESTAMP_MAX_US,
                                  TIMESTAMP_MAX_US + 1};

    return ONE_OF(m, all);
}

static void give_times(struct making *m, struct query_node *node)
{
    unsigned which = below(m, 3);
    int64_t a = some_us(m);
    int64_t b = some_us(m);

    node->low_us = which == 0 ? INT64_MIN : a < b ? a : b;
    node->high_us = which == 1 ? INT64_MAX : a < b ? b : a;
}

static struct query_node attribute_test(struct making *m)
{
    static const enum query_test tests[] = {QUERY_EXISTS, QUERY_EQUALS, QUERY_EQUALS,
                                            QUERY_BEGINS, QUERY_ENDS,   QUERY_CONTAINS,
                                            QUERY_REGEX,  QUERY_RANGE};
    struct query_node node = {.field = QUERY_ATTRIBUTE, .test = ONE_OF(m, tests)};

    node.path = some_path(m);
    if (node.test == QUERY_REGEX)
        node.text = some_regex(m);
    else if (node.test == QUERY_RANGE)
        give_bounds(m, &node, SLICE_LITERAL("-1e400"), some_number(m));
    else if (node.test == QUERY_EQUALS && below(m, 3) == 0)
        node.text = below(m, 2) ? some_number(m) : slice_of("", 0);
    else if (node.test != QUERY_EXISTS)
        node.text = some_text(m);
    return node;
}

static struct query_node message_test(struct making *m)
{
    static const enum query_test tests[] = {QUERY_EXISTS, QUERY_HOLDS, QUERY_HOLDS,  QUERY_BEGINS,
                                            QUERY_ENDS,   QUERY_REGEX, QUERY_PATTERN};
    struct query_node node = {.field = QUERY_MESSAGE, .test = ONE_OF(m, tests)};

    if (node.test != QUERY_EXISTS)
        node.text = node.test == QUERY_REGEX ? some_regex(m) : some_text(m);
    return node;
}

static struct query_node level_test(struct making *m)
{
    static const enum query_test tests[] = {QUERY_EXISTS, QUERY_EQUALS, QUERY_BEGINS, QUERY_ENDS,
                                            QUERY_RANGE};
    struct query_node node = {.field = QUERY_LEVEL, .test = ONE_OF(m, tests)};

    if (node.test == QUERY_RANGE)
        give_bounds(m, &node, SLICE_LITERAL("trace"), some_level(m));
    else if (node.test != QUERY_EXISTS)
        node.text = below(m, 2) ? some_level(m) : some_text(m);
    return node;
}

static struct query_node other_test(struct making *m)
{
    struct query_node node = {.field = QUERY_ANY, .test = QUERY_HOLDS};

    switch (below(m, 3)) {
    case 0:
        node.text = some_text(m);
        break;
    case 1:
        node.field = QUERY_ID;
        node.test = QUERY_EQUALS;
        node.text = SLICE_LITERAL("018f3e2a-0000-7000-8000-00000000abcd");
        break;
    default:
        node.field = QUERY_TIMESTAMP;
        node.test = QUERY_RANGE;
        give_times(m, &node);
    }
    if (below(m, 10) == 0)
        node = (struct query_node){.field = node.field, .test = QUERY_EXISTS};
    return node;
}

static void make_test(struct making *m)
{
    static struct query_node (*const makers[])(struct making *) = {
        attribute_test, attribute_test, attribute_test, message_test, level_test, other_test};
    struct query_node node = ONE_OF(m, makers)(m);

    query_builder_test(&m->builder, &node);
}

/* What is below the node that is open. */
static void make_children(struct making *m, unsigned depth, unsigned n)
{
    for (; n > 0; n--) {
        unsigned kind = depth < 8 && m->left-- > 0 ? below(m, 6) : 6;

        if (kind > QUERY_NOT) {
            make_test(m);
            continue;
        }
        query_builder_open(&m->builder, (enum query_kind)kind);
        make_children(m, depth + 1, kind == QUERY_NOT ? 1 : below(m, 4));
        query_builder_close(&m->builder);
    }
}

struct query *awkward_query(uint64_t *state)
{
    struct making m = {.state = state, .left = NODES_MAX};
    struct query *q;

    query_builder_init(&m.builder);
    query_builder_open(&m.builder, QUERY_AND);
    make_children(&m, 0, below(&m, 5));
    query_builder_close(&m.builder);
    /* Regular expressions may be too many: then there is another one. */
    if (query_builder_finish(&m.builder, &q))
        return awkward_query(state);
    return q;
}
