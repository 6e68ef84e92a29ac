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

static int append_attr(struct line_reader *r, const char *attr, struct errbuf *err)
{
    struct buffer *b = &r->attrs;
    size_t len = strcspn(attr, "=");

    if (is_own_field(attr, len))
        return errbuf_fail(err, LM_EINVAL, "--attr: %.*s is a field of every log, no attribute",
                           (int)len, attr);
    line_own_take(&r->own, slice_of(attr, len));
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

static uint64_t wait_us(const struct flags *flags)
{
    uint64_t s = flags_has(flags, "follow") ? LINE_WAIT_FOLLOWED_S : LINE_WAIT_S;

    if (flags_has(flags, "multiline-timeout"))
        s = flags_number(flags, "multiline-timeout");
    return s * 1000000;
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
    line_own_init(&r->own, flags_has(flags, "offset"));
    error = gather_init(&r->gather, flags_has(flags, "multiline"),
                        flags_text(flags, "multiline-first"), err);
    if (error)
        return error;
    line_reader_set_now(r, clock_wall_us());
    r->wait_us = wait_us(flags);
    buffer_append_string(&r->level, "\"level\":");
    json_append_string(&r->level, slice_of_string(flags_text(flags, "level")));
    for (int i = 0; i < flags->given_len; i++)
        if (strcmp(flags->given[i].flag->name, "attr") == 0 &&
            (error = append_attr(r, flags->given[i].value, err)))
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
    line_own_release(&r->own);
}

bool line_is_plain(const struct line_reader *r)
{
    const struct line_chosen *c = &r->forms.chosen;

    return c->format == LINE_PLAIN || (c->format == LINE_FORM && c->form != &line_journal);
}

/* ---- Places ---- */

void line_reader_set_now(struct line_reader *r, int64_t now_us)
{
    r->forms.memory.now_us = now_us;
}

struct line_place line_place_begin(const struct line_reader *r)
{
    return (struct line_place){.hash = hash_bytes(hash_bytes(HASH_BASIS, buffer_slice(&r->level)),
                                                  buffer_slice(&r->attrs))};
}

static void pass(struct line_reader *r, struct slice bytes)
{
    struct line_place *place = r->input->place;

    if (place)
        place->hash = hash_bytes(place->hash, bytes);
}

/* The log that comes begins at line `number` of `in`. */
static void begin_log(struct line_reader *r, struct line_input *in, uint64_t number,
                      int64_t read_us)
{
    r->log_input = in;
    r->log_number = number;
    r->log_read_us = read_us;
    r->log_has_time = false;
    if (in->path)
        line_reader_set_now(r, read_us); /* the same when it is read again */
}

/* The time of the log that comes, if it has none of its own. */
static int64_t default_time(const struct line_reader *r)
{
    const struct line_place *place = r->log_input->place;

    if (r->log_input->path)
        return r->log_read_us;
    if (!place)
        return clock_arrival_us();
    return place->time_us + (place->is_spread ? (int64_t)place->logs : 0);
}

/* The log that comes has a time of its own. */
static void know_time(struct line_reader *r, int64_t us)
{
    struct line_place *place = r->log_input->place;

    r->log_has_time = true;
    if (place) {
        place->time_us = us;
        place->is_spread = false;
    }
}

/* What of a line's text a log is. */
struct piece {
    struct slice text;
    size_t at;     /* in it */
    uint32_t part; /* of several; 0: all of it */
};

static void append_id(struct buffer *b, const struct line_reader *r, int64_t us, uint64_t bits,
                      const struct piece *piece)
{
    struct uuid id =
        line_input_id(r->log_input, us, r->log_number + piece->at, bits, piece->part, piece->text);
    char text[UUID_TEXT_LEN];

    uuid_format(&id, text);
    buffer_append_string(b, "\"id\":\"");
    buffer_append(b, text, sizeof(text));
    buffer_append_char(b, '"');
}

/* Appends attributes of ours to a log whose own ones are in `draft`, `log`, or nowhere. */
static void append_own(struct buffer *b, struct line_reader *r, const struct piece *piece,
                       struct record_draft *draft, yyjson_val *log)
{
    struct line_own_facts facts = {
        .path = r->log_input->path, .offset = r->log_number + piece->at, .part = piece->part};

    if (facts.path || facts.part) {
        buffer_append_slice(b, line_own_members(&r->own, &facts, draft, log));
        b->error = b->error ? b->error : buffer_error(&r->own.members);
    }
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

bool line_may_be_json(const struct line_input *in, struct slice text)
{
    const struct line_chosen *c = &in->chosen;
    bool may_be = c->format == LINE_AUTO || c->form == &line_docker || c->form == &line_journal;
    size_t blanks = 0;

    if (c->format == LINE_JSON || !may_be)
        return c->format == LINE_JSON;
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
 * whole, and gets no attributes but where it stands: under its id it is stored once, as it is.
 */
static void append_completed(struct buffer *b, struct line_reader *r, struct slice text,
                             yyjson_val *log, int64_t us, bool has_time)
{
    const char *begin = memchr(text.data, '{', text.len);
    const char *end = memrchr(text.data, '}', text.len);
    bool has_id = line_json_is_given(line_json_member(log, "id"));
    const struct piece whole = {.text = text};

    buffer_append_char(b, '{');
    append_own(b, r, &whole, NULL, log);
    if (!has_id || r->input->is_journal)
        buffer_append_slice(b, buffer_slice(&r->attrs));
    buffer_append(b, begin + 1, (size_t)(end - begin) - 1);
    if (!has_id) {
        buffer_append_char(b, ',');
        append_id(b, r, us, HASH_OF_JSON, &whole);
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
    if (has_time || line_json_is_given(id))
        know_time(r, key.timestamp_us);
    return 0;
}

/* ---- What forms have read ---- */

/* Appends the log that is in the draft, read of `text`. Returns 0; LM_EDATA if it is more than a
 * log may be; or LM_ENOMEM. */
static int append_draft(struct buffer *b, struct line_reader *r, uint64_t bits, struct slice text)
{
    struct record_draft *d = &r->forms.draft;
    bool has_time = d->has_time, has_id = d->has_id, has_level = d->record.level.len > 0;
    int64_t us = has_time ? d->record.key.timestamp_us : default_time(r);
    const struct piece whole = {.text = text};
    struct errbuf why = ERRBUF_INIT;
    size_t begin = b->len;
    char id[UUID_TEXT_LEN];
    struct record record;

    buffer_append_char(b, '{');
    append_own(b, r, &whole, d, NULL);
    int error = record_draft_finish(d, us, &record, &why);
    if (error) {
        buffer_truncate(b, begin);
        return error == LM_EINVAL ? LM_EDATA : error;
    }
    if (has_id) {
        uuid_format(&record.key.id, id);
        buffer_append_string(b, "\"id\":\"");
        buffer_append(b, id, sizeof(id));
        buffer_append_char(b, '"');
    } else {
        append_id(b, r, us, bits, &whole);
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
    if (has_time)
        know_time(r, us);
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
        line_forms_read_object(&r->forms, &r->input->chosen, text)) {
        error = append_draft(b, r, HASH_OF_JSON, text);
        *is_text = error == LM_EDATA && r->input->chosen.format != LINE_JSON;
        if (error == LM_EDATA && !*is_text)
            errbuf_set(err, "more than a log may be");
        error = *is_text ? 0 : error;
    } else if (is_ours) {
        error = append_log(b, r, text, log, err);
    } else {
        *is_text = r->input->chosen.format != LINE_JSON && (doc || !line_json_is_nearly_log(text));
        error = *is_text ? 0 : check(r, text, &key, err);
        if (!error && !*is_text) /* whatever the two readers differ in */
            error = errbuf_fail(err, LM_EDATA, "cannot be read as JSON");
    }
    yyjson_doc_free(doc);
    return error;
}

static bool json_own_time(struct line_reader *r, const struct line_chosen *c, struct slice line,
                          int64_t *us)
{
    struct slice text = without_bom(line);
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    bool is_ours = line_json_member(log, "message"), has_time = false;

    if (yyjson_is_obj(log) && (!is_ours || line_json_is_others(log)) &&
        line_forms_read_object(&r->forms, c, text)) {
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
static void append_text(struct buffer *b, struct line_reader *r, const struct piece *piece)
{
    int64_t us = default_time(r);
    struct slice text = piece->text;
    struct buffer repaired;

    buffer_init(&repaired, SIZE_MAX / 2);
    if (!utf8_valid(text)) {
        utf8_append_repaired(&repaired, text);
        text = buffer_slice(&repaired);
        r->repaired++;
        b->error = b->error ? b->error : buffer_error(&repaired); /* no message may lack a part */
    }
    buffer_append_char(b, '{');
    append_id(b, r, us, 0, piece);
    buffer_append_char(b, ',');
    append_timestamp(b, us);
    buffer_append_char(b, ',');
    buffer_append_slice(b, buffer_slice(&r->level));
    buffer_append_char(b, ',');
    append_own(b, r, piece, NULL, NULL);
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
    if (r->log_input->place)
        r->log_input->place->logs++;
    out->added(out->ctx);
}

/* `part`: the number of the part of a line before `text`, of several; NULL: it is a whole one. */
static void append_texts(struct buffer *b, struct line_reader *r, struct slice text, uint32_t *part,
                         const struct out *out)
{
    uint32_t first = 0, *number = part ? part : &first;
    struct piece piece = {.at = 0};

    for (size_t len; piece.at < text.len; piece.at += len) {
        struct slice rest = slice_of(text.data + piece.at, text.len - piece.at);

        len = line_piece_len(rest);
        piece.text = slice_of(rest.data, len);
        piece.part = part || text.len > LINE_PIECE_MAX ? ++*number : 0;
        if (!out->is_passed)
            pass(r, piece.text);
        append_text(b, r, &piece);
        count(r, out);
    }
}

/* ---- Forms ---- */

static struct line_place place_of(const struct line_reader *r)
{
    return r->input->place ? *r->input->place : (struct line_place){0};
}

static void place_back(struct line_reader *r, const struct line_place *before)
{
    if (r->input->place)
        *r->input->place = *before;
}

/* True if `text`, which is no JSON of ours, says more than that it is the message of a log. */
static bool read_text(struct line_reader *r, struct slice text, const struct gathered *around)
{
    if (around)
        return line_forms_read_within(&r->forms, text, around->around,
                                      buffer_slice(&around->around_first));
    return text.len <= LINE_PIECE_MAX &&
           line_forms_read(&r->forms, &r->input->chosen, text, r->log_number);
}

/* A log that is text, or what a form makes of it. What the limits of a log refuse of that is text
 * all the same. */
static int append_read(struct buffer *b, struct line_reader *r, struct slice text,
                       const struct gathered *around, const struct out *out)
{
    struct line_place before = place_of(r);

    if (!read_text(r, text, around)) {
        append_texts(b, r, text, NULL, out);
        return 0;
    }
    if (!out->is_passed)
        pass(r, text);
    int error = append_draft(b, r, r->forms.bits, text);
    if (!error) {
        r->repaired += !utf8_valid(text);
        count(r, out);
        return 0;
    }
    place_back(r, &before);
    if (error != LM_EDATA)
        return error;
    append_texts(b, r, text, NULL, out);
    return 0;
}

/* A whole line that may be a log in JSON. */
static int append_candidate(struct buffer *b, struct line_reader *r, struct slice line,
                            const struct out *out, struct errbuf *err)
{
    struct line_place before = place_of(r);
    bool is_text;

    if (!out->is_passed)
        pass(r, line);
    int error = append_json(b, r, line, &is_text, err);
    if (!error && !is_text)
        count(r, out);
    if (!is_text)
        return error;
    place_back(r, &before); /* its pieces pass one by one */
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
    struct line_input *input = r->input;
    int error = 0;

    r->input = s->input;
    begin_log(r, s->begun, s->number, s->read_us);
    line_input_let_go(s);
    if (s->around)
        error = is_blank(text) ? 0 : append_read(b, r, text, s, &passed);
    else if (s->lines == 1 && line_may_be_json(s->input, text))
        error = append_candidate(b, r, text, &passed, err);
    else if (!is_blank(text))
        error = append_read(b, r, text, NULL, &passed);
    gather_close(&r->gather, s);
    r->input = input;
    return error;
}

/* The log of a stream that `line` goes on with, or a new one; NULL: `line` is of none. */
static struct gathered *find_gathered(struct line_reader *r, const struct gather_line *line,
                                      int stream)
{
    struct gathered *s = line_input_open(r->input, stream);

    if (s || (is_blank(line->text) && !line->is_part))
        return s;
    s = gather_begin(&r->gather);
    line_input_hold(r->input, stream, s);
    return s;
}

/* The line that comes is the `number`th, whatever was taken before; but the first error counts. */
static void begin_line(struct line_reader *r, const struct gather_line *line, int error)
{
    if (!error)
        begin_log(r, r->input, line->number, line->read_us);
}

/* A line that may belong to others before and behind it. */
static int gather_line(struct buffer *b, struct line_reader *r, const struct gather_line *line,
                       struct slice name, struct slice whole, const struct out *out,
                       struct errbuf *err)
{
    int stream = gather_stream(name), error = 0, add_error;
    struct gathered *s = r->input->held[stream];

    /* What another input goes on with ends here, too: this one was not at its end. */
    if (s && (s->input != r->input || !gather_continues(&r->gather, s, line)))
        error = take_gathered(b, r, s, out, err);
    pass(r, whole);
    s = find_gathered(r, line, stream);
    if (!s)
        return error;
    begin_line(r, line, error);
    line_input_holds(r->input, stream, line->number);
    add_error = gather_add(&r->gather, s, line, &r->forms.memory);
    if (!error && !add_error && (line->is_whole || gather_is_whole(&r->gather, s)))
        error = take_gathered(b, r, s, out, err);
    while (!error && r->gather.held > GATHER_HELD_MAX)
        error = take_gathered(b, r, r->gather.earliest, out, err);
    return error ? error : add_error;
}

/* A whole line. */
static int append_line(struct buffer *b, struct line_reader *r, struct slice line,
                       const struct line_part *part, const struct out *out, struct errbuf *err)
{
    struct line_inner inner;
    const struct line_format *around;
    struct gather_line g = {.text = line, .number = part->number, .read_us = part->read_us};

    begin_log(r, r->input, part->number, part->read_us);
    around = line_forms_around(&r->forms, &r->input->chosen, line, &inner);
    if (around) {
        g.text = inner.text;
        g.around = around;
        g.around_line = line;
        g.is_part = inner.is_part;
        return gather_line(b, r, &g, inner.stream, line, out, err);
    }
    if (r->gather.is_multiline && line.len <= LINE_PIECE_MAX) {
        g.is_whole = !r->gather.has_pattern && line_may_be_json(r->input, line);
        return gather_line(b, r, &g, (struct slice){NULL, 0}, line, out, err);
    }
    if (is_blank(line))
        return 0;
    if (line_may_be_json(r->input, line))
        return append_candidate(b, r, line, out, err);
    return append_read(b, r, line, NULL, out);
}

/* A part of a line that is long. */
static int append_part(struct buffer *b, struct line_reader *r, struct slice text,
                       const struct line_part *part, const struct out *out, struct errbuf *err)
{
    struct line_input *in = r->input;
    int error = part->is_first ? line_flush(b, r, in, out->added, out->ctx, err) : 0;

    r->input = in;
    begin_log(r, in, part->number, part->read_us);
    if (part->is_first) {
        in->part = 0;
        line_input_inside(in, part->number);
    }
    append_texts(b, r, text, &in->part, out);
    if (part->is_last)
        line_input_inside(in, UINT64_MAX);
    return error;
}

int line_append(struct buffer *b, struct line_reader *r, struct line_input *in,
                const struct line_part *part, void (*added)(void *ctx), void *ctx,
                struct errbuf *err)
{
    struct out out = {added, ctx, false};
    struct slice line = part->text;
    int error = 0;

    r->input = in;
    if (part->is_last && line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (part->is_first && part->is_last)
        error = append_line(b, r, line, part, &out, err);
    else
        error = append_part(b, r, line, part, &out, err);
    line_chosen_pass(&in->chosen, part->text.len + 1);
    if (part->is_last)
        pass(r, SLICE_LITERAL("\n"));
    return error ? error : buffer_error(b);
}

/* ---- What is held back ---- */

bool line_is_open(const struct line_input *in)
{
    for (int i = 0; i < GATHER_STREAMS; i++)
        if (line_input_open(in, i))
            return true;
    return false;
}

int line_flush(struct buffer *b, struct line_reader *r, struct line_input *in,
               void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct out out = {added, ctx, false};
    int error = 0;

    for (int i = 0; i < GATHER_STREAMS; i++) {
        struct gathered *s = line_input_open(in, i);

        if (!s)
            continue;
        int refused = take_gathered(b, r, s, &out, err); /* what a line is around never is */
        error = error ? error : refused;
    }
    return error;
}

uint64_t line_due_us(const struct line_reader *r)
{
    const struct gathered *s = r->gather.earliest;

    return s ? s->since_us + r->wait_us : UINT64_MAX;
}

int line_flush_due(struct buffer *b, struct line_reader *r, uint64_t now_us,
                   void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct out out = {added, ctx, false};
    int error = 0;

    while (!error && line_due_us(r) <= now_us)
        error = take_gathered(b, r, r->gather.earliest, &out, err);
    return error ? error : buffer_error(b);
}

bool line_own_time(struct line_reader *r, struct line_input *in, struct slice line, int64_t *us)
{
    struct line_chosen before = in->chosen;
    struct line_inner inner;
    const struct line_format *around;
    bool has_time = false;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    r->input = in;
    around = line_forms_around(&r->forms, &in->chosen, line, &inner);
    if (around) {
        record_draft_begin(&r->forms.draft);
        (void)line_contained.read(&r->forms.memory, inner.text, &r->forms.draft);
        around->wrap(&r->forms.memory, line, &r->forms.draft);
        has_time = r->forms.draft.has_time;
    } else if (!is_blank(line) && line_may_be_json(in, line)) {
        has_time = json_own_time(r, &in->chosen, line, us);
        r->forms.draft.has_time = false;
    } else {
        has_time = read_text(r, line, NULL) && r->forms.draft.has_time;
    }
    if (has_time && r->forms.draft.has_time)
        *us = r->forms.draft.record.key.timestamp_us;
    in->chosen = before;
    return has_time;
}
