#include "store/postgres/adapter.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "store/postgres/internal.h"

static void free_store(struct store *base)
{
    struct store_postgres *s = (struct store_postgres *)base;

    store_postgres_address_release(&s->address);
    store_postgres_paces_release(&s->paces);
    free(s);
}

static const struct store_ops ops = {
    .migrate = store_postgres_schema_migrate,
    .recount = store_postgres_keeper_recount,
    .free = free_store,
    .writer_new = store_postgres_writer_new,
    .writer_free = store_postgres_writer_free,
    .append = store_postgres_writer_append,
    .expire = store_postgres_writer_expire,
    .shrink = store_postgres_writer_shrink,
    .erase = store_postgres_erase,
    .clock_read = store_postgres_writer_clock_read,
    .clock_write = store_postgres_writer_clock_write,
    .keeper_new = store_postgres_keeper_new,
    .keeper_free = store_postgres_keeper_free,
    .keeper_step = store_postgres_keeper_step,
    .reader_new = store_postgres_reader_new,
    .reader_free = store_postgres_reader_free,
    .scan_next = store_postgres_scan_next,
    .scan_count = store_postgres_scan_count,
    .get = store_postgres_pages_get,
    .follow_end = store_postgres_follow_end,
    .follow = store_postgres_follow,
    .erasures = store_postgres_follow_erasures,
    .cancel = store_postgres_reader_cancel,
};

int store_postgres_check_indexes(const char *indexes, struct errbuf *err)
{
    unsigned wanted;

    return store_postgres_indexes_parse(indexes, &wanted, err);
}

int store_postgres_check_roles(const struct store_postgres_options *options, struct errbuf *err)
{
    return store_postgres_roles_check(&options->writer, &options->reader, err);
}

struct store *store_postgres_new(const struct store_postgres_options *options, struct errbuf *err)
{
    struct store_postgres *s = xcalloc(1, sizeof(*s));

    s->base.ops = &ops;
    if (store_postgres_address_init(&s->address, options, err)) {
        free(s);
        return NULL;
    }
    s->writer = options->writer;
    s->reader = options->reader;
    store_postgres_paces_init(&s->paces);
    if (store_postgres_indexes_parse(options->indexes, &s->indexes, err)) {
        free_store(&s->base);
        return NULL;
    }
    return &s->base;
}
