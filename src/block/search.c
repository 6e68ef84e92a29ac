/*
 * Templates. All pieces lie together, so they are folded at once, and searched at once for the
 * needle's anchor: a template without text slots, and with the anchor in no piece, is out, which
 * is all that has to be done about most blocks. For the others it is looked at where the needle
 * could begin, in a piece or slot, and whether what follows could be the rest of it: so a template
 * has the needle in all of its texts, in none, or perhaps. Only texts of the last are built.
 */
#include "block/search.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "block/equal.h"
#include "block/row_set.h"

/* ---- The needle ---- */

/* Of a folded text. */
static bool takes(enum slot_sort sort, char c)
{
    return (c >= '0' && c <= '9') || (sort >= SLOT_HEX && c >= 'a' && c <= 'f') ||
           (sort >= SLOT_NUMBER && (c == '.' || c == '-' || c == '+' || c == ':')) ||
           sort == SLOT_TEXT;
}

enum { DIGITS_MAX = 18 };

static void init_number(struct search_needle *n)
{
    struct slice digits = n->needle.folded;

    n->number = 0;
    n->power = digits.len > 0 && digits.len <= DIGITS_MAX;
    for (size_t i = 0; i < digits.len && n->power; i++) {
        bool is_digit = takes(SLOT_DIGITS, digits.data[i]);

        n->number = 10 * n->number + (uint64_t)(digits.data[i] - '0');
        n->power = is_digit ? 10 * n->power : 0;
    }
}

void search_needle_init(struct search_needle *n, struct slice folded)
{
    struct slice anchor = slice_of(folded.data, 0);

    text_needle_init(&n->needle, folded);
    init_number(n);
    for (size_t at = 0; at < folded.len;) {
        size_t start = at;

        while (at < folded.len && !takes(SLOT_NUMBER, folded.data[at]))
            at++;
        if (at - start > anchor.len)
            anchor = slice_of(folded.data + start, at - start);
        at += at == start;
    }
    text_needle_init(&n->anchor, anchor);
}

/* ---- One search ---- */

/* What is known of the texts of a template, or the text of an entry. */
enum verdict {
    NEVER,
    IN_SLOTS, /* those have it that have it within one of their slots */
    PERHAPS,
    ALWAYS,
};

struct search {
    struct block_reader *reader;
    const struct search_needle *needle;
    const struct column *column;
    struct buffer text;      /* one that is folded */
    struct buffer pieces;    /* of all templates, folded */
    bool is_ascii;           /* … which has changed no length */
    bool has_anchor;         /* the anchor may be in one of the pieces */
    struct slice *piece;     /* each of them, by number … */
    uint32_t *first;         /* … of which this is the first of each template */
    unsigned char *verdicts; /* of each template */
    uint64_t **held;         /* of each pool, the places with the needle in a slot; or NULL */
    uint64_t **cut;          /* of each template, places that alone may have it; or NULL: all may */
    uint64_t steps;
};

static void release(struct search *s)
{
    buffer_release(&s->text);
    buffer_release(&s->pieces);
    free(s->piece);
    free(s->first);
    free(s->verdicts);
    for (uint32_t i = 0; s->held && i < s->column->templates->pools_len; i++)
        free(s->held[i]);
    free(s->held);
    for (uint32_t i = 0; s->cut && i < s->column->templates->templates_len; i++)
        free(s->cut[i]);
    free(s->cut);
}

static bool is_in(struct search *s, struct slice folded)
{
    return text_needle_is_in(&s->needle->needle, folded, &s->steps);
}

/* Appends `text`, folded, to `b`. */
static int append_folded(struct buffer *b, struct slice text)
{
    char *to = text.len ? buffer_reserve(b, TEXT_FOLD_GROWTH * text.len) : NULL;

    if (to)
        b->len += text_fold(text, to);
    return buffer_error(b);
}

static int look_at_text(struct search *s, struct slice text, bool *has)
{
    buffer_clear(&s->text);
    int error = append_folded(&s->text, text);
    *has = !error && is_in(s, buffer_slice(&s->text));
    return error;
}

/* ---- Pieces ---- */

static const struct templates *templates_of(const struct search *s)
{
    return s->column->templates;
}

/* What all pieces are together. */
static struct slice all_pieces(const struct templates *all)
{
    const struct template *last = &all->templates[all->templates_len - 1];
    const char *start = all->templates[0].pieces[0].data;
    struct slice end = last->pieces[last->slots];

    return slice_of(start, (size_t)(end.data - start) + end.len);
}

static bool is_ascii(struct slice s)
{
    unsigned char bits = 0;

    for (size_t i = 0; i < s.len; i++)
        bits |= (unsigned char)s.data[i];
    return bits < 0x80;
}

/* Each piece by itself: a byte at an end of one makes no character with those of another. */
static int fold_each_piece(struct search *s)
{
    const struct templates *all = templates_of(s);
    int error = 0;

    for (uint32_t t = 0; t < all->templates_len && !error; t++)
        for (uint32_t k = 0; k <= all->templates[t].slots && !error; k++)
            error = append_folded(&s->pieces, all->templates[t].pieces[k]);
    return error;
}

static int fold_pieces(struct search *s)
{
    struct slice text = all_pieces(templates_of(s));

    s->is_ascii = is_ascii(text);
    return s->is_ascii ? append_folded(&s->pieces, text) : fold_each_piece(s);
}

static int folded_len(struct search *s, struct slice text, size_t *len)
{
    *len = text.len;
    if (s->is_ascii)
        return 0;
    buffer_clear(&s->text);
    int error = append_folded(&s->text, text);
    *len = s->text.len;
    return error;
}

/* Says where each folded piece is, and makes room for verdicts. */
static int find_pieces(struct search *s)
{
    const struct templates *all = templates_of(s);
    const char *at = s->pieces.data ? s->pieces.data : "";
    size_t n = 0;

    for (uint32_t t = 0; t < all->templates_len; t++)
        n += all->templates[t].slots + 1;
    s->piece = try_malloc(n * sizeof(*s->piece));
    s->first = try_malloc(all->templates_len * sizeof(*s->first));
    s->verdicts = try_malloc(all->templates_len);
    if (!s->piece || !s->first || !s->verdicts)
        return LM_ENOMEM;
    n = 0;
    for (uint32_t t = 0; t < all->templates_len; t++) {
        s->first[t] = (uint32_t)n;
        for (uint32_t k = 0; k <= all->templates[t].slots; k++) {
            size_t len;
            int error = folded_len(s, all->templates[t].pieces[k], &len);

            if (error)
                return error;
            s->piece[n++] = slice_of(at, len);
            at += len;
        }
    }
    return 0;
}

/* ---- What a template can hold ---- */

enum { STEPS_MAX = 256 }; /* to find out whether a template can hold a needle: then it may */

static bool agree(struct slice a, size_t a_start, struct slice b, size_t b_start, size_t len)
{
    return len == 0 || memcmp(a.data + a_start, b.data + b_start, len) == 0;
}

static enum slot_sort sort_of(const struct search *s, uint32_t t, uint32_t k)
{
    const struct templates *all = templates_of(s);

    return all->pools[all->templates[t].pool].sorts[k];
}

/* Whether a slot of that sort can hold all of the needle from `at` on. */
static bool fits(const struct search *s, enum slot_sort sort, size_t at)
{
    struct slice needle = s->needle->needle.folded;

    while (at < needle.len && takes(sort, needle.data[at]))
        at++;
    return at == needle.len;
}

static bool can_leave_slot(const struct search *s, uint32_t t, uint32_t k, size_t at,
                           unsigned *steps);

/* Whether the needle from `at` on can be what begins with slot `k`. */
static bool can_begin_with_slot(const struct search *s, uint32_t t, uint32_t k, size_t at,
                                unsigned *steps)
{
    enum slot_sort sort = sort_of(s, t, k);

    return sort == SLOT_TEXT || fits(s, sort, at) || can_leave_slot(s, t, k, at, steps);
}

/* Whether the needle from `at` on can have some characters in slot `k` and the rest behind it. */
static bool can_leave_slot(const struct search *s, uint32_t t, uint32_t k, size_t at,
                           unsigned *steps)
{
    struct slice needle = s->needle->needle.folded;
    struct slice next = s->piece[s->first[t] + k + 1];
    bool is_last = k + 1 == templates_of(s)->templates[t].slots;
    enum slot_sort sort = sort_of(s, t, k);

    while (at < needle.len && takes(sort, needle.data[at])) {
        size_t left = needle.len - ++at;

        if (++*steps > STEPS_MAX)
            return true;
        if (left == 0 || !agree(needle, at, next, 0, left < next.len ? left : next.len))
            continue;
        if (left <= next.len ||
            (!is_last && can_begin_with_slot(s, t, k + 1, at + next.len, steps)))
            return true;
    }
    return false;
}

/* Whether the needle can begin in piece `k` and go on in the slot behind it. */
static bool can_leave_piece(const struct search *s, uint32_t t, uint32_t k, unsigned *steps)
{
    struct slice needle = s->needle->needle.folded;
    struct slice piece = s->piece[s->first[t] + k];

    for (size_t len = 1; len <= piece.len && len < needle.len; len++)
        if (needle.data[len - 1] == piece.data[piece.len - 1] &&
            agree(needle, 0, piece, piece.len - len, len) &&
            can_begin_with_slot(s, t, k, len, steps))
            return true;
    return false;
}

static enum verdict judge_by_pieces(struct search *s, uint32_t t)
{
    uint32_t slots = templates_of(s)->templates[t].slots;
    enum verdict verdict = NEVER;
    unsigned steps = 0;

    for (uint32_t k = 0; k <= slots; k++)
        if (is_in(s, s->piece[s->first[t] + k]))
            return ALWAYS;
    for (uint32_t k = 0; k < slots; k++) {
        if (can_leave_piece(s, t, k, &steps) || can_leave_slot(s, t, k, 0, &steps))
            return PERHAPS;
        if (fits(s, sort_of(s, t, k), 0))
            verdict = IN_SLOTS;
    }
    return verdict;
}

/* Whether a piece of the template has the anchor, or a slot could. */
static bool may_have_anchor(struct search *s, uint32_t t)
{
    const struct template *template = &templates_of(s)->templates[t];
    const struct slice *first = &s->piece[s->first[t]];
    const struct slice *last = first + template->slots;
    struct slice pieces = slice_of(first->data, (size_t)(last->data - first->data) + last->len);

    for (uint32_t k = 0; k < template->slots; k++)
        if (sort_of(s, t, k) == SLOT_TEXT)
            return true;
    return s->has_anchor && text_needle_is_in(&s->needle->anchor, pieces, &s->steps);
}

/* The same of all templates together. */
static bool any_may_have_anchor(struct search *s)
{
    const struct templates *all = templates_of(s);

    s->has_anchor = text_needle_is_in(&s->needle->anchor, buffer_slice(&s->pieces), &s->steps);
    if (s->has_anchor)
        return true;
    for (uint32_t p = 0; p < all->pools_len; p++)
        for (uint32_t k = 0; k < all->pools[p].slots; k++)
            if (all->pools[p].sorts[k] == SLOT_TEXT)
                return true;
    return false;
}

/* Adds to `held` the places of the pool that have the needle in slot `k`. */
static int search_slot(struct search *s, const struct template_pool *pool, uint32_t k,
                       uint64_t *held, struct errbuf *err)
{
    size_t words = BLOCK_ROW_WORDS(pool->len);
    uint64_t *places = try_malloc(words * sizeof(*places));
    bool by_template;

    if (!places)
        return LM_ENOMEM;
    memset(places, 0xff, words * sizeof(*places));
    if (pool->len % 64)
        places[words - 1] = (UINT64_C(1) << pool->len % 64) - 1;
    int error =
        search_column(s->reader, &pool->columns[k], s->needle, false, places, &by_template, err);
    for (size_t i = 0; i < words && !error; i++)
        held[i] |= places[i];
    free(places);
    return error;
}

static void *try_zeroed(size_t size)
{
    void *memory = try_malloc(size);

    return memory ? memset(memory, 0, size) : NULL;
}

/* Searches the slots of a pool, once; `*any` tells whether one has the needle. */
static int search_pool(struct search *s, uint32_t number, bool *any, struct errbuf *err)
{
    const struct templates *all = templates_of(s);
    const struct template_pool *pool = &all->pools[number];
    size_t words = BLOCK_ROW_WORDS(pool->len);
    int error = 0;

    if (!s->held)
        s->held = try_zeroed(all->pools_len * sizeof(*s->held));
    if (!s->held)
        return LM_ENOMEM;
    if (!s->held[number]) {
        s->held[number] = try_zeroed((words + 1) * sizeof(**s->held));
        if (!s->held[number])
            return LM_ENOMEM;
        if (!pool->columns)
            error = block_pool(s->reader, all, number, err);
        CHECK(error || pool->columns);
        for (uint32_t k = 0; k < pool->slots && !error; k++)
            if (fits(s, pool->sorts[k], 0))
                error = search_slot(s, pool, k, s->held[number], err);
    }
    *any = !row_set_is_empty(s->held[number], words);
    return error;
}

/* ---- Slots that lie within the needle: "customer 4711 placed" ---- */

/* If the needle is in a text, then the slot is exactly the digits needle[from..to), … */
struct cut {
    uint32_t slot;
    size_t from, to;
};

/* … of one of these: all that are possible. */
struct cuts {
    struct cut items[8];
    unsigned len;
};

static bool add_cut(const struct search *s, struct cuts *cuts, struct cut cut)
{
    for (size_t i = cut.from; i < cut.to; i++)
        if (!takes(SLOT_DIGITS, s->needle->needle.folded.data[i]))
            return false;
    if (cuts->len == sizeof(cuts->items) / sizeof(cuts->items[0]))
        return false;
    cuts->items[cuts->len++] = cut;
    return true;
}

/* Of needles that go on with slot `k` from `from` on. False: the slot need not end within them. */
static bool add_cuts_of_slot(const struct search *s, uint32_t t, uint32_t k, size_t from,
                             struct cuts *cuts)
{
    struct slice needle = s->needle->needle.folded;
    struct slice next = s->piece[s->first[t] + k + 1];
    bool is_last = k + 1 == templates_of(s)->templates[t].slots;

    for (size_t at = from; at < needle.len && takes(sort_of(s, t, k), needle.data[at]);) {
        size_t left = needle.len - ++at;
        unsigned steps = 0;

        if (left == 0)
            return false;
        if (!agree(needle, at, next, 0, left < next.len ? left : next.len))
            continue;
        if (left > next.len &&
            (is_last || !can_begin_with_slot(s, t, k + 1, at + next.len, &steps)))
            continue;
        if (!add_cut(s, cuts, (struct cut){.slot = k, .from = from, .to = at}))
            return false;
    }
    return true;
}

/* False if the needle may be in texts of the template without that a slot lies within it. */
static bool find_cuts(const struct search *s, uint32_t t, struct cuts *cuts)
{
    struct slice needle = s->needle->needle.folded;
    unsigned steps = 0;

    cuts->len = 0;
    for (uint32_t k = 0; k < templates_of(s)->templates[t].slots; k++) {
        struct slice piece = s->piece[s->first[t] + k];

        if (fits(s, sort_of(s, t, k), 0) || can_leave_slot(s, t, k, 0, &steps))
            return false;
        for (size_t len = 1; len <= piece.len && len < needle.len; len++)
            if (needle.data[len - 1] == piece.data[piece.len - 1] &&
                agree(needle, 0, piece, piece.len - len, len) &&
                !add_cuts_of_slot(s, t, k, len, cuts))
                return false;
    }
    return true;
}

/* Finds the places with such a slot, if there have to be; `*any` tells whether there are. */
static int search_cuts(struct search *s, uint32_t t, bool *any, struct errbuf *err)
{
    const struct templates *all = templates_of(s);
    const struct template_pool *pool = &all->pools[all->templates[t].pool];
    size_t words = BLOCK_ROW_WORDS(pool->len);
    struct cuts cuts;
    int error = 0;

    if (!find_cuts(s, t, &cuts))
        return 0;
    if (!s->cut)
        s->cut = try_zeroed(all->templates_len * sizeof(*s->cut));
    if (s->cut)
        s->cut[t] = try_zeroed((words + 1) * sizeof(**s->cut));
    if (!s->cut || !s->cut[t])
        return LM_ENOMEM;
    if (!pool->columns)
        error = block_pool(s->reader, all, all->templates[t].pool, err);
    CHECK(error || pool->columns);
    for (unsigned i = 0; i < cuts.len && !error; i++) {
        const struct cut *cut = &cuts.items[i];
        struct slice digits =
            slice_of(s->needle->needle.folded.data + cut->from, cut->to - cut->from);
        enum equal_found found;

        error = equal_column(s->reader, &pool->columns[cut->slot], digits, s->cut[t], &found, err);
        if (found == EQUAL_ALL)
            memset(s->cut[t], 0xff, words * sizeof(**s->cut));
    }
    *any = !row_set_is_empty(s->cut[t], words);
    return error;
}

/* ---- All templates ---- */

static int judge(struct search *s, uint32_t t, enum verdict *verdict, struct errbuf *err)
{
    bool any = true;
    int error = 0;

    *verdict = may_have_anchor(s, t) ? judge_by_pieces(s, t) : NEVER;
    if (*verdict == IN_SLOTS)
        error = search_pool(s, templates_of(s)->templates[t].pool, &any, err);
    else if (*verdict == PERHAPS)
        error = search_cuts(s, t, &any, err);
    if (!any)
        *verdict = NEVER;
    return error;
}

/* Sets the verdicts, and `*common` if they are all NEVER or ALWAYS; else it is PERHAPS. */
static int judge_templates(struct search *s, enum verdict *common, struct errbuf *err)
{
    const struct templates *all = templates_of(s);
    int error = fold_pieces(s);

    *common = NEVER;
    if (error || !any_may_have_anchor(s))
        return error;
    error = find_pieces(s);
    for (uint32_t t = 0; t < all->templates_len && !error; t++) {
        enum verdict verdict;

        error = judge(s, t, &verdict, err);
        s->verdicts[t] = (unsigned char)verdict;
        if (verdict == IN_SLOTS || (t > 0 && verdict != *common))
            *common = PERHAPS;
        else
            *common = verdict;
    }
    if (!error && *common == PERHAPS && !all->codes)
        error = block_codes(s->reader, all, err);
    return error;
}

/* ---- Texts that are built ---- */

static int build_text(struct search *s, size_t i, uint32_t code)
{
    const struct templates *all = templates_of(s);
    const struct template *t = &all->templates[code];
    const struct template_pool *pool = &all->pools[t->pool];
    const struct slice *pieces = &s->piece[s->first[code]];
    char room[COLUMN_ROOM];

    buffer_clear(&s->text);
    for (uint32_t k = 0; k < t->slots; k++) {
        buffer_append_slice(&s->text, pieces[k]);
        append_folded(&s->text, column_text(&pool->columns[k], all->places[i], room));
    }
    buffer_append_slice(&s->text, pieces[t->slots]);
    return buffer_error(&s->text);
}

/* ---- Places: each says whether the text at `i` has the needle ---- */

typedef int has_fn(struct search *s, size_t i, bool *has, struct errbuf *err);

static int template_has(struct search *s, size_t i, bool *has, struct errbuf *err)
{
    const struct templates *all = templates_of(s);
    uint32_t code = all->codes[i];
    const struct template *t = &all->templates[code];
    int error = 0;

    if (s->verdicts[code] == IN_SLOTS)
        *has = row_set_has(s->held[t->pool], all->places[i]);
    else
        *has = s->verdicts[code] == ALWAYS;
    if (s->verdicts[code] != PERHAPS ||
        (s->cut && s->cut[code] && !row_set_has(s->cut[code], all->places[i])))
        return 0;
    if (!all->pools[t->pool].columns)
        error = block_pool(s->reader, all, t->pool, err);
    if (!error)
        error = build_text(s, i, code);
    if (!error)
        *has = is_in(s, buffer_slice(&s->text));
    return error;
}

static int entry_has(struct search *s, size_t i, bool *has, struct errbuf *err)
{
    *has = s->verdicts[numbers_get(&s->column->numbers, i)] == ALWAYS;
    return 0;
}

static unsigned count_digits(uint64_t n)
{
    unsigned digits = 1;

    for (uint64_t bound = 10; n >= bound; bound *= 10) /* n is of an int64_t: 19 digits at most */
        digits++;
    return digits;
}

/* Whether the last digits of `left`, or of it without its last, and so on `times`, are `number`. */
static bool has_digits(uint64_t left, uint64_t power, uint64_t number, unsigned times)
{
    for (; times > 0 && left > UINT32_MAX; times--, left /= 10)
        if (left % power == number)
            return true;
    uint32_t rest = (uint32_t)left; /* dividing what has 32 bits is faster by far */
    for (; times > 0; times--, rest /= 10)
        if ((power > UINT32_MAX ? rest : rest % (uint32_t)power) == number)
            return true;
    return false;
}

/* The needle is of digits. */
static int integer_has(struct search *s, size_t i, bool *has, struct errbuf *err)
{
    const struct search_needle *n = s->needle;
    int64_t value = (int64_t)numbers_get(&s->column->numbers, i);
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    unsigned len = (unsigned)n->needle.folded.len;
    unsigned digits = s->column->digits;

    if (!digits && size < n->power / 10 && len > 1) { /* most are too short */
        *has = false;
        return 0;
    }
    if (!digits)
        digits = count_digits(size);
    *has = digits >= len && has_digits(size, n->power, n->number, digits - len + 1);
    return 0;
}

static int text_has(struct search *s, size_t i, bool *has, struct errbuf *err)
{
    char room[COLUMN_ROOM];

    return look_at_text(s, column_text(s->column, i, room), has);
}

/* ---- Columns ---- */

static int judge_entries(struct search *s)
{
    const struct column *c = s->column;

    s->verdicts = try_malloc(c->entries_len);
    if (!s->verdicts)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < c->entries_len; i++) {
        bool has;
        int error = look_at_text(s, c->entries[i], &has);

        if (error)
            return error;
        s->verdicts[i] = has ? ALWAYS : NEVER;
    }
    return 0;
}

/* All entries together, if they follow one another in memory; else a slice of nothing. */
static struct slice all_entries(const struct column *c)
{
    const char *start = c->entries_len > 0 ? c->entries[0].data : NULL;
    const char *end = start;

    for (uint32_t i = 0; i < c->entries_len; i++) {
        if (c->entries[i].data != end)
            return slice_of(NULL, 0);
        end += c->entries[i].len;
    }
    return slice_of(start, (size_t)(end - start));
}

/* False if no entry has the needle, as one search through all of them at once tells. */
static int entries_may_have(struct search *s, bool *may)
{
    struct slice all = all_entries(s->column);

    *may = true;
    return all.len > 0 && is_ascii(all) ? look_at_text(s, all, may) : 0;
}

static bool is_number(enum column_kind kind)
{
    return kind == COLUMN_INTEGER || kind == COLUMN_DECIMAL || kind == COLUMN_HEX ||
           kind == COLUMN_UUID;
}

/* True if the needle, of digits, is longer than all numbers of the column. */
static bool is_beyond(const struct search *s)
{
    uint64_t low = s->column->min < 0 ? -(uint64_t)s->column->min : (uint64_t)s->column->min;
    uint64_t high = s->column->max < 0 ? -(uint64_t)s->column->max : (uint64_t)s->column->max;

    return count_digits(low > high ? low : high) < s->needle->needle.folded.len;
}

/* What is known of all texts of the column, and how the others are asked. */
static int judge_column(struct search *s, enum verdict *common, has_fn **fn, struct errbuf *err)
{
    bool has;
    int error = 0;

    *common = PERHAPS;
    *fn = text_has;
    switch (s->column->kind) {
    case COLUMN_CONSTANT:
        error = look_at_text(s, s->column->entries[0], &has);
        *common = has ? ALWAYS : NEVER;
        break;
    case COLUMN_DICTIONARY:
        error = entries_may_have(s, &has);
        if (!error && has)
            error = judge_entries(s);
        *common = has ? PERHAPS : NEVER;
        *fn = entry_has;
        break;
    case COLUMN_TEXT:
        error = entries_may_have(s, &has);
        *common = has ? PERHAPS : NEVER;
        break;
    case COLUMN_TEMPLATES:
        error = judge_templates(s, common, err);
        *fn = template_has;
        break;
    case COLUMN_INTEGER:
        if (s->needle->power)
            *fn = integer_has;
        if (s->needle->power && !s->column->digits && is_beyond(s))
            *common = NEVER;
        break;
    default:
        break;
    }
    if (is_number(s->column->kind) && s->needle->anchor.folded.len > 0)
        *common = NEVER;
    return error;
}

static int ask_each(struct search *s, has_fn *fn, bool excludes, uint64_t *places,
                    struct errbuf *err)
{
    for (size_t word = 0; word < BLOCK_ROW_WORDS(s->column->len); word++) {
        for (uint64_t left = places[word]; left; left &= left - 1) {
            size_t i = word * 64 + (size_t)__builtin_ctzll(left);
            bool has;
            int error = fn(s, i, &has, err);

            if (error)
                return error;
            if (has == excludes)
                row_set_remove(places, i);
        }
    }
    return 0;
}

/* What is known of 64 texts, of which `asked` are asked about. */
struct known {
    uint64_t has;
    uint64_t perhaps; /* and these have to be looked at */
};

static struct known known_of_templates(const struct search *s, size_t first, uint64_t asked)
{
    const uint16_t *codes = templates_of(s)->codes + first;
    const size_t left = s->column->len - first, n = left < 64 ? left : 64;
    struct known k = {0, 0};

    for (size_t i = 0; asked == UINT64_MAX && i < n; i++) { /* without a branch for each */
        unsigned verdict = s->verdicts[codes[i]];

        k.has |= (uint64_t)(verdict == ALWAYS) << i;
        k.perhaps |= (uint64_t)(verdict == PERHAPS || verdict == IN_SLOTS) << i;
    }
    for (uint64_t bits = asked == UINT64_MAX ? 0 : asked; bits; bits &= bits - 1) {
        unsigned verdict = s->verdicts[codes[__builtin_ctzll(bits)]];

        k.has |= verdict == ALWAYS ? bits & -bits : 0;
        k.perhaps |= verdict == PERHAPS || verdict == IN_SLOTS ? bits & -bits : 0;
    }
    return k;
}

/* As ask_each of template_has: most templates tell of all their texts at once. */
static int ask_templates(struct search *s, bool excludes, uint64_t *places, struct errbuf *err)
{
    for (size_t word = 0; word < BLOCK_ROW_WORDS(s->column->len); word++) {
        if (!places[word])
            continue;

        struct known k = known_of_templates(s, word * 64, places[word]);

        for (uint64_t left = k.perhaps; left; left &= left - 1) {
            bool has;
            int error = template_has(s, word * 64 + (size_t)__builtin_ctzll(left), &has, err);

            if (error)
                return error;
            k.has |= has ? left & -left : 0;
        }
        places[word] &= excludes ? ~k.has : k.has;
    }
    return 0;
}

int search_column(struct block_reader *r, const struct column *c, const struct search_needle *n,
                  bool excludes, uint64_t *places, bool *by_template, struct errbuf *err)
{
    struct search s = {.reader = r, .needle = n, .column = c};
    const size_t words = BLOCK_ROW_WORDS(c->len);
    const bool is_templates = c->kind == COLUMN_TEMPLATES;
    enum verdict common;
    has_fn *fn;

    buffer_init(&s.text, SIZE_MAX / 4);
    buffer_init(&s.pieces, SIZE_MAX / 4);
    int error = judge_column(&s, &common, &fn, err);
    if (error == LM_ENOMEM)
        errbuf_set(err, "no memory to search a block");
    else if (!error && common == PERHAPS)
        error = is_templates ? ask_templates(&s, excludes, places, err)
                             : ask_each(&s, fn, excludes, places, err);
    else if (!error && (common == ALWAYS) == excludes)
        memset(places, 0, words * sizeof(*places));
    *by_template = !error && is_templates && common == (excludes ? ALWAYS : NEVER);
    release(&s);
    return error;
}
