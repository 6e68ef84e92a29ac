/*
 * Headers in which a client lists what it takes: Accept, Accept-Encoding, each item with a weight
 * (RFC 9110, 12.4.2 and 12.5).
 */
#ifndef LOGMILL_HTTP_ACCEPT_H
#define LOGMILL_HTTP_ACCEPT_H

#include <stdbool.h>

#include "base/slice.h"

struct accept_item {
    struct slice name; /* "text/csv" or "gzip", without parameters */
    int weight;        /* 0, it is not taken, to 1000; 1000 if none is given or it is malformed */
};

/* Takes the next item off `*header` (data NULL: there is none). False: there was no more. */
bool accept_next(struct slice *header, struct accept_item *item);

/* Whether it lists `name` as taken: that alone, not what a wildcard takes. */
bool accept_names(struct slice header, struct slice name);

#endif
