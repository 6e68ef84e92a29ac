/*
 * A handle of libcurl's, set up as all our requests are: http and https alone, no redirects, no
 * signals, our name as the agent, bounded in time; the answer is taken in pieces, and a failure is
 * one of our errors with libcurl's own words.
 *
 * Who waits for one request runs the handle; who has several under way adds `easy` to a CURLM of
 * its own, and asks fetch_handle_error what its end meant. What only one user needs (a signature, a
 * kept connection) it sets on `easy` itself, after fetch_handle_set.
 */
#ifndef LOGMILL_FETCH_HANDLE_H
#define LOGMILL_FETCH_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/errbuf.h"
#include "base/slice.h"

/* Whether a request goes through the proxy that the environment names (http_proxy, …). */
enum fetch_proxy {
    FETCH_PROXY_AS_SET,    /* unless no_proxy names the host */
    FETCH_PROXY_NOT_LOCAL, /* nor, if no_proxy is not set, to this machine */
    FETCH_PROXY_NEVER,
};

/* One request. All that it points to lives until its end. */
struct fetch_request {
    const char *url;
    const char *method; /* NULL: GET, or POST if there is a body */
    struct slice body;  /* data NULL: none */
    enum fetch_proxy proxy;
    const char *ca_file; /* certificates that vouch for the server; NULL: the system's */
    bool is_unverified;  /* the server may be anybody */
    bool *asks_who;      /* set to true where the server asks for a certificate; NULL: not told */

    unsigned timeout_ms; /* of the whole; 0: none */
    unsigned connect_ms; /* of connecting; 0: libcurl's own, 5 minutes */
    unsigned silence_ms; /* the end when no byte moves for so long; 0: none */

    /* Takes the next piece of the answer. Returns 0, or an error, which ends the request. */
    int (*take)(struct slice piece, void *ctx);
    /* Asked at least once a second; true ends the request with LM_ESTOPPED. NULL: never. */
    bool (*is_over)(void *ctx);
    void *ctx;
};

struct fetch_handle {
    CURL *easy;
    const struct fetch_request *request;
    struct curl_slist *headers;
    int error;         /* of take() or is_over(), or that nothing moves */
    curl_off_t moved;  /* so many bytes of bodies … */
    uint64_t moved_us; /* … the last of them then; monotonic */
    char reason[CURL_ERROR_SIZE];
};

/* Prepares libcurl, once in the process; thread-safe. Before any other use of libcurl. */
void fetch_handle_init(void);

/* NULL if there is no memory. A handle keeps its connections from one request to the next. */
struct fetch_handle *fetch_handle_new(void);
void fetch_handle_free(struct fetch_handle *h);

/* Adds a header of the next request, "Name: " and its value. Returns 0 or LM_ENOMEM. */
int fetch_handle_header(struct fetch_handle *h, const char *name, const char *value) LM_MUST_CHECK;

/* Makes ready for `request`, with the headers added before. */
void fetch_handle_set(struct fetch_handle *h, const struct fetch_request *request);

/* Makes the request and waits for its end. */
CURLcode fetch_handle_run(struct fetch_handle *h);

/* The status of the answer, as soon as it is there; 0 before. */
long fetch_handle_status(const struct fetch_handle *h);

/*
 * When the request ends if no byte moves until then (monotonic; UINT64_MAX: never). Who adds `easy`
 * to a CURLM runs that then, or it ends later.
 */
uint64_t fetch_handle_silent_us(const struct fetch_handle *h);

/* True if some of the request was sent. */
bool fetch_handle_was_sent(const struct fetch_handle *h);

/*
 * What the end `rc` of a request meant: 0 (whatever the status), LM_ETIMEOUT, what take() returned,
 * LM_ESTOPPED (it is over), LM_EUNAVAILABLE.
 */
int fetch_handle_error(const struct fetch_handle *h, CURLcode rc);

/* Why, in a few words; until fetch_handle_end. */
const char *fetch_handle_reason(const struct fetch_handle *h, CURLcode rc);

/* Forgets the request: its headers are wiped, and nothing of it stays in the handle. */
void fetch_handle_end(struct fetch_handle *h);

#endif
