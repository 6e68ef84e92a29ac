#include "block/plan.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "block/planned.h"
#include "block/words.h"
#include "json/writer.h"

/* ---- Making one ---- */

enum { ESCAPE_GROWTH = 6, QUOTES = 2 };

static size_t texts_bytes(const struct log_filter *f)
{
    size_t len = f->text.len + f->excluded_text.len;
    size_t escaped = 0;

    for (size_t i = 0; i < f->levels_len; i++)
        len += f->levels[i].len;
    for (size_t i = 0; i < f->excluded_levels_len; i++)
        len += f->excluded_levels[i].len;
    for (size_t i = 0; i < f->attributes_len; i++)
        escaped += ESCAPE_GROWTH * f->attributes[i].value.len + QUOTES;
    return TEXT_FOLD_GROWTH * len + escaped;
}

/* Folds `text` to `*to`, which it moves past it. */
static struct slice fold(struct slice text, char **to)
{
    struct slice folded = slice_of(*to, text_fold(text, *to));

    *to += folded.len;
    return folded;
}

static bool has(struct slice s, const char *text)
{
    return s.len && memmem(s.data, s.len, text, strlen(text));
}

/* Spells a value as a JSON string at `*to`, which it moves past it. */
static struct planned_value plan_value(struct slice value, char **to)
{
    struct buffer b;

    buffer_init_over(&b, *to, ESCAPE_GROWTH * value.len + QUOTES);
    json_append_string(&b, value);
    *to += b.len;

    struct slice string = slice_of(b.data + 1, b.len - QUOTES);
    bool is_odd = has(string, "\\u007f") || has(string, "\\ufffe") || has(string, "\\uffff");
    return (struct planned_value){.string = string, .is_odd = is_odd};
}

static void add_hash(struct block_plan *p, uint64_t hash)
{
    if (p->hashes_len < BLOCK_PLAN_HASHES_MAX)
        p->hashes[p->hashes_len++] = hash;
}

/* A word at an end of the text may be a part of a longer one in the message. */
static void add_inner_word(uint64_t hash, struct slice word, void *ctx)
{
    struct block_plan *p = ctx;
    struct slice text = p->text.needle.folded;

    if (word.data > text.data && word.data + word.len < text.data + text.len)
        add_hash(p, hash);
}

static void gather_hashes(struct block_plan *p)
{
    const struct log_filter *f = p->filter;

    for (size_t i = 0; i < f->attributes_len; i++)
        if (!f->attributes[i].excludes)
            add_hash(p, block_value_hash(f->attributes[i].name, f->attributes[i].value));
    block_words(p->text.needle.folded, add_inner_word, p);
}

struct block_plan *block_plan_new(struct log_matcher *m)
{
    const struct log_filter *f = log_matcher_filter(m);
    struct block_plan *p = try_malloc(sizeof(*p) + texts_bytes(f));

    if (!p)
        return NULL;
    *p = (struct block_plan){.matcher = m, .filter = f};
    log_matcher_ref(m);

    char *to = p->texts;
    for (size_t i = 0; i < f->levels_len; i++)
        p->levels[i] = fold(f->levels[i], &to);
    for (size_t i = 0; i < f->excluded_levels_len; i++)
        p->excluded_levels[i] = fold(f->excluded_levels[i], &to);
    search_needle_init(&p->text, fold(f->text, &to));
    search_needle_init(&p->excluded_text, fold(f->excluded_text, &to));
    for (size_t i = 0; i < f->attributes_len; i++)
        p->values[i] = plan_value(f->attributes[i].value, &to);
    gather_hashes(p);
    p->has_tree = f->query;
    if (p->has_tree && asked_init(&p->tree, f->query)) {
        block_plan_free(p);
        return NULL;
    }
    return p;
}

void block_plan_free(struct block_plan *p)
{
    if (!p)
        return;
    asked_release(&p->tree);
    log_matcher_unref(p->matcher);
    free(p);
}

/* ---- Asking ---- */

size_t block_plan_clauses(const struct block_plan *p)
{
    return p->hashes_len + p->tree.clauses.len;
}

struct block_clause block_plan_clause(const struct block_plan *p, size_t i)
{
    const struct asked_clauses *c = &p->tree.clauses;

    if (i < p->hashes_len)
        return (struct block_clause){.hashes = &p->hashes[i], .len = 1};
    i -= p->hashes_len;
    size_t from = i > 0 ? c->ends[i - 1] : 0;
    return (struct block_clause){c->hashes + from, c->ends[i] - from, c->by_path[i]};
}

static bool is_among(struct slice level, const struct slice *levels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(levels[i], level))
            return true;
    return false;
}

bool block_plan_takes_level(const struct block_plan *p, struct slice folded)
{
    const struct log_filter *f = p->filter;

    return (f->levels_len == 0 || is_among(folded, p->levels, f->levels_len)) &&
           !is_among(folded, p->excluded_levels, f->excluded_levels_len);
}

/* By the filter without its tree. */
static enum block_verdict judge_flat(const struct block_plan *p, const struct block_head *head)
{
    const struct log_filter *f = p->filter;
    bool only_levels = f->text.len == 0 && f->excluded_text.len == 0 && f->attributes_len == 0;
    bool any = false;
    bool all = true;

    if (f->levels_len == 0 && f->excluded_levels_len == 0)
        return only_levels ? BLOCK_ALL : BLOCK_SOME;
    if (head->levels_len == 0)
        return BLOCK_SOME;
    for (unsigned i = 0; i < head->levels_len; i++) {
        char folded[TEXT_FOLD_GROWTH * BLOCK_HEAD_LEVEL_BYTES_MAX];
        size_t len = text_fold(head->levels[i].level, folded);

        if (block_plan_takes_level(p, slice_of(folded, len)))
            any = true;
        else
            all = false;
    }
    if (!any)
        return BLOCK_NONE;
    return all && only_levels ? BLOCK_ALL : BLOCK_SOME;
}

enum block_verdict block_plan_judge(const struct block_plan *p, const struct block_head *head)
{
    enum block_verdict flat = judge_flat(p, head);
    enum block_verdict tree = p->has_tree ? asked_judge(&p->tree, head) : BLOCK_ALL;

    return flat < tree ? flat : tree;
}

bool block_plan_tells(const struct block_plan *p, const struct block_head *head)
{
    struct block_head one = *head;

    one.levels_len = 1;
    for (unsigned i = 0; i < head->levels_len; i++) {
        one.levels[0] = head->levels[i];
        if (block_plan_judge(p, &one) == BLOCK_SOME)
            return false;
    }
    return head->levels_len > 0;
}

bool block_plan_is_of_levels(const struct block_plan *p)
{
    const struct log_filter *f = p->filter;

    return f->text.len == 0 && f->excluded_text.len == 0 && f->attributes_len == 0 &&
           (!p->has_tree || p->tree.is_levels);
}
