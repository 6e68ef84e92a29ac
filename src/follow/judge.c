/*
 * Whether a file is new or a copy, by its content. Names say nothing about it, and beginnings
 * little: where programs write a banner, those of all files are equal.
 *
 * A copy of a file that is there has its first bytes, and at least as many as it had when the copy
 * appeared. A copy of a file that was truncated or is gone has what was read of it, and maybe more:
 * that is compared by its marks. One of a file that is done with is as long as that. One that has
 * less, since it was made before the rest was written, has its first lines (ladder.h).
 */
#include <errno.h>
#include <string.h>

#include "base/container_of.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum {
    PIECE = 16 << 10,
    NO_BANNER = 4 << 10,     /* what files begin with alike is shorter, mostly */
    EQUAL_ENOUGH = 64 << 10, /* beginnings that are equal so far are hardly a banner */
};

static const uint64_t ORDER_US = (uint64_t)FOLLOW_ORDER_MS * 1000;

static struct source *told(struct roll_node *n)
{
    return n ? container_of(n, struct source, in_told) : NULL;
}

struct source *judge_first(const struct family *family)
{
    return family->newest ? family->newest : told(family->told.first);
}

struct source *judge_next(const struct source *o)
{
    if (o->is_told)
        return told(o->in_told.behind);
    return o->older ? o->older : told(o->family->told.first);
}

uint64_t judge_probe(const struct source *o)
{
    return family_is_begun(o) ? o->probe : 0;
}

/* How long it was at least, for certain: before something of it is handed out it may be written
 * anew. */
static uint64_t size_of(const struct source *o)
{
    return family_is_begun(o) ? o->seen_size : 0;
}

/* A copy that is there at the start may have been made when less of it was stored. */
static uint64_t size_at_start(const struct source *o)
{
    return o->acked.offset < NO_BANNER ? o->acked.offset : NO_BANNER;
}

static void take_snapshot(struct follower *f, struct source *c, const struct source *o)
{
    if (c->snapshots_len < SNAPSHOTS_MAX)
        c->snapshots[c->snapshots_len++] = (struct snapshot){
            .key = o->file.key,
            .size = f->is_starting ? size_at_start(o) : size_of(o),
            /* What was read by the turn before was there when it appeared, for certain. */
            .mark = o->previous.offset > 0 ? o->previous : o->last,
        };
}

void judge_take_probe(struct source *c)
{
    char bytes[PROBE_BYTES];

    if (c->probe == 0 && file_read_at(c->fd, bytes, sizeof(bytes), 0) == sizeof(bytes))
        c->probe = content_hash(slice_of(bytes, sizeof(bytes)));
}

/* Patterns find copies that have a name of their own: whose beginning is one of another family. */
static bool is_other(const struct source *c, const struct source *o)
{
    return c->place == PLACE_LIVE && o->family != c->family && c->probe && o->probe == c->probe &&
           o->fd >= 0 && !o->is_archive && o->phase != SOURCE_UNKNOWN && o->phase != SOURCE_COPY;
}

void judge_prepare(struct follower *f, struct source *c)
{
    c->snapshots = xcalloc(SNAPSHOTS_MAX, sizeof(*c->snapshots));
    for (const struct source *o = judge_first(c->family); o; o = judge_next(o))
        take_snapshot(f, c, o);
    judge_take_probe(c);
    /* At a start not all are found yet; then 4 KiB are enough (judge_least). */
    for (const struct source *o = c->probe && !f->is_starting ? f->all : NULL; o; o = o->all_behind)
        if (is_other(c, o))
            take_snapshot(f, c, o);
}

static const struct snapshot *snapshot_of(const struct source *c, const struct source *o)
{
    for (size_t i = 0; i < c->snapshots_len; i++)
        if (c->snapshots[i].key == o->file.key)
            return &c->snapshots[i];
    return NULL;
}

uint64_t judge_least(const struct source *c, const struct source *o)
{
    const struct snapshot *snapshot = snapshot_of(c, o);
    uint64_t least = snapshot ? snapshot->size : size_of(o);

    /* It may be of what a file was before that was found: as while no lines were taken. */
    return !snapshot && o->found_us >= c->found_us && least > NO_BANNER ? NO_BANNER : least;
}

bool judge_is_part(const struct ladder *part, uint64_t size, const struct ladder *whole,
                   uint64_t offset, uint64_t least)
{
    uint64_t shown = size < LADDER_BYTES ? size : LADDER_BYTES;

    return size <= offset && part->to >= least && shown - part->to <= part->to &&
           ladder_has(whole, part);
}

uint64_t judge_least_part(const struct source *c, bool is_done)
{
    /* What is missed is somewhere; of what is not, only a banner may be there once more. */
    return is_done || (c->place == PLACE_LIVE && !c->is_archive) ? NO_BANNER : 1;
}

uint64_t judge_least_lost(const struct known *k, int64_t changed_ns)
{
    return changed_ns / 1000 <= k->lost->us ? 1 : NO_BANNER;
}

uint64_t judge_read_to(const struct source *o)
{
    return o->marked.offset > o->last.offset ? o->marked.offset : o->last.offset;
}

/* ---- By bytes ---- */

static enum content_verdict same_bytes(int a, int b, uint64_t from, uint64_t to)
{
    char x[PIECE], y[PIECE];

    while (from < to) {
        size_t len = to - from < PIECE ? (size_t)(to - from) : PIECE;
        ssize_t n = file_read_at(a, x, len, from), m = file_read_at(b, y, len, from);

        if (n < 0 || m < 0)
            return CONTENT_UNREADABLE;
        if (n != (ssize_t)len || m != (ssize_t)len || memcmp(x, y, len) != 0)
            return CONTENT_OTHER;
        from += len;
    }
    return CONTENT_SAME;
}

static enum content_verdict same_beginning(int a, int b, uint64_t len)
{
    uint64_t head = len < MARK_HEAD_MAX ? len : MARK_HEAD_MAX;
    uint64_t tail = len > MARK_HEAD_MAX + MARK_TAIL_MAX ? len - MARK_TAIL_MAX : head;
    enum content_verdict verdict = same_bytes(a, b, 0, head);

    return verdict == CONTENT_SAME ? same_bytes(a, b, tail, len) : verdict;
}

bool judge_still_has(const struct source *o)
{
    const struct source *c = o->copy;
    struct file_look look;

    bool is_again = o->has_ahead && o->offset < o->marked.offset;

    if (o->is_archive || o->fd < 0 || (family_is_begun(o) && !is_again) ||
        file_look_fd(o->fd, &look))
        return true;
    if (is_again)
        return resume_compare(o->fd, look.size, &o->last, &o->marked) != CONTENT_OTHER;
    if (!c || c->fd < 0 || c->is_archive)
        return true;
    return look.size >= c->look.size && same_beginning(c->fd, o->fd, c->look.size) != CONTENT_OTHER;
}

bool judge_holds(struct follower *f, struct source *o)
{
    if (o->phase != SOURCE_READING || (reading_holds(f, o) && judge_still_has(o)))
        return true;
    follower_ready(f, o);
    return false;
}

/* ---- Of one that is there ---- */

static enum verdict judge_by_bytes(struct follower *f, struct source *c, bool is_settled,
                                   struct source *o)
{
    uint64_t size = c->look.size, least = judge_least(c, o);
    struct file_look look;

    /* What is there now is not what was read, if it has been truncated: it may be what `c` is a
     * copy of, and be read yet. */
    if (file_look_fd(o->fd, &look) || !judge_holds(f, o))
        return JUDGE_LATER;
    if (c->probe && judge_probe(o) && c->probe != o->probe)
        return JUDGE_NEW;
    enum content_verdict verdict =
        same_beginning(c->fd, o->fd, size < look.size ? size : look.size);
    if (verdict == CONTENT_UNREADABLE)
        return JUDGE_LATER;
    if (verdict == CONTENT_SAME && size <= look.size) {
        if (size >= least)
            return is_settled ? JUDGE_COPY : JUDGE_LATER;
        return is_settled ? JUDGE_NEW : JUDGE_LATER;
    }
    /* … or has been since. */
    return judge_holds(f, o) ? JUDGE_NEW : JUDGE_LATER;
}

/* ---- Of one that is not there ---- */

static enum verdict judge_by_mark(const struct source *c, bool is_settled,
                                  const struct content_mark *m, bool *is_compared)
{
    if (m->offset == 0 || m->offset > c->look.size || *is_compared)
        return JUDGE_NEW;
    *is_compared = true;
    switch (content_mark_check(c->fd, m)) {
    case CONTENT_SAME:
        return is_settled ? JUDGE_COPY : JUDGE_LATER;
    case CONTENT_OTHER:
        return JUDGE_NEW;
    case CONTENT_UNREADABLE:
        break;
    }
    return JUDGE_LATER;
}

/* True if so far it begins as what the mark is of, as far as that can be told. */
static bool may_become(const struct source *c, const struct content_mark *m)
{
    struct content_mark head = {
        .offset = m->head_len, .head_len = m->head_len, .head_hash = m->head_hash};

    return m->head_len > c->look.size || content_mark_check(c->fd, &head) != CONTENT_OTHER;
}

static enum verdict judge_by_marks(const struct source *c, bool is_settled, const struct source *o)
{
    const struct snapshot *snapshot = snapshot_of(c, o);
    bool is_compared = false;
    enum verdict verdict = JUDGE_NEW;

    /* More was read of it than any mark is of, and that is not what `c` has. */
    if (is_settled && ladder_differs(&c->ladder, &o->ladder))
        return JUDGE_NEW;
    /* After a crash more of it may have been read than is known to be there. */
    if (o->marked.offset > o->last.offset)
        verdict = judge_by_mark(c, is_settled, &o->marked, &is_compared);
    if (verdict == JUDGE_NEW && !is_compared)
        verdict = judge_by_mark(c, is_settled, &o->last, &is_compared);
    /* It may have been made before all of that was read. */
    if (verdict == JUDGE_NEW && !is_compared)
        verdict = judge_by_mark(c, is_settled, &o->previous, &is_compared);
    if (verdict == JUDGE_NEW && !is_compared && snapshot)
        verdict = judge_by_mark(c, is_settled, &snapshot->mark, &is_compared);
    if (verdict == JUDGE_NEW && !is_settled && c->look.size < o->last.offset &&
        may_become(c, &o->last))
        verdict = JUDGE_LATER;
    /* Made before all of that was there, as by copytruncate while somebody writes. */
    if (verdict == JUDGE_NEW && !is_compared && is_settled &&
        judge_is_part(&c->ladder, c->look.size, &o->ladder, judge_read_to(o),
                      judge_least_part(c, false)))
        verdict = JUDGE_COPY;
    return verdict;
}

/* Of all of a file, which is not there any more. */
static enum verdict judge_by_whole(const struct source *c, bool is_settled,
                                   const struct content_mark *m, const struct ladder *l)
{
    if (m->offset < c->look.size || (m->head_len == 0 && l->lines == 0))
        return JUDGE_NEW;
    if (!is_settled)
        return may_become(c, m) ? JUDGE_LATER : JUDGE_NEW;
    if (m->offset > c->look.size || m->head_len == 0)
        return judge_is_part(&c->ladder, c->look.size, l, m->offset, judge_least_part(c, true))
                   ? JUDGE_COPY
                   : JUDGE_NEW;
    return content_mark_check(c->fd, m) == CONTENT_SAME ? JUDGE_COPY : JUDGE_NEW;
}

/* Of one that was given up. A banner is enough only where the file was there before that: what was
 * made since then is no copy of it, but begins as all files do. */
static enum verdict judge_by_lost(const struct source *c, bool is_settled, const struct known *k)
{
    const struct content_mark *const marks[] = {&k->lost->ahead, &k->mark};
    uint64_t least = judge_least_lost(k, c->look.changed_ns);
    bool is_compared = false;
    enum verdict verdict = JUDGE_NEW;

    if (is_settled && ladder_differs(&c->ladder, &k->ladder))
        return JUDGE_NEW;
    for (int i = 0; i < 2; i++)
        if (marks[i]->offset >= least)
            verdict = verdict == JUDGE_NEW ? judge_by_mark(c, is_settled, marks[i], &is_compared)
                                           : verdict;
    if (verdict == JUDGE_NEW && !is_compared && is_settled &&
        judge_is_part(&c->ladder, c->look.size, &k->ladder, k->lost->ahead.offset, least))
        verdict = JUDGE_COPY;
    return verdict;
}

/* True if `c` has a part of what is not known either, by whose name its own may have been made
 * when that was rotated: that one is the first of the two. */
static bool is_copy_of_unknown(const struct source *c)
{
    for (const struct roll_node *n = c->family->unjudged.first; n; n = n->behind) {
        const struct source *o = container_of(n, struct source, in_unjudged);
        struct file_look look;

        if (o != c && o->fd >= 0 && !o->is_archive && names_is_sibling(o->path, c->path) &&
            !file_look_fd(o->fd, &look) && look.size >= c->look.size &&
            same_beginning(c->fd, o->fd, c->look.size) == CONTENT_SAME)
            return true;
    }
    return false;
}

/* ---- Of any ---- */

static enum verdict judge_one(struct follower *f, struct source *c, bool is_settled,
                              struct source *o)
{
    if (o->fd >= 0 && !o->is_archive)
        return judge_by_bytes(f, c, is_settled, o);
    /* Of an archive that is there it may be a copy, but not for what all files begin with. */
    if (o->is_archive && o->fd >= 0 && o->phase != SOURCE_SEEKING && judge_read_to(o) < NO_BANNER)
        return JUDGE_NEW;
    if (o->is_told)
        return judge_by_whole(c, is_settled, &o->last, &o->ladder);
    return judge_by_marks(c, is_settled, o);
}

/* Of one of another family: only if nobody writes to it; two programs may well write the same. */
static enum verdict judge_others(struct follower *f, struct source *c, bool is_settled,
                                 struct source **of)
{
    bool may_wait = f->now_us - c->found_us < ORDER_US;
    enum verdict verdict = JUDGE_NEW;

    /* Of many files most are none: without a beginning, or a live name, none is. */
    for (struct source *o = c->probe && c->place == PLACE_LIVE ? f->all : NULL; o;
         o = o->all_behind) {
        enum verdict one = is_other(c, o) ? judge_by_bytes(f, c, is_settled, o) : JUDGE_NEW;

        if (one == JUDGE_COPY && !c->has_writer) {
            *of = o;
            return JUDGE_COPY;
        }
        if (one != JUDGE_NEW && may_wait)
            verdict = JUDGE_LATER;
    }
    return verdict;
}

enum verdict judge(struct follower *f, struct source *c, bool is_settled, struct source **of,
                   uint64_t *size)
{
    enum verdict verdict = JUDGE_NEW;

    *of = NULL;
    if (c->look.size == 0)
        return JUDGE_LATER;
    unpack_look(c);
    if (c->is_unlooked) {
        source_failed(f, c, errno);
        return JUDGE_LATER;
    }
    *size = c->look.size;
    if (c->is_archive)
        return unpack_judge(f, c, is_settled, of, size);
    source_works(f, c);
    judge_take_probe(c);
    if (is_settled)
        (void)reading_take_ladder(f, c, c->look.size);
    for (struct source *o = judge_first(c->family); o; o = judge_next(o)) {
        enum verdict one = judge_one(f, c, is_settled, o);

        if (one == JUDGE_COPY && c->place == PLACE_LIVE && c->has_writer)
            one = JUDGE_LATER; /* it may be about to become another one */
        if (one == JUDGE_COPY) {
            *of = o;
            return JUDGE_COPY;
        }
        verdict = one == JUDGE_LATER ? one : verdict;
    }
    for (struct roll_node *n = c->family->known.first; n; n = n->behind) {
        struct known *k = container_of(n, struct known, in_family);
        enum verdict one = k->lost ? judge_by_lost(c, is_settled, k)
                           : known_copied(f, k)
                               ? JUDGE_NEW
                               : judge_by_whole(c, is_settled, &k->mark, &k->ladder);

        if (one == JUDGE_COPY && k->lost)
            *of = candidate_recall(f, k, c->path);
        if (one == JUDGE_COPY)
            return JUDGE_COPY;
        verdict = one == JUDGE_LATER ? one : verdict;
    }
    /* Who writes slowly, and begins as others did, does not wait for ever. */
    if (verdict == JUDGE_LATER && c->place == PLACE_LIVE && f->now_us - c->found_us >= ORDER_US &&
        (c->look.size < EQUAL_ENOUGH || (is_settled && c->has_writer)))
        verdict = JUDGE_NEW;
    if (verdict == JUDGE_NEW && is_copy_of_unknown(c))
        return JUDGE_LATER;
    return verdict == JUDGE_NEW ? judge_others(f, c, is_settled, of) : verdict;
}

enum verdict judge_again(struct follower *f, struct source *c, struct source **of, uint64_t *size)
{
    struct source *o = judge_first(c->family);

    while (o && o->number != c->copy_number)
        o = judge_next(o);
    unpack_look(c);
    *of = o;
    *size = c->look.size;
    /* Of an archive it has to be unpacked to know its length: it is compared as others are. */
    return o && c->is_archive ? judge(f, c, true, of, size) : JUDGE_COPY;
}
