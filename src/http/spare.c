#include "http/spare.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum {
    MESSAGES_MAX = 16,
    REQUESTS_MAX = 1024,
    ANSWER_KEEP_BYTES = 1024,       /* capacity that a kept request's answer may have */
    ANSWER_MAX = 1024 * 1024 * 1024 /* a ceiling because every buffer has one */
};

struct message *spare_take_message(struct http_thread *t)
{
    struct message *m = t->free_messages;

    if (m) {
        t->free_messages = m->next_free;
        t->free_messages_len--;
        return m;
    }
    m = xmalloc(sizeof(*m));
    message_init(m, &t->limits);
    return m;
}

void spare_give_message(struct http_thread *t, struct message *m)
{
    message_end(m);
    if (t->free_messages_len == MESSAGES_MAX) {
        message_release(m);
        free(m);
        return;
    }
    m->next_free = t->free_messages;
    t->free_messages = m;
    t->free_messages_len++;
}

struct http_request *spare_take_request(struct http_thread *t, struct connection *c)
{
    struct http_request *req = t->free_requests;

    if (req) {
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
    req->who = NULL;
    req->errand.answered = NULL;
    req->account = t->shared->options.answers;
    req->body_len = 0;
    req->alone = false;
    req->closes = req->head_only = req->says_keep_alive = false;
    req->http_1_0 = req->chunked = false;
    req->state = REQUEST_OWED;
    req->gone = NULL;
    req->has_lot = false;
    req->lots = NULL;
    req->static_body = slice_of(NULL, 0);
    return req;
}

void spare_give_request(struct http_request *req)
{
    struct http_thread *t = req->thread;

    t->requests_under_way--;
    charge_release(&req->charge, req->account);
    charge_release(&req->line_charge, t->shared->options.answers);
    if (req->body.capacity > 0)
        buffer_release(&req->body);
    if (req->who)
        t->shared->options.hooks.forget(req->who);
    req->who = NULL;
    if (t->free_requests_len == REQUESTS_MAX) {
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

void spare_free_all(struct http_thread *t)
{
    while (t->free_messages) {
        struct message *m = t->free_messages;

        t->free_messages = m->next_free;
        message_release(m);
        free(m);
    }
    while (t->free_requests) {
        struct http_request *req = t->free_requests;

        t->free_requests = req->next;
        buffer_release(&req->answer);
        free(req);
    }
    t->free_requests_len = 0;
}
