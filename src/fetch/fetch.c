#include "fetch/fetch.h"

#include "fetch/handle.h"

struct wait {
    struct buffer *body;
    const atomic_bool *stop;
};

static int take(struct slice piece, void *ctx)
{
    struct wait *w = ctx;

    buffer_append_slice(w->body, piece);
    return buffer_error(w->body) ? LM_EUNAVAILABLE : 0;
}

static bool is_over(void *ctx)
{
    const struct wait *w = ctx;

    return w->stop && atomic_load(w->stop);
}

static int add_headers(struct fetch_handle *h, const struct fetch *fetch)
{
    int error = 0;

    for (size_t i = 0; !error && i < FETCH_HEADERS_MAX && fetch->headers[i]; i++)
        error = fetch_handle_header(h, fetch->headers[i], "");
    return error;
}

int fetch_run(const struct fetch *fetch, struct buffer *body, long *status, struct errbuf *err)
{
    struct wait wait = {.body = body, .stop = fetch->stop};
    struct fetch_request request = {
        .url = fetch->url,
        .method = fetch->method,
        .body = fetch->body,
        .proxy = fetch->direct ? FETCH_PROXY_NEVER : FETCH_PROXY_AS_SET,
        .ca_file = fetch->ca_file,
        .is_unverified = fetch->is_unverified,
        .asks_who = fetch->asks_who,
        .timeout_ms = fetch->timeout_ms,
        .take = take,
        .is_over = is_over,
        .ctx = &wait,
    };
    struct fetch_handle *h = fetch_handle_new();
    int error;

    if (!h || add_headers(h, fetch)) {
        error = errbuf_fail(err, LM_EUNAVAILABLE, "no memory for a request");
    } else {
        fetch_handle_set(h, &request);
        CURLcode rc = fetch_handle_run(h);
        *status = fetch_handle_status(h);
        error = fetch_handle_error(h, rc);
        if (error)
            errbuf_set(err, "%s", fetch_handle_reason(h, rc));
    }
    fetch_handle_free(h);
    return error;
}
