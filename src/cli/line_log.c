#include "cli/line_log.h"

#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "cli/line_json.h"
#include "json/writer.h"

enum { HEAD_SIGNS = 40 }; /* braces, quotes and names of what append_head writes */

/* ---- Members ---- */

void line_log_begin(struct line_reader *r, struct line_input *in, uint64_t number, int64_t read_us)
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

/* Each writes a member to `to`, where there is room, and returns where it ends. */

enum {
    ID_LEN = sizeof("\"id\":\"\"") - 1 + UUID_TEXT_LEN,
    TIME_LEN = sizeof("\"timestamp\":\"\"") - 1 + TIMESTAMP_TEXT_LEN,
};

static char *put(char *to, const void *data, size_t len)
{
    if (len)
        memcpy(to, data, len);
    return to + len;
}

static char *put_slice(char *to, struct slice s)
{
    return put(to, s.data, s.len);
}

static char *put_id(char *to, const struct line_reader *r, int64_t us, uint64_t bits,
                    const struct line_piece *piece)
{
    struct uuid id =
        line_input_id(r->log_input, us, r->log_number + piece->at, bits, piece->part, piece->text);

    to = put(to, "\"id\":\"", 6);
    uuid_format(&id, to);
    to[UUID_TEXT_LEN] = '"';
    return to + UUID_TEXT_LEN + 1;
}

/* Logs that follow one another are mostly of one second. */
static char *put_time(char *to, struct line_reader *r, int64_t us)
{
    struct line_second *last = &r->second;
    int64_t below = us - last->us;

    to = put(to, "\"timestamp\":\"", 13);
    if (last->text[0] && below >= 0 && below < 1000000) {
        memcpy(to, last->text, TIMESTAMP_TEXT_LEN);
        for (int at = TIMESTAMP_TEXT_LEN - 2; below > 0; below /= 10)
            to[at--] = (char)('0' + below % 10);
    } else {
        timestamp_format(us, to);
        memcpy(last->text, to, TIMESTAMP_TEXT_LEN);
        memset(last->text + TIMESTAMP_TEXT_LEN - 7, '0', 6);
        last->us = us - (us % 1000000 + 1000000) % 1000000;
    }
    to[TIMESTAMP_TEXT_LEN] = '"';
    return to + TIMESTAMP_TEXT_LEN + 1;
}

static void append_id(struct buffer *b, const struct line_reader *r, int64_t us, uint64_t bits,
                      const struct line_piece *piece)
{
    char *to = buffer_reserve(b, ID_LEN);

    if (to)
        b->len += (size_t)(put_id(to, r, us, bits, piece) - to);
}

/* Attributes of ours for a log whose own ones are in `draft`, `log`, or nowhere; until the next
 * call. What goes wrong is `b`'s error. */
static struct slice own_members(struct buffer *b, struct line_reader *r,
                                const struct line_piece *piece, struct record_draft *draft,
                                yyjson_val *log)
{
    struct line_own_facts facts = {
        .path = r->log_input->path, .offset = r->log_number + piece->at, .part = piece->part};
    struct slice members = {NULL, 0};

    if (facts.path || facts.part) {
        members = line_own_members(&r->own, &facts, draft, log);
        b->error = b->error ? b->error : line_own_error(&r->own);
    }
    return members;
}

static void append_time(struct buffer *b, struct line_reader *r, int64_t us)
{
    char *to = buffer_reserve(b, TIME_LEN);

    if (to)
        b->len += (size_t)(put_time(to, r, us) - to);
}

/* ---- JSON ---- */

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
    const struct line_piece whole = {.text = text};

    buffer_append_char(b, '{');
    buffer_append_slice(b, own_members(b, r, &whole, NULL, log));
    if (!has_id || r->input->is_journal)
        buffer_append_slice(b, buffer_slice(&r->attrs));
    buffer_append(b, begin + 1, (size_t)(end - begin) - 1);
    if (!has_id) {
        buffer_append_char(b, ',');
        append_id(b, r, us, LINE_LOG_OF_JSON, &whole);
    }
    if (!has_id && !has_time) {
        buffer_append_char(b, ',');
        append_time(b, r, us);
    }
    if (!line_json_member(log, "level")) {
        buffer_append_char(b, ',');
        buffer_append_slice(b, buffer_slice(&r->level));
    }
    buffer_append_char(b, '}');
}

int line_log_json(struct buffer *b, struct line_reader *r, struct slice text, yyjson_val *log,
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
    int error = line_check(&r->check, slice_of(b->data + begin, b->len - begin), &key, err);
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

int line_log_draft(struct buffer *b, struct line_reader *r, uint64_t bits, struct slice text)
{
    struct record_draft *d = &r->forms.draft;
    bool has_time = d->has_time, has_id = d->has_id, has_level = d->record.level.len > 0;
    int64_t us = has_time ? d->record.key.timestamp_us : default_time(r);
    const struct line_piece whole = {.text = text};
    struct errbuf why = ERRBUF_INIT;
    size_t begin = b->len;
    char id[UUID_TEXT_LEN];
    struct record record;

    buffer_append_char(b, '{');
    buffer_append_slice(b, own_members(b, r, &whole, d, NULL));
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
    append_time(b, r, us);
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

/* ---- Text ---- */

size_t line_log_piece_len(struct slice text)
{
    size_t len = LINE_PIECE_MAX;

    if (text.len <= len)
        return text.len;
    for (int i = 0; i < 3 && ((unsigned char)text.data[len] & 0xc0) == 0x80; i++)
        len--;
    return len;
}

/* Appends all but the end of a log with its members: as one piece, since most logs are texts. */
static void append_head(struct buffer *b, struct line_reader *r, const struct line_piece *piece,
                        int64_t us, struct slice level)
{
    struct slice own = own_members(b, r, piece, NULL, NULL), attrs = buffer_slice(&r->attrs);
    char *to = buffer_reserve(b, ID_LEN + TIME_LEN + HEAD_SIGNS + level.len + r->level.len +
                                     own.len + attrs.len);

    if (!to)
        return;
    char *begin = to;
    *to++ = '{';
    to = put_id(to, r, us, 0, piece);
    *to++ = ',';
    to = put_time(to, r, us);
    if (level.len) {
        to = put(to, ",\"level\":\"", 10);
        to = put_slice(to, level);
        to = put(to, "\",", 2);
    } else {
        *to++ = ',';
        to = put_slice(to, buffer_slice(&r->level));
        *to++ = ',';
    }
    to = put_slice(to, own);
    to = put_slice(to, attrs);
    to = put(to, "\"message\":", 10);
    b->len += (size_t)(to - begin);
}

void line_log_text(struct buffer *b, struct line_reader *r, const struct line_piece *piece,
                   const struct text_head *head)
{
    bool has_time = head && head->has_time;
    int64_t us = has_time ? head->time.us : default_time(r);
    struct slice text = piece->text;
    struct buffer repaired;

    buffer_init(&repaired, SIZE_MAX / 2);
    if (!utf8_valid(text)) {
        utf8_append_repaired(&repaired, text);
        text = buffer_slice(&repaired);
        r->repaired++;
        b->error = b->error ? b->error : buffer_error(&repaired); /* no message may lack a part */
    }
    append_head(b, r, piece, us, head ? head->level : (struct slice){NULL, 0});
    json_append_string(b, text);
    if (has_time && head->time.below_us) {
        buffer_append_string(b, ",\"attributes\":{\"nanoseconds\":");
        buffer_append_u64(b, head->time.below_us);
        buffer_append_char(b, '}');
    }
    buffer_append(b, "}\n", 2);
    buffer_release(&repaired);
    if (has_time)
        know_time(r, us);
}
