#include "store/sqlite/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/keeper.h"
#include "store/sqlite/seal.h"

enum { MIGRATE_CACHE_KIB = 64 };

int store_sqlite_check_backlog(struct store_sqlite *s, struct errbuf *err)
{
    return !atomic_load(&s->is_overtaxed)
               ? 0
               : errbuf_fail(err, LM_EBUSY,
                             "%s: compaction is too far behind to take more logs now", s->path);
}

/* Who waits for this waits for the backlog, too: no message is received in vain. */
static int migrate(struct store *base, const struct store_patience *patience, struct errbuf *err)
{
    struct store_sqlite *s = (struct store_sqlite *)base;
    struct sqlite_db_options options = store_sqlite_db_options(s, MIGRATE_CACHE_KIB, false);
    struct sqlite_db db;
    int error = sqlite_db_open(&db, &options, err);

    if (error)
        return error;
    sqlite_db_close(&db);
    return store_sqlite_check_backlog(s, err);
}

static void free_store(struct store *base)
{
    struct store_sqlite *s = (struct store_sqlite *)base;

    sealer_free(s->sealer);
    merging_release(&s->merging);
    tallies_release(&s->tallies);
    free(s->path);
    free(s);
}

static const struct store_ops ops = {
    .migrate = migrate,
    .free = free_store,
    .info = store_sqlite_info,
    .verify = store_sqlite_verify,
    .writer_new = store_sqlite_writer_new,
    .writer_free = store_sqlite_writer_free,
    .append = store_sqlite_writer_append,
    .expire = store_sqlite_writer_expire,
    .shrink = store_sqlite_writer_shrink,
    .erase = store_sqlite_writer_erase,
    .tidy = store_sqlite_writer_tidy,
    .clock_read = store_sqlite_writer_clock_read,
    .clock_write = store_sqlite_writer_clock_write,
    .keeper_new = store_sqlite_keeper_new,
    .keeper_free = store_sqlite_keeper_free,
    .keeper_step = store_sqlite_keeper_step,
    .reader_new = store_sqlite_reader_new,
    .reader_free = store_sqlite_reader_free,
    .scan_next = store_sqlite_scan_next,
    .scan_count = store_sqlite_scan_count,
    .scan_batches = store_sqlite_scan_batches,
    .scan_survey = store_sqlite_scan_survey,
    .get = store_sqlite_reader_get,
    .follow_end = store_sqlite_follow_end,
    .follow = store_sqlite_follow,
    .erasures = store_sqlite_follow_erasures,
    .cancel = store_sqlite_reader_cancel,
};

struct store *store_sqlite_new_sized(const char *directory, const struct store_sqlite_sizes *sizes,
                                     struct errbuf *err)
{
    static const char name[] = "/logs.db";
    struct store_sqlite *s = xcalloc(1, sizeof(*s));
    size_t path_size = strlen(directory) + sizeof(name);

    s->base.ops = &ops;
    s->sizes = *sizes;
#ifdef LOGMILL_FAULTS /* so that the real binary can be tested */
    const char *text = getenv("LOGMILL_STORE_SIZES");
    if (text && store_sqlite_sizes_parse(&s->sizes, text, err) != 0) {
        free(s);
        return NULL;
    }
#endif
    store_sqlite_sizes_settle(&s->sizes);
    s->sealer = sealer_new(&s->sizes);
    merging_init(&s->merging);
    tallies_init(&s->tallies);
    s->path = xmalloc(path_size);
    snprintf(s->path, path_size, "%s%s", directory, name);
    return &s->base;
}

struct store *store_sqlite_new(const char *directory, struct errbuf *err)
{
    return store_sqlite_new_sized(directory, &(struct store_sqlite_sizes){0}, err);
}
