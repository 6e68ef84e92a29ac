/*
 * Sending: each message of a send is a SendMessage of its own, all under way at once. What a send
 * is made of is touched only by the thread that starts it and then by the sender's.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "queue/sqs/internal.h"
#include "json/writer.h"

enum { AROUND_BYTES = 4096 }; /* what a request holds beside the message */

struct part {
    struct aws_call call;
    struct buffer body;
    struct batch_send *whole;
};

/* A send under way. */
struct batch_send {
    struct queue_send *send;
    size_t left;   /* parts that are not finished */
    bool accepted; /* some part was */
    int error;     /* the first */
    struct errbuf detail;
    size_t parts_len;
    struct part parts[];
};

/* What SQS does not take in text, and what is not UTF-8, becomes a question mark. */
static void append_reason(struct buffer *body, const char *reason)
{
    struct buffer text;

    buffer_init(&text, AROUND_BYTES / 2);
    utf8_append_repaired(&text, slice_of_string(reason));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool nonchar = c == 0xef && i + 2 < text.len && (unsigned char)text.data[i + 1] == 0xbf &&
                       (unsigned char)text.data[i + 2] >= 0xbe;

        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
            text.data[i] = '?';
        else if (nonchar)
            text.data[i] = text.data[i + 1] = text.data[i + 2] = '?';
    }
    buffer_append_string(body, ",\"MessageAttributes\":{\"reason\":{\"DataType\":\"String\"");
    queue_sqs_body_text(body, "StringValue",
                        text.len > 0 ? buffer_slice(&text) : SLICE_LITERAL("none given"));
    buffer_append_string(body, "}}");
    buffer_release(&text);
}

void queue_sqs_send_body(struct buffer *body, const char *url, struct slice message,
                         const char *reason)
{
    queue_sqs_body(body, url);
    queue_sqs_body_text(body, "MessageBody", message);
    if (reason)
        append_reason(body, reason);
    buffer_append_char(body, '}');
}

/* What the port says of a call that failed. */
static int port_error(const struct aws_call *call)
{
    bool of_content = call->error == LM_EINVAL && call->why.kind == AWS_ERROR_REFUSED &&
                      call->why.type[0] != '\0'; /* else something in between has answered */

    if (call->in_doubt)
        return call->error == LM_ETIMEOUT ? LM_ETIMEOUT : LM_EUNAVAILABLE;
    if (call->error == LM_ENOMEM || call->error == LM_ETOOBIG)
        return call->error;
    return of_content ? LM_EDATA : LM_EIO;
}

static void compare(struct aws_call *call, struct slice message)
{
    yyjson_doc *doc = yyjson_read(call->answer.data, call->answer.len, 0);

    call->error = queue_sqs_check_sent(message, doc, &call->detail);
    if (call->error)
        call->in_doubt = true; /* it may be stored so */
    yyjson_doc_free(doc);
}

/* On the sender's thread. */
static void part_done(struct aws_call *call)
{
    struct part *part = call->ctx;
    struct batch_send *whole = part->whole;

    if (!call->error)
        compare(call, whole->send->messages[part - whole->parts]);
    if (!call->error) {
        whole->accepted = true;
    } else if (!whole->error) {
        whole->error = port_error(call);
        whole->detail = call->detail;
    }
    aws_call_release(call);
    buffer_release(&part->body);
    if (--whole->left > 0)
        return;
    if (whole->error && whole->accepted)
        whole->error = LM_EUNAVAILABLE;
    whole->send->done(whole->send, whole->error, whole->detail.text);
    free(whole);
}

static void prepare(struct queue_sqs *q, struct part *part, struct slice message)
{
    size_t ceiling = 6 * message.len + AROUND_BYTES; /* a byte becomes six at most */

    part->call = (struct aws_call){
        .action = "SendMessage",
        .timeout_ms = q->timeout_ms,
        .done = part_done,
        .ctx = part,
    };
    buffer_init(&part->body, ceiling);
    if (message.len > q->max_message_bytes) {
        part->call.error =
            errbuf_fail(&part->call.detail, LM_ETOOBIG, "a message is larger than the queue takes");
        return;
    }
    queue_sqs_send_body(&part->body, q->url, message, NULL);
    part->call.body = buffer_slice(&part->body);
    if (buffer_error(&part->body))
        part->call.error = errbuf_fail(&part->call.detail, LM_ENOMEM, "no memory for a message");
}

int queue_sqs_send_start(struct queue_sqs *q, struct queue_send *send)
{
    struct batch_send *whole;

    if (!q->sender)
        return LM_ESTOPPED;
    whole = xcalloc(1, sizeof(*whole) + send->messages_len * sizeof(whole->parts[0]));
    whole->send = send;
    whole->left = whole->parts_len = send->messages_len;
    for (size_t i = 0; i < whole->parts_len; i++) {
        whole->parts[i].whole = whole;
        prepare(q, &whole->parts[i], send->messages[i]);
    }
    /* From the last start on, `whole` may be gone. */
    for (size_t i = 0, n = whole->parts_len; i < n; i++)
        aws_client_start(q->sender, &whole->parts[i].call);
    return 0;
}
