#include "program/restart.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "diag/diag.h"
#include "net/hand_over.h"
#include "program/data_dir.h"
#include "program/ports.h"

enum { LOCK_RETRY_MS = 20 };

/* Besides SHUTDOWN_TIMEOUT, for a peer that has that, too. */
enum { PATIENCE_MS = 5000 };

static const char *const lock_roles[] = {"api", "worker"};

static unsigned limit_ms(const struct restart *r)
{
    return (unsigned)r->config->shutdown_timeout * 1000 + PATIENCE_MS;
}

/* ---- Beginning ---- */

int restart_begin(struct restart *r, const struct config *config, unsigned roles,
                  const char *place_name, struct errbuf *err)
{
    sigset_t signals;

    *r = (struct restart){.config = config,
                          .roles = roles,
                          .place_name = place_name,
                          .signals = -1,
                          .place = -1,
                          .peer = -1};
    /* Blocked here, before any thread is started, so that only restart_wait gets them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    notify_init(&r->notify);

    int error = given_from_environment(&r->given, err);
    if (error)
        return error;
    r->is_restored = notify_unstore(&r->given);
    r->signals = signalfd(-1, &signals, SFD_CLOEXEC);
    return r->signals < 0 ? errbuf_fail(err, LM_EUNAVAILABLE, "cannot wait for signals") : 0;
}

/* ---- Taking over ---- */

int restart_take_over(struct restart *r, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    int peer, error;

    if (!r->config->take_over || r->place >= 0) /* which is this process's own place by now */
        return 0;
    if (!ports_need_data_dir(r->config))
        return errbuf_fail(err, LM_EINVAL,
                           "--take-over: the running process is found by DATA_DIR, which is not "
                           "used with this queue and this store");
    peer = hand_over_ask(r->config->data_dir, r->place_name, r->roles, limit_ms(r), &reason);
    if (peer == LM_ENOTFOUND) {
        diag(DIAG_INFO, "--take-over: no logmill runs here that could be asked");
        return 0;
    }
    if (peer < 0)
        return errbuf_fail(err, LM_EUNAVAILABLE, "--take-over: %s", reason.text);
    error = hand_over_receive(peer, &r->given, limit_ms(r), &reason);
    if (!error) {
        r->peer = peer;
        diag(DIAG_INFO, "taking over", DIAG_INT("descriptors", (int64_t)r->given.len));
        return 0;
    }
    close(peer);
    if (error != LM_ENOTFOUND)
        return errbuf_fail(err, error, "--take-over: %s", reason.text);
    diag(DIAG_WARN, "the process to be taken over has ended before: its sockets are lost");
    r->awaits_locks = true;
    return 0;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

int restart_lock(struct restart *r, const char *role, struct errbuf *err)
{
    const char *dir = r->config->data_dir;
    uint64_t until_us = clock_monotonic_us() + (uint64_t)limit_ms(r) * 1000;
    char name[32];
    int fd;

    snprintf(name, sizeof(name), "%s.lock", role);
    fd = given_take_other(&r->given, name);
    if (fd >= 0)
        return data_dir_keep_lock(dir, role, fd, err);
    while ((fd = data_dir_lock(dir, role, err)) == LM_ELOCKED && r->awaits_locks &&
           clock_monotonic_us() < until_us)
        pause_ms(LOCK_RETRY_MS);
    return fd;
}

int restart_taken(struct restart *r, struct errbuf *err)
{
    int error = 0;

    if (r->peer >= 0) {
        error = hand_over_taken(r->peer, limit_ms(r), err);
        if (!error) {
            close(r->peer);
            r->peer = -1;
        }
    }
    if (!error && r->is_restored)
        notify_forget(&r->notify);
    return error;
}

void restart_ready(struct restart *r)
{
    struct errbuf err = ERRBUF_INIT;

    given_release(&r->given); /* what is used has been taken out */
    r->is_restored = false;
    if (ports_need_data_dir(r->config) && r->place < 0) {
        r->place = hand_over_listen(r->config->data_dir, r->place_name, &err);
        if (r->place < 0)
            diag(DIAG_WARN, "no other process can take over from this one",
                 DIAG_STR("reason", err.text));
    }
    notify_say(&r->notify, "READY=1");
}

/* ---- Handing over ---- */

static void tell_signal(struct restart *r)
{
    struct signalfd_siginfo info = {0};
    sigset_t all;

    if (read(r->signals, &info, sizeof(info)) != sizeof(info))
        info.ssi_signo = SIGTERM;
    sigemptyset(&all);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL); /* a second one is not waited for */
    diag(DIAG_INFO, "stopping", DIAG_STR("signal", strsignal((int)info.ssi_signo)));
    notify_say(&r->notify, "STOPPING=1");
    /* While the locks are this process's own: the next one makes that socket anew. */
    if (r->place >= 0)
        hand_over_leave(r->place, r->config->data_dir, r->place_name);
    r->place = -1;
}

int restart_wait(struct restart *r, void (*look)(void *ctx), void *ctx)
{
    for (;;) {
        struct pollfd polls[2] = {{.fd = r->signals, .events = POLLIN},
                                  {.fd = r->place, .events = POLLIN}};
        struct errbuf err = ERRBUF_INIT;
        int peer;

        int n = poll(polls, 2, look ? RESTART_LOOK_MS : -1);

        if (n == 0 && look)
            look(ctx);
        if (n <= 0)
            continue;
        if (polls[0].revents) {
            tell_signal(r);
            return -1;
        }
        peer = hand_over_welcome(r->place, r->roles, r->signals, limit_ms(r), &err);
        if (peer >= 0)
            return peer;
        diag(DIAG_WARN, "a process came to take over, and did not", DIAG_STR("reason", err.text));
    }
}

/* Our descriptors of the locks stay open until all is closed that they guard. */
static void add_locks(struct restart *r, const int *locks)
{
    for (size_t i = 0; i < 2; i++) {
        char name[32];
        int fd = locks[i] > 0 ? fcntl(locks[i], F_DUPFD_CLOEXEC, 0) : -1;

        snprintf(name, sizeof(name), "%s.lock", lock_roles[i]);
        if (fd >= 0)
            given_add(&r->given, fd, name, false);
    }
}

int restart_hand_over(struct restart *r, int peer, const int locks[2], struct errbuf *err)
{
    int error;

    add_locks(r, locks);
    error = hand_over_send(peer, &r->given, limit_ms(r), err);
    if (!error)
        error = hand_over_finish(peer, limit_ms(r), err);
    close(peer);
    if (!error)
        given_release(&r->given);
    return !error || error == LM_ETIMEOUT ? error : LM_EUNAVAILABLE;
}

bool restart_is_awaited(const struct restart *r)
{
    return r->notify.store_max > 0;
}

void restart_store(struct restart *r)
{
    struct errbuf err = ERRBUF_INIT;

    if (notify_store(&r->notify, &r->given, &err))
        diag(DIAG_WARN, "connections could not be kept open for the next process",
             DIAG_STR("reason", err.text));
    given_release(&r->given);
}

void restart_end(struct restart *r)
{
    given_release(&r->given);
    if (r->signals >= 0)
        close(r->signals);
    if (r->place >= 0)
        close(r->place);
    if (r->peer >= 0)
        close(r->peer);
}
