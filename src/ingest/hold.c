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

static int timer_set(int fd, size_t us)
{
    struct itimerspec in = {.it_value = {.tv_nsec = (long)us * 1000}};

    return timerfd_settime(fd, 0, &in, NULL);
}
#else
static int timer_new(void)
{
    return -1;
}

static int timer_set(int fd, size_t us)
{
    return -1;
}
#endif

/* The expected did not come in time: what waits goes at the end of this round of the loop. */
static void on_time(uv_poll_t *handle, int status, int events)
{
    struct gather *g = handle->data;
    char count[8];
    ssize_t n = read(g->timer_fd, count, sizeof(count));

    (void)n; /* only to make it unreadable again */
    if (g->expected == 0)
        return; /* they all came, before the time */
    g->expected = 0;
    g->skips = g->penalty;
    g->penalty = g->penalty * 2 < GATHER_SKIPS_MAX ? g->penalty * 2 : GATHER_SKIPS_MAX;
}

int gather_init(struct gather *g, uv_loop_t *loop, struct errbuf *err)
{
    int status;

    *g = (struct gather){.timer_fd = timer_new(), .penalty = 1};
    if (g->timer_fd < 0)
        return 0;
    g->timer.data = g;
    status = uv_poll_init(loop, &g->timer, g->timer_fd);
    if (status) {
        close(g->timer_fd);
        return errbuf_fail(err, LM_EIO, "cannot watch a timer: %s", uv_strerror(status));
    }
    status = uv_poll_start(&g->timer, UV_READABLE, on_time);
    return status ? errbuf_fail(err, LM_EIO, "cannot watch a timer: %s", uv_strerror(status)) : 0;
}

void gather_answered(struct gather *g, size_t answered, size_t waiting)
{
    size_t us = (answered + waiting) * GATHER_US_EACH;

    g->expected = 0;
    if (g->timer_fd < 0 || answered + waiting < 2)
        return;
    if (g->skips > 0) {
        g->skips--;
        return;
    }
    if (timer_set(g->timer_fd, us < GATHER_US_MAX ? us : GATHER_US_MAX) == 0)
        g->expected = answered + waiting;
}

bool gather_holds(struct gather *g, size_t waiting)
{
    if (g->expected == 0)
        return false;
    if (waiting < g->expected)
        return true;
    g->expected = 0;
    g->penalty = 1;
    return false;
}

static void on_closed(uv_handle_t *handle)
{
    struct gather *g = handle->data;

    close(g->timer_fd);
    g->closed(g);
}

void gather_close(struct gather *g, void (*closed)(struct gather *g))
{
    g->closed = closed;
    if (g->timer_fd < 0)
        closed(g);
    else
        uv_close((uv_handle_t *)&g->timer, on_closed);
}
