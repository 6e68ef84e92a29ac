/* One HTTP request, waited for: its answer as a whole, in a buffer of the caller's. */
#ifndef LOGMILL_FETCH_FETCH_H
#define LOGMILL_FETCH_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"

enum { FETCH_HEADERS_MAX = 3 };

struct fetch {
    const char *method; /* NULL: GET, or POST if there is a body */
    const char *url;
    const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; the first NULL ends them */
    struct slice body;                      /* a form; data NULL: none */
    const char *ca_file; /* certificates that vouch for the server; NULL: the system's */
    unsigned timeout_ms;
    bool is_unverified;      /* the server may be anybody */
    bool *asks_who;          /* as in struct fetch_request */
    bool direct;             /* never through a proxy: the address means this machine's own */
    const atomic_bool *stop; /* ends the wait once true; NULL: none */
};

/*
 * Appends the answer's body to `body` (bounded by its ceiling; wiped by the caller if it holds
 * secrets) and sets `*status`. Redirects are not followed.
 * Returns 0 whatever the status, LM_ETIMEOUT, LM_ESTOPPED or LM_EUNAVAILABLE.
 */
int fetch_run(const struct fetch *fetch, struct buffer *body, long *status,
              struct errbuf *err) LM_MUST_CHECK;

#endif
