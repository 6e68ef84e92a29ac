/*
 * An array of JSON objects as a line each: an array alone, as POST /logs takes it, or the answer of
 * GET /logs, {"logs":[…],…}. Objects are cut apart here, and read by whoever reads the lines.
 */
#ifndef LOGMILL_CLI_JSON_ARRAY_H
#define LOGMILL_CLI_JSON_ARRAY_H

#include "base/buffer.h"
#include "base/errbuf.h"

struct json_array {
    bool is_answer; /* {"logs":[…],…}: what comes behind the array is passed over */
    enum { JSON_ARRAY_BEFORE, JSON_ARRAY_BETWEEN, JSON_ARRAY_OBJECT, JSON_ARRAY_AFTER } state;
    unsigned depth; /* in an object */
    bool in_string, is_escaped;
};

void json_array_init(struct json_array *a);

/*
 * Appends the objects that begin in `text`, the next of an input that begins with the array (in an
 * answer, with what stands before it), with a newline behind each. Returns 0, or LM_EDATA with
 * `err` set, or LM_ENOMEM.
 */
int json_array_feed(struct json_array *a, struct slice text, bool is_last, struct buffer *out,
                    struct errbuf *err) LM_MUST_CHECK;

#endif
