/* What a line that is a JSON object, or nearly one, is: a log of ours, somebody else's, or a text.
 */
#ifndef LOGMILL_CLI_LINE_JSON_H
#define LOGMILL_CLI_LINE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "base/slice.h"

/* Of several members of one name the last counts, as the server has it. NULL: none. */
yyjson_val *line_json_member(yyjson_val *object, const char *name);

/* It is there, and not null. */
bool line_json_is_given(yyjson_val *value);

/* The time of a log that has one, or an id that is one. False if the server will refuse it. */
bool line_json_time(yyjson_val *time, yyjson_val *id, int64_t *us);

/*
 * True if `log`, which has a message, has its time or its level under a name that is not ours, and
 * neither an id nor that of ours: it is to be read by its members (formats/members.h).
 */
bool line_json_is_others(yyjson_val *log);

/*
 * True if `text`, which is not JSON, is meant as a log: it nearly is JSON, begins with a log, or
 * is the beginning of one.
 */
bool line_json_is_nearly_log(struct slice text);

#endif
