/*
 * What the parts of the SQS queue share; nobody else includes it.
 *
 *   adapter.c    the queue as a whole: open, check, count, close
 *   request.c    one request and its answer; a queue's attributes
 *   send.c       sending
 *   consumer.c   receiving and settling
 *   digest.c     whether SQS has taken a message, and whether one is what SQS says it is
 *   batch.c      DeleteMessageBatch and ChangeMessageVisibilityBatch, to the last entry
 *   heartbeat.c  the threads that keep messages invisible while they are worked on
 *   letters.c    the dead-letter queue, for people
 */
#ifndef LOGMILL_QUEUE_SQS_INTERNAL_H
#define LOGMILL_QUEUE_SQS_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include <yyjson.h>

#include "aws/client.h"
#include "aws/endpoint.h"
#include "aws/identity.h"
#include "queue/queue.h"

enum {
    QUEUE_SQS_MAX_MESSAGE_BYTES = 1 << 20,      /* default, and SQS's limit */
    QUEUE_SQS_UNTOLD_MESSAGE_BYTES = 256 << 10, /* of a server that does not tell its limit */
    QUEUE_SQS_TIMEOUT_MS = 10000,               /* default */
    QUEUE_SQS_SEND_SLOTS = 8,                   /* for each HTTP thread */
    QUEUE_SQS_SENDS_IN_FLIGHT = 64,             /* requests at once, of all HTTP threads */
    QUEUE_SQS_CALLS_IN_FLIGHT = 256,            /* of all else: long polls among them */
    QUEUE_SQS_MAX_CONSUMERS = 32,

    QUEUE_SQS_REQUEST_BYTES = 64 << 10, /* a message of so many is paid as one request */

    QUEUE_SQS_BATCH = 10,               /* messages or entries of one request: SQS's limit */
    QUEUE_SQS_POLL_WAIT_S = 20,         /* default, and SQS's limit */
    QUEUE_SQS_POLL_GRACE_MS = 10000,    /* that an answer to a poll may come late */
    QUEUE_SQS_LAST_MOMENT_MS = 200,     /* for a long poll's answer, if nobody may wait */
    QUEUE_SQS_POLLS = 4,                /* at once, of one consumer, while messages keep coming */
    QUEUE_SQS_DELIVERY_MESSAGES = 400,  /* of one delivery, at most … */
    QUEUE_SQS_DELIVERY_BYTES = 8 << 20, /* … and about so many bytes */
    QUEUE_SQS_VISIBILITY_S = 30,        /* if the queue's own is 0 */
    QUEUE_SQS_BEATS = 3,                /* heartbeats in one visibility timeout */
    QUEUE_SQS_RETURN_DELAY_S = 1,       /* before a returned message is delivered again */
    QUEUE_SQS_RETURN_DELAY_MAX_S = 60,  /* it doubles with each delivery up to this */
    QUEUE_SQS_REJECT_DELAY_MAX_S = 900, /* the same for rejected ones */
    QUEUE_SQS_ID_SIZE = 128,            /* of a MessageId as text (SQS says 100) */
    QUEUE_SQS_LETTERS_COUNT_MS = 1000,  /* so old may the number of dead letters be … */
    QUEUE_SQS_LETTERS_FOUND_MS = 60000, /* … and what is known of where they are */
};

/* What is known of the queue. Texts are NULL if the queue has none. */
struct queue_sqs_attributes {
    char *arn;
    char *letters_arn;        /* of its dead-letter queue */
    size_t max_message_bytes; /* 0: not told */
    unsigned visibility_s;    /* 0: none */
    uint64_t depth;           /* waiting, delayed or being worked on */
};

/* Where the dead letters are. */
struct queue_sqs_letters_place {
    char *arn;
    char *url;
};

struct queue_sqs {
    struct queue base;
    char *url;
    unsigned timeout_ms; /* of a send, and of any other call */
    unsigned gather_us;
    unsigned poll_wait_s;
    void (*progress)(uint64_t moved, uint64_t total, void *ctx); /* of a requeue; may be NULL */
    void *progress_ctx;
    struct aws_endpoint endpoint;
    struct aws_identity *identity;
    struct aws_client *sender; /* NULL with no_sender */
    struct aws_client *client; /* for all but sending */
    size_t max_message_bytes;
    unsigned visibility_s; /* of received messages: ours, told with each poll */

    pthread_mutex_t lock; /* guards what follows */
    char *arn;
    struct queue_sqs_letters_place letters; /* NULLs: not known, or none */
    uint64_t letters_found_us;              /* monotonic */
    uint64_t letters_counted_us;            /* monotonic; 0: never */
    uint64_t letters_count;
    struct queue_sqs_consumer *consumers;
    unsigned consumers_len;
    bool interrupted;
};

/* A received message, as SQS knows it. */
struct queue_sqs_receipt {
    const char *handle;
    unsigned receives; /* how often it was delivered */
    char id[QUEUE_SQS_ID_SIZE];
};

enum queue_sqs_poll_state {
    QUEUE_SQS_POLL_IDLE,
    QUEUE_SQS_POLL_UNDER_WAY,
    QUEUE_SQS_POLL_FINISHED, /* its answer waits to be looked at */
    QUEUE_SQS_POLL_STATES,
};

/* One ReceiveMessage; its answer's texts live until it is released. */
struct queue_sqs_poll {
    struct queue_sqs_consumer *consumer;
    struct aws_call call;
    enum queue_sqs_poll_state state; /* under the consumer's lock */
    uint64_t finished_us;            /* monotonic */
};

enum queue_sqs_heartbeat_state {
    QUEUE_SQS_HEARTBEAT_RESTS, /* no delivery is out */
    QUEUE_SQS_HEARTBEAT_WAITS, /* one is: its messages need a heartbeat at due_us */
    QUEUE_SQS_HEARTBEAT_BEATS, /* that is under way: the consumer's `receipts` must stay */
    QUEUE_SQS_HEARTBEAT_ENDS,  /* the same, and the consumer waits for its end */
    QUEUE_SQS_HEARTBEAT_STOPPED,
    QUEUE_SQS_HEARTBEAT_STATES,
};

/* Of one consumer. */
struct queue_sqs_heartbeat {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;  /* monotonic */
    enum queue_sqs_heartbeat_state state;
    uint64_t due_us; /* monotonic */
};

enum queue_sqs_consumer_state {
    QUEUE_SQS_CONSUMER_IDLE,
    QUEUE_SQS_CONSUMER_POLLING,   /* the long poll is under way, or has finished */
    QUEUE_SQS_CONSUMER_GATHERING, /* the first messages are there; short polls add to them */
    QUEUE_SQS_CONSUMER_WORKED_ON, /* the delivery is out, and heartbeats keep it invisible */
    QUEUE_SQS_CONSUMER_SETTLING,  /* SQS is told what became of it */
    QUEUE_SQS_CONSUMER_STATES,
};

/*
 * Always true between two calls of the port:
 *   - polling means that the first poll is not idle; no other poll ever is anything else;
 *   - there are messages if and only if they are gathered, worked on or settled, and then all their
 *     texts are in the answers of at least one poll;
 *   - bytes is the sum of their bodies.
 */
struct queue_sqs_consumer {
    struct queue_consumer base;
    struct queue_sqs *q;
    struct queue_sqs_consumer *next; /* under the queue's lock */
    enum queue_sqs_consumer_state state;
    struct queue_sqs_heartbeat heartbeat;

    pthread_mutex_t lock; /* guards the polls' states and `interrupted` */
    pthread_cond_t news;  /* monotonic */
    bool interrupted;
    struct queue_sqs_poll polls[QUEUE_SQS_POLLS]; /* the first is the long one */
    char *long_poll;                              /* request bodies */
    char *short_poll;

    /* The delivery. Texts lie in the documents, and these in the answers. */
    struct queue_message messages[QUEUE_SQS_DELIVERY_MESSAGES];
    struct queue_sqs_receipt receipts[QUEUE_SQS_DELIVERY_MESSAGES];
    size_t count;
    size_t bytes;
    uint64_t received_us; /* monotonic: none of them came before */
    yyjson_doc *docs[QUEUE_SQS_DELIVERY_MESSAGES];
    struct buffer answers[QUEUE_SQS_DELIVERY_MESSAGES];
    size_t docs_len;
};

/* An entry of a batch request. */
struct queue_sqs_entry {
    const char *handle;
    int delay_s; /* its new visibility timeout; negative: it is deleted */
    bool done;
};

/* ---- request.c ---- */

/* Makes one call and parses its answer into `*doc` (if that is not NULL). */
int queue_sqs_call(struct queue_sqs *q, const char *action, const struct buffer *body,
                   yyjson_doc **doc, struct errbuf *err) LM_MUST_CHECK;

/* Begins a request's body: {"QueueUrl":"…" */
void queue_sqs_body(struct buffer *body, const char *url);

/* Appends ,"name":"value" */
void queue_sqs_body_text(struct buffer *body, const char *name, struct slice value);

/* Reads the attributes of the queue at `url`; released with queue_sqs_attributes_release. */
int queue_sqs_attributes_read(struct queue_sqs *q, const char *url, struct queue_sqs_attributes *a,
                              struct errbuf *err) LM_MUST_CHECK;
void queue_sqs_attributes_release(struct queue_sqs_attributes *a);

/* A number that JSON has as such or as text; 0 if there is none. */
uint64_t queue_sqs_number(yyjson_val *value);

/* ---- digest.c ---- */

/*
 * 0 if the answer to the SendMessage of `text` names a message, and tells its MD5 or none. Else
 * somebody other than SQS has answered, or what SQS has taken is not what was sent, and may be
 * stored so: LM_EUNAVAILABLE, and nobody may be told that it is safe.
 */
int queue_sqs_check_sent(struct slice text, yyjson_doc *answer, struct errbuf *err) LM_MUST_CHECK;

/*
 * False, with a warning, if a received message is not what SQS says that it is. It is not to be
 * touched: it is there again when its visibility timeout is over.
 */
bool queue_sqs_came_whole(yyjson_val *message);

/* ---- The other parts ---- */

int queue_sqs_send_start(struct queue_sqs *q, struct queue_send *send) LM_MUST_CHECK;

/* Appends the body of the SendMessage of `message`; `reason` may be NULL. */
void queue_sqs_send_body(struct buffer *body, const char *url, struct slice message,
                         const char *reason);

struct queue_consumer *queue_sqs_consumer_new(struct queue *base, struct errbuf *err);
void queue_sqs_consumer_free(struct queue_consumer *base);
int queue_sqs_consumer_receive(struct queue_consumer *base, unsigned wait_ms,
                               struct queue_delivery *delivery, struct errbuf *err);
int queue_sqs_consumer_settle(struct queue_consumer *base, struct queue_delivery *delivery,
                              struct errbuf *err);
void queue_sqs_consumer_interrupt(struct queue_sqs_consumer *c);
void queue_sqs_consumer_check(struct queue_sqs_consumer *c); /* on its thread */

/*
 * Does what `entries` say to messages of the queue at `url`. Entries that fail are tried again
 * until timeout_ms is over; `done` tells which succeeded. Returns 0 if all did, else why not.
 */
int queue_sqs_batch_run(struct queue_sqs *q, const char *url, struct queue_sqs_entry *entries,
                        size_t n, unsigned timeout_ms, struct errbuf *err) LM_MUST_CHECK;

int queue_sqs_heartbeat_start(struct queue_sqs_consumer *c, struct errbuf *err) LM_MUST_CHECK;
void queue_sqs_heartbeat_stop(struct queue_sqs_consumer *c);
/* A delivery goes out; its messages were received at `since_us` (monotonic) or later. */
void queue_sqs_heartbeat_begin(struct queue_sqs_consumer *c, uint64_t since_us);
/* No heartbeat is under way, and none will be, when this returns. */
void queue_sqs_heartbeat_end(struct queue_sqs_consumer *c);

int queue_sqs_letters_add(struct queue_consumer *base, struct slice body, const char *reason,
                          struct errbuf *err);
void queue_sqs_letters_place_release(struct queue_sqs_letters_place *p);
int queue_sqs_letters_list(struct queue *base, queue_dead_letter_fn *fn, void *ctx,
                           struct errbuf *err);
int queue_sqs_letters_requeue(struct queue *base, const struct slice *ids, size_t ids_len,
                              uint64_t *moved, struct errbuf *err);
/* How many there are, as of a moment ago; 0 if `arn`, that of the dead-letter queue, is NULL. */
int queue_sqs_letters_count(struct queue_sqs *q, const char *arn, uint64_t *count,
                            struct errbuf *err);

#endif
