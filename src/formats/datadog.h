/*
 * Datadog's intake of logs, v2 and v1: an object, or an array of them (one behind the other are
 * taken, too), as members.h knows them. The parameters service, ddsource, ddtags and hostname are
 * attributes of logs that have no such member. An empty object is a client's check, and no log. All
 * or nothing. A request that comes again with the same bytes and parameters is known (repeats.h).
 */
#ifndef LOGMILL_FORMATS_DATADOG_H
#define LOGMILL_FORMATS_DATADOG_H

#include "formats/format.h"

extern const struct format datadog_logs;

#endif
