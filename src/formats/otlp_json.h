/* An ExportLogsServiceRequest in OTLP's JSON (the OTLP specification, "JSON Protobuf Encoding"). */
#ifndef LOGMILL_FORMATS_OTLP_JSON_H
#define LOGMILL_FORMATS_OTLP_JSON_H

#include "formats/otlp_log.h"

/* Reads `body` into logs (otlp_log.h). */
int otlp_json_read(struct otlp_request *r, struct slice body) LM_MUST_CHECK;

#endif
