/*
 * Splunk's HTTP Event Collector. All or nothing: a client is told which event is wrong, and that
 * none was taken. Codes and words are Splunk's.
 *
 * hec_events, for /services/collector and …/event: JSON objects one behind the other. `event` is
 * the message, or an object as members.h knows them; of one name in an event, in its host, source,
 * sourcetype and index, and in its `fields` the first of these is kept; a host, source, … that the
 * event has of its own, too, is kept as hec.host, ….
 *
 * hec_raw, for …/raw: a log a line; host, source, sourcetype and index are parameters.
 *
 * Events are known if their request comes again with the same bytes (repeats.h); lines are not.
 */
#ifndef LOGMILL_FORMATS_HEC_H
#define LOGMILL_FORMATS_HEC_H

#include "formats/format.h"

extern const struct format hec_events;
extern const struct format hec_raw; /* they share memory */

#endif
