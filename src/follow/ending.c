/*
 * Ends of files. One whose name leads elsewhere is read on until nobody can write to it; then the
 * lines that wait behind it may come. If its last line has no line feed, the next file's beginning
 * tells whether that goes on with it.
 */
#include <string.h>

#include "follow/internal.h"

enum { LEARN_BYTES = 16 << 10 }; /* before the end of a file, to learn how its lines begin */

static const uint64_t ORDER_US = (uint64_t)FOLLOW_ORDER_MS * 1000;
static const uint64_t HOLD_US = (uint64_t)FOLLOW_HOLD_S * 1000000;

/* ---- Over ---- */

/* It cannot be read any more: what is known of it are its length, its chain and, if it was long,
 * its beginning. */
static void forget_content(struct source *s)
{
    struct content_mark m = {.offset = s->line, .chain = s->chain};

    if (s->last.head_len == MARK_HEAD_MAX) {
        m.head_len = s->last.head_len;
        m.head_hash = s->last.head_hash;
    }
    s->last = m;
}

void ending_over(struct follower *f, struct source *s)
{
    reading_refresh(f, s);
    if (s->last.offset != s->line && (s->fd < 0 || reading_skip_to(s, s->line, s->chain)))
        forget_content(s);
    unpack_forget(f, s);
    s->is_resumed = false;
    source_move(f, s, SOURCE_OVER);
    ledger_touch(f, s);
    roll_append(&f->over, &s->in_over);
}

static bool tell(struct follower *f, struct source *s)
{
    struct source *next = s->newer;

    if (next && family_is_begun(next) && next->joined != s)
        next = NULL;
    if (s->file.held_from != UINT64_MAX) {
        if (!next && f->now_us - s->phase_us < ORDER_US)
            return false; /* the one that goes on with it may come yet */
        if (next) {
            next->is_handed = true;
            f->calls.goes_on(f->calls.ctx, &s->file, &next->file);
        }
    }
    if (s->is_handed)
        f->calls.ended(f->calls.ctx, &s->file);
    s->is_told = true;
    ledger_number(f, s); /* while it has a place among the others */
    family_remove(s);
    roll_prepend(&s->family->told, &s->in_told);
    ledger_touch(f, s);
    ledger_dirty(f, s);
    follower_unpark(f, s->family);
    return true;
}

void ending_tell(struct follower *f)
{
    struct roll over = roll_take_all(&f->over);
    struct roll_node *n;

    while ((n = roll_take(&over))) {
        struct source *s = container_of(n, struct source, in_over);

        if (!tell(f, s))
            roll_append(&f->over, n);
    }
}

/* ---- Until nobody writes to it ---- */

/* True if something of its rest is no zero. */
static bool has_rest(struct follower *f, struct source *s)
{
    return reading_size(f, s) > s->offset && ending_rest(f, s).len > 0;
}

struct slice ending_rest(struct follower *f, struct source *s)
{
    uint64_t len = reading_size(f, s) - s->offset;
    struct buffer *b = &f->joined;
    char *to;

    buffer_clear(b);
    if (s->is_archive) {
        buffer_append_slice(b, unpack_rest(f, s));
        return buffer_slice(b);
    }
    /* The zeros that a hole leaves may be many; the text behind them is less than a long line. */
    if (len > FOLLOW_LINE_MAX + FOLLOW_PIECE_MAX || !(to = buffer_reserve(b, len)))
        return slice_of(NULL, 0);
    ssize_t n = file_read_at(s->fd, to, len, s->offset);
    b->len = n > 0 ? (size_t)n : 0;
    struct slice rest = buffer_slice(b);
    while (rest.len > 0 && rest.data[0] == '\0')
        rest = slice_of(rest.data + 1, rest.len - 1);
    return rest;
}

/* It was truncated, or whole lines have come since it was read: to be read once more, not to be
 * ended. */
static bool has_more(struct follower *f, struct source *s)
{
    struct slice rest = ending_rest(f, s);

    if (s->is_archive ||
        (reading_holds(f, s) && !(rest.len > 0 && memchr(rest.data, '\n', rest.len))))
        return false;
    if (s->phase == SOURCE_ENDING)
        source_move(f, s, SOURCE_READING);
    follower_ready(f, s);
    follower_attend(f, s, ATTEND_US);
    return true;
}

static void end(struct follower *f, struct source *s)
{
    if (has_more(f, s))
        return;
    if (has_rest(f, s)) {
        source_move(f, s, SOURCE_ENDING);
        follower_attend(f, s, ATTEND_US);
    } else {
        ending_over(f, s);
    }
}

static void attend_archive(struct follower *f, struct source *s)
{
    if (s->is_at_end && !s->is_ready && unpack_is_over(f, s)) {
        end(f, s);
        return;
    }
    follower_ready(f, s);
    follower_attend(f, s, ATTEND_US);
}

/* One that could not be opened or read. */
static void retry(struct follower *f, struct source *s)
{
    if (s->fd >= 0) {
        follower_ready(f, s);
        return;
    }
    if (!source_is_full(f))
        source_reopen(f, s);
    if (s->fd < 0 && s->phase == SOURCE_READING && !source_is_full(f) && !source_is_there(s))
        place_seek(f, s);
    if (s->fd < 0)
        follower_attend(f, s, RETRY_US);
}

static void attend_moved(struct follower *f, struct source *s)
{
    struct file_look look;
    bool is_known = false, has_no_writer;

    if (s->fd < 0) {
        retry(f, s);
        return;
    }
    if (s->is_archive) {
        attend_archive(f, s);
        return;
    }
    has_no_writer = file_has_no_writer(s->fd, &is_known);
    if (file_look_fd(s->fd, &look)) {
        follower_attend(f, s, RETRY_US);
        return;
    }
    if (look.size != s->look.size || look.changed_ns != s->look.changed_ns || !s->is_at_end) {
        s->grown_us = f->now_us;
        follower_ready(f, s);
    } else if (s->is_ready || s->is_parked) {
        /* It is to be read first: what it has may not be what it had when it was read last. */
    } else if (has_no_writer || (!is_known && f->now_us - s->grown_us >= HOLD_US)) {
        end(f, s);
        return;
    } else {
        s->is_held = true;
    }
    follower_attend(f, s, is_known ? ATTEND_US : RETRY_US);
}

/* ---- The last line, without a line feed ---- */

/* True if nothing can come any more that goes on with its last line. */
static bool is_due(const struct follower *f, const struct source *s)
{
    return f->now_us - s->phase_us >= ORDER_US || (s->newer && family_is_begun(s->newer));
}

static void attend_ending(struct follower *f, struct source *s)
{
    struct file_look look;

    if (!s->is_archive && !file_look_fd(s->fd, &look) && look.size != s->look.size) {
        source_move(f, s, SOURCE_READING); /* somebody did write to it */
        follower_ready(f, s);
    } else if (is_due(f, s)) {
        follower_ready(f, s); /* a line of its own */
    }
    follower_attend(f, s, ATTEND_US);
}

void ending_attend(struct follower *f, struct source *s)
{
    if (s->phase == SOURCE_ENDING)
        attend_ending(f, s);
    else if (s->phase == SOURCE_COPY)
        candidate_copy_changed(f, s);
    else if (s->phase == SOURCE_READING &&
             (s->place != PLACE_LIVE || (s->newer && !family_is_whole(s))))
        attend_moved(f, s);
    else if (s->phase == SOURCE_READING && s->is_reported)
        retry(f, s);
}

bool ending_last_line(struct follower *f, struct source *s, struct follow_line *line)
{
    struct slice rest;

    if (!is_due(f, s)) { /* it was to be read when it came to its end */
        follower_attend(f, s, 0);
        return false;
    }
    if (has_more(f, s))
        return false;
    rest = ending_rest(f, s);
    if (rest.len > 0)
        reading_hand_out(f, s, rest, rest, line);
    ending_over(f, s);
    return rest.len > 0;
}

/* What goes on with the last line of the file before: up to and with its line feed. */
static struct slice first_line(const struct follower *f, const struct source *s)
{
    const struct reader *r = &f->reader;
    struct slice bytes = slice_of(r->bytes + (s->offset - r->from), r->len - (s->offset - r->from));
    const char *end = bytes.len > 0 ? memchr(bytes.data, '\n', bytes.len) : NULL;

    return slice_of(bytes.data, end ? (size_t)(end - bytes.data) + 1 : 0);
}

static void learn(struct profile *p, struct slice lines)
{
    /* The first one may be what another cut has left. */
    (void)slice_cut(&lines, '\n');
    while (lines.len > 0 && memchr(lines.data, '\n', lines.len))
        profile_learn(p, slice_cut(&lines, '\n'));
}

/* True if the first line of `s` does not look as the beginnings of lines do. They are learned here,
 * of what is in the files. */
static bool goes_on(struct follower *f, const struct source *old, struct source *s,
                    struct slice first)
{
    const struct reader *r = &f->reader;
    uint64_t len = old->offset < LEARN_BYTES ? old->offset : LEARN_BYTES;
    struct profile p = {.lines = 0};
    char bytes[LEARN_BYTES];
    ssize_t n = old->is_archive ? 0 : file_read_at(old->fd, bytes, len, old->offset - len);

    bool was_apart;

    if (first.len > 0 && first.data[0] == '\0')
        return false; /* a hole, before what somebody else writes */
    /* It may have left before a crash, when less was there to learn of: as a line, with a time. */
    (void)ledger_read_us(f, s, 0, &was_apart);
    if (was_apart)
        return false;
    learn(&p, slice_of(bytes, n > 0 ? (size_t)n : 0));
    learn(&p, slice_of(r->bytes + (s->offset - r->from), r->len - (s->offset - r->from)));
    return !profile_may_begin(&p, first);
}

bool ending_hand_out(struct follower *f, struct source *s, struct follow_line *line, bool *waits)
{
    struct source *old = s->older;
    struct slice first, rest, text;

    *waits = false;
    if (!old || old->phase != SOURCE_ENDING || family_is_begun(s))
        return false;
    first = first_line(f, s);
    if (first.len == 0 && f->now_us - old->phase_us < ORDER_US) {
        *waits = true;
        return false;
    }
    if (has_more(f, old)) {
        *waits = true;
        return false;
    }
    text = rest = ending_rest(f, old);
    if (rest.len == 0) {
        ending_over(f, old);
        *waits = true; /* until that is told */
        return false;
    }
    if (first.len == 1) {
        reading_pass(f, s, 1);
        s->joined = old;
        old->joins = s;
    } else if (first.len > 0 && !old->is_inside &&
               goes_on(f, old, s, slice_of(first.data, first.len - 1))) {
        buffer_append(&f->joined, first.data, first.len - 1);
        text = slice_of(buffer_slice(&f->joined).data + (f->joined.len - rest.len - first.len + 1),
                        rest.len + first.len - 1);
        rest.data = text.data;
        reading_pass(f, s, first.len);
        s->joined = old;
        old->joins = s;
    }
    reading_hand_out(f, old, rest, text, line);
    ending_over(f, old);
    return true;
}
