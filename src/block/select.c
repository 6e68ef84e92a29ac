/*
 * Each predicate leaves of the rows those that match it. What columns cannot tell of a row is put
 * off: if all else matches, the plain matcher is asked about the rebuilt log, so it is the one who
 * says what a strange log is.
 */
#include "block/select.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "block/decide.h"
#include "block/equal.h"
#include "block/planned.h"
#include "block/row_set.h"

struct selection {
    struct block_reader *reader;
    const struct block_plan *plan;
    size_t len;                           /* rows of the block … */
    size_t words;                         /* … and words of a set of them */
    uint64_t *rows;                       /* that are left */
    bool by_dictionary;                   /* nothing is left because of a column's values, … */
    bool by_template;                     /* … or of the templates of messages */
    uint64_t doubtful[ROW_SET_WORDS_MAX]; /* the plain matcher is to be asked about these */
};

/* ---- Levels ---- */

/* Whether the filter takes the level, as sent. */
static int take_level(const struct block_plan *p, struct slice level, bool *takes)
{
    char room[256];
    char *allocated = NULL;
    char *folded = room;

    if (level.len > sizeof(room) / TEXT_FOLD_GROWTH) {
        folded = allocated = try_malloc(level.len * TEXT_FOLD_GROWTH);
        if (!allocated)
            return LM_ENOMEM;
    }
    *takes = block_plan_takes_level(p, slice_of(folded, text_fold(level, folded)));
    free(allocated);
    return 0;
}

static int select_levels(struct selection *s, struct errbuf *err)
{
    const struct log_filter *f = s->plan->filter;
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    uint64_t takes[ROW_SET_WORDS_MAX + 1] = {0}; /* of codes */

    if (f->levels_len == 0 && f->excluded_levels_len == 0)
        return 0;
    int error = block_levels(s->reader, &codes, &levels, &levels_len, err);
    for (size_t i = 0; i < levels_len && !error; i++) {
        bool takes_it = false;

        error = take_level(s->plan, levels[i], &takes_it);
        if (takes_it)
            row_set_add(takes, i);
    }
    if (error)
        return error;
    for (size_t word = 0; word < s->words; word++) {
        size_t n = s->len - word * 64 < 64 ? s->len - word * 64 : 64;
        uint64_t taken = 0;

        for (size_t i = 0; i < n && s->rows[word]; i++)
            taken |= (uint64_t)row_set_has(takes, codes[word * 64 + i]) << i;
        s->rows[word] &= taken;
    }
    return 0;
}

/* ---- Attributes ---- */

/*
 * Adds to `found` the rows whose values are at `places` of the column; all that have a value, if
 * `places` is NULL. `rows`: those that have one; NULL: all.
 */
static void add_rows(const struct selection *s, const uint64_t *rows, const uint64_t *places,
                     uint64_t *found)
{
    size_t at = 0;

    for (size_t i = 0; i < s->words; i++) {
        if (!places) {
            found[i] |= rows ? rows[i] : UINT64_MAX;
        } else if (rows) {
            found[i] |= row_set_spread(rows[i], row_set_bits_from(places, s->words, at));
            at += (size_t)__builtin_popcountll(rows[i]);
        } else {
            found[i] |= places[i];
        }
    }
}

/* Adds to `found` the rows of `v` that have the value, to `unknown` those that may have it. */
static int find_value(struct selection *s, size_t number, const struct block_values *v,
                      uint64_t *found, uint64_t *unknown, struct errbuf *err)
{
    const struct planned_value *value = &s->plan->values[number];
    bool is_string = v->json == BLOCK_JSON_STRING;
    bool is_odd = is_string && value->is_odd;
    uint64_t places[ROW_SET_WORDS_MAX];
    enum equal_found equal;
    const uint64_t *rows;

    memset(places, 0, s->words * sizeof(*places));
    int error = equal_column(s->reader, v->column,
                             is_string ? value->string : s->plan->filter->attributes[number].value,
                             places, &equal, err);
    if (error || (equal == EQUAL_NONE && !is_odd))
        return error;
    error = block_rows_of(s->reader, v, &rows, err);
    if (error)
        return error;
    if (equal != EQUAL_NONE)
        add_rows(s, rows, equal == EQUAL_ALL ? NULL : places, found);
    if (is_odd)
        add_rows(s, rows, NULL, unknown);
    return 0;
}

static int select_attribute(struct selection *s, size_t number, struct errbuf *err)
{
    const struct log_attribute_filter *wanted = &s->plan->filter->attributes[number];
    uint64_t found[ROW_SET_WORDS_MAX];
    uint64_t unknown[ROW_SET_WORDS_MAX];
    struct block_attribute attribute;
    int error = block_attribute(s->reader, wanted->name, &attribute, err);

    memset(found, 0, s->words * sizeof(*found));
    memset(unknown, 0, s->words * sizeof(*unknown));
    for (size_t i = 0; !error && i < attribute.values_len; i++)
        error = find_value(s, number, &attribute.values[i], found, unknown, err);
    if (error)
        return error;
    for (size_t i = 0; i < s->words; i++) {
        if (attribute.unknown)
            unknown[i] |= attribute.unknown[i];
        s->rows[i] &= unknown[i] | (wanted->excludes ? ~found[i] : found[i]);
        s->doubtful[i] |= unknown[i];
    }
    return 0;
}

static int select_attributes(struct selection *s, struct errbuf *err)
{
    int error = 0;

    for (size_t i = 0; !error && i < s->plan->filter->attributes_len; i++)
        if (!row_set_is_empty(s->rows, s->words))
            error = select_attribute(s, i, err);
    s->by_dictionary = row_set_is_empty(s->rows, s->words);
    return error;
}

/* ---- Texts ---- */

static int select_text(struct selection *s, const struct search_needle *needle, bool excludes,
                       struct errbuf *err)
{
    const struct column *messages;

    if (needle->needle.folded.len == 0 || row_set_is_empty(s->rows, s->words))
        return 0;
    int error = block_messages(s->reader, &messages, err);
    if (error)
        return error;
    return search_column(s->reader, messages, needle, excludes, s->rows, &s->by_template, err);
}

/* ---- The tree ---- */

static int select_by_tree(struct selection *s, struct errbuf *err)
{
    uint64_t maybe[ROW_SET_WORDS_MAX];
    struct decide_why why;

    if (row_set_is_empty(s->rows, s->words))
        return 0;
    int error = decide_rows(s->reader, &s->plan->tree, s->rows, maybe, &why, err);
    if (error)
        return error;
    for (size_t i = 0; i < s->words; i++)
        s->doubtful[i] |= maybe[i];
    s->by_dictionary |= why.by_dictionary;
    s->by_template |= why.by_template;
    return 0;
}

/* ---- The plain matcher ---- */

static int ask_matcher(struct selection *s, size_t row, struct errbuf *err)
{
    struct record record;
    bool matches;
    int error = block_record(s->reader, row, &record, err);

    if (error)
        return error;
    error = log_matcher_match(s->plan->matcher, &record, &matches, err);
    if (error)
        return error;
    if (!matches)
        row_set_remove(s->rows, row);
    return 0;
}

static int ask_about_doubtful(struct selection *s, uint64_t *asked, struct errbuf *err)
{
    for (size_t word = 0; word < s->words; word++) {
        for (uint64_t left = s->rows[word] & s->doubtful[word]; left; left &= left - 1) {
            int error = ask_matcher(s, word * 64 + (size_t)__builtin_ctzll(left), err);

            if (error)
                return error;
            ++*asked;
        }
    }
    return 0;
}

/* ---- The whole ---- */

static void count(const struct selection *s, struct block_explain *explain)
{
    if (s->by_dictionary)
        explain->by_dictionary++;
    else if (s->by_template)
        explain->by_template++;
    if (s->by_dictionary || s->by_template)
        return;
    explain->blocks_read++;
    explain->rows += s->len;
}

int block_select(struct block_reader *r, const struct block_plan *p, uint64_t *rows,
                 struct block_explain *explain, struct errbuf *err)
{
    struct selection s = {.reader = r, .plan = p, .len = block_rows(r), .rows = rows};
    uint64_t asked = 0;
    int error;

    s.words = BLOCK_ROW_WORDS(s.len);
    if (!log_matcher_has_predicates(p->matcher) || row_set_is_empty(rows, s.words))
        return 0;
    error = select_attributes(&s, err);
    if (!error)
        error = select_text(&s, &p->text, false, err);
    if (!error && !row_set_is_empty(rows, s.words))
        error = select_levels(&s, err);
    if (!error)
        error = select_text(&s, &p->excluded_text, true, err);
    if (!error && p->has_tree)
        error = select_by_tree(&s, err);
    if (!error)
        error = ask_about_doubtful(&s, &asked, err);
    if (error || !explain)
        return error;
    count(&s, explain);
    explain->rows_matched += asked;
    return 0;
}
