/*
 * Attributes by path: which columns have a part in what is at a path, and which of their values are
 * those of which rows. A column has one path, the names above it with dots between them, since
 * arrays stand for their elements; so it is compared from its end, column by column upwards.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "block/attributes_columns.h"
#include "block/row_set.h"

static const char *const WHAT = "its attributes";

/* ---- Which columns ---- */

/* The array that has the element, or the array that has that, … whose parent is an object; or 0. */
static uint32_t named_of(const struct attributes_reader *a, uint32_t number)
{
    while (number > 0 && a->columns[a->columns[number].parent].kind == ATTRIBUTES_ARRAY)
        number = a->columns[number].parent;
    return number;
}

static bool strip_end(struct slice *s, struct slice end)
{
    if (s->len < end.len || (end.len && memcmp(s->data + s->len - end.len, end.data, end.len) != 0))
        return false;
    s->len -= end.len;
    return true;
}

/* Whether the path of the column, which is not the first, is `path`. */
static bool is_at(const struct attributes_reader *a, uint32_t number, struct slice path)
{
    number = named_of(a, number);
    while (strip_end(&path, a->columns[number].name)) {
        number = named_of(a, a->columns[number].parent);
        if (number == 0)
            return path.len == 0;
        if (!strip_end(&path, SLICE_LITERAL(".")))
            return false;
    }
    return false;
}

/* How long the path of a column is. */
static size_t path_len(const struct attributes_reader *a, uint32_t number)
{
    size_t len = 0;

    for (number = named_of(a, number); number > 0;) {
        len += a->columns[number].name.len;
        number = named_of(a, a->columns[number].parent);
        len += number > 0;
    }
    return len;
}

/* Whether `path` goes on below that of the column. */
static bool is_above(const struct attributes_reader *a, uint32_t number,
                     const struct block_path *path)
{
    number = named_of(a, number);
    if (number == 0)
        return true;
    size_t len = path->is_name ? SIZE_MAX : path_len(a, number);
    return len < path->spelled.len && path->spelled.data[len] == '.' &&
           is_at(a, number, slice_of(path->spelled.data, len));
}

static bool is_top(const struct attributes_reader *a, uint32_t number)
{
    return a->columns[named_of(a, number)].parent == 0;
}

static enum block_share share_of_any(enum attributes_kind kind)
{
    if (attributes_is_container(kind))
        return BLOCK_APART;
    return kind == ATTRIBUTES_RAW || kind == ATTRIBUTES_MEMBER ? BLOCK_HIDDEN : BLOCK_SCALARS;
}

enum block_share attributes_paths_share(const struct attributes_reader *a, uint32_t number,
                                        const struct block_path *path)
{
    enum attributes_kind kind = a->columns[number].kind;

    if (number == 0 || a->columns[number].len == 0)
        return BLOCK_APART;
    if (!path)
        return share_of_any(kind);
    if (kind == ATTRIBUTES_MEMBER)
        return is_above(a, a->columns[number].parent, path) ? BLOCK_HIDDEN : BLOCK_APART;
    if (is_at(a, number, path->spelled) && (!path->is_name || is_top(a, number)))
        return attributes_is_container(kind) ? BLOCK_CONTAINERS
               : kind == ATTRIBUTES_RAW      ? BLOCK_LONG_ARRAYS
                                             : BLOCK_SCALARS;
    return kind == ATTRIBUTES_RAW && is_above(a, number, path) ? BLOCK_HIDDEN : BLOCK_APART;
}

/* Recursive, up to ATTRIBUTES_DEPTH_MAX. */
void attributes_paths_spell(const struct attributes_reader *a, uint32_t number, struct buffer *b)
{
    uint32_t parent;

    number = named_of(a, number);
    parent = number > 0 ? named_of(a, a->columns[number].parent) : 0;
    if (parent > 0) {
        attributes_paths_spell(a, parent, b);
        buffer_append_char(b, '.');
    }
    if (number > 0)
        buffer_append_slice(b, a->columns[number].name);
}

uint32_t attributes_paths_columns(const struct attributes_reader *a)
{
    return a->columns_len;
}

size_t attributes_paths_values(const struct attributes_reader *a, uint32_t number)
{
    return a->columns[number].len;
}

int attributes_paths_scalars(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                             struct block_values *v, struct errbuf *err)
{
    const struct attribute_column *c = &a->columns[number];

    *v = (struct block_values){.json = c->kind == ATTRIBUTES_STRING    ? BLOCK_JSON_STRING
                                       : c->kind == ATTRIBUTES_LITERAL ? BLOCK_JSON_LITERAL
                                                                       : BLOCK_JSON_NUMBER,
                               .number = number};
    return template_load(r, c->texts, WHAT, &v->column, err);
}

/* ---- Which rows ---- */

/* Makes the column and those above it ready; `*most` is how many values the longest of them has. */
static int load_chain(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                      size_t *most, struct errbuf *err)
{
    uint32_t chain[ATTRIBUTES_DEPTH_MAX + 2];
    size_t len = 0;
    int error = attributes_reader_load_rows(r, a, err);

    *most = a->rows;
    for (uint32_t i = number; !error; i = a->columns[i].parent) {
        if (len == sizeof(chain) / sizeof(*chain))
            return stream_damaged(r, WHAT, err);
        chain[len++] = i;
        *most = a->columns[i].len > *most ? a->columns[i].len : *most;
        if (i == 0)
            break;
    }
    while (!error && len > 0)
        error = attributes_reader_load_column(r, a, chain[--len], err);
    return error;
}

/* The bits of `set`, one after the other, go to those places whose bit in `places` is set. */
static void spread_all(const uint64_t *places, size_t words, const uint64_t *set, size_t set_len,
                       uint64_t *to)
{
    size_t at = 0;

    for (size_t i = 0; i < words; i++) {
        to[i] = row_set_spread(places[i], row_set_bits_from(set, ROW_SET_WORDS(set_len), at));
        at += (size_t)__builtin_popcountll(places[i]);
    }
}

/* The other way: the bits of `set` in `places`, one after the other. `to` is zeroes. */
static void gather_all(const uint64_t *places, size_t words, const uint64_t *set, uint64_t *to)
{
    size_t at = 0;

    for (size_t i = 0; i < words; i++)
        for (uint64_t left = places[i]; left; left &= left - 1, at++)
            if (set[i] & left & -left)
                row_set_add(to, at);
}

/* Which values of its parent have one of `places` of a column. */
static void lift(const struct attributes_reader *a, const struct attribute_column *c,
                 const uint64_t *places, uint64_t *to)
{
    uint32_t parents = a->columns[c->parent].len;
    size_t words = ROW_SET_WORDS(parents);
    uint32_t value = 0;

    if (c->ranks.is_each) {
        memcpy(to, places, words * sizeof(*to));
        return;
    }
    if (c->ranks.bits) {
        spread_all(c->ranks.bits, words, places, c->len, to);
        return;
    }
    memset(to, 0, words * sizeof(*to));
    for (size_t i = 0; i < ROW_SET_WORDS(c->len); i++) {
        for (uint64_t left = places[i]; left; left &= left - 1) {
            size_t place = i * 64 + (size_t)__builtin_ctzll(left);

            while (value < parents && c->ranks.before[value + 1] <= place)
                value++;
            if (value < parents)
                row_set_add(to, value);
        }
    }
}

/* Which places of a column belong to `values` of its parent. */
static void lower(const struct attributes_reader *a, const struct attribute_column *c,
                  const uint64_t *values, uint64_t *to)
{
    uint32_t parents = a->columns[c->parent].len;
    size_t words = ROW_SET_WORDS(parents);

    if (c->ranks.is_each) {
        memcpy(to, values, words * sizeof(*to));
        return;
    }
    memset(to, 0, ROW_SET_WORDS(c->len) * sizeof(*to));
    if (c->ranks.bits) {
        gather_all(c->ranks.bits, words, values, to);
        return;
    }
    for (uint32_t value = 0; value < parents; value++)
        for (uint32_t i = c->ranks.before[value];
             row_set_has(values, value) && i < c->ranks.before[value + 1]; i++)
            row_set_add(to, i);
}

/* Which rows are trees; NULL: all. */
static int find_trees(struct stream_reader *r, struct attributes_reader *a, const uint64_t **trees)
{
    *trees = a->trees;
    if (a->trees || a->columns[0].len == a->rows)
        return 0;

    uint64_t *made = stream_memory(r, ROW_SET_WORDS(a->rows), sizeof(*made));
    if (!made)
        return LM_ENOMEM;
    memset(made, 0, ROW_SET_WORDS(a->rows) * sizeof(*made));
    for (uint32_t row = 0; row < a->rows; row++)
        if (numbers_get(&a->kinds, row) == ATTRIBUTES_TREE)
            row_set_add(made, row);
    *trees = a->trees = made;
    return 0;
}

/* Two sets for values of any column of a chain. */
static uint64_t *new_sets(size_t values, size_t *words)
{
    *words = ROW_SET_WORDS(values) + 1;
    return try_malloc(2 * *words * sizeof(uint64_t));
}

int attributes_paths_lift(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                          const uint64_t *places, uint64_t *rows, struct errbuf *err)
{
    const size_t row_words = ROW_SET_WORDS(a->rows);
    const uint64_t *trees;
    size_t most, words;
    int error = load_chain(r, a, number, &most, err);

    if (!error)
        error = find_trees(r, a, &trees);
    if (error)
        return error;
    uint64_t *sets = new_sets(most, &words);
    if (!sets)
        return LM_ENOMEM;
    uint64_t *from = sets, *to = sets + words;
    size_t len = a->columns[number].len;
    if (places)
        memcpy(from, places, ROW_SET_WORDS(len) * sizeof(*from));
    else
        row_set_fill(from, len);
    for (uint32_t i = number; i > 0; i = a->columns[i].parent) {
        uint64_t *lifted = to;

        lift(a, &a->columns[i], from, to);
        to = from;
        from = lifted;
    }
    if (trees) {
        spread_all(trees, row_words, from, a->columns[0].len, to);
        from = to;
    }
    for (size_t i = 0; i < row_words; i++)
        rows[i] |= from[i];
    free(sets);
    return 0;
}

int attributes_paths_is_single(struct stream_reader *r, struct attributes_reader *a,
                               uint32_t number, bool *is_single, struct errbuf *err)
{
    size_t most;
    int error = load_chain(r, a, number, &most, err);

    *is_single = true;
    for (uint32_t i = number; !error && i > 0; i = a->columns[i].parent)
        *is_single = *is_single && (a->columns[i].ranks.is_each || a->columns[i].ranks.bits);
    return error;
}

bool attributes_paths_is_array(const struct attributes_reader *a, uint32_t number)
{
    return a->columns[number].kind == ATTRIBUTES_ARRAY;
}

int attributes_paths_lift_empty(struct stream_reader *r, struct attributes_reader *a,
                                uint32_t number, uint64_t *rows, struct errbuf *err)
{
    const struct attribute_column *c = &a->columns[number];
    bool any = false;
    size_t most;
    int error = load_chain(r, a, number, &most, err);

    if (error)
        return error;
    uint64_t *places = try_malloc((ROW_SET_WORDS(c->len) + 1) * sizeof(*places));
    if (!places)
        return LM_ENOMEM;
    memset(places, 0, (ROW_SET_WORDS(c->len) + 1) * sizeof(*places));
    for (uint32_t i = 0; i < c->len; i++) {
        if (c->layouts[numbers_get(&c->codes, i)].len == 0) {
            row_set_add(places, i);
            any = true;
        }
    }
    error = any ? attributes_paths_lift(r, a, number, places, rows, err) : 0;
    free(places);
    return error;
}

int attributes_paths_lower(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                           const uint64_t *rows, uint64_t *places, struct errbuf *err)
{
    uint32_t chain[ATTRIBUTES_DEPTH_MAX + 2];
    const uint64_t *trees;
    size_t most, words;
    size_t len = 0;
    int error = load_chain(r, a, number, &most, err); /* which is no longer than `chain` */

    if (!error)
        error = find_trees(r, a, &trees);
    if (error)
        return error;
    uint64_t *sets = new_sets(most, &words);
    if (!sets)
        return LM_ENOMEM;
    uint64_t *from = sets, *to = sets + words;
    memset(from, 0, words * sizeof(*from));
    if (trees)
        gather_all(trees, ROW_SET_WORDS(a->rows), rows, from);
    else
        memcpy(from, rows, ROW_SET_WORDS(a->rows) * sizeof(*from));
    for (uint32_t i = number; i > 0; i = a->columns[i].parent)
        chain[len++] = i;
    while (len > 0) {
        uint64_t *lowered = to;

        lower(a, &a->columns[chain[--len]], from, to);
        to = from;
        from = lowered;
    }
    memcpy(places, from, ROW_SET_WORDS(a->columns[number].len) * sizeof(*places));
    free(sets);
    return 0;
}

int attributes_paths_texts(struct stream_reader *r, struct attributes_reader *a, uint64_t *rows,
                           struct errbuf *err)
{
    if (a->texts_len == 0)
        return 0;
    int error = attributes_reader_load_rows(r, a, err);
    for (uint32_t row = 0; !error && row < a->rows; row++)
        if (numbers_get(&a->kinds, row) == ATTRIBUTES_TEXT)
            row_set_add(rows, row);
    return error;
}
