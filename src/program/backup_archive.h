/*
 * The file that `logmill backup` writes: a tar archive (POSIX ustar), which every tar reads.
 *
 *   logmill-backup   text: "logmill backup 1", when it was made, and by which version
 *   queue.db         what there is of the files of DATA_DIR, each whole, without a -wal file
 *   logs.db
 *   SHA256SUMS       of all before it, as sha256sum(1) writes and checks them
 *
 * The number is that of the format: who changes it so that older programs must not read it raises
 * BACKUP_ARCHIVE_VERSION. What comes after the end of the archive is not read.
 *
 * Writing: a file beside the one that is asked for takes its name when all of it is on the disk, so
 * that there is a whole archive under that name or what was there before. Reading: nothing that
 * backup_archive_next_file has extracted may be used before backup_archive_finish_reading has
 * returned 0.
 */
#ifndef LOGMILL_PROGRAM_BACKUP_ARCHIVE_H
#define LOGMILL_PROGRAM_BACKUP_ARCHIVE_H

#include <limits.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"

enum { BACKUP_ARCHIVE_VERSION = 1, BACKUP_ARCHIVE_NAME_MAX = 100 };

struct backup_archive {
    int fd;              /* -1: none */
    const char *path;    /* as the caller gave it; must outlive the archive */
    char part[PATH_MAX]; /* what is written to until it is whole; "" when reading */
    struct buffer sums;  /* SHA256SUMS so far */
    uint64_t bytes;      /* written */
    uint64_t sums_bytes; /* of the SHA256SUMS that is to be read */
};

/* Begins an archive that will be `path`. After an error of any of these call
 * backup_archive_abandon. */
int backup_archive_create(struct backup_archive *a, const char *path,
                          struct errbuf *err) LM_MUST_CHECK;

/* A name, in the folder of `path`, for a file that is in the way of nobody; it is there, empty. */
int backup_archive_scratch(const struct backup_archive *a, char scratch[PATH_MAX],
                           struct errbuf *err) LM_MUST_CHECK;

/* Puts the file `from` into it, as `name`. */
int backup_archive_add_file(struct backup_archive *a, const char *name, const char *from,
                            struct errbuf *err) LM_MUST_CHECK;

/* Ends it: when this has returned 0, the archive is at `path`, and on the disk. */
int backup_archive_finish_writing(struct backup_archive *a, struct errbuf *err) LM_MUST_CHECK;

/*
 * Opens the archive `path` and reads its first member: LM_EINVAL if it is no backup of logmill's,
 * or one of a newer format.
 */
int backup_archive_open(struct backup_archive *a, const char *path,
                        struct errbuf *err) LM_MUST_CHECK;

/*
 * The next file: 0 with its `name`, LM_ENOTFOUND if SHA256SUMS follows, or LM_EIO if the archive
 * is damaged or cut. `*size` bytes follow, for backup_archive_extract.
 */
int backup_archive_next_file(struct backup_archive *a, char name[BACKUP_ARCHIVE_NAME_MAX + 1],
                             uint64_t *size, struct errbuf *err) LM_MUST_CHECK;

/* Writes the `size` bytes of the file `name` to the new file `to`, and syncs it. */
int backup_archive_extract(struct backup_archive *a, const char *name, uint64_t size,
                           const char *to, struct errbuf *err) LM_MUST_CHECK;

/* Compares all that was read with SHA256SUMS, after backup_archive_next_file has returned
 * LM_ENOTFOUND. */
int backup_archive_finish_reading(struct backup_archive *a, struct errbuf *err) LM_MUST_CHECK;

/* Closes it, and removes what was written if it has not been finished. Twice does no harm. */
void backup_archive_abandon(struct backup_archive *a);

#endif
