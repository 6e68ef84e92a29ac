/*
 * A column tells of many texts at once: one for all, an entry for those that have its code, numbers
 * by their bounds. Of other texts, those are out that do not hold what each that passes has to
 * (search.h); what is left is looked at one by one.
 */
#include "block/pass.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "block/row_set.h"
#include "block/spelling.h"
#include "query/pattern.h"

struct pass {
    struct block_reader *reader;
    const struct asked_test *test;
    const struct column *column;
    enum block_json json;
    struct buffer text;   /* one that was built of a template */
    struct buffer chars;  /* a string whose escapes are undone */
    struct buffer folded; /* … without case */
    uint64_t steps;
};

/* ---- One text ---- */

/* The characters of a string of JSON; any other text is as it is. */
static int read_chars(struct pass *p, struct slice *text)
{
    if (p->json != BLOCK_JSON_STRING || text->len == 0 || !memchr(text->data, '\\', text->len))
        return 0;
    buffer_clear(&p->chars);
    char *to = buffer_reserve(&p->chars, text->len);
    if (!to)
        return LM_ENOMEM;
    *text = slice_of(to, block_string_read(*text, to));
    return 0;
}

static int fold(struct pass *p, struct slice *text)
{
    buffer_clear(&p->folded);
    char *to = buffer_reserve(&p->folded, TEXT_FOLD_GROWTH * text->len + 1);
    if (!to)
        return LM_ENOMEM;
    *text = slice_of(to, text_fold(*text, to));
    return 0;
}

static bool is_between(const struct asked_test *t, const struct number *n)
{
    const struct query_node *node = t->node;
    bool is_equals = node->test == QUERY_EQUALS;

    if (t->has_low) {
        int order = number_compare(n, &t->low);

        if (order < 0 || (order == 0 && !node->low_included && !is_equals))
            return false;
    }
    if (t->has_high) {
        int order = number_compare(n, &t->high);

        if (order > 0 || (order == 0 && !node->high_included && !is_equals))
            return false;
    }
    return true;
}

/* Of RANGE, and EQUALS by value. */
static bool number_passes(const struct pass *p, struct slice text)
{
    struct number n;
    bool is_number = p->json == BLOCK_JSON_NUMBER   ? number_parse(text, &n)
                     : p->json == BLOCK_JSON_STRING ? number_parse_string(text, &n)
                                                    : false;

    return p->test->is_number && is_number && is_between(p->test, &n);
}

static bool has_at_end(struct slice s, struct slice text, bool at_start)
{
    const char *start;

    if (s.len < text.len || text.len == 0)
        return text.len == 0;
    start = at_start ? s.data : s.data + s.len - text.len;
    return memcmp(start, text.data, text.len) == 0;
}

static bool holds(struct slice s, struct slice text)
{
    return text.len == 0 || (s.len > 0 && memmem(s.data, s.len, text.data, text.len));
}

/* Messages are compared without case, attributes with it. */
static int end_passes(struct pass *p, struct slice text, bool *passes)
{
    bool with_case = p->json != BLOCK_JSON_NONE;
    int error = with_case ? 0 : fold(p, &text);

    *passes = !error && has_at_end(text, with_case ? p->test->node->text : p->test->folded,
                                   p->test->node->test == QUERY_BEGINS);
    return error;
}

static int text_passes(struct pass *p, struct slice text, bool *passes)
{
    const struct asked_test *t = p->test;
    int error = read_chars(p, &text);

    *passes = false;
    if (error)
        return error;
    switch (t->node->test) {
    case QUERY_EXISTS:
        *passes = true;
        return 0;
    case QUERY_EQUALS:
        *passes = p->json == BLOCK_JSON_NUMBER ? number_passes(p, text)
                                               : slice_equal(text, t->node->text);
        return 0;
    case QUERY_HOLDS:
        error = fold(p, &text);
        *passes = !error && (t->message.len == 0 ||
                             text_needle_is_in(&t->message.needles[0].needle, text, &p->steps));
        return error;
    case QUERY_BEGINS:
    case QUERY_ENDS:
        return end_passes(p, text, passes);
    case QUERY_CONTAINS:
        *passes = holds(text, t->node->text);
        return 0;
    case QUERY_REGEX:
        return regex_match(t->regex, text, passes, NULL);
    case QUERY_PATTERN:
        *passes = pattern_is_of(t->node->text, text);
        return 0;
    case QUERY_RANGE:
        *passes = number_passes(p, text);
        return 0;
    }
    return 0;
}

/* ---- Texts of a column ---- */

static int build_text(struct pass *p, size_t i, struct slice *text, struct errbuf *err)
{
    const struct templates *all = p->column->templates;
    char room[COLUMN_ROOM];
    int error = all->codes ? 0 : block_codes(p->reader, all, err);

    *text = SLICE_LITERAL("");
    if (error || !all->codes)
        return error;
    const struct template *t = &all->templates[all->codes[i]];
    const struct template_pool *pool = &all->pools[t->pool];
    if (t->slots > 0 && !pool->columns)
        error = block_pool(p->reader, all, t->pool, err);
    if (error || (t->slots > 0 && !pool->columns))
        return error;
    buffer_clear(&p->text);
    for (uint32_t k = 0; k < t->slots; k++) {
        buffer_append_slice(&p->text, t->pieces[k]);
        buffer_append_slice(&p->text, column_text(&pool->columns[k], all->places[i], room));
    }
    buffer_append_slice(&p->text, t->pieces[t->slots]);
    *text = buffer_slice(&p->text);
    return buffer_error(&p->text);
}

static int place_passes(struct pass *p, size_t i, bool *passes, struct errbuf *err)
{
    char room[COLUMN_ROOM];
    struct slice text;

    if (p->column->kind == COLUMN_TEMPLATES) {
        int error = build_text(p, i, &text, err);

        return error ? error : text_passes(p, text, passes);
    }
    return text_passes(p, column_text(p->column, i, room), passes);
}

/* ---- Entries ---- */

/* The entries that places which are asked about have; of a regular expression alone, which is dear
 * enough. */
static void find_asked(const struct pass *p, const uint64_t *asked, uint64_t *entries)
{
    const struct column *c = p->column;

    if (!asked || p->test->node->test != QUERY_REGEX) {
        row_set_fill(entries, c->entries_len);
        return;
    }
    memset(entries, 0, ROW_SET_WORDS(c->entries_len) * sizeof(*entries));
    for (size_t word = 0; word < ROW_SET_WORDS(c->len); word++)
        for (uint64_t left = asked[word]; left; left &= left - 1)
            row_set_add(entries,
                        numbers_get(&c->numbers, word * 64 + (size_t)__builtin_ctzll(left)));
}

static int find_entries(struct pass *p, const uint64_t *asked, uint64_t *places,
                        enum equal_found *found)
{
    const struct column *c = p->column;
    uint64_t *takes = try_malloc((ROW_SET_WORDS(c->entries_len) + 1) * sizeof(*takes));
    uint32_t looked_at = 0, taken = 0;
    int error = takes ? 0 : LM_ENOMEM;

    if (takes)
        find_asked(p, asked, takes);
    for (uint32_t i = 0; i < c->entries_len && !error; i++) {
        bool passes;

        if (!row_set_has(takes, i))
            continue;
        error = text_passes(p, c->entries[i], &passes);
        looked_at++;
        if (!error && passes)
            taken++;
        else
            row_set_remove(takes, i);
    }
    *found = taken == 0 ? EQUAL_NONE : taken == looked_at ? EQUAL_ALL : EQUAL_SOME;
    for (size_t i = 0; i < c->len && !error && *found == EQUAL_SOME; i++)
        places[i / 64] |= (uint64_t)row_set_has(takes, numbers_get(&c->numbers, i)) << i % 64;
    free(takes);
    return error;
}

/* ---- Numbers ---- */

/* value / 10^scale, as JSON has it. */
static struct slice write_decimal(int64_t value, unsigned scale, char room[COLUMN_ROOM])
{
    char *end = room + COLUMN_ROOM;
    char *p = end;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    for (unsigned digits = 0; left > 0 || digits <= scale; digits++) {
        if (digits > 0 && digits == scale)
            *--p = '.';
        *--p = (char)('0' + left % 10);
        left /= 10;
    }
    if (value < 0)
        *--p = '-';
    return slice_of(p, (size_t)(end - p));
}

/* The order of a number of the column and a bound. */
static int compare(const struct column *c, int64_t value, const struct number *bound)
{
    char room[COLUMN_ROOM];
    struct number n;

    if (!number_parse(write_decimal(value, c->kind == COLUMN_DECIMAL ? c->scale : 0, room), &n))
        return 0; /* it is one */
    return number_compare(&n, bound);
}

/* The lowest of the column's numbers from `min` to `max` that is above the bound, or equal to it if
 * `included`; `*any` false: none is. */
static int64_t lowest_above(const struct column *c, const struct number *bound, bool included,
                            bool *any)
{
    int64_t low = c->min;
    int64_t high = c->max;
    int least = included ? 0 : 1;

    *any = compare(c, high, bound) >= least;
    while (*any && low < high) {
        int64_t middle = low + (int64_t)(((uint64_t)high - (uint64_t)low) / 2);

        if (compare(c, middle, bound) >= least)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Those from `low` to `high`. */
static enum equal_found find_between(const struct column *c, int64_t low, int64_t high,
                                     uint64_t *places)
{
    const uint64_t width = (uint64_t)high - (uint64_t)low;
    uint64_t any = 0;

    if (low <= c->min && high >= c->max)
        return EQUAL_ALL;
    for (size_t word = 0; word < ROW_SET_WORDS(c->len); word++) {
        size_t n = c->len - word * 64 < 64 ? c->len - word * 64 : 64;
        uint64_t bits = 0;

        for (size_t i = 0; i < n; i++)
            bits |= (uint64_t)(numbers_get(&c->numbers, word * 64 + i) - (uint64_t)low <= width)
                    << i;
        places[word] |= bits;
        any |= bits;
    }
    return any ? EQUAL_SOME : EQUAL_NONE;
}

/* Numbers that are kept as such, and are spelled as JSON has them. */
static enum equal_found find_numbers(const struct pass *p, uint64_t *places)
{
    const struct asked_test *t = p->test;
    const struct column *c = p->column;
    bool is_equals = t->node->test == QUERY_EQUALS;
    int64_t low = c->min;
    int64_t high = c->max;
    bool any = true;

    if (!t->is_number || c->min > c->max)
        return EQUAL_NONE;
    if (t->has_low)
        low = lowest_above(c, &t->low, is_equals || t->node->low_included, &any);
    if (!any)
        return EQUAL_NONE;
    if (t->has_high) {
        int64_t beyond = lowest_above(c, &t->high, !is_equals && !t->node->high_included, &any);

        if (any && beyond == c->min)
            return EQUAL_NONE;
        high = any ? beyond - 1 : c->max;
    }
    return low > high ? EQUAL_NONE : find_between(c, low, high, places);
}

/* ---- Places ---- */

static bool is_of_numbers(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!s.data[i] || !strchr("0123456789+-.eE", s.data[i]))
            return false;
    return true;
}

/* False if no text of the column can be a number. */
static bool may_be_number(const struct column *c)
{
    const struct templates *all = c->templates;

    if (c->kind == COLUMN_UUID)
        return false;
    if (c->kind != COLUMN_TEMPLATES)
        return true;
    for (uint32_t i = 0; i < all->templates_len; i++) {
        uint32_t k = 0;

        while (k <= all->templates[i].slots && is_of_numbers(all->templates[i].pieces[k]))
            k++;
        if (k > all->templates[i].slots)
            return true;
    }
    return false;
}

/* Whether having the needle is all that the test asks. */
static bool is_search(const struct pass *p)
{
    return p->test->node->test == QUERY_HOLDS && p->json == BLOCK_JSON_NONE;
}

/* Leaves of `places` those that hold what they have to. */
static int search(struct pass *p, uint64_t *places, bool *by_template, struct errbuf *err)
{
    const struct asked_needles *n =
        p->json == BLOCK_JSON_NONE ? &p->test->message : &p->test->strings;
    size_t words = ROW_SET_WORDS(p->column->len);
    int error = 0;

    for (size_t i = 0; i < n->len && !error && !row_set_is_empty(places, words); i++)
        error =
            search_column(p->reader, p->column, &n->needles[i], false, places, by_template, err);
    return error;
}

static int ask_each(struct pass *p, uint64_t *places, struct errbuf *err)
{
    for (size_t word = 0; word < ROW_SET_WORDS(p->column->len); word++) {
        for (uint64_t left = places[word]; left; left &= left - 1) {
            size_t i = word * 64 + (size_t)__builtin_ctzll(left);
            bool passes;
            int error = place_passes(p, i, &passes, err);

            if (error)
                return error;
            if (!passes)
                row_set_remove(places, i);
        }
    }
    return 0;
}

static int find_places(struct pass *p, const uint64_t *asked, uint64_t *places,
                       enum equal_found *found, bool *by_template, struct errbuf *err)
{
    size_t words = ROW_SET_WORDS(p->column->len);
    uint64_t *left = try_malloc((words + 1) * sizeof(*left));
    int error = left ? 0 : LM_ENOMEM;

    if (left && asked)
        memcpy(left, asked, words * sizeof(*left));
    else if (left)
        row_set_fill(left, p->column->len);
    if (!error)
        error = search(p, left, by_template, err);
    if (!error && !is_search(p))
        error = ask_each(p, left, err);
    for (size_t i = 0; i < words && !error; i++) {
        places[i] |= left[i];
        if (left[i])
            *found = EQUAL_SOME;
    }
    free(left);
    return error;
}

/* ---- The whole ---- */

/* By value. */
static bool asks_number(const struct pass *p)
{
    return p->test->node->test == QUERY_RANGE ||
           (p->test->node->test == QUERY_EQUALS && p->json == BLOCK_JSON_NUMBER);
}

static bool is_plain_equality(const struct pass *p)
{
    return p->test->node->test == QUERY_EQUALS && p->json != BLOCK_JSON_NUMBER &&
           !(p->json == BLOCK_JSON_STRING && p->test->is_odd);
}

static int find(struct pass *p, const struct pass_column *c, uint64_t *places,
                enum equal_found *found, bool *by_template, struct errbuf *err)
{
    const struct column *column = c->column;
    bool passes;
    int error;

    if (asks_number(p) && (!p->test->is_number || p->json == BLOCK_JSON_LITERAL))
        return 0;
    if (is_search(p))
        return find_places(p, c->asked, places, found, by_template, err);
    if (p->test->node->test == QUERY_REGEX && c->asked &&
        row_set_is_empty(c->asked, ROW_SET_WORDS(column->len)))
        return 0;
    switch (column->kind) {
    case COLUMN_CONSTANT:
        error = text_passes(p, column->entries[0], &passes);
        *found = !error && passes ? EQUAL_ALL : EQUAL_NONE;
        return error;
    case COLUMN_DICTIONARY:
        return find_entries(p, c->asked, places, found);
    case COLUMN_INTEGER:
    case COLUMN_DECIMAL:
        if (!asks_number(p) || (column->kind == COLUMN_INTEGER && column->digits > 0))
            break;
        *found = find_numbers(p, places);
        return 0;
    default:
        break;
    }
    if (asks_number(p) && !may_be_number(column))
        return 0;
    if (is_plain_equality(p))
        return equal_column(p->reader, column,
                            p->json == BLOCK_JSON_STRING ? p->test->string : p->test->node->text,
                            places, found, err);
    return find_places(p, c->asked, places, found, by_template, err);
}

int pass_column(struct block_reader *r, const struct asked_test *t, const struct pass_column *c,
                uint64_t *places, enum equal_found *found, bool *by_template, struct errbuf *err)
{
    struct pass p = {.reader = r, .test = t, .column = c->column, .json = c->json};
    bool ignored;

    buffer_init(&p.text, SIZE_MAX / 4);
    buffer_init(&p.chars, SIZE_MAX / 4);
    buffer_init(&p.folded, SIZE_MAX / 4);
    *found = EQUAL_NONE;
    int error = find(&p, c, places, found, by_template ? by_template : &ignored, err);
    if (error == LM_ENOMEM)
        errbuf_set(err, "no memory to search a block");
    else if (error == LM_ETOOBIG)
        errbuf_set(err, "the regular expression /%.*s/ takes too many steps on a log",
                   SLICE_ARG(t->node->text));
    buffer_release(&p.text);
    buffer_release(&p.chars);
    buffer_release(&p.folded);
    return error;
}
