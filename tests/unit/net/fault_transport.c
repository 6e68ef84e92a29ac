#include "fault_transport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <uv.h>

static struct fault_plan plan;
static uint32_t state;
static unsigned calls;
static bool turned;
static char ahead[4096];
static size_t ahead_len;

void fault_transport_plan(const struct fault_plan *p)
{
    plan = *p;
    state = p->seed;
    calls = 0;
    turned = false;
    ahead_len = 0;
}

bool fault_transport_has_failed(void)
{
    return plan.fails_at > 0 && calls >= plan.fails_at;
}

/* 0 to n - 1 (xorshift). */
static size_t any_below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

/* False where the call is to fail, with errno set. `may_wait`: EAGAIN would be true. */
static bool goes_on(bool may_wait)
{
    calls++;
    errno = plan.error;
    if (fault_transport_has_failed())
        return false;
    errno = any_below(2) ? EINTR : EAGAIN;
    return !(may_wait && plan.hesitates && any_below(4) == 0);
}

static size_t cut(size_t len)
{
    return plan.pieces > 0 && len > 0 ? 1 + any_below(len < plan.pieces ? len : plan.pieces) : len;
}

static ssize_t fault_read(struct transport *t, void *data, size_t len)
{
    size_t n;

    if (!goes_on(ahead_len == 0))
        return -1;
    if (!plan.reads_ahead) {
        turned = plan.turns && any_below(2);
        return recv(t->fd, data, cut(len), 0);
    }
    if (ahead_len == 0) {
        ssize_t got = recv(t->fd, ahead, sizeof(ahead), 0);

        turned = plan.turns && any_below(2);
        if (got <= 0)
            return got;
        ahead_len = (size_t)got;
    }
    n = cut(len < ahead_len ? len : ahead_len);
    memcpy(data, ahead, n);
    ahead_len -= n;
    memmove(ahead, ahead + n, ahead_len);
    return (ssize_t)n;
}

static ssize_t fault_write(struct transport *t, const struct iovec *pieces, int pieces_len)
{
    if (!goes_on(true))
        return -1;
    return send(t->fd, pieces[0].iov_base, cut(pieces[0].iov_len), MSG_NOSIGNAL);
}

static size_t fault_pending(const struct transport *t)
{
    return ahead_len;
}

static int fault_wants(const struct transport *t, int events)
{
    if (turned && (events & UV_READABLE))
        return (events & ~UV_READABLE) | UV_WRITABLE;
    return events;
}

const struct transport_ops fault_transport = {
    .read = fault_read, .write = fault_write, .pending = fault_pending, .wants = fault_wants};
