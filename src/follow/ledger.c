/*
 * What was taken, what may have been sent, what the server has. A mark has, of each file that has
 * changed since the mark before, where reading would go on; what of it is acknowledged is written
 * with the next transaction, which also writes, before a batch leaves, that its lines may have left
 * and when they were read.
 */
#include <fcntl.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "follow/internal.h"

static const uint64_t PRUNE_US = UINT64_C(3600) * 1000000;

/* ---- What changes ---- */

void ledger_touch(struct follower *f, struct source *s)
{
    if (s->is_touched)
        return;
    s->is_touched = true;
    roll_append(&f->touched, &s->in_touched);
}

static bool has_dirt(const struct follower *f)
{
    return f->dirty.first || f->new_known.first || f->has_news;
}

void ledger_dirty(struct follower *f, struct source *s)
{
    if (s->is_dirty)
        return;
    s->is_dirty = true;
    if (!has_dirt(f))
        f->dirty_us = f->now_us;
    roll_append(&f->dirty, &s->in_dirty);
}

void ledger_taken(struct follower *f, struct source *s, uint64_t from, uint64_t to, int64_t us)
{
    struct range *last = f->ranges_len > 0 ? &f->ranges[f->ranges_len - 1] : NULL;

    if (last && last->source == s && last->time.us == us && from <= last->time.to) {
        last->time.to = to;
        return;
    }
    f->ranges =
        array_reserve(f->ranges, &f->ranges_capacity, f->ranges_len + 1, sizeof(*f->ranges));
    f->ranges[f->ranges_len++] =
        (struct range){.source = s, .time = {.from = from, .to = to, .us = us}};
}

int64_t ledger_read_us(struct follower *f, struct source *s, uint64_t offset, bool *is_known)
{
    while (s->times_at < s->times_len && s->times[s->times_at].to <= offset)
        s->times_at++;
    *is_known = s->times_at < s->times_len && s->times[s->times_at].from <= offset;
    if (*is_known)
        return s->times[s->times_at].us;
    if (s->times_at == s->times_len && s->times) {
        free(s->times);
        s->times = NULL;
        s->times_len = s->times_at = 0;
    }
    return 0;
}

/* ---- Marks ---- */

static void add_marked(struct follower *f, struct follow_mark *m, struct source *s)
{
    m->sources =
        array_reserve(m->sources, &m->sources_capacity, m->sources_len + 1, sizeof(*m->sources));
    m->sources[m->sources_len++] = (struct marked){.source = s, .mark = s->safe, .sent = s->sent};
    if (s->safe.offset > s->marked.offset)
        s->marked = s->safe;
    s->marked_to = s->safe.offset;
    s->pending++;
    /* It has what is sent now. */
    if (s->copy && s->copy->number == 0 && s->copy->seen_size <= s->line)
        ledger_dirty(f, s->copy);
}

struct follow_mark *follower_mark(struct follower *f)
{
    struct follow_mark *m = f->spare;
    struct roll touched = roll_take_all(&f->touched);
    struct roll_node *n;

    if (m) {
        f->spare = m->next;
    } else {
        m = xcalloc(1, sizeof(*m));
        m->all = f->marks;
        f->marks = m;
    }
    m->sources_len = 0;
    while ((n = roll_take(&touched))) {
        struct source *s = container_of(n, struct source, in_touched);

        s->is_touched = false;
        reading_refresh(f, s);
        if (s->safe.offset != s->marked_to || s->is_taken)
            add_marked(f, m, s);
        s->is_taken = false;
        /* What is held back may be let go without another line. */
        if (s->safe.offset < s->line || s->is_inside)
            ledger_touch(f, s);
    }
    struct range *ranges = m->ranges;
    size_t capacity = m->ranges_capacity;
    m->ranges = f->ranges;
    m->ranges_len = f->ranges_len;
    m->ranges_capacity = f->ranges_capacity;
    f->ranges = ranges;
    f->ranges_capacity = capacity;
    f->ranges_len = 0;
    return m;
}

/* ---- The state ---- */

static struct state_file row_of(const struct source *s, enum state_kind kind)
{
    struct state_file row = {
        .number = s->number,
        .key = s->file.key,
        .kind = kind,
        .path = slice_of_string(s->path),
        .family = slice_of_string(s->family->name),
        .identity = source_identity(s),
        .generation = s->generation,
        .before = s->older ? s->older->number : 0,
        .mark = s->acked,
        .ahead = s->marked.offset > s->acked.offset ? s->marked : s->acked,
        .sent = s->sent > s->acked.offset ? s->sent : s->acked.offset,
        .size = s->look.size,
        .changed_us = s->look.changed_ns / 1000,
        .is_deleted = s->place == PLACE_DELETED,
        .guessed = s->file.guessed,
    };

    memcpy(row.form, s->file.form, sizeof(row.form));
    return row;
}

/* All of it is stored, and nothing more comes. */
static bool is_done(const struct source *s)
{
    return s->phase == SOURCE_OVER && s->is_told && s->pending == 0 && !s->is_taken &&
           s->acked.offset >= s->safe.offset && s->safe.offset >= s->line;
}

void ledger_number(struct follower *f, struct source *s)
{
    struct source *o = s;

    if (s->number > 0)
        return;
    while (o->older && o->older->number == 0)
        o = o->older;
    for (; o != s; o = o->newer)
        o->number = state_reserve(f->state);
    s->number = state_reserve(f->state);
}

/* Empty: it is in the state. */
static struct slice ladder_bytes(struct follower *f, const struct ladder *l)
{
    buffer_clear(&f->ladder);
    if (!l->is_kept)
        ladder_write(l, &f->ladder);
    return buffer_slice(&f->ladder);
}

static int put(struct follower *f, struct source *s, struct errbuf *err)
{
    enum state_kind kind = s->phase == SOURCE_COPY ? STATE_COPY
                           : !is_done(s)           ? STATE_LIVE
                           : s->lost_us > 0        ? STATE_LOST
                                                   : STATE_FINISHED;
    int error = 0;

    ledger_number(f, s);
    struct state_file row = row_of(s, kind);
    if (s->phase == SOURCE_COPY && s->copy_of) {
        error = put(f, s->copy_of, err); /* it may have a number, but no row */
        row.before = s->copy_of->number;
    }
    if (kind == STATE_FINISHED || kind == STATE_LOST)
        ladder_thin(&s->ladder, LADDER_STEPS_KEPT);
    if (kind != STATE_COPY)
        row.ladder = ladder_bytes(f, &s->ladder);
    if (!error)
        error = state_put(f->state, &row, err);
    if (!error)
        s->ladder.is_kept = true;
    return error;
}

void ledger_news(struct follower *f)
{
    if (!has_dirt(f))
        f->dirty_us = f->now_us;
    f->has_news = true;
}

void ledger_known(struct follower *f, struct known *k, const char *path)
{
    k->path = xstrdup(path);
    if (!has_dirt(f))
        f->dirty_us = f->now_us;
    roll_append(&f->new_known, &k->in_new);
}

static int put_known(struct follower *f, struct known *k, struct errbuf *err)
{
    struct state_file row = {
        .number = k->number,
        .key = k->key,
        .kind = k->kind,
        .before = k->copy_of,
        .path = slice_of_string(k->path),
        .family = slice_of_string(k->family->name),
        .identity = k->by_identity.identity,
        .generation = k->generation,
        .mark = k->mark,
        .ahead = k->lost ? k->lost->ahead : k->mark,
        .sent = k->lost ? k->lost->sent : k->mark.offset,
        .size = k->mark.offset,
    };
    int error = state_put(f->state, &row, err);

    k->number = row.number;
    return error;
}

static int put_all(struct follower *f, const struct follow_mark *m, struct errbuf *err)
{
    int error = 0;

    for (struct roll_node *n = f->new_known.first; n && !error; n = n->behind)
        error = put_known(f, container_of(n, struct known, in_new), err);
    for (struct roll_node *n = f->dirty.first; n && !error; n = n->behind)
        error = put(f, container_of(n, struct source, in_dirty), err);
    for (size_t i = 0; m && i < m->sources_len && !error; i++)
        if (!m->sources[i].source->is_dirty)
            error = put(f, m->sources[i].source, err);
    for (size_t i = 0; m && i < m->ranges_len && !error; i++)
        error = state_put_time(f->state, m->ranges[i].source->number, &m->ranges[i].time, err);
    return error;
}

struct telling {
    struct follower *f;
    struct errbuf *err;
    int len, error;
};

static void put_one_unreadable(const char *path, const char *reason, void *ctx)
{
    struct telling *t = ctx;

    if (!t->error && t->len++ < STATE_UNREADABLE_MAX)
        t->error = state_put_unreadable(t->f->state, path, reason, t->err);
}

static int put_unreadable(struct follower *f, struct errbuf *err)
{
    struct telling t = {.f = f, .err = err, .error = state_clear_unreadable(f->state, err)};

    place_each_trouble(f, put_one_unreadable, &t);
    for (const struct source *s = f->unreadable > 0 ? f->all : NULL; s; s = s->all_behind)
        if (s->is_reported)
            put_one_unreadable(s->path, strerror(s->trouble), &t);
    return t.error;
}

/* It is remembered as a file that is done with. */
static void finish(struct follower *f, struct source *s)
{
    struct file_look look;
    bool is_live = s->live_names.first; /* it is watched on */
    bool has_grown = s->fd >= 0 && !file_look_fd(s->fd, &look) && look.size > s->look.size;
    bool may_be_back = s->fd < 0 && s->is_listed; /* since it was given up */
    char *path = has_grown || is_live || may_be_back ? xstrdup(s->path) : NULL;
    struct known k = {
        .by_identity.identity = source_identity(s),
        .number = s->number,
        .key = s->file.key,
        .kind = s->lost_us > 0 ? STATE_LOST : STATE_FINISHED,
        .generation = s->generation,
        .mark = s->acked,
        .ladder = s->ladder,
    };

    if (s->lost_us > 0) {
        k.lost = xmalloc(sizeof(*k.lost));
        *k.lost = (struct lost){
            .ahead = s->marked.offset > s->acked.offset ? s->marked : s->acked,
            .sent = s->sent,
            .bytes = s->seen_size > s->offset ? s->seen_size - s->offset : 0,
            .us = s->lost_us,
        };
    }
    int fd = has_grown ? fcntl(s->fd, F_DUPFD_CLOEXEC, 0) : -1; /* it may have no name */
    s->ladder = (struct ladder){0};
    known_add(f, s->family, &k);
    if (s->copy)
        candidate_is_copy(f, s->copy);
    if (s->is_handed)
        f->calls.freed(f->calls.ctx, &s->file);
    source_free(f, s);
    if (path)
        place_look_path(f, path);
    if (fd >= 0)
        candidate_goes_on(f, path, fd);
    free(path);
}

static void clean(struct follower *f)
{
    struct roll dirty = roll_take_all(&f->dirty), done = {.first = NULL};
    struct roll_node *n;

    while ((n = roll_take(&f->new_known))) {
        struct known *k = container_of(n, struct known, in_new);

        free(k->path);
        k->path = NULL;
    }
    while ((n = roll_take(&dirty))) {
        struct source *s = container_of(n, struct source, in_dirty);

        s->is_dirty = false;
        if (is_done(s))
            roll_append(&done, &s->in_over); /* which it is in no more */
    }
    /* With each its copy ends, which may have been among them. */
    while ((n = roll_take(&done)))
        finish(f, container_of(n, struct source, in_over));
}

static int write_anew(struct follower *f, struct errbuf *err)
{
    int error = state_write_anew(f->state, err);

    if (!error)
        follower_say(f, "the state was deleted or replaced: it was written anew");
    return error;
}

/* One transaction; after an error nothing of it has happened. */
static int write_all(struct follower *f, const struct follow_mark *m, struct errbuf *err)
{
    int error = state_is_gone(f->state) ? write_anew(f, err) : 0;
    bool prunes = f->now_us >= f->prune_us;

    if (!error)
        error = state_begin(f->state, err);
    if (!error)
        error = put_all(f, m, err);
    if (!error && f->has_news)
        error = put_unreadable(f, err);
    if (!error && prunes)
        error = state_prune(f->state, clock_wall_us(), err);
    if (!error)
        error = state_commit(f->state, err);
    if (error) {
        state_roll_back(f->state);
        for (struct source *s = f->all; s; s = s->all_behind)
            s->ladder.is_kept = false;
        return error;
    }
    if (prunes)
        f->prune_us = f->now_us + PRUNE_US;
    f->has_news = false;
    clean(f);
    return 0;
}

static int write_state(struct follower *f, const struct follow_mark *m, struct errbuf *err)
{
    int error = write_all(f, m, err);

    if (error) {
        if (!f->is_state_broken)
            follower_say(f,
                         "the state cannot be written: %s; lines are sent all the same, but those "
                         "without a time of their own may be there twice after a crash",
                         err->text);
        f->is_state_broken = true;
        f->dirty_us = f->now_us; /* not tried again at once */
        return error;
    }
    if (f->is_state_broken)
        follower_say(f, "the state can be written again");
    f->is_state_broken = false;
    return 0;
}

int follower_prepare(struct follower *f, struct follow_mark *m, struct errbuf *err)
{
    if (!f->dirty.first && !f->new_known.first && m->sources_len == 0 && m->ranges_len == 0)
        return 0;
    /* Ranges that could not be written are gone with their batch, which is sent all the same. */
    return write_state(f, m, err);
}

void follower_acknowledge(struct follower *f, struct follow_mark *m)
{
    for (size_t i = 0; i < m->sources_len; i++) {
        struct source *s = m->sources[i].source;

        s->pending--;
        if (m->sources[i].mark.offset > s->acked.offset)
            s->acked = m->sources[i].mark;
        candidate_acknowledged(f, s);
        ledger_dirty(f, s);
    }
    m->next = f->spare;
    f->spare = m;
}

int ledger_begin(struct follower *f, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    int error = write_all(f, NULL, &reason);

    f->is_state_broken = error; /* that is all there is to be said */
    if (error)
        errbuf_set(err, "the state cannot be written: %s; nothing is followed before it was once",
                   reason.text);
    return error;
}

void ledger_flush(struct follower *f, bool now)
{
    struct errbuf err = ERRBUF_INIT;

    if (has_dirt(f) && (now || f->now_us - f->dirty_us >= FLUSH_US))
        (void)write_state(f, NULL, &err); /* said; tried again */
}

void ledger_release(struct follower *f)
{
    while (f->marks) {
        struct follow_mark *m = f->marks;

        f->marks = m->all;
        free(m->sources);
        free(m->ranges);
        free(m);
    }
    free(f->ranges);
    f->ranges = NULL;
}
