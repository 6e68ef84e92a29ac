/* Invariants that run (base/check.h): does what is broken end the process? */
#ifndef LOGMILL_TESTS_ABORTS_H
#define LOGMILL_TESTS_ABORTS_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether f(arg), run in a process of its own, ends by abort(). Without checks: skip the test. */
static inline bool aborts(void (*f)(void *arg), void *arg)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        f(arg);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
