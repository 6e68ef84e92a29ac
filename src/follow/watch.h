/*
 * What happened in folders and to files, by inotify(7); and by looking, where that says nothing:
 * network file systems, too few watches, a queue that was too short.
 *
 * A file is watched by its inode (through its descriptor), so that writes count by whatever name it
 * is written, and after it was deleted. Nothing that is told is more than a hint to look.
 *
 * A folder is watched by what its path leads to; each second or so it is looked whether that is
 * the same one still (a link in the path may lead elsewhere, a folder above may be another). While
 * it is not there, the nearest folder above that is there is watched for it.
 *
 * Nothing is allocated for events once there were as many at a time.
 *
 * One thread.
 */
#ifndef LOGMILL_FOLLOW_WATCH_H
#define LOGMILL_FOLLOW_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"

enum {
    WATCH_POLL_MS = 1000,       /* between looks at what inotify cannot see */
    WATCH_SAFETY_MS = 60000,    /* between looks at all, in case that it missed something */
    WATCH_DELETED_MS = 250,     /* the same as POLL for files that nobody can open any more */
    WATCH_FOLDERS_A_LOOK = 256, /* folders whose paths are looked at in a POLL; more take turns */
};

struct watch;

struct watch_calls {
    /* In the folder (as watch_folder was given it) something came, went, changed its name or mode,
     * or was closed by who wrote it; `name` NULL: look at all of it. Said once for many changes:
     * what is there now counts. Both texts live until the call returns, `folder` also no longer
     * than it is watched. */
    void (*folder)(void *ctx, const char *folder, const char *name);
    /* A file has more, or less, or another name; `file` is what watch_file was given. */
    void (*file)(void *ctx, void *file);
    void (*say)(void *ctx, const char *text); /* something is slower than it could be: once */
    void *ctx;
};

/* Without inotify (fs.inotify.max_user_instances) all is polled, and that is said: never fails. */
struct watch *watch_new(const struct watch_calls *calls, struct errbuf *err);
void watch_free(struct watch *w);

/* Watches a folder; told twice it is the same. 0; LM_EIO, errno set: it is not there or cannot be
 * read (it is looked for by polling, and folder() is called once it is there). */
int watch_folder(struct watch *w, const char *path) LM_MUST_CHECK;
void watch_forget_folder(struct watch *w, const char *path);

/* Watches an open file, whose descriptor stays open until watch_forget_file, where the number,
 * which is never 0, names it. Never fails: what cannot be watched is polled (`fstat` of the
 * descriptor: size, change, links). */
uint64_t watch_file(struct watch *w, int fd, void *file);
void watch_forget_file(struct watch *w, uint64_t number);

/* Readable when watch_dispatch has something to tell; -1 without inotify. */
int watch_fd(const struct watch *w);

/* How long until something is to be polled, at most `limit_ms`. */
int watch_timeout_ms(const struct watch *w, uint64_t now_us, int limit_ms);

/* Makes the calls for all that is known now (monotonic clock); calls may watch and forget. */
void watch_dispatch(struct watch *w, uint64_t now_us);

#endif
