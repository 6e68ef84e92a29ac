#include "block/template.h"

#include <stdlib.h>

#include "base/container_of.h"
#include "block/grow.h"
#include "query/split.h"

/*
 * Behind the kind of the column in the directory: varint templates, varint pools; of the templates
 * a stream (of each varint pool, and varint length of each piece) and one of all pieces; the codes
 * (numbers); of each pool varint slots, varint texts, and of each slot varint sort and its column.
 */
enum {
    TEMPLATES_MAX = 65535,
    POOL_MIN = 16, /* texts with slots that are alike; fewer have no template */
    FOLD_MIN = 4,  /* texts in which a slot that is always the same becomes constant */
};

/* A template that is being found: skeleton with SPLIT_MARK for each slot. */
struct draft {
    size_t skeleton;
    uint32_t skeleton_len;
    uint32_t slots;
    uint32_t len;   /* texts */
    uint32_t first; /* of its texts, in the order by draft */
    uint32_t folds; /* where its slots begin in `folds` */
    uint32_t pool;
    uint32_t number; /* as a template */
    uint64_t hash;
};

struct pool {
    uint64_t hash;
    uint32_t slots, len;
    uint32_t next;   /* text, while they are gathered */
    size_t values;   /* where its columns begin in `values` */
    uint32_t number; /* as it is written */
};

struct template_writer {
    struct column_writer *columns;
    bool are_templates; /* what was written last */
    bool no_memory;
    struct buffer skeletons, meta, pieces;
    char *skeleton; /* of the text that is being split */
    size_t skeleton_capacity;
    struct draft *drafts;
    size_t drafts_len, drafts_capacity;
    uint32_t *places; /* hash table: number of a draft and 1 */
    size_t places_capacity, mask;
    struct slice *slots; /* of all texts */
    size_t slots_len, slots_capacity;
    uint32_t *of; /* draft of each text */
    size_t of_capacity;
    uint32_t *starts; /* where its slots begin */
    size_t starts_capacity;
    uint32_t *order; /* texts by draft */
    size_t order_capacity;
    unsigned char *folds; /* of each slot of each draft whether it became constant */
    size_t folds_capacity;
    struct pool *pools;
    size_t pools_len, pools_capacity;
    struct slice *values;
    size_t values_capacity;
    uint64_t *codes;
    size_t codes_capacity;
    uint32_t *ranks; /* drafts by how many texts they have */
    size_t ranks_capacity;
};

struct template_writer *template_writer_new(struct column_writer *columns)
{
    struct template_writer *w = xcalloc(1, sizeof(*w));

    w->columns = columns;
    buffer_init(&w->skeletons, SIZE_MAX / 2);
    buffer_init(&w->meta, SIZE_MAX / 2);
    buffer_init(&w->pieces, SIZE_MAX / 2);
    return w;
}

void template_writer_free(struct template_writer *w)
{
    if (!w)
        return;
    buffer_release(&w->skeletons);
    buffer_release(&w->meta);
    buffer_release(&w->pieces);
    free(w->skeleton);
    free(w->drafts);
    free(w->places);
    free(w->slots);
    free(w->of);
    free(w->starts);
    free(w->order);
    free(w->folds);
    free(w->pools);
    free(w->values);
    free(w->codes);
    free(w->ranks);
    free(w);
}

int template_writer_error(struct template_writer *w)
{
    bool failed = w->no_memory;

    w->no_memory = false;
    return failed ? LM_ENOMEM : 0;
}

/* ---- Drafts ---- */

static uint32_t add_draft(struct template_writer *w, struct slice skeleton, uint32_t slots,
                          uint64_t hash)
{
    if (!GROW(w->drafts, w->drafts_capacity, w->drafts_len + 1)) {
        w->no_memory = true;
        return 0;
    }
    w->drafts[w->drafts_len] = (struct draft){
        .skeleton = w->skeletons.len,
        .skeleton_len = (uint32_t)skeleton.len,
        .slots = slots,
        .hash = hash,
    };
    buffer_append_slice(&w->skeletons, skeleton);
    if (buffer_error(&w->skeletons))
        w->no_memory = true;
    return (uint32_t)w->drafts_len++;
}

static struct slice skeleton_of(const struct template_writer *w, const struct draft *d)
{
    return slice_of(w->skeletons.data + d->skeleton, d->skeleton_len);
}

static uint32_t find_draft(struct template_writer *w, struct slice skeleton, uint32_t slots)
{
    uint64_t hash = bytes_hash(skeleton);
    size_t at = hash & w->mask;

    for (; w->places[at]; at = (at + 1) & w->mask) {
        const struct draft *d = &w->drafts[w->places[at] - 1];

        if (d->hash == hash && slice_equal(skeleton_of(w, d), skeleton))
            return w->places[at] - 1;
    }
    if (w->drafts_len == TEMPLATES_MAX)
        return 0;
    uint32_t number = add_draft(w, skeleton, slots, hash);
    if (!w->no_memory)
        w->places[at] = number + 1;
    return number;
}

static bool begin(struct template_writer *w, size_t n)
{
    w->mask = 1023;
    while (w->mask < 2 * n && w->mask < 2 * TEMPLATES_MAX)
        w->mask = 2 * w->mask + 1;
    w->drafts_len = w->slots_len = w->pools_len = 0;
    buffer_clear(&w->skeletons);
    buffer_clear(&w->meta);
    buffer_clear(&w->pieces);
    if (!GROW(w->places, w->places_capacity, w->mask + 1) || !GROW(w->of, w->of_capacity, n) ||
        !GROW(w->starts, w->starts_capacity, n) || !GROW(w->order, w->order_capacity, n) ||
        !GROW(w->codes, w->codes_capacity, n)) {
        w->no_memory = true;
        return false;
    }
    memset(w->places, 0, (w->mask + 1) * sizeof(*w->places));
    /* The draft of all that have none of their own: a slot and nothing else. */
    char mark = SPLIT_MARK;
    add_draft(w, slice_of(&mark, 1), 1, 0);
    return !w->no_memory;
}

/* Finds the draft of each text. */
static bool draft_all(struct template_writer *w, const struct slice *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t start = w->slots_len;

        /* A slot is at least a byte, so that a skeleton is no longer than the text. */
        if (!GROW(w->skeleton, w->skeleton_capacity, texts[i].len + 1) ||
            !GROW(w->slots, w->slots_capacity, start + SPLIT_SLOTS_MAX)) {
            w->no_memory = true;
            return false;
        }
        struct split s = {.skeleton = w->skeleton, .max = SIZE_MAX, .slots = w->slots + start};

        split_text(&s, texts[i]);
        w->starts[i] = (uint32_t)start;
        w->slots_len += s.slots_len;
        w->of[i] = s.is_whole ? find_draft(w, slice_of(s.skeleton, s.len), s.slots_len) : 0;
        if (w->no_memory)
            return false;
        if (w->of[i] == 0) {
            w->slots[start] = texts[i];
            w->slots_len = start + 1;
        }
        w->drafts[w->of[i]].len++;
    }
    return true;
}

/* Orders the texts by draft. */
static void order_texts(struct template_writer *w, size_t n)
{
    uint32_t at = 0;

    for (size_t d = 0; d < w->drafts_len; d++) {
        w->drafts[d].first = at;
        at += w->drafts[d].len;
    }
    for (size_t i = 0; i < n; i++)
        w->order[w->drafts[w->of[i]].first++] = (uint32_t)i;
    for (size_t d = 0; d < w->drafts_len; d++)
        w->drafts[d].first -= w->drafts[d].len;
}

static const struct slice *slots_of(const struct template_writer *w, size_t text)
{
    return w->slots + w->starts[text];
}

static bool is_slot_constant(const struct template_writer *w, const struct draft *d, uint32_t slot)
{
    const uint32_t *texts = w->order + d->first;
    struct slice first = slots_of(w, texts[0])[slot];

    for (uint32_t i = 1; i < d->len; i++)
        if (!slice_equal(first, slots_of(w, texts[i])[slot]))
            return false;
    return true;
}

static bool fold_slots(struct template_writer *w)
{
    size_t slots = 0;

    for (size_t d = 0; d < w->drafts_len; d++) {
        w->drafts[d].folds = (uint32_t)slots;
        slots += w->drafts[d].slots;
    }
    if (!GROW(w->folds, w->folds_capacity, slots))
        return false;
    memset(w->folds, 0, slots);
    for (size_t k = 1; k < w->drafts_len; k++) {
        const struct draft *d = &w->drafts[k];

        for (uint32_t slot = 0; d->len >= FOLD_MIN && slot < d->slots; slot++)
            w->folds[d->folds + slot] = is_slot_constant(w, d, slot);
    }
    return true;
}

/* ---- Pools ---- */

/* What slots have in common that share a pool: how many, and the characters around each. */
static uint64_t hash_slots(const struct template_writer *w, const struct draft *d, uint32_t *slots)
{
    struct slice skeleton = skeleton_of(w, d);
    uint64_t hash = HASH_BASIS;
    uint32_t slot = 0;

    *slots = 0;
    for (size_t i = 0; i < skeleton.len; i++) {
        if (skeleton.data[i] != SPLIT_MARK)
            continue;
        if (!w->folds[d->folds + slot++]) {
            unsigned before = i > 0 ? (unsigned char)skeleton.data[i - 1] : 0;
            unsigned behind = i + 1 < skeleton.len ? (unsigned char)skeleton.data[i + 1] : 0;

            hash = hash_mix(hash + before * 256 + behind);
            ++*slots;
        }
    }
    return hash;
}

static bool add_to_pool(struct template_writer *w, struct draft *d, uint64_t hash, uint32_t slots)
{
    size_t at = hash & w->mask;

    for (; w->places[at]; at = (at + 1) & w->mask) {
        struct pool *p = &w->pools[w->places[at] - 1];

        if (p->hash == hash && p->slots == slots)
            break;
    }
    if (!w->places[at]) {
        if (!GROW(w->pools, w->pools_capacity, w->pools_len + 1))
            return false;
        w->pools[w->pools_len++] = (struct pool){.hash = hash, .slots = slots};
        w->places[at] = (uint32_t)w->pools_len;
    }
    d->pool = w->places[at] - 1;
    w->pools[d->pool].len += d->len;
    return true;
}

/* Gives each draft a pool; the first is of those without a template of their own. */
static bool pool_drafts(struct template_writer *w)
{
    memset(w->places, 0, (w->mask + 1) * sizeof(*w->places));
    if (!GROW(w->pools, w->pools_capacity, 1))
        return false;
    w->pools[w->pools_len++] = (struct pool){.slots = 1, .len = w->drafts[0].len};
    for (size_t k = 1; k < w->drafts_len; k++) {
        uint32_t slots;
        uint64_t hash = hash_slots(w, &w->drafts[k], &slots);

        if (!add_to_pool(w, &w->drafts[k], hash, slots))
            return false;
    }
    return true;
}

/* Texts of small pools have no template after all. Returns how many have one. */
static size_t dissolve_small_pools(struct template_writer *w, const struct slice *texts, size_t n)
{
    for (size_t k = 1; k < w->drafts_len; k++) {
        struct draft *d = &w->drafts[k];

        if (d->len == 0 || w->pools[d->pool].len >= POOL_MIN)
            continue;
        for (uint32_t i = 0; i < d->len; i++) {
            uint32_t text = w->order[d->first + i];

            w->of[text] = 0;
            w->starts[text] = (uint32_t)w->slots_len;
            w->slots[w->slots_len++] = texts[text];
        }
        w->drafts[0].len += d->len;
        w->pools[0].len += d->len;
        d->len = 0;
    }
    for (size_t p = 1; p < w->pools_len; p++)
        if (w->pools[p].len < POOL_MIN)
            w->pools[p].len = 0;
    return n - w->drafts[0].len;
}

/* ---- Writing ---- */

static int compare_lens(const void *a, const void *b, void *ctx)
{
    const struct template_writer *w = ctx;
    const struct draft *p = &w->drafts[*(const uint32_t *)a];
    const struct draft *q = &w->drafts[*(const uint32_t *)b];

    return p->len != q->len ? (p->len < q->len) - (p->len > q->len) : (p > q) - (p < q);
}

/* By skeleton, so that those lie together that zstd finds alike. */
static int compare_skeletons(const void *a, const void *b, void *ctx)
{
    const struct template_writer *w = ctx;
    struct slice p = skeleton_of(w, &w->drafts[*(const uint32_t *)a]);
    struct slice q = skeleton_of(w, &w->drafts[*(const uint32_t *)b]);
    size_t len = p.len < q.len ? p.len : q.len;
    int order = len ? memcmp(p.data, q.data, len) : 0;

    return order ? order : (p.len > q.len) - (p.len < q.len);
}

/*
 * Numbers the drafts that are templates; returns how many there are. Those of most texts have
 * numbers of one byte.
 */
static size_t number_templates(struct template_writer *w)
{
    size_t n = 0;

    if (!GROW(w->ranks, w->ranks_capacity, w->drafts_len)) {
        w->no_memory = true;
        return 0;
    }
    for (size_t k = 0; k < w->drafts_len; k++)
        if (w->drafts[k].len > 0)
            w->ranks[n++] = (uint32_t)k;
    size_t first = n < 256 ? n : 256;
    if (n > first)
        qsort_r(w->ranks, n, sizeof(*w->ranks), compare_lens, w);
    qsort_r(w->ranks, first, sizeof(*w->ranks), compare_skeletons, w);
    qsort_r(w->ranks + first, n - first, sizeof(*w->ranks), compare_skeletons, w);
    for (size_t i = 0; i < n; i++)
        w->drafts[w->ranks[i]].number = (uint32_t)i;
    return n;
}

static void end_piece(struct template_writer *w, size_t *start)
{
    bytes_append_varint(&w->meta, w->pieces.len - *start);
    *start = w->pieces.len;
}

/* The pool and the pieces of a draft, with what is constant in its slots. */
static void append_template(struct template_writer *w, const struct draft *d)
{
    struct slice skeleton = skeleton_of(w, d);
    const struct slice *slots = slots_of(w, w->order[d->first]);
    size_t start = w->pieces.len;
    size_t from = 0;
    uint32_t slot = 0;

    bytes_append_varint(&w->meta, w->pools[d->pool].number);
    for (size_t i = 0; i < skeleton.len; i++) {
        if (skeleton.data[i] != SPLIT_MARK)
            continue;
        buffer_append(&w->pieces, skeleton.data + from, i - from);
        from = i + 1;
        if (w->folds[d->folds + slot])
            buffer_append_slice(&w->pieces, slots[slot]);
        else
            end_piece(w, &start);
        slot++;
    }
    buffer_append(&w->pieces, skeleton.data + from, skeleton.len - from);
    end_piece(w, &start);
}

/* Gathers the values of all pools' columns, column by column. */
static bool gather_values(struct template_writer *w, size_t n)
{
    size_t values = 0;

    for (size_t p = 0; p < w->pools_len; p++) {
        w->pools[p].values = values;
        w->pools[p].next = 0;
        values += (size_t)w->pools[p].slots * w->pools[p].len;
    }
    if (!GROW(w->values, w->values_capacity, values))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct draft *d = &w->drafts[w->of[i]];
        const struct slice *slots = slots_of(w, i);
        struct pool *p = &w->pools[d->pool];
        size_t place = p->values + p->next++;

        for (uint32_t slot = 0; slot < d->slots; slot++)
            if (!w->folds[d->folds + slot]) {
                w->values[place] = slots[slot];
                place += p->len;
            }
    }
    return true;
}

/* What is in all of values[0..n). */
static enum slot_sort sort_of(const struct template_writer *w, const struct slice *values, size_t n)
{
    unsigned classes = 0;

    for (size_t i = 0; i < n && !(classes & SPLIT_LETTER); i++) {
        if (values[i].len == 0)
            return SLOT_TEXT;
        for (size_t k = 0; k < values[i].len; k++) {
            char byte = values[i].data[k];
            unsigned c = split_classes[(unsigned char)byte];
            bool is_sign = byte == '.' || byte == '-' || byte == '+' || byte == ':';

            classes |= c ? c : is_sign ? SPLIT_SIGN : SPLIT_LETTER;
        }
    }
    if (classes == SPLIT_DIGIT)
        return SLOT_DIGITS;
    if (classes & (SPLIT_LETTER | SPLIT_ODD))
        return SLOT_TEXT;
    return classes & SPLIT_SIGN ? SLOT_NUMBER : SLOT_HEX;
}

static void write_pool(struct template_writer *w, const struct pool *p)
{
    bytes_append_varint(&w->columns->streams->directory, p->slots);
    bytes_append_varint(&w->columns->streams->directory, p->len);
    for (uint32_t slot = 0; slot < p->slots; slot++) {
        const struct slice *values = w->values + p->values + (size_t)slot * p->len;

        bytes_append_varint(&w->columns->streams->directory, sort_of(w, values, p->len));
        if (!column_try(w->columns, values, p->len))
            column_write_text(w->columns, values, p->len);
    }
}

static void write_templates(struct template_writer *w, size_t n)
{
    struct stream_writer *streams = w->columns->streams;
    size_t templates = number_templates(w);
    uint32_t pools = 0;

    for (size_t p = 0; p < w->pools_len; p++)
        if (w->pools[p].len > 0)
            w->pools[p].number = pools++;
    for (size_t i = 0; i < templates; i++)
        append_template(w, &w->drafts[w->ranks[i]]);
    for (size_t i = 0; i < n; i++)
        w->codes[i] = w->drafts[w->of[i]].number;
    if (buffer_error(&w->meta) || buffer_error(&w->pieces))
        w->no_memory = true;
    if (w->no_memory || !gather_values(w, n)) {
        w->no_memory = true;
        return;
    }
    w->are_templates = true;
    bytes_append_varint(&streams->directory, COLUMN_TEMPLATES);
    bytes_append_varint(&streams->directory, templates);
    bytes_append_varint(&streams->directory, pools);
    stream_put(streams, buffer_slice(&w->meta), SECTION_TEXT);
    stream_put(streams, buffer_slice(&w->pieces), SECTION_TEXT);
    numbers_write(&w->columns->numbers, w->codes, n, false);
    for (size_t p = 0; p < w->pools_len; p++)
        if (w->pools[p].len > 0)
            write_pool(w, &w->pools[p]);
}

void template_write(struct template_writer *w, const struct slice *texts, size_t n)
{
    w->are_templates = false;
    if (column_try(w->columns, texts, n))
        return;
    if (n < POOL_MIN || !begin(w, n) || !draft_all(w, texts, n)) {
        column_write_text(w->columns, texts, n);
        return;
    }
    order_texts(w, n);
    if (!GROW(w->slots, w->slots_capacity, w->slots_len + n) || !fold_slots(w) || !pool_drafts(w)) {
        w->no_memory = true;
        return;
    }
    if (dissolve_small_pools(w, texts, n) < n / 4)
        column_write_text(w->columns, texts, n);
    else
        write_templates(w, n);
}

bool template_wrote(const struct template_writer *w)
{
    return w->are_templates;
}

/* ---- Words ---- */

static bool is_of_word(const struct template_writer *w, char c)
{
    return (split_classes[(unsigned char)c] &
            (SPLIT_DIGIT | SPLIT_LOWER_HEX | SPLIT_UPPER_HEX | SPLIT_LETTER)) != 0;
}

/* The words that reach into a slot: all others of the text are those of its template. */
static void add_words_of_slots(const struct template_writer *w, size_t i, struct slice text,
                               struct block_hashes *hashes)
{
    const struct draft *d = &w->drafts[w->of[i]];
    const struct slice *slots = slots_of(w, i);
    const char *done = text.data;

    for (uint32_t k = 0; k < d->slots; k++) {
        const char *from = slots[k].data;
        const char *to = from + slots[k].len;
        const char *end = text.data + text.len;

        if (w->folds[d->folds + k] || from < done)
            continue;
        while (from > text.data && is_of_word(w, from[-1]))
            from--;
        while (to < end && is_of_word(w, *to))
            to++;
        done = to;
        block_hashes_add_text(hashes, slice_of(from, (size_t)(to - from)));
    }
}

void template_add_words(const struct template_writer *w, const struct slice *texts, size_t n,
                        struct block_hashes *hashes)
{
    const struct column_writer *c = w->columns;

    if (!w->are_templates && c->kind <= COLUMN_DICTIONARY) {
        texts = c->kind == COLUMN_DICTIONARY ? c->entries : texts;
        n = c->kind == COLUMN_DICTIONARY ? c->entries_len : n > 0;
    }
    for (size_t i = 0; i < n; i++) {
        /* The first text of a template has all of its words. */
        if (!w->are_templates || w->of[i] == 0 || w->order[w->drafts[w->of[i]].first] == i)
            block_hashes_add_text(hashes, texts[i]);
        else
            add_words_of_slots(w, i, texts[i], hashes);
    }
}

/* ---- Reading ---- */

struct template_column {
    struct column_stored stored;
    bool is_loaded;
    struct column column;
    /* Of templates: */
    uint32_t templates_len, pools_len;
    struct stream meta, pieces;
    struct numbers_stored codes;
    struct template_pool *pools;
    struct column_stored **slots; /* of each pool, its columns */
    struct templates templates;
};

static int take_pool(struct stream_reader *r, struct template_column *t, size_t number,
                     struct errbuf *err)
{
    struct template_pool *p = &t->pools[number];
    uint64_t slots, len, sort;

    if (!bytes_take_varint(&r->directory, &slots) || !bytes_take_varint(&r->directory, &len) ||
        slots > SPLIT_SLOTS_MAX || len > t->stored.len)
        return stream_damaged(r, "a pool of its directory", err);
    *p = (struct template_pool){.slots = (uint32_t)slots, .len = (uint32_t)len};
    t->slots[number] = stream_memory(r, p->slots, sizeof(**t->slots));
    uint8_t *sorts = stream_memory(r, p->slots, sizeof(*sorts));
    if (!t->slots[number] || !sorts)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < p->slots; i++) {
        if (!bytes_take_varint(&r->directory, &sort) || sort > SLOT_TEXT ||
            !column_take(r, p->len, &t->slots[number][i]) ||
            t->slots[number][i].kind == COLUMN_TEMPLATES)
            return stream_damaged(r, "a slot of its directory", err);
        sorts[i] = (uint8_t)sort;
    }
    p->sorts = sorts;
    return 0;
}

static int take_templates(struct stream_reader *r, struct template_column *t, struct errbuf *err)
{
    uint64_t templates, pools;

    if (!bytes_take_varint(&r->directory, &templates) || templates == 0 ||
        templates > TEMPLATES_MAX + 1 || templates > t->stored.len ||
        !bytes_take_varint(&r->directory, &pools) || pools > templates ||
        pools > r->directory.len || !stream_take(r, SECTION_TEXT, &t->meta) ||
        !stream_take(r, SECTION_TEXT, &t->pieces) || !numbers_take(r, t->stored.len, &t->codes))
        return stream_damaged(r, "templates of its directory", err);
    t->templates_len = (uint32_t)templates;
    t->pools_len = (uint32_t)pools;
    t->pools = stream_memory(r, t->pools_len, sizeof(*t->pools));
    t->slots = stream_memory(r, t->pools_len, sizeof(*t->slots));
    if (!t->pools || !t->slots)
        return LM_ENOMEM;
    uint64_t len = 0;
    for (size_t i = 0; i < t->pools_len; i++) {
        int error = take_pool(r, t, i, err);

        if (error)
            return error;
        len += t->pools[i].len;
    }
    return len == t->stored.len ? 0 : stream_damaged(r, "the pools of its directory", err);
}

int template_take(struct stream_reader *r, uint32_t len, struct template_column **texts,
                  struct errbuf *err)
{
    struct template_column *t = stream_memory(r, 1, sizeof(*t));

    if (!t)
        return LM_ENOMEM;
    *t = (struct template_column){0};
    *texts = t;
    if (!column_take(r, len, &t->stored))
        return stream_damaged(r, "a column of its directory", err);
    return t->stored.kind == COLUMN_TEMPLATES ? take_templates(r, t, err) : 0;
}

/* The pieces of one template. */
static bool take_template(struct stream_reader *r, const struct template_column *t,
                          struct slice *meta, struct slice *text, struct slice *pieces,
                          struct template *template)
{
    uint64_t pool, len;

    if (!bytes_take_varint(meta, &pool) || pool >= t->pools_len)
        return false;
    *template =
        (struct template){.pieces = pieces, .slots = t->pools[pool].slots, .pool = (uint32_t)pool};
    for (uint32_t i = 0; i <= template->slots; i++)
        if (!bytes_take_varint(meta, &len) || len > text->len ||
            !bytes_take(text, (size_t)len, &pieces[i]))
            return false;
    return true;
}

static int load_pieces(struct stream_reader *r, struct template_column *t, const char *what,
                       struct template *templates, struct errbuf *err)
{
    struct slice meta, text;
    int error = stream_bytes(r, &t->meta, &meta, err);

    if (!error)
        error = stream_bytes(r, &t->pieces, &text, err);
    if (error)
        return error;
    /* Each piece has its length in `meta`, which bounds how many there are. */
    struct slice *pieces = stream_memory(r, meta.len, sizeof(*pieces));
    size_t used = 0;
    if (!pieces)
        return LM_ENOMEM;
    for (size_t i = 0; i < t->templates_len; i++) {
        if (!take_template(r, t, &meta, &text, pieces + used, &templates[i]))
            return stream_damaged(r, what, err);
        used += templates[i].slots + 1;
    }
    return meta.len || text.len ? stream_damaged(r, what, err) : 0;
}

/* Of each text its template and its place in the pool. */
static int load_codes(struct stream_reader *r, struct template_column *t, const char *what,
                      struct errbuf *err)
{
    uint32_t n = t->stored.len;
    uint16_t *codes = stream_memory(r, n, sizeof(*codes));
    uint32_t *places = stream_memory(r, n, sizeof(*places));
    uint32_t *lens = stream_memory(r, t->pools_len, sizeof(*lens));
    struct numbers numbers;
    int error;

    if (!codes || !places || !lens)
        return LM_ENOMEM;
    error = numbers_load(r, &t->codes, &numbers, err);
    if (error)
        return error;
    memset(lens, 0, t->pools_len * sizeof(*lens));
    for (size_t i = 0; i < n; i++) {
        uint64_t code = numbers_get(&numbers, i);

        if (code >= t->templates_len)
            return stream_damaged(r, what, err);
        codes[i] = (uint16_t)code;
        places[i] = lens[t->templates.templates[code].pool]++;
    }
    for (size_t i = 0; i < t->pools_len; i++)
        if (lens[i] != t->pools[i].len)
            return stream_damaged(r, what, err);
    t->templates.codes = codes;
    t->templates.places = places;
    return 0;
}

static int load_templates(struct stream_reader *r, struct template_column *t, const char *what,
                          struct errbuf *err)
{
    struct template *templates = stream_memory(r, t->templates_len, sizeof(*templates));
    int error;

    if (!templates)
        return LM_ENOMEM;
    error = load_pieces(r, t, what, templates, err);
    if (error)
        return error;
    t->templates.templates = templates;
    t->templates.templates_len = t->templates_len;
    t->templates.pools = t->pools;
    t->templates.pools_len = t->pools_len;
    t->column.templates = &t->templates;
    return 0;
}

int template_load(struct stream_reader *r, struct template_column *t, const char *what,
                  const struct column **column, struct errbuf *err)
{
    *column = &t->column;
    if (!t->is_loaded) {
        int error = column_load(r, &t->stored, what, &t->column, err);

        if (!error && t->stored.kind == COLUMN_TEMPLATES)
            error = load_templates(r, t, what, err);
        if (error)
            return error;
        t->is_loaded = true;
    }
    return 0;
}

int template_load_codes(struct stream_reader *r, struct template_column *t, const char *what,
                        struct errbuf *err)
{
    return t->templates.codes ? 0 : load_codes(r, t, what, err);
}

int template_load_pool(struct stream_reader *r, struct template_column *t, uint32_t pool,
                       const char *what, struct errbuf *err)
{
    struct template_pool *p = &t->pools[pool];
    struct column *columns;

    if (p->columns)
        return 0;
    columns = stream_memory(r, p->slots, sizeof(*columns));
    if (!columns)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < p->slots; i++) {
        int error = column_load(r, &t->slots[pool][i], what, &columns[i], err);

        if (error)
            return error;
    }
    p->columns = columns;
    return 0;
}

int template_append(struct stream_reader *r, struct template_column *t, size_t i, const char *what,
                    struct buffer *b, struct errbuf *err)
{
    char room[COLUMN_ROOM];

    if (t->stored.kind != COLUMN_TEMPLATES) {
        buffer_append_slice(b, column_text(&t->column, i, room));
        return 0;
    }
    int error = template_load_codes(r, t, what, err);
    if (error)
        return error;
    const struct template *template = &t->templates.templates[t->templates.codes[i]];
    uint32_t place = t->templates.places[i];
    error = template_load_pool(r, t, template->pool, what, err);
    if (error)
        return error;
    buffer_append_slice(b, template->pieces[0]);
    for (uint32_t k = 0; k < template->slots; k++) {
        buffer_append_slice(b, column_text(&t->pools[template->pool].columns[k], place, room));
        buffer_append_slice(b, template->pieces[k + 1]);
    }
    return 0;
}

struct template_column *template_column_of(const struct templates *t)
{
    return container_of((struct templates *)t, struct template_column, templates);
}

enum column_kind template_kind(const struct template_column *t)
{
    return t->stored.kind;
}

size_t template_bytes(const struct stream_reader *r, const struct template_column *t)
{
    size_t bytes = column_bytes(r, &t->stored);

    if (t->stored.kind != COLUMN_TEMPLATES)
        return bytes;
    bytes +=
        stream_stored(r, &t->meta) + stream_stored(r, &t->pieces) + numbers_bytes(r, &t->codes);
    for (size_t p = 0; p < t->pools_len; p++)
        for (uint32_t i = 0; i < t->pools[p].slots; i++)
            bytes += column_bytes(r, &t->slots[p][i]);
    return bytes;
}

int template_measure(struct stream_reader *r, struct template_column *t, const char *what,
                     uint64_t *bytes, struct errbuf *err)
{
    const struct column *column;
    struct buffer text;
    int error = template_load(r, t, what, &column, err);

    *bytes = 0;
    buffer_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < t->stored.len && !error; i++) {
        buffer_clear(&text);
        error = template_append(r, t, i, what, &text, err);
        if (!error)
            error = buffer_error(&text);
        *bytes += text.len;
    }
    buffer_release(&text);
    return error;
}
