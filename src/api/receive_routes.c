/*
 * Where the agents and loggers that people already run send to (docs/receiving.md): what each path
 * takes, and what clients ask before they send. A protocol is a way of `intake`, its rows in the
 * table below, and its format; all that its clients are told is in the words of that format.
 */
#include "api/intake.h"
#include "api/internal.h"
#include "api/upload.h"
#include "api/web_routes.h"
#include "formats/bulk.h"
#include "formats/datadog.h"
#include "formats/gelf.h"
#include "formats/hec.h"
#include "formats/journal.h"
#include "formats/jsonline.h"
#include "formats/loki.h"
#include "formats/otlp.h"
#include "http/accept.h"

static void take(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    const struct intake_way *way = http_request_route(req)->data;
    const struct format *format = intake_format(req, way);

    intake_take(t->intake, req, way, format ? format : way->usual);
}

/* Of any length, if it does not come compressed. */
static void take_upload(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    if (http_request_is_whole(req))
        take(req, thread);
    else
        upload_take(&t->uploads, req);
}

static bool refuse(struct http_request *req, void *thread, unsigned status, const char *detail)
{
    return intake_refuse(req, http_request_route(req)->data, status, detail);
}

/* ---- Ways ---- */

static const struct format *const otlp_formats[] = {&otlp_protobuf, &otlp_json, NULL};
static const struct intake_way otlp = {PROTOCOL_OTLP, otlp_formats, &otlp_protobuf};

static const struct format *const loki_formats[] = {&loki_json, &loki_protobuf, NULL};
static const struct intake_way loki = {PROTOCOL_LOKI, loki_formats, &loki_protobuf};

static const struct format *const bulk_formats[] = {&bulk_format, NULL};
static const struct intake_way bulk = {PROTOCOL_ELASTICSEARCH, bulk_formats, &bulk_format};

static const struct format *const event_formats[] = {&hec_events, NULL};
static const struct intake_way event = {PROTOCOL_HEC, event_formats, &hec_events};

static const struct format *const raw_formats[] = {&hec_raw, NULL};
static const struct intake_way raw = {PROTOCOL_HEC, raw_formats, &hec_raw};

static const struct format *const datadog_formats[] = {&datadog_logs, NULL};
static const struct intake_way datadog = {PROTOCOL_DATADOG, datadog_formats, &datadog_logs};

static const struct format *const gelf_formats[] = {&gelf_message, NULL};
static const struct intake_way gelf = {PROTOCOL_GELF, gelf_formats, &gelf_message};

static const struct format *const journal_formats[] = {&journal_upload, NULL};
static const struct intake_way journal = {PROTOCOL_JOURNAL, journal_formats, &journal_upload};

static const struct format *const jsonline_formats[] = {&jsonline_insert, NULL};
static const struct intake_way jsonline = {PROTOCOL_JSONLINE, jsonline_formats, &jsonline_insert};

static const struct format *const auto_formats[] = {&jsonline_auto, NULL};
static const struct intake_way auto_way = {PROTOCOL_JSONLINE, auto_formats, &jsonline_auto};

/* ---- What is asked before ---- */

/* An answer that is always the same. */
struct constant {
    const char *content_type; /* NULL: application/json */
    const char *body;
    const char *header_lines;
};

/* Clients of Elasticsearch look for it on every answer, and take one without it for a failure. */
#define PRODUCT "X-Elastic-Product: Elasticsearch\r\n"

/* What Elasticsearch's clients and agents ask before they send: only what they look for. */
static const struct constant elastic_info = {
    NULL,
    "{\"name\":\"logmill\",\"cluster_name\":\"logmill\",\"cluster_uuid\":\"logmill\","
    "\"version\":{\"number\":\"8.19.0\",\"build_flavor\":\"default\",\"build_type\":\"deb\","
    "\"lucene_version\":\"9.12.2\",\"minimum_wire_compatibility_version\":\"7.17.0\","
    "\"minimum_index_compatibility_version\":\"7.0.0\"},"
    "\"tagline\":\"You Know, for Search\"}",
    PRODUCT "Vary: Accept\r\n"};
static const struct constant elastic_license = {
    NULL,
    "{\"license\":{\"status\":\"active\",\"uid\":\"logmill\",\"type\":\"basic\","
    "\"mode\":\"basic\"}}",
    PRODUCT};
static const struct constant elastic_xpack = {
    NULL,
    "{\"license\":{\"uid\":\"logmill\",\"type\":\"basic\",\"mode\":\"basic\","
    "\"status\":\"active\"},\"features\":{\"ilm\":{\"available\":true,\"enabled\":true}}}",
    PRODUCT};
static const struct constant elastic_health = {
    NULL,
    "{\"cluster_name\":\"logmill\",\"status\":\"green\",\"timed_out\":false,"
    "\"number_of_nodes\":1,\"number_of_data_nodes\":1}",
    PRODUCT};
static const struct constant elastic_nodes = {
    NULL,
    "{\"_nodes\":{\"total\":0,\"successful\":0,\"failed\":0},"
    "\"cluster_name\":\"logmill\",\"nodes\":{}}",
    PRODUCT};
static const struct constant elastic_nothing = {NULL, "{}", PRODUCT};
static const struct constant elastic_done = {NULL, "{\"acknowledged\":true}", PRODUCT};

/* The bulk helper of the client for JavaScript asks for it behind its last batch, if it was told
 * to; without it a program of pino-elasticsearch ends with an error. */
static const struct constant elastic_refreshed = {
    NULL, "{\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}}", PRODUCT};

static const struct constant elastic_cat_health = {"text/plain", "logmill green 1 1\n", PRODUCT};

/* Docker's driver asks by OPTIONS, without a token, before a container may start. */
static const struct constant hec_options = {NULL, "", NULL};
static const struct constant hec_health = {NULL, "{\"text\":\"HEC is healthy\",\"code\":17}", NULL};

static const struct constant datadog_valid = {NULL, "{\"valid\":true}", NULL};

static void respond_constant(struct http_request *req, const struct constant *constant)
{
    http_respond(req, &(struct http_response){.status = 200,
                                              .content_type = constant->content_type,
                                              .body = slice_of_string(constant->body),
                                              .body_is_static = true,
                                              .header_lines = constant->header_lines});
}

static void constant(struct http_request *req, void *thread)
{
    respond_constant(req, http_request_route(req)->data);
}

static bool is_about_key(unsigned status)
{
    return status == 401 || status == 403 || status == 429;
}

/* What is asked before logs are sent is refused in the words in which they would be. */
static bool refuse_elastic(struct http_request *req, void *thread, unsigned status,
                           const char *detail)
{
    return is_about_key(status) && intake_refuse(req, &bulk, status, detail);
}

static bool refuse_datadog(struct http_request *req, void *thread, unsigned status,
                           const char *detail)
{
    return is_about_key(status) && intake_refuse(req, &datadog, status, detail);
}

void receive_routes_root(struct http_request *req, void *thread)
{
    if (accept_names(http_request_header(req, "accept"), SLICE_LITERAL("text/html")))
        web_routes_get(req, thread);
    else
        respond_constant(req, &elastic_info);
}

/* A route that takes logs. */
#define TAKES_OF(way, coding, place)                                                               \
    take, .flags = HTTP_ROUTE_BATCH | (coding), .needs = ACCESS_WRITE | (place), .refuse = refuse, \
        .data = &(way)
#define TAKES_CODED(way, coding) TAKES_OF(way, coding, 0)
#define TAKES(way) TAKES_OF(way, 0, 0)
#define TAKES_DATADOG TAKES_OF(datadog, 0, ACCESS_KEY_IN_PATH)

const struct http_route receive_routes[] = {
    {"POST", "/v1/logs", TAKES(otlp)},

    /* Some name the snappy block that a push is, most do not. */
    {"POST", "/loki/api/v1/push", TAKES_CODED(loki, HTTP_ROUTE_OTHER_CODINGS)},
    {"POST", "/api/prom/push", TAKES_CODED(loki, HTTP_ROUTE_OTHER_CODINGS)},

    {"POST", "/_bulk", TAKES(bulk)},
    {"PUT", "/_bulk", TAKES(bulk)},
    {"POST", "/{index}/_bulk", TAKES(bulk)},
    {"PUT", "/{index}/_bulk", TAKES(bulk)},

    {"POST", "/services/collector", TAKES(event)},
    {"POST", "/services/collector/event", TAKES(event)},
    {"POST", "/services/collector/event/1.0", TAKES(event)},
    {"POST", "/services/collector/raw", TAKES(raw)},
    {"POST", "/services/collector/raw/1.0", TAKES(raw)},
    {"OPTIONS", "/services/collector", constant, .needs = ACCESS_OPEN, .data = &hec_options},
    {"OPTIONS", "/services/collector/event", constant, .needs = ACCESS_OPEN, .data = &hec_options},
    {"OPTIONS", "/services/collector/event/1.0", constant, .needs = ACCESS_OPEN,
     .data = &hec_options},
    {"OPTIONS", "/services/collector/raw", constant, .needs = ACCESS_OPEN, .data = &hec_options},
    {"OPTIONS", "/services/collector/raw/1.0", constant, .needs = ACCESS_OPEN,
     .data = &hec_options},
    {"GET", "/services/collector/health", constant, .needs = ACCESS_OPEN, .data = &hec_health},
    {"GET", "/services/collector/health/1.0", constant, .needs = ACCESS_OPEN, .data = &hec_health},

    {"POST", "/api/v2/logs", TAKES_DATADOG},
    {"POST", "/v1/input", TAKES_DATADOG},
    {"POST", "/v1/input/{key}", TAKES_DATADOG},
    {"GET", "/api/v1/validate", constant, .needs = ACCESS_ANY | ACCESS_KEY_IN_PATH,
     .refuse = refuse_datadog, .data = &datadog_valid},

    {"POST", "/gelf", TAKES_CODED(gelf, HTTP_ROUTE_CODED_BY_BYTES)},
    {"POST", "/upload", take_upload, .needs = ACCESS_WRITE,
     .flags = HTTP_ROUTE_BATCH | HTTP_ROUTE_LOTS, .refuse = refuse, .data = &journal},
    {"POST", "/insert/jsonline", TAKES(jsonline)},
    /* Of some loggers nothing but host and port can be set: python-logstash-async, 4.1. */
    {"POST", "/", TAKES(auto_way)},

    /* Elasticsearch */
    {"GET", "/_license", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_license},
    {"GET", "/_xpack", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_xpack},
    {"GET", "/_cluster/health", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_health},
    {"GET", "/_cat/health", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_cat_health},
    {"GET", "/_nodes/http", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_nodes},
    {"GET", "/_refresh", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_refreshed},
    {"POST", "/_refresh", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_refreshed},
    {"GET", "/{index}/_refresh", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_refreshed},
    {"POST", "/{index}/_refresh", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_refreshed},
    {"GET", "/_index_template/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_nothing},
    {"PUT", "/_index_template/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_done},
    {"GET", "/_template/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_nothing},
    {"PUT", "/_template/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_done},
    {"GET", "/_ilm/policy/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_nothing},
    {"PUT", "/_ilm/policy/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_done},
    {"GET", "/_ingest/pipeline/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_nothing},
    {"PUT", "/_ingest/pipeline/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_done},
    {"GET", "/_data_stream/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_nothing},
    {"PUT", "/_data_stream/{name}", constant, .needs = ACCESS_ANY, .refuse = refuse_elastic,
     .data = &elastic_done},
    {0},
};
