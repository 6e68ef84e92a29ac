/*
 * POST /mcp: the Model Context Protocol over Streamable HTTP, without sessions or streams: a
 * message comes, and its answer is JSON. What a tool asks for is read by the routes of reads: the
 * request goes there on an errand, as often as the tool needs it (http_request_set_errand).
 */
#include <stdlib.h>

#include "answers/answers.h"
#include "api/internal.h"
#include "base/xalloc.h"
#include "http/accept.h"
#include "mcp/mcp.h"
#include "read/around.h"
#include "read/list.h"
#include "read/stats.h"

/* A message under way. */
struct visit {
    struct api_thread *thread;
    struct http_request *req;
    struct account *account; /* of reads: the message and its answer are charged to it */
    size_t charged;
    struct mcp *mcp;
};

typedef void read_get_fn(const struct read_service *service, struct http_request *http);

static read_get_fn *const reads[MCP_READS] = {
    [MCP_READ_LOGS] = read_list_get,           [MCP_READ_AROUND] = read_around_get,
    [MCP_READ_STATS] = read_stats_get,         [MCP_READ_PATTERNS] = read_stats_get_patterns,
    [MCP_READ_VALUES] = read_stats_get_values, [MCP_READ_FIELDS] = read_stats_get_fields,
};

static void visit_end(struct visit *v)
{
    account_give(v->account, v->charged);
    mcp_free(v->mcp);
    free(v);
}

static void answer(struct visit *v)
{
    struct slice body;

    if (mcp_answer(v->mcp, &body))
        answers_refuse(v->req, REFUSED_READ_NO_ROOM, 0);
    else if (body.len == 0)
        http_respond(v->req, &(struct http_response){.status = 202});
    else
        http_respond(v->req, &(struct http_response){.status = mcp_is_refused(v->mcp) ? 400 : 200,
                                                     .body = body});
    visit_end(v);
}

static void go_on(struct visit *v);

static void on_answered(struct http_request *req, const struct http_response *answered, void *ctx)
{
    struct visit *v = ctx;
    size_t needed = answered->body.len * MCP_NEEDED_FACTOR;

    (void)req;
    if (account_take(v->account, needed)) {
        mcp_take(v->mcp, answered->status, answered->body);
        account_give(v->account, needed);
    } else {
        mcp_fail(v->mcp, answers_text(REFUSED_READ_NO_ROOM));
    }
    go_on(v);
}

static void go_on(struct visit *v)
{
    const struct mcp_ask *ask = mcp_next(v->mcp);

    if (!ask) {
        answer(v);
        return;
    }
    http_request_set_errand(
        v->req, &(struct http_errand){
                    .query = ask->query, .param = ask->segment, .answered = on_answered, .ctx = v});
    reads[ask->read](&v->thread->reads, v->req);
}

static bool takes_json(struct slice accept)
{
    struct accept_item item;

    if (!accept.data)
        return true;
    while (accept_next(&accept, &item))
        if (item.weight > 0 &&
            (slice_equal_ascii_nocase(item.name, SLICE_LITERAL("application/json")) ||
             slice_equal_ascii_nocase(item.name, SLICE_LITERAL("application/*")) ||
             slice_equal(item.name, SLICE_LITERAL("*/*"))))
            return true;
    return false;
}

static bool is_json(struct slice type)
{
    return slice_equal_ascii_nocase(slice_trim(slice_cut(&type, ';')),
                                    SLICE_LITERAL("application/json"));
}

/* Answers a request that is none of the protocol, and returns true. */
static bool refuse(const struct api *api, struct http_request *req)
{
    struct slice version = http_request_header(req, "MCP-Protocol-Version");
    struct slice origin = http_request_header(req, "Origin");

    if (!access_allows_origin(api->access, origin, http_request_header(req, "Host")))
        answers_refuse(req, REFUSED_OTHER_SITE, 0);
    else if (!is_json(http_request_header(req, "Content-Type")))
        answers_refuse(req, REFUSED_MCP_TYPE, 0);
    else if (!takes_json(http_request_header(req, "Accept")))
        answers_refuse(req, REFUSED_MCP_ACCEPT, 0);
    else if (version.data && !mcp_version(version.data, version.len))
        answers_refuse(req, REFUSED_MCP_VERSION, 0);
    else if (http_request_body(req).len > MCP_MESSAGE_MAX)
        answers_refuse(req, REFUSED_MCP_SIZE, MCP_MESSAGE_MAX);
    else
        return false;
    return true;
}

void mcp_routes_post(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct account *account = ledger_account(t->api->ledger, LEDGER_READS);
    struct slice version = http_request_header(req, "MCP-Protocol-Version");
    size_t charged = sizeof(struct visit) + http_request_body(req).len * MCP_NEEDED_FACTOR;
    struct visit *v;

    if (refuse(t->api, req))
        return;
    if (!account_take(account, charged)) {
        answers_refuse(req, REFUSED_READ_NO_ROOM, 0);
        return;
    }
    v = xmalloc(sizeof(*v));
    *v = (struct visit){.thread = t, .req = req, .account = account, .charged = charged};
    v->mcp = mcp_new(http_request_body(req),
                     version.data ? mcp_version(version.data, version.len) : NULL, account);
    go_on(v);
}
