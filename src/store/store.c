#include "store/store.h"

int store_migrate(struct store *s, struct errbuf *err)
{
    return s->ops->migrate(s, err);
}

void store_free(struct store *s)
{
    if (s != NULL)
        s->ops->free(s);
}

struct store_writer *store_writer_new(struct store *s, struct errbuf *err)
{
    return s->ops->writer_new(s, err);
}

void store_writer_free(struct store_writer *w)
{
    if (w != NULL)
        w->ops->writer_free(w);
}

int store_append(struct store_writer *w, const struct record *records, size_t n,
                 struct store_append_result *result, struct errbuf *err)
{
    return w->ops->append(w, records, n, result, err);
}

int store_expire(struct store_writer *w, int64_t before_us, size_t max_rows, size_t *deleted,
                 struct errbuf *err)
{
    return w->ops->expire(w, before_us, max_rows, deleted, err);
}

struct store_reader *store_reader_new(struct store *s, struct errbuf *err)
{
    return s->ops->reader_new(s, err);
}

void store_reader_free(struct store_reader *r)
{
    if (r != NULL)
        r->ops->reader_free(r);
}

int store_query(struct store_reader *r, const struct log_query *query, store_row_fn *fn, void *ctx,
                struct errbuf *err)
{
    return r->ops->query(r, query, fn, ctx, err);
}

int store_get(struct store_reader *r, const struct uuid *id, store_row_fn *fn, void *ctx,
              struct errbuf *err)
{
    return r->ops->get(r, id, fn, ctx, err);
}

int store_stats(struct store_reader *r, const struct log_stats_query *query, store_count_fn *fn,
                void *ctx, struct errbuf *err)
{
    return r->ops->stats(r, query, fn, ctx, err);
}

int store_position_compare(const struct store_position *a, const struct store_position *b)
{
    if (a->transaction != b->transaction)
        return a->transaction < b->transaction ? -1 : 1;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
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

void store_reader_cancel(struct store_reader *r)
{
    r->ops->cancel(r);
}
