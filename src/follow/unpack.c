/*
 * Archives: what of the family's files they have, and their lines. They are unpacked from their
 * beginnings, some of one at a time, and nothing of them is kept but what is not handed out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum {
    FORM_BYTES = 6,
    PIECE = 16 << 10,
    NO_BANNER = 4 << 10,  /* what files begin with alike is shorter */
    STEP_BYTES = 1 << 20, /* unpacked at a time, to be judged */
    BUFFER_BYTES = MARK_TAIL_MAX + FOLLOW_LINE_MAX + READ_BYTES,
};

static const uint64_t ORDER_US = (uint64_t)FOLLOW_ORDER_MS * 1000;

struct unpacking {
    struct source *of;
    struct archive *archive;
    uint64_t from; /* offset of bytes[0] */
    size_t len;
    bool is_over;
    char bytes[BUFFER_BYTES];
};

/* What there is to be found in an archive. */
struct expected {
    struct content_mark mark;
    uint64_t below; /* there is another mark of the file: this one is for a text that is shorter */
    uint64_t key;
    const struct family *family;
    bool is_known; /* the file is done with */
    bool is_lost;  /* … was given up */
    bool is_found;
};

struct judging {
    struct unpacking in;
    struct expected *expected; /* by their offsets */
    size_t expected_len, expected_capacity, at;
    uint64_t offset, chain; /* of the next line */
    bool is_inside;
    int error; /* that it ended with */
    struct ladder ladder;
    bool is_part;            /* of a file that is done with … */
    struct known *lost_part; /* … and was given up */
    size_t head_len;
    char head[MARK_HEAD_MAX];
};

int unpack_is_archive(int fd, bool *is_archive)
{
    char bytes[FORM_BYTES];
    ssize_t n = file_read_at(fd, bytes, sizeof(bytes), 0);

    *is_archive = n > 0 && archive_form_of(bytes, (size_t)n) != ARCHIVE_PLAIN;
    return n < 0 ? LM_EIO : 0;
}

void unpack_look(struct source *s)
{
    bool is_archive = false;
    int error = s->fd >= 0 ? unpack_is_archive(s->fd, &is_archive) : 0;

    s->is_unlooked = !s->is_archive && error;
    if (s->is_archive || !is_archive)
        return;
    s->is_archive = true;
    s->family->unknown_archives += s->phase == SOURCE_UNKNOWN;
}

/* ---- Unpacking ---- */

static bool open_it(struct unpacking *u, struct source *s)
{
    struct errbuf err = ERRBUF_INIT;
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);

    u->of = s;
    u->archive = fd >= 0 ? archive_open_fd(fd, &err) : NULL;
    return u->archive;
}

/* Unpacks until the buffer is full, `wanted` more bytes are there, or all. 0; LM_EDATA: the archive
 * ends there, broken or cut; LM_EIO, LM_ENOMEM: it may have more, and is to be forgotten. */
static int fill(struct unpacking *u, size_t wanted)
{
    struct errbuf err = ERRBUF_INIT;

    while (wanted > 0 && u->len < sizeof(u->bytes) && !u->is_over) {
        size_t room = sizeof(u->bytes) - u->len;
        ssize_t n =
            archive_read(u->archive, u->bytes + u->len, room < wanted ? room : wanted, &err);

        u->is_over = n == 0 || n == LM_EDATA;
        if (n < 0)
            return (int)n;
        u->len += (size_t)n;
        wanted -= (size_t)n;
    }
    return 0;
}

static void drop_before(struct unpacking *u, uint64_t offset)
{
    size_t n = offset - u->from < u->len ? (size_t)(offset - u->from) : u->len;

    memmove(u->bytes, u->bytes + n, u->len - n);
    u->from += n;
    u->len -= n;
}

static struct slice text_from(const struct unpacking *u, uint64_t offset)
{
    uint64_t end = u->from + u->len;

    return slice_of(u->bytes + (offset < end ? offset - u->from : u->len),
                    offset < end ? end - offset : 0);
}

/* ---- Reading ---- */

static const struct unpacking *unpacking_of(const struct follower *f, const struct source *s)
{
    return f->unpacking && f->unpacking->of == s ? f->unpacking : NULL;
}

/* It is unpacked from its beginning when it is tried again. */
static enum turn failed(struct follower *f, struct source *s, int reason)
{
    unpack_forget(f, s);
    errno = reason;
    return TURN_FAILED;
}

enum turn unpack_read(struct follower *f, struct source *s)
{
    struct unpacking *u = f->unpacking;
    struct reader *r = &f->reader;
    uint64_t begin = s->offset - s->check_len;

    s->is_at_end = false;
    if (u && u->of != s) {
        s->is_at_end = true; /* one after the other */
        follower_attend(f, s, ATTEND_US);
        return TURN_NOTHING;
    }
    if (!u) {
        u = f->unpacking = xcalloc(1, sizeof(*u));
        if (!open_it(u, s))
            return failed(f, s, errno);
    }
    if (u->from < begin)
        drop_before(u, begin);
    int error = fill(u, READ_BYTES);
    unsigned long long end = u->from + u->len;
    if (error && error != LM_EDATA)
        return failed(f, s, error == LM_ENOMEM ? ENOMEM : EIO);
    if (error)
        follower_say(f, "%s is broken or cut behind %llu bytes of text: read as far as that",
                     s->path, end);
    if (u->from < begin && !u->is_over)
        return TURN_NOTHING;
    s->is_at_end = u->is_over;
    memcpy(r->bytes, u->bytes, u->len);
    r->from = u->from;
    r->len = u->len;
    return u->from + u->len >= s->offset ? TURN_READ : TURN_NOTHING;
}

uint64_t unpack_size(const struct follower *f, const struct source *s)
{
    const struct unpacking *u = unpacking_of(f, s);

    return u && u->from + u->len > s->offset ? u->from + u->len : s->offset;
}

struct slice unpack_rest(const struct follower *f, const struct source *s)
{
    const struct unpacking *u = unpacking_of(f, s);

    return u ? text_from(u, s->offset) : slice_of(NULL, 0);
}

bool unpack_is_over(const struct follower *f, const struct source *s)
{
    const struct unpacking *u = unpacking_of(f, s);

    return u && u->is_over;
}

/* ---- Judging ---- */

/* Of a file of another family more than a banner has to be equal. */
static void expect(struct judging *j, const struct content_mark *m, const struct expected *e)
{
    if (m->offset == 0 || (e->family != j->in.of->family && m->offset < NO_BANNER))
        return;
    j->expected = array_reserve(j->expected, &j->expected_capacity, j->expected_len + 1,
                                sizeof(*j->expected));
    j->expected[j->expected_len] = *e;
    j->expected[j->expected_len++].mark = *m;
}

/* After a crash more of it may have been read than is known to be there. */
static void expect_both(struct judging *j, const struct content_mark *read,
                        const struct content_mark *ahead, struct expected e)
{
    e.below = ahead->offset > read->offset ? ahead->offset : UINT64_MAX;
    expect(j, read, &e);
    e.below = UINT64_MAX;
    e.is_known = false;
    if (ahead->offset > read->offset)
        expect(j, ahead, &e);
}

static int by_offset(const void *a, const void *b)
{
    uint64_t x = ((const struct expected *)a)->mark.offset;
    uint64_t y = ((const struct expected *)b)->mark.offset;

    return (x > y) - (x < y);
}

struct expecting {
    struct follower *f;
    struct judging *j;
};

static void expect_known(struct table_node *n, void *ctx)
{
    const struct family *family = container_of(n, struct family, node);
    const struct expecting *e = ctx;

    for (struct roll_node *i = family->known.first; i; i = i->behind) {
        struct known *k = container_of(i, struct known, in_family);

        if (k->lost && judge_least_lost(k, e->j->in.of->look.changed_ns) <= k->lost->ahead.offset)
            expect_both(e->j, &k->mark, &k->lost->ahead,
                        (struct expected){.key = k->key, .family = family, .is_lost = true});
        else if (!k->lost && !known_copied(e->f, k))
            expect_both(e->j, &k->mark, &k->mark,
                        (struct expected){.key = k->key, .family = family, .is_known = true});
    }
}

/* Of all families: what an archive is called tells little. */
static struct judging *begin(struct follower *f, struct source *c)
{
    struct judging *j = xcalloc(1, sizeof(*j));

    j->in.of = c;
    for (struct source *o = f->all; o; o = o->all_behind)
        if (o->phase != SOURCE_UNKNOWN && o->phase != SOURCE_COPY)
            expect_both(
                j, &o->last, &o->marked,
                (struct expected){.key = o->file.key, .family = o->family, .is_known = o->is_told});
    table_each(&f->families, expect_known, &(struct expecting){.f = f, .j = j});
    if (j->expected_len > 0)
        qsort(j->expected, j->expected_len, sizeof(*j->expected), by_offset);
    return j;
}

static bool matches(const struct judging *j, const struct content_mark *m)
{
    struct slice tail = text_from(&j->in, m->offset - m->tail_len);

    if (m->chain && m->chain != j->chain)
        return false;
    if (m->head_len > 0 &&
        (m->head_len > j->head_len || content_hash(slice_of(j->head, m->head_len)) != m->head_hash))
        return false;
    if (m->tail_len > 0 && (m->offset - m->tail_len < j->in.from ||
                            content_hash(slice_of(tail.data, m->tail_len)) != m->tail_hash))
        return false;
    return m->chain || m->head_len > 0;
}

/* The place of `j` is one where a mark may be. */
static void compare(struct judging *j)
{
    for (; j->at < j->expected_len && j->expected[j->at].mark.offset <= j->offset; j->at++) {
        struct expected *e = &j->expected[j->at];

        e->is_found = e->mark.offset == j->offset && matches(j, &e->mark);
    }
}

static void take_head(struct judging *j)
{
    struct slice text = text_from(&j->in, j->head_len);
    size_t room = MARK_HEAD_MAX - j->head_len, n = text.len < room ? text.len : room;

    if (j->in.from <= j->head_len && n > 0) {
        memcpy(j->head + j->head_len, text.data, n);
        j->head_len += n;
    }
}

/* Goes over the lines that are whole; at the end, over the last one, too. */
static void step_lines(struct judging *j)
{
    for (;;) {
        struct slice text = text_from(&j->in, j->offset);
        bool is_last = true;

        while (!j->is_inside && text.len > 0 && text.data[0] == '\0') {
            text = slice_of(text.data + 1, text.len - 1);
            j->offset++;
        }
        if (!j->is_inside)
            compare(j);
        size_t len = text.len > 0 ? reading_cut(text, 0, j->is_inside, &is_last) : 0;
        if (len == 0 && j->in.is_over)
            len = text.len;
        if (len == 0)
            return;
        j->chain = content_chain(j->chain, slice_of(text.data, len));
        j->offset += len;
        j->is_inside = !is_last;
        if (is_last && text.data[len - 1] == '\n')
            ladder_add(&j->ladder, j->offset, j->chain);
        if (is_last)
            compare(j);
    }
}

/* False: there is more, or (j->error) it could not be read. */
static bool step(struct judging *j)
{
    for (size_t n = 0; n < STEP_BYTES && !j->in.is_over && !j->error; n += READ_BYTES) {
        if (j->offset > j->in.from + MARK_TAIL_MAX)
            drop_before(&j->in, j->offset - MARK_TAIL_MAX);
        j->error = fill(&j->in, READ_BYTES);
        take_head(j);
        step_lines(j);
    }
    return j->in.is_over;
}

/* What is being compressed has its plain file beside it until it is done. */
static bool is_being_made(const struct source *c)
{
    const char *dot = strrchr(c->path, '.');
    size_t len = dot ? (size_t)(dot - c->path) : 0;
    char *plain;
    bool is_there;

    if (len == 0 ||
        (strcmp(dot, ".gz") != 0 && strcmp(dot, ".zst") != 0 && strcmp(dot, ".xz") != 0))
        return false;
    plain = xstrdup(c->path);
    plain[len] = '\0';
    is_there = access(plain, F_OK) == 0;
    free(plain);
    return is_there;
}

static struct source *source_of(const struct follower *f, uint64_t key)
{
    struct source *o = f->all;

    while (o && (o->file.key != key || o->phase == SOURCE_UNKNOWN || o->phase == SOURCE_COPY))
        o = o->all_behind;
    return o;
}

static bool has_bytes(int fd, uint64_t offset, const char *bytes, size_t len)
{
    char piece[PIECE];

    for (size_t n; len > 0; bytes += n, offset += n, len -= n) {
        n = len < PIECE ? len : PIECE;
        if (file_read_at(fd, piece, n, offset) != (ssize_t)n || memcmp(piece, bytes, n) != 0)
            return false;
    }
    return true;
}

/* As long as the file was when the archive appeared, or about: it is seen only when something is in
 * it, and the file may have grown meanwhile by what a late program writes. */
static bool is_long_enough(uint64_t size, uint64_t least)
{
    return size >= least || (size >= NO_BANNER && size >= least / 2);
}

/* What it has can be compared with the archive: how much of that was read does not matter then. */
static bool can_be_compared(const struct source *o)
{
    return o->fd >= 0 && !o->is_archive && o->phase != SOURCE_SEEKING;
}

/* True if it is made of a file that is open. */
static bool is_of_open(const struct judging *j, const struct source *o)
{
    uint64_t size = j->offset, tail_len = size < MARK_TAIL_MAX ? size : MARK_TAIL_MAX;
    struct slice tail = text_from(&j->in, size - tail_len);
    struct file_look look;

    return can_be_compared(o) && size > 0 && !file_look_fd(o->fd, &look) && size <= look.size &&
           is_long_enough(size, judge_least(j->in.of, o)) && tail.len == tail_len &&
           has_bytes(o->fd, 0, j->head, j->head_len) &&
           has_bytes(o->fd, size - tail_len, tail.data, tail_len);
}

/* The last place that was found, of a file that is gone. */
static bool find_place(struct follower *f, const struct judging *j, struct source **of)
{
    struct known *lost = NULL;
    bool is_found = false;

    for (size_t i = 0; i < j->expected_len; i++) {
        const struct expected *e = &j->expected[i];
        struct source *o = source_of(f, e->key);
        struct known *k = !o && e->is_lost ? known_lost(e->family, 0, e->key) : NULL;
        const struct ladder *taken = o ? &o->ladder : k ? &k->ladder : NULL;

        if ((o && can_be_compared(o)) || !e->is_found || j->offset >= e->below ||
            (e->is_known && e->mark.offset != j->offset) ||
            (taken && ladder_differs(taken, &j->ladder)))
            continue;
        is_found = true;
        *of = o;
        lost = k;
    }
    if (lost)
        *of = candidate_recall(f, lost, j->in.of->path);
    return is_found;
}

static bool find_open(const struct follower *f, const struct judging *j, struct source **of)
{
    uint64_t probe = j->head_len >= PROBE_BYTES ? content_hash(slice_of(j->head, PROBE_BYTES)) : 0;
    bool is_found = false;

    for (struct source *o = f->all; o; o = o->all_behind)
        if (o->phase != SOURCE_UNKNOWN && o->phase != SOURCE_COPY &&
            (!probe || !judge_probe(o) || o->probe == probe) &&
            (is_of_open(j, o) || (o->copy && is_of_open(j, o->copy)))) {
            is_found = true;
            *of = o;
        }
    return is_found;
}

static void look_for_part(struct table_node *n, void *ctx)
{
    const struct family *family = container_of(n, struct family, node);
    struct judging *j = ctx;
    uint64_t least = judge_least_part(j->in.of, true);

    for (struct roll_node *i = family->known.first; i && !j->is_part; i = i->behind) {
        struct known *k = container_of(i, struct known, in_family);
        uint64_t wanted = k->lost ? judge_least_lost(k, j->in.of->look.changed_ns) : least;

        if (family != j->in.of->family && wanted < least)
            wanted = least;
        j->is_part = judge_is_part(&j->ladder, j->offset, &k->ladder,
                                   k->lost ? k->lost->ahead.offset : k->mark.offset, wanted);
        j->lost_part = j->is_part && k->lost ? k : NULL;
    }
}

/* It has a part of what was read of a file: made while somebody wrote on. */
static bool find_part(struct follower *f, struct judging *j, struct source **of)
{
    for (struct source *o = f->all; o; o = o->all_behind) {
        bool is_other = o->is_told || o->family != j->in.of->family;

        if (o->phase == SOURCE_UNKNOWN || o->phase == SOURCE_COPY || can_be_compared(o) ||
            !judge_is_part(&j->ladder, j->offset, &o->ladder, judge_read_to(o),
                           judge_least_part(j->in.of, is_other)))
            continue;
        *of = o;
        return true;
    }
    table_each(&f->families, look_for_part, j);
    if (j->lost_part)
        *of = candidate_recall(f, j->lost_part, j->in.of->path);
    return j->is_part;
}

static enum verdict conclude(struct follower *f, struct judging *j, struct source **of)
{
    for (struct source *o = judge_first(j->in.of->family); o; o = judge_next(o))
        if (o->fd >= 0 && !o->is_archive && !judge_holds(f, o))
            return JUDGE_LATER;
    bool is_found = find_place(f, j, of);
    if (find_open(f, j, of) || is_found || find_part(f, j, of))
        return JUDGE_COPY;
    return JUDGE_NEW;
}

static bool may_have_older(const struct source *c)
{
    if (c->family->unknown > c->family->unknown_archives)
        return true;
    for (const struct roll_node *n = c->family->unjudged.first; n; n = n->behind) {
        const struct source *other = container_of(n, struct source, in_unjudged);

        if (other != c && candidate_is_older(other, c))
            return true;
    }
    return false;
}

/* True if something is known of what is in it, by this life of the follower or one before. */
static bool is_known_partly(const struct source *o)
{
    return family_is_begun(o) || judge_read_to(o) > 0 || o->ladder.lines > 0;
}

/* True if one is read, but not all of it: until then it might be equal to any that begins alike. */
static bool is_reading_archive(const struct family *family)
{
    for (const struct source *o = family->oldest; o; o = o->newer)
        if (o->is_archive && o->phase == SOURCE_READING && is_known_partly(o) && !o->is_reported)
            return true;
    return false;
}

/* What is in it is not known: it is judged anew. */
static enum verdict judge_fails(struct follower *f, struct source *c, int reason)
{
    unpack_forget(f, c);
    source_failed(f, c, reason);
    return JUDGE_LATER;
}

enum verdict unpack_judge(struct follower *f, struct source *c, bool is_settled, struct source **of,
                          uint64_t *size)
{
    struct judging *j = f->judging;
    enum verdict verdict = JUDGE_LATER;
    *of = NULL;
    bool is_old = f->now_us - c->grown_us >= ORDER_US;

    if (!is_settled || (is_being_made(c) && !is_old) || (j && j->in.of != c))
        return JUDGE_LATER;
    /* It may be made of one that is not known yet; and of several that go on with what was read, so
     * far as that can be told, the oldest one does. */
    if (!j && ((!is_old && may_have_older(c)) || is_reading_archive(c->family)))
        return JUDGE_LATER;
    if (!j) {
        j = f->judging = begin(f, c);
        if (!open_it(&j->in, c))
            return judge_fails(f, c, errno);
    }
    bool is_over = step(j);
    if (j->error && j->error != LM_EDATA)
        return judge_fails(f, c, j->error == LM_ENOMEM ? ENOMEM : EIO);
    if (!is_over) {
        follower_attend(f, c, 1);
        return JUDGE_LATER;
    }
    source_works(f, c);
    /* Cut: it may be whole later; or that is all there ever will be. An empty one has nothing to be
     * read. */
    if (!j->error && j->offset == 0)
        verdict = JUDGE_COPY;
    else if (!j->error || is_old)
        verdict = conclude(f, j, of);
    *size = j->offset;
    unpack_forget(f, c);
    return verdict;
}

void unpack_forget(struct follower *f, const struct source *s)
{
    if (f->unpacking && f->unpacking->of == s) {
        archive_close(f->unpacking->archive);
        free(f->unpacking);
        f->unpacking = NULL;
    }
    if (f->judging && f->judging->in.of == s) {
        archive_close(f->judging->in.archive);
        free(f->judging->expected);
        ladder_release(&f->judging->ladder);
        free(f->judging);
        f->judging = NULL;
    }
}
