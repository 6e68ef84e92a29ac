/*
 * Lines of files that others write, rotate, truncate, copy, compress and delete: each line once, in
 * the order of its file, from where the state says. The follower knows nothing of logs or of HTTP:
 * whoever takes the lines says which of them are safe.
 *
 *   follower_wait ──► follower_next ──► lines ──► logs ──► follower_mark ──► follower_prepare
 *        ▲                                                                        │ the batch is
 * sent └──────────────────────── follower_acknowledge ◄─────────────────────────┘ … and stored
 *
 * A file is read while it is open, whatever its name leads to; the one that a rotation put in its
 * place is read behind it. The old one is held until nobody can write to it any more. What was
 * truncated begins anew as another file, with other ids, and a copy is looked for that has what was
 * not read. See docs/internals/follow.md for the rules.
 *
 * Bounded: one buffer for all files (FOLLOW_LINE_MAX), nothing per file that grows with its
 * content; at most FOLLOW_OPEN_MAX descriptors (of RLIMIT_NOFILE, 64 less): past that quiet files
 * are closed and known by their marks.
 *
 * One thread.
 */
#ifndef LOGMILL_FOLLOW_FOLLOWER_H
#define LOGMILL_FOLLOW_FOLLOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"

enum {
    FOLLOW_LINE_MAX = 1 << 20,    /* a longer line comes in parts */
    FOLLOW_PIECE_MAX = 128 << 10, /* … of so many bytes */
    FOLLOW_OPEN_MAX = 16384,      /* descriptors */
    FOLLOW_FILES_MAX = 100000,    /* files that are followed at a time; others are told, once */
    FOLLOW_HOLD_S = 3600,         /* after its last growth an old file is held, if it cannot be told
                                     whether it has writers */
    FOLLOW_ORDER_MS = 5000,       /* a new file waits for the end of the old one, at most */
    FOLLOW_SETTLE_MS = 1000,      /* without a change, before what is unknown is judged */
};

enum follow_from {
    FOLLOW_FROM_SAVED, /* where it was; what the state does not know from its beginning */
    FOLLOW_FROM_START, /* all files from their beginnings */
    FOLLOW_FROM_END,   /* what is there at the start is passed over */
};

struct follower;

/* A file, as who takes its lines sees it. It lives until calls.ended(). */
struct follow_file {
    uint64_t key;     /* of its ids */
    const char *path; /* of the live name that it is, or was, the file of */
    char form[32];    /* of its lines: the taker's, kept in the state */
    uint64_t guessed;
    void *user; /* the taker's */
    /* The taker's: the first offset whose line is not in a log yet (lines that are held back, since
     * others may go on with them); UINT64_MAX: none. Reading goes on there after a crash. */
    uint64_t held_from;
};

struct follow_line {
    struct follow_file *file;
    uint64_t offset;        /* of the line's first byte in the file */
    struct slice text;      /* of the line, or of a part of it, without its line feed */
    bool is_first, is_last; /* of the line's parts */
    int64_t read_us;        /* when it was read first, since 1970: the same after a crash */
};

struct follower_calls {
    /* The lines of `next` go on where those of `old` ended: what is held back of `old` is `next`'s
     * from then on, with what it was read at (its ids do not change). */
    void (*goes_on)(void *ctx, struct follow_file *old, struct follow_file *next);
    /* Nothing more comes of it: what is held back is a log. `file` is gone when all of it is
     * acknowledged; `user` is to be released by freed(). */
    void (*ended)(void *ctx, struct follow_file *file);
    void (*freed)(void *ctx, struct follow_file *file);
    /* A line for stderr, said once for each file and reason. */
    void (*say)(void *ctx, const char *text);
    /* Asked by follower_new, which looks at all files, for each: true if it is to give up. May be
     * NULL. */
    bool (*is_over)(void *ctx);
    void *ctx;
};

struct follower_options {
    const char *const *given; /* names.h */
    int given_len;
    const char *const *excluded;
    int excluded_len;
    const char *state_path;
    enum follow_from from;
    size_t files_max; /* 0: FOLLOW_FILES_MAX */
    struct follower_calls calls;
};

/* Returns NULL with `err` set. If it gave up, the state is as it was. */
struct follower *follower_new(const struct follower_options *options, struct errbuf *err);
/* All that is acknowledged is in the state then. */
void follower_free(struct follower *f);

/* Waits until something may have changed, for `timeout_ms`, or until `wake_fd` (-1: none) is
 * readable; takes note of it: opens what is new, so that it cannot be lost. To be called at least
 * each second or so, also while no lines are taken. */
void follower_wait(struct follower *f, int timeout_ms, int wake_fd);

/* The next line that is there; false: none now. `line->text` lives until the next call. */
bool follower_next(struct follower *f, struct follow_line *line);

/* All that was taken so far, with what is held back (held_from) left out. One that is never
 * acknowledged is gone with the follower, and its lines come again. */
struct follow_mark;
struct follow_mark *follower_mark(struct follower *f);

/*
 * To be called before what is in the mark is sent: what has to be known after a crash is durable
 * then. Returns 0; or LM_EFULL, LM_EIO, `err` set and said once: it may be sent all the same, but
 * after a crash lines that have no time of their own may be stored twice.
 */
int follower_prepare(struct follower *f, struct follow_mark *m, struct errbuf *err) LM_MUST_CHECK;

/* The server has it. Durable with the next follower_prepare, within a second, or at the end. The
 * mark is gone. */
void follower_acknowledge(struct follower *f, struct follow_mark *m);

/* How far it is behind. */
struct follower_behind {
    uint64_t files, open, bytes;     /* bytes that are not acknowledged, of files that are known */
    uint64_t oldest_s;               /* since the oldest such byte may have been written, about */
    uint64_t deleted, deleted_bytes; /* … of files that have no name any more */
    uint64_t lost_bytes; /* that were gone before they could be read, as far as is known; ever */
    uint64_t unreadable; /* files that cannot be opened or read now */
};

void follower_behind(struct follower *f, struct follower_behind *b);

#endif
