/*
 * One JSON object to one record, or to what is wrong with it: the rules of the log record.
 * For what reads JSON texts: formats/json and message/reader. What an item does not give, those two
 * add. A format: the time of arrival, one for the whole body, and a new id (uuid7_new). The reader
 * of the queue's messages: the time at which the message was sent, and an id made of the message's
 * own and the item's number, so that both are the same at every delivery.
 */
#ifndef LOGMILL_RECORD_RULES_H
#define LOGMILL_RECORD_RULES_H

#include <stdbool.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "base/error.h"
#include "record/limits.h"
#include "record/record.h"
#include "record/wrong.h"

struct record_item {
    struct record record; /* what the item does not give is left zero */
    bool has_timestamp;   /* given, or taken from the id */
    bool has_id;
};

/* Memory that is used again for each item. */
struct record_item_scratch {
    yyjson_val **keys; /* of the attributes of the item that is read … */
    size_t len;        /* … so many, of which those from `merged` on are members of "attributes" */
    size_t merged;
    size_t capacity;
};

void record_item_scratch_release(struct record_item_scratch *s);

/* Whether the limits of limits.h are enforced. */
enum record_item_source {
    RECORD_ITEM_SENT,   /* by a client: they are */
    RECORD_ITEM_QUEUED, /* out of the queue: only RECORD_STORED_DEPTH_MAX is */
};

/*
 * Reads `value` into *item. The text of the attributes is appended to `attributes`; level and
 * message are views of the document. Reports everything that is wrong, in the order of the fields
 * message, level, timestamp, id, attributes.
 * Returns 0; LM_EINVAL if something was reported; LM_ETOOBIG if attributes are nested too
 * deep (nothing was reported); or LM_ENOMEM. But for 0, `attributes` is as it was.
 */
int record_item_read(struct record_item_scratch *s, yyjson_val *value,
                     enum record_item_source source, struct buffer *attributes,
                     struct record_item *item, record_report *report, void *ctx) LM_MUST_CHECK;

#endif
