#include "store/store.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "query/survey.h"

int store_migrate(struct store *s, struct errbuf *err)
{
    return s->ops->migrate(s, NULL, err);
}

int store_migrate_patiently(struct store *s, const struct store_patience *patience,
                            struct errbuf *err)
{
    return s->ops->migrate(s, patience, err);
}

void store_free(struct store *s)
{
    if (s)
        s->ops->free(s);
}

struct store_writer *store_writer_new(struct store *s, struct errbuf *err)
{
    return s->ops->writer_new(s, err);
}

void store_writer_free(struct store_writer *w)
{
    if (w)
        w->ops->writer_free(w);
}

int store_append(struct store_writer *w, const struct record *records, size_t n,
                 struct store_append_result *result, struct errbuf *err)
{
    return w->ops->append(w, records, n, result, err);
}

int store_expire(struct store_writer *w, int64_t before_us, size_t max_rows, size_t *deleted,
                 bool *more, struct errbuf *err)
{
    return w->ops->expire(w, before_us, max_rows, deleted, more, err);
}

int store_shrink(struct store_writer *w, uint64_t max_bytes, size_t *deleted, struct errbuf *err)
{
    return w->ops->shrink(w, max_bytes, deleted, err);
}

int store_erase(struct store_writer *w, struct store_scan *scan, const struct store_slice *slice,
                bool remember, size_t *erased, struct errbuf *err)
{
    struct store_scan start = *scan;

    *erased = 0;
    if (scan->done)
        return 0;
    int error = w->ops->erase(w, scan, slice, remember, erased, err);
    if (error) {
        *scan = start;
        *erased = 0;
    }
    return error;
}

unsigned store_tidy(struct store_writer *w)
{
    return w->ops->tidy ? w->ops->tidy(w) : 0;
}

int store_clock_read(struct store_writer *w, struct store_clock *kept, int64_t *now_us,
                     struct errbuf *err)
{
    return w->ops->clock_read(w, kept, now_us, err);
}

int store_clock_write(struct store_writer *w, const struct store_clock *kept, struct errbuf *err)
{
    return w->ops->clock_write(w, kept, err);
}

/* Of a store without background work: nothing but its ops. */
static struct store_keeper *idle_keeper_new(const struct store *s)
{
    struct store_keeper *k = xcalloc(1, sizeof(*k));

    k->ops = s->ops;
    return k;
}

struct store_keeper *store_keeper_new(struct store *s, struct errbuf *err)
{
    return s->ops->keeper_new ? s->ops->keeper_new(s, err) : idle_keeper_new(s);
}

void store_keeper_free(struct store_keeper *k)
{
    if (!k)
        return;
    if (k->ops->keeper_free)
        k->ops->keeper_free(k);
    else
        free(k);
}

int store_keeper_step(struct store_keeper *k, bool at_once, unsigned *wait_ms, struct errbuf *err)
{
    *wait_ms = STORE_KEEPER_WAIT_MAX_MS;
    return k->ops->keeper_step ? k->ops->keeper_step(k, at_once, wait_ms, err) : 0;
}

struct store_reader *store_reader_new(struct store *s, struct errbuf *err)
{
    return s->ops->reader_new(s, err);
}

void store_reader_free(struct store_reader *r)
{
    if (r)
        r->ops->reader_free(r);
}

void store_scan_init(struct store_scan *scan, const struct log_matcher *matcher,
                     const struct log_key *cursor, uint64_t offset)
{
    const struct log_filter *filter = log_matcher_filter(matcher);

    /* An id of zeroes comes before every other. */
    *scan = (struct store_scan){
        .matcher = matcher, .before = {.timestamp_us = filter->until_us}, .skip = offset};
    if (cursor && log_key_compare(cursor, &scan->before) < 0)
        scan->before = *cursor;
    store_scan_settle(scan);
}

void store_scan_settle(struct store_scan *scan)
{
    const struct log_filter *filter = log_matcher_filter(scan->matcher);
    const struct log_key lowest = {.timestamp_us = filter->since_us};

    if (log_key_compare(&scan->before, &lowest) <= 0)
        scan->done = true;
}

int store_scan_next(struct store_reader *r, struct store_scan *scan,
                    const struct store_slice *slice, store_row_fn *fn, void *ctx,
                    struct errbuf *err)
{
    return scan->done ? 0 : r->ops->scan_next(r, scan, slice, fn, ctx, err);
}

int store_scan_count(struct store_reader *r, struct store_scan *scan,
                     const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                     store_count_fn *fn, void *ctx, struct errbuf *err)
{
    return scan->done ? 0 : r->ops->scan_count(r, scan, slice, since_us, bucket_us, fn, ctx, err);
}

int store_scan_batches(struct store_reader *r, struct store_scan *scan,
                       const struct store_slice *slice, const struct log_fields *fields,
                       log_batch_fn *fn, void *ctx, struct errbuf *err)
{
    if (scan->done)
        return 0;
    if (!r->ops->scan_batches)
        return store_scan_batches_by_rows(r, scan, slice, fields, fn, ctx, err);
    return r->ops->scan_batches(r, scan, slice, fields, fn, ctx, err);
}

static int add_to_survey(const struct record *record, void *ctx)
{
    struct store_survey *s = ctx;

    s->error = survey_add(s->survey, record);
    return s->error;
}

int store_scan_survey(struct store_reader *r, struct store_scan *scan,
                      const struct store_slice *slice, struct store_survey *survey,
                      struct errbuf *err)
{
    survey->error = 0;
    if (scan->done)
        return 0;
    return r->ops->scan_survey ? r->ops->scan_survey(r, scan, slice, survey, err)
                               : store_scan_next(r, scan, slice, add_to_survey, survey, err);
}

/* The logs of a page, and what the callback said last. */
struct page {
    unsigned left;
    store_row_fn *fn;
    void *ctx;
    int error;
};

static int take_row(const struct record *record, void *ctx)
{
    struct page *page = ctx;

    page->left--;
    page->error = page->fn(record, page->ctx);
    return page->error;
}

int store_query(struct store_reader *r, const struct log_query *query, store_row_fn *fn, void *ctx,
                struct errbuf *err)
{
    struct page page = {.left = query->limit, .fn = fn, .ctx = ctx};
    struct log_matcher *matcher = log_matcher_new(&query->filter);
    struct store_scan scan;
    int error = 0;

    if (!matcher)
        return errbuf_fail(err, LM_ENOMEM, "no memory for a filter");
    store_scan_init(&scan, matcher, query->has_cursor ? &query->cursor : NULL, query->offset);
    while (!error && !scan.done && page.left > 0) {
        const struct store_slice slice = {.rows = page.left};

        error = store_scan_next(r, &scan, &slice, take_row, &page, err);
        if (!error)
            error = page.error;
        if (!error && scan.damaged > 0)
            error = LM_EIO; /* `err` says which logs are missing */
    }
    log_matcher_unref(matcher);
    return error;
}

int store_get(struct store_reader *r, const struct uuid *id, store_row_fn *fn, void *ctx,
              struct errbuf *err)
{
    return r->ops->get(r, id, fn, ctx, err);
}

int store_follow_end(struct store_reader *r, struct store_position *end, struct errbuf *err)
{
    return r->ops->follow_end(r, end, err);
}

int store_follow(struct store_reader *r, struct store_position *position, size_t max, bool *lost,
                 store_follow_fn *fn, void *ctx, struct errbuf *err)
{
    return r->ops->follow(r, position, max, lost, fn, ctx, err);
}

int store_erasures(struct store_reader *r, uint64_t *number, struct errbuf *err)
{
    return r->ops->erasures(r, number, err);
}

void store_reader_cancel(struct store_reader *r)
{
    r->ops->cancel(r);
}
