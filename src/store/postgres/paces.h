/*
 * How much time, or how many logs, scans dared to look at at once where they were left. Whoever
 * goes on from there by `next` begins so, and not with a minute again, which for an answer of a
 * second would be all that it comes to. Another process knows nothing of it: no matter.
 */
#ifndef LOGMILL_STORE_POSTGRES_PACES_H
#define LOGMILL_STORE_POSTGRES_PACES_H

#include <pthread.h>

#include "store/store.h"

enum { STORE_POSTGRES_PACES_MAX = 64 };

struct store_postgres_pace {
    struct log_key place;
    uint64_t asked; /* a hash of what was looked for */
    int64_t window_us;
    uint64_t stride; /* 0 with window_us 0: there is none */
    bool by_number;
    bool by_key;
};

struct store_postgres_paces {
    pthread_mutex_t lock;
    size_t oldest;
    struct store_postgres_pace kept[STORE_POSTGRES_PACES_MAX];
};

void store_postgres_paces_init(struct store_postgres_paces *p);
void store_postgres_paces_release(struct store_postgres_paces *p);

/* Of a scan that is left where it is, if it knows its pace. */
void store_postgres_paces_keep(struct store_postgres_paces *p, const struct store_scan *scan);

/* Gives a scan that does not know its pace that of one that was left there. */
void store_postgres_paces_take(struct store_postgres_paces *p, struct store_scan *scan);

#endif
