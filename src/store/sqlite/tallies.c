#include "store/sqlite/tallies.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "query/dictionary.h"

enum {
    KEYS_MAX = 16384, /* combinations of codes of a batch that is looked at */
    SLOTS_MIN = 64,
    ASKED_LATELY = 64, /* a block is old that none of so many questions was about */
};

struct tally_row {
    uint32_t combination;
    uint32_t logs;
};

struct tally_block {
    int64_t number;
    uint64_t used; /* tallies.asked, when it was last recalled */
    size_t len;
    struct tally_row rows[];
};

struct tally {
    struct log_fields fields; /* its paths are in `paths` */
    char *paths;
    struct query *query;
    struct dictionary values;       /* tag: their type */
    struct dictionary combinations; /* uint32_t of each field: a value, or LOG_CODE_NONE */
    struct tally_block **slots;     /* a hash table; NULL: free */
    size_t slots_len, blocks_len;
    size_t bytes; /* of blocks */
    size_t charged;
    unsigned users;
    uint64_t used;
    uint64_t swept; /* when what is not used any more was last looked for */
};

/* ---- Life ---- */

void tallies_init(struct tallies *t)
{
    *t = (struct tallies){.bytes_max = TALLIES_BYTES_MAX};
    pthread_mutex_init(&t->lock, NULL);
}

static void free_tally(struct tally *tally)
{
    if (!tally)
        return;
    for (size_t i = 0; i < tally->slots_len; i++)
        free(tally->slots[i]);
    free((void *)tally->slots);
    dictionary_release(&tally->values);
    dictionary_release(&tally->combinations);
    query_unref(tally->query);
    free(tally->paths);
    free(tally);
}

void tallies_release(struct tallies *t)
{
    for (size_t i = 0; i < t->len; i++) {
        CHECK(t->each[i]->users == 0);
        free_tally(t->each[i]);
    }
    pthread_mutex_destroy(&t->lock);
}

void tally_sum_release(struct tally_sum *sum)
{
    free(sum->counts);
    free(sum->met);
    *sum = (struct tally_sum){.counts = NULL};
}

/* ---- Questions ---- */

/* Whether codes and counts say all that is asked of the fields. */
static bool can_be_kept(const struct log_fields *f)
{
    if (f->len == 0 || (!f->bucket_us && !f->any_time))
        return false;
    for (size_t i = 0; i < f->len; i++)
        if (f->items[i].kind != LOG_FIELD_LEVEL && f->items[i].kind != LOG_FIELD_ATTRIBUTE)
            return false;
    return true;
}

static bool is_about(const struct tally *tally, const struct log_fields *f,
                     const struct query *query)
{
    bool same = tally->fields.len == f->len;

    for (size_t i = 0; same && i < f->len; i++)
        same = tally->fields.items[i].kind == f->items[i].kind &&
               slice_equal(tally->fields.items[i].path, f->items[i].path);
    return same && query_equal(tally->query, query);
}

static struct tally *new_tally(const struct log_fields *f, const struct query *query)
{
    struct tally *tally = try_malloc(sizeof(*tally));
    size_t len = 0;

    if (!tally)
        return NULL;
    *tally = (struct tally){.fields = *f, .query = query_ref((struct query *)query)};
    dictionary_init(&tally->values);
    dictionary_init(&tally->combinations);
    for (size_t i = 0; i < f->len; i++)
        len += f->items[i].path.len;
    tally->paths = try_malloc(len + 1);
    if (!tally->paths) {
        free_tally(tally);
        return NULL;
    }
    len = 0;
    for (size_t i = 0; i < f->len; i++) {
        struct slice *path = &tally->fields.items[i].path;

        if (path->len)
            memcpy(tally->paths + len, path->data, path->len);
        path->data = tally->paths + len;
        len += path->len;
    }
    return tally;
}

/* Forgets the question that nobody asks now and was not asked for the longest time. */
static bool forget_one(struct tallies *t)
{
    size_t oldest = t->len;

    for (size_t i = 0; i < t->len; i++)
        if (t->each[i]->users == 0 &&
            (oldest == t->len || t->each[i]->used < t->each[oldest]->used))
            oldest = i;
    if (oldest == t->len)
        return false;
    t->bytes -= t->each[oldest]->charged;
    free_tally(t->each[oldest]);
    t->each[oldest] = t->each[--t->len];
    return true;
}

static struct tally *find(struct tallies *t, const struct log_fields *fields,
                          const struct query *query)
{
    struct tally *tally;

    for (size_t i = 0; i < t->len; i++)
        if (is_about(t->each[i], fields, query))
            return t->each[i];
    if (t->len == TALLIES_MAX && !forget_one(t))
        return NULL;
    tally = new_tally(fields, query);
    if (tally)
        t->each[t->len++] = tally;
    return tally;
}

struct tally *tallies_ask(struct tallies *t, const struct log_fields *fields,
                          const struct query *query)
{
    struct tally *tally;

    if (!can_be_kept(fields))
        return NULL;
    pthread_mutex_lock(&t->lock);
    tally = find(t, fields, query);
    if (tally) {
        tally->users++;
        tally->used = ++t->asked;
    }
    pthread_mutex_unlock(&t->lock);
    return tally;
}

void tallies_give_back(struct tallies *t, struct tally *tally)
{
    if (!tally)
        return;
    pthread_mutex_lock(&t->lock);
    CHECK(tally->users > 0);
    tally->users--;
    pthread_mutex_unlock(&t->lock);
}

/* ---- Room ---- */

static size_t size_of(const struct tally_block *b)
{
    return sizeof(*b) + b->len * sizeof(b->rows[0]);
}

/* What it takes now counts. */
static void charge(struct tallies *t, struct tally *tally)
{
    size_t bytes = sizeof(*tally) + tally->bytes + tally->slots_len * sizeof(struct tally_block *) +
                   dictionary_memory(&tally->values) + dictionary_memory(&tally->combinations);

    t->bytes += bytes - tally->charged;
    tally->charged = bytes;
}

static struct tally_block **slot_of(const struct tally *tally, int64_t number)
{
    size_t mask = tally->slots_len - 1;
    size_t at = (size_t)hash_long(HASH_BASIS, slice_of((const char *)&number, sizeof(number)));

    for (at &= mask; tally->slots[at] && tally->slots[at]->number != number; at = (at + 1) & mask)
        ;
    return &tally->slots[at];
}

/* Makes the table anew, with the blocks that were used from `since` on. */
static bool rebuild(struct tally *tally, size_t slots_len, uint64_t since)
{
    struct tally_block **old = tally->slots;
    size_t old_len = tally->slots_len;
    struct tally_block **slots = (struct tally_block **)try_malloc(slots_len * sizeof(*slots));

    if (!slots)
        return false;
    memset((void *)slots, 0, slots_len * sizeof(*slots));
    tally->slots = slots;
    tally->slots_len = slots_len;
    for (size_t i = 0; i < old_len; i++) {
        if (old[i] && old[i]->used >= since) {
            *slot_of(tally, old[i]->number) = old[i];
        } else if (old[i]) {
            tally->bytes -= size_of(old[i]);
            tally->blocks_len--;
            free(old[i]);
        }
    }
    free((void *)old);
    return true;
}

static bool grow(struct tally *tally)
{
    if (2 * (tally->blocks_len + 1) <= tally->slots_len)
        return true;
    return rebuild(tally, tally->slots_len ? 2 * tally->slots_len : SLOTS_MIN, 0);
}

/* Whether so many bytes more may be taken: other questions go first, then what of this one was not
 * asked for lately, or is not there any more; that is looked for once each time that it is asked.
 */
static bool make_room(struct tallies *t, struct tally *tally, size_t bytes)
{
    while (t->bytes + bytes > t->bytes_max && forget_one(t))
        ;
    if (t->bytes + bytes > t->bytes_max && tally->slots_len > 0 && tally->swept != tally->used) {
        tally->swept = tally->used;
        (void)rebuild(tally, tally->slots_len,
                      tally->used > ASKED_LATELY ? tally->used - ASKED_LATELY : 0);
        charge(t, tally);
    }
    return t->bytes + bytes <= t->bytes_max;
}

/* ---- Sums ---- */

/* Room for all combinations that there are. */
static bool reserve(const struct tally *tally, struct tally_sum *sum)
{
    size_t n = dictionary_len(&tally->combinations);
    size_t capacity = sum->capacity ? sum->capacity : SLOTS_MIN;
    uint64_t *counts;
    uint32_t *met;

    if (n <= sum->capacity)
        return true;
    while (capacity < n)
        capacity *= 2;
    counts = try_realloc(sum->counts, capacity * sizeof(*counts));
    if (!counts)
        return false;
    sum->counts = counts;
    met = try_realloc(sum->met, capacity * sizeof(*met));
    if (!met)
        return false;
    sum->met = met;
    memset(counts + sum->capacity, 0, (capacity - sum->capacity) * sizeof(*counts));
    sum->capacity = capacity;
    return true;
}

static void add_block(struct tally_sum *sum, const struct tally_block *block)
{
    for (size_t i = 0; i < block->len; i++) {
        const struct tally_row *row = &block->rows[i];

        if (sum->counts[row->combination] == 0)
            sum->met[sum->met_len++] = row->combination;
        sum->counts[row->combination] += row->logs;
    }
}

bool tallies_recall(struct tallies *t, struct tally *tally, int64_t block, struct tally_sum *sum)
{
    struct tally_block *found = NULL;

    pthread_mutex_lock(&t->lock);
    if (tally->slots_len > 0)
        found = *slot_of(tally, block);
    if (found && reserve(tally, sum)) {
        found->used = tally->used;
        add_block(sum, found);
    } else {
        found = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}

bool tallies_know(struct tallies *t, const struct tally *tally, int64_t block)
{
    pthread_mutex_lock(&t->lock);
    bool knows = tally->slots_len > 0 && *slot_of((struct tally *)tally, block);
    pthread_mutex_unlock(&t->lock);
    return knows;
}

/* ---- A block ---- */

/* Rows of a batch with the same codes. */
struct condensed {
    uint32_t row[TALLY_ROWS_MAX]; /* the first of each */
    uint32_t logs[TALLY_ROWS_MAX];
    size_t len;
    uint16_t slots[KEYS_MAX]; /* by their codes: a place, and 1 */
    uint32_t keys[];          /* of each row */
};

/* One field more. False: it cannot be kept. */
static bool add_column(const struct log_batch *batch, const struct log_column *c, uint32_t *keys,
                       size_t *combinations)
{
    const uint32_t len = c->values_len;
    uint32_t most = 0;

    if (c->integers || *combinations * ((size_t)len + 1) > KEYS_MAX)
        return false;
    *combinations *= (size_t)len + 1;
    for (size_t row = 0; row < batch->rows; row++) {
        uint32_t code = c->codes[row] == LOG_CODE_NONE ? len : c->codes[row];

        most = code > most ? code : most;
        keys[row] = keys[row] * (len + 1) + code;
    }
    return most <= len; /* there are no lists */
}

static bool condense(const struct log_batch *batch, size_t fields, struct condensed *c)
{
    size_t combinations = 1;

    c->len = 0;
    memset(c->keys, 0, batch->rows * sizeof(*c->keys));
    for (size_t i = 0; i < fields; i++)
        if (!add_column(batch, &batch->columns[i], c->keys, &combinations))
            return false;
    memset(c->slots, 0, combinations * sizeof(*c->slots));
    for (size_t row = 0; row < batch->rows; row++) {
        uint16_t *slot = &c->slots[c->keys[row]];

        if (*slot == 0) {
            if (c->len == TALLY_ROWS_MAX)
                return false;
            c->row[c->len] = (uint32_t)row;
            c->logs[c->len] = 0;
            *slot = (uint16_t)++c->len;
        }
        c->logs[*slot - 1] += batch->counts ? (uint32_t)batch->counts[row] : 1;
    }
    return true;
}

/* What a row has in a column; NULL: nothing. */
static const struct log_value *value_at(const struct log_column *c, size_t row)
{
    return c->codes[row] == LOG_CODE_NONE ? NULL : &c->values[c->codes[row]];
}

static bool has_long_text(const struct log_batch *batch, size_t fields, const struct condensed *c)
{
    for (size_t i = 0; i < c->len; i++) {
        for (size_t k = 0; k < fields; k++) {
            const struct log_value *value = value_at(&batch->columns[k], c->row[i]);

            if (value && value->text.len > TALLY_TEXT_MAX)
                return true;
        }
    }
    return false;
}

/* The number of the values that a row has; false: there are too many. */
static bool number_of(struct tally *tally, const struct log_batch *batch, size_t row,
                      uint32_t *number)
{
    uint32_t codes[LOG_FIELDS_MAX];

    for (size_t i = 0; i < tally->fields.len; i++) {
        const struct log_value *value = value_at(&batch->columns[i], row);

        codes[i] = LOG_CODE_NONE;
        if (value && dictionary_add(&tally->values, value->text, value->type, &codes[i]))
            return false;
    }
    return dictionary_add(&tally->combinations,
                          slice_of((const char *)codes, tally->fields.len * sizeof(codes[0])), 0,
                          number) == 0 &&
           *number < TALLY_COMBINATIONS_MAX;
}

static struct tally_block *new_block(struct tally *tally, int64_t number,
                                     const struct log_batch *batch, const struct condensed *c)
{
    struct tally_block *block = try_malloc(sizeof(*block) + c->len * sizeof(block->rows[0]));
    bool fits = block;

    if (block)
        *block = (struct tally_block){.number = number, .used = tally->used, .len = c->len};
    for (size_t i = 0; fits && i < c->len; i++) {
        block->rows[i].logs = c->logs[i];
        fits = number_of(tally, batch, c->row[i], &block->rows[i].combination);
    }
    if (fits)
        return block;
    free(block);
    return NULL;
}

/* Another reader may have kept it meanwhile. */
static void keep(struct tally *tally, struct tally_block *block)
{
    struct tally_block **slot = slot_of(tally, block->number);

    if (*slot) {
        free(block);
        return;
    }
    *slot = block;
    tally->blocks_len++;
    tally->bytes += size_of(block);
}

/* The block with what was condensed, added to the sum; NULL: there is no room. */
static struct tally_block *make_block(struct tallies *t, struct tally *tally, int64_t number,
                                      const struct log_batch *batch, const struct condensed *c,
                                      struct tally_sum *sum)
{
    struct tally_block *block = NULL;

    if (dictionary_len(&tally->combinations) <= TALLY_COMBINATIONS_MAX &&
        make_room(t, tally, sizeof(*block) + c->len * sizeof(block->rows[0])) && grow(tally))
        block = new_block(tally, number, batch, c);
    if (block && reserve(tally, sum)) {
        add_block(sum, block);
        return block;
    }
    free(block);
    return NULL;
}

bool tallies_note(struct tallies *t, struct tally *tally, int64_t block,
                  const struct log_batch *batch, struct tally_sum *sum)
{
    const size_t fields = batch->rows > 0 ? tally->fields.len : 0;
    struct condensed *c = try_malloc(sizeof(*c) + (batch->rows + 1) * sizeof(c->keys[0]));
    struct tally_block *made = NULL;

    if (c && condense(batch, fields, c) && !has_long_text(batch, fields, c)) {
        pthread_mutex_lock(&t->lock);
        made = make_block(t, tally, block, batch, c, sum);
        if (made)
            keep(tally, made);
        charge(t, tally);
        pthread_mutex_unlock(&t->lock);
    }
    free(c);
    return made;
}

/* ---- Handing out ---- */

/* A sum as a batch, in memory of its own: other readers go on. */
struct handed {
    struct log_batch batch;
    struct log_column columns[LOG_FIELDS_MAX];
    struct log_value *values;
    char *texts;
    uint32_t *codes; /* of one field after the other */
    uint64_t *counts;
    int64_t *times;
};

static void release(struct handed *h)
{
    free(h->values);
    free(h->texts);
    free(h->codes);
    free(h->counts);
    free(h->times);
}

static int copy_values(const struct tally *tally, struct handed *h)
{
    size_t n = dictionary_len(&tally->values), len = 0;

    for (uint32_t i = 0; i < n; i++)
        len += dictionary_text(&tally->values, i).len;
    h->values = try_malloc((n + 1) * sizeof(*h->values));
    h->texts = try_malloc(len + 1);
    if (!h->values || !h->texts)
        return LM_ENOMEM;
    len = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct slice text = dictionary_text(&tally->values, i);

        if (text.len)
            memcpy(h->texts + len, text.data, text.len);
        h->values[i] =
            (struct log_value){.text = slice_of(h->texts + len, text.len),
                               .type = (enum log_value_type)dictionary_tag(&tally->values, i)};
        len += text.len;
    }
    return 0;
}

static int copy(const struct tally *tally, const struct tally_sum *sum, struct handed *h)
{
    const size_t rows = sum->met_len, fields = tally->fields.len;

    h->codes = try_malloc((rows * fields + 1) * sizeof(*h->codes));
    h->counts = try_malloc((rows + 1) * sizeof(*h->counts));
    h->times = try_malloc((rows + 1) * sizeof(*h->times));
    if (!h->codes || !h->counts || !h->times || copy_values(tally, h))
        return LM_ENOMEM;
    for (size_t row = 0; row < rows; row++) {
        uint32_t codes[LOG_FIELDS_MAX];

        memcpy(codes, dictionary_text(&tally->combinations, sum->met[row]).data,
               fields * sizeof(codes[0]));
        for (size_t i = 0; i < fields; i++)
            h->codes[i * rows + row] = codes[i];
        h->counts[row] = sum->counts[sum->met[row]];
        h->times[row] = sum->time_us;
    }
    for (size_t i = 0; i < fields; i++)
        h->columns[i] = (struct log_column){.values = h->values,
                                            .values_len = (uint32_t)dictionary_len(&tally->values),
                                            .codes = h->codes + i * rows};
    h->batch = (struct log_batch){.rows = rows,
                                  .times_us = sum->any_time ? NULL : h->times,
                                  .counts = h->counts,
                                  .columns = h->columns};
    return 0;
}

int tallies_hand_out(struct tallies *t, struct tally *tally, struct tally_sum *sum,
                     log_batch_fn *fn, void *ctx)
{
    struct handed h = {.values = NULL};
    int error;

    if (sum->met_len == 0)
        return 0;
    pthread_mutex_lock(&t->lock);
    error = copy(tally, sum, &h);
    pthread_mutex_unlock(&t->lock);
    if (!error)
        error = fn(&h.batch, ctx);
    for (size_t i = 0; i < sum->met_len; i++)
        sum->counts[sum->met[i]] = 0;
    sum->met_len = 0;
    release(&h);
    return error;
}
