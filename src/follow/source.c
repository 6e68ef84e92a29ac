/* One file: its life from the first look to its last acknowledgement. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum {
    QUIET_US = 10000000, /* a file that has not grown for so long is closed first */
    CLOSED_LOOKS = 5000, /* at closed files, a second */
};

/* ---- By identity ---- */

/* The birth time is no part of it, which one of two looks may be without; nor is the device, whose
 * number may be another one after the machine's start. */
static uint64_t identity_hash(const struct file_identity *identity)
{
    return hash_mix(identity->inode);
}

uint64_t source_key(const struct file_identity *identity, uint32_t generation)
{
    uint64_t hash = hash_mix(identity->inode ^ hash_mix(identity->device));

    return hash_mix(hash ^ hash_mix((uint64_t)identity->born_ns + generation));
}

static struct source *find(struct follower *f, const struct file_identity *identity,
                           const struct source *except)
{
    struct table_node *n = table_first(&f->identities, identity_hash(identity));

    for (; n; n = table_next(n)) {
        struct identity_node *i = container_of(n, struct identity_node, node);
        struct source *s = container_of(i, struct source, by_identity);

        if (!i->is_known && s != except && file_identity_equal(&i->identity, identity))
            return s;
    }
    return NULL;
}

struct source *source_by_identity(struct follower *f, const struct file_identity *identity)
{
    return find(f, identity, NULL);
}

struct source *source_other(struct follower *f, const struct source *s)
{
    return find(f, &s->by_identity.identity, s);
}

/* A device has another number after the machine has started again. Without a birth time it has to
 * be where it was, too. */
bool source_has_moved(const struct source *s, const char *path,
                      const struct file_identity *identity)
{
    const struct file_identity *own = &s->by_identity.identity;

    if (!s->is_resumed || own->inode != identity->inode || own->device == identity->device)
        return false;
    return own->born_ns && identity->born_ns ? file_identity_moved(own, identity)
                                             : strcmp(path, s->path) == 0;
}

struct source *source_moved(struct follower *f, const char *path,
                            const struct file_identity *identity)
{
    struct table_node *n = table_first(&f->identities, identity_hash(identity));

    for (; n; n = table_next(n)) {
        struct identity_node *i = container_of(n, struct identity_node, node);
        struct source *s = container_of(i, struct source, by_identity);

        if (!i->is_known && source_has_moved(s, path, identity))
            return s;
    }
    return NULL;
}

struct known *known_by_identity(struct follower *f, const struct file_identity *identity)
{
    struct table_node *n = table_first(&f->identities, identity_hash(identity));
    struct known *newest = NULL;

    for (; n; n = table_next(n)) {
        struct identity_node *i = container_of(n, struct identity_node, node);
        struct known *k = container_of(i, struct known, by_identity);

        if (i->is_known &&
            (file_identity_equal(&i->identity, identity) ||
             (f->is_starting && file_identity_moved(&i->identity, identity))) &&
            (!newest || k->generation > newest->generation))
            newest = k;
    }
    return newest;
}

struct known *known_add(struct follower *f, struct family *family, const struct known *k)
{
    struct known *added = xmalloc(sizeof(*added));

    *added = *k;
    added->family = family;
    added->by_identity.is_known = true;
    added->seen_us = f->is_starting ? 0 : f->now_us;
    roll_prepend(&family->known, &added->in_family);
    if (added->by_identity.identity.inode)
        table_add(&f->identities, &added->by_identity.node,
                  identity_hash(&added->by_identity.identity));
    return added;
}

void known_remove(struct follower *f, struct known *k)
{
    roll_remove(&k->family->known, &k->in_family);
    if (k->by_identity.identity.inode)
        table_remove(&f->identities, &k->by_identity.node);
    if (k->path)
        roll_remove(&f->new_known, &k->in_new);
    ladder_release(&k->ladder);
    free(k->lost);
    free(k->path);
    free(k);
}

struct known *known_lost(const struct family *family, int64_t number, uint64_t key)
{
    for (struct roll_node *n = family->known.first; n; n = n->behind) {
        struct known *k = container_of(n, struct known, in_family);

        if (k->lost && (number > 0 ? k->number == number : k->key == key))
            return k;
    }
    return NULL;
}

struct source *known_copied(struct follower *f, struct known *k)
{
    struct source *s = k->copy_of ? f->all : NULL;

    while (s && s->number != k->copy_of)
        s = s->all_behind;
    if (!s && k->copy_of && !known_lost(k->family, k->copy_of, 0))
        k->copy_of = 0; /* nor will there be one again */
    return s;
}

/* ---- Life ---- */

static void set_identity(struct follower *f, struct source *s, bool is_listed)
{
    if (is_listed && !s->is_listed)
        table_add(&f->identities, &s->by_identity.node, identity_hash(&s->by_identity.identity));
    else if (!is_listed && s->is_listed)
        table_remove(&f->identities, &s->by_identity.node);
    s->is_listed = is_listed;
}

struct source *source_new(struct follower *f, const struct file_look *look, struct family *family,
                          const char *path, const char *live_path)
{
    struct source *s = xcalloc(1, sizeof(*s));

    s->family = family;
    s->path = xstrdup(path);
    s->live_path = xstrdup(live_path);
    s->file.path = s->live_path;
    s->file.held_from = UINT64_MAX;
    s->fd = -1;
    s->look = *look;
    s->by_identity.identity = look->identity;
    s->file.key = source_key(&look->identity, 0);
    s->found_us = s->grown_us = s->phase_us = f->now_us;
    set_identity(f, s, true);
    s->all_behind = f->all;
    if (f->all)
        f->all->all_before = s;
    f->all = s;
    f->files++;
    family->unknown++; /* SOURCE_UNKNOWN */
    roll_append(&family->unjudged, &s->in_unjudged);
    return s;
}

/* It is UNKNOWN no more. */
static void leave_unjudged(struct source *s)
{
    if (s->phase != SOURCE_UNKNOWN)
        return;
    s->family->unknown--;
    s->family->unknown_archives -= s->is_archive;
    roll_remove(&s->family->unjudged, &s->in_unjudged);
}

void source_move(struct follower *f, struct source *s, enum source_phase phase)
{
    leave_unjudged(s);
    f->seeking -= s->phase == SOURCE_SEEKING;
    f->seeking += phase == SOURCE_SEEKING;
    s->phase = phase;
    s->phase_us = f->now_us;
    follower_unpark(f, s->family);
}

void source_seek(struct follower *f, struct source *s, bool has_identity)
{
    if (!has_identity)
        set_identity(f, s, false);
    s->is_resumed = has_identity;
    source_move(f, s, SOURCE_SEEKING);
}

void source_set_identity(struct follower *f, struct source *s, const struct file_identity *identity)
{
    set_identity(f, s, false);
    s->by_identity.identity = *identity;
    set_identity(f, s, true);
}

struct file_identity source_identity(const struct source *s)
{
    return s->is_listed ? s->by_identity.identity : (struct file_identity){.inode = 0};
}

int source_give_fd(struct follower *f, struct source *s)
{
    int fd = s->fd;

    if (s->watch)
        watch_forget_file(f->watch, s->watch);
    s->watch = 0;
    if (fd >= 0) {
        roll_remove(&f->opened, &s->in_opened);
        f->open--;
    }
    s->fd = -1;
    return fd;
}

void source_close(struct follower *f, struct source *s)
{
    if (f->reader.of == s)
        reading_end(f, s);
    unpack_forget(f, s);
    int fd = source_give_fd(f, s);
    if (fd >= 0)
        close(fd);
}

void source_free(struct follower *f, struct source *s)
{
    source_close(f, s);
    free(s->snapshots);
    if (s->copy)
        s->copy->copy_of = NULL;
    if (s->copy_of)
        s->copy_of->copy = NULL;
    set_identity(f, s, false);
    leave_unjudged(s);
    f->seeking -= s->phase == SOURCE_SEEKING;
    f->unreadable -= s->is_reported;
    if (s->is_reported)
        ledger_news(f);
    if (s->joined)
        s->joined->joins = NULL;
    if (s->joins)
        s->joins->joined = NULL;
    f->closed -= s->is_closed;
    if (f->closed_hand == s)
        f->closed_hand = s->all_behind;
    family_remove(s);
    if (s->is_told)
        roll_remove(&s->family->told, &s->in_told);
    place_forget(s);
    follower_forget(f, s);
    if (s->all_before)
        s->all_before->all_behind = s->all_behind;
    else
        f->all = s->all_behind;
    if (s->all_behind)
        s->all_behind->all_before = s->all_before;
    f->files--;
    free(s->path);
    free(s->live_path);
    free(s->times);
    ladder_release(&s->ladder);
    free(s);
}

/* ---- Open files ---- */

void source_take_fd(struct follower *f, struct source *s, int fd)
{
    source_close(f, s);
    f->closed -= s->is_closed;
    s->is_closed = false;
    s->fd = fd;
    f->open++;
    roll_append(&f->opened, &s->in_opened);
    s->watch = watch_file(f->watch, fd, s);
}

/* A file that is followed by its name and was read to its end, since it was opened, and can be
 * found again. */
static bool may_be_closed(const struct follower *f, const struct source *s)
{
    return s->fd >= 0 && s->phase == SOURCE_READING && s->place == PLACE_LIVE && s->is_at_end &&
           !s->is_parked && !s->is_archive && !s->is_inside && f->reader.of != s &&
           s->last.offset == s->line;
}

/* The first round takes one that has been quiet for some time, the second any; the third one that
 * was told to have more: where all are written to all the time they are read by turns. */
static bool may_be_closed_now(const struct follower *f, const struct source *s, size_t round)
{
    return may_be_closed(f, s) && (round > 1 || !s->is_ready) &&
           (round > 0 || f->now_us - s->grown_us >= QUIET_US);
}

static bool close_one(struct follower *f)
{
    size_t open = f->open;

    /* Nothing is read at this moment: what could not be closed before cannot be now. */
    for (size_t i = 0; i < 3 * open && f->full_us != f->now_us; i++) {
        struct roll_node *n = roll_take(&f->opened);
        struct source *s = container_of(n, struct source, in_opened);

        roll_append(&f->opened, n); /* the others come first next time */
        if (s->phase == SOURCE_OVER && s->is_told) {
            source_close(f, s);
            return true;
        }
        if (may_be_closed_now(f, s, i / open)) {
            follower_not_ready(f, s);
            source_close(f, s);
            f->closed++;
            s->is_closed = true;
            return true;
        }
    }
    f->full_us = f->now_us;
    return false;
}

bool source_is_full(const struct follower *f)
{
    return f->full_us == f->now_us;
}

static int open_within(struct follower *f, const char *path)
{
    int fd;

    if (f->open >= f->open_max && !close_one(f)) {
        errno = EMFILE;
        return -1;
    }
    fd = file_open(path);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && close_one(f))
        fd = file_open(path);
    return fd;
}

bool source_is_there(const struct source *s)
{
    struct file_look look;

    if (file_look_path(s->path, true, &look))
        return errno != ENOENT && errno != ENOTDIR;
    return file_identity_equal(&look.identity, &s->by_identity.identity) ||
           source_has_moved(s, s->path, &look.identity);
}

/* Whether its name leads to what was closed, as that was. */
static bool has_changed(const struct source *s)
{
    struct file_look look;

    return file_look_path(s->path, true, &look) || look.size != s->look.size ||
           look.changed_ns != s->look.changed_ns ||
           !file_identity_equal(&look.identity, &s->by_identity.identity);
}

bool source_look_closed(struct follower *f)
{
    struct source *s = f->closed_hand;
    size_t looks = 0;

    for (size_t i = 0; i < f->files && f->closed > 0 && looks < CLOSED_LOOKS; i++) {
        s = s ? s : f->all;
        f->closed_hand = s->all_behind;
        if (s->is_closed) {
            looks++;
            source_look_again(f, s);
            if (s->is_closed && source_is_full(f)) {
                f->closed_hand = s; /* the others had their turn */
                return false;
            }
        }
        s = f->closed_hand;
    }
    return true;
}

int source_open_path(struct follower *f, const char *path, struct file_look *look)
{
    int fd = open_within(f, path);

    if (fd < 0)
        return -1;
    if (!file_look_fd(fd, look) && look->is_regular)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

int source_open(struct follower *f, struct source *s)
{
    struct file_look look;
    int fd = source_open_path(f, s->path, &look);

    if (fd < 0)
        return LM_EIO;
    if (!file_identity_equal(&look.identity, &s->by_identity.identity) &&
        !source_has_moved(s, s->path, &look.identity)) {
        close(fd);
        return LM_ENOTFOUND;
    }
    s->look = look;
    source_take_fd(f, s, fd);
    return 0;
}

void source_failed(struct follower *f, struct source *s, int reason)
{
    if (!s->is_reported)
        f->unreadable++;
    if (!s->is_reported || s->trouble != reason)
        ledger_news(f);
    s->trouble = reason;
    if (reason == EMFILE || reason == ENFILE)
        follower_say_short(f, s->path);
    else if (!s->is_reported)
        follower_say(f, "%s cannot be read: %s; it is tried again", s->path, strerror(reason));
    s->is_reported = true;
    follower_attend(f, s, RETRY_US);
}

void source_works(struct follower *f, struct source *s)
{
    if (!s->is_reported)
        return;
    s->is_reported = false;
    f->unreadable--;
    ledger_news(f);
    if (!f->is_short)
        follower_say(f, "%s can be read again", s->path);
}

void source_reopen(struct follower *f, struct source *s)
{
    if (s->fd >= 0 || s->phase != SOURCE_READING)
        return;
    if (resume_open(f, s, s->path) && s->fd >= 0)
        source_works(f, s);
}

void source_look_again(struct follower *f, struct source *s)
{
    /* It would take the descriptor of one that has something to be read. */
    if (s->fd < 0 && (!s->is_closed || s->is_resumed || has_changed(s)))
        source_reopen(f, s);
}

void source_set_path(struct source *s, const char *path)
{
    if (strcmp(s->path, path) == 0)
        return;
    free(s->path);
    s->path = xstrdup(path);
}

/* What the system says the name of the open file is now. */
static bool read_path(const struct source *s, char path[PATH_MAX])
{
    char link[32];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", s->fd);
    n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0 && path[0] == '/';
}

void source_find_place(struct follower *f, struct source *s)
{
    char path[PATH_MAX];
    struct file_look look;

    if (s->fd < 0 || s->place == PLACE_LIVE)
        return;
    if (!file_look_fd(s->fd, &look))
        s->look.links = look.links;
    if (s->look.links == 0) {
        s->place = PLACE_DELETED;
        return;
    }
    s->place = PLACE_MOVED;
    if (read_path(s, path))
        source_set_path(s, path);
}
