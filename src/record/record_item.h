/*
 * One JSON object to one record, or to what is wrong with it: the rules of the log record.
 * Internal to record/.
 */
#ifndef LOGMILL_RECORD_RECORD_ITEM_H
#define LOGMILL_RECORD_RECORD_ITEM_H

#include <stdbool.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "base/error.h"
#include "record/record.h"

/* What is wrong with an item, in pydantic's words. All texts live during the report only. */
struct record_item_error {
    const char *type;  /* "string_type" */
    const char *field; /* "message"; NULL: the item as a whole */
    const char *msg;
    const char *reason; /* for ctx["error"], or NULL */
    const char *ctx;    /* JSON text of the ctx where it is not {"error":reason}, or NULL */
    yyjson_val *input;
};
typedef void record_item_report(const struct record_item_error *error, void *ctx);

struct record_item {
    struct record record; /* what the item does not give is left zero */
    bool has_timestamp;   /* given, or taken from the id */
    bool has_id;
};

/* Memory that is used again for each item. */
struct record_item_scratch {
    yyjson_val **keys;
    size_t capacity;
};

void record_item_scratch_release(struct record_item_scratch *s);

/*
 * Reads `value` into *item. The text of the attributes is appended to `attributes`; level and
 * message are views of the document. Reports everything that is wrong, in the order of the fields
 * message, level, timestamp, id.
 * Returns 0; LM_EINVAL where something was reported; or LM_ENOMEM.
 */
int record_item_read(struct record_item_scratch *s, yyjson_val *value, struct buffer *attributes,
                     struct record_item *item, record_item_report *report, void *ctx) LM_MUST_CHECK;

#endif
