#include "cli/line.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/timestamp.h"
#include "base/uuid7.h"
#include "record/limits.h"
#include "json/writer.h"

static const uint64_t HASH_OF_JSON = UINT64_C(0x9e3779b97f4a7c15);

/* ---- Options ---- */

static bool is_own_field(const char *name, size_t len)
{
    static const char *const fields[] = {"message", "level", "timestamp", "id", "attributes"};

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

static int check(struct line_reader *r, struct slice json, struct log_key *key, struct errbuf *err);

/* What no log could have is told before any is read. */
static int check_flags(struct line_reader *r, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    struct buffer sample;
    struct log_key key;

    buffer_init(&sample, SIZE_MAX / 2);
    buffer_append_char(&sample, '{');
    buffer_append_slice(&sample, buffer_slice(&r->attrs));
    buffer_append_slice(&sample, buffer_slice(&r->level));
    buffer_append_string(&sample, ",\"message\":\"\"}");
    int error = check(r, buffer_slice(&sample), &key, &reason);
    buffer_release(&sample);
    return error ? errbuf_fail(err, LM_EINVAL, "--level, --attr: %s", reason.text) : 0;
}

int line_reader_init(struct line_reader *r, const struct flags *flags, struct errbuf *err)
{
    const char *format = flags_text(flags, "format");
    int error;

    *r = (struct line_reader){.format = strcmp(format, "plain") == 0  ? LINE_PLAIN
                                        : strcmp(format, "json") == 0 ? LINE_JSON
                                                                      : LINE_AUTO,
                              .memory = fastapi_log.memory_new(NULL)};
    buffer_init(&r->level, SIZE_MAX / 2);
    buffer_init(&r->attrs, SIZE_MAX / 2);
    buffer_init(&r->errors, SIZE_MAX / 2);
    buffer_append_string(&r->level, "\"level\":");
    json_append_string(&r->level, slice_of_string(flags_text(flags, "level")));
    for (int i = 0; i < flags->given_len; i++)
        if (strcmp(flags->given[i].flag->name, "attr") == 0 &&
            (error = append_attr(&r->attrs, flags->given[i].value, err)))
            return error;
    return check_flags(r, err);
}

void line_reader_release(struct line_reader *r)
{
    fastapi_log.memory_free(r->memory);
    buffer_release(&r->level);
    buffer_release(&r->attrs);
    buffer_release(&r->errors);
}

/* ---- Places ---- */

struct line_place line_place_begin(const struct line_reader *r)
{
    return (struct line_place){.hash = hash_bytes(hash_bytes(HASH_BASIS, buffer_slice(&r->level)),
                                                  buffer_slice(&r->attrs))};
}

static void pass(struct line_reader *r, struct slice bytes)
{
    if (r->place)
        r->place->hash = hash_bytes(r->place->hash, bytes);
}

/* The time of the next log, if it has none of its own. */
static int64_t default_time(const struct line_reader *r)
{
    if (!r->place)
        return clock_arrival_us();
    return r->place->time_us + (r->place->is_spread ? (int64_t)r->place->logs : 0);
}

static void append_id(struct buffer *b, const struct line_reader *r, int64_t us, bool is_json)
{
    char text[UUID_TEXT_LEN];
    struct uuid id;

    if (r->place)
        id = uuid7_numbered(us, r->place->logs,
                            hash_mix(r->place->hash ^ (is_json ? HASH_OF_JSON : 0)));
    else
        id = uuid7_new(us);
    uuid_format(&id, text);
    buffer_append_string(b, "\"id\":\"");
    buffer_append(b, text, sizeof(text));
    buffer_append_char(b, '"');
}

static void append_timestamp(struct buffer *b, int64_t us)
{
    buffer_append_string(b, "\"timestamp\":\"");
    timestamp_append(b, us);
    buffer_append_char(b, '"');
}

/* ---- JSON ---- */

/* Of several members of one name the last counts, as the server has it. NULL: none. */
static yyjson_val *member(yyjson_val *object, const char *name)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    yyjson_val *value = NULL;

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members));)
        if (yyjson_equals_str(key, name))
            value = yyjson_obj_iter_get_val(key);
    return value;
}

static bool is_given(yyjson_val *value)
{
    return value && !yyjson_is_null(value);
}

/* The time of a log that has one, or an id that is one. False if the server will refuse it. */
static bool read_time(yyjson_val *time, yyjson_val *id, int64_t *us)
{
    struct timestamp_error refusal;
    struct uuid uuid;

    if (yyjson_is_raw(time))
        return timestamp_parse_number(json_text(time), us, &refusal) == 0;
    if (is_given(time))
        return yyjson_is_str(time) && !timestamp_parse_text(json_text(time), us, &refusal);
    if (!yyjson_is_str(id) || uuid_parse(json_text(id), &uuid, NULL) || !uuid_is_v7(&uuid))
        return false;
    *us = uuid7_ms(&uuid) * 1000;
    return *us <= TIMESTAMP_MAX_US;
}

static struct slice without_bom(struct slice text)
{
    static const struct slice bom = {"\xef\xbb\xbf", 3};

    if (text.len >= bom.len && memcmp(text.data, bom.data, bom.len) == 0)
        return slice_of(text.data + bom.len, text.len - bom.len);
    return text;
}

bool line_may_be_json(const struct line_reader *r, struct slice text)
{
    size_t blanks = 0;

    if (r->format != LINE_AUTO)
        return r->format == LINE_JSON;
    text = without_bom(text);
    while (blanks < text.len && (text.data[blanks] == ' ' || text.data[blanks] == '\t'))
        blanks++;
    return blanks < text.len && text.data[blanks] == '{';
}

void line_explain(struct errbuf *err, yyjson_val *detail)
{
    yyjson_val *loc = yyjson_obj_get(detail, "loc");
    yyjson_val *field = yyjson_arr_get_last(loc);
    const char *type = yyjson_get_str(yyjson_obj_get(detail, "type"));
    const char *msg = yyjson_get_str(yyjson_obj_get(detail, "msg"));
    const char *reason = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(detail, "ctx"), "error"));
    const char *name = yyjson_get_str(field);
    const char *allowed = "";

    if (type && strcmp(type, "json_invalid") == 0) {
        errbuf_set(err, "not JSON: %s at character %llu", reason ? reason : "cannot be read",
                   (unsigned long long)yyjson_get_uint(field));
        return;
    }
    if (name && strcmp(name, "timestamp") == 0)
        allowed = "; allowed: 2026-11-25T10:00:00.123456+01:00, or Unix seconds or milliseconds";
    else if (name && strcmp(name, "id") == 0)
        allowed = "; allowed: a UUID of version 7 of the timestamp's millisecond";
    if (name && strcmp(name, "body") == 0)
        name = NULL;
    errbuf_set(err, "%s%s%s%s", name ? name : "", name ? ": " : "", msg ? msg : "refused", allowed);
}

static void explain_first(struct line_reader *r, struct errbuf *err)
{
    yyjson_doc *doc = yyjson_read(r->errors.data, r->errors.len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");

    line_explain(err, yyjson_arr_get_first(detail));
    yyjson_doc_free(doc);
}

static int take_key(const struct record *record, void *ctx)
{
    struct log_key *key = ctx;

    *key = record->key;
    return 0;
}

/* Reads `json` as the server will. Returns 0; LM_EDATA, `err` set; or LM_ENOMEM. */
static int check(struct line_reader *r, struct slice json, struct log_key *key, struct errbuf *err)
{
    struct format_options options = {.memory = r->memory, .wrong = &r->errors};
    struct format_counts counts;
    int error = fastapi_log.parse(json, &options, take_key, key, &counts);

    if (error == LM_EDATA)
        errbuf_set(err, "larger than %d MiB", RECORD_BYTES_MAX >> 20);
    if (error != LM_EINVAL)
        return error;
    explain_first(r, err);
    return LM_EDATA;
}

/*
 * Appends `text`, an object that is not empty, as a log: what it lacks comes behind its members, so
 * that it counts if they say null; --attr before them, so that they win. A log with an id is
 * whole, and gets no attributes: under its id it is stored once, as it is.
 */
static void append_completed(struct buffer *b, const struct line_reader *r, struct slice text,
                             yyjson_val *log, int64_t us, bool has_time)
{
    const char *begin = memchr(text.data, '{', text.len);
    const char *end = memrchr(text.data, '}', text.len);
    bool has_id = is_given(member(log, "id"));

    buffer_append_char(b, '{');
    if (!has_id)
        buffer_append_slice(b, buffer_slice(&r->attrs));
    buffer_append(b, begin + 1, (size_t)(end - begin) - 1);
    if (!has_id) {
        buffer_append_char(b, ',');
        append_id(b, r, us, true);
    }
    if (!has_id && !has_time) {
        buffer_append_char(b, ',');
        append_timestamp(b, us);
    }
    if (!member(log, "level")) {
        buffer_append_char(b, ',');
        buffer_append_slice(b, buffer_slice(&r->level));
    }
    buffer_append_char(b, '}');
}

static int append_log(struct buffer *b, struct line_reader *r, struct slice text, yyjson_val *log,
                      struct errbuf *err)
{
    yyjson_val *time = member(log, "timestamp"), *id = member(log, "id");
    bool has_time = is_given(time);
    size_t begin = b->len;
    struct log_key key;
    int64_t us = 0;

    if (!has_time && !is_given(id))
        us = default_time(r);
    else if (!read_time(time, id, &us)) /* which the check below will say */
        us = 0;
    append_completed(b, r, text, log, us, has_time);
    if (buffer_error(b))
        return LM_ENOMEM;
    int error = check(r, slice_of(b->data + begin, b->len - begin), &key, err);
    if (error) {
        buffer_truncate(b, begin);
        return error;
    }
    buffer_append_char(b, '\n');
    if (r->place && (has_time || is_given(id))) {
        r->place->time_us = key.timestamp_us;
        r->place->is_spread = false;
    }
    return 0;
}

/* Replaces in `b` the two halves of characters, which JSON may only have in pairs. */
static void replace_surrogates(struct buffer *b)
{
    char *at = b->data, *end = b->data + b->len;

    while ((at = memmem(at, (size_t)(end - at), "\\u", 2)) && end - at >= 6) {
        if ((at[2] == 'd' || at[2] == 'D') && strchr("89abAcBdefCDEF", at[3]))
            memcpy(at, "\\ufffd", 6);
        at += 2;
    }
}

/* True if `text` names a member "message". */
static bool names_message(struct slice text)
{
    static const struct slice name = {"\"message\"", 9};
    const char *at = memmem(text.data, text.len, name.data, name.len);

    if (!at)
        return false;
    at += name.len;
    struct slice rest = slice_trim(slice_of(at, text.len - (size_t)(at - text.data)));
    return rest.len > 0 && rest.data[0] == ':';
}

/*
 * True if `text`, which is not JSON, is meant as a log: it nearly is JSON, begins with a log, or
 * is the beginning of one.
 */
static bool is_nearly_log(struct slice text)
{
    const yyjson_read_flag lenient = YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN |
                                     YYJSON_READ_ALLOW_INVALID_UNICODE |
                                     YYJSON_READ_ALLOW_TRAILING_COMMAS |
                                     YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_STOP_WHEN_DONE;
    yyjson_read_err failure = {.code = YYJSON_READ_SUCCESS};
    yyjson_doc *doc = NULL;
    struct buffer copy;

    buffer_init(&copy, SIZE_MAX / 2);
    buffer_append_slice(&copy, text);
    if (!buffer_error(&copy)) {
        replace_surrogates(&copy);
        doc = yyjson_read_opts(copy.data, copy.len, lenient, NULL, &failure);
    }
    bool is_log = doc ? !!member(yyjson_doc_get_root(doc), "message")
                      : failure.code == YYJSON_READ_ERROR_UNEXPECTED_END && names_message(text);
    yyjson_doc_free(doc);
    buffer_release(&copy);
    return is_log;
}

/*
 * Appends `line`, which may be JSON, if it is a log; *is_text if it is none at all. Returns
 * 0; LM_EDATA, `err` set, if it is meant as one; or LM_ENOMEM.
 */
static int append_json(struct buffer *b, struct line_reader *r, struct slice line, bool *is_text,
                       struct errbuf *err)
{
    struct slice text = without_bom(line);
    yyjson_doc *doc = NULL;
    struct log_key key;
    int error;

    *is_text = false;
    doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    if (yyjson_is_obj(log) && member(log, "message")) {
        error = append_log(b, r, text, log, err);
    } else {
        *is_text = r->format == LINE_AUTO && (doc || !is_nearly_log(text));
        error = *is_text ? 0 : check(r, text, &key, err);
        if (!error && !*is_text) /* whatever the two readers differ in */
            error = errbuf_fail(err, LM_EDATA, "cannot be read as JSON");
    }
    yyjson_doc_free(doc);
    return error;
}

bool line_own_time(const struct line_reader *r, struct slice line, int64_t *us)
{
    struct slice text = without_bom(line);
    yyjson_doc *doc = NULL;

    if (line_may_be_json(r, line))
        doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    bool has_time =
        member(log, "message") && read_time(member(log, "timestamp"), member(log, "id"), us);
    yyjson_doc_free(doc);
    return has_time;
}

/* ---- Text ---- */

size_t line_piece_len(struct slice text)
{
    size_t len = LINE_PIECE_MAX;

    if (text.len <= len)
        return text.len;
    for (int i = 0; i < 3 && ((unsigned char)text.data[len] & 0xc0) == 0x80; i++)
        len--;
    return len;
}

/* One plain text of at most LINE_PIECE_MAX bytes. */
static void append_text(struct buffer *b, struct line_reader *r, struct slice text)
{
    int64_t us = default_time(r);
    struct buffer repaired;

    buffer_init(&repaired, SIZE_MAX / 2);
    if (!utf8_valid(text)) {
        utf8_append_repaired(&repaired, text);
        text = buffer_slice(&repaired);
        r->repaired++;
        b->error = b->error ? b->error : buffer_error(&repaired); /* no message may lack a part */
    }
    buffer_append_char(b, '{');
    append_id(b, r, us, false);
    buffer_append_char(b, ',');
    append_timestamp(b, us);
    buffer_append_char(b, ',');
    buffer_append_slice(b, buffer_slice(&r->level));
    buffer_append_char(b, ',');
    buffer_append_slice(b, buffer_slice(&r->attrs));
    buffer_append_string(b, "\"message\":");
    json_append_string(b, text);
    buffer_append_string(b, "}\n");
    buffer_release(&repaired);
}

static void count(struct line_reader *r, void (*added)(void *ctx), void *ctx)
{
    if (r->place)
        r->place->logs++;
    added(ctx);
}

static void append_texts(struct buffer *b, struct line_reader *r, struct slice text,
                         void (*added)(void *ctx), void *ctx)
{
    while (text.len > 0) {
        size_t len = line_piece_len(text);

        pass(r, slice_of(text.data, len));
        append_text(b, r, slice_of(text.data, len));
        count(r, added, ctx);
        text = slice_of(text.data + len, text.len - len);
    }
}

/* A whole line that may be a log in JSON. */
static int append_candidate(struct buffer *b, struct line_reader *r, struct slice line,
                            void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct line_place before = r->place ? *r->place : (struct line_place){0};
    bool is_text;

    pass(r, line);
    int error = append_json(b, r, line, &is_text, err);
    if (!error && !is_text)
        count(r, added, ctx);
    if (!is_text)
        return error;
    if (r->place)
        *r->place = before; /* its pieces pass one by one */
    append_texts(b, r, line, added, ctx);
    return 0;
}

int line_append(struct buffer *b, struct line_reader *r, const struct line_part *part,
                void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct slice line = part->text;
    bool is_whole = part->is_first && part->is_last;
    int error = 0;

    if (part->is_last && line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (is_whole && line_may_be_json(r, line) && slice_trim(line).len > 0)
        error = append_candidate(b, r, line, added, ctx, err);
    else if (!is_whole || slice_trim(line).len > 0)
        append_texts(b, r, line, added, ctx);
    if (part->is_last)
        pass(r, SLICE_LITERAL("\n"));
    return error ? error : buffer_error(b);
}
