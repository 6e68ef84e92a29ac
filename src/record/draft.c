#include "record/draft.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/uuid7.h"
#include "base/xalloc.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    OWN_VALUES = 8,        /* names and values that a log has beside its attributes */
    MEMBERS_COMPARED = 64, /* of an object with more, a repeated name is taken for granted */
    DOUBLE_TEXT_SIZE = 32,
    NAME_SHOWN_MAX = 64, /* bytes of a name in words of what is wrong */
};

/* ---- A draft ---- */

void record_draft_init(struct record_draft *d)
{
    *d = (struct record_draft){.why = ERRBUF_INIT};
    buffer_init(&d->message, RECORD_BYTES_MAX);
    buffer_init(&d->level, RECORD_BYTES_MAX);
    buffer_init(&d->attributes, RECORD_BYTES_MAX);
    buffer_init(&d->repaired, RECORD_BYTES_MAX);
    buffer_init(&d->own, RECORD_NAME_MAX);
    record_draft_begin(d);
}

void record_draft_release(struct record_draft *d)
{
    buffer_release(&d->message);
    buffer_release(&d->level);
    buffer_release(&d->attributes);
    buffer_release(&d->repaired);
    buffer_release(&d->own);
    free(d->members);
    d->members = NULL;
}

void record_draft_check(const struct record_draft *d)
{
    CHECK(d->depth >= 1 && d->depth <= RECORD_DEPTH_MAX);
    CHECK(d->open[0].kind == RECORD_DRAFT_OBJECT && d->open[0].first_member == 0);
    for (size_t i = 1; i < d->depth; i++)
        CHECK(d->open[i].first_member >= d->open[i - 1].first_member);
    CHECK(d->open[d->depth - 1].first_member <= d->members_len);
    CHECK(d->members_len <= d->members_capacity);
    CHECK(d->error || buffer_error(&d->attributes) ||
          (d->attributes.len >= d->depth && d->attributes.data[0] == '{'));
}

struct record_draft_mark record_draft_mark(const struct record_draft *d)
{
    assert(d->depth == 1);
    return (struct record_draft_mark){
        .len = d->attributes.len,
        .members_len = d->members_len,
        .values = d->values,
        .huge_digits = d->huge_digits,
        .used = d->open[0].used,
        .repeats = d->repeats,
    };
}

static void go_back(struct record_draft *d, const struct record_draft_mark *mark)
{
    d->record = (struct record){.attributes = {NULL, 0}};
    d->has_time = d->has_id = false;
    d->below_us = 0;
    buffer_clear(&d->message);
    buffer_clear(&d->level);
    buffer_truncate(&d->attributes, mark->len);
    d->members_len = mark->members_len;
    d->values = mark->values;
    d->huge_digits = mark->huge_digits;
    d->repeats = mark->repeats;
    d->open[0] = (struct record_draft_level){.kind = RECORD_DRAFT_OBJECT, .used = mark->used};
    d->depth = 1;
    d->error = 0;
}

void record_draft_again(struct record_draft *d, const struct record_draft_mark *mark)
{
    go_back(d, mark);
    CHECKED(record_draft_check(d));
}

void record_draft_begin(struct record_draft *d)
{
    struct record_draft_mark nothing = {.len = 0};

    buffer_clear(&d->attributes);
    buffer_append_char(&d->attributes, '{');
    int error = buffer_error(&d->attributes);
    nothing.len = d->attributes.len;
    go_back(d, &nothing);
    d->error = error;
    CHECKED(record_draft_check(d));
}

/* The first error is the one that is told. */
static void fail(struct record_draft *d, const char *what, struct slice name, size_t limit)
{
    if (d->error)
        return;
    d->error = LM_EINVAL;
    if (name.len > NAME_SHOWN_MAX)
        name.len = NAME_SHOWN_MAX;
    if (name.len)
        name.len = utf8_valid_prefix(name); /* what is told is text, too */
    errbuf_set(&d->why, "%s%s%.*s%s: at most %zu", what, name.len ? " of attribute \"" : "",
               SLICE_ARG(name), name.len ? "\"" : "", limit);
}

static void fail_memory(struct record_draft *d, int error)
{
    if (!d->error)
        d->error = error;
}

void record_draft_fail(struct record_draft *d, int error)
{
    if (error)
        fail_memory(d, error);
}

/* ---- Texts ---- */

/* `text` without what may not be in it: itself, or a copy in `room`, which was empty. */
static struct slice repair(struct record_draft *d, struct slice text, struct buffer *room)
{
    if (d->clean)
        return text;
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    if (!nul && utf8_valid(text))
        return text;
    while (nul) {
        size_t before = (size_t)(nul - text.data);

        utf8_append_repaired(room, slice_of(text.data, before));
        buffer_append_string(room, "\xef\xbf\xbd");
        d->nul_characters++;
        text = slice_of(nul + 1, text.len - before - 1);
        nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    }
    utf8_append_repaired(room, text);
    if (buffer_error(room))
        fail_memory(d, buffer_error(room));
    return buffer_slice(room);
}

void record_draft_message(struct record_draft *d, struct slice text)
{
    buffer_clear(&d->message);
    d->record.message = repair(d, text, &d->message);
}

void record_draft_level(struct record_draft *d, struct slice text)
{
    buffer_clear(&d->level);
    d->record.level = repair(d, text, &d->level);
    if (d->record.level.len > RECORD_LEVEL_MAX)
        fail(d, "bytes of the level", (struct slice){NULL, 0}, RECORD_LEVEL_MAX);
}

void record_draft_time(struct record_draft *d, int64_t us)
{
    if (us < TIMESTAMP_MIN_US || us > TIMESTAMP_MAX_US) {
        if (!d->error)
            d->error = errbuf_fail(&d->why, LM_EINVAL, "the time is not in the years 1 to 9999");
        return;
    }
    d->record.key.timestamp_us = us;
    d->has_time = true;
}

void record_draft_below_us(struct record_draft *d, unsigned ns)
{
    d->below_us = ns;
}

void record_draft_seed(struct record_draft *d, struct slice seed)
{
    d->record.key.id = uuid7_derived(0, seed);
    d->has_id = true;
}

void record_draft_within(struct record_draft *d, const uint64_t bits[2], uint64_t number)
{
    d->record.key.id = uuid7_within(0, bits, number);
    d->has_id = true;
}

/* ---- Names ---- */

/* Whether a member of this hash stands in the innermost object; it does from now on. */
static bool add_member(struct record_draft *d, uint32_t hash)
{
    size_t first = d->open[d->depth - 1].first_member;
    bool found = d->members_len - first > MEMBERS_COMPARED;

    for (size_t i = first; !found && i < d->members_len; i++)
        found = d->members[i] == hash;
    if (d->members_len == d->members_capacity) {
        size_t capacity = d->members_capacity ? 2 * d->members_capacity : 64;
        uint32_t *members = try_realloc(d->members, capacity * sizeof(*members));

        if (!members) {
            fail_memory(d, LM_ENOMEM);
            return false;
        }
        d->members = members;
        d->members_capacity = capacity;
    }
    d->members[d->members_len++] = hash;
    return found;
}

/* Counts a value, and writes what comes before it. False if the log is past help. */
static bool begin_value(struct record_draft *d, struct slice name)
{
    struct record_draft_level *level = &d->open[d->depth - 1];

    if (d->error)
        return false;
    d->values++;
    if (level->used)
        buffer_append_char(&d->attributes, ',');
    level->used = true;
    if (level->kind == RECORD_DRAFT_OBJECT) {
        buffer_clear(&d->repaired);
        name = repair(d, name, &d->repaired);
        if (name.len > RECORD_NAME_MAX)
            fail(d, "bytes of a name", name, RECORD_NAME_MAX);
        d->values++;
        d->repeats |= add_member(d, (uint32_t)hash_bytes(HASH_BASIS, name));
        json_append_string(&d->attributes, name);
        buffer_append_char(&d->attributes, ':');
    }
    if (d->values > RECORD_VALUES_MAX - OWN_VALUES)
        fail(d, "values in a log", (struct slice){NULL, 0}, RECORD_VALUES_MAX - OWN_VALUES);
    return !d->error;
}

/* ---- Values ---- */

void record_draft_text(struct record_draft *d, struct slice name, struct slice text)
{
    if (!begin_value(d, name))
        return;
    buffer_clear(&d->repaired);
    json_append_string(&d->attributes, repair(d, text, &d->repaired));
}

void record_draft_integer(struct record_draft *d, struct slice name, int64_t value)
{
    if (begin_value(d, name))
        buffer_append_i64(&d->attributes, value);
}

void record_draft_unsigned(struct record_draft *d, struct slice name, uint64_t value)
{
    if (begin_value(d, name))
        buffer_append_u64(&d->attributes, value);
}

void record_draft_bool(struct record_draft *d, struct slice name, bool value)
{
    if (begin_value(d, name))
        buffer_append_string(&d->attributes, value ? "true" : "false");
}

void record_draft_null(struct record_draft *d, struct slice name)
{
    if (begin_value(d, name))
        buffer_append_string(&d->attributes, "null");
}

void record_draft_double(struct record_draft *d, struct slice name, double value)
{
    char text[DOUBLE_TEXT_SIZE];

    if (isnan(value) || isinf(value)) {
        const char *word = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

        record_draft_text(d, name, slice_of_string(word));
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    record_draft_number(d, name, slice_of_string(text));
}

static void judge_number(struct record_draft *d, struct slice name, struct slice number)
{
    if (!record_number_is_odd(number))
        return;
    switch (record_number_judge(number, &d->huge_digits)) {
    case RECORD_NUMBER_FITS:
        break;
    case RECORD_NUMBER_WHOLE:
        fail(d, "digits of a number", name, RECORD_WHOLE_DIGITS_MAX);
        break;
    case RECORD_NUMBER_FRACTION:
        fail(d, "decimal places of a number", name, RECORD_FRACTION_DIGITS_MAX);
        break;
    case RECORD_NUMBER_HUGE:
        fail(d, "digits, written out, of all huge numbers of a log", name, RECORD_HUGE_DIGITS_MAX);
        break;
    }
}

void record_draft_number(struct record_draft *d, struct slice name, struct slice number)
{
    if (!begin_value(d, name))
        return;
    judge_number(d, name, number);
    buffer_append_slice(&d->attributes, number);
}

static void append_json(struct record_draft *d, struct slice name, yyjson_val *value);

static void append_array(struct record_draft *d, struct slice name, yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);

    record_draft_open(d, name, RECORD_DRAFT_ARRAY);
    for (yyjson_val *item; !d->error && (item = yyjson_arr_iter_next(&iter));)
        append_json(d, (struct slice){NULL, 0}, item);
    record_draft_close(d);
}

static void append_object(struct record_draft *d, struct slice name, yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);

    record_draft_open(d, name, RECORD_DRAFT_OBJECT);
    for (yyjson_val *key; !d->error && (key = yyjson_obj_iter_next(&iter));)
        append_json(d, json_text(key), yyjson_obj_iter_get_val(key));
    record_draft_close(d);
}

/* Recursive, up to RECORD_DEPTH_MAX. */
static void append_json(struct record_draft *d, struct slice name, yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_OBJ:
        append_object(d, name, value);
        break;
    case YYJSON_TYPE_ARR:
        append_array(d, name, value);
        break;
    case YYJSON_TYPE_STR:
        record_draft_text(d, name, json_text(value));
        break;
    case YYJSON_TYPE_RAW:
        record_draft_number(d, name, json_text(value));
        break;
    case YYJSON_TYPE_BOOL:
        record_draft_bool(d, name, yyjson_get_bool(value));
        break;
    default:
        record_draft_null(d, name);
        break;
    }
}

void record_draft_json(struct record_draft *d, struct slice name, yyjson_val *value)
{
    d->clean = true; /* its reader has seen to that */
    append_json(d, name, value);
    d->clean = false;
}

void record_draft_open(struct record_draft *d, struct slice name, enum record_draft_kind kind)
{
    if (!begin_value(d, name))
        return;
    if (d->depth == RECORD_DEPTH_MAX) {
        fail(d, "objects and arrays within each other", name, RECORD_DEPTH_MAX);
        return;
    }
    d->open[d->depth++] = (struct record_draft_level){.kind = kind, .first_member = d->members_len};
    buffer_append_char(&d->attributes, kind == RECORD_DRAFT_OBJECT ? '{' : '[');
}

void record_draft_close(struct record_draft *d)
{
    if (d->error)
        return; /* perhaps it was not opened */
    CHECKED(record_draft_check(d));
    assert(d->depth > 1);
    const struct record_draft_level *level = &d->open[--d->depth];

    d->members_len = level->first_member;
    buffer_append_char(&d->attributes, level->kind == RECORD_DRAFT_OBJECT ? '}' : ']');
}

/* ---- Names of ours ---- */

/* Where the string that begins at `at` ends: behind its quote. */
static const char *behind_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* Whether the attributes, as they are written so far, have that name: read, since of two names with
 * one hash only one is there. */
static bool is_written(const struct record_draft *d, struct slice name)
{
    const char *end = d->attributes.data + d->attributes.len;
    bool is_name = true; /* of a member, not a value */
    size_t depth = 1;

    for (const char *at = d->attributes.data + 1; at < end;) {
        const char *next = *at == '"' ? behind_string(at, end) : at + 1;

        if (*at == '"' && is_name && depth == 1 && next - at >= 2 &&
            slice_equal(slice_of(at + 1, (size_t)(next - at) - 2), name))
            return true;
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        is_name = *at == ',';
        at = next;
    }
    return false;
}

static bool has_attribute(const struct record_draft *d, struct slice name)
{
    uint32_t hash = (uint32_t)hash_bytes(HASH_BASIS, name);

    for (size_t i = 0; i < d->members_len; i++)
        if (d->members[i] == hash)
            return is_written(d, name);
    return false;
}

struct slice record_draft_own_name(struct record_draft *d, struct slice name, struct slice other)
{
    struct slice own = name;

    assert(d->error || d->depth == 1);
    for (unsigned n = 1; !d->error && has_attribute(d, own); n++) {
        if (n > RECORD_DRAFT_OWN_NAMES) {
            fail(d, "attributes that are called as one of ours", name, RECORD_DRAFT_OWN_NAMES);
            break;
        }
        buffer_clear(&d->own);
        buffer_append_slice(&d->own, other);
        if (n > 1)
            buffer_appendf(&d->own, ".%u", n);
        record_draft_fail(d, buffer_error(&d->own));
        own = buffer_slice(&d->own);
    }
    return own;
}

/* ---- The end ---- */

/* Writes the attributes, of which names may repeat each other, once more. */
static int drop_repeats(struct record_draft *d)
{
    struct json_doc doc;
    struct buffer *text = &d->repaired;

    json_doc_init(&doc);
    int error = json_doc_read(&doc, buffer_slice(&d->attributes));
    if (!error) {
        buffer_clear(text);
        json_append_value(text, yyjson_doc_get_root(doc.doc));
        error = buffer_error(text);
    }
    json_doc_release(&doc);
    if (error)
        return error;
    d->record.attributes = buffer_slice(text);
    return 0;
}

static int finish_attributes(struct record_draft *d)
{
    if (d->below_us)
        record_draft_unsigned(d,
                              record_draft_own_name(d, SLICE_LITERAL("nanoseconds"),
                                                    SLICE_LITERAL("time.nanoseconds")),
                              d->below_us);
    if (d->error)
        return d->error;
    if (!d->open[0].used)
        return 0;
    buffer_append_char(&d->attributes, '}');
    int error = buffer_error(&d->attributes);
    if (error)
        return error;
    d->record.attributes = buffer_slice(&d->attributes);
    return d->repeats ? drop_repeats(d) : 0;
}

/* All of the id but its milliseconds is there, if there is one. */
static void finish_key(struct record_draft *d, int64_t arrival_us)
{
    struct log_key *key = &d->record.key;

    if (!d->has_time)
        key->timestamp_us = arrival_us;
    if (!d->has_id) {
        key->id = uuid7_new(key->timestamp_us);
        return;
    }
    struct uuid of_time = uuid7_lowest(key->timestamp_us);
    memcpy(key->id.bytes, of_time.bytes, 6);
}

int record_draft_finish(struct record_draft *d, int64_t arrival_us, struct record *record,
                        struct errbuf *why)
{
    int error = d->error ? d->error : finish_attributes(d);

    if (error == LM_ETOOBIG)
        return LM_EDATA;
    if (error == LM_EINVAL)
        return errbuf_fail(why, error, "%s", d->why.text);
    if (error)
        return error;
    finish_key(d, arrival_us);
    if (!d->record.level.len)
        d->record.level = SLICE_LITERAL("info");
    *record = d->record;
    if (record->level.len + record->message.len + record->attributes.len > RECORD_BYTES_MAX)
        return LM_EDATA;
    return 0;
}
