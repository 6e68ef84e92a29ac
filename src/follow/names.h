/*
 * Which files are meant. What is given is
 *
 *   FILE     that name, whatever it leads to, also if it is not there yet; then it may become a DIR
 *   PATTERN  a name with *, ? or [] in any of its parts (glob(7)); a part "**": folders, any depth.
 *            What is there under that very name is a FILE
 *   DIR      all regular files in it and in its folders (NAMES_DEPTH_MAX), hidden ones apart; links
 *            to folders are not gone into, so that none is gone into twice. A name that ends with
 *            "/" is one that need not be there yet
 *
 * and loggers make others of it, siblings: what L was renamed, copied or compressed to. Those are
 * not followed for themselves, but looked at for what of L they have that was not read (family.h).
 * They are beside L, or in a folder there whose name is a usual one for them: old, olddir, archive,
 * archives, archived, backup, backups, history, rotated, or a date.
 *
 * A name is looked at as text, never at what is there under it (names_new apart, which has to know
 * what is a folder).
 */
#ifndef LOGMILL_FOLLOW_NAMES_H
#define LOGMILL_FOLLOW_NAMES_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"

enum {
    NAMES_DEPTH_MAX = 16,      /* folders under a DIR or for a "**" */
    NAMES_PATTERNS_MAX = 1000, /* PATTERNs and DIRs */
    NAMES_FILES_MAX = 100000,  /* FILEs */
};

enum name_kind {
    NAME_NONE,    /* nothing of ours */
    NAME_LIVE,    /* a file that is to be followed */
    NAME_SIBLING, /* what one of those may have become */
    NAME_FOLDER,  /* to be looked into and watched */
};

struct names;

/*
 * `given`: as on the command line. `excluded`: patterns (fnmatch(3)) of what is never meant, not
 * even as a FILE or a sibling: of base names, of files and folders; one with a "/" in it: of whole
 * paths. Returns NULL with `err` set: too many, or not to be understood. Paths are made absolute.
 */
struct names *names_new(const char *const *given, int given_len, const char *const *excluded,
                        int excluded_len, struct errbuf *err);
void names_free(struct names *n);

/*
 * What the path (absolute) of an entry is; is_folder: it is a directory, not a link to one.
 * *pattern: by which of those given (its index; also of a sibling, whose live name is or would be
 * of it). A live name that is given as FILE is told apart by *is_exact; a sibling's is that of its
 * live name.
 *
 * Names that are none: of locks, of what is being made (*.tmp, *.gz.tmp, *.swp, L.rotate.N), of
 * loggers' own notes (".<hash>-audit.json", "state", "lock", "config" of a svlogd), of what is no
 * text (wtmp, *.journal) or compressed in a way that cannot be read (*.bz2, *.zip); unless a FILE
 * is called so, or a PATTERN ends like that. What is compressed in another way is a sibling at
 * most, unless it is a FILE.
 */
enum name_kind names_kind(const struct names *n, const char *path, bool is_folder, int *pattern,
                          bool *is_exact);

/*
 * The live name `link` is a link that leads to `target` (absolute) now: so what is of the target's
 * family is of this name's, and a sibling (winston's, pino-roll's and others' "current.log" leads
 * to the next numbered or dated name each time; a container's name in /var/log/containers to a file
 * that is rotated elsewhere). The target's folder is for the caller to watch. NULL: it leads
 * nowhere any more, and is forgotten.
 */
void names_set_target(struct names *n, const char *link, const char *target);

/*
 * The family that a live file or a sibling is of: "/var/log/app.log" of app.log, app.log.1,
 * app.log-20261128.gz, app-2026-11-28.log, app.2026-11-28.log.zst: the FILE whose sibling it is;
 * for what a pattern or a folder has found, the name without its numbers, dates and endings of
 * compression. A number in a word (app2.log) or between words (postgresql-15-main.log), that of a
 * port (redis-6379.log) and an address (10.0.0.1.log) are of the name. For multilog, svlogd and
 * s6-log: current, previous and @… of one folder. Appended without an end.
 */
void names_family(const struct names *n, const char *path, struct buffer *family);

/*
 * True if `sibling` may be what the live file of path `live` became: a number, a date or an ending
 * of compression was added to its name, and nothing taken away.
 */
bool names_is_sibling(const char *live, const char *sibling);

/* Calls folder() for each folder that is to be watched, whether it is there or not, and is so for
 * sure: the fixed beginning of each pattern. */
void names_folders(const struct names *n, void (*folder)(const char *path, void *ctx), void *ctx);

#endif
