/*
 * What loggers add to a name when they rotate: numbers, dates and times, words (old, bak), endings
 * of compression; and names that are of a file that is being made, or of no log at all. Of base
 * names, as text. Functions without a state; any thread.
 *
 * A stamp is a run of numbers that a separator (. - _ + : , ~ or a blank) parts from words:
 *
 *   dated    a year, a date in one piece, the name of a day or month ("Sat", "Nov"); and what goes
 *            on behind such a one ("…-20261128-1") or leads to a year ("11-28-2026"). It is a stamp
 *            wherever it stands, a date in one piece also right behind a word ("log20261128.txt")
 *   number   any other, and some words ("old"): a stamp only at the end, or before the last ending
 *            (".log"); and only behind a usual ending or a dot, with leading zeros, or of nine
 *            digits, since "worker-1.log" and "redis-6379.log" are names of their own. What is
 *            compressed, or beside a live file of the name without it, may also have up to three
 *            digits there ("app-1.log.gz" of log4j 2)
 */
#ifndef LOGMILL_FOLLOW_STEM_H
#define LOGMILL_FOLLOW_STEM_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

enum { STEM_NAME_MAX = 255 }; /* of a base name; a longer one is taken as it is */

enum stem_form {
    STEM_LOG,        /* nothing speaks against it */
    STEM_ARCHIVE,    /* ends with .gz, .zst, .xz */
    STEM_UNREADABLE, /* another compression */
    STEM_MAKING,     /* is being made, or locked */
    STEM_NOTE,       /* a logger's own notes, a file that is no text */
};

enum stem_form stem_form(struct slice base);

/* Appends the base name without its stamps: what all files of a family have in common. For
 * multilog, svlogd and s6-log: "current". */
void stem_family(struct slice base, struct buffer *family);

/*
 * Calls before() with each name that `base` may have had before something was put into it or added
 * (in one place, an ending of compression apart), until it returns true, and returns whether it
 * did. "app-2026-11-28.log.1.gz": app-2026-11-28.log.1, app-2026-11-28.log, app.log and parts of
 * the date. The text lives until before() returns.
 */
bool stem_before(struct slice base, bool (*before)(void *ctx, struct slice name), void *ctx);

/*
 * The length of the folder whose files' archives are in `folder`: its parent if it is called
 * archive, old and the like; what is before a date ("…/2026/11/28", "…/2026-11"); else its own.
 */
size_t stem_live_folder(struct slice folder);

#endif
