/*
 * A log. Its key is its identity and its order (key.h). All slices are views; where a record is
 * handed out, it is said how long they live.
 */
#ifndef LOGMILL_RECORD_RECORD_H
#define LOGMILL_RECORD_RECORD_H

#include "base/buffer.h"
#include "base/slice.h"
#include "record/key.h"

struct record {
    struct log_key key;
    struct slice level;      /* UTF-8, as sent */
    struct slice message;    /* UTF-8 */
    struct slice attributes; /* text of a JSON object; empty slice if there are none */
};

/*
 * Called for each record, in order; `r` and its slices live until the call returns, if nothing else
 * is said. Returns 0 to go on, or an error, which ends what calls it and is its error.
 */
typedef int record_sink(const struct record *r, void *ctx);

/*
 * Appends `r` as the JSON object that the queue and the API carry:
 * {"id":"…","timestamp":"…","level":"…","message":"…","attributes":{…}}; "attributes" is {} if
 * there are none.
 */
void record_append_json(struct buffer *b, const struct record *r);

#endif
