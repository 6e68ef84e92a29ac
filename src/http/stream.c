/*
 * Responses in pieces. A stream's request stands in its connection's line like any other, answered
 * from its beginning, so that its bytes leave in turn; its state keeps it there until its end.
 */
#include <assert.h>

#include "http/connection.h"
#include "http/request.h"
#include "http/response.h"
#include "http/spare.h"

enum { CHUNK_HEAD_MAX = 20 }; /* a size in hexadecimal, and its line end */

/* How the end will be known; for HTTP/1.0 nothing may follow on the connection. */
static enum framing choose_framing(struct http_request *req)
{
    if (!req->http_1_0)
        return FRAMING_CHUNKED;
    req->closes = true;
    connection_end(req->connection, false);
    return FRAMING_UNTIL_CLOSE;
}

bool http_stream_begin(struct http_request *req, const struct http_response *head,
                       const struct http_stream_hooks *hooks, void *ctx)
{
    assert(!request_is_answered(req) && !req->errand.answered);
    assert(head->headers_len <= HTTP_RESPONSE_HEADERS_MAX);
    net_count(&req->thread->counters.responses[head->status], 1);
    request_forget_gone(req);
    if (req->connection && req->http_1_0 && req->connection->last != req)
        connection_abort(req->connection); /* what was asked next can have no answer */
    if (!req->connection || !buffer_reserve(&req->answer, response_head_bytes_max(req, head))) {
        if (req->connection)
            connection_abort(req->connection);
        spare_give_request(req);
        return false;
    }
    if (hooks->is_endless && !req->head_only)
        connection_end_reading(req->connection, req);
    enum framing framing = choose_framing(req);
    char *begin = req->answer.data;
    req->answer.len = (size_t)(response_put_head(begin, req, head, framing) - begin);
    request_move(req, req->head_only ? REQUEST_ANSWERED : REQUEST_STREAMS);
    req->chunked = framing == FRAMING_CHUNKED;
    req->hooks = hooks;
    req->hooks_ctx = ctx;
    connection_answered(req->connection, req);
    return request_streams(req);
}

int http_stream_write(struct http_request *req, struct slice piece)
{
    struct buffer *answer = &req->answer;
    size_t before = answer->len, charged = req->charge.taken;

    assert(request_streams(req) && piece.len > 0);
    if (!charge_take(&req->charge, req->account, piece.len))
        return LM_EBUSY;
    if (!buffer_reserve(answer, piece.len + CHUNK_HEAD_MAX + 2)) {
        charge_keep(&req->charge, req->account, charged);
        buffer_truncate(answer, before);
        return LM_EBUSY;
    }
    if (req->chunked)
        buffer_appendf(answer, "%zx\r\n", piece.len);
    buffer_append_slice(answer, piece);
    if (req->chunked)
        buffer_append_string(answer, "\r\n");
    request_move(req, REQUEST_TELLS);
    connection_streamed(req->connection, answer->len - before);
    return 0;
}

size_t http_stream_unsent(const struct http_request *req)
{
    size_t sent = req->connection->first == req ? req->connection->sent : 0;

    return req->answer.len - sent;
}

void http_stream_end(struct http_request *req)
{
    size_t before = req->answer.len;

    assert(request_streams(req));
    request_move(req, REQUEST_ANSWERED);
    if (req->chunked) {
        buffer_append_string(&req->answer, "0\r\n\r\n");
        if (buffer_error(&req->answer)) {
            connection_abort(req->connection);
            return;
        }
    }
    connection_streamed(req->connection, req->answer.len - before);
}

void http_stream_abort(struct http_request *req)
{
    assert(request_streams(req));
    request_move(req, REQUEST_ANSWERED);
    connection_abort(req->connection);
}
