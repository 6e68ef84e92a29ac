#include "read/answer.h"

#include "base/timestamp.h"
#include "diag/diag.h"
#include "metrics/metrics.h"
#include "read/params.h"

void read_answer_failure(struct http_request *req, int error, const struct errbuf *detail)
{
    switch (error) {
    case LM_ENOTFOUND:
        http_respond_error(req, 404, "Not Found");
        return;
    case LM_ETIMEOUT:
        http_respond_error(req, 503,
                           "the store did not answer within QUERY_TIMEOUT, try again later");
        return;
    case LM_EBUSY:
        metrics_add(METRIC_READS_REFUSED_MEMORY, 1);
        http_respond_error(req, 503, "MAX_INFLIGHT_BYTES are used up by reads, try again later");
        return;
    case LM_ESTOPPED:
        http_respond_error(req, 503, "too many reads wait, try again later");
        return;
    case LM_ENOMEM:
        http_respond_error(req, 503, "out of memory, try again later");
        return;
    default:
        diag(DIAG_WARN, "a read failed", DIAG_STR("reason", detail->text));
        http_respond_error(req, 503, "the store cannot be read now, try again later");
        return;
    }
}

/* The lowest id that a log of `timestamp_us` may have. */
static struct uuid lowest_id(int64_t timestamp_us)
{
    uint64_t ms = (uint64_t)uuid7_ms_of_timestamp(timestamp_us);
    struct uuid id = {.bytes = {[6] = 0x70, [8] = 0x80}};

    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return id;
}

void read_answer_append_place(struct buffer *b, const struct read_place *place)
{
    struct log_key key = place->before;
    struct uuid lowest = lowest_id(key.timestamp_us);
    char cursor[LOG_PARAMS_CURSOR_LEN];
    bool whole; /* all logs of the place's own microsecond have been looked at */

    if (!place->more) {
        buffer_append_string(b, "\"next\":null,\"searched_to\":null");
        return;
    }
    whole = memcmp(key.id.bytes, lowest.bytes, sizeof(lowest.bytes)) <= 0;
    if (whole) /* a place between two logs: as a cursor, the lowest key that a log could have */
        key.id = lowest;
    log_params_format_cursor(&key, cursor);
    buffer_append_string(b, "\"next\":\"");
    buffer_append(b, cursor, sizeof(cursor));
    if (!place->out_of_time) {
        buffer_append_string(b, "\",\"searched_to\":null");
        return;
    }
    buffer_append_string(b, "\",\"searched_to\":\"");
    timestamp_append(b, key.timestamp_us + (whole ? 0 : 1));
    buffer_append_char(b, '"');
}
