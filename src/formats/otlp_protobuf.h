/* An ExportLogsServiceRequest in protobuf (opentelemetry-proto, collector/logs/v1). */
#ifndef LOGMILL_FORMATS_OTLP_PROTOBUF_H
#define LOGMILL_FORMATS_OTLP_PROTOBUF_H

#include "formats/otlp_log.h"

/* Reads `body` into logs (otlp_log.h). */
int otlp_protobuf_read(struct otlp_request *r, struct slice body) LM_MUST_CHECK;

#endif
