#include "api/erasure.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"

enum {
    SLICE_US = 250 * 1000, /* after which there is progress to tell */
    SLICE_LOGS = 8192,     /* erased in one transaction */
    REST_US = 2000,        /* between two transactions: others write as well */
};

/* Whether each log is one of it, as far as is plain: tests for what all logs have, joined. */
static bool is_all(const struct query *q)
{
    bool *all = xcalloc(q->len, sizeof(*all));

    for (uint32_t i = q->len; i-- > 0;) {
        const struct query_node *node = &q->nodes[i];

        if (node->kind == QUERY_TEST)
            all[i] = node->test == QUERY_EXISTS && node->field != QUERY_ATTRIBUTE;
        if (node->kind != QUERY_AND && node->kind != QUERY_OR)
            continue;
        all[i] = node->kind == QUERY_AND;
        for (uint32_t k = i + 1; k < node->end; k = q->nodes[k].end)
            if (all[k] == (node->kind == QUERY_OR))
                all[i] = all[k];
    }

    bool root = all[0];

    free(all);
    return root;
}

bool erasure_asks_for_something(const struct log_filter *f)
{
    return f->since_us > TIMESTAMP_MIN_US || f->until_us <= TIMESTAMP_MAX_US ||
           (log_filter_has_predicates(f) && !(f->query && is_all(f->query)));
}

static bool goes_on(erasure_progress *progress, uint64_t logs, void *ctx)
{
    return !progress || progress(logs, ctx);
}

/* What is damaged may hold logs that match: they are neither counted nor deleted. */
static int check_damage(const struct store_scan *scan, struct errbuf *err)
{
    struct errbuf which = *err;

    return scan->damaged == 0 ? 0
                              : errbuf_fail(err, LM_EIO, "%llu logs could not be looked at: %s",
                                            (unsigned long long)scan->damaged, which.text);
}

static int count_some(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    struct erasure_count *c = ctx;

    (void)level;
    if (c->logs == 0 || bucket < c->first_bucket)
        c->first_bucket = bucket;
    c->logs += count;
    return 0;
}

int erasure_count(struct store_reader *r, const struct log_matcher *matcher,
                  struct erasure_count *counted, erasure_progress *progress, void *ctx,
                  struct errbuf *err)
{
    struct store_scan scan;
    int error = 0;

    *counted = (struct erasure_count){0};
    store_scan_init(&scan, matcher, NULL, 0);
    while (!error && !scan.done) {
        const struct store_slice slice = {.until_us = clock_monotonic_us() + SLICE_US};

        error = store_scan_count(r, &scan, &slice, 0, ERASURE_BUCKET_US, count_some, counted, err);
        if (!error && !goes_on(progress, counted->logs, ctx))
            error = LM_ESTOPPED;
    }
    return error ? error : check_damage(&scan, err);
}

static void rest(void)
{
    const struct timespec time = {0, (long)REST_US * 1000};

    nanosleep(&time, NULL);
}

int erasure_run(struct store_writer *w, const struct log_matcher *matcher,
                struct cache_client *cache, uint64_t *erased, erasure_progress *progress, void *ctx,
                struct errbuf *err)
{
    struct store_scan scan;
    int error = 0;

    *erased = 0;
    store_scan_init(&scan, matcher, NULL, 0);
    while (!error && !scan.done) {
        const struct store_slice slice = {.rows = SLICE_LOGS,
                                          .until_us = clock_monotonic_us() + SLICE_US};
        struct errbuf ignored = ERRBUF_INIT;
        size_t some = 0;

        error = store_erase(w, &scan, &slice, true, &some, err);
        *erased += some;
        if (some > 0) /* what fails is told at the end */
            (void)!cache_forget(cache, &ignored);
        if (!error && !goes_on(progress, *erased, ctx))
            error = LM_ESTOPPED;
        rest();
    }
    return error ? error : check_damage(&scan, err);
}
