/* Allocates with malloc itself: what counts and fails points must not be one. */
#include "base/fault.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRACE_DEPTH = 24 };

#define FAULT_TEXT(name, text) text,
static const char *const kind_names[] = {FAULT_KINDS(FAULT_TEXT)};
static const char *const way_names[] = {FAULT_WAYS(FAULT_TEXT)};
#undef FAULT_TEXT

static struct fault_plan plan;
static atomic_uint points[FAULT_KINDS_LEN];
static atomic_uint failed;
static bool says; /* the plan is from the environment: whoever set it looks at stderr */
static bool traces;
static void (*lose_contents)(bool torn);
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A name that is not durable yet. */
struct name {
    struct name *next;
    char path[];
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct name *names;

/* ---- The plan ---- */

/* The index of the name that the first `len` bytes of `text` are, or -1. */
static int find_name(const char *const *list, int n, const char *text, size_t len)
{
    for (int i = 0; i < n; i++)
        if (strlen(list[i]) == len && memcmp(list[i], text, len) == 0)
            return i;
    return -1;
}

/* KIND:N[+][:HOW]. Returns false if `text` is not that. */
static bool parse_plan(const char *text, struct fault_plan *p)
{
    size_t len = strcspn(text, ":");
    int kind = find_name(kind_names, FAULT_KINDS_LEN, text, len);
    int way = FAULT_EIO;
    char *end;

    if (kind < 0 || text[len] != ':')
        return false;

    unsigned long first = strtoul(text + len + 1, &end, 10);

    if (end == text + len + 1 || first == 0 || first > 1000000000)
        return false;
    *p = (struct fault_plan){.kind = (enum fault_kind)kind, .first = (unsigned)first};
    if (*end == '+') {
        p->onwards = true;
        end++;
    }
    if (*end == ':')
        way = find_name(way_names, FAULT_WAYS_LEN, end + 1, strlen(end + 1));
    else if (*end != '\0')
        way = -1;
    p->way = way < 0 ? FAULT_EIO : (enum fault_way)way;
    return way >= 0;
}

/* So that a test can learn how many points there are: with a plan that none of them reaches. */
static void say_points(void)
{
    if (says && atomic_load(&failed) == 0)
        fprintf(stderr, "fault: none of %u %s points\n", atomic_load(&points[plan.kind]),
                kind_names[plan.kind]);
}

static void read_environment(void)
{
    const char *text = getenv("LOGMILL_FAULT");

    traces = getenv("LOGMILL_FAULT_TRACE");
    if (text && !parse_plan(text, &plan)) {
        fprintf(stderr, "LOGMILL_FAULT: \"%s\" is not KIND:N[+][:HOW]\n", text);
        _exit(2);
    }
    says = text;
    if (says)
        atexit(say_points);
}

void fault_plan(const struct fault_plan *p)
{
    pthread_once(&once, read_environment);
    plan = *p;
    says = false;
    for (int i = 0; i < FAULT_KINDS_LEN; i++)
        atomic_store(&points[i], 0);
    atomic_store(&failed, 0);
}

const struct fault_plan *fault_planned(void)
{
    pthread_once(&once, read_environment);
    return &plan;
}

unsigned fault_count(void)
{
    return atomic_load(&failed);
}

/* ---- Power loss ---- */

void fault_on_power_loss(void (*fn)(bool torn))
{
    lose_contents = fn;
}

void fault_name_made(const char *path)
{
    size_t size = strlen(path) + 1;
    struct name *n = malloc(sizeof(*n) + size);

    if (!n)
        abort();
    memcpy(n->path, path, size);
    pthread_mutex_lock(&names_lock);
    n->next = names;
    names = n;
    pthread_mutex_unlock(&names_lock);
}

/* The length of the directory's part of `path`, without a slash at its end. */
static size_t directory_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) : 0;
}

void fault_directory_synced(const char *directory)
{
    size_t len = strlen(directory);

    if (strcmp(directory, ".") == 0)
        len = 0;
    while (len > 0 && directory[len - 1] == '/')
        len--;
    pthread_mutex_lock(&names_lock);
    for (struct name **at = &names; *at;) {
        struct name *n = *at;

        if (directory_len(n->path) != len || memcmp(n->path, directory, len) != 0) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        free(n);
    }
    pthread_mutex_unlock(&names_lock);
}

/* The newest first, so that files go before the directory they are in. */
static void lose_names(void)
{
    pthread_mutex_lock(&names_lock);
    for (struct name *n = names; n; n = n->next) {
        if (unlink(n->path) != 0 && errno != ENOENT && rmdir(n->path) != 0) {
            char lost[4096]; /* a directory with something in it: out of the way is enough */

            snprintf(lost, sizeof(lost), "%s.lost", n->path);
            if (rename(n->path, lost) != 0)
                fprintf(stderr, "fault: cannot lose %s\n", n->path);
        }
    }
    /* Locked for good: nobody makes a name after this. */
}

static void lose_power(bool torn)
{
    if (lose_contents)
        lose_contents(torn);
    lose_names();
    _exit(FAULT_POWER_LOST);
}

/* ---- Points ---- */

static void say(enum fault_kind kind, unsigned number)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "fault: %s %u\n", kind_names[kind], number);
    ssize_t written = write(STDERR_FILENO, line, (size_t)n);

    (void)written;
    if (traces) {
        void *callers[TRACE_DEPTH];

        backtrace_symbols_fd(callers, backtrace(callers, TRACE_DEPTH), STDERR_FILENO);
    }
}

static int errno_of(enum fault_kind kind)
{
    if (kind == FAULT_SMALL || kind == FAULT_INPUT || kind == FAULT_LIBRARY)
        return ENOMEM;
    return plan.way == FAULT_ENOSPC || plan.way == FAULT_SHORT ? ENOSPC : EIO;
}

bool fault_here(enum fault_kind kind)
{
    pthread_once(&once, read_environment);
    if (kind != plan.kind || plan.first == 0)
        return false;

    unsigned number = atomic_fetch_add(&points[kind], 1) + 1;

    if (plan.onwards ? number < plan.first : number != plan.first)
        return false;
    if (atomic_fetch_add(&failed, 1) == 0 && says)
        say(kind, number);
    if (plan.way == FAULT_POWER || plan.way == FAULT_TORN)
        lose_power(plan.way == FAULT_TORN);
    errno = errno_of(kind);
    return true;
}
