/*
 * Counts. The place goes down in steps; each ends within the bucket in which it begins, and brings
 * every source (descent.h) down to the same key, its *target*. A block that lies wholly between the
 * target and the place is counted by its head, if that can tell; of others the times and levels are
 * looked at, and with predicates the rows that match. So disjoint segments are counted without
 * opening any block but at the edges of buckets, and where segments overlap it is right all the
 * same.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "store/sqlite/heads.h"
#include "store/tally.h"

enum {
    STEP_LOGS = 512,       /* of recent logs in one step … */
    STEP_LOGS_OLD = 64,    /* … and of an older logmill's, if they are matched, … */
    STEP_LOGS_PLAIN = 4096 /* … and of both if not */
};

struct counting {
    struct descent descent;
    int64_t since_us;
    int64_t bucket_us;
    bool by_head; /* the head of a block can tell: nothing but levels is asked for */
    struct store_tally tally;
    uint32_t *codes; /* of each level of a block: its rows */
    size_t codes_capacity;
};

/* ---- Buckets ---- */

/* Also below `since_us`, if it is negative. */
static int64_t bucket_of(const struct counting *c, int64_t timestamp_us)
{
    int64_t us = timestamp_us - c->since_us;

    return us / c->bucket_us - (us % c->bucket_us < 0);
}

static int add(struct counting *c, int64_t timestamp_us, struct slice level, uint64_t n)
{
    int error = store_tally_add(&c->tally, bucket_of(c, timestamp_us), level, n);

    return error == LM_ENOMEM ? errbuf_fail(c->descent.err, error, "no memory to count levels")
                              : error;
}

/* ---- Recent logs, and those of an older logmill ---- */

static int add_log(struct counting *c, const struct record *record)
{
    bool matches = true;

    if (c->descent.scan->explain)
        c->descent.scan->explain->recent++;
    int error = c->descent.plan
                    ? log_matcher_match(c->descent.scan->matcher, record, &matches, c->descent.err)
                    : 0;

    if (error)
        return error;
    return matches ? add(c, record->key.timestamp_us, record->level, 1) : 0;
}

static int count_recent_log(struct counting *c, const struct recent_log *log)
{
    struct store_sqlite_reader *r = c->descent.r;
    struct recent *recent = &r->catalog.recent;
    struct record record;

    if (!c->descent.plan && log->level < recent->levels_len)
        return add(c, log->key.timestamp_us, recent->levels[log->level], 1);
    int error = recent_record(recent, &r->db, log, &record, c->descent.err);
    return error ? error : add_log(c, &record);
}

static int count_recent(struct counting *c, struct source *s, const struct log_key *target)
{
    const struct recent_log *logs = c->descent.r->catalog.recent.logs;
    int error = 0;

    while (!error && s->row > 0 && log_key_compare(&logs[s->row - 1].key, target) >= 0)
        error = count_recent_log(c, &logs[--s->row]);
    if (s->row > 0)
        s->bound = logs[s->row - 1].key;
    else
        s->state = SOURCE_END;
    return error;
}

/* The statement stands on a log that is not counted yet, `bound` being its key. */
static int count_old(struct counting *c, struct source *s, const struct log_key *target)
{
    struct descent *w = &c->descent;
    int error = s->state == SOURCE_FAR ? descent_step_old(w, s) : 0;

    while (!error && s->state == SOURCE_AT && log_key_compare(&s->bound, target) >= 0) {
        struct record record;

        store_sqlite_reader_take(w->old, &s->bound, &record);
        error = add_log(c, &record);
        if (!error)
            error = descent_step_old(w, s);
    }
    return error;
}

/* ---- Blocks ---- */

static int count_by_head(struct counting *c, const struct source *s, const struct block_head *head)
{
    int error = 0;

    for (unsigned i = 0; !error && i < head->levels_len; i++)
        if (heads_take(&c->descent, head, i))
            error = add(c, s->head.first.timestamp_us, head->levels[i].level, head->levels[i].rows);
    if (c->descent.scan->explain)
        c->descent.scan->explain->by_head++;
    return error;
}

/* The rows of each level, of those from `from` to before `to`, into c->codes. */
static void count_codes(struct counting *c, const struct open_block *block, bool selected,
                        const uint16_t *codes, uint32_t from, uint32_t to)
{
    if (!selected) {
        for (uint32_t i = from; i < to; i++)
            c->codes[codes[i]]++;
    } else {
        for (uint32_t i = from; i < to; i++)
            c->codes[codes[i]] += block->rows[i / 64] >> i % 64 & 1;
    }
}

static void reserve_codes(struct counting *c, size_t n)
{
    if (n > c->codes_capacity) {
        free(c->codes);
        c->codes = xmalloc(n * sizeof(*c->codes)); /* one a level of a block: some 100 KB */
        c->codes_capacity = n;
    }
    memset(c->codes, 0, n * sizeof(*c->codes));
}

/* Counts the rows from `from` to before `to`; *adding: an error is not the block's. */
static int count_rows(struct counting *c, struct source *s, struct open_block *block, uint32_t from,
                      uint32_t to, bool *adding, struct errbuf *err)
{
    bool selected = c->descent.plan || s->segment->segment.erased > 0;
    const struct slice *levels;
    const uint16_t *codes;
    size_t n;
    int error = selected ? descent_select(&c->descent, s, block, err) : 0;

    if (!error)
        error = block_levels(block->reader, &codes, &levels, &n, err);
    if (error)
        return error;
    reserve_codes(c, n);
    count_codes(c, block, selected, codes, from, to);
    *adding = true;
    for (size_t i = 0; !error && i < n; i++)
        if (c->codes[i] > 0)
            error = add(c, s->bound.timestamp_us, levels[i], c->codes[i]);
    return error;
}

/* Looks into the block: its rows down to the target. */
static int count_in_block(struct counting *c, struct source *s, const struct log_key *target,
                          bool *adding, struct errbuf *err)
{
    struct descent *w = &c->descent;
    const int64_t *times_us;
    struct open_block *block;
    uint32_t from;
    int error = s->state == SOURCE_NEAR ? descent_open(w, s, &block, err)
                                        : blocks_open(&w->r->blocks, &s->head, &block, err);

    if (error)
        return error;
    if (s->state == SOURCE_NEAR)
        s->row = s->to;
    s->state = SOURCE_AT;
    error = blocks_rows_below(block, target, &from, err);
    if (!error && from < s->row)
        error = count_rows(c, s, block, from, (uint32_t)s->row, adding, err);
    if (!error && from > 0)
        error = block_times(block->reader, &times_us, err);
    if (error)
        return error;
    s->row = from;
    if (from > 0 && times_us[from - 1] < target->timestamp_us) /* past buckets without a log */
        s->bound = descent_key_below((struct log_key){.timestamp_us = times_us[from - 1] + 1});
    else
        s->bound = descent_key_below(*target);
    return 0;
}

/* Counts what the block has down to the target, and goes on to the next one if that is all. */
static int count_block(struct counting *c, struct source *s, const struct log_key *target)
{
    struct descent *w = &c->descent;
    struct errbuf detail = ERRBUF_INIT;
    const struct block_head *head;
    bool by_head = false, adding = false;
    int error = heads_of(w, s, &head);

    if (!error)
        error = heads_can_tell(w, s, target, head, c->by_head, &by_head);
    if (error)
        return error;
    if (by_head) {
        error = count_by_head(c, s, head);
    } else {
        error = count_in_block(c, s, target, &adding, &detail);
        if (error && !adding && store_sqlite_is_damage(&w->r->db, error)) {
            error = descent_bear(w, s, error, &detail);
            return error ? error : descent_next_block(w, s);
        }
        if (error && !adding)
            return errbuf_fail(w->err, error, "%s", detail.text);
    }
    if (error)
        return error;
    return log_key_compare(&s->head.first, target) >= 0 ? descent_next_block(w, s) : 0;
}

static int count_segment(struct counting *c, struct source *s, const struct log_key *target)
{
    struct descent *w = &c->descent;
    int error = 0;

    while (!error && s->state != SOURCE_END && log_key_compare(&s->bound, target) >= 0) {
        error = s->state == SOURCE_FAR ? descent_come_near(w, s) : count_block(c, s, target);
        if (!error)
            error = store_sqlite_reader_go_on(w->r, w->err);
    }
    return error;
}

/* ---- Steps ---- */

/* How far down the source would go in one step: a bounded amount of work. */
static int propose(struct counting *c, const struct source *s, struct log_key *key)
{
    const struct recent_log *logs = c->descent.r->catalog.recent.logs;
    size_t n = c->descent.plan ? STEP_LOGS : STEP_LOGS_PLAIN;

    if (s->kind == SOURCE_OLD)
        return descent_nth_old(&c->descent, c->descent.plan ? STEP_LOGS_OLD : STEP_LOGS_PLAIN, key);
    if (s->kind == SOURCE_RECENT)
        *key = logs[s->row > n ? s->row - n : 0].key;
    else if (c->by_head || s->state == SOURCE_FAR)
        *key = s->segment->segment.first;
    else
        *key = s->head.first;
    return 0;
}

static void raise(struct log_key *key, const struct log_key *to)
{
    if (log_key_compare(key, to) < 0)
        *key = *to;
}

/* Where this step ends: not below the bucket of the highest source. */
static int aim(struct counting *c, const struct source *top, struct log_key *target)
{
    struct descent *w = &c->descent;
    int64_t highest_us = top->bound.timestamp_us; /* of a bound, beyond which no log can be */
    int error = 0;

    if (highest_us > TIMESTAMP_MAX_US)
        highest_us = TIMESTAMP_MAX_US;
    *target =
        (struct log_key){.timestamp_us = c->since_us + bucket_of(c, highest_us) * c->bucket_us};
    raise(target, &w->low);
    for (size_t i = 0; !error && i < w->len; i++) {
        struct log_key key;

        error = propose(c, w->sources[i], &key);
        if (!error)
            raise(target, &key);
    }
    descent_reach(w, target);
    return error;
}

static int count_source(struct counting *c, struct source *s, const struct log_key *target)
{
    if (log_key_compare(&s->bound, target) < 0)
        return 0;
    return s->kind == SOURCE_RECENT ? count_recent(c, s, target)
           : s->kind == SOURCE_OLD  ? count_old(c, s, target)
                                    : count_segment(c, s, target);
}

/* LM_ESTOPPED: there is no room for another bucket. */
static int step(struct counting *c)
{
    struct descent *w = &c->descent;
    struct source *top = descent_highest(w);
    struct log_key target;
    int error = 0;

    if (!top) {
        w->scan->done = true;
        return 0;
    }
    descent_move_down(w, top); /* past segments that their filters have ruled out */
    if (top->state == SOURCE_FAR && top->kind == SOURCE_SEGMENT && !c->by_head)
        return descent_come_near(w, top); /* the step is the size of a block */
    error = aim(c, top, &target);
    for (size_t i = 0; !error && i < w->len; i++)
        error = count_source(c, w->sources[i], &target);
    if (!error)
        w->scan->before = target;
    return error;
}

static bool has_moved(const struct descent *w)
{
    return w->scan->done || log_key_compare(&w->scan->before, &w->start) < 0;
}

static int count(struct counting *c, uint64_t until_us)
{
    int error = 0;

    do {
        error = step(c);
        if (!error)
            error = store_sqlite_reader_go_on(c->descent.r, c->descent.err);
    } while (!error && !c->descent.scan->done &&
             !(until_us && has_moved(&c->descent) && clock_monotonic_us() >= until_us));
    return error == LM_ESTOPPED ? 0 : error;
}

int store_sqlite_scan_count(struct store_reader *base, struct store_scan *scan,
                            const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                            store_count_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct counting c = {.since_us = since_us, .bucket_us = bucket_us};
    struct store_scan start = *scan;
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    store_tally_init(&c.tally);
    error = descent_begin(&c.descent, r, scan, false, err);
    c.by_head = !error && (!c.descent.plan || block_plan_is_of_levels(c.descent.plan));
    if (!error)
        error = count(&c, slice->until_us);
    descent_end(&c.descent);
    if (!error)
        error = store_tally_hand_out(&c.tally, fn, ctx);
    if (error)
        *scan = start;
    store_tally_release(&c.tally);
    free(c.codes);
    return store_sqlite_reader_end(r, error);
}
