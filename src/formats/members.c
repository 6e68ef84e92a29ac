#include "formats/members.h"

#include <string.h>

#include "formats/names.h"
#include "json/writer.h"

/* ---- Names ---- */

enum role { MESSAGE, LEVEL, TIME, ROLES };

/* Of one role the first in the table that is of use is taken: `rank` is its place, from 1 on. */
struct name {
    const char *text;
    enum role role;
    unsigned rank;
};

enum { NAME_LEN_MAX = 20, RANK_FIRST = 0, RANK_STATUS = 15, RANK_NONE = 99 };

/* By their length, so that most members of a log are told from all of them at once. */
static const struct name *const NAMES[NAME_LEN_MAX + 1] = {
    [2] =
        (const struct name[]){
            {"@t", TIME, 4}, {"ts", TIME, 8}, {"@m", MESSAGE, 5}, {"@l", LEVEL, 8}, {0}},
    [3] = (const struct name[]){{"msg", MESSAGE, 4},
                                {"@mt", MESSAGE, 11},
                                {"log", MESSAGE, 14},
                                {"lvl", LEVEL, 7},
                                {0}},
    [4] = (const struct name[]){{"time", TIME, 7},
                                {"date", TIME, 11},
                                {"_msg", MESSAGE, 1},
                                {"body", MESSAGE, 9},
                                {"Body", MESSAGE, 10},
                                {"line", MESSAGE, 15},
                                {0}},
    [5] = (const struct name[]){{"level", LEVEL, 1},
                                {"Level", LEVEL, 9},
                                {"_time", TIME, 1},
                                {"event", MESSAGE, 13},
                                {0}},
    [6] = (const struct name[]){{"status", LEVEL, RANK_STATUS}, {0}},
    [7] = (const struct name[]){{"message", MESSAGE, 3},
                                {"MESSAGE", MESSAGE, 2},
                                {"Message", MESSAGE, 6},
                                {"asctime", TIME, 9},
                                {0}},
    [8] = (const struct name[]){{"severity", LEVEL, 3},
                                {"Severity", LEVEL, 10},
                                {"PRIORITY", LEVEL, 11},
                                {"loglevel", LEVEL, 6},
                                {"datetime", TIME, 10},
                                {0}},
    [9] = (const struct name[]){{"timestamp", TIME, 5},
                                {"Timestamp", TIME, 6},
                                {"log.level", LEVEL, 2},
                                {"levelname", LEVEL, 4},
                                {"log_level", LEVEL, 5},
                                {0}},
    [10] = (const struct name[]){{"@timestamp", TIME, 2},
                                 {"timeMillis", TIME, 12},
                                 {"level_name", LEVEL, 4}, /* Monolog, whose "level" is 400 */
                                 {0}},
    [11] = (const struct name[]){{"TimeCreated", TIME, 13}, {0}},
    [13] = (const struct name[]){{"short_message", MESSAGE, 8}, {0}},
    [15] = (const struct name[]){{"RenderedMessage", MESSAGE, 7},
                                 {"MessageTemplate", MESSAGE, 12},
                                 {0}},
    [20] = (const struct name[]){{"__REALTIME_TIMESTAMP", TIME, 3}, {0}},
};

static const struct name *name_of(struct slice text)
{
    const struct name *name = text.len <= NAME_LEN_MAX ? NAMES[text.len] : NULL;

    for (; name && name->text; name++)
        if (memcmp(name->text, text.data, text.len) == 0)
            return name;
    return NULL;
}

/* Whether `text` is one of `names`, which have commas between them. */
static bool is_among(struct slice names, struct slice text)
{
    for (size_t i = 0; i < MEMBERS_FIRST_MAX && names.len > 0; i++)
        if (slice_equal(slice_trim(slice_cut(&names, ',')), text))
            return true;
    return false;
}

/* ---- Values ---- */

/* The words that "status" may have, which means much else beside a level. */
static bool is_level_word(struct slice text)
{
    static const char *const words[] = {"emerg",  "emergency", "alert", "crit",    "critical",
                                        "fatal",  "err",       "error", "warn",    "warning",
                                        "notice", "info",      "debug", "verbose", "trace"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_equal_ascii_nocase(text, slice_of_string(words[i])))
            return true;
    return false;
}

/* The number that `text` is the digits of; -1 if it is none, or one that is no level. */
static int level_number(struct slice text)
{
    enum { SYSLOG_MAX = 7, TENS_MIN = 10, TENS_MAX = 69, DIGITS_MAX = 3 };
    int number = 0;

    if (text.len == 0 || text.len > DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    if (number <= SYSLOG_MAX || (number >= TENS_MIN && number <= TENS_MAX))
        return number;
    return level_of_monolog(number).len ? number : -1;
}

struct slice members_level(yyjson_val *value)
{
    struct slice text = json_text(value);
    int number = level_number(text);

    if (number >= 0)
        return level_of_number(number);
    return yyjson_is_str(value) ? text : (struct slice){NULL, 0};
}

/* The text of `object` that is its message; empty if it has none. */
static struct slice message_within(yyjson_val *object)
{
    struct slice message = {NULL, 0};
    unsigned best = RANK_NONE;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const struct name *name = name_of(json_text(key));

        if (!name || name->role != MESSAGE || name->rank > best || !yyjson_is_str(value))
            continue;
        message = json_text(value);
        best = name->rank;
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

static bool read_level(struct members *m, yyjson_val *key, yyjson_val *value, unsigned rank)
{
    struct slice level = members_level(value);

    if (!level.len || (rank == RANK_STATUS && !is_level_word(json_text(value))))
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
    unsigned best[ROLES] = {RANK_NONE, RANK_NONE, RANK_NONE};
    struct members m = {.message = {NULL, 0}};
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct slice text = json_text(key);
        const struct name *known = name_of(text);
        struct name name = known ? *known : (struct name){NULL, ROLES, RANK_NONE};

        if (first && is_among(first->message, text))
            name = (struct name){NULL, MESSAGE, RANK_FIRST};
        else if (first && is_among(first->time, text))
            name = (struct name){NULL, TIME, RANK_FIRST};
        if (name.role == ROLES || name.rank > best[name.role])
            continue;
        bool good = name.role == MESSAGE ? read_message(&m, key, value)
                    : name.role == LEVEL ? read_level(&m, key, value, name.rank)
                                         : read_time(&m, key, value);
        if (good)
            best[name.role] = name.rank;
    }
    if (!m.level.len)
        find_level_within(&m, object);
    return m;
}

void members_put_time(struct record_draft *d, int64_t us, unsigned below_us)
{
    record_draft_time(d, us);
    if (below_us)
        record_draft_unsigned(d, SLICE_LITERAL(TIME_BELOW_US_NAME), below_us);
}

void members_put(struct record_draft *d, yyjson_val *object, const struct members *m)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
        if (key != m->message_key && key != m->level_key && key != m->time_key)
            record_draft_json(d, json_text(key), yyjson_obj_iter_get_val(key));
    if (m->message.data)
        record_draft_message(d, m->message);
    if (m->level.len)
        record_draft_level(d, m->level);
    if (m->time_key)
        members_put_time(d, m->time_us, m->below_us);
}
