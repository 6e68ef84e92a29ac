#include "block/plan.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "block/planned.h"
#include "block/words.h"

static struct block_plan *plan_of(const struct log_filter *f)
{
    struct log_matcher *m = log_matcher_new(f);

    assert_non_null(m);
    struct block_plan *p = block_plan_new(m);
    assert_non_null(p);
    log_matcher_unref(m); /* the plan has its own reference */
    return p;
}

static void remember_hash(uint64_t hash, struct slice word, void *ctx)
{
    *(uint64_t *)ctx = hash;
}

static uint64_t word_hash(const char *word)
{
    uint64_t hash = 0;

    block_words(slice_of_string(word), remember_hash, &hash);
    return hash;
}

/* The hashes of clauses that are one hash each. */
static size_t hashes_of(const struct block_plan *p, uint64_t hashes[ASKED_CLAUSES_MAX])
{
    size_t len = block_plan_clauses(p);

    for (size_t i = 0; i < len; i++) {
        const struct block_clause clause = block_plan_clause(p, i);

        assert_int_equal(clause.len, 1);
        hashes[i] = clause.hashes[0];
    }
    return len;
}

/* Whether a text asks a filter for exactly these words, in their order. */
static void assert_asks(const char *text, size_t n, const char *const *words)
{
    struct log_filter f;
    uint64_t hashes[ASKED_CLAUSES_MAX];

    log_filter_init(&f);
    f.text = slice_of_string(text);
    struct block_plan *p = plan_of(&f);
    size_t len = hashes_of(p, hashes);
    assert_int_equal(len, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(hashes[i], word_hash(words[i]));
    block_plan_free(p);
}

static void only_words_that_end_within_the_text_are_asked_for(void **state)
{
    assert_asks("timeout", 0, NULL);
    assert_asks("timeout while", 0, NULL);
    assert_asks(" timeout", 0, NULL);
    assert_asks("timeout ", 0, NULL);
    assert_asks(" Timeout ", 1, (const char *const[]){"timeout"});
    assert_asks("a TIMEOUT while reading 1234.", 4,
                (const char *const[]){"timeout", "while", "reading", "1234"});
}

static void many_words_ask_for_some_of_them(void **state)
{
    char text[4 * ASKED_CLAUSES_MAX * 2 + 1] = "";
    struct log_filter f;
    uint64_t hashes[ASKED_CLAUSES_MAX];

    for (size_t i = 0; i + 4 < sizeof(text); i += 4)
        memcpy(text + i, " abc", 4);
    log_filter_init(&f);
    f.text = slice_of_string(text);
    struct block_plan *p = plan_of(&f);
    size_t len = hashes_of(p, hashes);
    assert_int_equal(len, ASKED_CLAUSES_MAX);
    block_plan_free(p);
}

static void values_are_asked_for_but_not_what_is_excluded(void **state)
{
    struct log_filter f;
    uint64_t hashes[ASKED_CLAUSES_MAX];

    log_filter_init(&f);
    f.excluded_text = SLICE_LITERAL(" excluded words here ");
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("host"), SLICE_LITERAL("web"), true};
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("Zone"), SLICE_LITERAL("B"), false};
    struct block_plan *p = plan_of(&f);
    size_t len = hashes_of(p, hashes);
    assert_int_equal(len, 1);
    assert_int_equal(hashes[0], block_value_hash(SLICE_LITERAL("Zone"), SLICE_LITERAL("B")));
    block_plan_free(p);
}

/* ---- Trees ---- */

static struct block_plan *plan_of_tree(struct query_builder *b)
{
    struct log_filter f;

    log_filter_init(&f);
    assert_int_equal(query_builder_finish(b, &f.query), 0);
    struct block_plan *p = plan_of(&f);
    query_unref(f.query);
    return p;
}

static void add_test(struct query_builder *b, enum query_field field, enum query_test test,
                     const char *path, const char *text)
{
    query_builder_test(b, &(struct query_node){.field = field,
                                               .test = test,
                                               .path = slice_of_string(path),
                                               .text = slice_of_string(text)});
}

static bool has_hash(const struct block_clause *c, uint64_t hash)
{
    for (size_t i = 0; i < c->len; i++)
        if (c->hashes[i] == hash)
            return true;
    return false;
}

static uint64_t value_hash(const char *path, const char *value)
{
    return block_value_hash(slice_of_string(path), slice_of_string(value));
}

static void numbers_that_are_equal_are_asked_for_as_one(void **state)
{
    struct query_builder b;

    query_builder_init(&b);
    add_test(&b, QUERY_ATTRIBUTE, QUERY_EQUALS, "http.ms", "1.50e1");
    struct block_plan *p = plan_of_tree(&b);
    assert_int_equal(block_plan_clauses(p), 1);
    struct block_clause clause = block_plan_clause(p, 0);
    assert_true(clause.by_path);
    assert_int_equal(clause.len, 2);
    assert_true(has_hash(&clause, value_hash("http.ms", "1.50e1")));
    assert_true(has_hash(&clause, value_hash("http.ms", "15")));
    block_plan_free(p);
}

/* One of the alternatives, of each all of its words but one; nothing of what must not be. */
static void alternatives_are_one_clause(void **state)
{
    struct query_builder b;

    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    query_builder_open(&b, QUERY_OR);
    add_test(&b, QUERY_ATTRIBUTE, QUERY_EQUALS, "host", "web");
    add_test(&b, QUERY_MESSAGE, QUERY_REGEX, "", "^\\d+ timeout while");
    query_builder_close(&b);
    query_builder_open(&b, QUERY_NOT);
    add_test(&b, QUERY_MESSAGE, QUERY_HOLDS, "", " not this ");
    query_builder_close(&b);
    query_builder_close(&b);
    struct block_plan *p = plan_of_tree(&b);
    assert_int_equal(block_plan_clauses(p), 1);
    struct block_clause clause = block_plan_clause(p, 0);
    assert_true(clause.by_path);
    assert_int_equal(clause.len, 2);
    assert_true(has_hash(&clause, value_hash("host", "web")));
    assert_true(has_hash(&clause, word_hash("timeout")));
    block_plan_free(p);
}

static void an_alternative_that_may_be_anywhere_asks_for_nothing(void **state)
{
    struct query_builder b;

    query_builder_init(&b);
    query_builder_open(&b, QUERY_OR);
    add_test(&b, QUERY_ATTRIBUTE, QUERY_EQUALS, "host", "web");
    add_test(&b, QUERY_ATTRIBUTE, QUERY_BEGINS, "host", "db-");
    query_builder_close(&b);
    struct block_plan *p = plan_of_tree(&b);
    assert_int_equal(block_plan_clauses(p), 0);
    block_plan_free(p);
}

static const struct block_head head = {
    .rows = 30,
    .levels = {{SLICE_LITERAL("Info"), 10},
               {SLICE_LITERAL("info"), 10},
               {SLICE_LITERAL("ÄRGER"), 10}},
    .levels_len = 3,
};

/* What is said of `head` if these levels (NULL: none) are asked for and excluded. */
static enum block_verdict judge(const char *level, const char *other, const char *excluded)
{
    struct log_filter f;

    log_filter_init(&f);
    if (level)
        f.levels[f.levels_len++] = slice_of_string(level);
    if (other)
        f.levels[f.levels_len++] = slice_of_string(other);
    if (excluded)
        f.excluded_levels[f.excluded_levels_len++] = slice_of_string(excluded);
    struct block_plan *p = plan_of(&f);
    enum block_verdict verdict = block_plan_judge(p, &head);
    block_plan_free(p);
    return verdict;
}

static void levels_of_the_head_judge_without_case(void **state)
{
    assert_int_equal(judge(NULL, NULL, NULL), BLOCK_ALL);
    assert_int_equal(judge("INFO", NULL, NULL), BLOCK_SOME);
    assert_int_equal(judge("ärger", NULL, NULL), BLOCK_SOME);
    assert_int_equal(judge("INFO", "ärger", NULL), BLOCK_ALL);
    assert_int_equal(judge("inf", "error", NULL), BLOCK_NONE);
    assert_int_equal(judge(NULL, NULL, "inFo"), BLOCK_SOME);
    assert_int_equal(judge(NULL, NULL, "error"), BLOCK_ALL);
    assert_int_equal(judge("info", NULL, "info"), BLOCK_NONE);
    assert_int_equal(judge("info", "ärger", "info"), BLOCK_SOME);
}

static void a_head_that_counts_no_levels_judges_nothing(void **state)
{
    struct log_filter f;
    struct block_head silent = head;

    silent.levels_len = 0;
    log_filter_init(&f);
    f.levels[f.levels_len++] = SLICE_LITERAL("error");
    struct block_plan *p = plan_of(&f);
    assert_int_equal(block_plan_judge(p, &silent), BLOCK_SOME);
    block_plan_free(p);
}

static void other_predicates_are_never_all(void **state)
{
    struct log_filter with_text, with_excluded, with_attribute;
    struct log_filter *filters[] = {&with_text, &with_excluded, &with_attribute};

    for (size_t i = 0; i < 3; i++)
        log_filter_init(filters[i]);
    with_text.text = SLICE_LITERAL("x");
    with_excluded.excluded_text = SLICE_LITERAL("x");
    with_attribute.attributes[with_attribute.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("x"), SLICE_LITERAL("y"), true};
    for (size_t i = 0; i < 3; i++) {
        struct block_plan *p = plan_of(filters[i]);
        assert_int_equal(block_plan_judge(p, &head), BLOCK_SOME);
        block_plan_free(p);
        filters[i]->excluded_levels[filters[i]->excluded_levels_len++] = SLICE_LITERAL("debug");
        p = plan_of(filters[i]);
        assert_int_equal(block_plan_judge(p, &head), BLOCK_SOME);
        block_plan_free(p);
        filters[i]->levels[filters[i]->levels_len++] = SLICE_LITERAL("error");
        p = plan_of(filters[i]);
        assert_int_equal(block_plan_judge(p, &head), BLOCK_NONE);
        block_plan_free(p);
    }
}

static enum block_verdict judge_tree(enum query_kind kind, const char *level, const char *other)
{
    struct query_builder b;
    bool of_levels = other;

    query_builder_init(&b);
    query_builder_open(&b, kind);
    add_test(&b, QUERY_LEVEL, QUERY_EQUALS, "", level);
    if (other)
        add_test(&b, QUERY_LEVEL, QUERY_EQUALS, "", other);
    else
        add_test(&b, QUERY_MESSAGE, QUERY_HOLDS, "", "x");
    query_builder_close(&b);
    struct block_plan *p = plan_of_tree(&b);
    enum block_verdict verdict = block_plan_judge(p, &head);
    assert_int_equal(block_plan_tells(p, &head), of_levels);
    assert_int_equal(block_plan_is_of_levels(p), of_levels);
    block_plan_free(p);
    return verdict;
}

static void a_head_judges_trees(void **state)
{
    assert_int_equal(judge_tree(QUERY_AND, "info", "warning"), BLOCK_NONE);
    assert_int_equal(judge_tree(QUERY_OR, "info", "fatal"), BLOCK_SOME);
    assert_int_equal(judge_tree(QUERY_AND, "info", NULL), BLOCK_SOME);
    assert_int_equal(judge_tree(QUERY_OR, "trace", NULL), BLOCK_SOME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_words_that_end_within_the_text_are_asked_for),
        cmocka_unit_test(many_words_ask_for_some_of_them),
        cmocka_unit_test(values_are_asked_for_but_not_what_is_excluded),
        cmocka_unit_test(levels_of_the_head_judge_without_case),
        cmocka_unit_test(a_head_that_counts_no_levels_judges_nothing),
        cmocka_unit_test(other_predicates_are_never_all),
        cmocka_unit_test(numbers_that_are_equal_are_asked_for_as_one),
        cmocka_unit_test(alternatives_are_one_clause),
        cmocka_unit_test(an_alternative_that_may_be_anywhere_asks_for_nothing),
        cmocka_unit_test(a_head_judges_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
