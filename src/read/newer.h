/*
 * The logs that come next after a place, from a store whose scans go the other way, from the newest
 * to the oldest: one window of time after another, from the place up. What a window holds is known
 * once it has been gone through; those with far more logs than are wanted are cut in half, empty
 * ones make the next longer. So what it costs follows what is wanted, wherever the next logs are.
 *
 * Goes on in steps, with any reader; nothing is held between two. One thread at a time.
 */
#ifndef LOGMILL_READ_NEWER_H
#define LOGMILL_READ_NEWER_H

#include "base/buffer.h"
#include "store/store.h"

enum {
    NEWER_BYTES_MAX = 4 << 20, /* of the logs' JSON, but for the first log: by default */
    NEWER_PLACE_LEN = 1 + 2 * LOG_KEY_CURSOR_LEN, /* characters, at most */
};

/* Between two logs, or at one. */
struct newer_place {
    struct log_key from; /* all logs that come before it have been looked at, … */
    bool is_taken;       /* … and the one that has it, too */
    bool has_top;
    struct log_key top; /* where the next window ends: what has been seen above it is not told */
};

/* As a cursor: a `.` or, if not is_taken, a `~`, then one key or two. Parsing: 0 or LM_EINVAL. */
size_t newer_place_format(const struct newer_place *place, char out[NEWER_PLACE_LEN]);
int newer_place_parse(struct slice text, struct newer_place *place) LM_MUST_CHECK;

/* Some logs as texts one behind the other, newest first. */
struct newer_logs {
    struct buffer texts;
    struct newer_log *items;
    size_t len, capacity;
    size_t gone; /* the first so many do not count any more, as there are older ones */
};

struct newer_log {
    struct log_key key;
    size_t start, len; /* in texts */
};

typedef void newer_append_fn(struct buffer *b, const struct record *record, void *ctx);

struct newer {
    const struct log_matcher *asked; /* the caller's */
    struct newer_place place;
    size_t wanted;
    size_t bytes_max; /* newer_init: NEWER_BYTES_MAX */
    int64_t span_us;  /* of the next window: the caller's guess at first */
    bool done;        /* there are as many as were wanted, or no more */
    bool more;        /* … and there are others after them */
    bool moved;       /* it has got on since newer_init */
    newer_append_fn *append;
    void *ctx;

    struct newer_logs found; /* up to the place */

    /* The window that is being gone through, if there is a matcher for it. */
    struct log_matcher *matcher;
    struct store_scan scan;
    struct log_key top; /* its end */
    bool is_last;       /* nothing comes after it */
    bool is_half;       /* it says nothing of how long the next is to be */
    uint64_t met;       /* logs in it, so far */
    bool is_cut;        /* those that were not wanted of them are left out */
    int error;          /* of writing a log */
    struct newer_logs window;
    uint64_t damaged;              /* of all windows before */
    struct block_explain *explain; /* NULL: none */
};

/*
 * `asked` outlives it; `account` is charged for what is found. `append` writes a log, of which
 * `wanted` are looked for.
 */
int newer_init(struct newer *n, const struct log_matcher *asked, const struct newer_place *place,
               size_t wanted, int64_t span_us, struct account *account) LM_MUST_CHECK;
void newer_release(struct newer *n); /* all zero is one, too */

/*
 * One call of the store's. 0, LM_ENOMEM, LM_EBUSY (of the account), or an error of the store's:
 * what is found up to then is right after any of them.
 */
int newer_step(struct newer *n, struct store_reader *reader, uint64_t until_us,
               struct errbuf *err) LM_MUST_CHECK;

/* Appends what was found, with commas between the logs. Returns how many. */
size_t newer_append_found(const struct newer *n, bool oldest_first, struct buffer *b);

/* Where to go on, unless it is done and there are no more. */
struct newer_place newer_next(const struct newer *n);

/* Logs that could not be read. */
uint64_t newer_damaged(const struct newer *n);

#endif
