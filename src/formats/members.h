/*
 * A JSON object that is a log, but whose members have other names than ours: those that loggers and
 * agents give them. One table for all formats in which logs are JSON of somebody's own.
 *
 * Of the members that may be the message, the level or the time, the best is taken: the table has
 * an order, and a value has to be of use as what its name says. It is no attribute any more; all
 * other members are attributes of their own names and types. Known are the names of pino, bunyan,
 * winston, zap, slog, logrus, zerolog, structlog, python-json-logger, Serilog (CLEF and its own
 * JSON), logstash, ECS, journald, syslog-ng, Splunk's and Datadog's libraries and VictoriaLogs.
 *
 *   message  a text; or an object with such a member, which stays an attribute then
 *   level    a text, as it is; a number, also as a text, of syslog (0 to 7), of pino, bunyan and
 *            Python (10 to 69) or of Monolog (100 to 600); of "status" only a word for a level
 *   time     what time_of_text and time_of_number read (formats/names.h), of texts what has a date
 *            and a time of day, of numbers what is of the years 2001 to 2099: a "time" may as
 *            well be a duration
 */
#ifndef LOGMILL_FORMATS_MEMBERS_H
#define LOGMILL_FORMATS_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "base/slice.h"
#include "formats/repeats.h"
#include "record/draft.h"

/* Each member of each log is compared with so many names that a request has for one role. */
enum {
    MEMBERS_FIRST_MAX = 8,
    MEMBERS_IGNORED_MAX = 32, /* the same of those that it does not want */
};

/* Names that come before those of the table: one or more with commas between them, of which
 * MEMBERS_FIRST_MAX are looked at; empty: none. */
struct members_first {
    struct slice message;
    struct slice time;
    struct slice ignored; /* members that are left out, MEMBERS_IGNORED_MAX of them; "a*": all that
                             begin with a */
};

/* Views of the object. */
struct members {
    const struct members_first *first;              /* that it was found with */
    yyjson_val *message_key, *level_key, *time_key; /* NULL: there is none */
    struct slice message;                           /* may be there without its key */
    struct slice level;                             /* of the object, or a constant */
    int64_t time_us;
    unsigned below_us; /* nanoseconds that time_us leaves out */
};

/* What of `object`, which is one, is what. `first` may be NULL. */
struct members members_find(yyjson_val *object, const struct members_first *first);

/*
 * Gives `d` all that is in `object`, of which `m` was found: message, level, time, and the rest as
 * attributes. The document was read with json_doc_read_cleaned, and outlives the record.
 */
void members_put(struct record_draft *d, yyjson_val *object, const struct members *m);

/* repeats_look of `object`, which may be NULL or none. */
bool members_look(struct repeats *r, yyjson_val *object, const struct members_first *first);

/* Gives `d` a time and what it leaves out. */
void members_put_time(struct record_draft *d, int64_t us, unsigned below_us);

/* The level that a value stands for, as above; empty if it stands for none. */
struct slice members_level(yyjson_val *value);

#endif
