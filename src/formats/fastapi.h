/*
 * What a FastAPI application with pydantic v2 takes on POST /log and POST /logs, and its answers,
 * byte for byte: {"status":"queued",…}, and lists of what is wrong (validation.h). For the routes
 * that promise it (api/ingest_routes), and for what has to judge a log as they will (cli/line). The
 * vectors of a real one (tests/vectors) hold it.
 */
#ifndef LOGMILL_FORMATS_FASTAPI_H
#define LOGMILL_FORMATS_FASTAPI_H

#include "formats/format.h"

/* They share memory: what memory_new of one returns is good for each. */
extern const struct format fastapi_log;   /* POST /log: an object */
extern const struct format fastapi_logs;  /* POST /logs: an array of objects */
extern const struct format fastapi_lines; /* POST /logs: NDJSON, which is our own */

/*
 * Refuses a body that does not say it is JSON: it is a plain text to FastAPI, and a text is no log.
 * Writes the answer, with the text as its input, to `wrong`. Returns 0, or LM_ENOMEM or LM_EBUSY.
 */
int fastapi_refuse_text(const struct format *format, struct slice body,
                        struct buffer *wrong) LM_MUST_CHECK;

#endif
