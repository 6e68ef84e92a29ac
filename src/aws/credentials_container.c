/* The credentials endpoint of a container: ECS, Fargate, EKS Pod Identity. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_sources.h"
#include "base/buffer.h"
#include "fetch/fetch.h"

#define CONTAINER_AT "http://169.254.170.2"

enum { HEADER_BYTES_MAX = 32 << 10 };

/* Hosts that a token may be sent to without TLS. */
static bool is_near(const char *host)
{
    static const char *const near[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "::1"};
    unsigned char address[16];
    unsigned char wanted[16];
    size_t len = strlen(host);
    char bare[INET6_ADDRSTRLEN + 1];

    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, address) == 1 && address[0] == 127)
        return true;
    if (len >= 2 && host[0] == '[' && len - 2 < sizeof(bare)) {
        memcpy(bare, host + 1, len - 2);
        bare[len - 2] = '\0';
        host = bare;
    }
    for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
        int family = strchr(near[i], ':') ? AF_INET6 : AF_INET;

        if (inet_pton(family, host, address) == 1 && inet_pton(family, near[i], wanted) == 1 &&
            memcmp(address, wanted, family == AF_INET6 ? 16 : 4) == 0)
            return true;
    }
    return false;
}

/* Parsed by libcurl, which also makes the request: so both mean the same host. */
static int check_url(const char *text, struct errbuf *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    int error = 0;

    if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        error = errbuf_fail(err, LM_EINVAL, "AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL");
    else if (strcmp(scheme, "https") != 0 && (strcmp(scheme, "http") != 0 || !is_near(host)))
        error = errbuf_fail(err, LM_EINVAL,
                            "AWS_CONTAINER_CREDENTIALS_FULL_URI: without TLS only loopback, "
                            "169.254.170.2, 169.254.170.23 and [fd00:ec2::23] are allowed");
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return error;
}

static int make_url(const struct aws_credentials_options *options,
                    char url[AWS_CREDENTIALS_URL_MAX], struct errbuf *err)
{
    const char *relative = aws_profile_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_profile_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    int len;

    if (!relative && !full)
        return LM_ENOTFOUND;
    if (relative && relative[0] != '/') /* "@elsewhere/" would name another host */
        return errbuf_fail(err, LM_EINVAL,
                           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
    if (relative)
        len = snprintf(url, AWS_CREDENTIALS_URL_MAX, "%s%s",
                       options->container_at ? options->container_at : CONTAINER_AT, relative);
    else
        len = snprintf(url, AWS_CREDENTIALS_URL_MAX, "%s", full);
    if (len >= AWS_CREDENTIALS_URL_MAX)
        return errbuf_fail(err, LM_EINVAL, "the URL of the container credentials is too long");
    return relative ? 0 : check_url(url, err);
}

/* The Authorization header, or an empty one if there is no token. The file is read each time. */
static int make_header(char header[HEADER_BYTES_MAX], struct errbuf *err)
{
    const char *file = aws_profile_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *given = aws_profile_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char *text = NULL;
    int error = 0;
    int len;

    header[0] = '\0';
    if (file && (error = aws_profile_read_file(file, &text, err)))
        return error == LM_ENOTFOUND ? LM_EUNAVAILABLE : error;
    if (text) {
        size_t end = strlen(text);

        while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r'))
            text[--end] = '\0';
        given = text;
    }
    if (given && strpbrk(given, "\r\n")) {
        error = errbuf_fail(err, LM_EINVAL, "the container's authorization token has a line break");
    } else if (given) {
        len = snprintf(header, HEADER_BYTES_MAX, "Authorization: %s", given);
        if (len >= HEADER_BYTES_MAX)
            error = errbuf_fail(err, LM_EINVAL, "the container's authorization token is too long");
    }
    aws_profile_free_text(text);
    return error;
}

static int ask(const struct fetch *fetch, struct aws_credentials *c, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    struct buffer answer;
    long status = 0;

    buffer_init(&answer, AWS_CREDENTIALS_ANSWER_MAX);
    buffer_reserve(&answer, AWS_CREDENTIALS_ANSWER_MAX);
    int error = fetch_run(fetch, &answer, &status, &reason);
    if (!error && status != 200)
        error = errbuf_fail(&reason, LM_EUNAVAILABLE, "HTTP %ld", status);
    if (!error)
        error = aws_credentials_from_json(buffer_slice(&answer), "Token", c, &reason);
    if (error)
        errbuf_set(err, "container credentials: %s", reason.text);
    if (answer.data)
        explicit_bzero(answer.data, answer.capacity);
    buffer_release(&answer);
    return error;
}

int aws_credentials_container_find(const struct aws_credentials_options *options,
                                   struct aws_credentials *c, struct errbuf *err)
{
    char url[AWS_CREDENTIALS_URL_MAX];
    char header[HEADER_BYTES_MAX];
    struct fetch fetch = {
        .url = url,
        .ca_file = aws_profile_env("AWS_CA_BUNDLE"),
        .timeout_ms = AWS_CREDENTIALS_HTTP_TIMEOUT_MS,
        .direct = true,
        .stop = options->stop,
    };
    int error = make_url(options, url, err);

    if (!error)
        error = make_header(header, err);
    if (error)
        return error;
    if (header[0] != '\0')
        fetch.headers[0] = header;
    error = ask(&fetch, c, err);
    explicit_bzero(header, sizeof(header));
    c->source = "the container's credentials endpoint";
    return error;
}
