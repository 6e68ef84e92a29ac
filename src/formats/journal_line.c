/*
 * journalctl -o json: an entry of systemd's journal as an object of JSON, with the fields of
 * formats/journal.h and what becomes of them; a value that is no UTF-8 is an array of the numbers
 * of its bytes, a field that is there several times an array of its values, and one that is too
 * large null.
 */
#include "base/timestamp.h"
#include "formats/line_format.h"
#include "formats/line_scan.h"
#include "formats/names.h"
#include "json/writer.h"

enum { TIME_DIGITS_MAX = 18 };

static bool is_named(yyjson_val *key, const char *name)
{
    return yyjson_equals_str(key, name);
}

/* The bytes that an array of numbers is; false if it is something else. */
static bool append_bytes(struct buffer *b, yyjson_val *array)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);

    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));) {
        struct slice digits = json_text(item), rest = digits;
        int byte = 0;

        if (!yyjson_is_raw(item) || line_take_digits(&rest, 3).len != digits.len)
            return false;
        for (size_t i = 0; i < digits.len; i++)
            byte = byte * 10 + (digits.data[i] - '0');
        if (byte > 255)
            return false;
        buffer_append_char(b, (char)byte);
    }
    return yyjson_arr_size(array) > 0;
}

/* The text that `value` is, or that is the last of an array of them; data NULL: it is none. */
static struct slice text_of(yyjson_val *value, struct buffer *b)
{
    if (yyjson_is_arr(value)) {
        buffer_clear(b);
        if (append_bytes(b, value))
            return buffer_slice(b);
        value = yyjson_arr_get_last(value);
        buffer_clear(b);
        if (append_bytes(b, value))
            return buffer_slice(b);
    }
    return json_text(value);
}

/* Microseconds since 1970. */
static bool time_of(struct slice digits, int64_t *us)
{
    struct slice rest = digits;

    if (!digits.len || line_take_digits(&rest, TIME_DIGITS_MAX).len != digits.len)
        return false;
    *us = 0;
    for (size_t i = 0; i < digits.len; i++)
        *us = *us * 10 + (digits.data[i] - '0');
    return *us <= TIMESTAMP_MAX_US;
}

static void put_field(struct line_memory *m, struct record_draft *d, yyjson_val *key,
                      yyjson_val *value)
{
    bool is_message = is_named(key, "MESSAGE");
    struct slice text = text_of(value, is_message ? &m->message : &m->attribute);
    struct slice name = json_text(key);
    int64_t us;

    record_draft_fail(d, buffer_error(&m->message) | buffer_error(&m->attribute));
    if (!text.data)
        record_draft_null(d, name);
    else if (is_message)
        record_draft_message(d, text);
    else if (is_named(key, "PRIORITY") && text.len == 1 && text.data[0] >= '0' &&
             text.data[0] <= '7')
        record_draft_level(d, level_of_syslog(text.data[0] - '0'));
    else if (is_named(key, "__REALTIME_TIMESTAMP") && time_of(text, &us))
        record_draft_time(d, us);
    else if (is_named(key, "__CURSOR"))
        record_draft_seed(d, text);
    else if (!line_begins(name, SLICE_LITERAL("__")))
        record_draft_text(d, name, text);
}

static bool read(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct slice text = slice_trim(line);

    if (!text.len || text.data[0] != '{' ||
        json_doc_read_cleaned(&m->inner, text, &m->nul_characters))
        return false;
    yyjson_val *object = yyjson_doc_get_root(m->inner.doc);
    if (!yyjson_obj_get(object, "__REALTIME_TIMESTAMP"))
        return false;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
        put_field(m, d, key, yyjson_obj_iter_get_val(key));
    return true;
}

const struct line_format line_journal = {.name = "journal", .read = read};
