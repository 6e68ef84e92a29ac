/*
 * Who has sent how much, and was refused how often and why, by the name of the key and protocol,
 * for GET /metrics. The first SENDERS_MAX names since the start of the process have rows of their
 * own; all others are counted together, so that there is an end to the number of labels. Any
 * thread.
 */
#ifndef LOGMILL_METRICS_SENDERS_H
#define LOGMILL_METRICS_SENDERS_H

#include "metrics/metrics.h"

enum { SENDERS_MAX = 64 };

/* Of no key, and of all whose names came too late: no names of keys, which have no brackets. */
#define SENDERS_NONE "(none)"
#define SENDERS_OTHER "(other)"

/* The number of the sender of this name (NULL: who has no key), for the functions below. */
unsigned senders_find(const char *name);

/* As metrics_receive, which it calls. */
void senders_receive(unsigned sender, enum metric_protocol protocol, enum metric_receipt receipt,
                     uint64_t n);

/* Bytes of bodies, unpacked, whose logs were taken; of uploads, that were read. */
void senders_bytes(unsigned sender, enum metric_protocol protocol, uint64_t n);

/* Appends all that is not 0, as text. */
void senders_append(struct buffer *b);

#endif
