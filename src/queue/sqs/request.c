/* One request and its answer, and the attributes of a queue. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "queue/sqs/internal.h"
#include "json/writer.h"

enum { BODY_BYTES_MAX = 4 << 20 };

void queue_sqs_body(struct buffer *body, const char *url)
{
    buffer_append_string(body, "{\"QueueUrl\":");
    json_append_string(body, slice_of_string(url));
}

void queue_sqs_body_text(struct buffer *body, const char *name, struct slice value)
{
    buffer_append_string(body, ",\"");
    buffer_append_string(body, name);
    buffer_append_string(body, "\":");
    json_append_string(body, value);
}

uint64_t queue_sqs_number(yyjson_val *value)
{
    struct slice text = json_text(value);
    uint64_t number = 0;

    if (yyjson_is_uint(value))
        return yyjson_get_uint(value);
    for (size_t i = 0; i < text.len && i < 18; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return number;
}

int queue_sqs_call(struct queue_sqs *q, const char *action, const struct buffer *body,
                   yyjson_doc **doc, struct errbuf *err)
{
    struct aws_call call = {
        .action = action, .body = buffer_slice(body), .timeout_ms = q->timeout_ms};

    if (buffer_error(body))
        return errbuf_fail(err, LM_ETOOBIG, "SQS %s: the request is too large", action);
    int error = aws_client_run(q->client, &call, err);
    if (!error && doc) {
        *doc = yyjson_read(call.answer.data, call.answer.len, 0);
        if (!*doc)
            error = errbuf_fail(err, LM_EUNAVAILABLE, "SQS %s: the answer is no JSON", action);
    }
    aws_call_release(&call);
    return error;
}

/* ---- Attributes ---- */

static char *copy_text(yyjson_val *value)
{
    struct slice text = json_text(value);

    if (text.len == 0)
        return NULL;
    char *copy = xcalloc(1, text.len + 1);
    memcpy(copy, text.data, text.len);
    return copy;
}

void queue_sqs_attributes_release(struct queue_sqs_attributes *a)
{
    free(a->arn);
    free(a->letters_arn);
    *a = (struct queue_sqs_attributes){0};
}

/* The policy is JSON text within the JSON. */
static char *letters_arn(yyjson_val *policy)
{
    struct slice text = json_text(policy);
    yyjson_doc *doc = text.len > 0 ? yyjson_read(text.data, text.len, 0) : NULL;
    char *arn = copy_text(yyjson_obj_get(yyjson_doc_get_root(doc), "deadLetterTargetArn"));

    yyjson_doc_free(doc);
    return arn;
}

int queue_sqs_attributes_read(struct queue_sqs *q, const char *url, struct queue_sqs_attributes *a,
                              struct errbuf *err)
{
    yyjson_doc *doc = NULL;
    struct buffer body;

    *a = (struct queue_sqs_attributes){0};
    buffer_init(&body, BODY_BYTES_MAX);
    queue_sqs_body(&body, url);
    buffer_append_string(&body, ",\"AttributeNames\":[\"All\"]}");
    int error = queue_sqs_call(q, "GetQueueAttributes", &body, &doc, err);
    buffer_release(&body);
    if (error)
        return error;
    yyjson_val *attributes = yyjson_obj_get(yyjson_doc_get_root(doc), "Attributes");
    a->arn = copy_text(yyjson_obj_get(attributes, "QueueArn"));
    a->letters_arn = letters_arn(yyjson_obj_get(attributes, "RedrivePolicy"));
    a->max_message_bytes = queue_sqs_number(yyjson_obj_get(attributes, "MaximumMessageSize"));
    a->visibility_s = (unsigned)queue_sqs_number(yyjson_obj_get(attributes, "VisibilityTimeout"));
    a->depth =
        queue_sqs_number(yyjson_obj_get(attributes, "ApproximateNumberOfMessages")) +
        queue_sqs_number(yyjson_obj_get(attributes, "ApproximateNumberOfMessagesNotVisible")) +
        queue_sqs_number(yyjson_obj_get(attributes, "ApproximateNumberOfMessagesDelayed"));
    yyjson_doc_free(doc);
    return 0;
}
