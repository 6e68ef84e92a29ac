/*
 * Calls of an AWS service of the JSON 1.0 protocol: signed (Signature Version 4, by libcurl), on
 * kept-alive connections, several at once, all on one thread of the client's. What is throttled or
 * fails for a passing reason is tried again after a random pause that grows, until the call's time
 * is up.
 */
#ifndef LOGMILL_AWS_CLIENT_H
#define LOGMILL_AWS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/error.h"
#include "aws/identity.h"
#include "base/buffer.h"
#include "base/errbuf.h"

struct aws_client;
struct aws_flight; /* the client's side of a call under way */

/* Owned by the caller; lives, as all it points to, until `done`. */
struct aws_call {
    const char *action;  /* "SendMessage" */
    struct slice body;   /* JSON text */
    unsigned timeout_ms; /* of all attempts together */
    unsigned quiet_ms;   /* an attempt ends when no byte moves for so long, a second at least;
                            0: timeout_ms / 3 */
    unsigned attempts;   /* at most; 0: until the time is up */

    /*
     * Called once, on the client's thread; must not block. May start other calls. `call` is the
     * caller's again. NULL if aws_client_run is used.
     */
    void (*done)(struct aws_call *call);
    void *ctx; /* the caller's */

    /* The result: */
    int error;            /* 0, LM_EUNAVAILABLE, LM_ETIMEOUT, LM_EINVAL (refused), LM_ENOTFOUND (no
                             such queue), LM_ESTOPPED (cancelled), LM_ENOMEM. Set before the call:
                             it is only reported. */
    bool in_doubt;        /* if error is not 0: the service may have done it all the same */
    struct errbuf detail; /* one line */
    struct aws_error why; /* if the service answered with an error */
    struct buffer answer; /* JSON text if error is 0; released with aws_call_release */

    struct aws_flight *flight; /* the client's */
};

/* Frees the answer. */
void aws_call_release(struct aws_call *call);

struct aws_client_options {
    const char *name;    /* "SQS", for messages */
    const char *service; /* "sqs", for signatures */
    const char *target;  /* "AmazonSQS": the prefix of X-Amz-Target */
    const char *url;     /* of the endpoint */
    const char *region;
    struct aws_identity *identity; /* must outlive the client */
    unsigned max_in_flight;        /* further calls wait their turn */
};

/* Copies the options. NULL with `err` filled on failure. */
struct aws_client *aws_client_new(const struct aws_client_options *options, struct errbuf *err);

/* All calls are finished (their `done` runs) before this returns. NULL does nothing. */
void aws_client_free(struct aws_client *client);

/* Starts `call`. Never blocks; any thread. */
void aws_client_start(struct aws_client *client, struct aws_call *call);

/*
 * Asks that `call`, which was started, be given up: `done` comes soon, with LM_ESTOPPED unless the
 * answer was there already. Any thread; the caller sees to it that `done` has not returned yet.
 */
void aws_client_cancel(struct aws_client *client, struct aws_call *call);

/* Makes a call and waits for it; returns its error, with its detail in `err`. */
int aws_client_run(struct aws_client *client, struct aws_call *call,
                   struct errbuf *err) LM_MUST_CHECK;

/* Several calls at once, waited for together; each has its own error. */
void aws_client_run_all(struct aws_client *client, struct aws_call *calls, size_t n);

#endif
