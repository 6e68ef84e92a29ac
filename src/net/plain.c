#include "net/plain.h"

#include <stdint.h>
#include <sys/socket.h>

static ssize_t plain_read(struct transport *t, void *data, size_t len)
{
    return recv(t->fd, data, len, 0);
}

static ssize_t plain_write(struct transport *t, const struct iovec *pieces, int pieces_len)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                         .msg_iovlen = (size_t)pieces_len};

    if (pieces_len == 1)
        return send(t->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    return sendmsg(t->fd, &msg, MSG_NOSIGNAL);
}

static size_t plain_pending(const struct transport *t)
{
    return 0;
}

static int plain_wants(const struct transport *t, int events)
{
    return events;
}

const struct transport_ops plain_transport = {
    .read = plain_read, .write = plain_write, .pending = plain_pending, .wants = plain_wants};
