/*
 * What can be wrong with a log that somebody sends, as a code, and in one line for people. Whoever
 * refuses a log (a format), or puts it aside (the reader of queue messages), says it with these
 * words; what else a protocol wants told, such as the name of a type of error, is the format's.
 *
 * Where pydantic has words for the same, they are these: formats/fastapi passes them on, and
 * promises them.
 */
#ifndef LOGMILL_RECORD_WRONG_H
#define LOGMILL_RECORD_WRONG_H

#include <stddef.h>

#include <yyjson.h>

#include "base/timestamp.h"
#include "record/limits.h"

enum record_problem {
    RECORD_NO_OBJECT,      /* the item is none */
    RECORD_MISSING,        /* the field */
    RECORD_NO_TEXT,        /* the field is of another type */
    RECORD_BAD_TIME,       /* `time` says what is wrong with it */
    RECORD_ID_NO_TEXT,     /* of another type */
    RECORD_ID_MALFORMED,   /* `reason` says how */
    RECORD_ID_VERSION,     /* a UUID, but of another version than 7 */
    RECORD_ID_NOT_OF_TIME, /* it and the timestamp do not agree */
    RECORD_ID_TOO_LATE,    /* its time is after the year 9999 */
    /* Limits of limits.h: `limit`. Of the level (RECORD_LEVEL_MAX) or a name (RECORD_NAME_MAX): */
    RECORD_MANY_CHARACTERS, /* it has more characters than it may have bytes, … */
    RECORD_MANY_BYTES,      /* … or not, but more bytes */
    RECORD_MANY_VALUES,     /* RECORD_VALUES_MAX; `actual` */
    RECORD_NUMBER_OF_WHOLE_DIGITS,
    RECORD_NUMBER_OF_DECIMAL_PLACES,
    RECORD_NUMBER_OF_DIGITS, /* RECORD_HUGE_DIGITS_MAX: all of the log together */
    RECORD_PROBLEMS
};

/* Steps to the deepest value: "attributes", and one a level below it. */
enum { RECORD_PATH_MAX = RECORD_DEPTH_MAX + 1 };

/* One step on the way to a value. */
struct record_step {
    struct slice name; /* a member's; used if data is not NULL */
    size_t index;      /* of an item otherwise */
};

/* All that it points to lives during the report only. */
struct record_wrong {
    enum record_problem problem;
    const struct record_step *path; /* to a value in the item, or to the field that is missing … */
    size_t path_len;                /* … of so many steps; 0: the item as a whole */
    const struct timestamp_error *time;
    const char *reason;
    size_t limit;
    size_t actual;
    yyjson_val *value; /* what is wrong; may be NULL */
};

typedef void record_report(const struct record_wrong *wrong, void *ctx);

/* Bytes of a line, its end included. */
enum { RECORD_WRONG_TEXT_SIZE = 640 };

/* Writes the line, and returns it. */
const char *record_wrong_text(const struct record_wrong *wrong, char text[RECORD_WRONG_TEXT_SIZE]);

#endif
