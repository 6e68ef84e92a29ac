#include "damage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "../unit/store/store_logs.h"
#include "base/xalloc.h"
#include "block/raw.h"
#include "block/reader.h"
#include "memory_files.h"
#include "store/inspect.h"
#include "store/sqlite/adapter.h"

enum {
    SCANS = 4,
    KEEPER_STEPS_MAX = 5000, /* a keeper that takes more never ends */
    KEEPER_MEETS_MAX = 3,    /* the same damage, before it leaves it alone */
    EXPIRE_ROWS = 100000,
};

/* What is damaged, and which logs of the model lie there: they may be missing. */
struct damage {
    struct store_model *m;
    struct dice *dice;
    struct errbuf *err;
    bool *may_miss; /* one for each log of the model */
    size_t may_miss_len;
    const char *read, *write; /* the bytes that are damaged; NULL: nothing is there to be */
    int64_t number;           /* of the row that has them */
    char told[64];            /* as verify names it */
    const char *doing;
};

/* ---- Choosing ---- */

/* The only row of an answer, as a copy that the caller frees; false: there is none. */
static bool ask(sqlite3 *db, const char *sql, int64_t number, char **bytes, size_t *len)
{
    sqlite3_stmt *stmt;
    bool found = false;

    *bytes = NULL;
    *len = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_int64(stmt, 1, number);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *len = (size_t)sqlite3_column_bytes(stmt, 0);
        *bytes = xmalloc(*len + 1);
        if (*len > 0)
            memcpy(*bytes, sqlite3_column_blob(stmt, 0), *len);
        (*bytes)[*len] = '\0';
        found = true;
    }
    sqlite3_finalize(stmt);
    return found;
}

static int64_t ask_number(sqlite3 *db, const char *sql, int64_t number)
{
    char *text;
    size_t len;
    int64_t found = ask(db, sql, number, &text, &len) ? strtoll(text, NULL, 10) : 0;

    free(text);
    return found;
}

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    memcpy(to, (const char *)ctx + offset, len);
    return 0;
}

static void note_log(struct damage *d, const struct log_key *key)
{
    bool found;
    size_t at = store_model_find(d->m, key, &found);

    if (!found || d->may_miss[at]) /* it was erased */
        return;
    d->may_miss[at] = true;
    d->may_miss_len++;
}

/* The logs of a block may be missing. */
static int note_block(struct damage *d, sqlite3 *db, const struct block_head *head)
{
    struct block_reader *r = block_reader_new();
    const struct log_key *keys;
    char *bytes;
    size_t len;
    int error = LM_EDATA;

    if (ask(db, "SELECT data FROM blocks WHERE number = ?", head->number, &bytes, &len)) {
        const struct block_source source = {read_bytes, bytes, len};

        error = block_open(r, &source, head, d->err);
        if (!error)
            error = block_keys(r, &keys, d->err);
    }
    for (size_t i = 0; !error && i < head->rows; i++)
        note_log(d, &keys[i]);
    block_reader_free(r);
    free(bytes);
    return error;
}

/* A segment by chance, and a block of it or all of its heads. */
static int choose_segment(struct damage *d, sqlite3 *db, int64_t segments)
{
    int64_t number = ask_number(db, "SELECT number FROM segments LIMIT 1 OFFSET ?",
                                (int64_t)dice_below(d->dice, (size_t)segments));
    size_t gone = (size_t)ask_number(db, "SELECT gone FROM segments WHERE number = ?", number);
    struct block_head *heads = NULL;
    bool all = dice_one_in(d->dice, 5);
    size_t len, n = 0;
    char *bytes;

    if (!ask(db, "SELECT heads FROM segments WHERE number = ?", number, &bytes, &len))
        return errbuf_fail(d->err, LM_EDATA, "segment %" PRId64 " has no heads", number);
    int error = block_heads_read(slice_of(bytes, len), &heads, &n, d->err);
    size_t at = error ? 0 : gone + (all ? 0 : dice_below(d->dice, n - gone));
    for (size_t i = at; !error && i < (all ? n : at + 1); i++)
        error = note_block(d, db, &heads[i]);
    if (!error && all) {
        d->number = number;
        d->read = "SELECT heads FROM segments WHERE number = ?";
        d->write = "UPDATE segments SET heads = ?2 WHERE number = ?1";
        snprintf(d->told, sizeof(d->told), "segment %" PRId64, number);
    } else if (!error) {
        d->number = heads[at].number;
        d->read = "SELECT data FROM blocks WHERE number = ?";
        d->write = "UPDATE blocks SET data = ?2 WHERE number = ?1";
        snprintf(d->told, sizeof(d->told), "block %" PRId64 " of segment %" PRId64, d->number,
                 number);
    }
    free(heads);
    free(bytes);
    return error;
}

/* A row of recent logs. */
static int choose_recent(struct damage *d, sqlite3 *db, int64_t rows)
{
    struct block_row row;
    size_t len;
    char *bytes;
    int error;

    d->number = ask_number(db, "SELECT last FROM recent LIMIT 1 OFFSET ?",
                           (int64_t)dice_below(d->dice, (size_t)rows));
    d->read = "SELECT logs FROM recent WHERE last = ?";
    d->write = "UPDATE recent SET logs = ?2 WHERE last = ?1";
    snprintf(d->told, sizeof(d->told), "row %" PRId64 " of the recent logs", d->number);
    if (!ask(db, d->read, d->number, &bytes, &len))
        return errbuf_fail(d->err, LM_EDATA, "%s is not there", d->told);
    struct slice rest = slice_of(bytes, len);
    while (!(error = block_raw_next(&rest, &row, d->err)))
        note_log(d, &row.record.key);
    free(bytes);
    return error == LM_ENOTFOUND ? 0 : error;
}

static int choose(struct damage *d, sqlite3 *db)
{
    int64_t segments = ask_number(db, "SELECT count(*) FROM segments", 0);
    int64_t recent = ask_number(db, "SELECT count(*) FROM recent", 0);

    if (segments > 0 && (recent == 0 || !dice_one_in(d->dice, 4)))
        return choose_segment(d, db, segments);
    return recent > 0 ? choose_recent(d, db, recent) : 0;
}

/* Other bytes, or fewer. */
static int spoil(struct damage *d, sqlite3 *db)
{
    sqlite3_stmt *stmt;
    size_t len;
    char *bytes;

    if (!ask(db, d->read, d->number, &bytes, &len) || len == 0)
        return errbuf_fail(d->err, LM_EDATA, "%s: there is nothing to damage", d->told);
    if (dice_one_in(d->dice, 4))
        len = dice_below(d->dice, len);
    else
        bytes[dice_below(d->dice, len)] ^= (char)(1 + dice_below(d->dice, 255));
    int rc = sqlite3_prepare_v2(db, d->write, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, d->number);
        sqlite3_bind_blob(stmt, 2, bytes, (int)len, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
        sqlite3_finalize(stmt);
    }
    free(bytes);
    return rc == SQLITE_DONE ? 0 : errbuf_fail(d->err, LM_EDATA, "%s", sqlite3_errmsg(db));
}

static int damage_file(struct damage *d, const char *directory)
{
    char path[512];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/logs.db", directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "memory-files") != SQLITE_OK)
        return errbuf_fail(d->err, LM_EDATA, "cannot open %s", path);
    int error = choose(d, db);
    if (!error && d->read)
        error = spoil(d, db);
    sqlite3_close(db);
    return error;
}

/* ---- What is told and answered ---- */

struct told {
    const char *what;
    unsigned matching, all;
};

static void note_damage(const struct store_damage *damage, void *ctx)
{
    struct told *t = ctx;

    t->all++;
    t->matching += strcmp(damage->what, t->what) == 0;
}

static void no_progress(uint64_t logs, void *ctx)
{
}

static int is_named(struct damage *d, struct store *s)
{
    struct told told = {.what = d->told};
    const struct store_verifier v = {note_damage, no_progress, &told};
    struct store_verified all;
    int error = store_verify(s, &v, &all, d->err);

    if (!error && told.matching == 0)
        return errbuf_fail(d->err, LM_EDATA, "verify names %u damages, and not %s", told.all,
                           d->told);
    return error;
}

/* What a scan has to hand out, from the newest to the oldest. */
struct scan_check {
    struct damage *d;
    const struct log_filter *filter;
    size_t left; /* of the model, still to come */
    uint64_t missing;
};

/* The next log of the model that the filter takes, at or below `left`; false: none. */
static bool next_expected(struct scan_check *c, size_t *at)
{
    while (c->left > 0) {
        *at = --c->left;
        if (store_model_takes(c->filter, &c->d->m->logs[*at]->record))
            return true;
    }
    return false;
}

static int take(const struct record *r, void *ctx)
{
    struct scan_check *c = ctx;
    const struct damage *d = c->d;
    size_t at;

    while (next_expected(c, &at)) {
        const struct record *expected = &d->m->logs[at]->record;

        if (log_key_compare(&expected->key, &r->key) == 0)
            return slice_equal(expected->level, r->level) &&
                           slice_equal(expected->message, r->message) &&
                           slice_equal(expected->attributes, r->attributes)
                       ? 0
                       : errbuf_fail(d->err, LM_EDATA, "a log has other texts");
        if (!d->may_miss[at])
            return errbuf_fail(d->err, LM_EDATA, "log %zu is missing, and is not damaged", at);
        c->missing++;
    }
    return errbuf_fail(d->err, LM_EDATA, "a log came that is not there");
}

static int scan(struct damage *d, struct store_reader *r, const struct log_filter *f)
{
    struct scan_check c = {.d = d, .filter = f, .left = d->m->len};
    const struct store_slice slice = {.rows = 1 + dice_below(d->dice, 100)};
    struct log_matcher *matcher = log_matcher_new(f);
    struct store_scan scan;
    int error = 0;
    size_t at;

    if (!matcher)
        abort();
    store_scan_init(&scan, matcher, NULL, 0);
    while (!error && !scan.done)
        error = store_scan_next(r, &scan, &slice, take, &c, d->err);
    while (!error && next_expected(&c, &at)) {
        if (!d->may_miss[at])
            error = errbuf_fail(d->err, LM_EDATA, "log %zu is missing, and is not damaged", at);
        c.missing++;
    }
    if (!error && c.missing > 0 && scan.damaged == 0)
        error = errbuf_fail(d->err, LM_EDATA, "%llu logs are missing, and nothing is said of it",
                            (unsigned long long)c.missing);
    log_matcher_unref(matcher);
    return error;
}

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static int count(struct damage *d, struct store_reader *r, const struct log_filter *f)
{
    const struct store_slice slice = {0};
    struct log_matcher *matcher = log_matcher_new(f);
    uint64_t counted = 0, least = 0, most = 0;
    struct store_scan scan;
    int error = 0;

    if (!matcher)
        abort();
    for (size_t i = 0; i < d->m->len; i++) {
        bool takes = store_model_takes(f, &d->m->logs[i]->record);

        most += takes;
        least += takes && !d->may_miss[i];
    }
    store_scan_init(&scan, matcher, NULL, 0);
    while (!error && !scan.done)
        error =
            store_scan_count(r, &scan, &slice, 0, INT64_C(3600000000), add_count, &counted, d->err);
    log_matcher_unref(matcher);
    if (error || (counted >= least && counted <= most))
        return error;
    return errbuf_fail(d->err, LM_EDATA, "%llu logs are counted, and not %llu to %llu",
                       (unsigned long long)counted, (unsigned long long)least,
                       (unsigned long long)most);
}

static int read_all(struct damage *d, struct store *s)
{
    struct store_reader *r = store_reader_new(s, d->err);
    struct log_filter f;
    int error = r ? 0 : LM_EIO;

    for (size_t i = 0; !error && i < SCANS; i++) {
        if (i == 0 || d->m->len == 0)
            log_filter_init(&f);
        else
            store_logs_random_filter(&f, d->dice,
                                     &d->m->logs[dice_below(d->dice, d->m->len)]->record);
        error = scan(d, r, &f);
        if (!error)
            error = count(d, r, &f);
    }
    if (r)
        store_reader_free(r);
    return error;
}

/* ---- What is done with it ---- */

/* It meets the damage, says so, and then goes on without what is damaged. */
static int keep(struct damage *d, struct store *s)
{
    struct store_keeper *k = store_keeper_new(s, d->err);
    unsigned wait_ms = 0;
    int error = k ? 0 : LM_EIO;
    int met = 0;

    for (int i = 0; !error && wait_ms == 0; i++) {
        error = i == KEEPER_STEPS_MAX ? errbuf_fail(d->err, LM_EDATA, "the keeper never ends")
                                      : store_keeper_step(k, true, &wait_ms, d->err);
        if (error == LM_EIO && met++ < KEEPER_MEETS_MAX)
            error = 0, wait_ms = 0;
    }
    store_keeper_free(k);
    return error;
}

/* All goes, and what is damaged with it. */
static int expire_all(struct damage *d, struct store *s)
{
    struct store_writer *w = store_writer_new(s, d->err);
    size_t deleted;
    bool more = true;
    int error = w ? 0 : LM_EIO;

    while (!error && more)
        error = store_expire(w, INT64_MAX, EXPIRE_ROWS, &deleted, &more, d->err);
    if (w)
        store_writer_free(w);
    return error;
}

static int is_empty(struct damage *d, struct store *s)
{
    struct store_model none = {0};
    struct store_reader *r = store_reader_new(s, d->err);
    int error = r ? store_model_check_all(&none, r, d->dice, d->err) : LM_EIO;

    if (r)
        store_reader_free(r);
    return error;
}

static int live(struct damage *d, struct store *s)
{
    static const struct {
        const char *name;
        int (*fn)(struct damage *d, struct store *s);
        bool if_missed; /* else nothing is lost if what is damaged is left out */
    } stages[] = {
        {"verified", is_named, false},
        {"read", read_all, false},
        {"kept", keep, false},
        {"read when kept", read_all, false},
        {"verified when kept", is_named, true},
        {"expired", expire_all, false},
        {"read when expired", is_empty, false},
    };
    int error = 0;

    for (size_t i = 0; !error && i < sizeof(stages) / sizeof(stages[0]); i++) {
        d->doing = stages[i].name;
        if (!stages[i].if_missed || d->may_miss_len > 0)
            error = stages[i].fn(d, s);
    }
    return error;
}

static void tell(struct damage *d)
{
    struct errbuf reason = *d->err;

    errbuf_set(d->err, "%s damaged, %s: %s", d->told, d->doing, reason.text);
}

int damage_live(struct store_model *m, const char *directory,
                const struct store_sqlite_sizes *sizes, struct dice *dice, uint64_t *damages,
                struct errbuf *err)
{
    struct damage d = {.m = m, .dice = dice, .err = err};

    memory_files_process(0);
    memory_files_revive(0);
    d.may_miss = xcalloc(m->len + 1, sizeof(*d.may_miss));
    int error = damage_file(&d, directory);
    if (!error && d.read) {
        struct store *s = store_sqlite_new_sized(directory, sizes, err);

        error = s ? live(&d, s) : LM_EIO;
        if (error)
            tell(&d);
        store_free(s);
        ++*damages;
    }
    free(d.may_miss);
    return error;
}
