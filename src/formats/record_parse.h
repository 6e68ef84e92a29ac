/*
 * From the JSON that clients send to records, with every rule of the log record:
 *
 *   message    string, required
 *   level      string, required
 *   timestamp  optional (or null): text or number, see timestamp.h; default: the id's, or arrival
 *   id         optional (or null): UUIDv7; given with a timestamp both must agree to the
 *              millisecond; given alone, it is the timestamp too
 *   others     any JSON: the members of `attributes`. A member named "attributes" that is an object
 *              (as our own answers have it) is merged into them, so that what GET /logs returns can
 *              be sent again; "attributes" that is not an object is an attribute like any other.
 *
 * All of it within the limits of limits.h. U+0000 in texts, which PostgreSQL cannot hold, becomes
 * U+FFFD and is counted. A parser belongs to one thread and reuses its memory: nothing is allocated
 * per log once warm.
 */
#ifndef LOGMILL_FORMATS_RECORD_PARSE_H
#define LOGMILL_FORMATS_RECORD_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "record/limits.h"
#include "record/record.h"
#include "record/validation.h"

struct record_parser;

struct record_parser *record_parser_new(void);

/* What it holds of a body that is wrong, to tell what is, is charged to `account`. At first. */
void record_parser_charge(struct record_parser *p, struct account *account);

void record_parser_free(struct record_parser *p);

/* How a body says what it is. */
enum record_body {
    RECORD_BODY_ONE,    /* one JSON object: POST /log */
    RECORD_BODY_ARRAY,  /* a JSON array of objects: POST /logs */
    RECORD_BODY_NDJSON, /* one JSON object a line; empty lines are skipped */
};

struct record_parse_counts {
    size_t records;        /* handed to the sink */
    size_t nul_characters; /* replaced */
};

/*
 * Parses `body` (any bytes) and hands its records to `sink`. Nothing is handed over from an item
 * that is wrong; items around it may have been handed over before it was met, so the caller undoes
 * those when LM_EINVAL comes back ("all or nothing").
 * Returns 0; LM_EINVAL: `v` lists what is wrong, every item of it; LM_EDATA: a log is larger than
 * RECORD_BYTES_MAX; LM_ENOMEM, LM_EBUSY (no room in the account); or the sink's error.
 */
int record_parse_body(struct record_parser *p, enum record_body kind, struct slice body,
                      record_sink *sink, void *ctx, struct record_parse_counts *counts,
                      struct validation *v) LM_MUST_CHECK;

#endif
