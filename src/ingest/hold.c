#include "ingest/hold.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/timerfd.h>

static int timer_new(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

static int timer_set(int fd, uint64_t us)
{
    struct itimerspec in = {
        .it_value = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}};

    return timerfd_settime(fd, 0, &in, NULL);
}
#else
static int timer_new(void)
{
    return -1;
}

static int timer_set(int fd, uint64_t us)
{
    return -1;
}
#endif

/* The expected did not come in time: what waits goes at the end of this round of the loop. */
static void on_time(uv_poll_t *handle, int status, int events)
{
    struct hold *h = handle->data;
    char count[8];
    ssize_t n = read(h->timer_fd, count, sizeof(count));

    (void)n; /* only to make it unreadable again */
    h->wake_us = 0;
    if (h->expected == 0)
        return; /* they all came, before the time */
    h->expected = 0;
    h->skips = h->penalty;
    h->penalty = h->penalty * 2 < HOLD_SKIPS_MAX ? h->penalty * 2 : HOLD_SKIPS_MAX;
}

int hold_init(struct hold *h, uv_loop_t *loop, struct errbuf *err)
{
    int status;

    *h = (struct hold){.timer_fd = timer_new(), .penalty = 1};
    if (h->timer_fd < 0)
        return 0;
    h->timer.data = h;
    status = uv_poll_init(loop, &h->timer, h->timer_fd);
    if (status) {
        close(h->timer_fd);
        return errbuf_fail(err, LM_EIO, "cannot watch a timer: %s", uv_strerror(status));
    }
    status = uv_poll_start(&h->timer, UV_READABLE, on_time);
    return status ? errbuf_fail(err, LM_EIO, "cannot watch a timer: %s", uv_strerror(status)) : 0;
}

void hold_answered(struct hold *h, size_t answered, size_t waiting)
{
    size_t us = (answered + waiting) * HOLD_US_EACH;

    h->expected = 0;
    if (h->timer_fd < 0 || answered + waiting < 2)
        return;
    if (h->skips > 0) {
        h->skips--;
        return;
    }
    h->wake_us = 0; /* who needs it asks again */
    if (timer_set(h->timer_fd, us < HOLD_US_MAX ? us : HOLD_US_MAX) == 0)
        h->expected = answered + waiting;
}

bool hold_applies(struct hold *h, size_t waiting)
{
    if (h->expected == 0)
        return false;
    if (waiting < h->expected)
        return true;
    h->expected = 0;
    h->penalty = 1;
    return false;
}

bool hold_wake(struct hold *h, uint64_t due_us, uint64_t now_us)
{
    if (h->timer_fd < 0)
        return false;
    if (h->expected > 0 || (h->wake_us > 0 && h->wake_us <= due_us))
        return true; /* it is woken sooner */
    if (timer_set(h->timer_fd, due_us > now_us ? due_us - now_us : 1))
        return false;
    h->wake_us = due_us;
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct hold *h = handle->data;

    close(h->timer_fd);
    h->closed(h);
}

void hold_close(struct hold *h, void (*closed)(struct hold *h))
{
    h->closed = closed;
    if (h->timer_fd < 0)
        closed(h);
    else
        uv_close((uv_handle_t *)&h->timer, on_closed);
}
