#include "formats/fluent_event.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/byte_order.h"
#include "base/utf8.h"
#include "formats/member_names.h"
#include "formats/members.h"
#include "formats/names.h"

enum {
    EVENT_TIME = 0, /* the type of an extension: seconds and nanoseconds, 32 bits each */
    EVENT_TIME_LEN = 8,
    NS_PER_US = 1000,
    NS_PER_S = 1000000000,
    NUMBER_SIZE = 64, /* of a text for any number */
};

static const int64_t US_PER_S = 1000000;

/* ---- Times ---- */

/* Seconds, or what is too many for them: milliseconds and so on (formats/names.h). */
static void set_time(struct fluent_time *t, const char *number)
{
    t->is_own = true;
    t->is_wrong = time_of_number(slice_of_string(number), &t->us, &t->below_us) != 0;
}

static void set_seconds(struct fluent_time *t, int64_t seconds)
{
    static const int64_t CERTAIN_MAX = INT64_C(10000000000);
    char text[NUMBER_SIZE];

    if (seconds >= 0 && seconds < CERTAIN_MAX) {
        t->is_own = seconds != 0; /* as fluentd has it */
        t->us = seconds * US_PER_S;
        return;
    }
    (void)snprintf(text, sizeof(text), "%lld", (long long)seconds);
    set_time(t, text);
}

/* Of a double no more than its microseconds are meant. */
static void set_double(struct fluent_time *t, double seconds)
{
    static const double MAX = 1e18;
    char text[NUMBER_SIZE];

    if (!(seconds > -MAX && seconds < MAX)) {
        t->is_own = t->is_wrong = true;
        return;
    }
    (void)snprintf(text, sizeof(text), "%.6f", seconds);
    set_time(t, text);
    t->is_own = seconds != 0;
}

static void set_event_time(struct fluent_time *t, struct slice bytes)
{
    uint32_t seconds = byte_order_get32(bytes.data);
    uint32_t ns = byte_order_get32(bytes.data + sizeof(seconds));

    t->is_own = seconds != 0;
    t->is_wrong = ns >= NS_PER_S;
    t->us = seconds * US_PER_S + ns / NS_PER_US;
    t->below_us = ns % NS_PER_US;
}

static bool read_time(const struct msgpack_value *v, struct fluent_time *t)
{
    *t = (struct fluent_time){.is_own = false};
    switch (v->type) {
    case MSGPACK_NIL:
        return true;
    case MSGPACK_UNSIGNED:
        if (v->whole > INT64_MAX)
            return false;
        set_seconds(t, (int64_t)v->whole);
        return true;
    case MSGPACK_INTEGER:
        set_seconds(t, v->integer);
        return true;
    case MSGPACK_DOUBLE:
        set_double(t, v->number);
        return true;
    case MSGPACK_EXTENSION:
        if (v->extension != EVENT_TIME || v->bytes.len != EVENT_TIME_LEN)
            return false;
        set_event_time(t, v->bytes);
        return true;
    default:
        return false;
    }
}

/* The next value is a time, or [time, metadata]. */
static bool read_time_and_more(struct msgpack *p, struct fluent_event *e)
{
    struct msgpack_value v;

    if (!msgpack_next(p, &v))
        return false;
    if (v.type != MSGPACK_ARRAY)
        return read_time(&v, &e->time);
    uint64_t more = v.count;
    if (more-- == 0 || !msgpack_next(p, &v) || !read_time(&v, &e->time))
        return false;
    for (; more > 0; more--) {
        const unsigned char *at = p->at;

        if (!msgpack_next(p, &v) || !msgpack_pass(p, &v))
            return false;
        if (v.type == MSGPACK_MAP && v.count)
            e->metadata = slice_of((const char *)at, (size_t)(p->at - at));
    }
    return true;
}

/* ---- What of a record is what ---- */

struct search {
    struct fluent_record *record;
    unsigned best[MEMBER_ROLES];
    struct slice level_within;
};

/* What may be a message: a text, and bytes that are one. */
static bool is_message(const struct msgpack_value *v)
{
    return v->type == MSGPACK_TEXT || (v->type == MSGPACK_BYTES && utf8_valid(v->bytes));
}

/* The text of a map, of which `p` is a copy behind its head, that is its message. */
static struct slice message_within(struct msgpack p, const struct msgpack_value *map)
{
    struct slice message = {NULL, 0};
    unsigned best = MEMBER_RANK_NONE;
    struct msgpack_value key, value;

    for (uint64_t i = 0; i < map->count / 2; i++) {
        if (!msgpack_next(&p, &key) || !msgpack_pass(&p, &key) || !msgpack_next(&p, &value) ||
            !msgpack_pass(&p, &value))
            break;
        if (!msgpack_is_text(&key) || !is_message(&value))
            continue;
        struct member_name name = member_name_of(key.bytes);
        if (name.role != MEMBER_MESSAGE || name.rank > best)
            continue;
        message = value.bytes;
        best = name.rank;
    }
    return message;
}

/* ECS without dots: {"log":{"level":…}}, which stays an attribute. Empty if there is none. */
static struct slice level_within(struct msgpack p, const struct msgpack_value *map)
{
    struct slice level = {NULL, 0};
    struct msgpack_value key, value;

    for (uint64_t i = 0; i < map->count / 2; i++) {
        if (!msgpack_next(&p, &key) || !msgpack_pass(&p, &key) || !msgpack_next(&p, &value) ||
            !msgpack_pass(&p, &value))
            break;
        if (msgpack_is_text(&key) && slice_equal(key.bytes, SLICE_LITERAL("level")) &&
            value.type == MSGPACK_TEXT)
            level = member_level_of(value.bytes, true);
    }
    return level;
}

/* An empty text is taken until there is more. */
static bool take_message(struct fluent_record *r, const unsigned char *key_at, struct slice name,
                         const struct msgpack_value *v, struct msgpack contents)
{
    bool is_text = is_message(v);
    struct slice text = {NULL, 0};

    if (is_text)
        text = v->bytes;
    else if (v->type == MSGPACK_MAP)
        text = message_within(contents, v);
    /* A line of a file, with what ended it. */
    if (is_text && text.len && text.data[text.len - 1] == '\n' &&
        slice_equal(name, SLICE_LITERAL("log")))
        text.len--;
    if (text.len || (is_text && !r->message.data)) {
        r->message_at = is_text ? key_at : NULL;
        r->message = text;
    }
    return text.len > 0;
}

static bool take_level(struct fluent_record *r, const unsigned char *key_at,
                       struct member_name name, const struct msgpack_value *v)
{
    char digits[NUMBER_SIZE];
    struct slice level = {NULL, 0};

    if (v->type == MSGPACK_TEXT) {
        level = member_level_named(name, v->bytes, true);
    } else if (v->type == MSGPACK_UNSIGNED || v->type == MSGPACK_INTEGER) {
        (void)snprintf(digits, sizeof(digits), "%lld", (long long)v->whole);
        level = member_level_named(name, slice_of_string(digits), false); /* a constant */
    }
    if (!level.len)
        return false;
    r->level_at = key_at;
    r->level = level;
    return true;
}

static bool is_true(const struct msgpack_value *v)
{
    return v->type == MSGPACK_TEXT ? slice_equal(v->bytes, SLICE_LITERAL("true"))
                                   : v->type == MSGPACK_BOOL && v->truth;
}

/* The part of a member's name behind "partial_"; empty if it has another. */
static struct slice partial_name(struct slice name)
{
    static const struct slice PREFIX = SLICE_LITERAL("partial_");

    if (name.len <= PREFIX.len || memcmp(name.data, PREFIX.data, PREFIX.len) != 0)
        return (struct slice){NULL, 0};
    return slice_of(name.data + PREFIX.len, name.len - PREFIX.len);
}

static void take_part(struct fluent_part *part, struct slice name, const struct msgpack_value *v)
{
    if (slice_equal(name, SLICE_LITERAL("id")) && v->type == MSGPACK_TEXT)
        part->id = v->bytes;
    else if (slice_equal(name, SLICE_LITERAL("last")))
        part->is_last = is_true(v);
    else if (slice_equal(name, SLICE_LITERAL("ordinal")))
        part->is_first = v->type == MSGPACK_TEXT && slice_equal(v->bytes, SLICE_LITERAL("1"));
}

static void take_member(struct search *s, const unsigned char *key_at, struct slice key,
                        const struct msgpack_value *v, struct msgpack contents)
{
    struct member_name name = member_name_of(key);
    struct slice partial = partial_name(key);

    if (partial.len)
        take_part(&s->record->part, partial, v);
    s->record->has_tag |= slice_equal(key, SLICE_LITERAL("tag"));
    if (v->type == MSGPACK_MAP && slice_equal(key, SLICE_LITERAL("log")))
        s->level_within = level_within(contents, v);
    if (name.role == MEMBER_ROLES || name.role == MEMBER_TIME || name.rank > s->best[name.role])
        return;
    bool good = name.role == MEMBER_MESSAGE ? take_message(s->record, key_at, key, v, contents)
                                            : take_level(s->record, key_at, name, v);
    if (good)
        s->best[name.role] = name.rank;
}

/* The next value is a record. */
static bool find_members(struct msgpack *p, struct fluent_record *r)
{
    struct search s = {r, {MEMBER_RANK_NONE, MEMBER_RANK_NONE, MEMBER_RANK_NONE}, {NULL, 0}};
    struct msgpack_value map, key, value;

    *r = (struct fluent_record){.message = {NULL, 0}};
    if (!msgpack_next(p, &map) || map.type != MSGPACK_MAP)
        return false;
    const unsigned char *begin = p->at;
    for (uint64_t i = 0; i < map.count / 2; i++) {
        const unsigned char *key_at = p->at;

        if (!msgpack_next(p, &key) || !msgpack_pass(p, &key) || !msgpack_next(p, &value))
            return false;
        if (msgpack_is_text(&key))
            take_member(&s, key_at, key.bytes, &value, *p);
        if (!msgpack_pass(p, &value))
            return false;
    }
    r->pairs = slice_of((const char *)begin, (size_t)(p->at - begin));
    if (!r->level.len)
        r->level = s.level_within;
    if (!r->message.data)
        r->part.id = (struct slice){NULL, 0};
    return true;
}

bool fluent_event_read(struct msgpack *p, struct fluent_event *e)
{
    e->metadata = (struct slice){NULL, 0};
    return read_time_and_more(p, e) && find_members(p, &e->record);
}

/* ---- Attributes ---- */

struct putting {
    struct record_draft *draft;
    struct buffer *room;
};

static void put_base64(struct putting *put, struct slice name, struct slice bytes)
{
    buffer_clear(put->room);
    base64_append(put->room, bytes);
    record_draft_fail(put->draft, buffer_error(put->room));
    record_draft_text(put->draft, name, buffer_slice(put->room));
}

/* A key as a name; `text` has room for one that is none. Arrays, maps and extensions are none. */
static bool read_name(const struct msgpack_value *v, char text[NUMBER_SIZE], struct slice *name)
{
    switch (v->type) {
    case MSGPACK_TEXT:
    case MSGPACK_BYTES:
        *name = v->bytes;
        return true;
    case MSGPACK_NIL:
        *name = SLICE_LITERAL("null");
        return true;
    case MSGPACK_BOOL:
        *name = v->truth ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
        return true;
    case MSGPACK_UNSIGNED:
        (void)snprintf(text, NUMBER_SIZE, "%llu", (unsigned long long)v->whole);
        break;
    case MSGPACK_INTEGER:
        (void)snprintf(text, NUMBER_SIZE, "%lld", (long long)v->integer);
        break;
    case MSGPACK_DOUBLE:
        (void)snprintf(text, NUMBER_SIZE, "%.17g", v->number);
        break;
    default:
        return false;
    }
    *name = slice_of_string(text);
    return true;
}

static void put_next(struct putting *put, struct slice name, struct msgpack *p);

/* Pairs, of an object that is open. */
static void put_pair(struct putting *put, struct msgpack *p)
{
    char text[NUMBER_SIZE];
    struct slice name;
    struct msgpack_value key;

    if (!msgpack_next(p, &key) || !read_name(&key, text, &name))
        record_draft_fail(put->draft, LM_EDATA);
    else
        put_next(put, name, p);
}

/* Recursive, up to RECORD_DEPTH_MAX: then the draft opens no more. */
static void put_contents(struct putting *put, struct slice name, const struct msgpack_value *v,
                         struct msgpack *p)
{
    bool is_map = v->type == MSGPACK_MAP;
    uint64_t count = is_map ? v->count / 2 : v->count;

    record_draft_open(put->draft, name, is_map ? RECORD_DRAFT_OBJECT : RECORD_DRAFT_ARRAY);
    for (uint64_t i = 0; i < count && !put->draft->error; i++) {
        if (is_map)
            put_pair(put, p);
        else
            put_next(put, (struct slice){NULL, 0}, p);
    }
    record_draft_close(put->draft);
}

/* The value that comes next, as an attribute, a member or an item. */
static void put_next(struct putting *put, struct slice name, struct msgpack *p)
{
    struct record_draft *d = put->draft;
    struct msgpack_value v;

    if (!msgpack_next(p, &v)) {
        record_draft_fail(d, LM_EDATA);
        return;
    }
    switch (v.type) {
    case MSGPACK_NIL:
        record_draft_null(d, name);
        break;
    case MSGPACK_BOOL:
        record_draft_bool(d, name, v.truth);
        break;
    case MSGPACK_UNSIGNED:
        record_draft_unsigned(d, name, v.whole);
        break;
    case MSGPACK_INTEGER:
        record_draft_integer(d, name, v.integer);
        break;
    case MSGPACK_DOUBLE:
        record_draft_double(d, name, v.number);
        break;
    case MSGPACK_TEXT:
        record_draft_text(d, name, v.bytes);
        break;
    case MSGPACK_BYTES:
        if (utf8_valid(v.bytes))
            record_draft_text(d, name, v.bytes);
        else
            put_base64(put, name, v.bytes);
        break;
    case MSGPACK_EXTENSION:
        put_base64(put, name, v.bytes);
        break;
    case MSGPACK_ARRAY:
    case MSGPACK_MAP:
        put_contents(put, name, &v, p);
        break;
    }
}

static bool is_part_name(struct slice name)
{
    struct slice partial = partial_name(name);

    return slice_equal(partial, SLICE_LITERAL("message")) ||
           slice_equal(partial, SLICE_LITERAL("id")) ||
           slice_equal(partial, SLICE_LITERAL("ordinal")) ||
           slice_equal(partial, SLICE_LITERAL("last"));
}

/* Passes the pair that comes next if it is no attribute. */
static bool is_passed(const struct fluent_record *r, struct msgpack *p, bool is_joined)
{
    struct msgpack ahead = *p;
    struct msgpack_value key, value;

    if (!msgpack_next(&ahead, &key))
        return false;
    if (p->at != r->message_at && p->at != r->level_at &&
        !(is_joined && msgpack_is_text(&key) && is_part_name(key.bytes)))
        return false;
    if (!msgpack_next(&ahead, &value) || !msgpack_pass(&ahead, &value))
        return false;
    *p = ahead;
    return true;
}

static struct slice own_name(struct record_draft *d, const char *name, const char *other)
{
    return record_draft_own_name(d, slice_of_string(name), slice_of_string(other));
}

void fluent_event_put(struct record_draft *d, const struct fluent_event *e, struct slice text,
                      bool is_joined, struct buffer *room)
{
    struct putting put = {d, room};
    struct msgpack p = msgpack_of(e->record.pairs);

    if (!e->record.has_tag)
        record_draft_text(d, SLICE_LITERAL("tag"), e->tag);
    while (p.at < p.end && !d->error)
        if (!is_passed(&e->record, &p, is_joined))
            put_pair(&put, &p);
    if (e->record.has_tag)
        record_draft_text(d, own_name(d, "tag", "fluent.tag"), e->tag);
    if (e->metadata.len) {
        struct msgpack metadata = msgpack_of(e->metadata);

        put_next(&put, own_name(d, "fluent.metadata", "fluent.metadata"), &metadata);
    }
    record_draft_message(d, text);
    if (e->record.level.len)
        record_draft_level(d, e->record.level);
    if (e->time.is_own)
        members_put_time(d, e->time.us, e->time.below_us);
}
