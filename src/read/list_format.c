#include "read/list_format.h"

#include "base/timestamp.h"
#include "http/accept.h"
#include "record/csv.h"

/* ---- What is asked for ---- */

enum { ANYTHING = 3, RANGES = 4 };

static int range_of(struct slice type)
{
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/x-ndjson")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("application/ndjson")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("application/jsonl")))
        return LIST_NDJSON;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("text/csv")))
        return LIST_CSV;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/json")))
        return LIST_JSON;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/*")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("*/*")))
        return ANYTHING;
    return -1;
}

enum list_format list_format(struct slice accept, const struct query_string *params)
{
    struct slice format = query_string_last(params, "format");
    int weights[RANGES] = {-1, 0, 0, 0};
    struct accept_item item;
    int best = LIST_JSON;

    if (slice_equal(format, SLICE_LITERAL("ndjson")))
        return LIST_NDJSON;
    if (slice_equal(format, SLICE_LITERAL("csv")))
        return LIST_CSV;
    if (slice_equal(format, SLICE_LITERAL("json")))
        return LIST_JSON;
    while (accept_next(&accept, &item)) {
        int range = range_of(item.name);

        if (range >= 0 && item.weight > weights[range])
            weights[range] = item.weight;
    }
    if (weights[LIST_JSON] < 0) /* whoever takes anything gets what it always got */
        weights[LIST_JSON] = weights[ANYTHING];
    for (int i = 0; i < ANYTHING; i++)
        if (weights[i] > weights[best])
            best = i;
    return (enum list_format)best;
}

/* ---- Logs ---- */

static void append_csv_row(struct buffer *b, const struct record *r)
{
    char timestamp[TIMESTAMP_TEXT_LEN];
    char id[UUID_TEXT_LEN];

    timestamp_format(r->key.timestamp_us, timestamp);
    uuid_format(&r->key.id, id);
    csv_append_row(b, &(struct csv_row){
                          .timestamp = slice_of(timestamp, sizeof(timestamp)),
                          .id = slice_of(id, sizeof(id)),
                          .level = r->level,
                          .message = r->message,
                          .attributes = r->attributes.len > 0 ? r->attributes : SLICE_LITERAL("{}"),
                      });
    buffer_append_string(b, CSV_ROW_END);
}

void list_format_append_head(struct buffer *b, enum list_format format)
{
    if (format == LIST_JSON)
        buffer_append_string(b, "{\"logs\":[");
    if (format == LIST_CSV)
        buffer_append_string(b, CSV_HEAD CSV_ROW_END);
}

void list_format_append_log(struct buffer *b, enum list_format format, const struct record *record,
                            bool is_first)
{
    if (format == LIST_CSV) {
        append_csv_row(b, record);
        return;
    }
    if (format == LIST_JSON && !is_first)
        buffer_append_char(b, ',');
    record_append_json(b, record);
    if (format == LIST_NDJSON)
        buffer_append_char(b, '\n');
}
