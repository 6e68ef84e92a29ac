#include "metrics/metrics.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

enum { BUCKETS = 32 }; /* upper bounds 2^0 … 2^30, and +Inf */

struct histogram {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic uint64_t sum;
};

static _Atomic uint64_t counters[METRIC_COUNTERS_LEN];
static _Atomic uint64_t receipts[METRIC_RECEIPTS_LEN][METRIC_PROTOCOLS_LEN];
static _Atomic uint64_t sockets[METRIC_SOCKETS_LEN][METRIC_PROTOCOLS_LEN];
static struct histogram histograms[METRIC_HISTOGRAMS_LEN];

static const struct {
    const char *name;
    const char *labels;
    const char *help;
} counter_table[] = {
#define METRIC_ROW(symbol, name, labels, help) {name, labels, help},
    METRICS_COUNTERS(METRIC_ROW)
#undef METRIC_ROW
};

static const char *const protocol_labels[] = {
#define METRIC_ROW(symbol, label) label,
    METRICS_PROTOCOLS(METRIC_ROW)
#undef METRIC_ROW
};

static const struct {
    const char *name;
    const char *label;
    const char *help;
} receipt_table[] = {
#define METRIC_ROW(symbol, name, label, help) {name, label, help},
    METRICS_RECEIPTS(METRIC_ROW)
#undef METRIC_ROW
};

static const struct {
    const char *name;
    const char *type;
    const char *label;
    const char *help;
} socket_table[] = {
#define METRIC_ROW(symbol, name, type, label, help) {name, type, label, help},
    METRICS_SOCKETS(METRIC_ROW)
#undef METRIC_ROW
};

static const enum metric_protocol socket_protocols[] = {PROTOCOL_SYSLOG, PROTOCOL_GELF,
                                                        PROTOCOL_FLUENT};

static const struct {
    const char *name;
    const char *help;
} histogram_table[] = {
#define METRIC_ROW(symbol, name, help) {name, help},
    METRICS_HISTOGRAMS(METRIC_ROW)
#undef METRIC_ROW
};

void metrics_add(enum metric_counter counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counters[counter], n, memory_order_relaxed);
}

void metrics_receive(enum metric_protocol protocol, enum metric_receipt receipt, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(&receipts[receipt][protocol], n, memory_order_relaxed);
}

const char *metrics_protocol_label(enum metric_protocol protocol)
{
    return protocol_labels[protocol];
}

void metrics_socket(enum metric_protocol protocol, enum metric_socket what, int64_t n)
{
    atomic_fetch_add_explicit(&sockets[what][protocol], (uint64_t)n, memory_order_relaxed);
}

uint64_t metrics_get(enum metric_counter counter)
{
    return atomic_load_explicit(&counters[counter], memory_order_relaxed);
}

/* The first bucket whose bound, 2^k, is not below `value`. */
static unsigned bucket_of(uint64_t value)
{
    unsigned k = value <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(value - 1);

    return k < BUCKETS - 1 ? k : BUCKETS - 1;
}

void metrics_observe(enum metric_histogram histogram, uint64_t value)
{
    struct histogram *h = &histograms[histogram];

    atomic_fetch_add_explicit(&h->buckets[bucket_of(value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, value, memory_order_relaxed);
}

static void append_head(struct buffer *b, const char *name, const char *type, const char *help)
{
    buffer_appendf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_histogram(struct buffer *b, unsigned index)
{
    const char *name = histogram_table[index].name;
    struct histogram *h = &histograms[index];
    uint64_t seen = 0;

    append_head(b, name, "histogram", histogram_table[index].help);
    for (unsigned k = 0; k < BUCKETS - 1; k++) {
        seen += atomic_load_explicit(&h->buckets[k], memory_order_relaxed);
        buffer_appendf(b, "%s_bucket{le=\"%llu\"} %llu\n", name, 1ULL << k,
                       (unsigned long long)seen);
    }
    seen += atomic_load_explicit(&h->buckets[BUCKETS - 1], memory_order_relaxed);
    buffer_appendf(b, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)seen);
    buffer_appendf(b, "%s_sum %llu\n%s_count %llu\n", name,
                   (unsigned long long)atomic_load_explicit(&h->sum, memory_order_relaxed), name,
                   (unsigned long long)seen);
}

static void append_receipts(struct buffer *b)
{
    const char *previous = "";

    for (unsigned r = 0; r < METRIC_RECEIPTS_LEN; r++) {
        const char *name = receipt_table[r].name;

        if (strcmp(name, previous) != 0)
            append_head(b, name, "counter", receipt_table[r].help);
        previous = name;
        for (unsigned p = 0; p < METRIC_PROTOCOLS_LEN; p++) {
            uint64_t n = atomic_load_explicit(&receipts[r][p], memory_order_relaxed);

            buffer_appendf(b, "%s{protocol=\"%s\"%s} %llu\n", name, protocol_labels[p],
                           receipt_table[r].label, (unsigned long long)n);
        }
    }
}

static void append_sockets(struct buffer *b)
{
    const char *previous = "";

    for (unsigned i = 0; i < METRIC_SOCKETS_LEN; i++) {
        const char *name = socket_table[i].name;

        if (strcmp(name, previous) != 0)
            append_head(b, name, socket_table[i].type, socket_table[i].help);
        previous = name;
        for (size_t p = 0; p < sizeof(socket_protocols) / sizeof(*socket_protocols); p++) {
            enum metric_protocol protocol = socket_protocols[p];
            uint64_t n = atomic_load_explicit(&sockets[i][protocol], memory_order_relaxed);

            buffer_appendf(b, "%s{protocol=\"%s\"%s} %llu\n", name, protocol_labels[protocol],
                           socket_table[i].label, (unsigned long long)n);
        }
    }
}

void metrics_append(struct buffer *b)
{
    const char *previous = "";

    for (unsigned i = 0; i < METRIC_COUNTERS_LEN; i++) {
        const char *name = counter_table[i].name;
        const char *labels = counter_table[i].labels;

        if (strcmp(name, previous) != 0)
            append_head(b, name, "counter", counter_table[i].help);
        previous = name;
        buffer_append_string(b, name);
        if (labels[0])
            buffer_appendf(b, "{%s}", labels);
        buffer_appendf(b, " %llu\n", (unsigned long long)metrics_get((enum metric_counter)i));
    }
    append_receipts(b);
    append_sockets(b);
    for (unsigned i = 0; i < METRIC_HISTOGRAMS_LEN; i++)
        append_histogram(b, i);
}

void metrics_append_value(struct buffer *b, const char *name, const char *type, const char *help,
                          uint64_t value)
{
    append_head(b, name, type, help);
    buffer_appendf(b, "%s %llu\n", name, (unsigned long long)value);
}
