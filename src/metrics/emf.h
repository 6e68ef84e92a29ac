/*
 * What is counted, for Amazon CloudWatch: a line in its Embedded Metric Format once an interval,
 * from which CloudWatch Logs makes metrics without any call of ours.
 *
 * A line holds what was counted since the line before it, and emf_stop writes a last one: the sums
 * of all lines are the process's totals. What could not be written is not lost, but in the next
 * line; no count is in two lines. A line is one write(2), no larger than a pipe takes whole. Nobody
 * is kept waiting by a descriptor that takes nothing: then that line is left out.
 *
 * Process-wide, as the counters are. All functions may be called from any thread, emf_start and
 * emf_stop in turns.
 */
#ifndef LOGMILL_METRICS_EMF_H
#define LOGMILL_METRICS_EMF_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"

struct emf_options {
    int fd;            /* where lines go; the caller's, open until emf_stop has returned */
    unsigned interval; /* seconds between lines; at least 1 */
    const char *name;  /* namespace of the metrics; must live until emf_stop has returned */
};

/*
 * Starts the thread that writes lines.
 * Returns 0; LM_EINVAL if the name is none that CloudWatch takes; LM_EUNAVAILABLE without
 * thread.
 */
int emf_start(const struct emf_options *options, struct errbuf *err) LM_MUST_CHECK;

/*
 * Writes a line now, between the intervals, if emf_start was called and the descriptor takes one at
 * once: for a process that ends without emf_stop.
 */
void emf_write(void);

/*
 * Ends the thread and writes the last line, waiting at most half a second for the descriptor to
 * take it. Does nothing if emf_start was not called or failed.
 */
void emf_stop(void);

/* What a line tells; emf.c says which counters of metrics.h that is. */
enum emf_metric {
    EMF_LOGS_ACCEPTED,
    EMF_LOGS_STORED,
    EMF_LOGS_DEAD_LETTERED,
    EMF_REQUESTS_FAILED,
    EMF_STORE_FAILURES,
    EMF_METRICS_LEN
};

/* Appends one line with these counts; `now_ms` is Unix time. */
void emf_append_line(struct buffer *b, const char *name, int64_t now_ms,
                     const uint64_t counts[EMF_METRICS_LEN]);

#endif
