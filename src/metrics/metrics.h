/*
 * What logmill counts, for GET /metrics (Prometheus text exposition format 0.0.4). One table holds
 * name, type and help; the counters are process-wide and lock-free, and counting a metric from a
 * hot path once per batch rather than once per log is the caller's care.
 *
 * Logs that come are counted by two: what became of a send by the ingest, whoever the logs came
 * through (accepted, refused by the queue); what never got that far by the receiver, which api's
 * routes are (invalid, too large, overload, U+0000). So a new receiver counts the latter itself.
 */
#ifndef LOGMILL_METRICS_METRICS_H
#define LOGMILL_METRICS_METRICS_H

#include <stdint.h>

#include "base/buffer.h"

/* X(symbol, name, labels or "", help). Counters of one name stand together. */
#define METRICS_COUNTERS(X)                                                                        \
    X(METRIC_LOGS_ACCEPTED, "logmill_logs_accepted_total", "",                                     \
      "Logs that were durable in the queue when their client was told so.")                        \
    X(METRIC_LOGS_REFUSED_INVALID, "logmill_logs_refused_total", "reason=\"invalid\"",             \
      "Requests to take logs that were refused, by reason.")                                       \
    X(METRIC_LOGS_REFUSED_TOO_LARGE, "logmill_logs_refused_total", "reason=\"too_large\"", "")     \
    X(METRIC_LOGS_REFUSED_OVERLOAD, "logmill_logs_refused_total", "reason=\"overload\"", "")       \
    X(METRIC_LOGS_REFUSED_QUEUE, "logmill_logs_refused_total", "reason=\"queue\"", "")             \
    X(METRIC_LOGS_REFUSED_RATE, "logmill_logs_refused_total", "reason=\"rate\"", "")               \
    X(METRIC_REFUSED_NO_KEY, "logmill_requests_refused_total", "reason=\"no_key\"",                \
      "Requests that were refused by their head, by reason.")                                      \
    X(METRIC_REFUSED_KEY, "logmill_requests_refused_total", "reason=\"key\"", "")                  \
    X(METRIC_REFUSED_GUESSES, "logmill_requests_refused_total", "reason=\"guesses\"", "")          \
    X(METRIC_REFUSED_ROLE, "logmill_requests_refused_total", "reason=\"role\"", "")                \
    X(METRIC_REFUSED_CONNECTIONS, "logmill_requests_refused_total", "reason=\"connections\"", "")  \
    X(METRIC_LOGS_STORED, "logmill_logs_stored_total", "", "Logs newly stored by the worker.")     \
    X(METRIC_LOGS_REPEATED, "logmill_logs_repeated_total", "",                                     \
      "Logs the worker met a second time, by a client's retry or the api's.")                      \
    X(METRIC_LOGS_REDELIVERED, "logmill_logs_redelivered_total", "",                               \
      "Logs that were stored already when the queue delivered their message again.")               \
    X(METRIC_LOGS_CONFLICTING, "logmill_logs_conflicting_total", "",                               \
      "Logs that were not stored because another log with their timestamp and id was there.")      \
    X(METRIC_LOGS_DEAD, "logmill_logs_dead_lettered_total", "",                                    \
      "Logs that could not be stored for a reason of their own.")                                  \
    X(METRIC_LETTERS_DROPPED, "logmill_dead_letters_dropped_total", "",                            \
      "Dead letters deleted by DEAD_LETTERS_DAYS or DEAD_LETTERS_MAX_BYTES.")                      \
    X(METRIC_MESSAGES_SENT, "logmill_queue_messages_sent_total", "",                               \
      "Messages (batches) made durable in the queue.")                                             \
    X(METRIC_MESSAGES_RECEIVED, "logmill_queue_messages_received_total", "",                       \
      "Messages taken from the queue by the worker.")                                              \
    X(METRIC_MESSAGES_REJECTED, "logmill_queue_messages_rejected_total", "",                       \
      "Messages that could not be understood.")                                                    \
    X(METRIC_SEND_FAILURES, "logmill_queue_send_failures_total", "",                               \
      "Sends that the queue could not make durable.")                                              \
    X(METRIC_STORE_FAILURES, "logmill_store_failures_total", "",                                   \
      "Transactions that the store could not take and that were tried again.")                     \
    X(METRIC_NUL_REPLACED, "logmill_nul_characters_replaced_total", "",                            \
      "U+0000 characters replaced with U+FFFD in logs.")                                           \
    X(METRIC_LOGS_EXPIRED, "logmill_logs_expired_total", "",                                       \
      "Logs deleted by RETENTION_DAYS, RETENTION_DAYS_BY_LEVEL or RETENTION_MB.")                  \
    X(METRIC_LOGS_TOO_OLD, "logmill_logs_too_old_total", "",                                       \
      "Logs that were older than RETENTION_DAYS when they came, and so are deleted right away.")   \
    X(METRIC_READS_REFUSED_CLIENT, "logmill_reads_refused_total", "reason=\"client\"",             \
      "Reads that were answered 503 because of MAX_READS_PER_CLIENT, MAX_READS or "                \
      "MAX_INFLIGHT_BYTES, or 429 because of the scans or tails of a key.")                        \
    X(METRIC_READS_REFUSED_ALL, "logmill_reads_refused_total", "reason=\"all\"", "")               \
    X(METRIC_READS_REFUSED_MEMORY, "logmill_reads_refused_total", "reason=\"memory\"", "")         \
    X(METRIC_READS_REFUSED_SCANS, "logmill_reads_refused_total", "reason=\"scans\"", "")           \
    X(METRIC_READS_REFUSED_TAILS, "logmill_reads_refused_total", "reason=\"tails\"", "")           \
    X(METRIC_READS_LEFT, "logmill_reads_left_total", "",                                           \
      "Reads whose client went, or closed its side, before they were done.")                       \
    X(METRIC_READS_PARTIAL, "logmill_reads_partial_total", "",                                     \
      "Answers that their time ended before all was searched.")                                    \
    X(METRIC_CACHE_HIT, "logmill_cache_reads_total", "result=\"hit\"",                             \
      "Reads of GET /logs by what the cache could do.")                                            \
    X(METRIC_CACHE_MISS, "logmill_cache_reads_total", "result=\"miss\"", "")                       \
    X(METRIC_CACHE_BYPASS, "logmill_cache_reads_total", "result=\"bypass\"", "")

/* By which protocol logs come. X(symbol, label) */
#define METRICS_PROTOCOLS(X)                                                                       \
    X(PROTOCOL_LOGMILL, "logmill")                                                                 \
    X(PROTOCOL_OTLP, "otlp")                                                                       \
    X(PROTOCOL_LOKI, "loki")                                                                       \
    X(PROTOCOL_ELASTICSEARCH, "elasticsearch")                                                     \
    X(PROTOCOL_HEC, "hec")                                                                         \
    X(PROTOCOL_GELF, "gelf")                                                                       \
    X(PROTOCOL_DATADOG, "datadog")                                                                 \
    X(PROTOCOL_JOURNAL, "journal")                                                                 \
    X(PROTOCOL_JSONLINE, "jsonline")                                                               \
    X(PROTOCOL_SYSLOG, "syslog")                                                                   \
    X(PROTOCOL_FLUENT, "fluent")

/* What becomes of it, counted for each protocol. X(symbol, name, label, help), as above. */
#define METRICS_RECEIPTS(X)                                                                        \
    X(METRIC_TAKEN, "logmill_received_logs_total", "",                                             \
      "Logs that were durable when their sender was told so, by protocol.")                        \
    X(METRIC_LEFT_OUT, "logmill_received_left_out_total", "",                                      \
      "Logs of requests that were taken which could never have been, by protocol.")                \
    X(METRIC_REFUSED_INVALID, "logmill_received_refused_total", ",reason=\"invalid\"",             \
      "Requests to take logs that were refused, by protocol and reason.")                          \
    X(METRIC_REFUSED_TOO_LARGE, "logmill_received_refused_total", ",reason=\"too_large\"", "")     \
    X(METRIC_REFUSED_OVERLOAD, "logmill_received_refused_total", ",reason=\"overload\"", "")       \
    X(METRIC_REFUSED_RATE, "logmill_received_refused_total", ",reason=\"rate\"", "")               \
    X(METRIC_REFUSED_QUEUE, "logmill_received_refused_total", ",reason=\"queue\"", "")

/* Of those that have sockets of their own (metrics_socket). X(symbol, name, type, label, help) */
#define METRICS_SOCKETS(X)                                                                         \
    X(METRIC_CONNECTIONS_OPEN, "logmill_stream_connections_open", "gauge", "",                     \
      "Open connections of protocols with sockets of their own.")                                  \
    X(METRIC_CONNECTIONS_REFUSED, "logmill_stream_connections_refused_total", "counter", "",       \
      "Connections that were closed at once because of MAX_STREAMS.")                              \
    X(METRIC_DATAGRAMS, "logmill_datagrams_received_total", "counter", "",                         \
      "Datagrams read from their sockets.")                                                        \
    X(METRIC_DROPPED_KERNEL, "logmill_datagrams_dropped_total", "counter", ",by=\"kernel\"",       \
      "Datagrams that were lost: the kernel had no room for them, logmill none for their logs.")   \
    X(METRIC_DROPPED_HERE, "logmill_datagrams_dropped_total", "counter", ",by=\"logmill\"", "")    \
    X(METRIC_INCOMPLETE, "logmill_datagrams_incomplete_total", "counter", "",                      \
      "Messages in chunks of which some never came, or not in time.")

/* X(symbol, name, help). Buckets are powers of two of the unit given to metrics_observe. */
#define METRICS_HISTOGRAMS(X)                                                                      \
    X(METRIC_SEND_LOGS, "logmill_batch_logs", "Logs in one send to the queue.")                    \
    X(METRIC_SEND_US, "logmill_queue_send_microseconds",                                           \
      "From handing a send to the queue to its being durable.")                                    \
    X(METRIC_STORE_LOGS, "logmill_store_batch_logs", "Logs in one transaction of the store.")      \
    X(METRIC_STORE_US, "logmill_store_append_microseconds", "One transaction of the store.")       \
    X(METRIC_READ_US, "logmill_read_microseconds",                                                 \
      "One read of the store or cache, all its turns.")                                            \
    X(METRIC_READ_TURN_US, "logmill_read_turn_microseconds", "One turn of a read.")

enum metric_counter {
#define METRIC_ENUM(symbol, name, labels, help) symbol,
    METRICS_COUNTERS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNTERS_LEN
};

enum metric_histogram {
#define METRIC_ENUM(symbol, name, help) symbol,
    METRICS_HISTOGRAMS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_HISTOGRAMS_LEN
};

enum metric_protocol {
#define METRIC_ENUM(symbol, label) symbol,
    METRICS_PROTOCOLS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_PROTOCOLS_LEN
};

enum metric_receipt {
#define METRIC_ENUM(symbol, name, label, help) symbol,
    METRICS_RECEIPTS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_RECEIPTS_LEN
};

enum metric_socket {
#define METRIC_ENUM(symbol, name, type, label, help) symbol,
    METRICS_SOCKETS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_SOCKETS_LEN
};

void metrics_add(enum metric_counter counter, uint64_t n);
const char *metrics_protocol_label(enum metric_protocol protocol);
uint64_t metrics_get(enum metric_counter counter);
void metrics_receive(enum metric_protocol protocol, enum metric_receipt receipt, uint64_t n);
void metrics_socket(enum metric_protocol protocol, enum metric_socket what, int64_t n);
void metrics_observe(enum metric_histogram histogram, uint64_t value);

/* Appends all of them to `b` as text. */
void metrics_append(struct buffer *b);

/* Appends one gauge or counter whose value is read elsewhere. `type` is "gauge" or "counter". */
void metrics_append_value(struct buffer *b, const char *name, const char *type, const char *help,
                          uint64_t value);

#endif
