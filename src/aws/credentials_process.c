/* credential_process: a program that prints credentials. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/credentials_sources.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "json/writer.h"

extern char **environ;

enum {
    TIMEOUT_MS = 60000,
    LOOK_MS = 200, /* how often to look whether to stop … */
    END_MS = 5,    /* … and whether it has ended, which comes soon after its output has */
};

/*
 * Starts `command` by the shell, as the SDKs do, in a process group of its own, without our
 * descriptors and blocked signals. What it says on stderr is dropped: nobody knows what is in it.
 * Returns 0 and the end of a pipe to read from, or LM_EUNAVAILABLE.
 */
static int start(const char *command, pid_t *pid, int *out, struct errbuf *err)
{
    char *const args[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int ends[2];
    int rc;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errbuf_fail(err, LM_EUNAVAILABLE, "credential_process: no pipe: %s",
                           strerror(errno));
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
    rc = posix_spawn(pid, "/bin/sh", &actions, &attributes, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (rc == 0) {
        *out = ends[0];
        return 0;
    }
    close(ends[0]);
    return errbuf_fail(err, LM_EUNAVAILABLE, "credential_process cannot be started: %s",
                       strerror(rc));
}

/* How long a program may take. */
struct limit {
    const atomic_bool *stop;
    unsigned timeout_ms;
    uint64_t end_us; /* monotonic */
};

static int check_limit(const struct limit *l, struct errbuf *err)
{
    if (l->stop && atomic_load(l->stop))
        return errbuf_fail(err, LM_ESTOPPED, "stopping");
    if (clock_monotonic_us() < l->end_us)
        return 0;
    return errbuf_fail(err, LM_ETIMEOUT, "credential_process takes longer than %u s",
                       l->timeout_ms / 1000);
}

/* Reads until the end of the output. */
static int read_output(int out, const struct limit *limit, struct buffer *text, struct errbuf *err)
{
    int error;

    while (!(error = check_limit(limit, err))) {
        struct pollfd ready = {.fd = out, .events = POLLIN};
        ssize_t n;

        if (poll(&ready, 1, LOOK_MS) <= 0)
            continue;
        n = read(out, text->data + text->len, text->capacity - text->len);
        if (n == 0)
            return 0;
        if (n < 0)
            return errbuf_fail(err, LM_EUNAVAILABLE, "credential_process: cannot read: %s",
                               strerror(errno));
        text->len += (size_t)n;
        if (text->len == text->capacity)
            return errbuf_fail(err, LM_EUNAVAILABLE, "credential_process says too much");
    }
    return error;
}

/* Waits until the program has ended: it may have closed its output and go on. */
static int await_end(pid_t pid, const struct limit *limit, struct errbuf *err)
{
    siginfo_t ended = {0};
    int error;

    while (!(error = check_limit(limit, err))) {
        int rc = waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);

        if (rc ? errno != EINTR : ended.si_pid != 0) /* or gone by itself: SIGCHLD is ignored */
            return 0;
        usleep(END_MS * 1000);
    }
    return error;
}

static int check_status(int status, struct errbuf *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status))
        return errbuf_fail(err, LM_EUNAVAILABLE, "credential_process failed with exit status %d",
                           WEXITSTATUS(status));
    return errbuf_fail(err, LM_EUNAVAILABLE, "credential_process ended by signal %d",
                       WTERMSIG(status));
}

int aws_credentials_process_find(const struct aws_credentials_options *options,
                                 const struct aws_profile *profile, struct aws_credentials *c,
                                 struct errbuf *err)
{
    const char *command = profile->values[AWS_PROFILE_CREDENTIAL_PROCESS];
    struct limit limit = {
        .stop = options->stop,
        .timeout_ms = options->process_timeout_ms ? options->process_timeout_ms : TIMEOUT_MS,
    };
    struct errbuf reason = ERRBUF_INIT;
    struct buffer text;
    int status = 0;
    int out = -1;
    pid_t pid = 0;

    if (!command)
        return LM_ENOTFOUND;
    limit.end_us = clock_monotonic_us() + (uint64_t)limit.timeout_ms * 1000;
    int error = start(command, &pid, &out, err);
    if (error)
        return error;
    buffer_init(&text, AWS_CREDENTIALS_ANSWER_MAX);
    if (!buffer_reserve(&text, AWS_CREDENTIALS_ANSWER_MAX))
        error = errbuf_fail(err, LM_ENOMEM, "no memory for the output of credential_process");
    else
        error = read_output(out, &limit, &text, err);
    close(out);
    if (!error)
        error = await_end(pid, &limit, err);
    if (error)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!error)
        error = check_status(status, err);
    if (!error) {
        error = aws_credentials_from_json(buffer_slice(&text), "SessionToken", c, &reason);
        if (error)
            errbuf_set(err, "credential_process: %s", reason.text);
    }
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    buffer_release(&text);
    c->source = "credential_process";
    return error;
}
