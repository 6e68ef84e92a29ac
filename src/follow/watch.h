/*
 * What happened in folders and to files, by inotify(7); and by looking, where that says nothing:
 * network file systems, too few watches, a queue that was too short.
 *
 * A file is watched by its inode (through its descriptor), so that writes count by whatever name it
 * is written, and after it was deleted. Nothing that is told is more than a hint to look.
 *
 * One thread.
 */
#ifndef LOGMILL_FOLLOW_WATCH_H
#define LOGMILL_FOLLOW_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"

enum {
    WATCH_POLL_MS = 1000,    /* between looks at what inotify cannot see */
    WATCH_SAFETY_MS = 60000, /* between looks at all, in case that it missed something */
    WATCH_DELETED_MS = 250,  /* the same as POLL for files that nobody can open any more */
};

struct watch;

struct watch_calls {
    /* In the folder something came, went, changed its name or mode, or was closed by who wrote it;
     * name NULL: look at all of it. Said once for many changes; what is there counts. */
    void (*folder)(void *ctx, const char *folder, const char *name);
    /* A file has more, or less, or another name; `file` is what watch_file was given. */
    void (*file)(void *ctx, void *file);
    void (*say)(void *ctx, const char *text); /* something is slower than it could be: once */
    void *ctx;
};

struct watch *watch_new(const struct watch_calls *calls, struct errbuf *err);
void watch_free(struct watch *w);

/* Watches a folder; told twice it is the same. 0; LM_EIO, errno set: it is not there or cannot be
 * read (it is looked for by polling, and folder() is called once it is there). */
int watch_folder(struct watch *w, const char *path) LM_MUST_CHECK;
void watch_forget_folder(struct watch *w, const char *path);

/* Watches an open file, whose descriptor stays open until watch_forget_file, which the number
 * (never 0) names it in. Never fails: what cannot be
 * watched is polled (`fstat` of the descriptor: size, modification, links). */
uint64_t watch_file(struct watch *w, int fd, void *file);
void watch_forget_file(struct watch *w, uint64_t number);

/* Readable when watch_dispatch has something to tell. */
int watch_fd(const struct watch *w);

/* How long until something is to be polled, at most `limit_ms`. */
int watch_timeout_ms(const struct watch *w, uint64_t now_us, int limit_ms);

/* Makes the calls for all that is known now; calls may watch and forget. */
void watch_dispatch(struct watch *w, uint64_t now_us);

#endif
