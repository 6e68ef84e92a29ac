#include "block/keys.h"

#include <stdlib.h>

#include "block/grow.h"

/*
 * In the directory: times (numbers); sorts of the ids (numbers); varint moved, stepped, whole and
 * other, how many there are of each; moved, runs, steps, upper, lower (numbers), others (stream);
 * varint whether sequences are kept; sequences (numbers).
 *
 * An id of version 7 has a millisecond, mostly that of its log, and 74 bits. Ids that one process
 * makes for a batch go up by one; batches lie between each other. So each is kept as a step behind
 * one of the last few runs of ids, or, if it follows none, as it is.
 */
enum id_sort {
    ID_OF_TIME, /* version 7, of the log's millisecond */
    ID_MOVED,   /* version 7, of another */
    ID_OTHER,
    ID_SORTS
};

enum {
    RUNS = 32,       /* that are remembered */
    STEP_BITS = 40,  /* an id within so many of a run's last belongs to it */
    TRIED_MIN = 256, /* ids, after which runs are given up … */
    TRIED_WORTH = 8, /* … if not one in so many belonged to one */
    ID_BYTES = 16,
};

/* The 74 bits of an id of version 7. */
struct tail {
    uint64_t upper; /* 12 bits */
    uint64_t lower; /* 62 bits */
};

static const uint64_t LOWER_MASK = (UINT64_C(1) << 62) - 1;

static struct tail tail_of(const struct uuid *id)
{
    const char *bytes = (const char *)id->bytes;

    return (struct tail){byte_order_get32(bytes + 4) & 0xfff,
                         byte_order_get64(bytes + 8) & LOWER_MASK};
}

static void make_id(uint64_t ms, struct tail t, struct uuid *id)
{
    char *bytes = (char *)id->bytes;

    byte_order_put64(bytes, ms << 16 | 0x7000 | (t.upper & 0xfff));
    byte_order_put64(bytes + 8, UINT64_C(1) << 63 | (t.lower & LOWER_MASK));
}

static enum id_sort sort_of(const struct log_key *key)
{
    if (!uuid_is_v7(&key->id))
        return ID_OTHER;
    return uuid7_ms(&key->id) == uuid7_ms_of_timestamp(key->timestamp_us) ? ID_OF_TIME : ID_MOVED;
}

/* The last ids of the runs that were met last. */
struct runs {
    struct tail last[RUNS];
    unsigned next; /* that is forgotten next */
    unsigned latest;
};

/* Steps that fit are those by which `lower` alone changes. */
static bool follows(const struct tail *last, const struct tail *t, uint64_t *step)
{
    int64_t d = (int64_t)((t->lower - last->lower) << 2) >> 2;

    *step = (uint64_t)d;
    return t->upper == last->upper && d < INT64_C(1) << STEP_BITS && d > -(INT64_C(1) << STEP_BITS);
}

/* The run that `t` follows, from 1, and how far; 0: none, and it begins one. */
static unsigned find_run(struct runs *r, struct tail t, bool search, uint64_t *step)
{
    unsigned found = RUNS;

    if (follows(&r->last[r->latest], &t, step))
        found = r->latest;
    for (unsigned i = 0; search && found == RUNS && i < RUNS; i++)
        if (follows(&r->last[i], &t, step))
            found = i;
    if (found == RUNS) {
        r->latest = r->next;
        r->next = (r->next + 1) % RUNS;
        r->last[r->latest] = t;
        return 0;
    }
    r->latest = found;
    r->last[found] = t;
    return found + 1;
}

/* ---- Writing ---- */

void keys_writer_init(struct keys_writer *w, struct numbers_writer *numbers)
{
    *w = (struct keys_writer){.numbers = numbers};
    buffer_init(&w->ids, SIZE_MAX / 2);
}

void keys_writer_release(struct keys_writer *w)
{
    free(w->values);
    buffer_release(&w->ids);
}

int keys_writer_error(struct keys_writer *w)
{
    bool failed = w->no_memory;

    w->no_memory = false;
    return failed ? LM_ENOMEM : 0;
}

/* Columns of ids on their way. */
struct id_columns {
    uint64_t *sorts, *moved, *runs, *steps, *upper, *lower;
    size_t moved_len, runs_len, steps_len, whole_len;
};

static void add_tail(struct id_columns *c, struct runs *runs, struct tail t)
{
    uint64_t step;
    bool search = c->runs_len < TRIED_MIN || c->steps_len >= c->runs_len / TRIED_WORTH;
    unsigned run = find_run(runs, t, search, &step);

    c->runs[c->runs_len++] = run;
    if (run > 0) {
        c->steps[c->steps_len++] = step;
        return;
    }
    c->upper[c->whole_len] = t.upper;
    c->lower[c->whole_len++] = t.lower;
}

static void gather_ids(struct keys_writer *w, const struct block_row *rows, size_t n,
                       struct id_columns *c)
{
    struct runs runs = {0};

    buffer_clear(&w->ids);
    for (size_t i = 0; i < n; i++) {
        const struct log_key *key = &rows[i].record.key;
        enum id_sort sort = sort_of(key);

        c->sorts[i] = sort;
        if (sort == ID_OTHER) {
            buffer_append(&w->ids, key->id.bytes, ID_BYTES);
            continue;
        }
        if (sort == ID_MOVED)
            c->moved[c->moved_len++] =
                (uint64_t)(uuid7_ms(&key->id) - uuid7_ms_of_timestamp(key->timestamp_us));
        add_tail(c, &runs, tail_of(&key->id));
    }
}

static void write_ids(struct keys_writer *w, const struct block_row *rows, size_t n)
{
    struct buffer *directory = &w->numbers->streams->directory;
    struct id_columns c = {
        .sorts = w->values,
        .moved = w->values + n,
        .runs = w->values + 2 * n,
        .steps = w->values + 3 * n,
        .upper = w->values + 4 * n,
        .lower = w->values + 5 * n,
    };

    gather_ids(w, rows, n, &c);
    if (buffer_error(&w->ids)) {
        w->no_memory = true;
        return;
    }
    numbers_write(w->numbers, c.sorts, n, false);
    bytes_append_varint(directory, c.moved_len);
    bytes_append_varint(directory, c.steps_len);
    bytes_append_varint(directory, c.whole_len);
    bytes_append_varint(directory, w->ids.len / ID_BYTES);
    numbers_write(w->numbers, c.moved, c.moved_len, false);
    numbers_write(w->numbers, c.runs, c.runs_len, false);
    numbers_write(w->numbers, c.steps, c.steps_len, false);
    numbers_write(w->numbers, c.upper, c.whole_len, false);
    numbers_write(w->numbers, c.lower, c.whole_len, false);
    stream_put(w->numbers->streams, buffer_slice(&w->ids), SECTION_TEXT);
}

void keys_write(struct keys_writer *w, const struct block_row *rows, size_t n, bool keeps_sequence)
{
    if (!GROW(w->values, w->values_capacity, 6 * n)) {
        w->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        w->values[i] = (uint64_t)rows[i].record.key.timestamp_us;
    numbers_write(w->numbers, w->values, n, true);
    write_ids(w, rows, n);
    bytes_append_varint(&w->numbers->streams->directory, keeps_sequence);
    if (!keeps_sequence)
        return;
    for (size_t i = 0; i < n; i++)
        w->values[i] = rows[i].sequence;
    numbers_write(w->numbers, w->values, n, true);
}

/* ---- Reading ---- */

static bool take_len(struct stream_reader *r, uint32_t max, uint32_t *len)
{
    uint64_t value;

    if (!bytes_take_varint(&r->directory, &value) || value > max)
        return false;
    *len = (uint32_t)value;
    return true;
}

static bool take_ids(struct stream_reader *r, struct keys_stored *s)
{
    return numbers_take(r, s->rows, &s->sorts) && take_len(r, s->rows, &s->moved_len) &&
           take_len(r, s->rows, &s->stepped_len) &&
           take_len(r, s->rows - s->stepped_len, &s->whole_len) &&
           take_len(r, s->rows, &s->other_len) &&
           s->stepped_len + s->whole_len + s->other_len == s->rows &&
           numbers_take(r, s->moved_len, &s->moved) &&
           numbers_take(r, s->stepped_len + s->whole_len, &s->runs) &&
           numbers_take(r, s->stepped_len, &s->steps) && numbers_take(r, s->whole_len, &s->upper) &&
           numbers_take(r, s->whole_len, &s->lower) && stream_take(r, SECTION_TEXT, &s->others) &&
           s->others.len == (size_t)s->other_len * ID_BYTES;
}

bool keys_take(struct stream_reader *r, uint32_t rows, struct keys_stored *s)
{
    uint32_t keeps_sequence;

    *s = (struct keys_stored){.rows = rows};
    if (!numbers_take(r, rows, &s->times) || !take_ids(r, s) || !take_len(r, 1, &keeps_sequence))
        return false;
    s->keeps_sequence = keeps_sequence;
    return !keeps_sequence || numbers_take(r, rows, &s->sequences);
}

int keys_load_times(struct stream_reader *r, const struct keys_stored *s, int64_t *times,
                    struct errbuf *err)
{
    struct numbers n;
    int error = numbers_load(r, &s->times, &n, err);

    if (!error)
        numbers_copy(&n, (uint64_t *)times);
    return error;
}

int keys_load_sequences(struct stream_reader *r, const struct keys_stored *s, uint64_t *sequences,
                        struct errbuf *err)
{
    struct numbers n;
    int error = numbers_load(r, &s->sequences, &n, err);

    if (!error)
        numbers_copy(&n, sequences);
    return error;
}

/* The columns of ids, made ready, and how far each has been read. */
struct id_reader {
    struct numbers sorts, moved, runs, steps, upper, lower;
    struct slice others;
    size_t moved_at, runs_at, steps_at, whole_at;
    struct runs last;
};

static int load_columns(struct stream_reader *r, const struct keys_stored *s, struct id_reader *ids,
                        struct errbuf *err)
{
    int error = numbers_load(r, &s->sorts, &ids->sorts, err);

    if (!error)
        error = numbers_load(r, &s->moved, &ids->moved, err);
    if (!error)
        error = numbers_load(r, &s->runs, &ids->runs, err);
    if (!error)
        error = numbers_load(r, &s->steps, &ids->steps, err);
    if (!error)
        error = numbers_load(r, &s->upper, &ids->upper, err);
    if (!error)
        error = numbers_load(r, &s->lower, &ids->lower, err);
    if (!error)
        error = stream_bytes(r, &s->others, &ids->others, err);
    return error;
}

static bool next_tail(struct id_reader *ids, struct tail *t)
{
    uint64_t run;

    if (ids->runs_at == ids->runs.len)
        return false;
    run = numbers_get(&ids->runs, ids->runs_at++);
    if (run > RUNS)
        return false;
    if (run > 0) {
        if (ids->steps_at == ids->steps.len)
            return false;
        *t = ids->last.last[run - 1];
        t->lower = (t->lower + numbers_get(&ids->steps, ids->steps_at++)) & LOWER_MASK;
        ids->last.last[run - 1] = *t;
        return true;
    }
    if (ids->whole_at == ids->upper.len)
        return false;
    *t = (struct tail){numbers_get(&ids->upper, ids->whole_at),
                       numbers_get(&ids->lower, ids->whole_at)};
    ids->whole_at++;
    ids->last.last[ids->last.next] = *t;
    ids->last.next = (ids->last.next + 1) % RUNS;
    return true;
}

static bool next_id(struct id_reader *ids, uint64_t sort, struct log_key *key)
{
    uint64_t ms = (uint64_t)uuid7_ms_of_timestamp(key->timestamp_us);
    struct tail t;
    struct slice other;

    switch (sort) {
    case ID_OTHER:
        if (!bytes_take(&ids->others, ID_BYTES, &other))
            return false;
        memcpy(key->id.bytes, other.data, ID_BYTES);
        return true;
    case ID_MOVED:
        if (ids->moved_at == ids->moved.len)
            return false;
        ms += numbers_get(&ids->moved, ids->moved_at++);
        /* fall through */
    case ID_OF_TIME:
        if (!next_tail(ids, &t))
            return false;
        make_id(ms, t, &key->id);
        return true;
    default:
        return false;
    }
}

int keys_load_ids(struct stream_reader *r, const struct keys_stored *s, const int64_t *times,
                  struct log_key *keys, struct errbuf *err)
{
    struct id_reader ids = {0};
    int error = load_columns(r, s, &ids, err);

    for (size_t i = 0; i < s->rows && !error; i++) {
        keys[i].timestamp_us = times[i];
        if (!next_id(&ids, numbers_get(&ids.sorts, i), &keys[i]))
            error = stream_damaged(r, "its ids", err);
    }
    return error;
}

size_t keys_id_bytes(const struct stream_reader *r, const struct keys_stored *s)
{
    return numbers_bytes(r, &s->sorts) + numbers_bytes(r, &s->moved) + numbers_bytes(r, &s->runs) +
           numbers_bytes(r, &s->steps) + numbers_bytes(r, &s->upper) + numbers_bytes(r, &s->lower) +
           stream_stored(r, &s->others);
}
