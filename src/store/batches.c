/* Batches of a store that has its logs by rows: whatever scan_next hands out goes into them. */
#include "query/extract.h"
#include "store/store.h"

struct batching {
    struct log_extractor *extractor;
    log_batch_fn *fn;
    void *ctx;
    int error; /* of the callback, or of want of memory: what was handed out is not all */
};

static int hand_over(struct batching *b)
{
    struct log_batch batch;

    b->error = log_extractor_batch(b->extractor, &batch);
    if (!b->error && batch.rows > 0)
        b->error = b->fn(&batch, b->ctx);
    log_extractor_clear(b->extractor);
    return b->error;
}

static int take_row(const struct record *record, void *ctx)
{
    struct batching *b = ctx;

    b->error = log_extractor_add(b->extractor, record);
    if (!b->error && log_extractor_is_full(b->extractor))
        b->error = hand_over(b);
    return b->error;
}

int store_scan_batches_by_rows(struct store_reader *r, struct store_scan *scan,
                               const struct store_slice *slice, const struct log_fields *fields,
                               log_batch_fn *fn, void *ctx, struct errbuf *err)
{
    struct batching b = {.extractor = log_extractor_new(fields), .fn = fn, .ctx = ctx};
    int error = store_scan_next(r, scan, slice, take_row, &b, err);

    /* The place is behind all that it has, whatever ended the call. */
    if (!b.error && hand_over(&b))
        error = b.error;
    log_extractor_free(b.extractor);
    return error;
}
