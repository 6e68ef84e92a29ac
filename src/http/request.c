#include "http/request.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "http/connection.h"
#include "http/percent.h"
#include "http/thread.h"

enum {
    FREE_MAX = 1024,                /* requests kept for reuse by one thread */
    ANSWER_KEEP_BYTES = 1024,       /* capacity that a kept request's answer may have */
    ANSWER_MAX = 1024 * 1024 * 1024 /* a ceiling because every buffer has one */
};

struct http_request *request_take(struct http_thread *t, struct connection *c)
{
    struct http_request *req = t->free_requests;
    if (req != NULL) {
        t->free_requests = req->next;
        t->free_requests_len--;
    } else {
        req = xcalloc(1, sizeof(*req));
        buffer_init(&req->answer, ANSWER_MAX);
        req->thread = t;
    }
    t->requests_under_way++;
    req->connection = c;
    req->client = c->client;
    req->next = req->next_of_handler = NULL;
    req->message = NULL;
    req->account = t->shared->options.answers;
    req->body_len = 0;
    req->alone = false;
    req->answered = req->closes = req->head_only = req->says_keep_alive = false;
    req->streams = req->http_1_0 = req->chunked = req->tells_drained = false;
    req->gone = NULL;
    req->static_body = slice_of(NULL, 0);
    return req;
}

void request_give(struct http_request *req)
{
    struct http_thread *t = req->thread;
    t->requests_under_way--;
    charge_release(&req->charge, req->account);
    charge_release(&req->line_charge, t->shared->options.answers);
    if (req->body.capacity > 0)
        buffer_release(&req->body);
    if (t->free_requests_len == FREE_MAX) {
        buffer_release(&req->answer);
        free(req);
        return;
    }
    if (req->answer.capacity > ANSWER_KEEP_BYTES)
        buffer_release(&req->answer);
    else
        buffer_clear(&req->answer);
    req->connection = NULL;
    req->next = t->free_requests;
    t->free_requests = req;
    t->free_requests_len++;
}

void request_free_all(struct http_thread *t)
{
    while (t->free_requests != NULL) {
        struct http_request *req = t->free_requests;
        t->free_requests = req->next;
        buffer_release(&req->answer);
        free(req);
    }
    t->free_requests_len = 0;
}

/* ---- Clients that go ---- */

void request_forget_gone(struct http_request *req)
{
    if (req->gone == NULL)
        return;
    req->gone = NULL;
    if (req->connection != NULL)
        req->connection->watched--;
}

void request_tell_gone(struct http_request *req)
{
    void (*gone)(void *) = req->gone;
    if (gone == NULL)
        return;
    request_forget_gone(req);
    gone(req->gone_ctx);
}

void http_request_on_gone(struct http_request *req, void (*gone)(void *ctx), void *ctx)
{
    struct connection *c = req->connection;
    assert(!req->answered);
    request_forget_gone(req);
    if (gone == NULL)
        return;
    if (c == NULL || c->peer_ended) {
        gone(ctx);
        return;
    }
    req->gone = gone;
    req->gone_ctx = ctx;
    c->watched++;
    connection_watch(c);
}

/* ---- What a handler sees ---- */

struct slice http_request_method(const struct http_request *req)
{
    return slice_of_string(llhttp_method_name(req->message->method));
}

struct slice http_request_path(const struct http_request *req)
{
    return req->message->path;
}

struct slice http_request_query(const struct http_request *req)
{
    return req->message->query;
}

struct slice http_request_param(const struct http_request *req, unsigned index)
{
    struct message *m = req->message;
    if (index >= m->params_len)
        return slice_of(NULL, 0);
    struct slice raw = m->params[index];
    const char *done = m->decoded.data; /* decoded by an earlier call */
    bool is_done = done != NULL && raw.data >= done && raw.data < done + m->decoded.len;
    if (is_done || memchr(raw.data, '%', raw.len) == NULL)
        return raw;
    /* Room for the whole path, once: what was decoded before must not move. */
    if (m->decoded.len == 0 && buffer_reserve(&m->decoded, m->path.len) == NULL)
        return raw;
    if (m->decoded.capacity - m->decoded.len < raw.len)
        return raw;
    char *out = m->decoded.data + m->decoded.len;
    struct slice decoded = slice_of(out, percent_decode(out, raw, false));
    m->decoded.len += decoded.len;
    m->params[index] = decoded;
    return decoded;
}

struct slice http_request_header(const struct http_request *req, const char *name)
{
    return message_header(req->message, slice_of_string(name));
}

struct slice http_request_body(const struct http_request *req)
{
    return req->message->body;
}

uint64_t http_request_started_us(const struct http_request *req)
{
    return req->started_us;
}

uint64_t http_request_client(const struct http_request *req)
{
    return req->client;
}

void http_request_charge_to(struct http_request *req, struct account *account)
{
    assert(!req->answered && req->charge.taken == 0);
    req->account = account;
}

void http_request_set_next(struct http_request *req, struct http_request *next)
{
    req->next_of_handler = next;
}

struct http_request *http_request_next(const struct http_request *req)
{
    return req->next_of_handler;
}
