#include "metrics/emf.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "diag/diag.h"
#include "metrics/metrics.h"
#include "json/writer.h"

enum { STOP_WAIT_MS = 500, NAME_MAX_BYTES = 255 };

static const char *const names[EMF_METRICS_LEN] = {
    [EMF_LOGS_ACCEPTED] = "LogsAccepted",          [EMF_LOGS_STORED] = "LogsStored",
    [EMF_LOGS_DEAD_LETTERED] = "LogsDeadLettered", [EMF_REQUESTS_FAILED] = "RequestsFailed",
    [EMF_STORE_FAILURES] = "StoreFailures",
};

static void read_totals(uint64_t totals[EMF_METRICS_LEN])
{
    totals[EMF_LOGS_ACCEPTED] = metrics_get(METRIC_LOGS_ACCEPTED);
    totals[EMF_LOGS_STORED] = metrics_get(METRIC_LOGS_STORED);
    totals[EMF_LOGS_DEAD_LETTERED] = metrics_get(METRIC_LOGS_DEAD);
    /* Those that were answered 503: what a client got wrong is no failure of ours. */
    totals[EMF_REQUESTS_FAILED] =
        metrics_get(METRIC_LOGS_REFUSED_OVERLOAD) + metrics_get(METRIC_LOGS_REFUSED_QUEUE);
    totals[EMF_STORE_FAILURES] = metrics_get(METRIC_STORE_FAILURES);
}

/*
 * `lock` guards all of it. A line is written with the lock held, so that none overtakes another; if
 * a write hangs although poll found room (somebody else filled the pipe in between), emf_stop hangs
 * with it, which is why a stop of the process has a limit of its own.
 */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct emf_options options;
    enum { EMF_OFF, EMF_RUNNING, EMF_STOPPING } state; /* in this order, and around */
    bool has_complained;
    uint64_t written[EMF_METRICS_LEN]; /* counts that lines have told already */
    struct buffer line;                /* what is still to be written of a line that was begun */
} emf = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The line ---- */

void emf_append_line(struct buffer *b, const char *name, int64_t now_ms,
                     const uint64_t counts[EMF_METRICS_LEN])
{
    buffer_append_string(b, "{\"_aws\":{\"Timestamp\":");
    buffer_append_i64(b, now_ms);
    buffer_append_string(b, ",\"CloudWatchMetrics\":[{\"Namespace\":");
    json_append_string(b, slice_of_string(name));
    buffer_append_string(b, ",\"Dimensions\":[[]],\"Metrics\":[");
    for (int i = 0; i < EMF_METRICS_LEN; i++)
        buffer_appendf(b, "%s{\"Name\":\"%s\",\"Unit\":\"Count\"}", i ? "," : "", names[i]);
    buffer_append_string(b, "]}]}");
    for (int i = 0; i < EMF_METRICS_LEN; i++) {
        buffer_appendf(b, ",\"%s\":", names[i]);
        buffer_append_u64(b, counts[i]);
    }
    buffer_append_string(b, "}\n");
}

/* ---- Writing it; the lock is held ---- */

/* True if the descriptor takes a whole line, within `wait_ms`, or has an error to tell. */
static bool is_writable(int wait_ms)
{
    struct pollfd p = {.fd = emf.options.fd, .events = POLLOUT};

    return poll(&p, 1, wait_ms) > 0;
}

/* Writes what is in emf.line, and keeps of it what was not taken. Returns what was taken, or -1. */
static ssize_t write_out(void)
{
    ssize_t taken = write(emf.options.fd, emf.line.data, emf.line.len);

    if (taken > 0) {
        buffer_consume(&emf.line, (size_t)taken);
        emf.has_complained = false;
    } else if (taken < 0 && errno != EAGAIN && errno != EINTR && !emf.has_complained) {
        diag(DIAG_WARN, "metrics cannot be written; their counts will be in a later line",
             DIAG_STR("reason", strerror(errno)));
        emf.has_complained = true;
    }
    return taken;
}

static void write_line(int wait_ms)
{
    if (!is_writable(wait_ms))
        return;
    /* A full disk can cut a line in two: its counts are spoken for, so its end comes first. */
    if (emf.line.len > 0 && (write_out() < 0 || emf.line.len > 0 || !is_writable(wait_ms)))
        return;

    uint64_t totals[EMF_METRICS_LEN], counts[EMF_METRICS_LEN];

    read_totals(totals);
    for (int i = 0; i < EMF_METRICS_LEN; i++)
        counts[i] = totals[i] - emf.written[i];
    buffer_clear(&emf.line);
    emf_append_line(&emf.line, emf.options.name, clock_wall_us() / 1000, counts);
    if (!buffer_error(&emf.line) && write_out() > 0)
        memcpy(emf.written, totals, sizeof(emf.written));
    else
        buffer_clear(&emf.line);
}

/* ---- The thread ---- */

static void *run(void *arg)
{
    uint64_t interval_us = (uint64_t)emf.options.interval * 1000000;
    uint64_t due_us = clock_monotonic_us() + interval_us;

    pthread_mutex_lock(&emf.lock);
    while (emf.state == EMF_RUNNING) {
        if (monotonic_cond_wait(&emf.wake, &emf.lock, due_us) || emf.state != EMF_RUNNING)
            continue;
        write_line(0);
        do {
            due_us += interval_us;
        } while (due_us <= clock_monotonic_us());
    }
    pthread_mutex_unlock(&emf.lock);
    return NULL;
}

/* As the documentation of PutMetricData has it. */
static bool is_namespace(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_/#: ";
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_BYTES && strspn(name, allowed) == len && name[0] != ':' &&
           strspn(name, " ") < len && strncmp(name, "AWS/", 4) != 0;
}

int emf_start(const struct emf_options *options, struct errbuf *err)
{
    if (!is_namespace(options->name))
        return errbuf_fail(err, LM_EINVAL,
                           "EMF_NAMESPACE: \"%s\" is not 1 to %d letters, digits, spaces and "
                           ".-_/#:, beginning with neither : nor AWS/",
                           options->name, NAME_MAX_BYTES);
    pthread_mutex_lock(&emf.lock);
    emf.options = *options;
    buffer_init(&emf.line, PIPE_BUF);
    monotonic_cond_init(&emf.wake);

    int error = pthread_create(&emf.thread, NULL, run, NULL);

    emf.state = error ? EMF_OFF : EMF_RUNNING;
    pthread_mutex_unlock(&emf.lock);
    return error ? errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread: %s", strerror(error))
                 : 0;
}

void emf_write(void)
{
    if (pthread_mutex_trylock(&emf.lock))
        return; /* a line is being written just now, or a write hangs */
    if (emf.state != EMF_OFF)
        write_line(0);
    pthread_mutex_unlock(&emf.lock);
}

void emf_stop(void)
{
    pthread_mutex_lock(&emf.lock);
    if (emf.state == EMF_OFF) {
        pthread_mutex_unlock(&emf.lock);
        return;
    }
    emf.state = EMF_STOPPING;
    pthread_cond_signal(&emf.wake);
    pthread_mutex_unlock(&emf.lock);
    pthread_join(emf.thread, NULL);

    pthread_mutex_lock(&emf.lock);
    write_line(STOP_WAIT_MS);
    emf.state = EMF_OFF;
    pthread_cond_destroy(&emf.wake);
    buffer_release(&emf.line);
    pthread_mutex_unlock(&emf.lock);
}
