/*
 * The forms in which GET /logs writes logs: a page of JSON, or a download as NDJSON or CSV (RFC
 * 4180).
 */
#ifndef LOGMILL_READ_LIST_FORMAT_H
#define LOGMILL_READ_LIST_FORMAT_H

#include "base/buffer.h"
#include "http/query_string.h"
#include "record/record.h"

enum list_format { LIST_JSON, LIST_NDJSON, LIST_CSV };

/*
 * What the client asks for: by the parameter `format` (ndjson, csv or json), or else by its header
 * Accept (data NULL: none), RFC 9110, section 12.5.1: application/x-ndjson or text/csv if it likes
 * that better than application/json.
 */
enum list_format list_format(struct slice accept, const struct query_string *params);

/* Appends what comes before the first log. */
void list_format_append_head(struct buffer *b, enum list_format format);

/* Appends a log; `is_first`: of the whole answer. */
void list_format_append_log(struct buffer *b, enum list_format format, const struct record *record,
                            bool is_first);

#endif
