/*
 * Which limits of limits.h a log passes, and where: the cold path of a log that may pass one.
 * Internal to record/.
 */
#ifndef LOGMILL_RECORD_LIMIT_CHECK_H
#define LOGMILL_RECORD_LIMIT_CHECK_H

#include <stdbool.h>

#include "record/wrong.h"

/* Values in `item`, an object, at all levels; names count as values. */
static inline size_t record_item_values(yyjson_val *item)
{
    return (size_t)(unsafe_yyjson_get_next(item) - item) - 1;
}

/* The level of `item`, a string. */
void record_check_level(yyjson_val *level, record_report *report, void *ctx);

/* The number of values in `item`, an object. */
void record_check_values(yyjson_val *item, record_report *report, void *ctx);

/*
 * Names and numbers of the attributes whose keys are keys[0..n); NULLs among them are passed over.
 * From keys[merged] on they are members of the member "attributes". They are nested at most
 * RECORD_DEPTH_MAX deep. Returns whether something was reported.
 */
bool record_check_attributes(yyjson_val **keys, size_t n, size_t merged, record_report *report,
                             void *ctx);

#endif
