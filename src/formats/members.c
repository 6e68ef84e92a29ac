#include "formats/members.h"

#include <string.h>

#include "formats/member_names.h"
#include "formats/names.h"
#include "json/writer.h"

/* Whether `text` is one of `names`, which have commas between them. */
static bool is_among(struct slice names, struct slice text)
{
    for (size_t i = 0; i < MEMBERS_FIRST_MAX && names.len > 0; i++)
        if (slice_equal(slice_trim(slice_cut(&names, ',')), text))
            return true;
    return false;
}

static bool is_ignored(const struct members_first *first, struct slice text)
{
    struct slice names = first ? first->ignored : (struct slice){NULL, 0};

    for (size_t i = 0; i < MEMBERS_IGNORED_MAX && names.len > 0; i++) {
        struct slice name = slice_trim(slice_cut(&names, ','));
        bool is_prefix = name.len && name.data[name.len - 1] == '*';
        struct slice begins = text;

        name.len -= is_prefix;
        if (is_prefix && name.len < text.len)
            begins.len = name.len;
        if (slice_equal(name, begins) && (name.len || is_prefix))
            return true;
    }
    return false;
}

/* ---- Values ---- */

struct slice members_level(yyjson_val *value)
{
    return member_level_of(json_text(value), yyjson_is_str(value));
}

/* The text of `object` that is its message; empty if it has none. */
static struct slice message_within(yyjson_val *object)
{
    struct slice message = {NULL, 0};
    unsigned best = MEMBER_RANK_NONE;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct member_name name = member_name_of(json_text(key));

        if (name.role != MEMBER_MESSAGE || name.rank > best || !yyjson_is_str(value))
            continue;
        message = json_text(value);
        best = name.rank;
    }
    return message;
}

/* A number is none: "line": 39 is where, not what. An empty text is taken until there is more. */
static bool read_message(struct members *m, yyjson_val *key, yyjson_val *value)
{
    bool is_text = yyjson_is_str(value);
    struct slice text = is_text ? json_text(value) : message_within(value);

    if (text.len || (is_text && !m->message.data)) {
        m->message_key = is_text ? key : NULL;
        m->message = text;
    }
    return text.len > 0;
}

static bool read_level(struct members *m, yyjson_val *key, yyjson_val *value,
                       struct member_name name)
{
    struct slice level = member_level_named(name, json_text(value), yyjson_is_str(value));

    if (!level.len)
        return false;
    m->level_key = key;
    m->level = level;
    return true;
}

/*
 * A date without a time of day is none ("due"), nor is a number outside of the times of logs: it
 * may be a duration. 2001-09-09, from which on seconds have ten digits, to 2100.
 */
static bool read_time(struct members *m, yyjson_val *key, yyjson_val *value)
{
    static const int64_t NUMBERS_FROM_US = INT64_C(1000000000000000);
    static const int64_t NUMBERS_TO_US = INT64_C(4102444800000000);
    struct slice text = json_text(value);
    bool has_clock = text.len && memchr(text.data, ':', text.len);
    bool has_date = text.len && memchr(text.data + 1, '-', text.len - 1);
    unsigned below_us = 0;
    int64_t us = 0;

    if (!text.len || time_of_text(text, &us, &below_us))
        return false;
    if (!has_clock && (has_date || us < NUMBERS_FROM_US || us > NUMBERS_TO_US))
        return false;
    m->time_key = key;
    m->time_us = us;
    m->below_us = below_us;
    return true;
}

/* ---- Objects ---- */

/* ECS without dots: {"log":{"level":…}}, which stays an attribute. */
static void find_level_within(struct members *m, yyjson_val *object)
{
    yyjson_val *level = yyjson_obj_get(yyjson_obj_get(object, "log"), "level");

    if (level)
        m->level = members_level(level);
}

struct members members_find(yyjson_val *object, const struct members_first *first)
{
    unsigned best[MEMBER_ROLES] = {MEMBER_RANK_NONE, MEMBER_RANK_NONE, MEMBER_RANK_NONE};
    struct members m = {.first = first, .message = {NULL, 0}};
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct slice text = json_text(key);
        struct member_name name = member_name_of(text);

        if (is_ignored(first, text))
            continue;
        if (first && is_among(first->message, text))
            name = (struct member_name){MEMBER_MESSAGE, MEMBER_RANK_FIRST};
        else if (first && is_among(first->time, text))
            name = (struct member_name){MEMBER_TIME, MEMBER_RANK_FIRST};
        if (name.role == MEMBER_ROLES || name.rank > best[name.role])
            continue;
        bool good = name.role == MEMBER_MESSAGE ? read_message(&m, key, value)
                    : name.role == MEMBER_LEVEL ? read_level(&m, key, value, name)
                                                : read_time(&m, key, value);
        if (good)
            best[name.role] = name.rank;
    }
    if (!m.level.len)
        find_level_within(&m, object);
    return m;
}

bool members_look(struct repeats *r, yyjson_val *object, const struct members_first *first)
{
    struct members m = members_find(object, first);

    return repeats_look(r, m.time_key ? &m.time_us : NULL, m.below_us);
}

void members_put_time(struct record_draft *d, int64_t us, unsigned below_us)
{
    record_draft_time(d, us);
    record_draft_below_us(d, below_us);
}

void members_put(struct record_draft *d, yyjson_val *object, const struct members *m)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
        if (key != m->message_key && key != m->level_key && key != m->time_key &&
            !is_ignored(m->first, json_text(key)))
            record_draft_json(d, json_text(key), yyjson_obj_iter_get_val(key));
    if (m->message.data)
        record_draft_message(d, m->message);
    if (m->level.len)
        record_draft_level(d, m->level);
    if (m->time_key)
        members_put_time(d, m->time_us, m->below_us);
}
