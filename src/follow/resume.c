/* From the state to what is there now. */
#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum { BANNER_BYTES = 8 << 10 }; /* with which all files of a program may begin */

static char *text_of(struct slice s)
{
    char *text = xmalloc(s.len + 1);

    memcpy(text, s.data ? s.data : "", s.len);
    text[s.len] = '\0';
    return text;
}

struct loading {
    struct follower *f;
    struct source *source;
    size_t times_capacity;
};

static int load_time(const struct state_time *t, void *ctx)
{
    struct loading *l = ctx;
    struct source *s = l->source;

    s->times = array_reserve(s->times, &l->times_capacity, s->times_len + 1, sizeof(*s->times));
    s->times[s->times_len++] = *t;
    return 0;
}

/* It is not where it was, or not what it was. */
static void seek(struct follower *f, struct source *s)
{
    s->place = PLACE_DELETED;
    source_move(f, s, SOURCE_SEEKING);
    follower_attend(f, s, 0);
}

/* Of those that had the same inode, the one that had it last is there. */
static void seek_former(struct follower *f, struct source *s)
{
    struct source *o = source_other(f, s);

    if (o)
        seek(f, o->generation < s->generation ? o : s);
}

static int load_live(struct follower *f, const struct state_file *row, struct family *family)
{
    struct loading l = {.f = f};
    struct errbuf err = ERRBUF_INIT;
    struct file_look look = {
        .identity = row->identity,
        .size = row->size,
        .changed_ns = row->changed_us * 1000,
        .links = 1,
        .is_regular = true,
    };
    char *path = text_of(row->path);
    struct source *s = source_new(f, &look, family, path, family_live_path(f, family, path));

    free(path);
    s->number = row->number;
    s->file.key = row->key;
    s->generation = row->generation;
    s->file.guessed = row->guessed;
    memcpy(s->file.form, row->form, sizeof(row->form));
    s->acked = s->safe = s->last = row->mark;
    s->marked = row->ahead;
    s->marked_to = row->mark.offset;
    s->offset = s->line = s->searched = row->mark.offset;
    s->chain = row->mark.chain;
    /* It may go on in a copy, without a look at what is before. */
    s->check_len = row->mark.tail_len;
    s->check_hash = row->mark.tail_hash;
    s->sent = row->sent;
    ladder_read(&s->ladder, row->ladder);
    s->ladder.is_kept = true;
    s->seen_size = row->size > row->mark.offset ? row->size : row->mark.offset;
    s->place = PLACE_MOVED;
    s->is_resumed = true;
    source_move(f, s, SOURCE_READING);
    if (row->identity.inode)
        seek_former(f, s);
    else
        seek(f, s);
    family_append(s);
    l.source = s;
    return state_load_times(f->state, row->number, load_time, &l, &err);
}

static int load(const struct state_file *row, void *ctx)
{
    struct follower *f = ctx;
    struct family *family = family_named(f, row->family);
    struct known k = {
        .by_identity.identity = row->identity,
        .number = row->number,
        .key = row->key,
        .kind = row->kind,
        .generation = row->generation,
        .mark = row->mark,
    };

    if (row->kind == STATE_COPY)
        k.copy_of = row->before;
    if (row->kind == STATE_LIVE)
        return load_live(f, row, family);
    ladder_read(&k.ladder, row->ladder);
    k.ladder.is_kept = true;
    known_add(f, family, &k);
    return 0;
}

int resume_load(struct follower *f, struct errbuf *err)
{
    return state_load(f->state, load, f, err);
}

/* It is the file that was read: reading goes on. */
static void go_on(struct follower *f, struct source *s)
{
    struct content_mark from = s->last;

    s->is_resumed = false;
    if (!file_identity_equal(&s->look.identity, &s->by_identity.identity)) {
        source_set_identity(f, s, &s->look.identity);
        ledger_dirty(f, s);
    }
    if (f->from == FOLLOW_FROM_START && f->is_starting) {
        s->acked = s->safe = s->marked = s->last = from = (struct content_mark){0};
        s->marked_to = 0;
    }
    if (reading_skip_to(s, from.offset, from.chain))
        s->offset = s->line = s->searched = from.offset;
    if (f->from == FOLLOW_FROM_END && f->is_starting)
        reading_skip_to_end(f, s);
    follower_ready(f, s);
    follower_attend(f, s, ATTEND_US);
}

/* Whether it has what may have left of it. What is shorter by now was truncated, unless it begins
 * alike: the power was lost, and its end with it. */
static enum content_verdict compare_more(const struct source *s)
{
    const struct content_mark *m = &s->marked;
    struct content_mark head = {
        .offset = m->head_len, .head_len = m->head_len, .head_hash = m->head_hash};

    if (s->look.size >= m->offset)
        return content_mark_check(s->fd, m);
    return m->head_len > 0 ? content_mark_check(s->fd, &head) : CONTENT_OTHER;
}

/* More lines were taken of it than any mark is of, and those that are there now are others. */
static bool has_other_lines(struct follower *f, struct source *s)
{
    struct ladder taken = s->ladder;

    if (taken.to <= s->last.offset)
        return false;
    s->ladder = (struct ladder){0};
    (void)reading_take_ladder(f, s, s->look.size);
    bool has_others = ladder_differs(&s->ladder, &taken);
    ladder_release(&s->ladder);
    s->ladder = taken;
    return has_others;
}

/* An archive is not unpacked to see that it is still the same: none is written to again. */
static enum content_verdict compare(struct follower *f, struct source *s, uint64_t size)
{
    unpack_look(s);
    if (s->is_unlooked)
        return CONTENT_UNREADABLE;
    if (s->is_archive)
        return size == s->look.size ? CONTENT_SAME : CONTENT_OTHER;
    enum content_verdict verdict = content_mark_check(s->fd, &s->last);
    /* So little is before the offset that many files have that. What lines were made of that may
     * be there, was of this file, too. */
    if (verdict == CONTENT_SAME && s->last.offset < BANNER_BYTES &&
        s->marked.offset > s->last.offset)
        verdict = compare_more(s);
    return verdict == CONTENT_SAME && has_other_lines(f, s) ? CONTENT_OTHER : verdict;
}

bool resume_open(struct follower *f, struct source *s, const char *path)
{
    enum content_verdict verdict = CONTENT_UNREADABLE;
    char *old = xstrdup(s->path);
    uint64_t size = s->look.size;

    source_set_path(s, path);
    int error = source_open(f, s);
    if (!error)
        verdict = compare(f, s, size);
    if (verdict != CONTENT_SAME)
        source_set_path(s, old);
    free(old);
    switch (verdict) {
    case CONTENT_SAME:
        go_on(f, s);
        return true;
    case CONTENT_OTHER:
        source_close(f, s);
        s->is_archive = false;
        seek(f, s);
        return false;
    case CONTENT_UNREADABLE:
        break;
    }
    /* One that was closed for want of descriptors is looked at again with the others. */
    if (error != LM_ENOTFOUND && !(s->is_closed && (errno == EMFILE || errno == ENFILE)))
        source_failed(f, s, errno);
    source_close(f, s);
    return true;
}

void resume_finish(struct follower *f)
{
    for (struct source *s = f->all, *next; s; s = next) {
        struct file_look look;

        next = s->all_behind;
        if (!s->is_resumed || s->is_reported)
            continue;
        if (!file_look_path(s->path, true, &look) &&
            (file_identity_equal(&look.identity, &s->by_identity.identity) ||
             source_has_moved(s, s->path, &look.identity)) &&
            resume_open(f, s, s->path))
            continue;
        if (s->phase == SOURCE_READING)
            seek(f, s);
    }
}
