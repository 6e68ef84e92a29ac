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

int resume_times(struct follower *f, struct source *s, struct errbuf *err)
{
    struct loading l = {.source = s};

    return state_load_times(f->state, s->number, load_time, &l, err);
}

/* It is not where it was, or (no has_identity) not what it was. */
static void seek(struct follower *f, struct source *s, bool has_identity)
{
    s->place = PLACE_DELETED;
    source_seek(f, s, has_identity);
    follower_attend(f, s, 0);
}

/* Of those that had the same inode, the one that had it last is there. */
static void seek_former(struct follower *f, struct source *s)
{
    struct source *o = source_other(f, s);

    if (o)
        seek(f, o->generation < s->generation ? o : s, false);
}

static int load_live(struct follower *f, const struct state_file *row, struct family *family)
{
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
        seek(f, s, false);
    family_append(s);
    return resume_times(f, s, &err);
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
    if (row->kind == STATE_LOST) {
        k.lost = xmalloc(sizeof(*k.lost));
        *k.lost = (struct lost){.ahead = row->ahead, .sent = row->sent, .us = row->put_us};
        if (row->size > row->mark.offset)
            k.lost->bytes = row->size - row->mark.offset;
    }
    ladder_read(&k.ladder, row->ladder);
    k.ladder.is_kept = true;
    known_add(f, family, &k);
    return 0;
}

int resume_load(struct follower *f, struct errbuf *err)
{
    return state_load(f->state, 0, load, f, err);
}

/* It is the file that was read: reading goes on. */
static void go_on(struct follower *f, struct source *s)
{
    struct content_mark from = s->last;

    s->is_resumed = s->is_at_end = false;
    s->has_ahead = true;
    s->lost_us = 0;
    if (s->phase == SOURCE_SEEKING)
        source_move(f, s, SOURCE_READING);
    if (s->place == PLACE_DELETED)
        s->place = PLACE_MOVED;
    if (!s->is_archive && from.offset >= PROBE_BYTES)
        judge_take_probe(s);
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
static enum content_verdict compare_more(int fd, uint64_t size, const struct content_mark *m)
{
    struct content_mark head = {
        .offset = m->head_len, .head_len = m->head_len, .head_hash = m->head_hash};

    if (size >= m->offset)
        return content_mark_check(fd, m);
    return m->head_len > 0 ? content_mark_check(fd, &head) : CONTENT_OTHER;
}

enum content_verdict resume_compare(int fd, uint64_t size, const struct content_mark *read,
                                    const struct content_mark *ahead)
{
    enum content_verdict verdict = content_mark_check(fd, read);

    /* So little is before the offset that many files have that. What lines were made of that may
     * be there, was of this file, too. */
    if (verdict == CONTENT_SAME && read->offset < BANNER_BYTES && ahead->offset > read->offset)
        verdict = compare_more(fd, size, ahead);
    return verdict;
}

static int take_row(const struct state_file *row, void *ctx)
{
    struct state_file *taken = ctx;

    *taken = *row;
    taken->path = taken->family = taken->ladder = slice_of(NULL, 0);
    return 0;
}

void resume_row(struct follower *f, const struct known *k, struct state_file *row)
{
    const struct state_file without = {
        .mark = k->mark,
        .ahead = k->lost ? k->lost->ahead : k->mark,
        .sent = k->lost ? k->lost->sent : k->mark.offset,
    };
    struct errbuf err = ERRBUF_INIT;

    *row = without;
    if (k->number == 0 || state_load(f->state, k->number, take_row, row, &err))
        *row = without;
}

enum content_verdict resume_compare_known(struct follower *f, const struct known *k, int fd,
                                          const struct file_look *look, struct state_file *row)
{
    bool is_archive;

    resume_row(f, k, row);
    /* Of nothing any file has it, also one that was given its inode since. */
    if (row->ahead.offset == 0)
        return CONTENT_OTHER;
    if (unpack_is_archive(fd, &is_archive))
        return CONTENT_UNREADABLE;
    /* As one that is read; but what was read to its end is compared with others by its text. */
    if (is_archive && (k->kind == STATE_FINISHED || k->kind == STATE_LOST))
        return k->lost && row->size == look->size ? CONTENT_SAME : CONTENT_OTHER;
    return resume_compare(fd, look->size, &k->mark, &row->ahead);
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
    enum content_verdict verdict = resume_compare(s->fd, s->look.size, &s->last, &s->marked);
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
    int reason = errno;
    /* Where it cannot be opened or read it is all the same: there it is tried again. */
    bool is_there = error != LM_ENOTFOUND && reason != ENOENT && reason != ENOTDIR;
    if (verdict != CONTENT_SAME && (verdict != CONTENT_UNREADABLE || !is_there))
        source_set_path(s, old);
    free(old);
    switch (verdict) {
    case CONTENT_SAME:
        go_on(f, s);
        return true;
    case CONTENT_OTHER:
        source_close(f, s);
        s->is_archive = false;
        seek(f, s, false);
        return false;
    case CONTENT_UNREADABLE:
        break;
    }
    if (error != LM_ENOTFOUND && s->phase == SOURCE_SEEKING)
        source_move(f, s, SOURCE_READING);
    /* One that was closed for want of descriptors is looked at again with the others. */
    if (error != LM_ENOTFOUND && !(s->is_closed && (reason == EMFILE || reason == ENFILE)))
        source_failed(f, s, reason);
    source_close(f, s);
    return true;
}

void resume_finish(struct follower *f)
{
    for (struct source *s = f->all, *next; s && !follower_gives_up(f); s = next) {
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
            seek(f, s, true);
    }
}
