#include "block/leaf.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/pass.h"
#include "block/row_set.h"

struct leaf {
    struct block_reader *reader;
    const struct asked_test *test;
    const uint64_t *asked;
    struct leaf_answer *answer;
    size_t rows, words;
};

/* Rows from `from` to before `to`. */
static void add_range(const struct leaf *l, size_t from, size_t to)
{
    for (size_t row = from; row < to; row++)
        row_set_add(l->answer->yes, row);
}

/* ---- Keys ---- */

/* The first row that is not before `us`. */
static size_t row_at(const int64_t *times, size_t len, int64_t us)
{
    size_t low = 0;
    size_t high = len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (times[middle] < us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int ask_times(struct leaf *l, struct errbuf *err)
{
    const struct query_node *node = l->test->node;
    const int64_t *times;
    int error = block_times(l->reader, &times, err);

    if (error)
        return error;
    size_t from = row_at(times, l->rows, node->low_us);
    size_t to = node->high_us == INT64_MAX ? l->rows : row_at(times, l->rows, node->high_us);
    add_range(l, from, to);
    return 0;
}

static int ask_ids(struct leaf *l, struct errbuf *err)
{
    const struct log_key *keys;
    int error = l->test->is_nothing ? 0 : block_keys(l->reader, &keys, err);

    for (size_t row = 0; !error && !l->test->is_nothing && row < l->rows; row++)
        if (memcmp(&keys[row].id, &l->test->id, sizeof(keys[row].id)) == 0)
            row_set_add(l->answer->yes, row);
    return error;
}

/* ---- Levels ---- */

static int ask_levels(struct leaf *l, struct errbuf *err)
{
    uint64_t takes[ROW_SET_WORDS_MAX + 1] = {0}; /* of codes */
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    int error = block_levels(l->reader, &codes, &levels, &levels_len, err);

    for (size_t i = 0; !error && i < levels_len; i++) {
        bool passes;

        error = asked_level(l->test, levels[i], &passes);
        if (error)
            errbuf_set(err, "no memory to compare a level");
        else if (passes)
            row_set_add(takes, i);
    }
    for (size_t i = 0; !error && i < l->rows; i++)
        l->answer->yes[i / 64] |= (uint64_t)row_set_has(takes, codes[i]) << i % 64;
    return error;
}

/* ---- Messages ---- */

static int ask_messages(struct leaf *l, struct errbuf *err)
{
    struct pass_column c = {.json = BLOCK_JSON_NONE, .asked = l->asked};
    enum equal_found found;
    int error = block_messages(l->reader, &c.column, err);

    if (!error)
        error = pass_column(l->reader, l->test, &c, l->answer->yes, &found, &l->answer->by_template,
                            err);
    if (!error && found == EQUAL_ALL)
        row_set_fill(l->answer->yes, l->rows);
    return error;
}

/* ---- Attributes ---- */

/* Looks at each of the values is dear enough to look first whose they are. A regular expression
 * runs on what is asked about alone (pass.h). */
static bool is_dear(const struct leaf *l, const struct column *c)
{
    if (l->test->node->test == QUERY_REGEX)
        return true;
    return l->test->cost >= ASKED_TEXTS && c->kind != COLUMN_CONSTANT &&
           c->kind != COLUMN_DICTIONARY;
}

static int ask_scalars(struct leaf *l, uint32_t number, struct errbuf *err)
{
    const size_t words = ROW_SET_WORDS(block_values_len(l->reader, number)) + 1;
    enum equal_found found = EQUAL_NONE;
    struct block_values values;
    int error = block_scalars(l->reader, number, &values, err);

    if (error)
        return error;
    uint64_t *places = try_malloc(2 * words * sizeof(*places));
    if (!places)
        return errbuf_fail(err, LM_ENOMEM, "no memory to search a block");
    struct pass_column c = {.column = values.column, .json = values.json};
    memset(places, 0, words * sizeof(*places));
    if (is_dear(l, values.column)) {
        error = block_lower(l->reader, number, l->asked, places + words, err);
        c.asked = places + words;
    }
    if (!error)
        error = pass_column(l->reader, l->test, &c, places, &found, NULL, err);
    if (!error && found != EQUAL_NONE)
        error =
            block_lift(l->reader, number, found == EQUAL_ALL ? NULL : places, l->answer->yes, err);
    free(places);
    return error;
}

static int ask_column(struct leaf *l, uint32_t number, enum block_share share, struct errbuf *err)
{
    bool exists = l->test->node->test == QUERY_EXISTS;

    switch (share) {
    case BLOCK_APART:
        break;
    case BLOCK_SCALARS:
        return exists ? block_lift(l->reader, number, NULL, l->answer->yes, err)
                      : ask_scalars(l, number, err);
    case BLOCK_CONTAINERS:
        return exists ? block_lift(l->reader, number, NULL, l->answer->yes, err) : 0;
    case BLOCK_LONG_ARRAYS:
        return block_lift(l->reader, number, NULL, exists ? l->answer->yes : l->answer->maybe, err);
    case BLOCK_HIDDEN:
        return block_lift(l->reader, number, NULL, l->answer->maybe, err);
    }
    return 0;
}

/* `path` NULL: of any. */
static int ask_attributes(struct leaf *l, const struct block_path *path, struct errbuf *err)
{
    uint32_t columns = block_columns_len(l->reader);
    int error = block_strange_rows(l->reader, l->answer->maybe, err);

    for (uint32_t i = 0; i < columns && !error; i++)
        error = ask_column(l, i, block_share(l->reader, i, path), err);
    return error;
}

static int ask_any(struct leaf *l, struct errbuf *err)
{
    int error = ask_messages(l, err);

    l->answer->by_template = false;
    return error ? error : ask_attributes(l, NULL, err);
}

/* ---- The whole ---- */

/* Whether the field has such a test; others are the plain matcher's. */
static bool has_test(const struct query_node *node)
{
    bool is_end = node->test == QUERY_BEGINS || node->test == QUERY_ENDS;

    switch (node->field) {
    case QUERY_MESSAGE:
        return node->test == QUERY_HOLDS || is_end || node->test == QUERY_REGEX ||
               node->test == QUERY_PATTERN;
    case QUERY_LEVEL:
        return node->test == QUERY_EQUALS || is_end || node->test == QUERY_RANGE;
    case QUERY_TIMESTAMP:
        return node->test == QUERY_RANGE;
    case QUERY_ID:
        return node->test == QUERY_EQUALS;
    case QUERY_ATTRIBUTE:
        return node->test != QUERY_HOLDS && node->test != QUERY_PATTERN;
    case QUERY_ANY:
        return node->test == QUERY_HOLDS;
    }
    return false;
}

int leaf_ask(struct block_reader *r, const struct asked_test *t, const uint64_t *asked,
             struct leaf_answer *a, struct errbuf *err)
{
    struct leaf l = {.reader = r, .test = t, .asked = asked, .answer = a, .rows = block_rows(r)};

    l.words = ROW_SET_WORDS(l.rows);
    if (t->node->field != QUERY_ATTRIBUTE && t->node->test == QUERY_EXISTS) {
        row_set_fill(a->yes, l.rows);
        return 0;
    }
    if (!has_test(t->node)) {
        row_set_fill(a->maybe, l.rows);
        return 0;
    }
    switch (t->node->field) {
    case QUERY_MESSAGE:
        return ask_messages(&l, err);
    case QUERY_LEVEL:
        return ask_levels(&l, err);
    case QUERY_TIMESTAMP:
        return ask_times(&l, err);
    case QUERY_ID:
        return ask_ids(&l, err);
    case QUERY_ATTRIBUTE:
        return ask_attributes(&l, &t->path, err);
    case QUERY_ANY:
        return ask_any(&l, err);
    }
    return 0;
}
