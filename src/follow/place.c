/* Names and folders: what is there, and which file a live name leads to. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum { TRIES = 3 }; /* at a name that leads to another file each time it is looked at */

static uint64_t hash_of(const char *path)
{
    return hash_mix(hash_bytes(HASH_BASIS, slice_of_string(path)));
}

static void folder_part(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash && slash > path ? (size_t)(slash - path) : 1;

    snprintf(folder, PATH_MAX, "%.*s", (int)len, path);
}

/* ---- Folders ---- */

static struct folder *find_folder(struct follower *f, const char *path)
{
    struct table_node *n = table_first(&f->folders, hash_of(path));

    for (; n; n = table_next(n)) {
        struct folder *folder = container_of(n, struct folder, node);

        if (strcmp(folder->path, path) == 0)
            return folder;
    }
    return NULL;
}

static struct folder *add_folder(struct follower *f, const char *path, bool *is_new)
{
    struct folder *folder = find_folder(f, path);

    *is_new = !folder;
    if (folder)
        return folder;
    folder = xcalloc(1, sizeof(*folder));
    folder->path = xstrdup(path);
    table_add(&f->folders, &folder->node, hash_of(path));
    if (watch_folder(f->watch, path) && errno != ENOENT && errno != ENOTDIR)
        follower_say(f, "%s cannot be watched: %s; it is tried again", path, strerror(errno));
    return folder;
}

/* ---- Names ---- */

static struct name *find_name(struct follower *f, const char *path)
{
    struct table_node *n = table_first(&f->names_by_path, hash_of(path));

    for (; n; n = table_next(n)) {
        struct name *name = container_of(n, struct name, node);

        if (strcmp(name->path, path) == 0)
            return name;
    }
    return NULL;
}

static struct name *add_name(struct follower *f, const char *path, int pattern, bool is_exact)
{
    struct name *name = find_name(f, path);
    char folder_path[PATH_MAX];
    bool is_new;

    if (name)
        return name;
    folder_part(path, folder_path);
    name = xcalloc(1, sizeof(*name));
    name->path = xstrdup(path);
    name->pattern = pattern;
    name->is_exact = is_exact;
    table_add(&f->names_by_path, &name->node, hash_of(path));
    name->folder = add_folder(f, folder_path, &is_new);
    roll_append(&name->folder->names, &name->in_folder);
    return name;
}

/* It is no link, or not any more. */
static void no_link(struct follower *f, struct name *name)
{
    if (!name->target_folder)
        return;
    roll_remove(&f->links, &name->in_links);
    roll_remove(&name->target_folder->links, &name->in_target);
    free(name->target);
    name->target = NULL;
    name->target_folder = NULL;
}

/* A name that is none any more; FILEs stay. */
static void remove_name(struct follower *f, struct name *name)
{
    roll_remove(&name->folder->names, &name->in_folder);
    no_link(f, name);
    table_remove(&f->names_by_path, &name->node);
    free(name->path);
    free(name);
}

void place_hold(struct follower *f, struct name *name, struct source *holder)
{
    struct source *old = name->holder;

    if (old == holder)
        return;
    if (old)
        roll_remove(&old->live_names, &name->in_holder);
    name->holder = holder;
    if (holder) {
        roll_append(&holder->live_names, &name->in_holder);
        holder->place = PLACE_LIVE;
        if (!name->target_folder)
            source_set_path(holder, name->path);
    }
    if (!old || old->live_names.first)
        return;
    old->place = PLACE_MOVED;
    if (old->fd < 0 && !old->is_resumed && old->phase == SOURCE_READING)
        place_seek(f, old);
    source_find_place(f, old);
    follower_ready(f, old);
    follower_attend(f, old, 0);
}

void place_hand_over(struct source *s, struct source *next)
{
    struct roll_node *n;

    while ((n = roll_take(&s->live_names))) {
        container_of(n, struct name, in_holder)->holder = next;
        roll_append(&next->live_names, n);
    }
}

void place_forget(struct source *s)
{
    struct roll_node *n;

    while ((n = roll_take(&s->live_names)))
        container_of(n, struct name, in_holder)->holder = NULL;
}

/* ---- What a name leads to ---- */

static const char *reason_text(int reason)
{
    switch (reason) {
    case EISDIR:
        return "no regular file";
    case EPERM:
        return "a link of one user to a file of another";
    case E2BIG:
        return "as many files are followed as can be";
    default:
        return strerror(reason);
    }
}

struct telling {
    void (*file)(const char *path, const char *reason, void *ctx);
    void *ctx;
};

static void tell_trouble(struct table_node *n, void *ctx)
{
    const struct name *name = container_of(n, struct name, node);
    const struct telling *t = ctx;

    if (name->trouble)
        t->file(name->path, reason_text(name->trouble), t->ctx);
}

void place_each_trouble(struct follower *f,
                        void (*file)(const char *path, const char *reason, void *ctx), void *ctx)
{
    struct telling t = {.file = file, .ctx = ctx};

    if (f->troubled > 0)
        table_each(&f->names_by_path, tell_trouble, &t);
}

void place_trouble(struct follower *f, struct name *name, int reason)
{
    if (name->trouble == reason)
        return;
    ledger_news(f);
    if (reason == EMFILE || reason == ENFILE) {
        follower_say_short(f, name->path);
    } else if (reason == E2BIG) {
        follower_say_many(f, name->path);
    } else if (reason)
        follower_say(f, "%s cannot be followed: %s; it is tried again", name->path,
                     reason_text(reason));
    else if (name->trouble != EMFILE && name->trouble != ENFILE && name->trouble != E2BIG)
        follower_say(f, "%s is followed now", name->path);
    if (reason && !name->trouble) {
        f->unreadable++;
        f->troubled++;
    } else if (!reason) {
        f->unreadable--;
        f->troubled--;
    }
    name->trouble = reason;
    f->retry_us = f->now_us + RETRY_US;
}

/* Where a link leads, also if nothing is there yet. */
static bool find_target(const char *link, char target[PATH_MAX])
{
    char text[PATH_MAX], path[PATH_MAX], folder[PATH_MAX];

    if (realpath(link, target))
        return true;
    ssize_t n = readlink(link, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    folder_part(link, folder);
    int len = text[0] == '/' ? snprintf(path, sizeof(path), "%s", text)
                             : snprintf(path, sizeof(path), "%s/%s", folder, text);
    if (len < 0 || (size_t)len >= sizeof(path))
        return false;
    folder_part(path, folder);
    if (!realpath(folder, target))
        return false;
    len = snprintf(folder, sizeof(folder), "%s%s", strcmp(target, "/") == 0 ? "" : target,
                   strrchr(path, '/'));
    if (len < 0 || (size_t)len >= sizeof(folder))
        return false;
    memcpy(target, folder, (size_t)len + 1);
    return true;
}

/* Where a link leads, so that what becomes of that is seen, too. */
static void note_target(struct follower *f, struct name *name)
{
    char target[PATH_MAX], folder[PATH_MAX];
    struct folder *in;
    struct stat st;
    bool is_new, is_link = lstat(name->path, &st) == 0 && S_ISLNK(st.st_mode);

    if (!is_link && !name->target_folder)
        return;
    if (!is_link) {
        no_link(f, name);
        names_set_target(f->names, name->path, NULL);
        return;
    }
    if (!find_target(name->path, target))
        return;
    folder_part(target, folder);
    names_set_target(f->names, name->path, target);
    in = add_folder(f, folder, &is_new);
    if (!name->target_folder)
        roll_prepend(&f->links, &name->in_links);
    if (name->target_folder != in) {
        if (name->target_folder)
            roll_remove(&name->target_folder->links, &name->in_target);
        name->target_folder = in;
        roll_append(&in->links, &name->in_target);
    }
    /* What is of the target's family there was nothing of ours before. */
    if (!name->target || strcmp(name->target, target) != 0) {
        free(name->target);
        name->target = xstrdup(target);
        if (!is_new && !f->is_starting) /* then: at its end */
            place_scan_again(f, target);
    }
}

/* The file of an identity that the state knows, or that is followed; its content is compared. */
static struct source *source_at(struct follower *f, const char *path, const struct file_look *look)
{
    for (;;) {
        struct source *s = source_by_identity(f, &look->identity);

        if (!s)
            s = source_moved(f, path, &look->identity);
        if (!s || !s->is_resumed || resume_open(f, s, path))
            return s; /* it is that one, or that cannot be told now */
    }
}

/*
 * A link that one user has made to another one's file: whoever may write into a folder could have
 * any file read that way. As SymLinksIfOwnerMatch of Apache, but that root is trusted, and who we
 * are.
 */
static bool is_foreign_link(const char *path)
{
    struct stat link, target;

    return lstat(path, &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid != 0 &&
           link.st_uid != geteuid() && stat(path, &target) == 0 && target.st_uid != link.st_uid;
}

static void look_name(struct follower *f, struct name *name)
{
    struct file_look look;
    struct source *s = NULL;

    name->scan = f->scan;
    for (int i = 0; i < TRIES; i++) {
        note_target(f, name);
        if (file_look_path(name->path, true, &look)) {
            place_trouble(f, name, errno == ENOENT || errno == ENOTDIR ? 0 : errno);
            break;
        }
        if (!look.is_regular) { /* a DIR or a PATTERN is of regular files */
            place_trouble(f, name, name->is_exact ? EISDIR : 0);
            break;
        }
        if (!name->is_exact && is_foreign_link(name->path)) {
            place_trouble(f, name, EPERM);
            break;
        }
        if ((s = source_at(f, name->path, &look)) || (s = candidate_live(f, name, &look)))
            break;
    }
    if (s && s->phase == SOURCE_UNKNOWN && name->is_exact)
        candidate_is_new(f, s);
    if (s)
        place_trouble(f, name, 0);
    place_hold(f, name, s);
    if (s)
        source_look_again(f, s);
    if (!s && !name->is_exact && !name->trouble)
        remove_name(f, name);
}

/* A file that a link of ours leads to, which cannot be followed yet, is no sibling of it. */
static bool is_awaited(const struct follower *f, const struct file_look *look)
{
    struct file_look target;

    for (struct roll_node *n = f->troubled > 0 ? f->links.first : NULL; n; n = n->behind) {
        const struct name *link = container_of(n, struct name, in_links);

        if (link->trouble && !file_look_path(link->path, true, &target) &&
            file_identity_equal(&target.identity, &look->identity))
            return true;
    }
    return false;
}

static void look_sibling(struct follower *f, const char *path, const struct file_look *look)
{
    struct source *s = source_at(f, path, look);

    if (!s && is_awaited(f, look))
        return;
    if (!s) {
        candidate_sibling(f, path, look);
        return;
    }
    if (s->place == PLACE_LIVE)
        return;
    source_set_path(s, path);
    source_look_again(f, s);
    follower_ready(f, s);
    follower_attend(f, s, 0);
}

/* ---- Entries ---- */

static void scan(struct follower *f, struct folder *folder);

static void look_at(struct follower *f, const char *path)
{
    struct name *name = find_name(f, path);
    struct file_look look;
    int pattern = 0;
    bool is_exact = false, is_new;
    struct stat st = {0};

    if (follower_gives_up(f))
        return;
    bool is_there = lstat(path, &st) == 0;
    switch (names_kind(f->names, path, S_ISDIR(st.st_mode), &pattern, &is_exact)) {
    case NAME_LIVE:
        if (name || is_there)
            look_name(f, name ? name : add_name(f, path, pattern, is_exact));
        break;
    case NAME_SIBLING:
        if (name)
            look_name(f, name);
        else if (S_ISREG(st.st_mode) && !file_look_path(path, false, &look))
            look_sibling(f, path, &look);
        break;
    case NAME_FOLDER:
        if (S_ISDIR(st.st_mode)) {
            struct folder *folder = add_folder(f, path, &is_new);

            if (is_new && f->scan_depth < NAMES_DEPTH_MAX)
                scan(f, folder);
        }
        break;
    case NAME_NONE:
        if (name)
            look_name(f, name);
        break;
    }
}

static void scan_again(struct follower *f, struct folder *folder)
{
    if (folder->is_again)
        return;
    folder->is_again = true;
    if (f->troubled++ == 0)
        f->retry_us = f->now_us + RETRY_US;
}

/* All that is in a folder, and what was. */
static void scan(struct follower *f, struct folder *folder)
{
    uint64_t number = ++f->scan;
    DIR *dir = opendir(folder->path);
    char path[PATH_MAX];

    if (!dir && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        scan_again(f, folder);
    f->scan_depth++;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int len = snprintf(path, sizeof(path), "%s/%s",
                           strcmp(folder->path, "/") == 0 ? "" : folder->path, e->d_name);
        if (len > 0 && (size_t)len < sizeof(path))
            look_at(f, path);
    }
    if (dir)
        closedir(dir);
    for (struct roll_node *n = folder->names.first, *next; n; n = next) {
        struct name *name = container_of(n, struct name, in_folder);

        next = n->behind;
        if (name->scan < number && !f->is_given_up)
            look_name(f, name);
    }
    f->scan_depth--;
}

/* What was in it is gone, and nobody waits for it: the folder above tells if it comes again. */
static void forget_gone(struct follower *f, const char *path)
{
    struct folder *folder = find_folder(f, path);
    struct stat st;

    if (!folder || folder->is_given || folder->is_again || folder->names.first ||
        folder->links.first || stat(folder->path, &st) == 0 ||
        (errno != ENOENT && errno != ENOTDIR))
        return;
    watch_forget_folder(f->watch, folder->path);
    table_remove(&f->folders, &folder->node);
    free(folder->path);
    free(folder);
}

void place_look_path(struct follower *f, const char *path)
{
    look_at(f, path);
}

void place_look(struct follower *f, const char *folder, const char *name)
{
    const struct folder *there;
    char path[PATH_MAX];
    bool is_new;

    if (name) {
        int len =
            snprintf(path, sizeof(path), "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
        if (len > 0 && (size_t)len < sizeof(path))
            look_at(f, path);
    } else {
        scan(f, add_folder(f, folder, &is_new));
    }
    there = find_folder(f, folder);
    for (struct roll_node *n = there ? there->links.first : NULL, *next; n; n = next) {
        next = n->behind;
        look_name(f, container_of(n, struct name, in_target));
    }
    if (!name)
        forget_gone(f, folder);
}

void place_scan_again(struct follower *f, const char *path)
{
    char folder_path[PATH_MAX];
    struct folder *folder;

    folder_part(path, folder_path);
    if ((folder = find_folder(f, folder_path)))
        scan_again(f, folder);
}

void place_seek(struct follower *f, struct source *s)
{
    place_scan_again(f, s->path);
    source_seek(f, s, true);
}

/* Looking through one may add others. */
struct pending {
    struct folder **folders;
    size_t len, capacity;
};

static void collect_again(struct table_node *n, void *ctx)
{
    struct folder *folder = container_of(n, struct folder, node);
    struct pending *p = ctx;

    if (!folder->is_again)
        return;
    folder->is_again = false;
    p->folders = (struct folder **)array_reserve((void *)p->folders, &p->capacity, p->len + 1,
                                                 sizeof(struct folder *));
    p->folders[p->len++] = folder;
}

/* Those that are to be looked through again. */
static void scan_those(struct follower *f)
{
    struct pending pending = {.len = 0};

    table_each(&f->folders, collect_again, &pending);
    for (size_t i = 0; i < pending.len; i++)
        scan(f, pending.folders[i]);
    f->troubled -= pending.len;
    free((void *)pending.folders);
}

static void start_folder(const char *path, void *ctx)
{
    struct follower *f = ctx;
    bool is_new;
    struct folder *folder = add_folder(f, path, &is_new);

    folder->is_given = true;
    scan(f, folder);
}

void place_start(struct follower *f)
{
    names_folders(f->names, start_folder, f);
    for (struct roll_node *n = f->links.first; n; n = n->behind) {
        const struct name *link = container_of(n, struct name, in_links);

        link->target_folder->is_given = true;
        place_scan_again(f, link->target);
    }
    scan_those(f);
}

static void retry(struct table_node *n, void *ctx)
{
    struct name *name = container_of(n, struct name, node);
    struct follower *f = ctx;
    bool is_short = name->trouble == EMFILE || name->trouble == ENFILE;

    if (name->trouble && !(is_short && source_is_full(f)))
        look_name(f, name);
}

void place_retry(struct follower *f)
{
    table_each(&f->names_by_path, retry, f);
    scan_those(f);
    f->retry_us = clock_monotonic_us() + RETRY_US; /* between two, however long one takes */
}

/* ---- The end ---- */

static void free_name(struct table_node *n, void *ctx)
{
    struct name *name = container_of(n, struct name, node);

    free(name->target);
    free(name->path);
    free(name);
}

static void free_folder(struct table_node *n, void *ctx)
{
    struct folder *folder = container_of(n, struct folder, node);

    free(folder->path);
    free(folder);
}

void places_release(struct follower *f)
{
    table_each(&f->names_by_path, free_name, NULL);
    table_each(&f->folders, free_folder, NULL);
    table_release(&f->names_by_path);
    table_release(&f->folders);
}
