/*
 * The way of a log into the queue, for one HTTP thread.
 *
 * Records are appended to the open send. It goes to the queue when the loop has drained what was
 * readable and a send slot is free; while sends are in flight the next one grows (and a moment
 * longer, see hold.h). So a lone request waits for nobody, and load makes sends large by itself
 * (group commit). When the queue has confirmed a send, every request in it is answered 201; when it
 * has not, 503.
 *
 * Always true: a request's records are all in one send; a request is answered once, after the send
 * that holds its records has come back.
 */
#ifndef LOGMILL_INGEST_INGEST_H
#define LOGMILL_INGEST_INGEST_H

#include "base/ledger.h"
#include "formats/record_parse.h"
#include "http/http.h"
#include "ingest/hold.h"
#include "net/mailbox.h"
#include "queue/queue.h"

struct ingest;

/* `box` and `hold` belong to the thread that will use the ingest; all arguments must outlive it.
 */
struct ingest *ingest_new(struct queue *queue, struct account *account, struct mailbox *box,
                          struct hold *hold);

/* When nothing is in flight or waiting. */
void ingest_free(struct ingest *in);

/*
 * Takes the logs in the body of `req` and answers it: at once where they are refused (422, 413,
 * 503), otherwise when they are durable.
 */
void ingest_request(struct ingest *in, struct http_request *req, enum record_body kind);

/* Hands over what has gathered, as far as there are free slots. After each round of the loop. */
void ingest_flush(struct ingest *in);

#endif
