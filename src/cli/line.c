#include "cli/line.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/timestamp.h"
#include "base/uuid7.h"
#include "cli/line_json.h"
#include "cli/local_time.h"
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

/* All of the process, which has one thread yet, has that as its local time. */
static void set_zone(const char *zone)
{
    if (zone && setenv("TZ", zone, 1) == 0)
        tzset();
}

int line_reader_init(struct line_reader *r, const struct flags *flags, struct errbuf *err)
{
    int error;

    *r = (struct line_reader){.memory = fastapi_log.memory_new(NULL)};
    line_forms_init(&r->forms, flags_text(flags, "format"));
    r->forms.memory.ahead_s = local_time_zone;
    set_zone(flags_text(flags, "zone"));
    buffer_init(&r->level, SIZE_MAX / 2);
    buffer_init(&r->attrs, SIZE_MAX / 2);
    buffer_init(&r->errors, SIZE_MAX / 2);
    error = gather_init(&r->gather, flags_has(flags, "multiline"),
                        flags_text(flags, "multiline-first"), err);
    if (error)
        return error;
    line_reader_begin(r, clock_wall_us());
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
    line_forms_release(&r->forms);
    gather_release(&r->gather);
    buffer_release(&r->level);
    buffer_release(&r->attrs);
    buffer_release(&r->errors);
}

bool line_is_plain(const struct line_reader *r)
{
    return r->forms.format == LINE_PLAIN ||
           (r->forms.format == LINE_FORM && r->forms.form != &line_journal);
}

/* ---- Places ---- */

void line_reader_begin(struct line_reader *r, int64_t now_us)
{
    line_forms_begin(&r->forms, now_us);
    r->is_journal = false;
}

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

/* `bits`: other ones for what is read in another way. */
static void append_id(struct buffer *b, const struct line_reader *r, int64_t us, uint64_t bits)
{
    char text[UUID_TEXT_LEN];
    struct uuid id;

    if (r->place)
        id = uuid7_numbered(us, r->place->logs, hash_mix(r->place->hash ^ bits));
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

    bool may_be = r->forms.format == LINE_AUTO || r->forms.form == &line_docker ||
                  r->forms.form == &line_journal;

    if (r->forms.format == LINE_JSON || !may_be)
        return r->forms.format == LINE_JSON;
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
    bool has_id = line_json_is_given(line_json_member(log, "id"));

    buffer_append_char(b, '{');
    if (!has_id || r->is_journal)
        buffer_append_slice(b, buffer_slice(&r->attrs));
    buffer_append(b, begin + 1, (size_t)(end - begin) - 1);
    if (!has_id) {
        buffer_append_char(b, ',');
        append_id(b, r, us, HASH_OF_JSON);
    }
    if (!has_id && !has_time) {
        buffer_append_char(b, ',');
        append_timestamp(b, us);
    }
    if (!line_json_member(log, "level")) {
        buffer_append_char(b, ',');
        buffer_append_slice(b, buffer_slice(&r->level));
    }
    buffer_append_char(b, '}');
}

static int append_log(struct buffer *b, struct line_reader *r, struct slice text, yyjson_val *log,
                      struct errbuf *err)
{
    yyjson_val *time = line_json_member(log, "timestamp"), *id = line_json_member(log, "id");
    bool has_time = line_json_is_given(time);
    size_t begin = b->len;
    struct log_key key;
    int64_t us = 0;

    if (!has_time && !line_json_is_given(id))
        us = default_time(r);
    else if (!line_json_time(time, id, &us)) /* which the check below will say */
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
    if (r->place && (has_time || line_json_is_given(id))) {
        r->place->time_us = key.timestamp_us;
        r->place->is_spread = false;
    }
    return 0;
}

/* ---- What forms have read ---- */

/* Appends the log that is in the draft. Returns 0; LM_EDATA if it is more than a log may be; or
 * LM_ENOMEM. */
static int append_draft(struct buffer *b, struct line_reader *r, uint64_t bits)
{
    struct record_draft *d = &r->forms.draft;
    bool has_time = d->has_time, has_id = d->has_id, has_level = d->record.level.len > 0;
    int64_t us = has_time ? d->record.key.timestamp_us : default_time(r);
    struct errbuf why = ERRBUF_INIT;
    char id[UUID_TEXT_LEN];
    struct record record;
    int error = record_draft_finish(d, us, &record, &why);

    if (error)
        return error == LM_EINVAL ? LM_EDATA : error;
    buffer_append_char(b, '{');
    if (has_id) {
        uuid_format(&record.key.id, id);
        buffer_append_string(b, "\"id\":\"");
        buffer_append(b, id, sizeof(id));
        buffer_append_char(b, '"');
    } else {
        append_id(b, r, us, bits);
    }
    buffer_append_char(b, ',');
    append_timestamp(b, us);
    buffer_append_char(b, ',');
    if (has_level) {
        buffer_append_string(b, "\"level\":");
        json_append_string(b, record.level);
    } else {
        buffer_append_slice(b, buffer_slice(&r->level));
    }
    buffer_append_char(b, ',');
    buffer_append_slice(b, buffer_slice(&r->attrs));
    buffer_append_string(b, "\"message\":");
    json_append_string(b, record.message);
    if (record.attributes.len) {
        buffer_append_string(b, ",\"attributes\":");
        buffer_append_slice(b, record.attributes);
    }
    buffer_append_string(b, "}\n");
    if (r->place && has_time) {
        r->place->time_us = us;
        r->place->is_spread = false;
    }
    return 0;
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
    bool is_ours = yyjson_is_obj(log) && line_json_member(log, "message");
    if (yyjson_is_obj(log) && (!is_ours || line_json_is_others(log)) &&
        line_forms_read_object(&r->forms, text)) {
        error = append_draft(b, r, HASH_OF_JSON);
        *is_text = error == LM_EDATA && r->forms.format != LINE_JSON;
        if (error == LM_EDATA && !*is_text)
            errbuf_set(err, "more than a log may be");
        error = *is_text ? 0 : error;
    } else if (is_ours) {
        error = append_log(b, r, text, log, err);
    } else {
        *is_text = r->forms.format != LINE_JSON && (doc || !line_json_is_nearly_log(text));
        error = *is_text ? 0 : check(r, text, &key, err);
        if (!error && !*is_text) /* whatever the two readers differ in */
            error = errbuf_fail(err, LM_EDATA, "cannot be read as JSON");
    }
    yyjson_doc_free(doc);
    return error;
}

static bool json_own_time(struct line_reader *r, struct slice line, int64_t *us)
{
    struct slice text = without_bom(line);
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    bool is_ours = line_json_member(log, "message"), has_time = false;

    if (yyjson_is_obj(log) && (!is_ours || line_json_is_others(log)) &&
        line_forms_read_object(&r->forms, text)) {
        has_time = r->forms.draft.has_time;
        *us = has_time ? r->forms.draft.record.key.timestamp_us : *us;
    } else if (is_ours) {
        has_time =
            line_json_time(line_json_member(log, "timestamp"), line_json_member(log, "id"), us);
    }
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
    append_id(b, r, us, 0);
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

/* Who is told of each log. */
struct out {
    void (*added)(void *ctx);
    void *ctx;
    bool is_passed; /* what is appended is counted in the place already */
};

static void count(struct line_reader *r, const struct out *out)
{
    if (r->place)
        r->place->logs++;
    out->added(out->ctx);
}

static void append_texts(struct buffer *b, struct line_reader *r, struct slice text,
                         const struct out *out)
{
    while (text.len > 0) {
        size_t len = line_piece_len(text);

        if (!out->is_passed)
            pass(r, slice_of(text.data, len));
        append_text(b, r, slice_of(text.data, len));
        count(r, out);
        text = slice_of(text.data + len, text.len - len);
    }
}

/* ---- Forms ---- */

/* True if `text`, which is no JSON of ours, says more than that it is the message of a log. */
static bool read_text(struct line_reader *r, struct slice text, const struct gathered *around)
{
    if (around)
        return line_forms_read_within(&r->forms, text, around->around,
                                      buffer_slice(&around->around_first));
    return text.len <= LINE_PIECE_MAX && line_forms_read(&r->forms, text, r->log_number);
}

/* A log that is text, or what a form makes of it. What the limits of a log refuse of that is text
 * all the same. */
static int append_read(struct buffer *b, struct line_reader *r, struct slice text,
                       const struct gathered *around, const struct out *out)
{
    bool is_passed = out->is_passed;

    if (!read_text(r, text, around)) {
        append_texts(b, r, text, out);
        return 0;
    }
    struct line_place before = r->place ? *r->place : (struct line_place){0};
    if (!is_passed)
        pass(r, text);
    int error = append_draft(b, r, r->forms.bits);
    if (!error) {
        r->repaired += !utf8_valid(text);
        count(r, out);
        return 0;
    }
    if (r->place)
        *r->place = before;
    if (error != LM_EDATA)
        return error;
    append_texts(b, r, text, out);
    return 0;
}

/* A whole line that may be a log in JSON. */
static int append_candidate(struct buffer *b, struct line_reader *r, struct slice line,
                            const struct out *out, struct errbuf *err)
{
    struct line_place before = r->place ? *r->place : (struct line_place){0};
    bool is_text;

    if (!out->is_passed)
        pass(r, line);
    int error = append_json(b, r, line, &is_text, err);
    if (!error && !is_text)
        count(r, out);
    if (!is_text)
        return error;
    if (r->place)
        *r->place = before; /* its pieces pass one by one */
    return append_read(b, r, line, NULL, out);
}

/* ---- Lines ---- */

static bool is_blank(struct slice line)
{
    return slice_trim(line).len == 0;
}

/* The log of `s` is whole. */
static int take_gathered(struct buffer *b, struct line_reader *r, struct gathered *s,
                         const struct out *out, struct errbuf *err)
{
    struct slice text = gather_text(s);
    struct out passed = {out->added, out->ctx, true};
    int error = 0;

    r->log_number = s->number;
    if (s->around)
        error = is_blank(text) ? 0 : append_read(b, r, text, s, &passed);
    else if (s->lines == 1 && line_may_be_json(r, text))
        error = append_candidate(b, r, text, &passed, err);
    else if (!is_blank(text))
        error = append_read(b, r, text, NULL, &passed);
    gather_close(s);
    return error;
}

/* A line that may belong to others before and behind it. */
static int gather_line(struct buffer *b, struct line_reader *r, const struct gather_line *line,
                       struct slice stream, struct slice whole, const struct out *out,
                       struct errbuf *err)
{
    struct gathered *s = gather_stream(&r->gather, stream);
    int error = 0, add_error;

    if (s->is_open && !gather_continues(&r->gather, s, line))
        error = take_gathered(b, r, s, out, err);
    pass(r, whole);
    if (!s->is_open && is_blank(line->text) && !line->is_part)
        return error;
    add_error = gather_add(&r->gather, s, line, &r->forms.memory);
    r->log_number = error ? r->log_number : line->number;
    if (!error && !add_error && (line->is_whole || gather_is_whole(&r->gather, s)))
        error = take_gathered(b, r, s, out, err);
    return error ? error : add_error;
}

/* A whole line. */
static int append_line(struct buffer *b, struct line_reader *r, struct slice line, uint64_t number,
                       const struct out *out, struct errbuf *err)
{
    struct line_inner inner;
    const struct line_format *around = line_forms_around(&r->forms, line, &inner);
    struct gather_line part = {.text = line, .number = number};

    r->log_number = number;
    if (around) {
        part = (struct gather_line){.text = inner.text,
                                    .around = around,
                                    .around_line = line,
                                    .is_part = inner.is_part,
                                    .number = number};
        return gather_line(b, r, &part, inner.stream, line, out, err);
    }
    if (r->gather.is_multiline && line.len <= LINE_PIECE_MAX) {
        part.is_whole = !r->gather.has_pattern && line_may_be_json(r, line);
        return gather_line(b, r, &part, (struct slice){NULL, 0}, line, out, err);
    }
    if (is_blank(line))
        return 0;
    if (line_may_be_json(r, line))
        return append_candidate(b, r, line, out, err);
    return append_read(b, r, line, NULL, out);
}

int line_append(struct buffer *b, struct line_reader *r, const struct line_part *part,
                void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct out out = {added, ctx, false};
    struct slice line = part->text;
    int error = 0;

    if (part->is_last && line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (part->is_first && part->is_last) {
        error = append_line(b, r, line, part->number, &out, err);
    } else {
        error = part->is_first ? line_flush(b, r, added, ctx, err) : 0;
        r->log_number = part->number;
        append_texts(b, r, line, &out);
    }
    line_forms_pass(&r->forms, part->text.len + 1);
    if (part->is_last)
        pass(r, SLICE_LITERAL("\n"));
    return error ? error : buffer_error(b);
}

bool line_is_open(const struct line_reader *r)
{
    return gather_is_open(&r->gather);
}

int line_flush(struct buffer *b, struct line_reader *r, void (*added)(void *ctx), void *ctx,
               struct errbuf *err)
{
    struct out out = {added, ctx, false};
    int error = 0;

    for (int i = 0; i < GATHER_STREAMS; i++) {
        struct gathered *s = &r->gather.streams[i];

        if (!s->is_open)
            continue;
        int refused = take_gathered(b, r, s, &out, err); /* what a line is around never is */
        error = error ? error : refused;
    }
    return error;
}

bool line_own_time(struct line_reader *r, struct slice line, int64_t *us)
{
    const struct line_format *form = r->forms.form;
    uint64_t unfit = r->forms.unfit;
    struct line_inner inner;
    const struct line_format *around;
    bool has_time = false;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    around = line_forms_around(&r->forms, line, &inner);
    if (around) {
        record_draft_begin(&r->forms.draft);
        (void)line_contained.read(&r->forms.memory, inner.text, &r->forms.draft);
        around->wrap(&r->forms.memory, line, &r->forms.draft);
        has_time = r->forms.draft.has_time;
    } else if (!is_blank(line) && line_may_be_json(r, line)) {
        has_time = json_own_time(r, line, us);
        r->forms.draft.has_time = false;
    } else {
        has_time = read_text(r, line, NULL) && r->forms.draft.has_time;
    }
    if (has_time && r->forms.draft.has_time)
        *us = r->forms.draft.record.key.timestamp_us;
    r->forms.form = form;
    r->forms.unfit = unfit;
    return has_time;
}
