#include "cli/http_client.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/xalloc.h"
#include "json/writer.h"

enum { REASON_MAX = 300 };

struct http_client {
    CURL *easy;
    char *base;  /* without a slash at its end */
    char *shown; /* the same without user and password */
    struct buffer answer;
    const struct http_client_request *request; /* in flight */
    int take_error;
};

/* ---- The URL ---- */

static char *url_text(CURLU *url)
{
    char *text = NULL, *copy;
    size_t len;

    if (curl_url_get(url, CURLUPART_URL, &text, 0) || !text)
        return NULL;
    len = strlen(text);
    while (len > 0 && text[len - 1] == '/')
        len--;
    copy = xmalloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    curl_free(text);
    return copy;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static bool has_path(CURLU *url)
{
    char *path = NULL;
    bool has = curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK && path[0] &&
               path[strspn(path, "/")] != '\0';

    curl_free(path);
    return has;
}

static int take_url(struct http_client *client, const struct flags *flags, struct errbuf *err)
{
    const char *name = flags_has(flags, "url") ? "--url" : "LOGMILL_URL";
    CURLU *url = curl_url();
    char *scheme = NULL;
    int error = 0;

    if (!url || curl_url_set(url, CURLUPART_URL, flags_text(flags, "url"), 0) ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) || strncmp(scheme, "http", 4) != 0 ||
        has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT)) {
        error = errbuf_fail(err, LM_EINVAL, "%s is not a URL like http://127.0.0.1:8000", name);
    } else if (has_path(url)) {
        error = errbuf_fail(err, LM_EINVAL,
                            "%s has a path; it is the server's address alone, like "
                            "http://127.0.0.1:8000, and the commands add what they ask for",
                            name);
    } else if (flags_has(flags, "url") && has_part(url, CURLUPART_PASSWORD)) {
        error = errbuf_fail(err, LM_EINVAL,
                            "--url: a password is to be given in LOGMILL_URL only, since every "
                            "user of the machine can see flags");
    } else {
        client->base = url_text(url);
        curl_url_set(url, CURLUPART_USER, NULL, 0);
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
        client->shown = url_text(url);
    }
    curl_free(scheme);
    curl_url_cleanup(url);
    return error;
}

struct http_client *http_client_new(const struct flags *flags, struct errbuf *err)
{
    struct http_client *client = xcalloc(1, sizeof(*client));

    buffer_init(&client->answer, HTTP_CLIENT_ANSWER_MAX);
    client->easy = curl_easy_init();
    if (!client->easy)
        errbuf_set(err, "no memory for a request");
    if (client->easy && take_url(client, flags, err) == 0)
        return client;
    http_client_free(client);
    return NULL;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    buffer_release(&client->answer);
    free(client->base);
    free(client->shown);
    free(client);
}

const char *http_client_url(const struct http_client *client)
{
    return client->shown;
}

/* ---- A request ---- */

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct http_client *client = ctx;
    long status = 0;

    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (client->request->take && status == 200) {
        client->take_error = client->request->take(slice_of(data, size * n), client->request->ctx);
        return client->take_error ? 0 : size * n;
    }
    buffer_append(&client->answer, data, size * n);
    return buffer_error(&client->answer) ? 0 : size * n;
}

/* Asked about once a second while nothing comes, too. */
static int ask_whether_over(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct http_client *client = ctx;

    if (client->request->is_over(client->request->ctx))
        client->take_error = LM_ESTOPPED;
    return client->take_error != 0;
}

static struct curl_slist *set_options(struct http_client *client, const char *url, char *reason)
{
    const struct http_client_request *request = client->request;
    CURL *easy = client->easy;
    struct curl_slist *headers = NULL;
    struct buffer type;

    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "logmill/" LOGMILL_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
    if (!getenv("no_proxy") && !getenv("NO_PROXY"))
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    if (request->take) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)HTTP_CLIENT_SILENCE_S);
    } else {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)HTTP_CLIENT_TIMEOUT_MS);
    }
    if (request->is_over) {
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, ask_whether_over);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, client);
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
    if (request->header)
        headers = curl_slist_append(headers, request->header);
    if (request->body.data) {
        buffer_init(&type, 256);
        buffer_appendf(&type, "Content-Type: %s", request->content_type);
        buffer_append_char(&type, '\0');
        headers = curl_slist_append(headers, type.data);
        headers = curl_slist_append(headers, "Expect:");
        buffer_release(&type);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    return headers;
}

/* What FastAPI's shape {"detail": …} says, a text or the first of several; else the whole answer.
 */
static void append_detail(struct buffer *text, struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");
    yyjson_val *place = yyjson_obj_get(yyjson_arr_get_first(detail), "loc");
    yyjson_val *message = yyjson_obj_get(yyjson_arr_get_first(detail), "msg");
    struct slice said = answer;

    if (yyjson_is_str(detail) || yyjson_is_str(message))
        said = json_text(yyjson_is_str(detail) ? detail : message);
    if (place && yyjson_is_str(yyjson_arr_get_last(place)))
        buffer_appendf(text, "%s: ", yyjson_get_str(yyjson_arr_get_last(place)));
    for (size_t i = 0; i < said.len && text->len < REASON_MAX; i++)
        buffer_append_char(
            text, (unsigned char)said.data[i] < ' ' || said.data[i] == 0x7f ? ' ' : said.data[i]);
    yyjson_doc_free(doc);
}

static int fail_by_status(struct http_client *client, long status, struct errbuf *err)
{
    struct buffer text;

    buffer_init(&text, ERRBUF_SIZE);
    append_detail(&text, buffer_slice(&client->answer));
    errbuf_set(err, "%s answered %ld: %.*s", client->shown, status, SLICE_ARG(buffer_slice(&text)));
    buffer_release(&text);
    return status == 422                                         ? LM_EDATA
           : status == 413                                       ? LM_ETOOBIG
           : status == 408 || status == 429 || status / 100 == 5 ? LM_EUNAVAILABLE
                                                                 : LM_EINVAL;
}

int http_client_run(struct http_client *client, const struct http_client_request *request,
                    struct errbuf *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers;
    struct buffer url;
    long status = 0;
    CURLcode rc;

    client->request = request;
    client->take_error = 0;
    buffer_clear(&client->answer);
    buffer_init(&url, SIZE_MAX / 2);
    buffer_append_string(&url, client->base);
    buffer_append_string(&url, request->path);
    buffer_append_char(&url, '\0');
    headers = set_options(client, url.data, reason);
    rc = curl_easy_perform(client->easy);
    curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    buffer_release(&url);
    if (client->take_error)
        return client->take_error;
    if (rc == CURLE_OK)
        return status / 100 == 2 ? 0 : fail_by_status(client, status, err);
    if (rc == CURLE_COULDNT_CONNECT)
        return errbuf_fail(err, LM_EUNAVAILABLE, "no server at %s (%s)", client->shown,
                           reason[0] ? reason : curl_easy_strerror(rc));
    return errbuf_fail(err, LM_EUNAVAILABLE, "%s: %s", client->shown,
                       reason[0] ? reason : curl_easy_strerror(rc));
}

struct slice http_client_answer(const struct http_client *client)
{
    return buffer_slice(&client->answer);
}

unsigned http_client_backoff_ms(const struct http_client *client, unsigned n)
{
    unsigned ms = HTTP_CLIENT_BACKOFF_MIN_MS << (n < 7 ? n - 1 : 6);
    curl_off_t after = 0;

    curl_easy_getinfo(client->easy, CURLINFO_RETRY_AFTER, &after);
    if (after > HTTP_CLIENT_RETRY_AFTER_MAX_S)
        after = HTTP_CLIENT_RETRY_AFTER_MAX_S;
    if (ms > HTTP_CLIENT_BACKOFF_MAX_MS)
        ms = HTTP_CLIENT_BACKOFF_MAX_MS;
    return ms > (unsigned)after * 1000 ? ms : (unsigned)after * 1000;
}
