#include "cli/courier.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"

struct courier {
    struct dispatch *dispatch;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct parcel *parcel; /* set by the thread that fills it, which may look without the lock */
    bool is_done;          /* it has been dealt with: `error` */
    bool is_over;          /* the thread ends */
    int error;
    int fd;
};

static void deliver(struct courier *c)
{
    static const uint64_t one = 1;
    struct parcel *p = c->parcel;

    pthread_mutex_unlock(&c->lock);
    int error = dispatch_send(c->dispatch, p);
    parcel_clear(p);
    pthread_mutex_lock(&c->lock);
    c->error = error;
    c->is_done = true;
    ssize_t n = write(c->fd, &one, sizeof(one));
    (void)n; /* where it fails the eventfd is readable already */
}

static void *run(void *arg)
{
    struct courier *c = arg;

    pthread_mutex_lock(&c->lock);
    while (!c->is_over) {
        if (c->parcel && !c->is_done)
            deliver(c);
        else
            pthread_cond_wait(&c->wake, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Starts the thread with all signals blocked, so that they come to the caller's. */
static int start(struct courier *c)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct courier *courier_new(struct dispatch *d, struct errbuf *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        errbuf_set(err, "no eventfd: %s", strerror(errno));
        return NULL;
    }
    struct courier *c = xcalloc(1, sizeof(*c));
    c->dispatch = d;
    c->fd = fd;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    if (start(c) == 0)
        return c;
    errbuf_set(err, "cannot start a thread");
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    close(fd);
    free(c);
    return NULL;
}

void courier_free(struct courier *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->is_over = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    close(c->fd);
    free(c);
}

int courier_fd(const struct courier *c)
{
    return c->fd;
}

bool courier_is_out(const struct courier *c)
{
    return c->parcel;
}

void courier_send(struct courier *c, struct parcel *p)
{
    pthread_mutex_lock(&c->lock);
    c->parcel = p;
    c->is_done = false;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

struct parcel *courier_take(struct courier *c, int *error)
{
    struct parcel *p = NULL;
    uint64_t count;
    ssize_t n = read(c->fd, &count, sizeof(count));

    (void)n; /* nothing to read: nobody has woken us */
    pthread_mutex_lock(&c->lock);
    if (c->parcel && c->is_done) {
        p = c->parcel;
        *error = c->error;
        c->parcel = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    return p;
}
