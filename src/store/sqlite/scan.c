/*
 * Scans. The place is a key, and a slice is a descent down the keys below it (descent.h). What is
 * in a block is matched there (block/select.h), and other logs one by one, here; both mean the
 * same. A slice is one snapshot, and no snapshot outlives it.
 */
#include "base/clock.h"
#include "store/sqlite/descent.h"

enum {
    LOOK_ROWS = 16,          /* logs between two looks at the clock … */
    LOOK_BYTES = 256 * 1024, /* … or bytes of them, if that is sooner */
};

/* When a slice is over. */
struct pace {
    uint64_t until_us;
    unsigned rows;
    size_t bytes;
};

static bool is_late(const struct pace *p)
{
    return p->until_us && clock_monotonic_us() >= p->until_us;
}

/* Called once for each log; looks at the clock after the first, too. */
static bool is_over(struct pace *p, size_t bytes)
{
    if (!p->until_us)
        return false;
    p->bytes += bytes;
    if (p->rows++ % LOOK_ROWS != 0 && p->bytes < LOOK_BYTES)
        return false;
    p->bytes = 0;
    return is_late(p);
}

struct output {
    uint64_t left; /* logs that may still be handed out */
    store_row_fn *fn;
    void *ctx;
    bool stopped; /* by the callback */
};

/* Whether the log that the top of the descent stands on matches: what is in a block does. */
static int match(struct descent *w, const struct source *s, const struct record *record,
                 bool *matches)
{
    struct block_explain *explain = w->scan->explain;

    *matches = true;
    if (s->kind == SOURCE_SEGMENT)
        return 0;
    if (explain)
        explain->recent++;
    return w->plan ? log_matcher_match(w->scan->matcher, record, matches, w->err) : 0;
}

static int hand_out(struct descent *w, const struct record *record, struct output *out)
{
    int error = out->fn(record, out->ctx);

    out->left--;
    out->stopped = error == LM_ESTOPPED;
    return out->stopped ? 0 : error;
}

/* Takes the log that the top of the descent stands on. `*bytes`: of it, that were looked at. */
static int take(struct descent *w, struct output *out, size_t *bytes)
{
    struct store_scan *scan = w->scan;
    const struct source *s = w->sources[0];
    bool is_known = !w->plan || s->kind == SOURCE_SEGMENT; /* that it matches */
    struct log_key key = s->bound;
    struct record record;
    bool matches = true, is_lost = false;
    int error = 0;

    *bytes = 0;
    if (!is_known || scan->skip == 0) {
        error = descent_record(w, &record, &is_lost);
        if (!error && !is_lost)
            error = match(w, s, &record, &matches);
        if (error)
            return error;
        *bytes = is_lost ? 0 : record.message.len + record.attributes.len;
    }
    if (matches && !is_lost && scan->skip > 0)
        scan->skip--;
    else if (matches && !is_lost)
        error = hand_out(w, &record, out);
    if (!error)
        scan->before = key;
    return error;
}

/*
 * Leaves out the block that the top is near, in whole, if all its logs are to be and no other
 * source has logs among them. What is left out without being looked at need not be read.
 */
static bool can_skip_block(const struct descent *w)
{
    const struct source *s = w->sources[0];
    struct log_key second;

    return w->scan->skip >= s->head.rows && !w->plan && s->kind == SOURCE_SEGMENT &&
           s->state == SOURCE_NEAR && s->segment->segment.erased == 0 &&
           log_key_compare(&s->head.last, &w->start) < 0 &&
           log_key_compare(&s->head.first, &w->low) >= 0 &&
           (!descent_second(w, &second) || log_key_compare(&second, &s->head.first) < 0);
}

static int skip_block(struct descent *w)
{
    const struct source *s = w->sources[0];

    w->scan->skip -= s->head.rows;
    w->scan->before = s->head.first;
    return descent_pass_block(w);
}

/*
 * Comes to stand on the next log; `*over`: the time is over first, and the place has moved. That is
 * looked at after each block without a match, and each segment that its filter rules out.
 */
static int settle(struct descent *w, const struct pace *pace, bool *over)
{
    struct source *top = descent_top(w);
    int error = 0;

    while (!error && !*over && top && top->state != SOURCE_AT) {
        error = can_skip_block(w) ? skip_block(w) : descent_refine(w);
        if (!error)
            error = store_sqlite_reader_go_on(w->r, w->err);
        top = descent_top(w);
        *over = !error && top && top->state != SOURCE_AT && is_late(pace) &&
                (descent_move_down(w, top) || log_key_compare(&w->scan->before, &w->start) < 0);
    }
    return error;
}

/* Past the log that was taken before, if `any` was, to the next one, which is taken. */
static int step(struct descent *w, bool any, struct pace *pace, struct output *out, bool *over)
{
    size_t bytes = 0;
    int error = any ? descent_advance(w) : 0;

    if (!error)
        error = settle(w, pace, over);
    if (error || *over)
        return error;
    w->scan->done = !descent_top(w);
    if (w->scan->done)
        return 0;
    error = take(w, out, &bytes);
    *over = is_over(pace, bytes);
    return error ? error : store_sqlite_reader_go_on(w->r, w->err);
}

static int go_on(struct descent *w, struct pace *pace, struct output *out)
{
    bool over = false;
    int error = 0;

    for (bool any = false; !error && !over && !w->scan->done && !out->stopped && out->left > 0;
         any = true)
        error = step(w, any, pace, out, &over);
    return error;
}

int store_sqlite_scan_next(struct store_reader *base, struct store_scan *scan,
                           const struct store_slice *slice, store_row_fn *fn, void *ctx,
                           struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct output out = {.left = slice->rows, .fn = fn, .ctx = ctx};
    struct pace pace = {.until_us = slice->until_us};
    struct descent descent;
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    error = descent_begin(&descent, r, scan, true, err);
    if (!error)
        error = go_on(&descent, &pace, &out);
    descent_end(&descent);
    return store_sqlite_reader_end(r, error);
}
