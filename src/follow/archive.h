/*
 * A file of logs read from its beginning to its end, whatever it is compressed with: gzip (several
 * members), zstd (several frames), xz. What it is tells its first bytes, never its name: svlogd's
 * archives have names of their own, and a name ends with .gz while nothing but its head is there.
 */
#ifndef LOGMILL_FOLLOW_ARCHIVE_H
#define LOGMILL_FOLLOW_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/errbuf.h"

struct archive;

enum archive_form { ARCHIVE_PLAIN, ARCHIVE_GZIP, ARCHIVE_ZSTD, ARCHIVE_XZ };

/* Returns NULL with `err` set if it cannot be opened. "-" is standard input. */
struct archive *archive_open(const char *name, struct errbuf *err);

/* The same of an open file, from its byte 0; the descriptor is the archive's from then on, in any
 * case. */
struct archive *archive_open_fd(int fd, struct errbuf *err);
void archive_close(struct archive *a);

/* When it was changed last, in microseconds since 1970; 0 for what is no regular file. */
int64_t archive_changed_us(const struct archive *a);

/* Known once something was read. */
enum archive_form archive_form(const struct archive *a);

/* What the first bytes of an open file, at least 6 or all that there are, say. */
enum archive_form archive_form_of(const char *data, size_t len);

/*
 * Reads up to `len` bytes. Returns how many; 0 at the end; LM_EIO; or LM_EDATA: it is broken, or
 * not whole (`archive_is_cut` tells: it may be being written still).
 */
ssize_t archive_read(struct archive *a, char *data, size_t len, struct errbuf *err);
bool archive_is_cut(const struct archive *a);

#endif
