#include "follow/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/text_map.h"
#include "base/xalloc.h"
#include "follow/seen.h"
#include "follow/wd_map.h"

enum {
    EVENTS_SIZE = 32 << 10, /* of a read */
    READS_MAX = 64,         /* of a dispatch: others want their turn */
    SEEN_LEN = 4096,        /* twice the events of a read, a power of two */
    RETRIES_A_LOOK = 16,    /* files for which a watch is tried again */
    US_PER_MS = 1000,
};

static const uint32_t FILE_EVENTS =
    IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_DELETE_SELF;
/* All folders have the same ones: a second watch of an inode replaces the first. */
static const uint32_t FOLDER_EVENTS = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
                                      IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |
                                      IN_ONLYDIR;

/*
 * Of a watch descriptor there may be many users: two links to a file, two paths to a folder, all
 * folders that are not there below one that is. They are listed by `next`; the first in wd_map.
 */
struct watched_file {
    void *file;
    int fd;
    int wd; /* -1: none, polled */
    uint32_t next;
    uint32_t generation;
    uint32_t polled_at; /* in watch.polled; NONE */
    bool is_used, is_touched, is_deleted;
    bool is_remote; /* polled though it has a watch */
    struct seen seen;
};

struct watched_folder {
    char *path; /* NULL: not used */
    int wd;
    uint32_t next;
    uint32_t generation;
    bool is_there; /* false: the watch is of one above it, or there is none */
    bool is_remote;
    bool is_denied;                     /* no watch was to be had: polled */
    uint16_t awaited_from, awaited_len; /* the part of its path that is awaited in the one above */
    uint64_t safety_us;                 /* when it was looked at last though it is watched */
    struct seen seen;
};

static const uint32_t NONE = UINT32_MAX;

/* A call that is to be made once the events of a read are sorted. */
struct pending {
    uint32_t folder, generation;
    const char *name; /* in the events; NULL: all */
    bool is_lost;     /* its path may lead elsewhere */
};

struct watch {
    struct watch_calls calls;
    int fd;
    struct wd_map files_by_wd, folders_by_wd;

    struct watched_file *files;
    size_t files_len, files_capacity;
    uint32_t free_file;
    uint32_t *polled; /* indices of files */
    size_t polled_len, polled_capacity;
    uint64_t *touched; /* numbers of files */
    size_t touched_len, touched_capacity;

    struct watched_folder *folders;
    size_t folders_len, folders_capacity;
    uint32_t free_folder;
    struct text_map folders_by_path;
    struct pending *pending;
    size_t pending_len, pending_capacity;
    uint64_t seen[SEEN_LEN]; /* hashes of what is pending */

    uint64_t look_us, deleted_us; /* when the next looks are due */
    size_t deleted_len;           /* files that are polled */
    size_t folder_turn, file_turn, retry_turn;
    bool has_overflowed;
    bool said_denied, said_remote, said_overflow;
    char events[EVENTS_SIZE];
};

/* ---- What is said, and what both kinds need ---- */

static void say_once(struct watch *w, bool *said, const char *text)
{
    if (!*said && w->calls.say)
        w->calls.say(w->calls.ctx, text);
    *said = true;
}

static void say_remote(struct watch *w)
{
    say_once(w, &w->said_remote,
             "some files are on a file system whose changes by others the kernel does not tell: "
             "they are looked at each second");
}

/* A watch of the inode of a descriptor; -1 with errno set. */
static int add_watch(struct watch *w, int fd, uint32_t events)
{
    char path[32];

    if (w->fd < 0) {
        errno = ENOSYS;
        return -1;
    }
    if (fault_here(FAULT_WATCH)) {
        errno = ENOSPC;
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return inotify_add_watch(w->fd, path, events);
}

static void say_denied(struct watch *w, int error)
{
    if (error == ENOSPC || error == ENOMEM)
        say_once(
            w, &w->said_denied,
            "no more files can be watched (fs.inotify.max_user_watches): the others are looked "
            "at each second");
}

/* ---- Files ---- */

static uint64_t number_of(const struct watch *w, uint32_t index)
{
    return (uint64_t)w->files[index].generation << 32 | (index + 1);
}

/* NULL if it has been forgotten. */
static struct watched_file *find_file(struct watch *w, uint64_t number)
{
    uint32_t index = (uint32_t)number - 1;

    if (index >= w->files_len)
        return NULL;
    struct watched_file *f = &w->files[index];
    return f->is_used && f->generation == number >> 32 ? f : NULL;
}

static void poll_file(struct watch *w, uint32_t index)
{
    struct watched_file *f = &w->files[index];

    if (f->polled_at != NONE)
        return;
    w->polled =
        array_reserve(w->polled, &w->polled_capacity, w->polled_len + 1, sizeof(*w->polled));
    f->polled_at = (uint32_t)w->polled_len;
    w->polled[w->polled_len++] = index;
    w->deleted_len += f->is_deleted;
}

static void do_not_poll(struct watch *w, struct watched_file *f)
{
    if (f->polled_at == NONE)
        return;
    uint32_t last = w->polled[--w->polled_len];

    w->polled[f->polled_at] = last;
    w->files[last].polled_at = f->polled_at;
    f->polled_at = NONE;
    w->deleted_len -= f->is_deleted;
}

static bool watch_inode(struct watch *w, uint32_t index)
{
    struct watched_file *f = &w->files[index];
    int wd = add_watch(w, f->fd, FILE_EVENTS);

    if (wd < 0) {
        say_denied(w, errno);
        return false;
    }
    f->wd = wd;
    f->next = wd_map_find(&w->files_by_wd, wd);
    wd_map_put(&w->files_by_wd, wd, index);
    return true;
}

/* Takes a file out of the users of its watch; the last one takes the watch with it. */
static void leave_inode(struct watch *w, uint32_t index)
{
    struct watched_file *f = &w->files[index];
    uint32_t first = wd_map_find(&w->files_by_wd, f->wd);

    if (f->wd < 0)
        return;
    if (first != index) {
        while (w->files[first].next != index)
            first = w->files[first].next;
        w->files[first].next = f->next;
    } else if (f->next != NONE) {
        wd_map_put(&w->files_by_wd, f->wd, f->next);
    } else {
        wd_map_remove(&w->files_by_wd, f->wd);
        inotify_rm_watch(w->fd, f->wd);
    }
    f->wd = -1;
}

uint64_t watch_file(struct watch *w, int fd, void *file)
{
    uint32_t index = w->free_file;
    struct stat st;

    if (index != NONE) {
        w->free_file = w->files[index].next;
    } else {
        w->files = array_reserve(w->files, &w->files_capacity, w->files_len + 1, sizeof(*w->files));
        index = (uint32_t)w->files_len++;
        w->files[index].generation = 0;
    }
    struct watched_file *f = &w->files[index];

    *f = (struct watched_file){.file = file,
                               .fd = fd,
                               .wd = -1,
                               .next = NONE,
                               .generation = f->generation,
                               .polled_at = NONE,
                               .is_used = true,
                               .is_remote = seen_is_remote(fd)};
    bool has_watch = watch_inode(w, index);

    if (fstat(fd, &st) == 0) {
        f->seen = seen_of(&st);
        f->is_deleted = st.st_nlink == 0;
    }
    /* Whether something came in between is not known to who has looked at it before. */
    f->seen.is_racy = true;
    if (f->is_remote)
        say_remote(w);
    if (!has_watch || f->is_remote)
        poll_file(w, index);
    return number_of(w, index);
}

void watch_forget_file(struct watch *w, uint64_t number)
{
    struct watched_file *f = find_file(w, number);

    if (!f)
        return;
    uint32_t index = (uint32_t)(f - w->files);

    leave_inode(w, index);
    do_not_poll(w, f);
    f->is_used = false;
    f->generation++;
    f->next = w->free_file;
    w->free_file = index;
}

static void touch(struct watch *w, uint32_t index)
{
    if (w->files[index].is_touched)
        return;
    w->files[index].is_touched = true;
    w->touched =
        array_reserve(w->touched, &w->touched_capacity, w->touched_len + 1, sizeof(*w->touched));
    w->touched[w->touched_len++] = number_of(w, index);
}

/* Looks at a file; touches it if it is not as it was. */
static void look_at_file(struct watch *w, uint32_t index)
{
    struct watched_file *f = &w->files[index];
    struct stat st;

    if (fstat(f->fd, &st) != 0)
        return;
    struct seen now = seen_of(&st);

    if (seen_differs(&f->seen, &now))
        touch(w, index);
    f->seen = now;
    if (f->is_deleted != (st.st_nlink == 0)) {
        f->is_deleted = !f->is_deleted;
        if (f->polled_at != NONE)
            w->deleted_len += f->is_deleted ? 1 : (size_t)-1;
    }
}

static void tell_files(struct watch *w)
{
    for (size_t i = 0; i < w->touched_len; i++) {
        struct watched_file *f = find_file(w, w->touched[i]);

        if (!f)
            continue;
        f->is_touched = false;
        w->calls.file(w->calls.ctx, f->file);
    }
    w->touched_len = 0;
}

/* ---- Folders ---- */

static struct watched_folder *find_folder(struct watch *w, const struct pending *p)
{
    struct watched_folder *f = &w->folders[p->folder];

    return f->path && f->generation == p->generation ? f : NULL;
}

static void join_wd(struct watch *w, uint32_t index, int wd)
{
    w->folders[index].wd = wd;
    w->folders[index].next = wd_map_find(&w->folders_by_wd, wd);
    wd_map_put(&w->folders_by_wd, wd, index);
}

static void leave_wd(struct watch *w, uint32_t index)
{
    struct watched_folder *f = &w->folders[index];
    uint32_t first = wd_map_find(&w->folders_by_wd, f->wd);

    if (f->wd < 0)
        return;
    if (first != index) {
        while (w->folders[first].next != index)
            first = w->folders[first].next;
        w->folders[first].next = f->next;
    } else if (f->next != NONE) {
        wd_map_put(&w->folders_by_wd, f->wd, f->next);
    } else {
        wd_map_remove(&w->folders_by_wd, f->wd);
        inotify_rm_watch(w->fd, f->wd);
    }
    f->wd = -1;
}

/* Watches the nearest folder above one that cannot be watched itself. */
static void watch_above(struct watch *w, uint32_t index)
{
    struct watched_folder *f = &w->folders[index];
    char path[PATH_MAX];
    size_t end = strlen(f->path);

    memcpy(path, f->path, end + 1);
    while (end > 1) {
        size_t slash = end;

        while (slash > 0 && path[slash - 1] != '/')
            slash--;
        f->awaited_from = (uint16_t)slash;
        f->awaited_len = (uint16_t)(end - slash);
        end = slash > 1 ? slash - 1 : slash;
        path[end] = '\0';
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            continue;
        int wd = add_watch(w, fd, FOLDER_EVENTS);

        close(fd);
        if (wd >= 0) {
            join_wd(w, index, wd);
            return;
        }
    }
}

/*
 * Finds out where the path leads and watches that. Returns 0; or -1 with errno set: there is no
 * folder, or it cannot be read (what is called by its name may be there all the same).
 */
static int try_folder(struct watch *w, uint32_t index)
{
    struct watched_folder *f = &w->folders[index];
    struct stat st;
    int error = 0;

    leave_wd(w, index);
    f->is_denied = f->is_remote = false;
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        error = errno;
        fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    f->is_there = fd >= 0 && fstat(fd, &st) == 0;
    if (f->is_there) {
        f->is_remote = seen_is_remote(fd);
        f->seen = seen_of(&st);
        int wd = add_watch(w, fd, FOLDER_EVENTS);

        if (wd >= 0) {
            join_wd(w, index, wd);
        } else {
            f->is_denied = true;
            say_denied(w, errno);
        }
    } else {
        watch_above(w, index);
    }
    if (f->is_remote)
        say_remote(w);
    if (fd >= 0)
        close(fd);
    errno = error;
    return error ? -1 : 0;
}

/* A folder that was not there when it was opened may have been made before the one above was
 * watched: of that nobody would tell. */
static bool is_there_by_now(const struct watched_folder *f)
{
    char path[PATH_MAX];
    size_t len = (size_t)f->awaited_from + f->awaited_len;
    struct stat st;

    memcpy(path, f->path, len);
    path[len] = '\0';
    return f->wd >= 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int find_its_folder(struct watch *w, uint32_t index)
{
    enum { TRIES = 3 };
    int error = -1, reason = 0;

    for (int i = 0; i < TRIES; i++) {
        error = try_folder(w, index);
        reason = errno;
        if (w->folders[index].is_there || !is_there_by_now(&w->folders[index]))
            break;
    }
    errno = reason;
    return error;
}

int watch_folder(struct watch *w, const char *path)
{
    uint32_t index = text_map_find(&w->folders_by_path, slice_of_string(path));

    if (index != NONE || strlen(path) >= PATH_MAX) {
        errno = index == NONE ? ENAMETOOLONG : ENOENT;
        return index != NONE && w->folders[index].is_there ? 0 : LM_EIO;
    }
    index = w->free_folder;
    if (index != NONE) {
        w->free_folder = w->folders[index].next;
    } else {
        w->folders = array_reserve(w->folders, &w->folders_capacity, w->folders_len + 1,
                                   sizeof(*w->folders));
        index = (uint32_t)w->folders_len++;
        w->folders[index].generation = 0;
    }
    struct watched_folder *f = &w->folders[index];

    *f = (struct watched_folder){
        .path = xstrdup(path), .wd = -1, .next = NONE, .generation = f->generation};
    text_map_put(&w->folders_by_path, slice_of_string(f->path), index);
    return find_its_folder(w, index) == 0 ? 0 : LM_EIO;
}

void watch_forget_folder(struct watch *w, const char *path)
{
    uint32_t index = text_map_find(&w->folders_by_path, slice_of_string(path));

    if (index == NONE)
        return;
    struct watched_folder *f = &w->folders[index];

    leave_wd(w, index);
    text_map_remove(&w->folders_by_path, slice_of_string(path));
    free(f->path);
    f->path = NULL;
    f->generation++;
    f->next = w->free_folder;
    w->free_folder = index;
}

/* Adds a call, unless it is the same as one that is there. */
static void pend(struct watch *w, uint32_t index, const char *name, bool is_lost)
{
    struct slice text = name ? slice_of_string(name) : slice_of(NULL, 0);
    uint64_t kind = (name ? 1U : 0U) + (is_lost ? 2U : 0U);
    uint64_t hash = hash_mix(hash_bytes(HASH_BASIS + index, text) + kind) | 1;
    size_t at = hash & (SEEN_LEN - 1);

    while (w->seen[at] && w->seen[at] != hash)
        at = (at + 1) & (SEEN_LEN - 1);
    if (w->seen[at])
        return;
    if (w->pending_len >= SEEN_LEN / 2) {
        w->has_overflowed = true;
        return;
    }
    w->seen[at] = hash;
    w->pending =
        array_reserve(w->pending, &w->pending_capacity, w->pending_len + 1, sizeof(*w->pending));
    w->pending[w->pending_len++] =
        (struct pending){index, w->folders[index].generation, name, is_lost};
}

/* Makes the calls, with the texts of the events there still. */
static void tell_folders(struct watch *w)
{
    if (w->pending_len == 0)
        return;
    for (size_t i = 0; i < w->pending_len; i++) {
        struct pending p = w->pending[i];
        struct watched_folder *f = find_folder(w, &p);

        if (!f)
            continue;
        bool was_there = f->is_there;

        if (p.is_lost && find_its_folder(w, p.folder) != 0 && !was_there && !f->is_there)
            continue;
        w->calls.folder(w->calls.ctx, f->path, p.name);
    }
    w->pending_len = 0;
    memset(w->seen, 0, sizeof(w->seen));
}

/* ---- Events ---- */

static void tell_all(struct watch *w)
{
    w->has_overflowed = false;
    say_once(w, &w->said_overflow,
             "the kernel had more to tell than it keeps (fs.inotify.max_queued_events): all is "
             "looked at");
    for (uint32_t i = 0; i < w->files_len; i++)
        if (w->files[i].is_used)
            touch(w, i);
    for (uint32_t i = 0; i < w->folders_len; i++) {
        if (!w->folders[i].path)
            continue;
        pend(w, i, NULL, true);
        if (w->pending_len >= SEEN_LEN / 2)
            tell_folders(w);
    }
    tell_folders(w);
}

/* The kernel has taken the watch away: what it was of is gone, or its file system. */
static void lose_wd(struct watch *w, int wd)
{
    uint32_t at = wd_map_find(&w->files_by_wd, wd), next;

    wd_map_remove(&w->files_by_wd, wd);
    for (; at != NONE; at = next) {
        next = w->files[at].next;
        w->files[at].wd = -1;
        poll_file(w, at);
        touch(w, at);
    }
    at = wd_map_find(&w->folders_by_wd, wd);
    wd_map_remove(&w->folders_by_wd, wd);
    for (; at != NONE; at = next) {
        next = w->folders[at].next;
        w->folders[at].wd = -1;
        pend(w, at, NULL, true);
    }
}

static bool is_awaited(const struct watched_folder *f, const char *name)
{
    return strlen(name) == f->awaited_len &&
           memcmp(name, f->path + f->awaited_from, f->awaited_len) == 0;
}

static void sort_event(struct watch *w, const struct inotify_event *e, const char *name)
{
    bool is_lost = e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT);

    if (e->mask & IN_Q_OVERFLOW)
        w->has_overflowed = true;
    for (uint32_t i = wd_map_find(&w->files_by_wd, e->wd); i != NONE; i = w->files[i].next)
        touch(w, i);
    for (uint32_t i = wd_map_find(&w->folders_by_wd, e->wd); i != NONE; i = w->folders[i].next) {
        const struct watched_folder *f = &w->folders[i];

        if (is_lost)
            pend(w, i, NULL, true);
        else if (f->is_there && name)
            pend(w, i, name, false);
        else if (f->is_there ? (e->mask & IN_ATTRIB) != 0 : name && is_awaited(f, name))
            pend(w, i, NULL, true);
    }
    if (e->mask & IN_IGNORED)
        lose_wd(w, e->wd);
}

static void read_events(struct watch *w)
{
    for (int reads = 0; reads < READS_MAX && w->fd >= 0; reads++) {
        ssize_t len = read(w->fd, w->events, sizeof(w->events));

        if (len <= 0)
            break;
        for (const char *at = w->events; at < w->events + len;) {
            struct inotify_event e;

            memcpy(&e, at, sizeof(e));
            at += sizeof(e);
            sort_event(w, &e, e.len > 0 ? at : NULL);
            at += e.len;
        }
        tell_folders(w);
        if ((size_t)len < sizeof(w->events) / 2)
            break;
    }
    if (w->has_overflowed)
        tell_all(w);
}

/* ---- Looks ---- */

/* Whether the path leads to what it did, and to something as it was. */
static void look_at_folder(struct watch *w, uint32_t index, uint64_t now_us)
{
    struct watched_folder *f = &w->folders[index];
    bool was_there = f->is_there;
    struct seen before = f->seen, now;
    struct stat st;
    bool is_there = stat(f->path, &st) == 0 && S_ISDIR(st.st_mode);

    if (!is_there && !was_there && f->wd >= 0)
        return; /* who watches above it is told */
    if (!is_there || !was_there || st.st_dev != before.device || st.st_ino != before.inode ||
        (f->is_denied && w->fd >= 0)) {
        (void)find_its_folder(w, index);
        if (f->is_there != was_there || (was_there && seen_differs(&before, &f->seen)))
            pend(w, index, NULL, false);
        return;
    }
    if (!f->is_denied && !f->is_remote && now_us < f->safety_us)
        return;
    now = seen_of(&st);
    if (seen_differs(&before, &now))
        pend(w, index, NULL, false);
    f->seen = now;
    f->safety_us = now_us + (uint64_t)WATCH_SAFETY_MS * US_PER_MS;
}

static void look_at_folders(struct watch *w, uint64_t now_us)
{
    size_t turn = w->folder_turn;

    for (uint32_t i = 0; i < w->folders_len; i++) {
        const struct watched_folder *f = &w->folders[i];
        /* How far it is behind the turn, all round. */
        size_t behind = i >= turn ? i - turn : i + w->folders_len - turn;

        if (f->path && (f->is_denied || f->is_remote || w->fd < 0 || behind < WATCH_FOLDERS_A_LOOK))
            look_at_folder(w, i, now_us);
        if (w->pending_len >= SEEN_LEN / 2)
            tell_folders(w);
    }
    w->folder_turn = turn + WATCH_FOLDERS_A_LOOK < w->folders_len ? turn + WATCH_FOLDERS_A_LOOK : 0;
    tell_folders(w);
}

/* Files without a watch that should have one: some of them each time. */
static void try_watches_again(struct watch *w)
{
    for (int i = 0; i < RETRIES_A_LOOK && w->polled_len > 0 && w->fd >= 0; i++) {
        w->retry_turn = w->retry_turn + 1 < w->polled_len ? w->retry_turn + 1 : 0;
        uint32_t index = w->polled[w->retry_turn];
        struct watched_file *f = &w->files[index];

        if (f->wd >= 0 || !watch_inode(w, index))
            continue;
        touch(w, index);
        if (!f->is_remote)
            do_not_poll(w, f);
    }
}

static void look_at_files(struct watch *w)
{
    enum { TURNS = WATCH_SAFETY_MS / WATCH_POLL_MS };
    size_t some = w->files_len / TURNS + 1;

    for (size_t i = 0; i < w->polled_len; i++)
        look_at_file(w, w->polled[i]);
    for (size_t i = 0; i < some && w->files_len > 0; i++) {
        w->file_turn = w->file_turn + 1 < w->files_len ? w->file_turn + 1 : 0;
        if (w->files[w->file_turn].is_used && w->files[w->file_turn].polled_at == NONE)
            look_at_file(w, (uint32_t)w->file_turn);
    }
    try_watches_again(w);
}

static void look_at_deleted(struct watch *w)
{
    for (size_t i = 0; i < w->polled_len; i++)
        if (w->files[w->polled[i]].is_deleted)
            look_at_file(w, w->polled[i]);
}

static uint64_t next_us(const struct watch *w)
{
    if (w->deleted_len > 0 && w->deleted_us < w->look_us)
        return w->deleted_us;
    return w->folders_by_path.len > 0 || w->files_len > 0 ? w->look_us : UINT64_MAX;
}

int watch_fd(const struct watch *w)
{
    return w->fd;
}

int watch_timeout_ms(const struct watch *w, uint64_t now_us, int limit_ms)
{
    uint64_t due = next_us(w);
    uint64_t limit = limit_ms < 0 ? INT_MAX : (uint64_t)limit_ms;

    if (due <= now_us)
        return 0;
    uint64_t ms = (due - now_us - 1) / US_PER_MS + 1;

    return (int)(ms < limit ? ms : limit);
}

void watch_dispatch(struct watch *w, uint64_t now_us)
{
    read_events(w);
    if (w->look_us == 0)
        w->look_us = now_us + (uint64_t)WATCH_POLL_MS * US_PER_MS;
    if (now_us >= w->look_us) {
        w->look_us = now_us + (uint64_t)WATCH_POLL_MS * US_PER_MS;
        w->deleted_us = now_us + (uint64_t)WATCH_DELETED_MS * US_PER_MS;
        look_at_folders(w, now_us);
        look_at_files(w);
    } else if (w->deleted_len > 0 && now_us >= w->deleted_us) {
        w->deleted_us = now_us + (uint64_t)WATCH_DELETED_MS * US_PER_MS;
        look_at_deleted(w);
    }
    tell_files(w);
}

/* ---- Making ---- */

struct watch *watch_new(const struct watch_calls *calls, struct errbuf *err)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    (void)err;
    w->calls = *calls;
    w->free_file = w->free_folder = NONE;
    w->fd = fault_here(FAULT_WATCH) ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0)
        say_once(w, &w->said_denied,
                 "files cannot be watched (fs.inotify.max_user_instances): they are looked at each "
                 "second");
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    for (size_t i = 0; i < w->folders_len; i++)
        free(w->folders[i].path);
    text_map_release(&w->folders_by_path);
    wd_map_release(&w->files_by_wd);
    wd_map_release(&w->folders_by_wd);
    free(w->files);
    free(w->polled);
    free(w->touched);
    free(w->folders);
    free(w->pending);
    free(w);
}
