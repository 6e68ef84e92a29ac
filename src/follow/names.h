/*
 * Which files are meant. What is given is
 *
 *   FILE     that name, whatever it leads to, also if it is not there yet
 *   PATTERN  a name with *, ? or [] in any of its parts (glob(7)); a part "**": folders, any depth
 *   DIR      all regular files in it and in its folders (NAMES_DEPTH_MAX), hidden ones apart; links
 *            to folders are not gone into, so that none is gone into twice
 *
 * and loggers make others of it, siblings: what L was renamed, copied or compressed to. Those are
 * not followed for themselves, but looked at for what of L they have that was not read (family.h).
 */
#ifndef LOGMILL_FOLLOW_NAMES_H
#define LOGMILL_FOLLOW_NAMES_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"

enum { NAMES_DEPTH_MAX = 16, NAMES_PATTERNS_MAX = 1000 };

enum name_kind {
    NAME_NONE,    /* nothing of ours */
    NAME_LIVE,    /* a file that is to be followed */
    NAME_SIBLING, /* what one of those may have become */
    NAME_FOLDER,  /* to be looked into and watched */
};

struct names;

/* `given`: as on the command line; `excluded`: patterns of base names (fnmatch(3)) that are never
 * meant. Returns NULL with `err` set: too many, or not to be understood. Paths are made absolute.
 */
struct names *names_new(const char *const *given, int given_len, const char *const *excluded,
                        int excluded_len, struct errbuf *err);
void names_free(struct names *n);

/*
 * What the path (absolute) of an entry is; is_folder: it is a directory. *pattern: by which of
 * those given. A live name that is given as FILE is told apart by *is_exact.
 *
 * Names that are none: of locks, of what is being made (*.tmp, *.gz.tmp, *.swp, L.rotate.N), of
 * loggers' own notes (".<hash>-audit.json", "state", "lock", "config" beside a svlogd's current).
 */
enum name_kind names_kind(const struct names *n, const char *path, bool is_folder, int *pattern,
                          bool *is_exact);

/*
 * The family that a live file or a sibling is of: "/var/log/app.log" of app.log, app.log.1,
 * app.log-20261128.gz, app-2026-11-28.log, app.2026-11-28.log.zst; for what a pattern or a folder
 * has found, the name without its numbers, dates and endings of compression. For multilog, svlogd
 * and s6-log: current, previous and @… of one folder. Appended without an end.
 */
void names_family(const struct names *n, const char *path, struct buffer *family);

/* True if `sibling` may be what the live file of path `live` became. */
bool names_is_sibling(const char *live, const char *sibling);

/* Calls folder() for each folder that is to be watched, whether it is there or not, and is so for
 * sure: the fixed beginning of each pattern. */
void names_folders(const struct names *n, void (*folder)(const char *path, void *ctx), void *ctx);

#endif
