/*
 * Files that nobody knows yet: new ones, copies of what was read, archives; and files whose content
 * is gone from where it was, for which a copy is looked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "follow/internal.h"
#include "follow/stem.h"

enum {
    MUCH = 64 << 10, /* that is equal is a copy, and no banner, whatever follows */
};

enum { TROUBLE_US = 60000000 }; /* for which what cannot be opened may be what is looked for */

/* Between two notes in the state that a file is there. */
static const uint64_t SEEN_US = UINT64_C(24) * 3600 * 1000000;

static const uint64_t SETTLE_US = (uint64_t)FOLLOW_SETTLE_MS * 1000;

/* ---- New ones ---- */

/* One more than that of any file with this inode. */
static uint32_t next_generation(struct follower *f, const struct file_identity *identity)
{
    const struct known *k = known_by_identity(f, identity);
    uint32_t generation = k ? k->generation + 1 : 0;

    for (const struct source *s = f->seeking > 0 ? f->all : NULL; s; s = s->all_behind)
        if (s->phase == SOURCE_SEEKING && s->generation >= generation &&
            file_identity_equal(&s->by_identity.identity, identity))
            generation = s->generation + 1;
    return generation;
}

static bool is_used(const struct source *s, uint64_t key)
{
    const struct source *o = judge_first(s->family);
    const struct roll_node *n = s->family->known.first;

    while (o && (o == s || o->file.key != key))
        o = judge_next(o);
    while (n && container_of(n, struct known, in_family)->key != key)
        n = n->behind;
    return o || n;
}

/* The next one whose key no other file has had: one that went on in a copy has that one's inode. */
static void set_generation(struct source *s, uint32_t generation)
{
    while (is_used(s, source_key(&s->by_identity.identity, generation)))
        generation++;
    s->generation = generation;
    s->file.key = source_key(&s->by_identity.identity, generation);
}

/* The number that a rotation has put behind the name (an ending of compression apart): the higher,
 * the older; 0: none. */
static unsigned long number_of(const struct source *s)
{
    const char *slash = strrchr(s->path, '/');
    struct slice base = slice_of_string(slash ? slash + 1 : s->path);
    const char *end = base.data + base.len, *at;

    if (stem_form(base) == STEM_ARCHIVE)
        end = strrchr(base.data, '.');
    for (at = end; at > base.data && at[-1] >= '0' && at[-1] <= '9'; at--) {
    }
    return end - at > 4 ? 0 : strtoul(at, NULL, 10);
}

static unsigned long shifted(const struct source *s)
{
    return s->place == PLACE_LIVE ? 0 : number_of(s);
}

/*
 * True if what the times of the last changes say is contradicted by the numbers of rotations and by
 * the births: somebody writes to a file that was rotated. One of the two alone says nothing: some
 * count upwards, and a copy is born when its file is over.
 */
static bool is_written_late(const struct source *a, const struct source *b)
{
    int64_t born = a->look.identity.born_ns - b->look.identity.born_ns;
    bool changed_first = a->look.changed_ns < b->look.changed_ns;

    return number_of(a) && number_of(b) && !a->is_archive && !b->is_archive && born &&
           a->look.identity.born_ns && b->look.identity.born_ns && changed_first != (born < 0) &&
           changed_first != (number_of(a) > number_of(b));
}

/* Clocks of file systems are coarse. */
bool candidate_is_older(const struct source *a, const struct source *b)
{
    if (is_written_late(a, b))
        return number_of(a) > number_of(b);
    if (a->look.changed_ns != b->look.changed_ns)
        return a->look.changed_ns < b->look.changed_ns;
    if (a->place != b->place)
        return b->place == PLACE_LIVE;
    if (shifted(a) != shifted(b))
        return shifted(a) > shifted(b);
    return strcmp(a->path, b->path) < 0;
}

/* True if, by its name, `s` is what a file became whose name is a live one. Where all names are
 * live, as in a folder, only how they are made tells. */
static bool was_rotated(const struct source *s, const struct source *live)
{
    return s->place != PLACE_LIVE || names_is_sibling(live->path, s->path);
}

/* Where it belongs among those that are new, too: the one that was changed last is the newest. */
static void put_in_order(struct source *s)
{
    struct source *newer = NULL;

    for (struct source *at = s->family->newest; at; at = at->older) {
        /* What is written to now goes on with no file that was rotated before: what comes next
         * goes on with it. */
        bool is_last = at->place == PLACE_LIVE && was_rotated(s, at);

        if (at->phase != SOURCE_READING ||
            (!is_last && (family_is_begun(at) || at->number > 0 || !candidate_is_older(s, at))))
            break;
        newer = at;
    }
    if (newer)
        family_insert_before(s, newer);
    else
        family_append(s);
}

void candidate_is_new(struct follower *f, struct source *s)
{
    free(s->snapshots);
    s->snapshots = NULL;
    s->snapshots_len = 0;
    ladder_release(&s->ladder); /* it may have changed since that was made */
    unpack_look(s);
    source_move(f, s, SOURCE_READING);
    if (!s->is_in_family)
        put_in_order(s);
    if (s->older)
        follower_attend(f, s->older, ATTEND_US); /* it may end now */
    if (f->is_starting && f->from == FOLLOW_FROM_END && !s->is_archive)
        reading_skip_to_end(f, s);
    follower_ready(f, s);
    if (s->place != PLACE_LIVE)
        follower_attend(f, s, ATTEND_US);
}

/* Where it was among those that the state knows, and before those that are new. */
static void put_back(struct source *s)
{
    struct source *newer = NULL;

    for (struct source *at = s->family->newest; at; at = at->older) {
        if (at->number > 0 && at->number < s->number)
            break;
        newer = at;
    }
    if (newer)
        family_insert_before(s, newer);
    else
        family_append(s);
}

/* A source again, of which nothing is open. */
static struct source *call_back(struct follower *f, struct known *k, const struct state_file *row,
                                const struct file_look *look, const char *path)
{
    struct source *s = source_new(f, look, k->family, path, family_live_path(f, k->family, path));
    struct errbuf err = ERRBUF_INIT;

    s->number = k->number;
    s->file.key = k->key;
    s->generation = k->generation;
    s->acked = s->safe = s->last = k->mark;
    s->marked = row->ahead;
    s->marked_to = s->safe.offset;
    s->sent = row->sent;
    s->file.guessed = row->guessed;
    memcpy(s->file.form, row->form, sizeof(row->form));
    if (resume_times(f, s, &err)) /* as if it were read now */
        follower_say(f, "%s: when it was read is not known: %s", path, err.text);
    s->offset = s->line = s->searched = s->acked.offset;
    s->chain = s->acked.chain;
    s->seen_size = row->size > s->offset ? row->size : s->offset;
    s->ladder = k->ladder;
    k->ladder = (struct ladder){0};
    if (k->lost)
        state_note_lost(f->state, -(int64_t)k->lost->bytes);
    ledger_news(f);
    known_remove(f, k);
    return s;
}

struct source *candidate_recall(struct follower *f, struct known *k, const char *path)
{
    struct file_look look = {.identity = k->by_identity.identity, .size = k->mark.offset};
    int64_t lost_us = k->lost->us;
    struct state_file row;

    resume_row(f, k, &row);
    struct source *s = call_back(f, k, &row, &look, path);
    s->lost_us = lost_us;
    s->place = PLACE_DELETED;
    source_seek(f, s, look.identity.inode != 0);
    put_back(s);
    follower_attend(f, s, ATTEND_US);
    return s;
}

/* The file goes on from where it was read to. */
static struct source *revive(struct follower *f, struct known *k, const struct state_file *row,
                             const struct file_look *look, const char *path, int fd)
{
    struct source *s = call_back(f, k, row, look, path);

    s->has_ahead = true;
    source_take_fd(f, s, fd);
    unpack_look(s);
    uint64_t chain = s->acked.chain;
    if (!s->is_archive && chain == 0 && s->ladder.lines == 0) { /* it was passed over */
        uint64_t found = reading_take_ladder(f, s, s->acked.offset);

        chain = s->ladder.to == s->acked.offset ? found : 0;
    }
    if (!s->is_archive && s->acked.offset >= PROBE_BYTES)
        judge_take_probe(s);
    if (reading_skip_to(s, s->acked.offset, chain)) /* it holds: it was just compared */
        s->offset = s->line = s->searched = s->acked.offset;
    source_move(f, s, SOURCE_READING);
    put_back(s);
    follower_ready(f, s);
    follower_attend(f, s, ATTEND_US);
    return s;
}

void candidate_goes_on(struct follower *f, const char *path, int fd)
{
    struct state_file row;
    struct file_look look;
    struct known *k = NULL;
    bool is_archive = false;

    if (!file_look_fd(fd, &look) && !source_by_identity(f, &look.identity))
        k = known_by_identity(f, &look.identity);
    if (!k || k->kind != STATE_FINISHED || unpack_is_archive(fd, &is_archive) || is_archive ||
        resume_compare_known(f, k, fd, &look, &row) != CONTENT_SAME) {
        close(fd);
        return;
    }
    struct source *s = revive(f, k, &row, &look, path, fd);
    s->place = PLACE_MOVED;
    source_find_place(f, s);
}

/* ---- Copies ---- */

static void remember(struct follower *f, struct source *c, int64_t copy_of)
{
    struct known k = {
        .copy_of = copy_of,
        .by_identity.identity = c->by_identity.identity,
        .kind = STATE_COPY,
        .number = c->number,
        .key = c->file.key,
        .generation = c->generation,
        .mark.offset = c->look.size,
    };
    struct file_look look;
    bool has_changed = c->fd >= 0 && !file_look_fd(c->fd, &look) &&
                       (look.size != c->look.size || look.changed_ns != c->look.changed_ns);
    char *path = has_changed ? xstrdup(c->path) : NULL;
    if (c->fd < 0 || content_mark_take(c->fd, &k.mark))
        k.mark = (struct content_mark){.offset = c->look.size};
    ledger_known(f, known_add(f, c->family, &k), c->path);
    source_free(f, c);
    if (path)
        place_look_path(f, path);
    free(path);
}

void candidate_is_copy(struct follower *f, struct source *c)
{
    remember(f, c, 0);
}

/* Until all of `o` is stored: it may be the only one that has what was not. */
static void keep_copy(struct follower *f, struct source *o, struct source *c, uint64_t size)
{
    if (o->copy) {
        ledger_number(f, o);
        ledger_dirty(f, o);
        remember(f, o->copy, o->number);
    }
    source_move(f, c, SOURCE_COPY);
    c->seen_size = size;
    o->copy = c;
    c->copy_of = o;
    c->acked = (struct content_mark){.offset = c->look.size};
    if (c->fd < 0 || content_mark_take(c->fd, &c->acked))
        c->acked = (struct content_mark){.offset = c->look.size};
    candidate_acknowledged(f, o);
}

void candidate_acknowledged(struct follower *f, struct source *s)
{
    if (!s->copy || s->copy->seen_size > s->acked.offset)
        return;
    s->is_copied = true;
    candidate_is_copy(f, s->copy);
}

void candidate_adopt(struct follower *f, struct source *o, struct source *c, uint64_t size)
{
    struct file_look look = c->look;
    bool is_archive = c->is_archive;

    if (size <= o->offset) {
        if (o->copy != c)
            keep_copy(f, o, c, size);
        follower_attend(f, o, 0); /* it has nothing more; another one may */
        return;
    }
    int fd = source_give_fd(f, c);
    source_set_path(o, c->path);
    o->place = c->place;
    place_hand_over(c, o);
    source_free(f, c);
    source_set_identity(f, o, &look.identity);
    o->is_resumed = o->has_ahead = false;
    o->lost_us = 0;
    o->look = look;
    o->is_archive = is_archive;
    o->is_at_end = false;
    source_take_fd(f, o, fd);
    source_move(f, o, SOURCE_READING);
    ledger_dirty(f, o);
    follower_ready(f, o);
    follower_attend(f, o, ATTEND_US);
}

/* Whether there is enough of a file to tell what it is, and what that is. */
static void look_closer(struct follower *f, struct source *c, bool is_settled)
{
    struct source *of;
    uint64_t size, failures = file_failures();

    if (!c->snapshots)
        judge_prepare(f, c);
    enum verdict verdict =
        c->copy_number ? judge_again(f, c, &of, &size) : judge(f, c, is_settled, &of, &size);
    /* What could not be compared is not new for that: its lines would be sent once more. */
    if (verdict == JUDGE_NEW && file_failures() != failures) {
        follower_attend(f, c, RETRY_US);
        return;
    }
    switch (verdict) {
    case JUDGE_LATER:
        follower_attend(f, c, ATTEND_US);
        return;
    case JUDGE_NEW:
        candidate_is_new(f, c);
        return;
    case JUDGE_COPY:
        break;
    }
    if (!of)
        candidate_is_copy(f, c);
    else if (of->phase == SOURCE_SEEKING)
        candidate_adopt(f, of, c, size);
    else
        keep_copy(f, of, c, size);
}

void candidate_copy_changed(struct follower *f, struct source *c)
{
    uint64_t size = c->look.size;
    struct file_look look;

    if (c->is_archive || file_look_fd(c->fd, &look) ||
        (look.size == size && look.changed_ns == c->look.changed_ns))
        return;
    bool is_same = content_mark_check(c->fd, &c->acked) == CONTENT_SAME;
    if (look.size == size && is_same)
        return;
    if (c->copy_of)
        c->copy_of->copy = NULL;
    c->copy_of = NULL;
    c->look = look;
    c->acked = (struct content_mark){0};
    candidate_is_new(f, c);
    if (is_same && size >= MUCH && reading_skip_to(c, size, 0))
        c->offset = c->line = c->searched = 0; /* it has changed once more: read all of it */
}

/* True if it is a copy of what may not all be stored, or was given up. */
static bool is_needed(struct follower *f, struct known *k, const char *path)
{
    const struct source *o = known_copied(f, k);
    struct known *lost = !o && k->copy_of ? known_lost(k->family, k->copy_of, 0) : NULL;

    if (lost && !f->is_starting)
        o = candidate_recall(f, lost, path);
    return o && (f->is_starting || o->phase == SOURCE_SEEKING);
}

/* The state knows it as a copy of what may not all be stored: that may need it once more. */
static struct source *copy_again(struct follower *f, struct known *k, const struct file_look *look,
                                 const char *path, int fd)
{
    struct source *s = source_new(f, look, k->family, path, family_live_path(f, k->family, path));

    s->copy_number = k->copy_of;
    s->number = k->number;
    s->file.key = k->key;
    s->generation = k->generation;
    known_remove(f, k);
    source_take_fd(f, s, fd);
    follower_attend(f, s, 0);
    return s;
}

/* It is not forgotten while it is there. */
static void note_seen(struct follower *f, struct known *k, const char *path)
{
    if ((k->seen_us > 0 && f->now_us - k->seen_us < SEEN_US) || k->path)
        return;
    ledger_known(f, k, path);
    k->seen_us = f->now_us;
}

/* An archive of which the state has a mark of its bytes: they say nothing about its lines. */
static bool is_packed(const struct known *k, int fd)
{
    bool is_archive;

    return (k->kind == STATE_COPY || k->kind == STATE_PASSED) &&
           unpack_is_archive(fd, &is_archive) == 0 && is_archive;
}

/* ---- Live names ---- */

/* The file that one by the name of `c` would be a copy of, by its name; NULL: none. */
static const struct source *find_original(const struct source *c)
{
    const struct source *o = c->family->newest;

    while (o && (o->place != PLACE_LIVE || !names_is_sibling(o->path, c->path)))
        o = o->older;
    for (const struct roll_node *n = c->family->unjudged.first; n && !o; n = n->behind) {
        const struct source *unknown = container_of(n, struct source, in_unjudged);

        if (unknown->place == PLACE_LIVE && names_is_sibling(unknown->path, c->path))
            o = unknown;
    }
    return o;
}

/* Its name may lead elsewhere by now, which is told later; and what is there is the first of the
 * two. */
static void look_at_original(struct follower *f, const struct source *c)
{
    const struct source *o = find_original(c);
    char *path = o ? xstrdup(o->path) : NULL;

    if (path)
        place_look_path(f, path);
    free(path);
}

struct source *candidate_live(struct follower *f, struct name *name, struct file_look *look)
{
    int fd;

    if (f->files >= f->files_max) {
        place_trouble(f, name, E2BIG);
        return NULL;
    }
    fd = source_open_path(f, name->path, look);
    if (fd < 0 || source_by_identity(f, &look->identity)) {
        place_trouble(f, name, fd < 0 && errno != ENOENT && errno != ENOTDIR ? errno : 0);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct known *k = known_by_identity(f, &look->identity);
    bool goes_on = false; /* what passed for a copy */
    struct state_file row;
    enum content_verdict verdict = k ? resume_compare_known(f, k, fd, look, &row) : CONTENT_OTHER;
    if (verdict == CONTENT_UNREADABLE) {
        place_trouble(f, name, errno);
        close(fd);
        return NULL;
    }
    if (verdict == CONTENT_SAME) {
        bool is_archive = is_packed(k, fd);
        if (look->size == k->mark.offset &&
            (is_archive || (k->kind == STATE_COPY && !name->is_exact))) {
            if (is_needed(f, k, name->path))
                return copy_again(f, k, look, name->path, fd);
            note_seen(f, k, name->path);
            close(fd);
            return NULL;
        }
        if (!is_archive &&
            (k->kind != STATE_COPY || look->size == k->mark.offset || k->mark.offset >= MUCH))
            return revive(f, k, &row, look, name->path, fd);
        goes_on = !is_archive;
        if (goes_on)
            known_remove(f, k);
    }
    struct source *s = source_new(f, look, family_of(f, name->path), name->path, name->path);
    set_generation(s, next_generation(f, &look->identity));
    source_take_fd(f, s, fd);
    if (name->is_exact || goes_on || (f->is_starting && f->is_first)) {
        candidate_is_new(f, s);
    } else if (f->is_starting) {
        judge_prepare(f, s);      /* it may be a copy of what the state has, which may have grown */
        follower_attend(f, s, 0); /* when all that is known was found */
    } else {
        look_at_original(f, s);
        look_closer(f, s, false);
    }
    return s;
}

/* ---- Siblings ---- */

static void pass(struct follower *f, const char *path, const struct file_look *look)
{
    struct known k = {
        .by_identity.identity = look->identity,
        .kind = STATE_PASSED,
        .key = source_key(&look->identity, 0),
        .mark.offset = look->size,
    };
    int fd = file_open(path);

    if (fd >= 0) {
        if (content_mark_take(fd, &k.mark))
            k.mark = (struct content_mark){.offset = look->size};
        close(fd);
    }
    ledger_known(f, known_add(f, family_of(f, path), &k), path);
}

/* An archive that was passed over, and was not whole then, is so once more. */
static void pass_more(struct follower *f, struct known *k, const char *path,
                      const struct file_look *look, int fd)
{
    struct content_mark m = {.offset = look->size};

    if (content_mark_take(fd, &m))
        return; /* looked at again when it changes, or at the next start */
    k->mark = m;
    if (!k->path)
        ledger_known(f, k, path);
}

/* True if somebody writes to it still: what comes is not passed over. An archive is one of what was
 * there before, whenever it is whole. */
static bool is_written(const char *path)
{
    int fd = file_open(path);
    bool is_known = false, has_no_writer = fd < 0 || file_has_no_writer(fd, &is_known);
    bool is_archive = false;

    if (!has_no_writer && unpack_is_archive(fd, &is_archive))
        is_archive = false;
    if (fd >= 0)
        close(fd);
    return is_known && !has_no_writer && !is_archive;
}

void candidate_sibling(struct follower *f, const char *path, const struct file_look *seen)
{
    struct file_look look = *seen;
    struct known *k = known_by_identity(f, &look.identity);
    bool is_again = k && look.size == k->mark.offset && is_needed(f, k, path);
    int fd;

    if (k && look.size == k->mark.offset && !is_again) {
        note_seen(f, k, path);
        return;
    }
    if (f->is_starting && f->is_first && !is_written(path)) {
        pass(f, path, &look);
        return;
    }
    if (look.size == 0)
        return;
    if (f->files >= f->files_max) {
        follower_say_many(f, path);
        place_scan_again(f, path);
        return;
    }
    if ((fd = source_open_path(f, path, &look)) < 0) {
        if (errno == EMFILE || errno == ENFILE)
            follower_say_short(f, path);
        if (errno != ENOENT)
            place_scan_again(f, path);
        return;
    }
    if (!file_identity_equal(&look.identity, &seen->identity)) {
        close(fd);
        return; /* it was renamed; its name is told again */
    }
    struct state_file row;
    enum content_verdict verdict = k ? resume_compare_known(f, k, fd, &look, &row) : CONTENT_OTHER;
    if (verdict == CONTENT_UNREADABLE) {
        close(fd);
        place_scan_again(f, path);
        return;
    }
    bool is_archive = verdict == CONTENT_SAME && !is_again && is_packed(k, fd);
    if (is_archive && k->kind == STATE_PASSED) {
        pass_more(f, k, path, &look, fd);
        close(fd);
        return;
    }
    if (verdict == CONTENT_SAME && !is_archive) {
        struct source *again =
            is_again ? copy_again(f, k, &look, path, fd) : revive(f, k, &row, &look, path, fd);

        again->place = PLACE_MOVED;
        return;
    }
    struct family *family = family_of(f, path);
    struct source *s = source_new(f, &look, family, path, family_live_path(f, family, path));
    set_generation(s, next_generation(f, &look.identity));
    s->place = PLACE_MOVED;
    source_take_fd(f, s, fd);
    if (f->is_starting && f->is_first) {
        candidate_is_new(f, s);
        reading_skip_to_end(f, s);
        return;
    }
    judge_prepare(f, s);
    follower_attend(f, s, 0);
}

/* ---- What is not known yet ---- */

void candidate_attend(struct follower *f, struct source *s)
{
    bool is_known = false, is_settled = file_has_no_writer(s->fd, &is_known);
    struct file_look look;

    if (file_look_fd(s->fd, &look)) {
        source_failed(f, s, errno);
        return;
    }
    if (look.size != s->look.size || look.changed_ns != s->look.changed_ns)
        s->grown_us = f->now_us;
    s->look = look;
    s->has_writer = is_known && !is_settled;
    look_closer(f, s, is_settled || f->now_us - s->grown_us >= SETTLE_US);
}

/* ---- What is gone ---- */

void candidate_truncated(struct follower *f, struct source *s)
{
    struct file_look look = s->look;

    if (file_look_fd(s->fd, &look))
        look.size = 0;
    int fd = source_give_fd(f, s);
    source_seek(f, s, false);
    struct source *next = source_new(f, &look, s->family, s->path, s->live_path);
    set_generation(next, s->generation + 1);
    next->place = s->place;
    place_hand_over(s, next);
    source_take_fd(f, next, fd);
    family_insert_behind(next, s);
    source_move(f, next, SOURCE_READING);
    follower_ready(f, next);
    if (next->place != PLACE_LIVE)
        follower_attend(f, next, ATTEND_US);
    s->place = PLACE_DELETED;
    follower_attend(f, s, 0);
}

void candidate_seek(struct follower *f, struct source *s)
{
    uint64_t lost = s->seen_size > s->offset ? s->seen_size - s->offset : 0;

    if (s->copy && s->copy->seen_size > s->offset) {
        candidate_adopt(f, s, s->copy, s->copy->seen_size);
        return;
    }
    if ((s->copy || s->is_copied) && lost == 0) {
        ending_over(f, s);
        return;
    }
    if (s->family->unknown > 0 || f->now_us - s->phase_us < SETTLE_US ||
        (f->troubled > 0 && f->now_us - s->phase_us < TROUBLE_US)) {
        follower_attend(f, s, ATTEND_US);
        return;
    }
    state_note_lost(f->state, (int64_t)lost);
    if (lost > 0)
        ledger_news(f);
    if (lost > 0 && s->lost_us == 0)
        follower_say(f,
                     "%s: %llu bytes behind offset %llu are gone: they were deleted before they "
                     "could be read",
                     s->path, (unsigned long long)lost, (unsigned long long)s->offset);
    if (s->lost_us == 0)
        s->lost_us = clock_wall_us();
    ending_over(f, s);
}
