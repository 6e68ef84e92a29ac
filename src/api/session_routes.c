/*
 * POST /login, POST /logout, GET /whoami: somebody before a browser says by a key who they are, and
 * the browser bears a cookie from then on (access/session.h). Only our own page may do so in a
 * browser: no other logs somebody in as somebody else, or out.
 */
#include <stdlib.h>

#include "answers/answers.h"
#include "api/internal.h"
#include "base/timestamp.h"
#include "http/query_string.h"
#include "json/reader.h"
#include "json/writer.h"

enum { COOKIE_MAX = 1024, WHO_MAX = 512 * 1024 };

static const struct http_header no_store = {"Cache-Control", {"no-store", 8}};

/* ---- Who ---- */

static void append_text(struct buffer *b, const char *member, struct slice text)
{
    buffer_appendf(b, "\"%s\":", member);
    if (text.data)
        json_append_string(b, text);
    else
        buffer_append_string(b, "null");
    buffer_append_char(b, ',');
}

static void append_flag(struct buffer *b, const char *member, bool is)
{
    buffer_appendf(b, "\"%s\":%s,", member, is ? "true" : "false");
}

static void append_list(struct buffer *b, const char *member, bool read, bool write, bool admin)
{
    buffer_appendf(b, "\"%s\":[%s%s%s%s%s],", member, read ? "\"read\"" : "",
                   read && write ? "," : "", write ? "\"write\"" : "", admin ? "," : "",
                   admin ? "\"admin\"" : "");
}

static void append_set(struct buffer *b, const struct grant *g)
{
    buffer_append_string(b, "\"set\":{");
    for (size_t i = 0; g && i < g->set_len; i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        json_append_string(b, g->set[i].name);
        buffer_append_char(b, ':');
        json_append_string(b, g->set[i].value);
    }
    buffer_append_string(b, "},");
}

/* What who has no key may do goes without saying for who has one: it may do less. */
static void append_who(struct buffer *b, const struct api *api, const struct grant *g,
                       bool by_session)
{
    unsigned anonymous = access_anonymous(api->access);
    bool reads = (anonymous & ANONYMOUS_READ) != 0, writes = (anonymous & ANONYMOUS_WRITE) != 0;
    bool may_read = g ? g->role != GRANT_WRITE : reads;

    buffer_append_char(b, '{');
    append_text(b, "name", g ? slice_of_string(g->name) : slice_of(NULL, 0));
    append_text(b, "role", g ? slice_of_string(grant_role_name(g->role)) : slice_of(NULL, 0));
    append_list(b, "may", may_read, g ? g->role != GRANT_READ : writes,
                g && g->role == GRANT_ADMIN);
    append_text(b, "only", g && g->only ? g->only_text : slice_of(NULL, 0));
    append_set(b, g);
    buffer_append_string(b, "\"expires\":");
    if (g && g->expires_us != INT64_MAX) {
        buffer_append_char(b, '"');
        timestamp_append(b, g->expires_us);
        buffer_append_string(b, "\",");
    } else {
        buffer_append_string(b, "null,");
    }
    append_list(b, "anonymous", reads, writes, false);
    append_flag(b, "operate", access_may_operate(api->access, g));
    append_flag(b, "session", by_session);
    append_flag(b, "keys", access_has_keys(api->access));
    buffer_append_string(b, "\"links\":");
    buffer_append_slice(b, may_read ? buffer_slice(&api->links) : SLICE_LITERAL("{}"));
    buffer_append_char(b, ',');
    buffer_appendf(b, "\"loopback\":%s}", api->is_loopback ? "true" : "false");
}

static void respond_who(struct http_request *req, const struct api *api, const struct grant *g,
                        struct slice cookie)
{
    const struct http_header headers[] = {no_store, {"Set-Cookie", cookie}};
    struct buffer body;

    buffer_init(&body, WHO_MAX);
    append_who(&body, api, g, cookie.len > 0 || access_by_session(req));
    if (buffer_error(&body))
        answers_refuse(req, REFUSED_NO_MEMORY, 0);
    else
        http_respond(req, &(struct http_response){.status = 200,
                                                  .body_buffer = &body,
                                                  .headers = headers,
                                                  .headers_len = cookie.len > 0 ? 2 : 1});
    buffer_release(&body);
}

void session_routes_who(struct http_request *req, void *thread)
{
    const struct api_thread *t = thread;

    respond_who(req, t->api, access_grant(req), slice_of(NULL, 0));
}

/* ---- In ---- */

static bool is_json(const struct http_request *req)
{
    struct slice type = http_request_header(req, "Content-Type");

    return slice_equal_ascii_nocase(slice_trim(slice_cut(&type, ';')),
                                    SLICE_LITERAL("application/json"));
}

/* The key that the body has, as JSON or as a form; it lives in these. Empty: it has none. */
static struct slice find_key(const struct http_request *req, struct json_doc *doc,
                             struct query_string *form)
{
    struct slice body = http_request_body(req);
    bool is_object = is_json(req) && body.len <= ACCESS_OPEN_BODY_MAX;
    bool is_form = !is_json(req) && body.len <= ACCESS_OPEN_BODY_MAX;
    yyjson_val *key = NULL;

    if (is_object && !json_doc_read(doc, body))
        key = yyjson_obj_get(yyjson_doc_get_root(doc->doc), "key");
    if (query_string_parse(form, is_form ? body : slice_of(NULL, 0)))
        return slice_of(NULL, 0);
    return slice_trim(yyjson_is_str(key) ? json_text(key) : query_string_last(form, "key"));
}

static void refuse_log_in(struct http_request *req, enum refusal why)
{
    static const struct http_header headers[] = {
        {"Cache-Control", {"no-store", 8}},
        {"WWW-Authenticate", {"Bearer realm=\"logmill\"", 22}},
    };
    char room[1024];
    struct buffer body;

    if (why == REFUSED_GUESSES) {
        answers_refuse_for(req, why, 0, 60);
        return;
    }
    buffer_init_over(&body, room, sizeof(room));
    answers_append(&body, why, 0);
    http_respond(req, &(struct http_response){.status = answers_status(why),
                                              .body = buffer_slice(&body),
                                              .headers = headers,
                                              .headers_len = answers_status(why) == 401 ? 2 : 1});
}

static void log_in_with(struct http_request *req, struct api *api, struct slice key)
{
    char room[COOKIE_MAX];
    struct buffer cookie;
    struct grant *g;
    enum refusal why;

    buffer_init_over(&cookie, room, sizeof(room));
    if (access_log_in(api->access, req, key, &cookie, &g, &why))
        respond_who(req, api, g, buffer_slice(&cookie));
    else
        refuse_log_in(req, why);
    grant_unref(g);
    explicit_bzero(room, sizeof(room));
}

void session_routes_log_in(struct http_request *req, void *thread)
{
    const struct api_thread *t = thread;
    struct query_string form;
    struct json_doc doc;

    if (!access_is_own(req)) {
        answers_refuse(req, REFUSED_OTHER_SITE, 0);
        return;
    }
    json_doc_init(&doc);

    struct slice key = find_key(req, &doc, &form);

    if (key.len == 0)
        refuse_log_in(req, REFUSED_LOG_IN_FORM);
    else
        log_in_with(req, t->api, key);
    query_string_release(&form);
    json_doc_release(&doc);
}

/* ---- Out ---- */

void session_routes_log_out(struct http_request *req, void *thread)
{
    char room[COOKIE_MAX];
    struct buffer cookie;

    if (!access_is_own(req)) {
        answers_refuse(req, REFUSED_OTHER_SITE, 0);
        return;
    }
    buffer_init_over(&cookie, room, sizeof(room));
    access_log_out(req, &cookie);

    const struct http_header headers[] = {no_store, {"Set-Cookie", buffer_slice(&cookie)}};

    http_respond(req, &(struct http_response){.status = 204, .headers = headers, .headers_len = 2});
}
