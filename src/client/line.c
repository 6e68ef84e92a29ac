#include "client/line.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "base/uuid7.h"

/* ---- Options ---- */

static bool is_own_field(const char *name, size_t len)
{
    static const char *const fields[] = {"message", "level", "timestamp", "id"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strlen(fields[i]) == len && memcmp(fields[i], name, len) == 0)
            return true;
    return false;
}

static int append_attr(struct buffer *b, const char *attr, struct errbuf *err)
{
    size_t len = strcspn(attr, "=");

    if (is_own_field(attr, len))
        return errbuf_fail(err, LM_EINVAL, "--attr: %.*s is a field of every log, no attribute",
                           (int)len, attr);
    json_append_string(b, slice_of(attr, len));
    buffer_append_char(b, ':');
    json_append_string(b, slice_of_string(attr + len + 1));
    buffer_append_char(b, ',');
    return 0;
}

int line_options_init(struct line_options *o, const struct flags *flags, struct errbuf *err)
{
    const char *format = flags_text(flags, "format");
    int error;

    *o = (struct line_options){.format = strcmp(format, "plain") == 0  ? LINE_PLAIN
                                         : strcmp(format, "json") == 0 ? LINE_JSON
                                                                       : LINE_AUTO};
    buffer_init(&o->level, 1 << 20);
    buffer_init(&o->attrs, 1 << 20);
    buffer_append_string(&o->level, "\"level\":");
    json_append_string(&o->level, slice_of_string(flags_text(flags, "level")));
    buffer_append_char(&o->level, ',');
    for (int i = 0; i < flags->given_len; i++)
        if (strcmp(flags->given[i].flag->name, "attr") == 0 &&
            (error = append_attr(&o->attrs, flags->given[i].value, err)))
            return error;
    if (!utf8_valid(buffer_slice(&o->level)) || !utf8_valid(buffer_slice(&o->attrs)))
        return errbuf_fail(err, LM_EINVAL, "--level, --attr: not UTF-8");
    return 0;
}

void line_options_release(struct line_options *o)
{
    buffer_release(&o->level);
    buffer_release(&o->attrs);
}

/* ---- Lines ---- */

static void append_identity(struct buffer *b, const struct line_options *o, int64_t timestamp_us,
                            struct slice text, uint64_t number, uint64_t piece)
{
    char id_text[UUID_TEXT_LEN];
    struct buffer seed;
    struct uuid id;

    if (o->is_repeatable) {
        buffer_init(&seed, SIZE_MAX / 2);
        buffer_appendf(&seed, "%llu %llu ", (unsigned long long)number, (unsigned long long)piece);
        buffer_append_slice(&seed, text);
        id = uuid7_derived(timestamp_us, buffer_slice(&seed));
        buffer_release(&seed);
    } else {
        id = uuid7_new(timestamp_us);
    }
    uuid_format(&id, id_text);
    buffer_append_string(b, "\"id\":\"");
    buffer_append(b, id_text, sizeof(id_text));
    buffer_append_string(b, "\",");
}

static void append_timestamp(struct buffer *b, int64_t timestamp_us)
{
    buffer_append_string(b, "\"timestamp\":\"");
    timestamp_append(b, timestamp_us);
    buffer_append_string(b, "\",");
}

static int64_t default_time(const struct line_options *o, uint64_t number)
{
    return o->timestamp_us ? o->timestamp_us + (int64_t)number : clock_wall_us();
}

/* One plain text of at most LINE_PIECE_MAX bytes. */
static void append_text(struct buffer *b, const struct line_options *o, struct slice text,
                        uint64_t number, uint64_t piece)
{
    int64_t timestamp_us = default_time(o, number);
    struct buffer repaired;

    buffer_init(&repaired, SIZE_MAX / 2);
    utf8_append_repaired(&repaired, text);
    buffer_append_char(b, '{');
    append_identity(b, o, timestamp_us, text, number, piece);
    append_timestamp(b, timestamp_us);
    buffer_append_slice(b, buffer_slice(&o->level));
    buffer_append_slice(b, buffer_slice(&o->attrs));
    buffer_append_string(b, "\"message\":");
    json_append_string(b, buffer_slice(&repaired));
    buffer_append_string(b, "}\n");
    buffer_release(&repaired);
}

/* The length of the next piece of `text`: not in the middle of a character. */
static size_t piece_len(struct slice text)
{
    size_t len = LINE_PIECE_MAX;

    if (text.len <= len)
        return text.len;
    for (int i = 0; i < 3 && ((unsigned char)text.data[len] & 0xc0) == 0x80; i++)
        len--;
    return len;
}

/* Reads the time of a log into `us`, where it has one; false where the server would refuse it. */
static bool read_time(yyjson_val *time, int64_t *us)
{
    struct timestamp_error error;

    if (yyjson_is_raw(time))
        return timestamp_parse_number(json_text(time), us, &error) == 0;
    return !time || (yyjson_is_str(time) && timestamp_parse_text(json_text(time), us, &error) == 0);
}

/* False where the server would refuse the log. */
static bool id_fits(yyjson_val *id, bool has_time, int64_t us)
{
    struct errbuf reason;
    struct uuid parsed;

    return yyjson_is_str(id) && uuid_parse(json_text(id), &parsed, &reason) == 0 &&
           uuid_is_v7(&parsed) && (!has_time || uuid7_ms(&parsed) == uuid7_ms_of_timestamp(us));
}

/*
 * Appends the log that the JSON object `text` is: what it lacks is put in front of its members,
 * which stay as they are (and win over --attr). Returns false, nothing appended, where the format
 * is a guess and the server would refuse that log.
 */
static bool append_object(struct buffer *b, const struct line_options *o, struct slice text,
                          yyjson_val *log, uint64_t number)
{
    yyjson_val *id = yyjson_obj_get(log, "id"), *level = yyjson_obj_get(log, "level");
    yyjson_val *time = yyjson_obj_get(log, "timestamp");
    size_t begin = (size_t)((const char *)memchr(text.data, '{', text.len) - text.data) + 1;
    int64_t us = default_time(o, number);
    bool is_time = read_time(time, &us);

    if (o->format == LINE_AUTO &&
        (!yyjson_is_str(yyjson_obj_get(log, "message")) || (level && !yyjson_is_str(level)) ||
         !is_time || (id && !id_fits(id, time != NULL, us))))
        return false;
    buffer_append_char(b, '{');
    if (!id && is_time)
        append_identity(b, o, us, text, number, 0);
    if (!id && !time)
        append_timestamp(b, us);
    if (!level)
        buffer_append_slice(b, buffer_slice(&o->level));
    buffer_append_slice(b, buffer_slice(&o->attrs));
    if (yyjson_obj_size(log) == 0)
        buffer_truncate(b, b->len - (b->data[b->len - 1] == ','));
    buffer_append(b, text.data + begin, text.len - begin);
    buffer_append_char(b, '\n');
    return true;
}

/* As JSON, where it is and may be that. */
static bool append_json(struct buffer *b, const struct line_options *o, struct slice line,
                        uint64_t number)
{
    yyjson_doc *doc = NULL;
    bool is_log = false;

    if (memchr(line.data, '{', line.len))
        doc = yyjson_read(line.data, line.len, YYJSON_READ_NUMBER_AS_RAW);
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        is_log = append_object(b, o, line, yyjson_doc_get_root(doc), number);
    yyjson_doc_free(doc);
    return is_log;
}

int line_append(struct buffer *b, const struct line_options *o, struct slice line, uint64_t number,
                void (*added)(void *ctx), void *ctx)
{
    size_t len;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return 0;
    if (o->format != LINE_PLAIN && append_json(b, o, line, number)) {
        added(ctx);
        return 0;
    }
    if (o->format == LINE_JSON)
        return LM_EDATA;
    for (uint64_t piece = 0; line.len > 0; piece++) {
        len = piece_len(line);
        append_text(b, o, slice_of(line.data, len), number, piece);
        added(ctx);
        line = slice_of(line.data + len, line.len - len);
    }
    return 0;
}
