#include "aws/fetch.h"

#include <pthread.h>
#include <stdlib.h>

#include <curl/curl.h>

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void aws_fetch_global_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_curl);
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct buffer *body = ctx;

    buffer_append(body, data, size * n);
    return buffer_error(body) != 0 ? 0 : size * n;
}

/* Called about once a second. */
static int look_whether_to_stop(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct aws_fetch *fetch = ctx;

    return fetch->stop != NULL && atomic_load(fetch->stop);
}

int aws_fetch_run(const struct aws_fetch *fetch, struct buffer *body, long *status,
                  struct errbuf *err)
{
    struct curl_slist *headers = NULL;
    char reason[CURL_ERROR_SIZE] = "";
    CURL *easy;
    CURLcode rc;

    aws_fetch_global_init();
    easy = curl_easy_init();
    if (easy == NULL)
        return errbuf_fail(err, LM_EUNAVAILABLE, "no memory for a request");
    for (size_t i = 0; i < AWS_FETCH_HEADERS_MAX && fetch->headers[i] != NULL; i++)
        headers = curl_slist_append(headers, fetch->headers[i]);
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (fetch->body != NULL)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body);
    if (fetch->method != NULL)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, fetch->method);
    if (fetch->direct)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (getenv("AWS_CA_BUNDLE") != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("AWS_CA_BUNDLE"));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_whether_to_stop);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, (void *)fetch);
    rc = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    if (rc == CURLE_OK)
        return 0;
    return errbuf_fail(err,
                       rc == CURLE_OPERATION_TIMEDOUT    ? LM_ETIMEOUT
                       : rc == CURLE_ABORTED_BY_CALLBACK ? LM_ESTOPPED
                                                         : LM_EUNAVAILABLE,
                       "%s", reason[0] != '\0' ? reason : curl_easy_strerror(rc));
}
