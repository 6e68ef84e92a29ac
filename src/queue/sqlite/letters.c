/* Dead letters, for people. Each is read on its own, so that a slow reader holds nothing open. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "queue/sqlite/internal.h"

enum {
    REQUEUE_STEP = 256,  /* letters moved in one transaction, so that senders need not wait long */
    TRIM_STEP = 64,      /* letters dropped in one, for the same reason */
    SEQ_DIGITS_MAX = 18, /* of an id that can name a letter */
    LETTER_CEILING = 1 << 30,
};

/* Reads the first letter after `after` into `letter`, whose slices then lie in `text`. */
static int read_next_letter(struct queue_sqlite *q, int64_t after, struct buffer *text,
                            struct queue_dead_letter *letter, int64_t *seq, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    struct sqlite_db *db;
    size_t body_len;
    int error;
    int rc;

    db = queue_sqlite_file_acquire(q, &error, err);
    if (!db)
        return error;
    error = sqlite_db_prepare(db,
                              "SELECT seq, died_us, body, reason FROM dead_letters WHERE seq > ? "
                              "ORDER BY seq LIMIT 1",
                              &stmt, err);
    if (error)
        goto out;
    sqlite3_bind_int64(stmt, 1, after);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE) {
        error = LM_ENOTFOUND;
    } else if (rc != SQLITE_ROW) {
        error = sqlite_db_error(db, rc, err);
    } else {
        *seq = sqlite3_column_int64(stmt, 0);
        letter->died_us = sqlite3_column_int64(stmt, 1);
        buffer_clear(text);
        buffer_append_slice(text, sqlite_db_column_text(stmt, 2));
        body_len = text->len;
        buffer_append_slice(text, sqlite_db_column_text(stmt, 3));
        error = buffer_error(text);
        letter->body = slice_of(text->data, body_len);
        letter->reason = slice_of(text->data + body_len, text->len - body_len);
    }
    sqlite3_finalize(stmt);
out:
    queue_sqlite_file_release(q);
    return error;
}

int queue_sqlite_letters_list(struct queue *base, queue_dead_letter_fn *fn, void *ctx,
                              struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct queue_dead_letter letter;
    struct buffer text;
    int64_t seq = 0;
    char id[24];
    int error;

    buffer_init(&text, LETTER_CEILING);
    while (!(error = read_next_letter(q, seq, &text, &letter, &seq, err))) {
        letter.id = slice_of(id, (size_t)snprintf(id, sizeof(id), "%" PRId64, seq));
        if (fn(&letter, ctx))
            break;
    }
    buffer_release(&text);
    return error == LM_ENOTFOUND ? 0 : error;
}

/* The statements of one requeue. */
struct requeue {
    struct sqlite_db *db;
    sqlite3_stmt *last;   /* the number of the last letter */
    sqlite3_stmt *first;  /* the number of the first letter in a range */
    sqlite3_stmt *send;   /* insert it among the messages */
    sqlite3_stmt *remove; /* and delete it */
    uint64_t moved;       /* in the transaction under way */
};

static int prepare_requeue(struct requeue *r, struct errbuf *err)
{
    int error =
        sqlite_db_prepare(r->db, "SELECT coalesce(max(seq), 0) FROM dead_letters", &r->last, err);

    if (!error)
        error = sqlite_db_prepare(
            r->db, "SELECT seq FROM dead_letters WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1",
            &r->first, err);
    if (!error)
        error = sqlite_db_prepare(
            r->db,
            "INSERT INTO messages(seq, sent_us, body) "
            "SELECT 1 + max((SELECT coalesce(max(seq), 0) FROM messages),"
            " (SELECT last_seq FROM sequence)), sent_us, body FROM dead_letters WHERE seq = ?",
            &r->send, err);
    if (!error)
        error = sqlite_db_prepare(r->db, "DELETE FROM dead_letters WHERE seq = ?", &r->remove, err);
    return error;
}

static void finalize_requeue(struct requeue *r)
{
    sqlite3_finalize(r->last);
    sqlite3_finalize(r->first);
    sqlite3_finalize(r->send);
    sqlite3_finalize(r->remove);
}

/* The number in the first column of the first row; 0 if there is none. */
static int query_seq(struct requeue *r, sqlite3_stmt *stmt, int64_t *seq, struct errbuf *err)
{
    int rc = sqlite3_step(stmt);
    int error = 0;

    *seq = 0;
    if (rc == SQLITE_ROW)
        *seq = sqlite3_column_int64(stmt, 0);
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(r->db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Moves the first letter in [first, last]; `*seq` is its number, 0 if there is none. */
static int move_first(struct requeue *r, int64_t first, int64_t last, int64_t *seq,
                      struct errbuf *err)
{
    sqlite3_bind_int64(r->first, 1, first);
    sqlite3_bind_int64(r->first, 2, last);
    int error = query_seq(r, r->first, seq, err);
    if (error || *seq == 0)
        return error;

    sqlite3_bind_int64(r->send, 1, *seq);
    sqlite3_bind_int64(r->remove, 1, *seq);
    if ((error = sqlite_db_run(r->db, r->send, err)) ||
        (error = sqlite_db_run(r->db, r->remove, err)))
        return error;
    r->moved++;
    return 0;
}

/*
 * In steps, each a transaction. Letters that come to be meanwhile are left: they may be the same
 * ones, rejected again.
 */
static int move_all(struct requeue *r, uint64_t *moved, struct errbuf *err)
{
    int64_t after = 0;
    int64_t seq = 1;
    int64_t last;
    int error = query_seq(r, r->last, &last, err);

    while (!error && seq != 0) {
        r->moved = 0;
        if ((error = sqlite_db_begin(r->db, err)))
            break;
        for (int i = 0; !error && seq != 0 && i < REQUEUE_STEP; i++) {
            error = move_first(r, after + 1, last, &seq, err);
            after = seq != 0 ? seq : after;
        }
        if (!error)
            error = sqlite_db_commit(r->db, err);
        if (!error)
            *moved += r->moved;
        else
            sqlite_db_rollback(r->db);
    }
    return error;
}

/* The number that `id` names, or 0. */
static int64_t parse_id(struct slice id)
{
    int64_t seq = 0;

    if (id.len == 0 || id.len > SEQ_DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] < '0' || id.data[i] > '9')
            return 0;
        seq = seq * 10 + (id.data[i] - '0');
    }
    return seq;
}

/* All in one transaction. */
static int move_named(struct requeue *r, const struct slice *ids, size_t ids_len, uint64_t *moved,
                      struct errbuf *err)
{
    struct slice missing = {NULL, 0};
    int error = sqlite_db_begin(r->db, err);

    if (error)
        return error;
    r->moved = 0;
    for (size_t i = 0; !error && i < ids_len; i++) {
        int64_t wanted = parse_id(ids[i]);
        int64_t seq = 0;

        if (wanted != 0)
            error = move_first(r, wanted, wanted, &seq, err);
        if (seq == 0 && !missing.data)
            missing = ids[i];
    }
    if (!error)
        error = sqlite_db_commit(r->db, err);
    if (error) {
        sqlite_db_rollback(r->db);
        return error;
    }
    *moved = r->moved;
    if (missing.data)
        return errbuf_fail(err, LM_ENOTFOUND, "there is no dead letter %.*s", SLICE_ARG(missing));
    return 0;
}

int queue_sqlite_letters_requeue(struct queue *base, const struct slice *ids, size_t ids_len,
                                 uint64_t *moved, struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct requeue r = {0};
    int error;

    *moved = 0;
    r.db = queue_sqlite_file_acquire(q, &error, err);
    if (!r.db)
        return error;
    error = prepare_requeue(&r, err);
    if (!error)
        error = ids_len == 0 ? move_all(&r, moved, err) : move_named(&r, ids, ids_len, moved, err);
    finalize_requeue(&r);
    if (!error)
        sqlite_db_checkpoint(r.db);
    queue_sqlite_file_release(q);
    return error;
}

/* ---- Trimming ---- */

static int measure(struct sqlite_db *db, const struct queue_letter_limits *limits,
                   struct queue_letter_excess *found, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    int error = sqlite_db_prepare(db,
                                  "SELECT (SELECT bytes FROM dead_letters_bytes), "
                                  "(SELECT died_us FROM dead_letters ORDER BY seq LIMIT 1)",
                                  &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        found->bytes = (uint64_t)sqlite3_column_int64(stmt, 0);
        found->oldest_us = sqlite3_column_int64(stmt, 1);
        found->is_over = (limits->max_bytes > 0 && found->bytes > limits->max_bytes) ||
                         (found->oldest_us > 0 && found->oldest_us < limits->before_us);
    } else {
        error = sqlite_db_error(db, rc, err);
    }
    sqlite3_finalize(stmt);
    return error;
}

/* In a transaction: the oldest goes for as long as there are too many, up to TRIM_STEP. */
static int drop(struct sqlite_db *db, const struct queue_letter_limits *limits, uint64_t *dropped,
                struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    struct queue_letter_excess now = {0};
    int error = sqlite_db_prepare(
        db, "DELETE FROM dead_letters WHERE seq = (SELECT min(seq) FROM dead_letters)", &stmt, err);

    for (*dropped = 0; !error && *dropped < TRIM_STEP; (*dropped)++) {
        error = measure(db, limits, &now, err);
        if (error || !now.is_over)
            break;
        error = sqlite_db_run(db, stmt, err);
    }
    sqlite3_finalize(stmt);
    return error;
}

int queue_sqlite_letters_trim(struct queue *base, const struct queue_letter_limits *limits,
                              struct queue_letter_excess *found, struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    uint64_t dropped = 0;
    int error;
    struct sqlite_db *db = queue_sqlite_file_acquire(q, &error, err);

    if (!db)
        return error;
    error = measure(db, limits, found, err);
    if (error || !found->is_over || !limits->drops)
        goto out;
    error = sqlite_db_begin(db, err);
    if (!error)
        error = drop(db, limits, &dropped, err);
    if (!error)
        error = sqlite_db_commit(db, err);
    if (error)
        sqlite_db_rollback(db);
    else
        found->dropped = dropped;
out:
    queue_sqlite_file_release(q);
    return error;
}
