/*
 * A log as a row of CSV (RFC 4180): what GET /logs, `logmill export` and `logmill query` write and
 * `logmill import` reads. Time and id are bare, the texts always in quotes.
 */
#ifndef LOGMILL_RECORD_CSV_H
#define LOGMILL_RECORD_CSV_H

#include "base/buffer.h"
#include "base/slice.h"

/* The row of names that it begins with. */
#define CSV_HEAD "timestamp,id,level,message,attributes"

/* Of all rows; a terminal would be shown the CR. */
#define CSV_ROW_END "\r\n"

enum { CSV_COLUMNS = 5 };

struct csv_row {
    struct slice timestamp;
    struct slice id;
    struct slice level;
    struct slice message;
    struct slice attributes; /* text of a JSON object */
};

/* Appends `row` without its end. */
void csv_append_row(struct buffer *b, const struct csv_row *row);

#endif
