#include "store/sqlite/writer.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum {
    WRITER_CACHE_KIB = 2048,
    SEAL_AGAIN_US = 10 * 1000000, /* after sealing has failed */
    BATCH_ROWS_KEPT = 100000,     /* for which memory is kept from one batch to the next */
};

static void close_db(struct store_sqlite_writer *w)
{
    w->known.is_known = false;
    sqlite_db_close(&w->db);
}

static int open_db(struct store_sqlite_writer *w, struct errbuf *err)
{
    struct sqlite_db_options options = store_sqlite_db_options(w->s, WRITER_CACHE_KIB, false);

    options.tidies = options.gives_all = true;
    repeats_forget_recent(w->repeats); /* it may be another file by now */
    return sqlite_db_open(&w->db, &options, err);
}

struct store_writer *store_sqlite_writer_new(struct store *base, struct errbuf *err)
{
    struct store_sqlite_writer *w = xcalloc(1, sizeof(*w));

    w->base.ops = base->ops;
    w->s = (struct store_sqlite *)base;
    w->expire_pass.merging = &w->s->merging;
    w->repeats = repeats_new(&w->s->sizes);
    recent_store_init(&w->recent, w->s->sizes.row_bytes);
    if (open_db(w, err) != 0) {
        store_sqlite_writer_free(&w->base);
        return NULL;
    }
    return &w->base;
}

void store_sqlite_writer_free(struct store_writer *base)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;

    store_sqlite_eraser_free(w->eraser);
    close_db(w);
    repeats_free(w->repeats);
    recent_store_release(&w->recent);
    free(w->batch);
    free(w);
}

int store_sqlite_writer_begin(struct store_sqlite_writer *w, struct errbuf *err)
{
    int error = w->db.handle ? 0 : open_db(w, err);

    return error ? error : sqlite_db_begin(&w->db, err);
}

static void undo(struct store_sqlite_writer *w, int error)
{
    w->known.is_known = false;
    sqlite_db_rollback(&w->db);
    if (error == LM_EFULL)
        sqlite_db_checkpoint_now(&w->db);
    else if (error == LM_EIO)
        close_db(w);
}

int store_sqlite_writer_end(struct store_sqlite_writer *w, int error, struct errbuf *err)
{
    if (!error)
        error = sqlite_db_commit(&w->db, err);
    if (error)
        undo(w, error);
    else
        sqlite_db_checkpoint(&w->db);
    return error;
}

/* ---- Appending ---- */

struct append {
    const struct record *records;
    size_t n;
    const uint8_t *fates; /* NULL: all are new */
    size_t bytes;         /* of those that are new */
    struct store_append_result *result;
};

static bool is_new(const struct append *a, size_t i)
{
    return !a->fates || a->fates[i] == REPEATS_NEW;
}

static void count(struct append *a)
{
    struct store_append_result *result = a->result;

    *result = (struct store_append_result){0};
    a->bytes = 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct record *r = &a->records[i];

        if (is_new(a, i)) {
            result->stored++;
            a->bytes += r->level.len + r->message.len + r->attributes.len;
        } else if (a->fates[i] != REPEATS_CONFLICT) {
            result->repeated++;
            result->erased += a->fates[i] == REPEATS_ERASED;
        } else {
            result->conflicts++;
            result->conflict = r->key;
        }
    }
}

/* Each new log in its place in the order of storing. */
static struct block_row next_row(const struct record *r, uint64_t *sequence)
{
    return (struct block_row){.record = *r, .sequence = ++*sequence};
}

/* As rows of `recent`. */
static int store_raw(struct store_sqlite_writer *w, const struct append *a, int64_t now_us,
                     struct errbuf *err)
{
    uint64_t sequence = w->known.end;
    int error = 0;

    recent_store_begin(&w->recent, &w->db, now_us);
    for (size_t i = 0; !error && i < a->n; i++) {
        if (is_new(a, i)) {
            struct block_row row = next_row(&a->records[i], &sequence);
            error = recent_store_add(&w->recent, &row, err);
        }
    }
    if (!error)
        error = recent_store_end(&w->recent, err);
    if (error || a->result->stored == 0)
        return error;
    if (w->known.rows == 0)
        w->known.first_row = w->recent.first_row;
    w->known.last_row = (int64_t)sequence;
    w->known.rows += a->result->stored;
    w->known.bytes += w->recent.bytes;
    return 0;
}

static bool is_time_to_seal(const struct store_sqlite_writer *w, const struct append *a)
{
    const struct store_sqlite_sizes *sizes = &w->s->sizes;
    const struct known *k = &w->known;

    return k->rows - k->kept_rows + a->result->stored >= sizes->seal_rows ||
           k->bytes - k->kept_bytes + a->bytes >= sizes->seal_bytes;
}

static int reserve_batch(struct store_sqlite_writer *w, size_t n, struct errbuf *err)
{
    if (n <= w->batch_capacity)
        return 0;
    free(w->batch);
    w->batch = try_malloc(n * sizeof(*w->batch));
    w->batch_capacity = w->batch ? n : 0;
    return w->batch ? 0 : errbuf_fail(err, LM_ENOMEM, "no memory to seal a batch");
}

static void drop_batch(struct store_sqlite_writer *w)
{
    if (w->batch_capacity <= BATCH_ROWS_KEPT)
        return;
    free(w->batch);
    w->batch = NULL;
    w->batch_capacity = 0;
}

/* Seals what is recent, the batch included if there is not too much. */
static int seal(struct store_sqlite_writer *w, const struct append *a, int64_t now_us,
                struct errbuf *err)
{
    struct seal_result sealed;
    uint64_t sequence = w->known.end;
    size_t n = 0;
    int error = reserve_batch(w, a->result->stored, err);

    for (size_t i = 0; !error && i < a->n; i++) {
        if (is_new(a, i))
            w->batch[n++] = next_row(&a->records[i], &sequence);
    }
    if (!error)
        error = sealer_seal(w->s->sealer, &w->db, w->batch, n, now_us, &w->recent, &sealed, err);
    drop_batch(w);
    if (error)
        return error;
    repeats_forget_recent(w->repeats);
    error = known_count_kept(&w->known, &w->db, sealed.left, sealed.left_bytes, err);
    return error || sealed.took_batch ? error : store_raw(w, a, now_us, err);
}

/* Notes what the batch, which is stored, adds to what is known. */
static void note(struct store_sqlite_writer *w, const struct append *a)
{
    struct known *k = &w->known;

    k->end += a->result->stored;
    for (size_t i = 0; i < a->n; i++) {
        if (is_new(a, i) && (!k->is_any || log_key_compare(&k->highest, &a->records[i].key) < 0)) {
            k->highest = a->records[i].key;
            k->is_any = true;
        }
    }
}

/* What is asked before anything is written. */
static int look(struct store_sqlite_writer *w, struct append *a, struct errbuf *err)
{
    struct known *k = &w->known;
    int error = known_refresh(k, &w->db, w->s->sizes.keep_rows, err);

    if (!error)
        error = repeats_find(w->repeats, &w->db, k->is_any ? &k->highest : NULL, a->records, a->n,
                             &a->fates, err);
    if (!error)
        count(a);
    return error;
}

/* All of it in one transaction. `*sealing_failed`: because the batch was to be sealed. */
static int append(struct store_sqlite_writer *w, struct append *a, bool may_seal,
                  bool *sealing_failed, struct errbuf *err)
{
    int64_t now_us = clock_wall_us();
    int error = store_sqlite_writer_begin(w, err);

    *sealing_failed = false;
    if (error)
        return error;
    error = look(w, a, err);
    if (!error && a->result->stored > 0) {
        bool seals = may_seal && is_time_to_seal(w, a);

        error = seals ? seal(w, a, now_us, err) : store_raw(w, a, now_us, err);
        *sealing_failed = error && seals;
    }
    error = store_sqlite_writer_end(w, error, err);
    if (!error) {
        note(w, a);
        known_commit(&w->known, &w->db);
    }
    return error;
}

/*
 * Before a batch: lets the backlog come on, or refuses. The parts of one that was refused for what
 * is in it come one by one, and are not made to wait again.
 */
static int wait_for_backlog(struct store_sqlite_writer *w, size_t n, struct errbuf *err)
{
    unsigned pause_ms = atomic_load(&w->s->append_pause_ms);

    if (n <= w->waited_for)
        return 0;
    int error = store_sqlite_check_backlog(w->s, err);
    if (!error && pause_ms > 0)
        usleep(pause_ms * 1000);
    return error;
}

/* After it: of what was waited for, parts may come again only if it was refused for what is in it.
 */
static void count_waited(struct store_sqlite_writer *w, size_t n, int error)
{
    if (error == LM_EDATA && n > 1)
        w->waited_for = w->waited_for > n ? w->waited_for : n;
    else if (error && error != LM_EDATA)
        w->waited_for = 0;
    else
        w->waited_for -= n < w->waited_for ? n : w->waited_for;
}

/* Sealing is not what a batch is refused for: it is stored as it is then, and sealed later. */
int store_sqlite_writer_append(struct store_writer *base, const struct record *records, size_t n,
                               struct store_append_result *result, struct errbuf *err)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;
    struct append a = {.records = records, .n = n, .result = result};
    bool may_seal = clock_monotonic_us() >= w->seal_again_us;
    bool sealing_failed;

    int error = wait_for_backlog(w, n, err);
    if (error) {
        *result = (struct store_append_result){0};
        return error;
    }
    error = append(w, &a, may_seal, &sealing_failed, err);

    if (sealing_failed) {
        w->seal_again_us = clock_monotonic_us() + SEAL_AGAIN_US;
        error = append(w, &a, false, &sealing_failed, err);
    }
    count_waited(w, n, error);
    if (error)
        *result = (struct store_append_result){0};
    return error;
}

/* ---- Deleting ---- */

int store_sqlite_writer_expire(struct store_writer *base, int64_t before_us, size_t max_rows,
                               size_t *deleted, bool *more, struct errbuf *err)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;
    struct expire_pass pass = w->expire_pass;
    size_t gone = 0;
    bool any = false;
    int error = store_sqlite_writer_begin(w, err);

    *deleted = 0;
    *more = false;
    if (error)
        return error;
    error = expire_before(&w->db, before_us, max_rows, &pass, &gone, &any, err);
    error = store_sqlite_writer_end(w, error, err);
    if (error)
        return error;
    w->expire_pass = pass;
    *deleted = gone;
    *more = any;
    return 0;
}

int store_sqlite_writer_shrink(struct store_writer *base, uint64_t max_bytes, size_t *deleted,
                               struct errbuf *err)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;
    size_t gone = 0;

    *deleted = 0;
    if (w->db.handle && sqlite_db_used_bytes(&w->db) <= max_bytes)
        return 0;
    int error = store_sqlite_writer_begin(w, err);
    if (error)
        return error;
    error = store_sqlite_writer_end(w, expire_to_size(&w->db, max_bytes, &gone, err), err);
    if (!error)
        *deleted = gone;
    return error;
}

int store_sqlite_writer_erase(struct store_writer *base, struct store_scan *scan,
                              const struct store_slice *slice, bool remember, size_t *erased,
                              struct errbuf *err)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;
    bool found;

    if (!w->eraser)
        w->eraser = store_sqlite_eraser_new(w->s, err);
    if (!w->eraser)
        return LM_EIO;
    int error = store_sqlite_eraser_find(w->eraser, scan, slice, &found, err);
    if (error || !found)
        return error;
    error = store_sqlite_writer_begin(w, err);
    if (error)
        return error;
    error = store_sqlite_eraser_erase(w->eraser, &w->db, remember, erased, err);
    return store_sqlite_writer_end(w, error, err);
}

unsigned store_sqlite_writer_tidy(struct store_writer *base)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;

    return sqlite_db_tidy(&w->db);
}

/* ---- The clock ---- */

int store_sqlite_writer_clock_read(struct store_writer *base, struct store_clock *kept,
                                   int64_t *now_us, struct errbuf *err)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;
    int error = w->db.handle ? 0 : open_db(w, err);
    sqlite3_stmt *stmt;

    *kept = (struct store_clock){0};
    *now_us = clock_wall_us();
    if (!error)
        error = sqlite_db_statement(
            &w->db, "SELECT believed, claimed, doubted FROM retention_clock", &stmt, err);
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *kept = (struct store_clock){.believed_us = sqlite3_column_int64(stmt, 0),
                                     .claimed_us = sqlite3_column_int64(stmt, 1),
                                     .doubted_us = sqlite3_column_int64(stmt, 2)};
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(&w->db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

int store_sqlite_writer_clock_write(struct store_writer *base, const struct store_clock *kept,
                                    struct errbuf *err)
{
    struct store_sqlite_writer *w = (struct store_sqlite_writer *)base;
    sqlite3_stmt *stmt;
    int error = store_sqlite_writer_begin(w, err);

    if (error)
        return error;
    error = sqlite_db_statement(
        &w->db, "UPDATE retention_clock SET believed = ?, claimed = ?, doubted = ?", &stmt, err);
    if (!error) {
        sqlite3_bind_int64(stmt, 1, kept->believed_us);
        sqlite3_bind_int64(stmt, 2, kept->claimed_us);
        sqlite3_bind_int64(stmt, 3, kept->doubted_us);
        error = sqlite_db_run(&w->db, stmt, err);
    }
    return store_sqlite_writer_end(w, error, err);
}
