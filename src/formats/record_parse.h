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
#include "record/validation.h"
#include "record/limits.h"
#include "record/record.h"

struct record_parser;

struct record_parser *record_parser_new(void);

/* What it holds of a body that is wrong, to tell what is, is charged to `account`. At first. */
void record_parser_charge(struct record_parser *p, struct account *account);

void record_parser_free(struct record_parser *p);

/* Lets go of what record_parse_message has handed out since the last reset. */
void record_parser_reset(struct record_parser *p);

/*
 * Called for each valid record, in order. `r` and its slices live until the call returns.
 * Returns 0 to go on, or an error, at which parsing stops and which the parse function returns.
 */
typedef int record_sink(const struct record *r, void *ctx);

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

/*
 * Parses the body of a queue message: a batch {"v":1,"logs":[…]}, a bare record, or an array of
 * records, from any producer. A record without an id gets one derived from `message_id` and its
 * index, and without a timestamp `sent_us`, so that a redelivery gives the same records. An item
 * that is wrong goes to `reject` with its JSON text and one line that says why, and the others go
 * to `sink`. Of limits.h only RECORD_STORED_DEPTH_MAX is looked at. Unlike above, slices handed to
 * `sink` live until record_parser_reset, so that a worker can collect the records of many messages;
 * `r` itself is to be copied. Returns 0; LM_EINVAL with `reason` filled where the whole message
 * cannot be understood (nothing was handed over); LM_ENOMEM; or the error of a callback.
 */
struct record_message {
    struct slice body;
    struct slice message_id;
    int64_t sent_us;
};
typedef int record_reject(struct slice item, const char *reason, void *ctx);

int record_parse_message(struct record_parser *p, const struct record_message *message,
                         record_sink *sink, record_reject *reject, void *ctx,
                         struct errbuf *reason) LM_MUST_CHECK;

#endif
