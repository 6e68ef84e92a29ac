#include "http/lots.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "http/connection.h"
#include "http/parse.h"
#include "http/request.h"
#include "http/response.h"

bool lots_are_held(const struct connection *c)
{
    return c->upload && c->upload->has_lot &&
           (c->message->stage == MESSAGE_COMPLETE || c->message->body.len >= HTTP_LOT_BYTES);
}

/* The head is complete: from now on it may be silent for long. */
static bool begin(struct connection *c)
{
    static const int on = 1, keepalive_s = HTTP_UPLOAD_KEEPALIVE_S;
    struct http_shared *shared = c->thread->shared;
    unsigned most = shared->options.max_connections / HTTP_UPLOADS_SHARE + 1;

    c->message->is_upload = true;
    if (atomic_fetch_add(&shared->uploads_open, 1) >= most) {
        message_refuse(c->message, 503, "too many uploads: at most %u", most);
        return false;
    }
    if (net_loop_drains(&c->thread->net)) {
        message_refuse(c->message, 503, NULL);
        return false;
    }
    setsockopt(c->socket.transport.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(c->socket.transport.fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s,
               sizeof(keepalive_s));
    return true;
}

/* Hands over m->body, which is not the last of it; then there is room for the next. */
static void hand_over(struct connection *c)
{
    struct http_request *req = c->upload;
    struct message *m = c->message;

    req->message = m;
    req->has_lot = c->in_lot = true;
    if (req->lots)
        req->lots->lot(req->lots_ctx);
    else
        m->endpoint->handler(req, c->thread->context);
    c->in_lot = false;
    if (c->last == req) /* else the connection is broken */
        req->message = NULL;
    if (c->upload == req) {
        assert(req->lots);
        message_next_lot(m);
    } else {
        connection_drop_message(c); /* it was answered */
    }
}

/* The same for the last lot: from now on the request is like any other. */
static void hand_last(struct connection *c)
{
    struct http_request *req = c->upload;
    const struct http_lot_hooks *hooks = req->lots;

    c->upload = NULL;
    req->lots = NULL;
    req->message = c->message;
    connection_complete(c, req);
    hooks->lot(req->lots_ctx);
    if (c->last == req)
        req->message = NULL;
    connection_drop_message(c);
}

/* All that came is taken, and no more will come. */
static void give_up(struct connection *c)
{
    struct http_request *req = c->upload;

    req->lots->over(req->lots_ctx);
    c->upload = NULL;
    req->lots = NULL;
    req->closes = true;
    req->message = c->message;
    response_refuse(req, c->message);
    if (c->last == req)
        req->message = NULL;
    connection_drop_message(c);
}

void lots_go_on(struct connection *c)
{
    while (c->upload && !c->upload->has_lot) {
        const struct message *m = c->message;

        if (m->stage == MESSAGE_COMPLETE && m->refusal.status == 0) {
            hand_last(c);
            return;
        }
        if (m->body.len > 0) {
            hand_over(c);
        } else if (m->refusal.status != 0) {
            give_up(c);
            return;
        } else {
            return;
        }
    }
}

bool lots_read(struct connection *c)
{
    struct message *m = c->message;

    if (!m->is_upload && !begin(c))
        return false;
    if (!c->upload && m->body.len > 0) {
        struct http_request *req = connection_enqueue(c);

        request_take_who(req, m);
        net_count(&c->thread->counters.requests, 1);
        c->upload = req;
        hand_over(c);
    }
    lots_go_on(c);
    return true;
}

bool lots_end(struct connection *c)
{
    struct message *m = c->message;

    if (c->upload->has_lot && !parse_keep_body(m))
        return false;
    lots_go_on(c);
    return true;
}
