#include "store/sqlite/descent.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "block/filter.h"

/* Of a source's logs that are read ahead, and of the texts of those of all sources together. */
enum { AHEAD_ROWS = 32, AHEAD_BYTES = 4 << 20 };

/* ---- Keys ---- */

struct log_key descent_key_below(struct log_key key)
{
    for (int i = sizeof(key.id.bytes); i-- > 0;)
        if (key.id.bytes[i]-- != 0)
            return key;
    key.timestamp_us--; /* every byte is 0xff now */
    return key;
}

struct log_key descent_key_above(struct log_key key)
{
    for (int i = sizeof(key.id.bytes); i-- > 0;)
        if (++key.id.bytes[i] != 0)
            return key;
    key.timestamp_us++;
    return key;
}

static struct log_key lower_of(struct log_key a, struct log_key b)
{
    return log_key_compare(&a, &b) < 0 ? a : b;
}

/* ---- The heap: by bound, the highest first ---- */

static bool is_above(const struct source *a, const struct source *b)
{
    return log_key_compare(&a->bound, &b->bound) > 0;
}

static void swap(struct descent *w, size_t i, size_t k)
{
    struct source *s = w->sources[i];

    w->sources[i] = w->sources[k];
    w->sources[k] = s;
}

static void sift_up(struct descent *w, size_t i)
{
    for (; i > 0 && is_above(w->sources[i], w->sources[(i - 1) / 2]); i = (i - 1) / 2)
        swap(w, i, (i - 1) / 2);
}

static void free_source(struct source *s)
{
    ahead_free(s->ahead);
    free(s);
}

/* The top has moved down, or is at its end. */
static void sift_down(struct descent *w)
{
    if (w->sources[0]->state == SOURCE_END) {
        free_source(w->sources[0]);
        w->sources[0] = w->sources[--w->len];
    }
    for (size_t i = 0;;) {
        size_t highest = i;

        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < w->len; k++)
            if (is_above(w->sources[k], w->sources[highest]))
                highest = k;
        if (highest == i)
            return;
        swap(w, i, highest);
        i = highest;
    }
}

static void add(struct descent *w, struct source source)
{
    struct source *s = xmalloc(sizeof(*s));

    *s = source;
    w->sources = array_reserve(w->sources, &w->capacity, w->len + 1, sizeof(*w->sources));
    w->sources[w->len++] = s;
    sift_up(w, w->len - 1);
}

static void add_segment(struct descent *w, struct catalog_segment *segment)
{
    add(w, (struct source){.kind = SOURCE_SEGMENT,
                           .bound = lower_of(segment->segment.last, descent_key_below(w->start)),
                           .segment = segment});
}

/* The next segment, or NULL if none is left in the range. */
static struct catalog_segment *next_segment(const struct descent *w)
{
    const struct catalog *c = &w->r->catalog;
    struct catalog_segment *s = &c->segments[w->next_segment];

    return w->next_segment < c->segments_len && log_key_compare(&s->segment.last, &w->low) >= 0
               ? s
               : NULL;
}

void descent_reach(struct descent *w, const struct log_key *key)
{
    struct catalog_segment *s;

    while ((s = next_segment(w)) && log_key_compare(&s->segment.last, key) >= 0) {
        w->next_segment++;
        if (log_key_compare(&s->segment.first, &w->start) < 0)
            add_segment(w, s);
    }
}

bool descent_next_reach(const struct descent *w, struct log_key *key)
{
    const struct catalog_segment *s = next_segment(w);

    if (s)
        *key = s->segment.last;
    return s;
}

struct source *descent_top(struct descent *w)
{
    struct catalog_segment *s;

    while ((s = next_segment(w)) &&
           (w->len == 0 || log_key_compare(&s->segment.last, &w->sources[0]->bound) >= 0))
        descent_reach(w, &s->segment.last);
    return w->len > 0 ? w->sources[0] : NULL;
}

bool descent_second(const struct descent *w, struct log_key *bound)
{
    const struct catalog_segment *s = next_segment(w);
    bool any = false;

    for (size_t i = 1; i <= 2 && i < w->len; i++) {
        if (!any || log_key_compare(&w->sources[i]->bound, bound) > 0)
            *bound = w->sources[i]->bound;
        any = true;
    }
    if (s && (!any || log_key_compare(&s->segment.last, bound) > 0)) {
        *bound = s->segment.last;
        any = true;
    }
    return any;
}

void descent_sweep(struct descent *w)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->len; i++) {
        struct source *s = w->sources[i];

        if (s->state == SOURCE_END || log_key_compare(&s->bound, &w->low) < 0)
            free_source(s);
        else
            w->sources[kept++] = s;
    }
    w->len = kept;
}

struct source *descent_highest(struct descent *w)
{
    struct source *top = NULL;
    struct log_key key;

    descent_sweep(w);
    for (size_t i = 0; i < w->len; i++)
        if (!top || log_key_compare(&w->sources[i]->bound, &top->bound) > 0)
            top = w->sources[i];
    if (!descent_next_reach(w, &key) || (top && log_key_compare(&top->bound, &key) > 0))
        return top;
    descent_reach(w, &key);
    return descent_highest(w);
}

bool descent_move_down(struct descent *w, const struct source *top)
{
    struct log_key place = descent_key_above(top->bound);

    if (log_key_compare(&place, &w->scan->before) >= 0)
        return false;
    w->scan->before = place;
    return true;
}

/* ---- What is damaged ---- */

static void describe(const struct descent *w, const struct source *s, const struct errbuf *detail)
{
    char first[TIMESTAMP_TEXT_LEN], last[TIMESTAMP_TEXT_LEN];
    const struct segment *segment = &s->segment->segment;
    bool is_block = s->state != SOURCE_FAR;

    timestamp_format(is_block ? s->head.first.timestamp_us : segment->first.timestamp_us, first);
    timestamp_format(is_block ? s->head.last.timestamp_us : segment->last.timestamp_us, last);
    errbuf_set(w->err,
               "%s: %s %lld is damaged (%s); its %llu logs of %.*s to %.*s cannot be read: "
               "`logmill store verify`",
               w->r->db.path, is_block ? "block" : "segment",
               (long long)(is_block ? s->head.number : segment->number), detail->text,
               (unsigned long long)(is_block ? s->head.rows : segment->rows), TIMESTAMP_TEXT_LEN,
               first, TIMESTAMP_TEXT_LEN, last);
}

/* Whether the scan has met it before. Segments have negative numbers here. */
static bool is_met(const struct store_scan *scan, int64_t number)
{
    for (int i = 0; i < STORE_SCAN_DAMAGED; i++)
        if (scan->damaged_in[i] == number)
            return true;
    return false;
}

static void remember(struct store_scan *scan, int64_t number)
{
    memmove(scan->damaged_in + 1, scan->damaged_in,
            sizeof(scan->damaged_in) - sizeof(scan->damaged_in[0]));
    scan->damaged_in[0] = number;
}

/*
 * Each is counted once, though it may reach over the places of many slices: any of them may be the
 * first to meet it, since of a block no more is read than is asked for.
 */
int descent_bear(struct descent *w, const struct source *s, int error, const struct errbuf *detail)
{
    bool is_block = s->state != SOURCE_FAR;

    if (!error)
        return 0;
    if (!store_sqlite_is_damage(&w->r->db, error))
        return errbuf_fail(w->err, error, "%s", detail->text);
    int64_t number = is_block ? s->head.number : -s->segment->segment.number;
    describe(w, s, detail);
    if (is_met(w->scan, number))
        return 0;
    remember(w->scan, number);
    w->scan->damaged += is_block ? s->head.rows : s->segment->segment.rows;
    return 0;
}

/* ---- Segments ---- */

static void explain_blocks(const struct descent *w, uint64_t *by)
{
    if (by && w->scan->explain)
        ++*by;
}

/* Asks the filter of a segment which blocks may have the hash; if it is damaged, all may. */
static int ask_hash(struct descent *w, const struct segment *segment, uint64_t hash,
                    uint64_t *blocks, struct errbuf *err)
{
    struct buffer *row = &w->r->filter_row;
    int error = segment_filter_row(&w->r->db, segment, hash, row, err);

    if (error && store_sqlite_is_damage(&w->r->db, error)) {
        *blocks = UINT64_MAX; /* it would have spared us a look into some blocks */
        return 0;
    }
    if (error)
        return error;
    if (w->scan->explain)
        w->scan->explain->bytes += row->len;
    for (uint32_t b = segment->gone; b < segment->blocks; b++)
        if (block_filter_may_hold(row->data, b, hash))
            *blocks |= UINT64_C(1) << b;
    return 0;
}

/* Asks it which blocks may hold what the plan looks for. */
static int ask_filter(struct descent *w, struct source *s, struct errbuf *err)
{
    const struct segment *segment = &s->segment->segment;
    size_t clauses = w->plan && segment->buckets > 0 ? block_plan_clauses(w->plan) : 0;
    int error = 0;

    s->candidates = UINT64_MAX;
    for (size_t i = 0; i < clauses && s->candidates && !error; i++) {
        const struct block_clause clause = block_plan_clause(w->plan, i);
        uint64_t blocks = clause.by_path ? ~segment->hashed : 0; /* that may have a match */

        for (size_t k = 0; k < clause.len && s->candidates & ~blocks && !error; k++)
            error = ask_hash(w, segment, clause.hashes[k], &blocks, err);
        s->candidates &= blocks;
    }
    return error;
}

static bool passes_filter(const struct source *s, size_t index)
{
    return s->candidates >> (s->segment->segment.gone + index) & 1;
}

bool descent_may_hold(const struct descent *w, const struct source *s, size_t index,
                      const struct block_head *head)
{
    return passes_filter(s, index) && !is_met(w->scan, head->number) &&
           (!w->plan || block_plan_judge(w->plan, head) != BLOCK_NONE);
}

/* Goes on to the next block, from the `blocks`-th down, that may hold logs that match. */
static void seek_block(struct descent *w, struct source *s, const struct block_head *heads)
{
    struct block_explain *explain = w->scan->explain;

    for (; s->blocks > 0; s->blocks--) {
        const struct block_head *head = &heads[s->blocks - 1];

        if (log_key_compare(&head->last, &w->low) < 0)
            break;
        if (log_key_compare(&head->first, &w->start) >= 0 || is_met(w->scan, head->number))
            continue;
        if (!passes_filter(s, s->blocks - 1)) {
            explain_blocks(w, explain ? &explain->by_filter : NULL);
            continue;
        }
        if (w->plan && block_plan_judge(w->plan, head) == BLOCK_NONE) {
            explain_blocks(w, explain ? &explain->by_level : NULL);
            continue;
        }
        s->head = *head;
        s->head.levels_len = 0;
        s->state = SOURCE_NEAR;
        s->bound = lower_of(head->last, descent_key_below(w->start));
        return;
    }
    s->state = SOURCE_END;
}

int descent_come_near(struct descent *w, struct source *s)
{
    struct errbuf detail = ERRBUF_INIT;
    const struct block_head *heads;
    int error = catalog_heads(&w->r->catalog, &w->r->db, s->segment, &heads, &s->blocks, &detail);

    if (error) {
        error = descent_bear(w, s, error, &detail);
        s->state = SOURCE_END;
        return error;
    }
    error = ask_filter(w, s, w->err);
    if (!error)
        seek_block(w, s, heads);
    return error;
}

int descent_next_block(struct descent *w, struct source *s)
{
    struct errbuf detail = ERRBUF_INIT;
    const struct block_head *heads;
    size_t n;
    int error = catalog_heads(&w->r->catalog, &w->r->db, s->segment, &heads, &n, &detail);

    if (error)
        return errbuf_fail(w->err, error, "%s", detail.text); /* they could be read before */
    blocks_pass(&w->r->blocks, s->head.number);
    s->blocks--;
    seek_block(w, s, heads);
    return 0;
}

int descent_open(struct descent *w, struct source *s, struct open_block **block, struct errbuf *err)
{
    struct block_explain *explain = w->scan->explain;
    int error = blocks_open(&w->r->blocks, &s->head, block, err);

    if (!error)
        error = blocks_rows_below(*block, &w->low, &s->from, err);
    if (!error)
        error = blocks_rows_below(*block, &w->start, &s->to, err);
    if (explain && !w->plan) { /* else block_select counts them */
        explain->blocks_read++;
        explain->rows += s->head.rows;
    }
    return error;
}

int descent_select(struct descent *w, struct source *s, struct open_block *block,
                   struct errbuf *err)
{
    const struct blocks_wanted wanted = {
        .segment = &s->segment->segment,
        .plan = w->plan,
        .plan_number = w->plan_number,
        .from = s->from,
        .to = s->to,
        .explain = w->scan->explain,
    };

    return blocks_select(block, &wanted, err);
}

/* The highest row of `rows` from `from` on and below `end`; false: none. */
static bool find_row(const uint64_t *rows, uint32_t from, size_t end, size_t *row)
{
    while (end > from) {
        size_t word = (end - 1) / 64;
        uint64_t bits = rows[word] & (end % 64 ? (UINT64_C(1) << end % 64) - 1 : UINT64_MAX);

        if (bits) {
            *row = word * 64 + 63 - (size_t)__builtin_clzll(bits);
            return *row >= from;
        }
        end = word * 64;
    }
    return false;
}

/*
 * Comes to stand on the highest row below `end` that matches; *found tells whether there is one.
 * It is looked at in whole at once if it will be asked for, so that a damage is met here.
 */
static int stand_below(struct descent *w, struct source *s, struct open_block *block, size_t end,
                       bool *found, struct errbuf *err)
{
    const struct log_key *keys;
    struct record record;
    int error = 0;

    if (s->ahead) {
        *found = true;
        s->state = SOURCE_AT;
        s->bound = ahead_record(s->ahead)->key;
        return 0;
    }
    *found = find_row(block->rows, s->from, end, &s->row);
    if (!*found)
        return 0;
    error = block_keys(block->reader, &keys, err);
    if (!error && s->state == SOURCE_NEAR && w->reads_logs)
        error = block_record(block->reader, s->row, &record, err);
    if (error)
        return error;
    s->state = SOURCE_AT;
    s->bound = keys[s->row];
    return 0;
}

/*
 * More blocks are read side by side than can be open, or others took the place of this one since
 * its last log: then some of its logs are read ahead.
 */
static bool is_crowded(const struct descent *w, const struct source *s)
{
    return w->reads_logs && (w->len > BLOCKS_OPEN_MAX ||
                             (s->state == SOURCE_AT && !blocks_has(&w->r->blocks, s->head.number)));
}

static void read_ahead(struct descent *w, struct source *s, struct open_block *block, size_t end)
{
    uint32_t rows[AHEAD_ROWS];
    size_t n = 0;

    while (n < AHEAD_ROWS && find_row(block->rows, s->from, end, &end))
        rows[n++] = (uint32_t)end;
    if (n > 0)
        s->ahead = ahead_new(block, rows, n, AHEAD_BYTES / w->len);
    if (s->ahead)
        s->row = rows[0];
}

/* Goes on to the next log that was read ahead; false: there is none. */
static bool stand_ahead(struct source *s)
{
    if (s->ahead && ahead_next(s->ahead, &s->row)) {
        s->bound = ahead_record(s->ahead)->key;
        return true;
    }
    ahead_free(s->ahead);
    s->ahead = NULL;
    return false;
}

/* Goes down from row `end` of the block, and on to the next one if nothing more of it matches. */
static int stand(struct descent *w, struct source *s, size_t end)
{
    struct errbuf detail = ERRBUF_INIT;
    struct open_block *block;
    bool found = false;

    if (stand_ahead(s))
        return 0;
    bool crowded = is_crowded(w, s);
    int error = s->state == SOURCE_NEAR ? descent_open(w, s, &block, &detail)
                                        : blocks_open(&w->r->blocks, &s->head, &block, &detail);

    if (!error)
        error = descent_select(w, s, block, &detail);
    if (end > s->to)
        end = s->to;
    if (!error && crowded)
        read_ahead(w, s, block, end);
    if (!error)
        error = stand_below(w, s, block, end, &found, &detail);
    found = found && !error;
    error = descent_bear(w, s, error, &detail);
    return error || found ? error : descent_next_block(w, s);
}

/* ---- The other sources ---- */

/* Of the rows of the range, newest first: found by one descent of the primary key, never sorted. */
static int bind_old(struct descent *w)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(&w->r->db, store_sqlite_old_records, &stmt, w->err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, w->low.timestamp_us);
    sqlite3_bind_int64(stmt, 2, w->start.timestamp_us);
    sqlite3_bind_blob(stmt, 3, w->start.id.bytes, sizeof(w->start.id.bytes), SQLITE_STATIC);
    w->old = stmt;
    return 0;
}

int descent_step_old(struct descent *w, struct source *s)
{
    int error = store_sqlite_reader_step(w->r, w->old, &s->bound, w->err);

    s->state = error ? SOURCE_END : SOURCE_AT;
    return error == LM_ENOTFOUND ? 0 : error;
}

int descent_nth_old(struct descent *w, int64_t n, struct log_key *key)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(&w->r->db, store_sqlite_old_nth, &stmt, w->err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, w->low.timestamp_us);
    sqlite3_bind_int64(stmt, 2, w->scan->before.timestamp_us);
    sqlite3_bind_blob(stmt, 3, w->scan->before.id.bytes, sizeof(w->scan->before.id.bytes),
                      SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, n - 1);
    error = store_sqlite_reader_step(w->r, stmt, key, w->err);
    sqlite3_reset(stmt);
    if (error == LM_ENOTFOUND)
        *key = w->low;
    return error == LM_ENOTFOUND ? 0 : error;
}

/* Stands on the last of the `row` that are left. */
static void stand_recent(struct descent *w, struct source *s)
{
    const struct recent_log *logs = w->r->catalog.recent.logs;

    s->state = SOURCE_END;
    if (s->row == 0 || log_key_compare(&logs[s->row - 1].key, &w->low) < 0)
        return;
    s->bound = logs[s->row - 1].key;
    s->state = SOURCE_AT;
}

/* ---- All of them ---- */

int descent_refine(struct descent *w)
{
    struct source *s = w->sources[0];
    int error = 0;

    if (s->kind == SOURCE_RECENT)
        stand_recent(w, s);
    else if (s->kind == SOURCE_OLD)
        error = descent_step_old(w, s);
    else if (s->state == SOURCE_FAR)
        error = descent_come_near(w, s);
    else
        error = stand(w, s, SIZE_MAX);
    sift_down(w);
    return error;
}

int descent_advance(struct descent *w)
{
    struct source *s = w->sources[0];
    int error = 0;

    if (s->kind == SOURCE_RECENT) {
        s->row--;
        stand_recent(w, s);
    } else if (s->kind == SOURCE_OLD) {
        error = descent_step_old(w, s);
    } else {
        error = stand(w, s, s->row);
    }
    sift_down(w);
    return error;
}

int descent_pass_block(struct descent *w)
{
    int error = descent_next_block(w, w->sources[0]);

    sift_down(w);
    return error;
}

int descent_record(struct descent *w, struct record *record, bool *is_lost)
{
    struct source *s = w->sources[0];
    struct recent *recent = &w->r->catalog.recent;
    struct errbuf detail = ERRBUF_INIT;
    struct open_block *block;

    *is_lost = false;
    if (s->kind == SOURCE_RECENT)
        return recent_record(recent, &w->r->db, &recent->logs[s->row - 1], record, w->err);
    if (s->kind == SOURCE_OLD) {
        store_sqlite_reader_take(w->old, &s->bound, record);
        return 0;
    }
    if (s->ahead) {
        *record = *ahead_record(s->ahead);
        return 0;
    }
    int error = blocks_open(&w->r->blocks, &s->head, &block, &detail);
    if (!error)
        error = block_record(block->reader, s->row, record, &detail);
    *is_lost = error;
    if (error)
        s->row = s->from; /* nor does a later slice look into it again */
    return descent_bear(w, s, error, &detail);
}

/* What is recent and cannot be read is told at once: it is in no order. */
static void bear_recent(struct descent *w)
{
    const struct recent *recent = &w->r->catalog.recent;

    for (size_t i = 0; recent->lost > 0 && !w->begun && i < recent->rows_len; i++) {
        const struct recent_batch *row = &recent->rows[i];

        if (row->lost == 0 || log_key_compare(&row->high, &w->low) < 0 ||
            log_key_compare(&row->low, &w->start) >= 0)
            continue;
        w->scan->damaged += row->lost;
        errbuf_set(w->err,
                   "%s: %u recent logs, stored up to number %lld, are damaged and cannot "
                   "be read: `logmill store verify`",
                   w->r->db.path, row->lost, (long long)row->last);
    }
}

int descent_begin(struct descent *w, struct store_sqlite_reader *r, struct store_scan *scan,
                  bool reads_logs, struct errbuf *err)
{
    const struct log_filter *filter = log_matcher_filter(scan->matcher);
    struct log_key low = {.timestamp_us = filter->since_us};

    *w = (struct descent){.r = r,
                          .scan = scan,
                          .low = low,
                          .start = scan->before,
                          .reads_logs = reads_logs,
                          .begun = scan->begun,
                          .damaged = scan->damaged,
                          .err = err};
    memcpy(w->damaged_in, scan->damaged_in, sizeof(w->damaged_in));
    int error = store_sqlite_reader_plan(r, scan, &w->plan, &w->plan_number, err);
    if (error)
        return error;

    struct log_key below = descent_key_below(w->start);
    size_t recent = recent_below(&r->catalog.recent, &w->start);

    bear_recent(w);
    if (recent > 0)
        add(w, (struct source){.kind = SOURCE_RECENT,
                               .bound = r->catalog.recent.logs[recent - 1].key,
                               .row = recent});
    if (r->catalog.has_old) {
        error = bind_old(w);
        add(w, (struct source){.kind = SOURCE_OLD, .bound = below});
    }
    descent_reach(w, &w->start);
    return error;
}

void descent_end(struct descent *w)
{
    struct store_scan *scan = w->scan;

    for (size_t i = 0; i < w->len; i++)
        free_source(w->sources[i]);
    free(w->sources);
    sqlite3_reset(w->old);
    if (scan->explain)
        scan->explain->bytes += w->r->blocks.bytes;
    w->r->blocks.bytes = 0;
    if (!scan->done && log_key_compare(&scan->before, &w->start) >= 0) {
        scan->damaged = w->damaged; /* the next slice meets it again */
        memcpy(scan->damaged_in, w->damaged_in, sizeof(scan->damaged_in));
    } else {
        scan->begun = true;
    }
}
