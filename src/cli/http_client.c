#include "cli/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509_vfy.h>

#include "access/key.h"
#include "base/xalloc.h"
#include "fetch/handle.h"
#include "json/writer.h"

enum { REASON_MAX = 300 };

struct http_client {
    struct fetch_handle *handle;
    char *base;              /* without a slash at its end */
    const char *ca_file;     /* NULL: the system's */
    char *shown;             /* the same without user and password */
    char key[KEY_TEXT_SIZE]; /* "": none */
    struct buffer answer;
    const struct http_client_request *request; /* in flight */
    int take_error;                            /* of its take() or is_over() */
    unsigned status;                           /* of the last answer; 0: there was none */
    unsigned retry_after_s;                    /* of it; 0: it does not ask for that */
};

/* ---- The URL ---- */

static char *url_text(CURLU *url)
{
    char *text = NULL, *copy;

    if (curl_url_get(url, CURLUPART_URL, &text, 0) || !text)
        return NULL;
    size_t len = strlen(text);
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

/* ---- The key ---- */

static int no_key(const char *where, struct errbuf *err)
{
    return errbuf_fail(err, LM_EINVAL,
                       "%s has no key of logmill: lm_ and %d letters and digits, as `logmill keys "
                       "add` prints it; this one is cut off or mistyped",
                       where, KEY_TEXT_LEN - 3);
}

/* Its first line. */
static int read_key_file(const char *path, char line[KEY_TEXT_SIZE + 2], struct errbuf *err)
{
    FILE *file = fopen(path, "re");
    bool has = file && fgets(line, KEY_TEXT_SIZE + 2, file);
    bool failed = !file || ferror(file);
    int error = 0;

    if (failed)
        error =
            errbuf_fail(err, LM_EINVAL, "--key-file: cannot read %s: %s", path, strerror(errno));
    else if (!has)
        error = no_key(path, err);
    if (file)
        fclose(file);
    return error;
}

/* From the flag's file, or the environment; never from a flag, which every user can see. */
static int take_key(struct http_client *client, const struct flags *flags, struct errbuf *err)
{
    const char *path = flags_text(flags, "key-file"), *set = getenv("LOGMILL_KEY");
    char line[KEY_TEXT_SIZE + 2] = "";
    struct slice key;

    if (path && read_key_file(path, line, err))
        return LM_EINVAL;
    if (!path && (!set || !set[0]))
        return 0;
    key = slice_trim(slice_of_string(path ? line : set));
    if (key.len > 0 && key.data[key.len - 1] == '\n')
        key = slice_trim(slice_of(key.data, key.len - 1));
    if (!key_is_whole(key))
        return no_key(path ? path : "LOGMILL_KEY", err);
    memcpy(client->key, key.data, key.len);
    return 0;
}

struct http_client *http_client_new(const struct flags *flags, struct errbuf *err)
{
    struct http_client *client = xcalloc(1, sizeof(*client));

    buffer_init(&client->answer, HTTP_CLIENT_ANSWER_MAX);
    client->ca_file = flags_text(flags, "ca-file");
    client->handle = fetch_handle_new();
    if (!client->handle)
        errbuf_set(err, "no memory for a request");
    if (client->handle && !take_url(client, flags, err) && !take_key(client, flags, err))
        return client;
    http_client_free(client);
    return NULL;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    fetch_handle_free(client->handle);
    buffer_release(&client->answer);
    free(client->base);
    free(client->shown);
    explicit_bzero(client->key, sizeof(client->key));
    free(client);
}

const char *http_client_url(const struct http_client *client)
{
    return client->shown;
}

/* ---- A request ---- */

static int take_piece(struct slice piece, void *ctx)
{
    struct http_client *client = ctx;
    const struct http_client_request *request = client->request;

    if (request->take && fetch_handle_status(client->handle) == 200)
        return client->take_error = request->take(piece, request->ctx);
    buffer_append_slice(&client->answer, piece);
    return buffer_error(&client->answer);
}

static bool is_over(void *ctx)
{
    struct http_client *client = ctx;

    /* Asked once more behind an error of take(), which stays. */
    if (client->request->is_over(client->request->ctx))
        client->take_error = LM_ESTOPPED;
    return client->take_error;
}

static int add_headers(struct http_client *client, const struct http_client_request *request)
{
    struct fetch_handle *handle = client->handle;
    int error = request->header ? fetch_handle_header(handle, request->header, "") : 0;

    if (!error && request->body.data)
        error = fetch_handle_header(handle, "Content-Type: ", request->content_type);
    if (!error && request->body.data)
        error = fetch_handle_header(handle, "Expect:", "");
    if (!error && client->key[0])
        error = fetch_handle_header(handle, "Authorization: Bearer ", client->key);
    return error;
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

    if (status / 100 == 2)
        return errbuf_fail(err, LM_EINVAL, "%s answered %ld, as no logmill does", client->shown,
                           status);
    buffer_init(&text, ERRBUF_SIZE);
    append_detail(&text, buffer_slice(&client->answer));
    errbuf_set(err, "%s answered %ld: %.*s", client->shown, status, SLICE_ARG(buffer_slice(&text)));
    buffer_release(&text);
    return status == 422                                         ? LM_EDATA
           : status == 413                                       ? LM_ETOOBIG
           : status == 408 || status == 429 || status / 100 == 5 ? LM_EUNAVAILABLE
                                                                 : LM_EINVAL;
}

/* Why the server's certificate is not believed, in words that say what to do. */
static const char *explain_certificate(const struct http_client *client)
{
    long result = 0;

    curl_easy_getinfo(client->handle->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the server's certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the server's certificate is not valid yet; is this machine's clock right?";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return client->ca_file
                   ? "the server's certificate is of an authority that is not in --ca-file"
                   : "the server's certificate is of an unknown authority; --ca-file names a file "
                     "with its certificate";
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* libcurl looks at the name first */
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return "the server's certificate is for another name than that of the URL";
    default:
        return NULL;
    }
}

/* The words for a request that has failed by `rc`. */
static const char *explain(const struct http_client *client, CURLcode rc)
{
    const char *words = NULL;

    if (rc == CURLE_PEER_FAILED_VERIFICATION)
        words = explain_certificate(client);
    else if (rc == CURLE_SSL_CACERT_BADFILE)
        words = "--ca-file cannot be read, or has no certificate in PEM in it";
    return words ? words : fetch_handle_reason(client->handle, rc);
}

/* What the end `rc` of a request means for who made it. */
static int judge(struct http_client *client, CURLcode rc, struct errbuf *err)
{
    long status = fetch_handle_status(client->handle), wanted = client->request->wanted;
    const char *reason = explain(client, rc);
    curl_off_t after = 0;

    curl_easy_getinfo(client->handle->easy, CURLINFO_RETRY_AFTER, &after);
    client->retry_after_s = after < HTTP_CLIENT_RETRY_AFTER_MAX_S
                                ? (unsigned)after
                                : (unsigned)HTTP_CLIENT_RETRY_AFTER_MAX_S;
    if (client->take_error)
        return client->take_error;
    if (rc == CURLE_OK && (wanted ? status == wanted : status / 100 == 2))
        return 0;
    if (rc == CURLE_OK)
        return fail_by_status(client, status, err);
    if (rc == CURLE_COULDNT_CONNECT)
        return errbuf_fail(err, LM_EUNAVAILABLE, "no server at %s (%s)", client->shown, reason);
    return errbuf_fail(err, LM_EUNAVAILABLE, "%s: %s", client->shown, reason);
}

int http_client_run(struct http_client *client, const struct http_client_request *request,
                    struct errbuf *err)
{
    struct fetch_request fetch = {
        .body = request->body,
        .proxy = FETCH_PROXY_NOT_LOCAL,
        .ca_file = client->ca_file,
        .timeout_ms = request->take         ? 0
                      : request->timeout_ms ? request->timeout_ms
                                            : HTTP_CLIENT_TIMEOUT_MS,
        .connect_ms = HTTP_CLIENT_CONNECT_MS,
        .silence_ms = request->take ? HTTP_CLIENT_SILENCE_S * 1000 : 0,
        .take = take_piece,
        .is_over = request->is_over ? is_over : NULL,
        .ctx = client,
    };
    struct fetch_handle *h = client->handle;
    struct buffer url;
    int error;

    client->request = request;
    client->take_error = 0;
    client->retry_after_s = 0;
    client->status = 0;
    buffer_clear(&client->answer);
    buffer_init_small(&url);
    buffer_append_string(&url, client->base);
    buffer_append_string(&url, request->path);
    buffer_append_char(&url, '\0');
    fetch.url = url.data;
    if (add_headers(client, request)) {
        error = errbuf_fail(err, LM_EUNAVAILABLE, "no memory for a request");
    } else {
        fetch_handle_set(h, &fetch);
        error = judge(client, fetch_handle_run(h), err);
        client->status = (unsigned)fetch_handle_status(h);
    }
    fetch_handle_end(h);
    buffer_release(&url);
    return error;
}

unsigned http_client_status(const struct http_client *client)
{
    return client->status;
}

struct slice http_client_answer(const struct http_client *client)
{
    return buffer_slice(&client->answer);
}

unsigned http_client_backoff_ms(const struct http_client *client, unsigned n)
{
    unsigned ms = HTTP_CLIENT_BACKOFF_MIN_MS << (n < 7 ? n - 1 : 6);
    unsigned after_ms = client->retry_after_s * 1000;

    if (ms > HTTP_CLIENT_BACKOFF_MAX_MS)
        ms = HTTP_CLIENT_BACKOFF_MAX_MS;
    return ms > after_ms ? ms : after_ms;
}
