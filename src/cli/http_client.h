/*
 * Requests to the logmill server that --url names, one at a time. Not thread-safe; two clients are
 * independent.
 */
#ifndef LOGMILL_CLI_HTTP_CLIENT_H
#define LOGMILL_CLI_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "cli/flags.h"

enum {
    HTTP_CLIENT_CONNECT_MS = 5000,
    HTTP_CLIENT_TIMEOUT_MS = 60000,     /* of a whole request that is no stream */
    HTTP_CLIENT_SILENCE_S = 45,         /* of a stream, after which it counts as broken off */
    HTTP_CLIENT_ANSWER_MAX = 256 << 20, /* bytes of an answer that is no stream */
    HTTP_CLIENT_BACKOFF_MIN_MS = 100,   /* between two tries, doubled each time … */
    HTTP_CLIENT_BACKOFF_MAX_MS = 5000,  /* … up to this, or what Retry-After asks for, */
    HTTP_CLIENT_RETRY_AFTER_MAX_S = 60, /* … up to this */
};

struct http_client;

struct http_client_request {
    const char *path;         /* "/logs?limit=1" */
    const char *content_type; /* of `body` */
    struct slice body;        /* POST; data NULL: GET */
    const char *header;       /* one more, "Name: value", or NULL */
    long timeout_ms;          /* of all of it; 0: HTTP_CLIENT_TIMEOUT_MS */
    long wanted;              /* the one status that is no error; 0: any 2xx */
    /* Takes the body of a 200 in pieces, any length of time; returns 0, or an error, which ends the
       request. NULL: the body is collected. */
    int (*take)(struct slice piece, void *ctx);
    /* Asked at least once a second; true ends the request with LM_ESTOPPED. NULL: never. */
    bool (*is_over)(void *ctx);
    void *ctx;
};

/* For the server that the flag `url` names, with the key of the flag `key-file` or of LOGMILL_KEY.
 * Returns NULL with `err` set if that is no URL, or no key. */
struct http_client *http_client_new(const struct flags *flags, struct errbuf *err);
void http_client_free(struct http_client *client);

/* The server's URL, without any password. */
const char *http_client_url(const struct http_client *client);

/*
 * Returns 0 if the answer is the wanted one; LM_EUNAVAILABLE (no server, a broken connection, 408,
 * 429, 5xx: a later try may do); LM_EDATA (422) or LM_ETOOBIG (413); LM_EINVAL (any other status);
 * or what take() returned. `err` says what went wrong and where.
 */
int http_client_run(struct http_client *client, const struct http_client_request *request,
                    struct errbuf *err) LM_MUST_CHECK;

/* The status of the last answer; 0: there was none. */
unsigned http_client_status(const struct http_client *client);

/* The body of the last answer, but for what take() took; until the next request. */
struct slice http_client_answer(const struct http_client *client);

/* Milliseconds to wait after the `n`th try in a row that failed, n >= 1. */
unsigned http_client_backoff_ms(const struct http_client *client, unsigned n);

#endif
