/* One plain HTTP request, waited for: what the sources of credentials are asked with. */
#ifndef LOGMILL_AWS_FETCH_H
#define LOGMILL_AWS_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"

enum { AWS_FETCH_HEADERS_MAX = 3 };

struct aws_fetch {
    const char *method; /* NULL: GET, or POST where there is a body */
    const char *url;
    const char *headers[AWS_FETCH_HEADERS_MAX]; /* "Name: value"; the first NULL ends them */
    const char *body;                           /* a form; NULL: none */
    unsigned timeout_ms;
    bool direct;             /* never through a proxy: the address means this machine's own */
    const atomic_bool *stop; /* ends the wait once true; NULL: none */
};

/*
 * Appends the answer's body to `body` (bounded by its ceiling; wiped by the caller where it holds
 * secrets) and sets `*status`. Redirects are not followed.
 * Returns 0 whatever the status, LM_ETIMEOUT, LM_ESTOPPED or LM_EUNAVAILABLE.
 */
int aws_fetch_run(const struct aws_fetch *fetch, struct buffer *body, long *status,
                  struct errbuf *err) LM_MUST_CHECK;

/* Prepares libcurl, once in the process; thread-safe. Before any use of libcurl. */
void aws_fetch_global_init(void);

#endif
