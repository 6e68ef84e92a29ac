/* The port: a NULL cache is the "none" adapter, and a NULL client its client. */
#include "cache/cache.h"

struct cache_client *cache_client_new(struct cache *c, struct errbuf *err)
{
    return c ? c->ops->client_new(c, err) : NULL;
}

void cache_client_free(struct cache_client *c)
{
    if (c)
        c->ops->client_free(c);
}

void cache_fill(struct cache_client *c, const struct record *records, size_t n)
{
    if (c)
        c->ops->fill(c, records, n);
}

int cache_forget(struct cache_client *c, struct errbuf *err)
{
    return c ? c->ops->forget(c, err) : 0;
}

void cache_maintain(struct cache_client *c, struct store_reader *store)
{
    if (c)
        c->ops->maintain(c, store);
}

enum cache_result cache_query(struct cache_client *c, const struct log_query *query,
                              uint64_t until_us, store_row_fn *fn, void *ctx)
{
    return c ? c->ops->query(c, query, until_us, fn, ctx) : CACHE_BYPASS;
}

struct cache_listener *cache_listener_new(struct cache *c)
{
    return c ? c->ops->listener_new(c) : NULL;
}

void cache_listener_free(struct cache_listener *l)
{
    if (l)
        l->ops->listener_free(l);
}

int cache_listener_wait(struct cache_listener *l, unsigned timeout_ms)
{
    return l->ops->listener_wait(l, timeout_ms);
}

void cache_free(struct cache *c)
{
    if (c)
        c->ops->free(c);
}
