#include "read/answer.h"

#include "answers/answers.h"
#include "base/timestamp.h"
#include "diag/diag.h"
#include "formats/validation.h"
#include "http/query_string.h"
#include "metrics/metrics.h"
#include "read/params.h"

enum { BODY_ROOM = 8 * 1024 };

/* What the client is told of a read that failed with `error`. */
static enum refusal refusal_of(int error)
{
    switch (error) {
    case LM_ENOTFOUND:
        return REFUSED_NOT_FOUND;
    case LM_ETIMEOUT:
        return REFUSED_READ_TIME;
    case LM_EBUSY:
        return REFUSED_READ_NO_ROOM;
    case LM_ESTOPPED:
        return REFUSED_READ_NO_TURN;
    case LM_ENOMEM:
        return REFUSED_NO_MEMORY;
    default:
        return REFUSED_STORE_FAILED;
    }
}

static void refuse_costly(struct http_request *req, const struct errbuf *detail)
{
    const struct validation_step loc[] = {{.name = SLICE_LITERAL("query")},
                                          {.name = SLICE_LITERAL("query")}};
    struct validation v;
    struct buffer body;

    buffer_init(&body, BODY_ROOM);
    validation_init(&v, &body);
    validation_add(&v, &(struct validation_entry){.type = "query_costly",
                                                  .loc = loc,
                                                  .loc_len = 2,
                                                  .msg = slice_of_string(detail->text)});
    if (validation_finish(&v))
        answers_refuse(req, REFUSED_NO_MEMORY, 0);
    else
        http_respond(req, &(struct http_response){.status = 422, .body_buffer = &body});
    buffer_release(&body);
}

void read_answer_failure(struct http_request *req, int error, const struct errbuf *detail)
{
    enum refusal why = refusal_of(error);

    if (error == LM_ETOOBIG && detail->text[0]) {
        refuse_costly(req, detail);
        return;
    }
    if (why == REFUSED_READ_NO_ROOM)
        metrics_add(METRIC_READS_REFUSED_MEMORY, 1);
    if (why == REFUSED_STORE_FAILED)
        diag(DIAG_WARN, "a read failed", DIAG_STR("reason", detail->text));
    answers_refuse(req, why, 0);
}

void read_answer_refuse(struct http_request *req, int error, struct slice refusal)
{
    static const struct errbuf no_detail;

    if (error == LM_EINVAL)
        http_respond(req, &(struct http_response){.status = 422, .body = refusal});
    else if (error == LM_ETOOBIG)
        answers_refuse(req, REFUSED_PARAMETERS, QUERY_STRING_PARAMS_MAX);
    else
        read_answer_failure(req, error, &no_detail);
}

void read_answer_tell_damage(const struct store_scan *scan, uint64_t *told,
                             const struct errbuf *detail)
{
    if (scan->damaged > *told)
        diag(DIAG_WARN, "logs are left out of an answer", DIAG_STR("reason", detail->text));
    *told = scan->damaged;
}

static void append_next(struct buffer *b, const struct read_place *place)
{
    struct log_key key = place->before;
    struct uuid lowest = uuid7_lowest(key.timestamp_us);
    char cursor[LOG_KEY_CURSOR_LEN];
    bool whole; /* all logs of the place's own microsecond have been looked at */

    if (!place->more) {
        buffer_append_string(b, "\"next\":null,\"searched_to\":null");
        return;
    }
    whole = memcmp(key.id.bytes, lowest.bytes, sizeof(lowest.bytes)) <= 0;
    if (whole) /* a place between two logs: as a cursor, the lowest key that a log could have */
        key.id = lowest;
    log_key_format_cursor(&key, cursor);
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

void read_answer_append_place(struct buffer *b, const struct read_place *place)
{
    append_next(b, place);
    if (place->damaged > 0) {
        buffer_append_string(b, ",\"damaged\":");
        buffer_append_u64(b, place->damaged);
    }
}

/* `before`: what stands between it and what comes before it. */
static void append_count(struct buffer *b, const char *before, const char *name, uint64_t count)
{
    buffer_appendf(b, "%s\"%s\":%llu", before, name, (unsigned long long)count);
}

void read_answer_append_explain(struct buffer *b, const struct block_explain *explain)
{
    append_count(b, ",\"explain\":{\"blocks\":{", "read", explain->blocks_read);
    append_count(b, ",", "counted_by_head", explain->by_head);
    append_count(b, ",\"skipped\":{", "by_time", explain->by_time);
    append_count(b, ",", "by_level", explain->by_level);
    append_count(b, ",", "by_filter", explain->by_filter);
    append_count(b, ",", "by_dictionary", explain->by_dictionary);
    append_count(b, ",", "by_template", explain->by_template);
    append_count(b, "},", "rows", explain->rows);
    append_count(b, ",", "rows_rebuilt", explain->rows_matched);
    append_count(b, ",", "bytes", explain->bytes);
    append_count(b, "},", "recent_rows", explain->recent);
    append_count(b, ",", "windows", explain->windows);
    buffer_append_char(b, '}');
}
