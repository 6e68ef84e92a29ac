#include "net/given_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/byte_order.h"
#include "base/xalloc.h"

enum {
    NUMBERS_BYTES = 8 + 8 + 1 + 1 + 4, /* of an entry */
    TABLE_MAX = 1 << 30
};

static const struct slice heading = {.data = "logmill sockets 1\n", .len = 18};

/* ---- Writing ---- */

/* In pieces of a buffer, so that no second copy of all states is made. */
static int write_all(int fd, struct buffer *piece)
{
    size_t done = 0;

    while (done < piece->len) {
        ssize_t n = write(fd, piece->data + done, piece->len - done);

        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    buffer_clear(piece);
    return 0;
}

static void put_numbers(const struct given_socket *s, struct buffer *piece)
{
    char numbers[NUMBERS_BYTES];
    char *at = numbers;

    at = byte_order_put64(at, s->device);
    at = byte_order_put64(at, s->inode);
    *at++ = (char)s->is_held;
    *at++ = (char)strlen(s->name);
    byte_order_put32(at, (uint32_t)s->state.len);
    buffer_append(piece, numbers, sizeof(numbers));
}

static int write_table(int fd, const struct given *g, struct buffer *piece)
{
    char count[4];
    uint32_t entries = 0;

    for (size_t i = 0; i < g->len; i++)
        entries += g->sockets[i].fd >= 0;
    byte_order_put32(count, entries);
    buffer_append_slice(piece, heading);
    buffer_append(piece, count, sizeof(count));
    for (size_t i = 0; i < g->len; i++) {
        const struct given_socket *s = &g->sockets[i];

        if (s->fd < 0)
            continue;
        put_numbers(s, piece);
        buffer_append_string(piece, s->name);
        buffer_append_slice(piece, buffer_slice(&s->state));
        if (buffer_error(piece) || write_all(fd, piece))
            return -1;
    }
    return write_all(fd, piece);
}

int given_table_write(const struct given *g, struct errbuf *err)
{
    int fd = memfd_create("logmill-sockets", MFD_CLOEXEC);
    struct buffer piece;
    int failed;

    if (fd < 0)
        return errbuf_fail(err, -1, "cannot make a file in memory: %s", strerror(errno));
    buffer_init(&piece, GIVEN_STATE_MAX + 4096);
    failed = write_table(fd, g, &piece);
    buffer_release(&piece);
    if (!failed)
        return fd;
    close(fd);
    return errbuf_fail(err, -1, "cannot write down the states of connections");
}

/* ---- Reading ---- */

/* Takes `n` bytes from the front of `rest`; NULL if there are fewer. */
static const char *take(struct slice *rest, size_t n)
{
    const char *at = rest->data;

    if (rest->len < n)
        return NULL;
    rest->data += n;
    rest->len -= n;
    return at;
}

static bool has_numbers(const struct given *g, size_t i, const char *numbers)
{
    return i < g->len && g->sockets[i].fd >= 0 &&
           g->sockets[i].device == byte_order_get64(numbers) &&
           g->sockets[i].inode == byte_order_get64(numbers + 8);
}

/* Both ways from where the last one was, since most often they come in order, or in the reverse. */
static struct given_socket *find(const struct given *g, const char *numbers, size_t *last)
{
    for (size_t away = 0; away <= g->len; away++) {
        for (int way = 0; way < 2; way++) {
            size_t i = way ? *last - away : *last + away; /* past either end: no index */

            if (!has_numbers(g, i, numbers))
                continue;
            *last = i;
            return &g->sockets[i];
        }
    }
    return NULL;
}

/* One entry. False: the table is cut off, or says what cannot be. */
static bool apply_one(struct given *g, struct slice *rest, size_t *last)
{
    const char *numbers = take(rest, NUMBERS_BYTES);

    if (!numbers)
        return false;
    size_t name_len = (unsigned char)numbers[17];
    size_t state_len = byte_order_get32(numbers + 18);
    const char *name = take(rest, name_len);
    const char *state = name ? take(rest, state_len) : NULL;
    if (!state || state_len > GIVEN_STATE_MAX || memchr(name, '\0', name_len))
        return false;

    struct given_socket *s = find(g, numbers, last);
    if (!s)
        return true;
    memcpy(s->name, name, name_len);
    s->name[name_len] = '\0';
    s->is_held = numbers[16] != 0;
    buffer_clear(&s->state);
    buffer_append(&s->state, state, state_len);
    return buffer_error(&s->state) == 0;
}

int given_table_apply(struct given *g, struct slice table, struct errbuf *err)
{
    const char *start = take(&table, heading.len);
    const char *count = start ? take(&table, 4) : NULL;
    size_t last = 0;

    if (!count || memcmp(start, heading.data, heading.len) != 0)
        return errbuf_fail(err, LM_EINVAL, "what came with the sockets is no table of them");
    for (uint32_t i = byte_order_get32(count); i > 0; i--)
        if (!apply_one(g, &table, &last))
            return errbuf_fail(err, LM_EINVAL, "the table of sockets is cut off or damaged");
    if (table.len > 0)
        return errbuf_fail(err, LM_EINVAL, "the table of sockets is longer than it says");
    return 0;
}

int given_table_read(struct given *g, int fd, struct errbuf *err)
{
    struct stat status;
    size_t len = 0;

    if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size > TABLE_MAX)
        return errbuf_fail(err, LM_EINVAL, "what came with the sockets is no table of them");
    char *data = try_malloc(status.st_size > 0 ? (size_t)status.st_size : 1);
    if (!data)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the states of connections");
    while (len < (size_t)status.st_size) {
        ssize_t n = pread(fd, data + len, (size_t)status.st_size - len, (off_t)len);

        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    int error = given_table_apply(g, slice_of(data, len), err);
    free(data);
    return error;
}
