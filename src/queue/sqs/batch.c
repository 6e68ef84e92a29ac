/*
 * A batch call answers 200 although entries in it failed: each is looked up in Failed[] and tried
 * again, until the time is up. An entry that SQS calls the sender's fault (a receipt handle that is
 * no longer valid, since the message has been delivered again meanwhile) will not get better.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "queue/sqs/internal.h"
#include "json/writer.h"

enum {
    REQUESTS_AT_ONCE = QUEUE_SQS_DELIVERY_MESSAGES / QUEUE_SQS_BATCH, /* all of a delivery */
    BODY_BYTES_MAX = 256 << 10,
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 1000,
};

/* One request of up to QUEUE_SQS_BATCH entries. */
struct request {
    struct buffer body;
    struct queue_sqs_entry *entries[QUEUE_SQS_BATCH];
    size_t len;
};

static void append_entry(struct buffer *body, const struct queue_sqs_entry *e, size_t index)
{
    buffer_appendf(body, "%s{\"Id\":\"%zu\"", index > 0 ? "," : ",\"Entries\":[", index);
    queue_sqs_body_text(body, "ReceiptHandle", slice_of_string(e->handle));
    if (e->delay_s >= 0)
        buffer_appendf(body, ",\"VisibilityTimeout\":%d", e->delay_s);
    buffer_append_char(body, '}');
}

/*
 * Takes the next entries that are neither done nor given up, all of one kind. Returns false if
 * there are none. `*at` is where to go on.
 */
static bool take_request(struct request *r, const char *url, struct queue_sqs_entry *entries,
                         size_t n, bool deletions, size_t *at)
{
    r->len = 0;
    buffer_init(&r->body, BODY_BYTES_MAX);
    for (; *at < n && r->len < QUEUE_SQS_BATCH; ++*at) {
        struct queue_sqs_entry *e = &entries[*at];

        if (e->done || !e->handle || (e->delay_s < 0) != deletions)
            continue;
        if (r->len == 0)
            queue_sqs_body(&r->body, url);
        append_entry(&r->body, e, r->len);
        r->entries[r->len++] = e;
    }
    if (r->len == 0)
        return false;
    buffer_append_string(&r->body, "]}");
    return true;
}

static void note_failure(struct request *r, yyjson_val *failure, struct errbuf *reason)
{
    struct slice id = json_text(yyjson_obj_get(failure, "Id"));
    struct slice code = json_text(yyjson_obj_get(failure, "Code"));
    uint64_t index = queue_sqs_number(yyjson_obj_get(failure, "Id"));

    if (id.len == 0 || index >= r->len)
        return;
    r->entries[index]->done = false;
    errbuf_set(reason, "SQS refused an entry of a batch: %.*s", SLICE_ARG(code));
    if (yyjson_is_true(yyjson_obj_get(failure, "SenderFault")))
        r->entries[index]->handle = NULL; /* given up */
}

/* Marks as done what succeeded. */
static void read_answer(struct request *r, const struct aws_call *call, struct errbuf *reason)
{
    yyjson_arr_iter iter;

    if (call->error) {
        *reason = call->detail;
        return;
    }
    yyjson_doc *doc = yyjson_read(call->answer.data, call->answer.len, 0);
    if (!doc) {
        errbuf_set(reason, "SQS %s: the answer is no JSON", call->action);
        return;
    }
    for (size_t i = 0; i < r->len; i++)
        r->entries[i]->done = true;
    yyjson_val *failed = yyjson_obj_get(yyjson_doc_get_root(doc), "Failed");
    if (yyjson_arr_iter_init(failed, &iter)) {
        for (yyjson_val *f; (f = yyjson_arr_iter_next(&iter));)
            note_failure(r, f, reason);
    }
    yyjson_doc_free(doc);
}

/* One attempt at all that is not done. Returns whether something is left to try. */
static bool attempt(struct queue_sqs *q, const char *url, struct queue_sqs_entry *entries, size_t n,
                    bool deletions, unsigned timeout_ms, struct errbuf *reason)
{
    struct request *requests = xcalloc(REQUESTS_AT_ONCE, sizeof(*requests));
    struct aws_call calls[REQUESTS_AT_ONCE];
    bool refused = false;
    bool left = false;
    size_t at = 0;
    size_t len;

    do {
        for (len = 0; len < REQUESTS_AT_ONCE; len++) {
            if (!take_request(&requests[len], url, entries, n, deletions, &at))
                break;
            calls[len] = (struct aws_call){
                .action = deletions ? "DeleteMessageBatch" : "ChangeMessageVisibilityBatch",
                .body = buffer_slice(&requests[len].body),
                .timeout_ms = timeout_ms,
                .error = buffer_error(&requests[len].body),
            };
        }
        aws_client_run_all(q->client, calls, len);
        for (size_t i = 0; i < len; i++) {
            read_answer(&requests[i], &calls[i], reason);
            refused = refused || calls[i].error;
            aws_call_release(&calls[i]);
            buffer_release(&requests[i].body);
        }
    } while (len == REQUESTS_AT_ONCE);
    free(requests);
    for (size_t i = 0; i < n; i++)
        left = left ||
               (!entries[i].done && entries[i].handle && (entries[i].delay_s < 0) == deletions);
    return left && !refused; /* a refused call has used up its time, or would be refused again */
}

static void run_kind(struct queue_sqs *q, const char *url, struct queue_sqs_entry *entries,
                     size_t n, bool deletions, uint64_t end_us, struct errbuf *reason)
{
    unsigned pause_ms = PAUSE_FIRST_MS;
    uint64_t now = clock_monotonic_us();

    while (now < end_us &&
           attempt(q, url, entries, n, deletions, (unsigned)((end_us - now) / 1000 + 1), reason)) {
        uint64_t most_us = (uint64_t)pause_ms * 1000;

        usleep((useconds_t)(most_us / 2 + clock_monotonic_us() % (most_us / 2)));
        pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
        now = clock_monotonic_us();
    }
}

int queue_sqs_batch_run(struct queue_sqs *q, const char *url, struct queue_sqs_entry *entries,
                        size_t n, unsigned timeout_ms, struct errbuf *err)
{
    uint64_t end_us = clock_monotonic_us() + (uint64_t)timeout_ms * 1000;
    struct errbuf reason = ERRBUF_INIT;

    run_kind(q, url, entries, n, true, end_us, &reason);
    run_kind(q, url, entries, n, false, end_us, &reason);
    for (size_t i = 0; i < n; i++) {
        if (!entries[i].done)
            return errbuf_fail(err, LM_EUNAVAILABLE, "%s", reason.text);
    }
    return 0;
}
