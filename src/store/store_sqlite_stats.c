/*
 * Counts per bucket and level. The rows come in the order of time, so one bucket at a time is
 * counted; its levels are a short list, and a level that is spelt as when it was first met is found
 * without lower-casing.
 */
#include "store/store_sqlite_parts.h"

enum { LEVEL_BYTES_MAX = 1 << 28 }; /* more than a bucket's levels can have together */

static const struct slice other = SLICE_LITERAL("other");

struct count {
    size_t lower_start; /* in texts: the lower-cased name */
    size_t lower_len;
    size_t raw_start; /* in texts: as it was spelt when it was first met */
    size_t raw_len;
    uint64_t count;
};

/* The bucket that is being counted. */
struct tally {
    struct buffer texts;
    struct count counts[STORE_STATS_LEVELS_MAX];
    size_t len;
    uint64_t others; /* of levels that found no place in counts */
    int64_t bucket;
};

static struct slice text_at(const struct tally *t, size_t start, size_t len)
{
    return len == 0 ? (struct slice){NULL, 0} : slice_of(t->texts.data + start, len);
}

static int add_level(struct tally *t, struct slice level)
{
    struct count *c;
    size_t raw_start = t->texts.len;
    size_t lower_start;
    struct slice lower;

    for (size_t i = 0; i < t->len; i++) {
        c = &t->counts[i];
        if (slice_equal(text_at(t, c->raw_start, c->raw_len), level)) {
            c->count++;
            return 0;
        }
    }
    buffer_append_slice(&t->texts, level);
    lower_start = t->texts.len;
    text_append_lower(&t->texts, level);
    if (buffer_error(&t->texts) != 0)
        return buffer_error(&t->texts);
    lower = text_at(t, lower_start, t->texts.len - lower_start);

    for (size_t i = 0; i < t->len; i++) {
        c = &t->counts[i];
        if (slice_equal(text_at(t, c->lower_start, c->lower_len), lower)) {
            c->count++;
            buffer_truncate(&t->texts, raw_start);
            return 0;
        }
    }
    if (t->len == STORE_STATS_LEVELS_MAX) {
        t->others++;
        buffer_truncate(&t->texts, raw_start);
        return 0;
    }
    t->counts[t->len++] = (struct count){
        .lower_start = lower_start,
        .lower_len = lower.len,
        .raw_start = raw_start,
        .raw_len = level.len,
        .count = 1,
    };
    return 0;
}

/* Hands the bucket over and starts the next. A level named as the others are counts with them. */
static int finish_bucket(struct tally *t, int64_t next, store_count_fn *fn, void *ctx)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < t->len; i++) {
        const struct count *c = &t->counts[i];
        struct slice lower = text_at(t, c->lower_start, c->lower_len);
        uint64_t count = c->count;

        if (t->others > 0 && slice_equal(lower, other)) {
            count += t->others;
            t->others = 0;
        }
        error = fn(t->bucket, lower, count, ctx);
    }
    if (error == 0 && t->others > 0)
        error = fn(t->bucket, other, t->others, ctx);
    t->len = 0;
    t->others = 0;
    t->bucket = next;
    buffer_clear(&t->texts);
    return error;
}

int store_sqlite_stats(struct store_reader *base, const struct log_stats_query *query,
                       store_count_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    const struct log_filter *filter = &query->filter;
    bool has_predicates = log_filter_has_predicates(filter);
    struct tally tally = {0};
    struct record record;
    sqlite3_stmt *stmt;
    int error = store_sqlite_reader_begin(r, err);

    if (error != 0)
        return error;
    buffer_init(&tally.texts, LEVEL_BYTES_MAX);
    stmt = has_predicates ? r->records : r->levels;
    sqlite3_bind_int64(stmt, 1, filter->since_us);
    sqlite3_bind_int64(stmt, 2, filter->until_us);
    while ((error = store_sqlite_reader_step(r, stmt, &record, err)) == 0) {
        int64_t bucket = (record.key.timestamp_us - filter->since_us) / query->bucket_us;

        if (has_predicates && !log_filter_match(filter, &record))
            continue;
        if (bucket != tally.bucket && (error = finish_bucket(&tally, bucket, fn, ctx)) != 0)
            goto out;
        if ((error = add_level(&tally, record.level)) != 0) {
            errbuf_set(err, "no memory to count levels");
            goto out;
        }
    }
    if (error == LM_ENOTFOUND)
        error = finish_bucket(&tally, 0, fn, ctx);
out:
    sqlite3_reset(stmt);
    buffer_release(&tally.texts);
    return store_sqlite_reader_end(r, error);
}
