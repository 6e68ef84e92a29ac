#include "metrics/senders.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { NONE, OTHER, FIRST_NAMED, ROWS = FIRST_NAMED + SENDERS_MAX };
enum { NAME_SIZE = 65 };

struct row {
    char name[NAME_SIZE];
    atomic_ullong receipts[METRIC_PROTOCOLS_LEN][METRIC_RECEIPTS_LEN];
    atomic_ullong bytes[METRIC_PROTOCOLS_LEN];
};

/* Names are only added: those below `rows_len` stay as they are. */
static struct row rows[ROWS] = {[NONE] = {.name = SENDERS_NONE}, [OTHER] = {.name = SENDERS_OTHER}};
static atomic_uint rows_len = FIRST_NAMED;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned find(const char *name, unsigned len)
{
    for (unsigned i = FIRST_NAMED; i < len; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return OTHER;
}

unsigned senders_find(const char *name)
{
    if (!name)
        return NONE;

    unsigned len = atomic_load_explicit(&rows_len, memory_order_acquire);
    unsigned found = find(name, len);

    if (found != OTHER || len == ROWS || strlen(name) >= NAME_SIZE)
        return found;
    pthread_mutex_lock(&lock);
    len = atomic_load_explicit(&rows_len, memory_order_relaxed);
    found = find(name, len);
    if (found == OTHER && len < ROWS) {
        found = len;
        snprintf(rows[found].name, NAME_SIZE, "%s", name);
        atomic_store_explicit(&rows_len, len + 1, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void senders_receive(unsigned sender, enum metric_protocol protocol, enum metric_receipt receipt,
                     uint64_t n)
{
    metrics_receive(protocol, receipt, n);
    if (n > 0)
        atomic_fetch_add_explicit(&rows[sender].receipts[protocol][receipt], n,
                                  memory_order_relaxed);
}

void senders_bytes(unsigned sender, enum metric_protocol protocol, uint64_t n)
{
    atomic_fetch_add_explicit(&rows[sender].bytes[protocol], n, memory_order_relaxed);
}

/* ---- Text ---- */

static void append_sample(struct buffer *b, const char *name, const struct row *row, int protocol,
                          const char *more, const atomic_ullong *value)
{
    unsigned long long n = atomic_load_explicit(value, memory_order_relaxed);

    if (n > 0)
        buffer_appendf(b, "%s{key=\"%s\",protocol=\"%s\"%s} %llu\n", name, row->name,
                       metrics_protocol_label(protocol), more, n);
}

static void append_head(struct buffer *b, const char *name, const char *help)
{
    buffer_appendf(b, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
}

static void append_receipts(struct buffer *b, const char *name, const char *help,
                            const char *const labels[METRIC_RECEIPTS_LEN])
{
    unsigned len = atomic_load_explicit(&rows_len, memory_order_acquire);

    append_head(b, name, help);
    for (unsigned i = 0; i < len; i++)
        for (int p = 0; p < METRIC_PROTOCOLS_LEN; p++)
            for (int r = 0; r < METRIC_RECEIPTS_LEN; r++)
                if (labels[r])
                    append_sample(b, name, &rows[i], p, labels[r], &rows[i].receipts[p][r]);
}

void senders_append(struct buffer *b)
{
    static const char *const taken[METRIC_RECEIPTS_LEN] = {[METRIC_TAKEN] = ""};
    static const char *const left_out[METRIC_RECEIPTS_LEN] = {[METRIC_LEFT_OUT] = ""};
    static const char *const refused[METRIC_RECEIPTS_LEN] = {
        [METRIC_REFUSED_INVALID] = ",reason=\"invalid\"",
        [METRIC_REFUSED_TOO_LARGE] = ",reason=\"too_large\"",
        [METRIC_REFUSED_OVERLOAD] = ",reason=\"overload\"",
        [METRIC_REFUSED_RATE] = ",reason=\"rate\"",
        [METRIC_REFUSED_QUEUE] = ",reason=\"queue\"",
    };
    unsigned len = atomic_load_explicit(&rows_len, memory_order_acquire);

    append_receipts(b, "logmill_key_logs_total",
                    "Logs that were durable when their sender was told so, by key and protocol.",
                    taken);
    append_receipts(b, "logmill_key_left_out_total",
                    "Logs of requests that were taken which could never have been, likewise.",
                    left_out);
    append_receipts(b, "logmill_key_refused_total",
                    "Requests to take logs that were refused, by key, protocol and reason.",
                    refused);
    append_head(b, "logmill_key_bytes_total",
                "Bytes of bodies, unpacked, whose logs were taken, by key and protocol.");
    for (unsigned i = 0; i < len; i++)
        for (int p = 0; p < METRIC_PROTOCOLS_LEN; p++)
            append_sample(b, "logmill_key_bytes_total", &rows[i], p, "", &rows[i].bytes[p]);
}
