/* What a service of the JSON protocol answers if it fails, and what to do about it. */
#ifndef LOGMILL_AWS_ERROR_H
#define LOGMILL_AWS_ERROR_H

#include "base/errbuf.h"
#include "base/slice.h"

enum aws_error_kind {
    AWS_ERROR_REFUSED,   /* the request itself: the same again would be refused again */
    AWS_ERROR_TRANSIENT, /* throttled, or a failure of the service's: again, later */
    AWS_ERROR_EXPIRED,   /* the credentials have expired: again, with others */
    AWS_ERROR_IDENTITY,  /* the credentials or the signature are wrong */
    AWS_ERROR_FORBIDDEN, /* the credentials are right, and may not */
    AWS_ERROR_MISSING,   /* there is no such queue */
    AWS_ERROR_SETUP,     /* the queue is set up wrongly: any request would be refused */
};

enum { AWS_ERROR_TYPE_SIZE = 64 };

struct aws_error {
    enum aws_error_kind kind;
    char type[AWS_ERROR_TYPE_SIZE]; /* "QueueDoesNotExist"; empty if none was named */
};

/*
 * Reads the answer `body` of HTTP status `status` (not 200), and puts what a person should know
 * into `text`: one line, without anything of the request's that is secret.
 */
void aws_error_read(struct aws_error *e, long status, struct slice body, struct errbuf *text);

#endif
