/*
 * Lines of one file. What is before the offset was handed out; each turn reads that again as far as
 * it is needed to see that it is still there (the last MARK_TAIL_MAX bytes), and what is behind it.
 *
 * A line that is not whole is left in the file, and read again when there is more.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum {
    /* A line that is not whole and longer than that is looked at for its end alone. */
    SEARCH_BYTES = 64 << 10,
    BUFFER_BYTES = MARK_TAIL_MAX + FOLLOW_LINE_MAX + READ_BYTES,
};

static struct slice bytes_of(const struct reader *r, uint64_t from, uint64_t to)
{
    return slice_of(r->bytes + (from - r->from), to - from);
}

static uint64_t end_of(const struct reader *r)
{
    return r->from + r->len;
}

/* ---- What is read ---- */

/* Without the zeros at the end: they may be written over yet. */
static uint64_t searched_to(const struct reader *r, uint64_t from)
{
    uint64_t end = end_of(r);

    while (end > from && r->bytes[end - r->from - 1] == '\0')
        end--;
    return end;
}

static bool check_holds(const struct source *s, const char *bytes)
{
    return s->check_len == 0 || content_hash(slice_of(bytes, s->check_len)) == s->check_hash;
}

/* The same of the source that is just being read: what was read may be handed out much later. */
static bool turn_holds(const struct source *s, const struct reader *r)
{
    char check[MARK_TAIL_MAX];
    size_t len = r->len < sizeof(check) ? r->len : sizeof(check);
    ssize_t n = file_read_at(s->fd, check, len, end_of(r) - len);

    return n < 0 || (n == (ssize_t)len && memcmp(check, r->bytes + r->len - len, len) == 0);
}

bool reading_holds(const struct follower *f, struct source *s)
{
    char check[MARK_TAIL_MAX];

    if (f->reader.of == s)
        return turn_holds(s, &f->reader);
    ssize_t n = file_read_at(s->fd, check, s->check_len, s->offset - s->check_len);

    return n < 0 || (n == (ssize_t)s->check_len && check_holds(s, check));
}

/* What is before `searched` is not read each time; by its end it is seen that it is still that. */
static void note_searched(struct source *s, const struct reader *r, uint64_t searched)
{
    uint64_t from = s->offset > r->from ? s->offset : r->from;
    uint64_t len = searched - from < MARK_TAIL_MAX ? searched - from : MARK_TAIL_MAX;

    s->searched = searched;
    s->search_len = (uint32_t)len;
    s->search_hash = content_hash(bytes_of(r, searched - len, searched));
}

/* False: it is something else now, and to be searched once more. */
static bool searched_holds(struct source *s)
{
    char bytes[MARK_TAIL_MAX];
    ssize_t n = file_read_at(s->fd, bytes, s->search_len, s->searched - s->search_len);

    if (n < 0 || (n == (ssize_t)s->search_len &&
                  content_hash(slice_of(bytes, s->search_len)) == s->search_hash))
        return true;
    s->searched = s->offset;
    return false;
}

/*
 * Looks for the end of a long line in what is new. TURN_READ: there is one, or the line is long
 * enough to be handed out in parts.
 */
static enum turn search_end(struct source *s, struct reader *r)
{
    char check[MARK_TAIL_MAX];
    ssize_t n = file_read_at(s->fd, check, s->check_len, s->offset - s->check_len);

    if (n < 0)
        return TURN_FAILED;
    if (n < (ssize_t)s->check_len || !check_holds(s, check))
        return TURN_TRUNCATED;
    r->from = s->searched;
    if ((n = file_read_at(s->fd, r->bytes, READ_BYTES, r->from)) < 0)
        return TURN_FAILED;
    r->len = (size_t)n;
    if (file_look_fd(s->fd, &s->look))
        return TURN_FAILED;
    if (s->look.size < end_of(r))
        return TURN_TRUNCATED;
    if (n > 0 && memchr(r->bytes, '\n', r->len))
        return TURN_READ;
    if (searched_to(r, s->searched) > s->searched)
        note_searched(s, r, searched_to(r, s->searched));
    s->is_at_end = end_of(r) >= s->look.size;
    return s->searched - s->offset >= FOLLOW_LINE_MAX ? TURN_READ : TURN_NOTHING;
}

static enum turn read_on(struct source *s, struct reader *r)
{
    size_t wanted = s->check_len + (size_t)(s->searched - s->offset) + READ_BYTES;

    r->from = s->offset - s->check_len;
    ssize_t n = file_read_at(s->fd, r->bytes, wanted < r->capacity ? wanted : r->capacity, r->from);
    if (n < 0)
        return TURN_FAILED;
    r->len = (size_t)n;
    if (n < (ssize_t)s->check_len || !check_holds(s, r->bytes))
        return TURN_TRUNCATED;
    /* Cut while it was read: whatever was read may be of the one and of the other. */
    if (file_look_fd(s->fd, &s->look))
        return TURN_FAILED;
    if (s->look.size < end_of(r))
        return TURN_TRUNCATED;
    s->is_at_end = end_of(r) >= s->look.size;
    return TURN_READ;
}

enum turn reading_begin(struct follower *f, struct source *s)
{
    struct reader *r = &f->reader;
    uint64_t searched = s->searched, size = s->look.size;
    enum turn turn = TURN_READ;

    if (!r->bytes) {
        r->capacity = BUFFER_BYTES;
        r->bytes = xmalloc(r->capacity);
    }
    r->of = NULL;
    if (s->is_unlooked)
        unpack_look(s);
    if (s->is_unlooked)
        turn = TURN_FAILED;
    else if (s->is_archive)
        turn = unpack_read(f, s);
    else if (s->searched - s->offset > SEARCH_BYTES && !s->is_inside && searched_holds(s))
        turn = search_end(s, r);
    if (turn == TURN_READ && !s->is_archive)
        turn = read_on(s, r);
    if (turn == TURN_READ || turn == TURN_NOTHING) {
        /* What nothing was handed out of may have been written anew. */
        if (!s->is_archive && (s->look.size > s->seen_size || !family_is_begun(s)))
            s->seen_size = s->look.size;
        if (s->look.size != size || s->searched != searched)
            s->grown_us = f->now_us;
        f->read_us = f->now_us;
    }
    if (turn == TURN_READ) {
        s->previous = s->last;
        r->of = s;
        r->us = clock_wall_us();
    }
    return turn;
}

/* ---- Marks ---- */

static uint32_t at_most(uint64_t n, uint32_t limit)
{
    return n < limit ? (uint32_t)n : limit;
}

/* The head for an offset: the one of `m`, or, if it has grown much, a new one. */
static bool take_head(struct source *s, const struct reader *r, struct content_mark *m)
{
    uint32_t least = at_most((m->offset + 1) / 2, MARK_HEAD_MAX);

    if (m->head_len >= least && m->head_len <= m->offset)
        return true;
    if (s->is_archive && (r->from > 0 || m->head_len > 0))
        return true; /* of what is unpacked the beginning is gone */
    struct content_mark grown = *m, taken = {.offset = at_most(m->offset, MARK_HEAD_MAX)};
    grown.head_len = (uint32_t)taken.offset;
    if (r->from == 0 && r->len >= grown.head_len) {
        grown.head_hash = content_hash(slice_of(r->bytes, grown.head_len));
    } else {
        if (content_mark_take(s->fd, &taken))
            return m->head_len > 0;
        grown.head_hash = taken.head_hash;
        /* It may have been truncated and written anew since that was read. */
        if (content_mark_check(s->fd, &grown) != CONTENT_SAME)
            return m->head_len > 0;
    }
    m->head_len = grown.head_len;
    m->head_hash = grown.head_hash;
    return true;
}

/* `m` becomes the mark of an offset in what was read; false: not all of it is there. */
static bool take_mark(struct source *s, const struct reader *r, uint64_t offset, uint64_t chain,
                      struct content_mark *m)
{
    struct content_mark taken = *m;

    taken.offset = offset;
    taken.chain = chain;
    taken.tail_len = at_most(offset, MARK_TAIL_MAX);
    if (offset - taken.tail_len < r->from || offset > end_of(r))
        return false;
    taken.tail_hash = content_hash(bytes_of(r, offset - taken.tail_len, offset));
    if (!take_head(s, r, &taken))
        return false;
    *m = taken;
    return true;
}

/* Whoever takes the lines began to hold them back with the one that it got last. */
static void note_hold(struct source *s)
{
    if (s->file.held_from == s->before_line && s->before_line != s->line) {
        s->hold_offset = s->before_line;
        s->hold_chain = s->before_chain;
    }
}

/* The chain at the beginning of a line of what was read: where several streams are held back by
 * turns, that is none of those that were noted. */
static bool chain_at(const struct source *s, const struct reader *r, uint64_t target,
                     uint64_t *chain)
{
    uint64_t at = s->previous.offset;
    bool is_inside = false, is_last;

    *chain = s->previous.chain;
    while (at >= r->from && at < target) {
        struct slice bytes = bytes_of(r, at, end_of(r));

        if (bytes.data[0] == '\0' && !is_inside) {
            at++;
            continue;
        }
        size_t len = reading_cut(bytes, 0, is_inside, &is_last);
        if (len == 0)
            return false;
        *chain = content_chain(*chain, slice_of(bytes.data, len));
        at += len;
        is_inside = !is_last;
    }
    return at == target && !is_inside;
}

void reading_refresh(struct follower *f, struct source *s)
{
    struct reader *r = &f->reader;
    uint64_t target = s->file.held_from < s->line ? s->file.held_from : s->line;

    note_hold(s);
    /* Whose first line is a part of another one's is not read from behind it before that is safe.
     */
    if (s->joined) {
        reading_refresh(f, s->joined);
        if (s->joined->safe.offset < s->joined->line)
            target = 0;
    }
    if (r->of == s) {
        if (!s->is_inside && s->last.offset != s->line)
            (void)take_mark(s, r, s->line, s->chain, &s->last);
        uint64_t chain = s->hold_chain;
        if (target < s->line && target > s->safe.offset &&
            (target == s->hold_offset || chain_at(s, r, target, &chain)))
            (void)take_mark(s, r, target, chain, &s->safe);
    }
    if (s->last.offset <= target && s->last.offset > s->safe.offset)
        s->safe = s->last;
}

void reading_end(struct follower *f, struct source *s)
{
    struct reader *r = &f->reader;

    reading_refresh(f, s);
    /* No more than was read: of an archive that goes on after a restart nothing is before that. */
    uint32_t len = at_most(s->offset - r->from, MARK_TAIL_MAX);
    if (s->offset > r->from + s->check_len || len != s->check_len) {
        s->check_hash = content_hash(bytes_of(r, s->offset - len, s->offset));
        s->check_len = len;
    }
    if (r->from == 0 && r->len >= PROBE_BYTES)
        s->probe = content_hash(slice_of(r->bytes, PROBE_BYTES));
    r->of = NULL;
}

uint64_t reading_size(const struct follower *f, const struct source *s)
{
    return s->is_archive ? unpack_size(f, s) : s->look.size;
}

int reading_skip_to(struct source *s, uint64_t offset, uint64_t chain)
{
    struct content_mark m = s->last;
    bool is_taken = s->is_archive && m.offset == offset;

    m.offset = offset;
    m.chain = chain;
    if (s->is_archive && !is_taken)
        m.tail_len = 0;
    int error = s->is_archive ? 0 : content_mark_take(s->fd, &m);
    if (error)
        return error;
    s->offset = s->line = s->searched = offset;
    s->chain = chain;
    s->check_len = m.tail_len;
    s->check_hash = m.tail_hash;
    s->is_inside = false;
    s->last = m;
    return 0;
}

uint64_t reading_take_ladder(struct follower *f, struct source *s, uint64_t end)
{
    uint32_t len = at_most(end, LADDER_BYTES);
    struct buffer *b = &f->joined;
    char *bytes;

    ladder_release(&s->ladder);
    buffer_clear(b);
    if (len == 0)
        return 0;
    if (!(bytes = buffer_reserve(b, len))) {
        file_failed();
        return 0;
    }
    ssize_t n = file_read_at(s->fd, bytes, len, 0);
    return ladder_add_text(&s->ladder, slice_of(bytes, n > 0 ? (size_t)n : 0));
}

void reading_skip_to_end(struct follower *f, struct source *s)
{
    uint64_t end = s->look.size, at = end;
    char bytes[4096];

    while (at > 0 && end - at < FOLLOW_LINE_MAX) {
        size_t len = at < sizeof(bytes) ? (size_t)at : sizeof(bytes);
        const char *found;

        if (file_read_at(s->fd, bytes, len, at - len) != (ssize_t)len)
            break;
        if ((found = memrchr(bytes, '\n', len))) {
            end = at - len + (uint64_t)(found - bytes) + 1;
            break;
        }
        at -= len;
    }
    if (at == 0)
        end = 0; /* one line, without an end */
    uint64_t chain = reading_take_ladder(f, s, end);
    if (!reading_skip_to(s, end, s->ladder.to == end ? chain : 0)) {
        s->acked = s->safe = s->marked = s->last;
        s->marked_to = s->safe.offset;
        s->sent = end;
        ledger_dirty(f, s);
    }
}

/* ---- Lines ---- */

/* How much of a long line is handed out at once: never a part of a character. */
static size_t piece_len(const char *text)
{
    size_t len = FOLLOW_PIECE_MAX;

    for (int i = 0; i < 3 && (text[len] & 0xc0) == 0x80; i++)
        len--;
    return (text[len] & 0xc0) == 0x80 ? FOLLOW_PIECE_MAX : len;
}

size_t reading_cut(struct slice bytes, size_t searched, bool is_inside, bool *is_last)
{
    size_t limit = is_inside ? FOLLOW_PIECE_MAX + 1 : FOLLOW_LINE_MAX;
    const char *found = NULL;

    if (searched < bytes.len)
        found = memchr(bytes.data + searched, '\n', bytes.len - searched);
    size_t len = found ? (size_t)(found - bytes.data) : bytes.len;
    *is_last = len < limit;
    if (!*is_last)
        return piece_len(bytes.data);
    return found ? len + 1 : 0;
}

/* What is handed out of the file: up to `end`, with the line feed, if it has one. */
struct taken {
    uint64_t end;
    struct slice bytes;
    bool is_last;
};

static void hand_out(struct follower *f, struct source *s, const struct taken *t, struct slice text,
                     struct follow_line *line)
{
    bool is_known;

    note_hold(s);
    s->is_held = false;
    if (!s->is_inside) {
        s->before_line = s->line;
        s->before_chain = s->chain;
    }
    *line = (struct follow_line){
        .file = &s->file,
        .offset = s->line,
        .text = text,
        .is_first = !s->is_inside,
        .is_last = t->is_last,
    };
    int64_t us = ledger_read_us(f, s, s->line, &is_known);
    if (!is_known && !s->is_inside)
        us = f->reader.us;
    if (!s->is_inside)
        s->line_us = us;
    if (!is_known)
        ledger_taken(f, s, s->line, t->end, s->line_us);
    line->read_us = s->line_us; /* of all its parts */
    s->chain = content_chain(s->chain, t->bytes);
    s->offset = s->searched = t->end;
    s->is_inside = !t->is_last;
    if (t->is_last) {
        s->line = t->end;
        ladder_add(&s->ladder, s->line, s->chain);
    }
    if (t->end > s->sent)
        s->sent = t->end;
    s->is_taken = s->is_handed = true;
    ledger_touch(f, s);
}

/* The first byte that is no zero, at or behind `at`; false: there is none yet, or it cannot be read
 * now. */
static bool find_text(struct follower *f, struct source *s, uint64_t at, uint64_t *found)
{
    char *bytes = f->reader.bytes;
    uint64_t size = s->look.size;

    while (at < size) {
        uint64_t data = file_next_data(s->fd, at, size);
        ssize_t n = data < size ? file_read_at(s->fd, bytes, READ_BYTES, data) : 0;

        if (n <= 0)
            return false;
        for (at = data; at < data + (uint64_t)n; at++)
            if (bytes[at - data] != '\0') {
                *found = at;
                return true;
            }
    }
    return false;
}

/* Passes over zeros that a hole left at the beginning of a line, once something comes behind them:
 * before that they may be written over. False: nothing came yet, or it is to be read first. */
static bool pass_zeros(struct follower *f, struct source *s)
{
    struct reader *r = &f->reader;
    uint64_t at = s->offset, end = end_of(r);

    while (at < end && r->bytes[at - r->from] == '\0')
        at++;
    if (at < end) {
        s->offset = s->line = at;
        s->searched = s->searched > at ? s->searched : at;
        return true;
    }
    reading_end(f, s);
    if (find_text(f, s, end, &at) && !reading_skip_to(s, at, s->chain)) {
        ledger_touch(f, s);
        follower_ready(f, s);
    } else {
        s->is_at_end = true;
    }
    return false;
}

bool reading_next(struct follower *f, struct source *s, struct follow_line *line)
{
    struct reader *r = &f->reader;
    uint64_t end = end_of(r);

    if (s->offset == end)
        return false;
    if (!s->is_inside && r->bytes[s->offset - r->from] == '\0' && !pass_zeros(f, s))
        return false;
    struct slice bytes = bytes_of(r, s->offset, end);
    bool is_last;
    /* What has been searched is searched again: it may have been written anew, and is not long. */
    size_t len = reading_cut(bytes, 0, s->is_inside, &is_last);
    if (len == 0) {
        note_searched(s, r, searched_to(r, s->offset));
        return false;
    }
    struct taken t = {
        .end = s->offset + len, .bytes = slice_of(bytes.data, len), .is_last = is_last};
    hand_out(f, s, &t, slice_of(bytes.data, is_last ? len - 1 : len), line);
    return true;
}

void reading_hand_out(struct follower *f, struct source *s, struct slice rest, struct slice text,
                      struct follow_line *line)
{
    struct taken t = {.end = reading_size(f, s), .bytes = rest, .is_last = true};

    hand_out(f, s, &t, text, line);
}

void reading_pass(struct follower *f, struct source *s, uint64_t len)
{
    s->chain = content_chain(s->chain, bytes_of(&f->reader, s->offset, s->offset + len));
    s->offset = s->line = s->offset + len;
    ladder_add(&s->ladder, s->line, s->chain);
    if (s->searched < s->offset)
        s->searched = s->offset;
    if (s->sent < s->offset)
        s->sent = s->offset;
    s->is_taken = true;
    ledger_touch(f, s);
}
