/*
 * Logs on their way to the server: the NDJSON body of one POST /logs, and of each log in it where
 * it comes from, so that one which the server refuses can be told.
 */
#ifndef LOGMILL_CLI_PARCEL_H
#define LOGMILL_CLI_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum {
    DELIVERY_BATCH_LOGS = 2000,
    DELIVERY_BATCH_BYTES = 512 << 10, /* half of the server's MAX_BODY_BYTES; one log may be more */
};

struct parcel_item {
    size_t begin, end; /* in body */
    size_t source;     /* in sources */
    uint64_t number;   /* in that: of its line, or of its byte */
};

struct parcel {
    struct buffer body;
    struct buffer sources; /* names, each terminated */
    size_t source;         /* of what is added next; SIZE_MAX: none yet */
    struct parcel_item *items;
    size_t len, capacity;
};

void parcel_init(struct parcel *p);
void parcel_release(struct parcel *p);

/* Empties it; its memory stays. */
void parcel_clear(struct parcel *p);

/* What is added from now on is of `name`, "line" or "FILE: line": a number follows where it is
 * told. Told twice it is the same. */
void parcel_source(struct parcel *p, const char *name);

/* What was appended to the body since the last item is one, the `number`th of its source. */
void parcel_add(struct parcel *p, uint64_t number);

/* True if it is to be sent before more is added. */
bool parcel_is_full(const struct parcel *p);

const char *parcel_source_of(const struct parcel *p, const struct parcel_item *item);

#endif
