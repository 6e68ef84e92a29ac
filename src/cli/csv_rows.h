/* Rows of CSV (record/csv.h) as a JSON log a line each. */
#ifndef LOGMILL_CLI_CSV_ROWS_H
#define LOGMILL_CLI_CSV_ROWS_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "record/csv.h"

enum { CSV_ROWS_ROW_MAX = 256 << 20 }; /* bytes of one row */

struct csv_rows {
    enum { CSV_FIELD_BEGIN, CSV_BARE, CSV_QUOTED, CSV_QUOTE_SEEN } state;
    bool has_head;
    struct buffer fields; /* of the row so far, one after the other */
    size_t ends[CSV_COLUMNS];
    int columns;                    /* that have ended */
    unsigned long long line, lines; /* where the row begins; newlines so far */
};

void csv_rows_init(struct csv_rows *c);
void csv_rows_release(struct csv_rows *c);

/*
 * Appends the rows that end in `text`, the next of the input. Behind each come as many empty lines
 * as it had newlines in its texts, so that lines have the numbers that they have in the input.
 * Returns 0, LM_EDATA with `err` set, or LM_ENOMEM.
 */
int csv_rows_feed(struct csv_rows *c, struct slice text, bool is_last, struct buffer *out,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
