#include "record/rules.h"

#include <stdlib.h>

#include "base/timestamp.h"
#include "base/xalloc.h"
#include "record/limit_check.h"
#include "json/writer.h"

/* The members of an item that are not attributes; NULL if it has none of that name. */
struct fields {
    yyjson_val *message;
    yyjson_val *level;
    yyjson_val *timestamp;
    yyjson_val *id;
};

struct reporter {
    record_report *report;
    void *ctx;
    bool used;
};

void record_item_scratch_release(struct record_item_scratch *s)
{
    free(s->keys);
    *s = (struct record_item_scratch){.keys = NULL};
}

static void report(struct reporter *r, const struct record_wrong *wrong)
{
    r->used = true;
    r->report(wrong, r->ctx);
}

/* The same for a field of the item. */
static void report_field(struct reporter *r, const char *field, struct record_wrong wrong)
{
    struct record_step step = {.name = slice_of_string(field)};

    wrong.path = &step;
    wrong.path_len = 1;
    report(r, &wrong);
}

static bool is_null(yyjson_val *value)
{
    return !value || yyjson_is_null(value);
}

static bool is_named(yyjson_val *key, const char *name, size_t len)
{
    return memcmp(yyjson_get_str(key), name, len) == 0;
}

/* Where the member of `key` belongs, or NULL if it is an attribute. */
static yyjson_val **field_of(struct fields *f, yyjson_val *key)
{
    switch (yyjson_get_len(key)) {
    case 2:
        return is_named(key, "id", 2) ? &f->id : NULL;
    case 5:
        return is_named(key, "level", 5) ? &f->level : NULL;
    case 7:
        return is_named(key, "message", 7) ? &f->message : NULL;
    case 9:
        return is_named(key, "timestamp", 9) ? &f->timestamp : NULL;
    default:
        return NULL;
    }
}

static bool is_attributes(yyjson_val *key)
{
    return yyjson_get_len(key) == 10 && is_named(key, "attributes", 10);
}

/* Makes room for `more` keys behind those of `s`. */
static int reserve_keys(struct record_item_scratch *s, size_t more)
{
    size_t capacity = s->capacity ? s->capacity : 32;
    yyjson_val **keys;

    if (s->len + more <= s->capacity)
        return 0;
    while (capacity < s->len + more)
        capacity *= 2;
    keys = try_realloc(s->keys, capacity * sizeof(*keys));
    if (!keys)
        return LM_ENOMEM;
    s->keys = keys;
    s->capacity = capacity;
    return 0;
}

static void add_key(struct record_item_scratch *s, yyjson_val *key, bool *long_name)
{
    s->keys[s->len++] = key;
    *long_name |= yyjson_get_len(key) > RECORD_NAME_MAX;
}

/*
 * Sorts the members of `object` into `f` and, as keys, into `s`; *long_name becomes true if a
 * name is longer than allowed. The members of a member "attributes" that is an object take the
 * place of that member. Of several members of one name the last counts.
 */
static int sort_members(struct record_item_scratch *s, yyjson_val *object, struct fields *f,
                        bool *long_name)
{
    yyjson_val *attributes = NULL; /* the key of the last member of that name */
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    s->len = 0;
    int error = reserve_keys(s, yyjson_obj_size(object));
    if (error)
        return error;
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val **field = field_of(f, key);
        if (field)
            *field = yyjson_obj_iter_get_val(key);
        else if (is_attributes(key))
            attributes = key;
        else
            add_key(s, key, long_name);
    }
    s->merged = s->len;
    if (!attributes)
        return 0;

    yyjson_val *value = yyjson_obj_iter_get_val(attributes);
    if (!yyjson_is_obj(value)) {
        add_key(s, attributes, long_name);
        s->merged = s->len;
        return 0;
    }
    error = reserve_keys(s, yyjson_obj_size(value));
    if (error)
        return error;
    iter = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
        add_key(s, key, long_name);
    return 0;
}

static struct slice read_text(struct reporter *r, const char *field, yyjson_val *item,
                              yyjson_val *value)
{
    if (yyjson_is_str(value))
        return json_text(value);
    report_field(r, field,
                 value ? (struct record_wrong){.problem = RECORD_NO_TEXT, .value = value}
                       : (struct record_wrong){.problem = RECORD_MISSING, .value = item});
    return (struct slice){NULL, 0};
}

/* True if a timestamp was given and is good. */
static bool read_timestamp(struct reporter *r, yyjson_val *value, int64_t *us)
{
    struct timestamp_error failure = {.type = "datetime_type"};
    int error = LM_EINVAL;

    if (is_null(value))
        return false;
    if (yyjson_is_str(value))
        error = timestamp_parse_text(json_text(value), us, &failure);
    else if (yyjson_is_raw(value))
        error = timestamp_parse_number(json_text(value), us, &failure);
    if (error)
        report_field(
            r, "timestamp",
            (struct record_wrong){.problem = RECORD_BAD_TIME, .time = &failure, .value = value});
    return !error;
}

/* True if an id was given and is good. */
static bool read_id(struct reporter *r, yyjson_val *value, struct uuid *id)
{
    struct record_wrong wrong = {.value = value};
    struct errbuf reason = ERRBUF_INIT;

    if (is_null(value))
        return false;
    if (!yyjson_is_str(value)) {
        wrong.problem = RECORD_ID_NO_TEXT;
    } else if (uuid_parse(json_text(value), id, &reason)) {
        wrong.problem = RECORD_ID_MALFORMED;
        wrong.reason = reason.text;
    } else if (!uuid_is_v7(id)) {
        wrong.problem = RECORD_ID_VERSION;
    } else {
        return true;
    }
    report_field(r, "id", wrong);
    return false;
}

/*
 * An id carries the milliseconds of its log's timestamp, by which an id alone finds its log. So it
 * is the timestamp if none was given, and must agree with one that was.
 */
static void join_id_and_timestamp(struct reporter *r, struct record_item *item, yyjson_val *id)
{
    struct log_key *key = &item->record.key;
    int64_t ms = uuid7_ms(&key->id);

    if (item->has_timestamp) {
        if (ms != uuid7_ms_of_timestamp(key->timestamp_us))
            report_field(r, "id",
                         (struct record_wrong){.problem = RECORD_ID_NOT_OF_TIME, .value = id});
        return;
    }
    if (ms > TIMESTAMP_MAX_US / 1000) {
        report_field(r, "id", (struct record_wrong){.problem = RECORD_ID_TOO_LATE, .value = id});
        return;
    }
    key->timestamp_us = ms * 1000;
    item->has_timestamp = true;
}

/* Appends the attributes. Where they are `suspect`, all that passes a limit is reported. */
static int read_attributes(struct reporter *r, struct record_item_scratch *s,
                           enum record_item_source source, bool suspect, struct buffer *text)
{
    bool sent = source == RECORD_ITEM_SENT;

    if (s->len == 0)
        return 0;
    suspect |= json_append_members(text, s->keys, s->len,
                                   sent ? RECORD_DEPTH_MAX : RECORD_STORED_DEPTH_MAX,
                                   sent ? record_number_is_odd : NULL);
    if (buffer_error(text))
        return buffer_error(text);
    if (sent && suspect)
        r->used |= record_check_attributes(s->keys, s->len, s->merged, r->report, r->ctx);
    return 0;
}

int record_item_read(struct record_item_scratch *s, yyjson_val *value,
                     enum record_item_source source, struct buffer *attributes,
                     struct record_item *item, record_report *report_wrong, void *ctx)
{
    struct reporter r = {.report = report_wrong, .ctx = ctx};
    struct record *record = &item->record;
    struct fields f = {.message = NULL};
    bool long_name = false;
    size_t start = attributes->len;

    *item = (struct record_item){.has_id = false};
    if (!yyjson_is_obj(value)) {
        report(&r, &(struct record_wrong){.problem = RECORD_NO_OBJECT, .value = value});
        return LM_EINVAL;
    }
    int error = sort_members(s, value, &f, &long_name);
    if (error)
        return error;

    record->message = read_text(&r, "message", value, f.message);
    record->level = read_text(&r, "level", value, f.level);
    if (source == RECORD_ITEM_SENT && record->level.len > RECORD_LEVEL_MAX) {
        record_check_level(f.level, r.report, r.ctx);
        r.used = true;
    }
    item->has_timestamp = read_timestamp(&r, f.timestamp, &record->key.timestamp_us);
    item->has_id = read_id(&r, f.id, &record->key.id);
    if (item->has_id && (item->has_timestamp || is_null(f.timestamp)))
        join_id_and_timestamp(&r, item, f.id);
    if (source == RECORD_ITEM_SENT && record_item_values(value) > RECORD_VALUES_MAX) {
        record_check_values(value, r.report, r.ctx);
        return LM_EINVAL;
    }

    error = read_attributes(&r, s, source, long_name || r.used, attributes);
    if (!error && r.used)
        error = LM_EINVAL;
    if (error) {
        buffer_truncate(attributes, start);
        return error;
    }
    if (attributes->len > start)
        record->attributes = slice_of(attributes->data + start, attributes->len - start);
    return 0;
}
