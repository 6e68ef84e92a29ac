#include "program/backup_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/byte_order.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "sqlite/db.h"

enum {
    BLOCK_BYTES = 512, /* tar's; a member is filled up to a multiple of it */
    END_BYTES = 2 * BLOCK_BYTES,
    PIECE_BYTES = 1 << 20, /* read and written at a time */
    SHA256_BYTES = 32,
    SUM_BYTES = 2 * SHA256_BYTES + 2, /* of a line of SHA256SUMS, before the name */
    TEXT_MAX = 64 * 1024,             /* of the members that are text */
};

static const char first_name[] = "logmill-backup";
static const char first_line[] = "logmill backup ";
static const char sums_name[] = "SHA256SUMS";

/* A member's head, https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, "ustar". */
struct head {
    char name[BACKUP_ARCHIVE_NAME_MAX];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char device[16];
    char prefix[155];
    char rest[12];
};

_Static_assert(sizeof(struct head) == BLOCK_BYTES, "a head is a block");

/* ---- Heads ---- */

/* The sum of a head's bytes, those of its checksum taken as spaces. */
static unsigned sum_of(const struct head *h)
{
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;

    for (size_t i = 0; i < sizeof(*h); i++) {
        size_t at = offsetof(struct head, checksum);

        sum += i >= at && i < at + sizeof(h->checksum) ? ' ' : bytes[i];
    }
    return sum;
}

/* What has no room as octal digits is a binary number, by a bit that no digit has (GNU, star, bsd).
 */
static void put_size(struct head *h, uint64_t size)
{
    if (size < UINT64_C(1) << 33) {
        snprintf(h->size, sizeof(h->size), "%011llo", (unsigned long long)size);
        return;
    }
    memset(h->size, 0, sizeof(h->size));
    h->size[0] = (char)0x80;
    byte_order_put64(h->size + sizeof(h->size) - 8, size);
}

static int get_size(const struct head *h, uint64_t *size)
{
    if ((unsigned char)h->size[0] == 0x80) {
        *size = byte_order_get64(h->size + sizeof(h->size) - 8);
        return *size > INT64_MAX ? LM_EIO : 0;
    }
    *size = 0;
    for (int i = 0; i < 11; i++) {
        if (h->size[i] < '0' || h->size[i] > '7')
            return LM_EIO;
        *size = *size * 8 + (uint64_t)(h->size[i] - '0');
    }
    return 0;
}

static void make_head(struct head *h, const char *name, uint64_t size)
{
    *h = (struct head){.mode = "0000600", .uid = "0000000", .gid = "0000000", .type = '0'};
    memcpy(h->name, name, strlen(name));
    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    put_size(h, size);
    snprintf(h->mtime, sizeof(h->mtime), "%011llo", (unsigned long long)time(NULL));
    snprintf(h->checksum, sizeof(h->checksum), "%06o", sum_of(h));
    h->checksum[7] = ' ';
}

/* ---- The file ---- */

struct file {
    int fd;
    const char *path;
};

static int fail_errno(struct errbuf *err, const char *what, const char *path)
{
    int error = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? LM_EFULL : LM_EIO;

    return errbuf_fail(err, error, "cannot %s %s: %s", what, path, strerror(errno));
}

static int write_all(int fd, const char *path, const char *data, size_t len, struct errbuf *err)
{
    while (len > 0) {
        ssize_t n = fault_here(FAULT_WRITE) ? -1 : write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, "write", path);
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int put(struct backup_archive *a, const void *data, size_t len, struct errbuf *err)
{
    a->bytes += len;
    return write_all(a->fd, a->path, data, len, err);
}

/* Fills up the last block of a member of `size` bytes. */
static int put_padding(struct backup_archive *a, uint64_t size, struct errbuf *err)
{
    static const char zeroes[BLOCK_BYTES];

    return put(a, zeroes, (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES, err);
}

/* Reads `len` bytes, or fewer at the end of the file; -1: told. */
static ssize_t read_up_to(int fd, const char *path, void *data, size_t len, struct errbuf *err)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(fd, (char *)data + got, len - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_errno(err, "read", path);
            return -1;
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int get(struct backup_archive *a, void *data, size_t len, struct errbuf *err)
{
    ssize_t n = read_up_to(a->fd, a->path, data, len, err);

    if (n < 0)
        return LM_EIO;
    return (size_t)n == len ? 0 : errbuf_fail(err, LM_EIO, "%s is cut: it ends too early", a->path);
}

/* Skips what fills up the last block of a member. */
static int get_padding(struct backup_archive *a, uint64_t size, struct errbuf *err)
{
    char block[BLOCK_BYTES];

    return get(a, block, (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES, err);
}

/* ---- Checksums ---- */

static EVP_MD_CTX *start_hash(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();

    if (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1)
        return hash;
    EVP_MD_CTX_free(hash);
    return NULL;
}

/* Adds the line of `name` to the sums; frees `hash`. */
static int note_hash(struct backup_archive *a, EVP_MD_CTX *hash, const char *name)
{
    unsigned char digest[SHA256_BYTES];
    bool good = EVP_DigestFinal_ex(hash, digest, NULL) == 1;

    EVP_MD_CTX_free(hash);
    for (int i = 0; i < SHA256_BYTES; i++)
        buffer_appendf(&a->sums, "%02x", digest[i]);
    buffer_appendf(&a->sums, "  %s\n", name);
    return good ? buffer_error(&a->sums) : LM_ENOMEM;
}

static int note_text(struct backup_archive *a, const char *name, const char *text, size_t len,
                     struct errbuf *err)
{
    EVP_MD_CTX *hash = start_hash();

    if (hash && EVP_DigestUpdate(hash, text, len) == 1 && note_hash(a, hash, name) == 0)
        return 0;
    return errbuf_fail(err, LM_ENOMEM, "no memory left");
}

/* Moves `size` bytes, and notes their sum as that of `name`. */
static int move_bytes(struct backup_archive *a, const char *name, uint64_t size, struct file from,
                      struct file to, struct errbuf *err)
{
    EVP_MD_CTX *hash = start_hash();
    char *piece = try_malloc(PIECE_BYTES);
    int error = 0;

    if (!hash || !piece)
        error = errbuf_fail(err, LM_ENOMEM, "no memory left");
    for (uint64_t left = size; !error && left > 0;) {
        size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        ssize_t n = read_up_to(from.fd, from.path, piece, len, err);

        if (n < 0)
            error = LM_EIO;
        else if ((size_t)n < len)
            error = errbuf_fail(err, LM_EIO, "%s is cut: it ends too early", from.path);
        else if (EVP_DigestUpdate(hash, piece, len) != 1)
            error = errbuf_fail(err, LM_ENOMEM, "no memory left");
        else
            error = write_all(to.fd, to.path, piece, len, err);
        left -= len;
    }
    free(piece);
    if (error)
        EVP_MD_CTX_free(hash);
    return error ? error : note_hash(a, hash, name);
}

/* ---- Writing ---- */

static int make_file(char name[PATH_MAX], const char *path, const char *kind, struct errbuf *err)
{
    int n = snprintf(name, PATH_MAX, "%s.%s-XXXXXX", path, kind);

    if (n < 0 || n >= PATH_MAX) {
        name[0] = '\0';
        return errbuf_fail(err, LM_EINVAL, "the path is longer than %d bytes", PATH_MAX - 1);
    }
    int fd = mkostemp(name, O_CLOEXEC); /* mode 0600 */
    if (fd >= 0)
        return fd;
    int error = fail_errno(err, "make", name);
    name[0] = '\0';
    return error;
}

static int put_text(struct backup_archive *a, const char *name, struct slice text,
                    struct errbuf *err)
{
    struct head head;
    int error;

    make_head(&head, name, text.len);
    if ((error = put(a, &head, sizeof(head), err)) || (error = put(a, text.data, text.len, err)))
        return error;
    return put_padding(a, text.len, err);
}

int backup_archive_create(struct backup_archive *a, const char *path, struct errbuf *err)
{
    char made[TIMESTAMP_TEXT_LEN + 1] = {0};
    char text[128];
    struct stat status;

    *a = (struct backup_archive){.fd = -1, .path = path};
    buffer_init(&a->sums, TEXT_MAX);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return errbuf_fail(err, LM_EINVAL, "%s is there, and is no file", path);
    a->fd = make_file(a->part, path, "part", err);
    if (a->fd < 0)
        return a->fd;
    timestamp_format(clock_wall_us(), made);
    int len = snprintf(text, sizeof(text), "%s%d\nmade %s by logmill %s\n", first_line,
                       BACKUP_ARCHIVE_VERSION, made, LOGMILL_VERSION);
    int error = note_text(a, first_name, text, (size_t)len, err);
    return error ? error : put_text(a, first_name, slice_of(text, (size_t)len), err);
}

int backup_archive_scratch(const struct backup_archive *a, char scratch[PATH_MAX],
                           struct errbuf *err)
{
    int fd = make_file(scratch, a->path, "copy", err);

    return fd < 0 ? fd : close(fd);
}

int backup_archive_add_file(struct backup_archive *a, const char *name, const char *from,
                            struct errbuf *err)
{
    struct stat status;
    struct head head;
    int error;
    int fd = open(from, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status)) {
        error = fail_errno(err, "open", from);
        goto out;
    }
    make_head(&head, name, (uint64_t)status.st_size);
    if ((error = put(a, &head, sizeof(head), err)) ||
        (error = move_bytes(a, name, (uint64_t)status.st_size, (struct file){fd, from},
                            (struct file){a->fd, a->path}, err)))
        goto out;
    a->bytes += (uint64_t)status.st_size;
    error = put_padding(a, (uint64_t)status.st_size, err);
out:
    if (fd >= 0)
        close(fd);
    return error;
}

int backup_archive_finish_writing(struct backup_archive *a, struct errbuf *err)
{
    static const char end[END_BYTES];
    int error;

    if ((error = put_text(a, sums_name, buffer_slice(&a->sums), err)) ||
        (error = put(a, end, sizeof(end), err)))
        return error;
    if (fault_here(FAULT_SYNC) || fsync(a->fd))
        return fail_errno(err, "sync", a->part);
    if (rename(a->part, a->path))
        return fail_errno(err, "name", a->path);
    a->part[0] = '\0';
    return sqlite_db_sync_parent(a->path, err);
}

/* ---- Reading ---- */

/* The head of the next member: its name and size. */
static int get_head(struct backup_archive *a, char name[BACKUP_ARCHIVE_NAME_MAX + 1],
                    uint64_t *size, struct errbuf *err)
{
    struct head head;
    int error = get(a, &head, sizeof(head), err);

    if (error)
        return error;
    if (memcmp(head.magic, "ustar", 5) != 0 || head.type != '0' || head.prefix[0] ||
        strtoul(head.checksum, NULL, 8) != sum_of(&head) || get_size(&head, size))
        return errbuf_fail(err, LM_EIO, "%s is damaged: what should be the head of a file is none",
                           a->path);
    memcpy(name, head.name, BACKUP_ARCHIVE_NAME_MAX);
    name[BACKUP_ARCHIVE_NAME_MAX] = '\0';
    return 0;
}

/* The text of a member of `size` bytes; the caller frees it. */
static int get_text(struct backup_archive *a, uint64_t size, char **text, struct errbuf *err)
{
    *text = NULL;
    if (size > TEXT_MAX) {
        errbuf_fail(err, LM_EIO, "%s is damaged: a text in it is too long", a->path);
        return LM_EIO; /* said here, for the analyser */
    }
    *text = xcalloc(1, (size_t)size + 1);
    int error = get(a, *text, (size_t)size, err);
    return error ? error : get_padding(a, size, err);
}

static int check_first(struct backup_archive *a, const char *text, size_t len, struct errbuf *err)
{
    if (strncmp(text, first_line, strlen(first_line)) != 0)
        return errbuf_fail(err, LM_EINVAL, "%s is no backup made by logmill", a->path);
    if (strtol(text + strlen(first_line), NULL, 10) != BACKUP_ARCHIVE_VERSION)
        return errbuf_fail(err, LM_EINVAL,
                           "%s was made by a newer logmill: it begins with \"%.*s\", and this "
                           "program knows \"%s%d\"",
                           a->path, (int)strcspn(text, "\n"), text, first_line,
                           BACKUP_ARCHIVE_VERSION);
    return note_text(a, first_name, text, len, err);
}

int backup_archive_open(struct backup_archive *a, const char *path, struct errbuf *err)
{
    char name[BACKUP_ARCHIVE_NAME_MAX + 1];
    struct stat status;
    uint64_t size = 0;
    char *text = NULL;

    *a = (struct backup_archive){.fd = -1, .path = path};
    buffer_init(&a->sums, TEXT_MAX);
    a->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (a->fd < 0)
        return fail_errno(err, "open", path);
    if (fstat(a->fd, &status) == 0 && S_ISDIR(status.st_mode))
        return errbuf_fail(err, LM_EINVAL, "%s is a directory, and no backup made by logmill",
                           path);
    if (get_head(a, name, &size, NULL) || strcmp(name, first_name) != 0)
        return errbuf_fail(err, LM_EINVAL, "%s is no backup made by logmill", path);
    int error = get_text(a, size, &text, err);
    if (!error)
        error = check_first(a, text, (size_t)size, err);
    free(text);
    return error;
}

int backup_archive_next_file(struct backup_archive *a, char name[BACKUP_ARCHIVE_NAME_MAX + 1],
                             uint64_t *size, struct errbuf *err)
{
    int error = get_head(a, name, size, err);

    if (error || strcmp(name, sums_name) != 0)
        return error;
    a->sums_bytes = *size;
    return LM_ENOTFOUND;
}

int backup_archive_extract(struct backup_archive *a, const char *name, uint64_t size,
                           const char *to, struct errbuf *err)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail_errno(err, "make", to);
    fault_name_made(to);
    int error =
        move_bytes(a, name, size, (struct file){a->fd, a->path}, (struct file){fd, to}, err);
    if (!error)
        error = get_padding(a, size, err);
    if (!error && (fault_here(FAULT_SYNC) || fsync(fd)))
        error = fail_errno(err, "sync", to);
    if (close(fd) && !error)
        error = fail_errno(err, "write", to);
    return error;
}

/* The name of the first file whose line of our sums is not so in `sums`, and its length. */
static const char *find_damaged(const struct backup_archive *a, const char *sums, int *len)
{
    const char *line = a->sums.data;
    size_t line_len = strcspn(line, "\n") + 1;

    while (line[line_len] && strncmp(line, sums + (line - a->sums.data), line_len) == 0) {
        line += line_len;
        line_len = strcspn(line, "\n") + 1;
    }
    *len = (int)(line_len - 1 - SUM_BYTES);
    return line + SUM_BYTES;
}

int backup_archive_finish_reading(struct backup_archive *a, struct errbuf *err)
{
    static const char zeroes[END_BYTES];
    char end[END_BYTES];
    char *sums;
    int len;
    int error = get_text(a, a->sums_bytes, &sums, err);

    if (!error)
        error = get(a, end, sizeof(end), err);
    buffer_append_char(&a->sums, '\0');
    if (!error)
        error = buffer_error(&a->sums);
    if (!error && strcmp(sums, a->sums.data) != 0) {
        const char *name = find_damaged(a, sums, &len);

        error = errbuf_fail(err, LM_EIO, "%s is damaged: its %.*s is not what was written to it",
                            a->path, len, name);
    } else if (!error && memcmp(end, zeroes, END_BYTES) != 0) {
        error = errbuf_fail(err, LM_EIO, "%s is damaged at its end", a->path);
    }
    free(sums);
    return error;
}

void backup_archive_abandon(struct backup_archive *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    if (a->part[0])
        unlink(a->part);
    a->part[0] = '\0';
    buffer_release(&a->sums);
}
