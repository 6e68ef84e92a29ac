#include "cli/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_bool asked;
static int asked_fd = -1; /* readable for ever once it is asked; -1: nobody waits for it */
static int other_fd = -1;

static void make_readable(int fd)
{
    static const uint64_t one = 1;
    ssize_t n = fd >= 0 ? write(fd, &one, sizeof(one)) : 0;

    (void)n; /* where it fails the eventfd is readable already */
}

static void on_signal(int number)
{
    int saved = errno;

    atomic_store(&asked, true);
    make_readable(asked_fd);
    make_readable(other_fd);
    errno = saved;
}

void stop_catch_signals(int wake_fd)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    other_fd = wake_fd;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool stop_is_asked(void)
{
    return atomic_load(&asked);
}

void stop_wait(unsigned ms)
{
    struct pollfd stop = {.fd = stop_is_asked() ? -1 : asked_fd, .events = POLLIN};

    (void)poll(&stop, 1, (int)ms); /* cut short by a signal it only has waited for less */
}
