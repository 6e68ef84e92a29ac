/*
 * A log. (timestamp, id) is its identity and its order, everywhere. All slices are views; where a
 * record is handed out, it is said how long they live.
 */
#ifndef LOGMILL_RECORD_RECORD_H
#define LOGMILL_RECORD_RECORD_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/uuid7.h"

struct log_key {
    int64_t timestamp_us; /* since 1970, UTC */
    struct uuid id;
};

struct record {
    struct log_key key;
    struct slice level;      /* UTF-8, as sent */
    struct slice message;    /* UTF-8 */
    struct slice attributes; /* text of a JSON object; empty slice where there are none */
};

/* <0, 0, >0 as `a` comes before, is, or comes after `b` in ascending order. */
int log_key_compare(const struct log_key *a, const struct log_key *b);

/*
 * Appends `r` as the JSON object that the queue and the API carry:
 * {"id":"…","timestamp":"…","level":"…","message":"…","attributes":{…}}; "attributes" is {} where
 * there are none.
 */
void record_append_json(struct buffer *b, const struct record *r);

#endif
