/*
 * OTLP/HTTP, logs: an ExportLogsServiceRequest in protobuf or in JSON, answered in the same type.
 * What becomes what, and how clients take which answer: docs/receiving.md.
 *
 * The two share the kind of memory: what one's memory_new has made the other may use.
 */
#ifndef LOGMILL_FORMATS_OTLP_H
#define LOGMILL_FORMATS_OTLP_H

#include "formats/format.h"

/* Its clients wait 8 to 10 s in all, and lose what they then have: better held than refused. */
enum { OTLP_HOLD_MS = 2000 };

extern const struct format otlp_protobuf;
extern const struct format otlp_json;

#endif
