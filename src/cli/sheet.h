/*
 * Rows of cells, the head being the first: in columns for people, with a bar for an amount of each,
 * or as CSV (RFC 4180).
 */
#ifndef LOGMILL_CLI_SHEET_H
#define LOGMILL_CLI_SHEET_H

#include "base/buffer.h"

enum {
    SHEET_CELL_MAX = 60, /* characters of a cell that people are shown; of a longer one the rest is
                            an ellipsis */
    SHEET_BAR_MAX = 24,  /* of the greatest amount */
};

struct sheet {
    size_t columns;      /* of each row */
    size_t texts;        /* so many columns, the first ones, hold texts, the others numbers */
    struct buffer cells; /* their texts, one after the other */
    size_t *ends;        /* of each cell */
    size_t ends_len, ends_capacity;
    uint64_t *amounts; /* of each row */
    size_t rows, rows_capacity;
};

void sheet_init(struct sheet *t, size_t columns, size_t texts);
void sheet_release(struct sheet *t);

/* The next cell of the row that is under way; the row ends with the last of its columns. */
void sheet_add(struct sheet *t, struct slice text);
/* Of the row that has ended last; 0, as it is at first: it has no bar. */
void sheet_set_amount(struct sheet *t, uint64_t amount);

/* Append the whole. What could control a terminal is made visible in columns (base/visible.h). */
void sheet_append_columns(const struct sheet *t, struct buffer *b);
void sheet_append_csv(const struct sheet *t, struct buffer *b);

#endif
