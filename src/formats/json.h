/*
 * From the JSON that clients send to records: an object, an array of objects, or an object a line.
 * What a log is: record/rules.h. It tells what is wrong with a body as codes; whose words that
 * becomes is for the format that uses it (fastapi.h).
 */
#ifndef LOGMILL_FORMATS_JSON_H
#define LOGMILL_FORMATS_JSON_H

#include <stdbool.h>

#include "formats/format.h"
#include "record/wrong.h"
#include "json/error.h"

/* How a body says what it is. */
enum json_body {
    JSON_BODY_OBJECT,
    JSON_BODY_ARRAY,
    JSON_BODY_LINES, /* NDJSON: an object a line; empty lines are skipped */
};

/* What it parses with; it belongs to one thread. */
struct json_body_memory;
struct json_body_memory *json_body_memory_new(void);
void json_body_memory_free(struct json_body_memory *m);

enum json_body_problem {
    JSON_BODY_EMPTY,
    JSON_BODY_NO_JSON, /* `error`; all that was reported of the same text before counts no more */
    JSON_BODY_NO_ARRAY,
    JSON_BODY_NO_RECORD, /* `record` */
};

/* All that it points to lives during the report only. */
struct json_body_wrong {
    enum json_body_problem problem;
    size_t text; /* the JSON text it is in: 0, or of lines the number of the line */
    bool in_item;
    size_t item; /* its number */
    const struct json_error *error;
    const struct record_wrong *record; /* of JSON_BODY_NO_ARRAY: its value alone */
};

/* Returns 0, or LM_ENOMEM or LM_EBUSY if it cannot be told, which ends the parse. */
typedef int json_body_report(const struct json_body_wrong *wrong, void *ctx);

/*
 * Parses `body` as format.parse does. Everything that is wrong with it, item by item, is told to
 * `report` (NULL: to nobody), whose `report_ctx` is its own.
 */
int json_body_parse(struct json_body_memory *m, enum json_body kind, struct slice body,
                    record_sink *sink, void *ctx, struct format_counts *counts,
                    json_body_report *report, void *report_ctx) LM_MUST_CHECK;

#endif
