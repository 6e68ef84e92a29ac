#include "block/asked.h"

#include <limits.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "block/words.h"
#include "query/levels.h"
#include "query/path.h"
#include "query/pattern.h"
#include "json/writer.h"

/* ---- Texts ---- */

enum { ESCAPE_GROWTH = 6, QUOTES = 2 };

static int fold(struct asked *a, struct slice text, struct slice *folded)
{
    char *to = arena_take(&a->arena, TEXT_FOLD_GROWTH * text.len + 1);

    if (!to)
        return LM_ENOMEM;
    *folded = slice_of(to, text_fold(text, to));
    return 0;
}

/* As a JSON string has it, without quotes. */
static int spell(struct asked *a, struct slice text, struct slice *spelled)
{
    size_t room = ESCAPE_GROWTH * text.len + QUOTES;
    char *to = arena_take(&a->arena, room);
    struct buffer b;

    if (!to)
        return LM_ENOMEM;
    buffer_init_over(&b, to, room);
    json_append_string(&b, text);
    *spelled = slice_of(b.data + 1, b.len - QUOTES);
    return 0;
}

static bool has(struct slice s, const char *text)
{
    return s.len && memmem(s.data, s.len, text, strlen(text));
}

/* Whether what is spelled so may be spelled in another way, too. */
static bool is_odd(struct slice spelled)
{
    return has(spelled, "\\u007f") || has(spelled, "\\ufffe") || has(spelled, "\\uffff");
}

static void add_needle(struct asked_needles *n, struct slice folded)
{
    if (folded.len > 0 && n->len < REGEX_LITERALS_MAX)
        search_needle_init(&n->needles[n->len++], folded);
}

/* What a text that passes holds `text`, in messages and in strings. */
static int add_needles(struct asked *a, struct asked_test *t, struct slice text)
{
    struct slice folded, spelled;
    int error = fold(a, text, &folded);

    if (!error)
        error = spell(a, text, &spelled);
    if (error)
        return error;
    add_needle(&t->message, folded);
    if (is_odd(spelled))
        return 0;
    error = fold(a, spelled, &folded);
    if (!error)
        add_needle(&t->strings, folded);
    return error;
}

/* ---- Tests ---- */

static int init_regex(struct asked *a, struct asked_test *t)
{
    const struct slice *literals;
    bool with_case;
    size_t offset;
    struct errbuf err;
    int error = regex_new(t->node->text, &t->regex, &offset, &err);

    if (error)
        return error;
    size_t n = regex_literals(t->regex, &literals, &with_case);
    for (size_t i = 0; i < n && !error; i++)
        error = add_needles(a, t, literals[i]);
    return error;
}

static int init_pattern(struct asked *a, struct asked_test *t)
{
    struct slice pieces[PATTERN_PIECES_MAX];
    size_t n = pattern_pieces(t->node->text, pieces);
    int error = 0;

    for (size_t i = 0; i < n && !error; i++)
        error = add_needles(a, t, pieces[i]);
    return error;
}

/* The lowest, or highest, severity that a bound includes. */
static int bound_of(struct slice level, bool included, int step, int none)
{
    int severity = level.data ? level_severity(level) : none;

    return level.data && !included ? severity + step : severity;
}

static bool init_severities(struct asked_test *t)
{
    const struct query_node *node = t->node;

    t->severity_low = bound_of(node->low, node->low_included, 1, 0);
    t->severity_high = bound_of(node->high, node->high_included, -1, INT_MAX);
    return (node->low.data && level_severity(node->low) == LEVEL_WITHOUT_SEVERITY) ||
           (node->high.data && level_severity(node->high) == LEVEL_WITHOUT_SEVERITY);
}

/* True if a bound is no number. */
static bool init_bounds(struct asked_test *t)
{
    const struct query_node *node = t->node;

    t->has_low = node->low.data;
    t->has_high = node->high.data;
    t->is_number = (!t->has_low || number_parse(node->low, &t->low)) &&
                   (!t->has_high || number_parse(node->high, &t->high));
    return !t->is_number;
}

static void init_equals(struct asked_test *t)
{
    struct errbuf err;

    if (t->node->field == QUERY_ID)
        t->is_nothing = uuid_parse(t->node->text, &t->id, &err) != 0;
    if (t->node->field != QUERY_ATTRIBUTE)
        return;
    t->is_number = number_parse(t->node->text, &t->low);
    t->has_low = t->has_high = t->is_number;
    t->high = t->low;
}

static bool is_name(struct slice path)
{
    size_t dots = 0;

    for (size_t i = 0; i < path.len; i++)
        dots += path.data[i] == '.';
    return dots >= PATH_NAMES_MAX;
}

static enum asked_cost cost_of(const struct query_node *node)
{
    bool is_text = node->test == QUERY_BEGINS || node->test == QUERY_ENDS ||
                   node->test == QUERY_CONTAINS || node->test == QUERY_PATTERN;

    if (node->test == QUERY_REGEX)
        return ASKED_REGEX;
    switch (node->field) {
    case QUERY_MESSAGE:
        return is_text ? ASKED_TEXTS : ASKED_TEXT;
    case QUERY_LEVEL:
        return ASKED_LEVEL;
    case QUERY_TIMESTAMP:
    case QUERY_ID:
        return ASKED_NUMBERS;
    case QUERY_ATTRIBUTE:
        return is_text ? ASKED_TEXTS : node->test == QUERY_RANGE ? ASKED_NUMBERS : ASKED_COLUMN;
    case QUERY_ANY:
        break;
    }
    return ASKED_ANY;
}

static int init_test(struct asked *a, struct asked_test *t)
{
    const struct query_node *node = t->node;
    int error = fold(a, node->text, &t->folded);

    t->cost = cost_of(node);
    t->path.is_name = is_name(node->path);
    if (!error)
        error = spell(a, node->path, &t->path.spelled);
    if (!error)
        error = spell(a, node->text, &t->string);
    if (error)
        return error;
    t->is_odd = is_odd(t->string);
    switch (node->test) {
    case QUERY_EXISTS:
        return 0;
    case QUERY_EQUALS:
        init_equals(t);
        return 0;
    case QUERY_HOLDS:
    case QUERY_BEGINS:
    case QUERY_ENDS:
    case QUERY_CONTAINS:
        return add_needles(a, t, node->text);
    case QUERY_REGEX:
        return init_regex(a, t);
    case QUERY_PATTERN:
        return init_pattern(a, t);
    case QUERY_RANGE:
        t->is_nothing = node->field == QUERY_LEVEL       ? init_severities(t)
                        : node->field == QUERY_ATTRIBUTE ? init_bounds(t)
                                                         : false;
        return 0;
    }
    return 0;
}

/* ---- Nodes ---- */

/* The cost of a node whose children are ready: the walk is backwards. */
static enum asked_cost highest_cost(const struct asked *a, uint32_t i)
{
    enum asked_cost cost = ASKED_COLUMN;

    for (uint32_t k = i + 1; k < a->query->nodes[i].end; k = a->query->nodes[k].end)
        cost = a->tests[k].cost > cost ? a->tests[k].cost : cost;
    return cost;
}

static unsigned depth_of(const struct query *q)
{
    uint32_t ends[QUERY_DEPTH_MAX];
    unsigned depth = 0, deepest = 0;

    for (uint32_t i = 0; i < q->len; i++) {
        if (q->nodes[i].kind != QUERY_TEST) {
            ends[depth++] = q->nodes[i].end;
            deepest = depth > deepest ? depth : deepest;
        }
        while (depth > 0 && ends[depth - 1] == i + 1)
            depth--;
    }
    return deepest;
}

/* ---- What a block has to have ---- */

/* Adds a clause of hashes; if there is no room none, which asks for less. */
static void add_clause(struct asked_clauses *c, const uint64_t *hashes, size_t n, bool by_path)
{
    size_t at = c->len > 0 ? c->ends[c->len - 1] : 0;

    if (c->len == ASKED_CLAUSES_MAX || n > ASKED_HASHES_MAX - at)
        return;
    memcpy(c->hashes + at, hashes, n * sizeof(*hashes));
    c->by_path[c->len] = by_path;
    c->ends[c->len++] = at + n;
}

struct words {
    struct slice text;
    struct asked_clauses *clauses;
};

/* A word at an end of the text may be a part of a longer one in the message. */
static void add_inner_word(uint64_t hash, struct slice word, void *ctx)
{
    struct words *w = ctx;

    if (word.data > w->text.data && word.data + word.len < w->text.data + w->text.len)
        add_clause(w->clauses, &hash, 1, false);
}

/* The hash of the text, and of the numbers that are equal to it. */
static void gather_value(const struct query_node *node, struct asked_clauses *c)
{
    uint64_t hashes[2] = {block_value_hash(node->path, node->text)};
    char room[BLOCK_NUMBER_ROOM];
    struct slice number = block_number_text(node->text, room);
    bool has_other = number.data && !slice_equal(number, node->text);

    if (has_other)
        hashes[1] = block_value_hash(node->path, number);
    add_clause(c, hashes, 1 + has_other, true);
}

static void gather_test(const struct asked_test *t, struct asked_clauses *c)
{
    if (t->node->field == QUERY_ATTRIBUTE && t->node->test == QUERY_EQUALS)
        gather_value(t->node, c);
    if (t->node->field != QUERY_MESSAGE)
        return;
    for (size_t i = 0; i < t->message.len; i++) {
        struct words w = {t->message.needles[i].needle.folded, c};

        block_words(w.text, add_inner_word, &w);
    }
}

static void gather(const struct asked *a, uint32_t i, struct asked_clauses *c);

/* One clause of each alternative, all in one; none if one of them asks for nothing. */
static void gather_alternatives(const struct asked *a, uint32_t i, struct asked_clauses *c)
{
    uint64_t hashes[ASKED_HASHES_MAX];
    bool by_path = false;
    size_t len = 0;

    for (uint32_t k = i + 1; k < a->query->nodes[i].end; k = a->query->nodes[k].end) {
        struct asked_clauses one;

        one.len = 0;
        gather(a, k, &one);
        if (one.len == 0 || one.ends[0] > ASKED_HASHES_MAX - len)
            return;
        memcpy(hashes + len, one.hashes, one.ends[0] * sizeof(*hashes));
        len += one.ends[0];
        by_path |= one.by_path[0];
    }
    add_clause(c, hashes, len, by_path);
}

/* Recursive, up to QUERY_DEPTH_MAX. */
static void gather(const struct asked *a, uint32_t i, struct asked_clauses *c)
{
    switch (a->query->nodes[i].kind) {
    case QUERY_AND:
        for (uint32_t k = i + 1; k < a->query->nodes[i].end; k = a->query->nodes[k].end)
            gather(a, k, c);
        break;
    case QUERY_OR:
        gather_alternatives(a, i, c);
        break;
    case QUERY_NOT: /* of a block that has it, other logs match */
        break;
    case QUERY_TEST:
        gather_test(&a->tests[i], c);
        break;
    }
}

/* ---- Life ---- */

int asked_init(struct asked *a, const struct query *q)
{
    int error = 0;

    *a = (struct asked){.query = q, .depth = depth_of(q), .is_levels = true};
    a->tests = arena_take(&a->arena, q->len * sizeof(*a->tests));
    if (!a->tests)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < q->len; i++)
        a->tests[i] = (struct asked_test){.node = &q->nodes[i]};
    for (uint32_t i = q->len; i > 0 && !error; i--) {
        const struct query_node *node = &q->nodes[i - 1];

        if (node->kind == QUERY_TEST)
            error = init_test(a, &a->tests[i - 1]);
        else
            a->tests[i - 1].cost = highest_cost(a, i - 1);
        a->is_levels &= node->kind != QUERY_TEST || node->field == QUERY_LEVEL;
    }
    if (error)
        asked_release(a);
    else
        gather(a, 0, &a->clauses);
    return error;
}

void asked_release(struct asked *a)
{
    for (uint32_t i = 0; a->tests && i < a->query->len; i++)
        regex_free(a->tests[i].regex);
    arena_release(&a->arena);
    *a = (struct asked){0};
}

/* ---- Levels, and heads ---- */

static bool begins(struct slice s, struct slice start)
{
    return s.len >= start.len && (start.len == 0 || memcmp(s.data, start.data, start.len) == 0);
}

/* Whether a folded level begins or ends with the text. */
static bool has_end(const struct asked_test *t, struct slice folded)
{
    if (t->node->test == QUERY_ENDS && folded.len > t->folded.len)
        folded = slice_of(folded.data + folded.len - t->folded.len, t->folded.len);
    return begins(folded, t->folded);
}

static int compare_end(const struct asked_test *t, struct slice level, bool *passes)
{
    char room[TEXT_FOLD_GROWTH * BLOCK_HEAD_LEVEL_BYTES_MAX];
    char *allocated = NULL;
    char *folded = room;

    if (level.len > BLOCK_HEAD_LEVEL_BYTES_MAX) {
        folded = allocated = try_malloc(level.len * TEXT_FOLD_GROWTH);
        if (!allocated)
            return LM_ENOMEM;
    }
    *passes = has_end(t, slice_of(folded, text_fold(level, folded)));
    free(allocated);
    return 0;
}

int asked_level(const struct asked_test *t, struct slice level, bool *passes)
{
    int severity = level_severity(level);

    *passes = t->node->test == QUERY_EXISTS;
    switch (t->node->test) {
    case QUERY_EQUALS:
        *passes = text_equal_nocase(level, t->node->text) ||
                  (severity >= 0 && severity == level_severity(t->node->text));
        break;
    case QUERY_RANGE:
        *passes = !t->is_nothing && severity >= t->severity_low && severity <= t->severity_high;
        break;
    case QUERY_BEGINS:
    case QUERY_ENDS:
        return compare_end(t, level, passes);
    default:
        break;
    }
    return 0;
}

static enum block_verdict judge_times(const struct query_node *node, const struct block_head *head)
{
    int64_t first = head->first.timestamp_us;
    int64_t last = head->last.timestamp_us;

    if (last < node->low_us || first >= node->high_us)
        return BLOCK_NONE;
    return first >= node->low_us && last < node->high_us ? BLOCK_ALL : BLOCK_SOME;
}

/* A test of the logs of the block that have the level; NULL: their levels are not known. */
static enum block_verdict judge_test(const struct asked_test *t, const struct block_head *head,
                                     const struct slice *level)
{
    bool passes;

    if (t->is_nothing)
        return BLOCK_NONE;
    if (t->node->test == QUERY_EXISTS && t->node->field != QUERY_ATTRIBUTE)
        return BLOCK_ALL;
    if (t->node->field == QUERY_TIMESTAMP && t->node->test == QUERY_RANGE)
        return judge_times(t->node, head);
    if (t->node->field != QUERY_LEVEL || !level || asked_level(t, *level, &passes))
        return BLOCK_SOME;
    return passes ? BLOCK_ALL : BLOCK_NONE;
}

static enum block_verdict turn_round(enum block_verdict verdict)
{
    switch (verdict) {
    case BLOCK_NONE:
        return BLOCK_ALL;
    case BLOCK_SOME:
        break;
    case BLOCK_ALL:
        return BLOCK_NONE;
    }
    return BLOCK_SOME;
}

/* Recursive, up to QUERY_DEPTH_MAX. */
static enum block_verdict judge(const struct asked *a, uint32_t i, const struct block_head *head,
                                const struct slice *level)
{
    const struct query_node *node = &a->query->nodes[i];
    enum block_verdict verdict = node->kind == QUERY_AND ? BLOCK_ALL : BLOCK_NONE;

    if (node->kind == QUERY_TEST)
        return judge_test(&a->tests[i], head, level);
    if (node->kind == QUERY_NOT)
        return turn_round(judge(a, i + 1, head, level));
    for (uint32_t k = i + 1; k < node->end; k = a->query->nodes[k].end) {
        enum block_verdict one = judge(a, k, head, level);

        if (node->kind == QUERY_AND ? one < verdict : one > verdict)
            verdict = one;
    }
    return verdict;
}

enum block_verdict asked_judge(const struct asked *a, const struct block_head *head)
{
    bool any = false;
    bool all = true;

    if (head->levels_len == 0)
        return judge(a, 0, head, NULL);
    for (unsigned i = 0; i < head->levels_len; i++) {
        enum block_verdict verdict = judge(a, 0, head, &head->levels[i].level);

        any |= verdict != BLOCK_NONE;
        all &= verdict == BLOCK_ALL;
    }
    return !any ? BLOCK_NONE : all ? BLOCK_ALL : BLOCK_SOME;
}
