/*
 * The file of keys: a line a key (access/grant.h), and empty lines and those that begin with #,
 * which are passed over. It is its user's alone (0600), or another's who alone writes it, and ends
 * with a line feed: one that does not is taken for half written. Keys are found by their SHA-256;
 * none of them is in it.
 *
 * A thread looks once a second whether it has changed, and reads it anew: into another set, which
 * takes the place of the one before. Where it is wrong the set before stays, and that is said once.
 *
 * Whoever looks a key up never waits, and is never in the way: the number of those who look at a
 * set is counted along with which one it is, in one word, so that a set goes when the last has left
 * it.
 */
#ifndef LOGMILL_ACCESS_KEYS_H
#define LOGMILL_ACCESS_KEYS_H

#include <sys/stat.h>

#include "access/grant.h"
#include "base/buffer.h"
#include "base/errbuf.h"

enum {
    KEYS_MAX = 100000,             /* of one file */
    KEYS_FILE_BYTES_MAX = 64 << 20 /* of it */
};

struct keys;

/* Reads the file at `path`, which must outlive it. NULL with `err` naming the line and what is
 * wrong. */
struct keys *keys_open(const char *path, struct errbuf *err);
/* The keys that `text` names, which may go, for good: it has the lines of such a file. NULL with
 * `err`. */
struct keys *keys_of(struct slice text, struct errbuf *err);
void keys_free(struct keys *k); /* NULL does nothing; when nobody looks any more */

/* Has the file of keys_open looked at from now on, until keys_free. */
int keys_watch(struct keys *k, struct errbuf *err) LM_MUST_CHECK;

/* Looks now, if it may have changed. Returns 0; or an error with `err`, and the set before stays.
 * One caller at a time. */
int keys_refresh(struct keys *k, struct errbuf *err) LM_MUST_CHECK;

/* What the key `text` lets its holder do, with a reference; NULL: it is none of these. Any thread.
 */
struct grant *keys_find(struct keys *k, struct slice text);

/* The one whose digest begins so, with a reference; NULL: there is none. Any thread. */
struct grant *keys_find_begun(struct keys *k, const uint8_t begin[KEY_BEGIN_BYTES]);
/* The same of who has proven to be `name` by a certificate. */
struct grant *keys_find_certificate(struct keys *k, struct slice name);

size_t keys_len(struct keys *k);

/* ---- The file ---- */

/*
 * Reads it, whole, into `text`, and tells what it was then. Returns 0; LM_ENOTFOUND; LM_EINVAL: it
 * is no file, others may read it, or it is half written; or another error.
 */
int keys_file_read(const char *path, struct buffer *text, struct stat *was,
                   struct errbuf *err) LM_MUST_CHECK;

/*
 * The next line of `*rest` that is a key, parsed: 1, with `*g`. 0: there is none. Or an error.
 * `*number`, 0 at first, is that of the line; `*line` is the line.
 */
int keys_file_next(struct slice *rest, unsigned *number, struct slice *line, struct grant **g,
                   struct errbuf *err) LM_MUST_CHECK;

#endif
