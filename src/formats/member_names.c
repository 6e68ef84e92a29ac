#include "formats/member_names.h"

#include <string.h>

#include "formats/names.h"

/* ---- Names ---- */

/* Of one role the first in the table that is of use is taken: `rank` is its place, from 1 on. */
struct name {
    const char *text;
    enum member_role role;
    unsigned rank;
};

enum { NAME_LEN_MAX = 20, RANK_STATUS = 15 };

#define MESSAGE MEMBER_MESSAGE
#define LEVEL MEMBER_LEVEL
#define TIME MEMBER_TIME

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

#undef MESSAGE
#undef LEVEL
#undef TIME

struct member_name member_name_of(struct slice text)
{
    const struct name *name = text.len <= NAME_LEN_MAX ? NAMES[text.len] : NULL;

    for (; name && name->text; name++)
        if (memcmp(name->text, text.data, text.len) == 0)
            return (struct member_name){name->role, name->rank};
    return (struct member_name){MEMBER_ROLES, MEMBER_RANK_NONE};
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

struct slice member_level_of(struct slice text, bool is_text)
{
    int number = level_number(text);

    if (number >= 0)
        return level_of_number(number);
    return is_text ? text : (struct slice){NULL, 0};
}

struct slice member_level_named(struct member_name name, struct slice text, bool is_text)
{
    if (name.rank == RANK_STATUS && !is_level_word(text))
        return (struct slice){NULL, 0};
    return member_level_of(text, is_text);
}
