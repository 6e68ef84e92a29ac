#include "cli/sheet.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/utf8.h"
#include "base/visible.h"

enum { CELLS_BYTES_MAX = 256 << 20, COLUMNS_MAX = 16 };

#define ELLIPSIS "…"

void sheet_init(struct sheet *t, size_t columns, size_t texts)
{
    *t = (struct sheet){.columns = columns, .texts = texts};
    buffer_init(&t->cells, CELLS_BYTES_MAX);
}

void sheet_release(struct sheet *t)
{
    buffer_release(&t->cells);
    free(t->ends);
    free(t->amounts);
}

void sheet_add(struct sheet *t, struct slice text)
{
    buffer_append_slice(&t->cells, text);
    t->ends = array_reserve(t->ends, &t->ends_capacity, t->ends_len + 1, sizeof(*t->ends));
    t->ends[t->ends_len++] = t->cells.len;
    if (t->ends_len % t->columns)
        return;
    t->amounts = array_reserve(t->amounts, &t->rows_capacity, t->rows + 1, sizeof(*t->amounts));
    t->amounts[t->rows++] = 0;
}

void sheet_set_amount(struct sheet *t, uint64_t amount)
{
    if (t->rows > 0)
        t->amounts[t->rows - 1] = amount;
}

static struct slice cell(const struct sheet *t, size_t row, size_t column)
{
    size_t i = row * t->columns + column;
    size_t from = i > 0 ? t->ends[i - 1] : 0;

    return slice_of(t->cells.data + from, t->ends[i] - from);
}

/* ---- Columns ---- */

/* The first `n` characters. */
static struct slice first_characters(struct slice text, size_t n)
{
    for (size_t i = 0; i < text.len; i++) {
        bool begins = ((unsigned char)text.data[i] & 0xc0) != 0x80;

        if (begins && n == 0)
            return slice_of(text.data, i);
        n -= begins;
    }
    return text;
}

/* A cell as people are shown it, in `room`. */
static struct slice shown(const struct sheet *t, size_t row, size_t column, struct buffer *room)
{
    buffer_clear(room);
    visible_append(room, cell(t, row, column));

    struct slice text = buffer_slice(room);
    struct slice cut = first_characters(text, SHEET_CELL_MAX - 1);

    if (utf8_count(text) <= SHEET_CELL_MAX)
        return text;
    buffer_truncate(room, cut.len);
    buffer_append_string(room, ELLIPSIS);
    return buffer_slice(room);
}

static void append_spaces(struct buffer *b, size_t n)
{
    while (n-- > 0)
        buffer_append_char(b, ' ');
}

/* Texts to the left of their column, numbers to its right; no blanks at the end of a line. */
static void append_cell(const struct sheet *t, struct buffer *b, struct slice text, size_t column,
                        size_t width)
{
    size_t spaces = width - utf8_count(text);
    bool is_text = column < t->texts;
    bool is_last = column + 1 == t->columns;

    if (!is_text)
        append_spaces(b, spaces);
    buffer_append_slice(b, text);
    if (is_text && !is_last)
        append_spaces(b, spaces);
    if (!is_last)
        append_spaces(b, 2);
}

static void append_bar(struct buffer *b, uint64_t amount, uint64_t most)
{
    double cells = (double)amount / (double)most * SHEET_BAR_MAX;

    buffer_append_string(b, "  ");
    for (int i = 0; i < (int)cells; i++)
        buffer_append_string(b, "█");
    buffer_append_string(b, cells - (int)cells >= 0.5 ? "▌" : cells < 0.5 ? "▏" : "");
}

void sheet_append_columns(const struct sheet *t, struct buffer *b)
{
    size_t widths[COLUMNS_MAX] = {0};
    struct buffer room;
    uint64_t most = 0;

    buffer_init(&room, CELLS_BYTES_MAX);
    for (size_t row = 0; row < t->rows; row++) {
        for (size_t i = 0; i < t->columns; i++) {
            size_t width = utf8_count(shown(t, row, i, &room));

            widths[i] = width > widths[i] ? width : widths[i];
        }
        most = t->amounts[row] > most ? t->amounts[row] : most;
    }
    for (size_t row = 0; row < t->rows; row++) {
        for (size_t i = 0; i < t->columns; i++)
            append_cell(t, b, shown(t, row, i, &room), i, widths[i]);
        if (t->amounts[row] > 0)
            append_bar(b, t->amounts[row], most);
        buffer_append_char(b, '\n');
    }
    buffer_release(&room);
}

/* ---- CSV ---- */

static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("\",\r\n", text.data[i]))
            return true;
    return false;
}

static void append_csv_cell(struct buffer *b, struct slice text)
{
    if (!needs_quotes(text)) {
        buffer_append_slice(b, text);
        return;
    }
    buffer_append_char(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            buffer_append_char(b, '"');
        buffer_append_char(b, text.data[i]);
    }
    buffer_append_char(b, '"');
}

void sheet_append_csv(const struct sheet *t, struct buffer *b)
{
    for (size_t row = 0; row < t->rows; row++) {
        for (size_t i = 0; i < t->columns; i++) {
            if (i > 0)
                buffer_append_char(b, ',');
            append_csv_cell(b, cell(t, row, i));
        }
        buffer_append_string(b, "\r\n");
    }
}
