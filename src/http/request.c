#include "http/request.h"

#include "base/check.h"
#include "base/state.h"
#include "http/percent.h"
#include "http/spare.h"
#include <assert.h>

static const state_moves moves[REQUEST_STATES] = {
    [REQUEST_OWED] = STATE(REQUEST_STREAMS) | STATE(REQUEST_ANSWERED),
    [REQUEST_STREAMS] = STATE(REQUEST_TELLS) | STATE(REQUEST_ANSWERED),
    [REQUEST_TELLS] = STATE(REQUEST_TELLS) | STATE(REQUEST_STREAMS) | STATE(REQUEST_ANSWERED),
};

void request_move(struct http_request *req, enum request_state state)
{
    CHECK(state_may_move(moves, req->state, state));
    req->state = state;
}

void request_take_who(struct http_request *req, struct message *m)
{
    CHECK(!req->who);
    req->who = m->who;
    req->until_us = m->until_us;
    m->who = NULL;
}

/* ---- Clients that go ---- */

void request_forget_gone(struct http_request *req)
{
    if (!req->gone)
        return;
    req->gone = NULL;
    if (req->connection)
        req->connection->watched--;
}

void request_tell_gone(struct http_request *req)
{
    void (*gone)(void *) = req->gone;

    if (!gone)
        return;
    request_forget_gone(req);
    gone(req->gone_ctx);
}

/* ---- Bodies in lots ---- */

void request_lots_over(struct http_request *req)
{
    req->lots->over(req->lots_ctx);
    spare_give_request(req);
}

bool http_request_is_whole(const struct http_request *req)
{
    return req->message->stage == MESSAGE_COMPLETE;
}

bool http_request_is_hurried(const struct http_request *req)
{
    return !req->connection || net_loop_drains(&req->thread->net);
}

void http_request_take_lots(struct http_request *req, const struct http_lot_hooks *hooks, void *ctx)
{
    assert(req->has_lot && !http_request_is_whole(req));
    req->lots = hooks;
    req->lots_ctx = ctx;
}

void http_request_lot_done(struct http_request *req)
{
    assert(req->lots && req->has_lot);
    req->has_lot = false;
    if (!req->connection)
        request_lots_over(req);
    else
        net_socket_queue(&req->connection->socket); /* the exchange goes on with it */
}

/* ---- What a handler sees ---- */

const struct http_route *http_request_route(const struct http_request *req)
{
    return req->message->endpoint;
}

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
    return req->errand.answered ? req->errand.query : req->message->query;
}

struct slice http_request_param(const struct http_request *req, unsigned index)
{
    struct message *m = req->message;

    if (req->errand.answered)
        return index == 0 ? req->errand.param : slice_of(NULL, 0);
    if (index >= m->params_len)
        return slice_of(NULL, 0);
    struct slice raw = m->params[index];
    const char *done = m->decoded.data; /* decoded by an earlier call */
    bool is_done = done && raw.data >= done && raw.data < done + m->decoded.len;
    if (is_done || !memchr(raw.data, '%', raw.len))
        return raw;
    /* Room for the whole path, once: what was decoded before must not move. */
    if (m->decoded.len == 0 && !buffer_reserve(&m->decoded, m->path.len))
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
    return req->errand.answered ? slice_of(NULL, 0)
                                : message_header(req->message, slice_of_string(name));
}

struct slice http_request_body(const struct http_request *req)
{
    return req->errand.answered ? slice_of(NULL, 0) : req->message->body;
}

bool http_request_exchange_body(struct http_request *req, struct account *to, size_t bytes)
{
    struct message *m = req->message;

    return charge_exchange(&m->charge, m->limits->bodies, to, bytes);
}

size_t http_request_held(const struct http_request *req)
{
    return req->message->charge.taken;
}

uint64_t http_request_started_us(const struct http_request *req)
{
    return req->started_us;
}

uint64_t http_request_client(const struct http_request *req)
{
    return req->client;
}

bool http_request_is_https(const struct http_request *req)
{
    return req->message->is_https;
}

void *http_request_who(const struct http_request *req)
{
    return req->who;
}

int64_t http_request_until_us(const struct http_request *req)
{
    return req->until_us;
}

void http_request_charge_to(struct http_request *req, struct account *account)
{
    assert(!request_is_answered(req) && req->charge.taken == 0);
    req->account = account;
}

struct account *http_request_account(const struct http_request *req)
{
    return req->account;
}

void http_request_set_errand(struct http_request *req, const struct http_errand *errand)
{
    assert(!request_is_answered(req) && !req->errand.answered);
    req->errand = *errand;
}

void http_request_set_next(struct http_request *req, struct http_request *next)
{
    req->next_of_handler = next;
}

struct http_request *http_request_next(const struct http_request *req)
{
    return req->next_of_handler;
}
