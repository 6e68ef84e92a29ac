#include "fetch/handle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum { HEADER_BYTES_MAX = 64 << 10 };

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void fetch_handle_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_curl);
}

struct fetch_handle *fetch_handle_new(void)
{
    fetch_handle_init();

    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    struct fetch_handle *h = xcalloc(1, sizeof(*h));
    h->easy = easy;
    return h;
}

static void forget_headers(struct fetch_handle *h)
{
    for (struct curl_slist *header = h->headers; header; header = header->next)
        explicit_bzero(header->data, strlen(header->data));
    curl_slist_free_all(h->headers);
    h->headers = NULL;
}

void fetch_handle_free(struct fetch_handle *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    forget_headers(h);
    free(h);
}

int fetch_handle_header(struct fetch_handle *h, const char *name, const char *value)
{
    struct curl_slist *longer = NULL;
    struct buffer line;

    buffer_init(&line, HEADER_BYTES_MAX);
    buffer_append_string(&line, name);
    buffer_append_string(&line, value);
    buffer_append_char(&line, '\0');
    if (!buffer_error(&line))
        longer = curl_slist_append(h->headers, line.data);
    if (longer)
        h->headers = longer;
    if (line.data)
        explicit_bzero(line.data, line.capacity);
    buffer_release(&line);
    return longer ? 0 : LM_ENOMEM;
}

static size_t take_piece(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch_handle *h = ctx;

    h->error = h->request->take(slice_of(data, size * n), h->request->ctx);
    return h->error ? 0 : size * n;
}

uint64_t fetch_handle_silent_us(const struct fetch_handle *h)
{
    unsigned silence_ms = h->request->silence_ms;

    return silence_ms > 0 ? h->moved_us + (uint64_t)silence_ms * 1000 : UINT64_MAX;
}

/*
 * Whether the request goes on. Not by libcurl's CURLOPT_LOW_SPEED_TIME, which takes the mean of
 * some seconds for the speed: after a few hundred bytes that counts from six seconds later on.
 */
static int look_after(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up)
{
    struct fetch_handle *h = ctx;
    uint64_t now = clock_monotonic_us();

    if (h->request->is_over && h->request->is_over(h->request->ctx))
        h->error = LM_ESTOPPED;
    if (down + up != h->moved) {
        h->moved = down + up;
        h->moved_us = now;
    } else if (!h->error && now >= fetch_handle_silent_us(h)) {
        h->error = LM_ETIMEOUT;
    }
    return h->error;
}

/* OpenSSL: the server asks for a certificate. It gets none. */
static int note_that_it_asks(SSL *ssl, void *ctx)
{
    *(bool *)ctx = true;
    return 1;
}

static CURLcode look_at_certificates(CURL *easy, void *context, void *ctx)
{
    SSL_CTX_set_cert_cb(context, note_that_it_asks, ctx);
    return CURLE_OK;
}

/* With another library than OpenSSL behind libcurl it is never told. */
static void watch_certificates(struct fetch_handle *h)
{
    const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;

    if (!h->request->asks_who || !library || strncmp(library, "OpenSSL/", 8) != 0)
        return;
    curl_easy_setopt(h->easy, CURLOPT_SSL_CTX_FUNCTION, look_at_certificates);
    curl_easy_setopt(h->easy, CURLOPT_SSL_CTX_DATA, h->request->asks_who);
}

static void set_times(struct fetch_handle *h)
{
    const struct fetch_request *r = h->request;

    if (r->timeout_ms > 0)
        curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    if (r->connect_ms > 0)
        curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    if (r->is_over || r->silence_ms > 0) {
        curl_easy_setopt(h->easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(h->easy, CURLOPT_XFERINFOFUNCTION, look_after);
        curl_easy_setopt(h->easy, CURLOPT_XFERINFODATA, h);
    }
}

static void set_proxy(struct fetch_handle *h)
{
    switch (h->request->proxy) {
    case FETCH_PROXY_NEVER:
        curl_easy_setopt(h->easy, CURLOPT_NOPROXY, "*");
        break;
    case FETCH_PROXY_NOT_LOCAL:
        if (!getenv("no_proxy") && !getenv("NO_PROXY"))
            curl_easy_setopt(h->easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
        break;
    case FETCH_PROXY_AS_SET:
        break;
    }
}

void fetch_handle_set(struct fetch_handle *h, const struct fetch_request *request)
{
    h->request = request;
    h->error = 0;
    h->moved = 0;
    h->moved_us = clock_monotonic_us();
    h->reason[0] = '\0';
    curl_easy_setopt(h->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "logmill/" LOGMILL_VERSION);
    curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->reason);
    curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
    if (request->ca_file)
        curl_easy_setopt(h->easy, CURLOPT_CAINFO, request->ca_file);
    if (request->is_unverified) {
        curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (request->body.data) {
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, request->body.data);
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    if (request->method)
        curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, request->method);
    watch_certificates(h);
    set_times(h);
    set_proxy(h);
}

CURLcode fetch_handle_run(struct fetch_handle *h)
{
    return curl_easy_perform(h->easy);
}

long fetch_handle_status(const struct fetch_handle *h)
{
    long status = 0;

    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

bool fetch_handle_was_sent(const struct fetch_handle *h)
{
    long bytes = 0;

    return curl_easy_getinfo(h->easy, CURLINFO_REQUEST_SIZE, &bytes) != CURLE_OK || bytes > 0;
}

int fetch_handle_error(const struct fetch_handle *h, CURLcode rc)
{
    if (h->error)
        return h->error;
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return LM_ETIMEOUT;
    return rc == CURLE_OK ? 0 : LM_EUNAVAILABLE;
}

const char *fetch_handle_reason(const struct fetch_handle *h, CURLcode rc)
{
    if (rc == CURLE_ABORTED_BY_CALLBACK && h->error == LM_ETIMEOUT)
        return "no byte came or went for too long";
    return h->reason[0] ? h->reason : curl_easy_strerror(rc);
}

void fetch_handle_end(struct fetch_handle *h)
{
    curl_easy_reset(h->easy);
    forget_headers(h);
}
