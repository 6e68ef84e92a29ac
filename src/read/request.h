/*
 * A request that reads logs, from its parameters to its answer. GET /logs, /logs/stats and
 * /logs/{id} each embed one in what they keep of a request:
 *
 *   read_request_open     its parameters are read; what is wrong with them is the answer
 *   read_request_submit   the scheduler has it, or it is answered 503
 *   job.work              on a thread of the readers, in turns: writes `out`
 *   job.finish            on the loop's thread: read_request_answer
 *
 * If one of the first two returns false, the request has been answered. A client that goes
 * before the answer ends the job (read_job_leave); what was found by then is still answered.
 */
#ifndef LOGMILL_READ_REQUEST_H
#define LOGMILL_READ_REQUEST_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "http/http.h"
#include "http/query_string.h"
#include "read/scheduler.h"
#include "record/record.h"
#include "store/store.h"

/* What the requests of one HTTP thread are served with; outlives them. */
struct read_service {
    struct read_scheduler *readers;
    struct ledger *ledger;
    struct mailbox *box; /* of the thread's loop */
    struct access *access;
    unsigned timeout_ms; /* the longest that one answer may take */
};

struct read_request {
    struct read_job job; /* with the client's number, the lane, and when the time is over */
    const struct read_service *service;
    struct http_request *http;
    /* What is wrong with the parameters; then the answer's body, charged to the reads' account. */
    struct buffer out;
    struct query *only;   /* what whoever asks may read, and nothing else; NULL: everything */
    struct grant *holder; /* a scan of it, until the end; NULL: it has none */
    int error;            /* of the job; 0: `out` is the answer */
    struct errbuf detail;
};

void read_request_init(struct read_request *r, const struct read_service *service,
                       struct http_request *http, read_work_fn *work,
                       void (*finish)(struct read_job *job));
void read_request_release(struct read_request *r);

/*
 * Reads what is asked for, and copies what the job needs, since `params` goes. Returns 0; LM_EINVAL
 * with the body of a 422 answer in `out`; LM_ENOMEM; or LM_EBUSY.
 */
typedef int read_params_fn(struct read_request *r, const struct query_string *params);

bool read_request_open(struct read_request *r, read_params_fn *read_params) LM_MUST_CHECK;

/* Answers that the parameters cannot be taken; `error` is of a read_params_fn. */
void read_request_refuse(struct read_request *r, int error);

/*
 * For a read_params_fn: `out`, in which there were no errors, is empty and charged from now on.
 * Returns 0 or LM_EBUSY.
 */
int read_request_charge(struct read_request *r) LM_MUST_CHECK;

/*
 * As store_get, on a thread of the readers: LM_ENOTFOUND also of a log that whoever asks may not
 * read. What goes wrong is in r->detail.
 */
int read_request_get(struct read_request *r, struct store_reader *reader, const struct uuid *id,
                     record_sink *sink, void *ctx) LM_MUST_CHECK;

/* The answer is to be there in `ms`. Before read_request_submit. */
void read_request_give_time(struct read_request *r, uint64_t ms);

/* What is no point read is a scan of the key's (access/places.h), of which it may have so many. */
bool read_request_submit(struct read_request *r) LM_MUST_CHECK;

/* Answers in the words for `error` and r->detail: see read_answer_failure. */
void read_request_fail(struct read_request *r, int error);

/* What became of the job: r->error, which is LM_ESTOPPED if no thread had time for it. */
int read_request_outcome(struct read_request *r) LM_MUST_CHECK;

/* After the job: answers 200 with `out`, or what has failed. */
void read_request_answer(struct read_request *r);

#endif
