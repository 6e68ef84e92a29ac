/*
 * Logs in JSON of somebody's own (members.h), an object a line.
 *
 * jsonline_auto, for POST /logs?format=auto: all or nothing, answered as POST /logs is. A line that
 * is no JSON object is a log of which it is the message; a body that is one array, or one object
 * over many lines, is taken, too.
 *
 * jsonline_insert, for VictoriaLogs' POST /insert/jsonline: a line that can never be a log is left
 * out and counted, since its clients would lose the lines around it, too; a body of which nothing
 * is left is refused.
 *
 * Both know the parameters _msg_field and _time_field, which name members that come before those
 * of the table; one or more with commas between them. What a log does not tell (id, time, repeats)
 * is as with POST /logs: an id that a line has is an attribute, so a body sent twice is stored
 * twice.
 */
#ifndef LOGMILL_FORMATS_JSONLINE_H
#define LOGMILL_FORMATS_JSONLINE_H

#include "formats/format.h"

enum { JSONLINE_EXTRA_MAX = 32 }; /* names in extra_fields that are looked at */

extern const struct format jsonline_auto;
extern const struct format jsonline_insert; /* they share memory */

#endif
