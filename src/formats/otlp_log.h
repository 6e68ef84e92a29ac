/*
 * What a log of OpenTelemetry becomes here: the one mapping for both encodings, protobuf and JSON
 * (formats/otlp_protobuf.c, otlp_json.c), which read a request and call this. A scope's logs have
 * the attributes of its resource and its own, written once:
 *
 *   otlp_resource(r);  …its attributes into r->draft…  otlp_resource_end(r);
 *   otlp_scope(r);     …its attributes…                otlp_scope_end(r, name, version);
 *   otlp_log(r);       …its attributes…                otlp_log_end(r, &log);
 *
 * docs/receiving.md says what becomes what.
 */
#ifndef LOGMILL_FORMATS_OTLP_LOG_H
#define LOGMILL_FORMATS_OTLP_LOG_H

#include "base/errbuf.h"
#include "formats/format.h"
#include "formats/repeats.h"
#include "record/draft.h"
#include "json/reader.h"

/* Of one thread, for request after request. */
struct otlp_memory {
    struct record_draft draft;
    struct json_doc doc;
    struct buffer text; /* on its way into the draft */
    struct buffer body; /* of a log, if it is no text */
};

/* A request that is being read. */
struct otlp_request {
    struct otlp_memory *memory;
    struct record_draft *draft; /* the memory's */
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    struct repeats repeats;
    int64_t arrival_us;
    struct record_draft_mark of_resource, of_scope;
    struct errbuf why; /* what is wrong with the request */
};

/* A log, but for its attributes; zero is what has not been said. */
struct otlp_log {
    uint64_t time_ns, observed_ns;
    int64_t severity_number;
    uint64_t flags, dropped_attributes;
    struct slice severity_text, event_name;
    struct slice message; /* the body, if it is a text */
};

/* The time of a log, in nanoseconds, beforehand (formats/repeats.h). True: enough was seen. */
bool otlp_look(struct otlp_request *r, uint64_t ns);

/* What ends one returns as a format's parse does; r->why says why it is LM_EINVAL. */
void otlp_resource(struct otlp_request *r);
int otlp_resource_end(struct otlp_request *r) LM_MUST_CHECK;
void otlp_scope(struct otlp_request *r);
int otlp_scope_end(struct otlp_request *r, struct slice name, struct slice version) LM_MUST_CHECK;
void otlp_log(struct otlp_request *r);
int otlp_log_end(struct otlp_request *r,
                 const struct otlp_log *log) LM_MUST_CHECK; /* to the sink */

/*
 * A body that is no text is kept as the attribute "body". Its message is the text of its first
 * member of which otlp_is_message says that it is one; of others its JSON: what is written into
 * r->draft between the two below, under otlp_body_name, which lives until the next log.
 */
bool otlp_is_message(struct slice name);
struct slice otlp_body_name(struct otlp_request *r);
size_t otlp_body(const struct otlp_request *r);
struct slice otlp_body_end(struct otlp_request *r, size_t began);

/*
 * What is an attribute of ours ("body", "trace_id", …) is called "otel.body" if the sender has one
 * of that name: so it is added behind the sender's.
 *
 * Attributes of bytes: hexadecimal digits (none if all are zero, which is no id), and base64.
 */
void otlp_id(struct otlp_request *r, const char *name, struct slice bytes);
void otlp_bytes(struct otlp_request *r, struct slice name, struct slice bytes);

#endif
