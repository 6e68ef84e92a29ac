#include "aws/endpoint.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/profile.h"
#include "base/buffer.h"
#include "base/xalloc.h"

enum {
    URL_BYTES_MAX = 2048,
    LABELS_MAX = 8, /* parts of a host's name that are looked at, from the right */
};

/* Splits `host` at its dots; the labels stand from the last to the first. */
static size_t split_host(const char *host, struct slice labels[LABELS_MAX])
{
    size_t n = 0;
    const char *end = host + strlen(host);

    while (n < LABELS_MAX && end >= host) {
        const char *start = end;

        while (start > host && start[-1] != '.')
            start--;
        labels[n++] = slice_of(start, (size_t)(end - start));
        end = start - 1;
    }
    return n;
}

/*
 * The region in a host of Amazon's: sqs.REGION.amazonaws.com(.cn), sqs-fips.REGION.…,
 * vpce-….sqs.REGION.vpce.amazonaws.com, sqs.REGION.api.aws and, of old, REGION.queue.amazonaws.com
 * and queue.amazonaws.com. NULL if it is none.
 */
static char *region_of_host(const char *host)
{
    struct slice labels[LABELS_MAX];
    size_t n = split_host(host, labels);
    size_t at = 2; /* the label before amazonaws.com */

    if (n > 3 && slice_equal(labels[0], SLICE_LITERAL("cn")))
        at = 3;
    if (n <= at)
        return NULL;
    if (!slice_equal(labels[at - 1], SLICE_LITERAL("amazonaws")) &&
        !(slice_equal(labels[0], SLICE_LITERAL("aws")) &&
          slice_equal(labels[1], SLICE_LITERAL("api"))))
        return NULL;
    if (slice_equal(labels[at], SLICE_LITERAL("vpce")) && n > at + 1)
        at++;
    struct slice region = labels[at];
    if (slice_equal(region, SLICE_LITERAL("queue")))
        region = n > at + 1 ? labels[at + 1] : SLICE_LITERAL("us-east-1");
    if (!memchr(region.data, '-', region.len))
        return NULL;
    char *copy = xcalloc(1, region.len + 1);
    memcpy(copy, region.data, region.len);
    return copy;
}

/* What is of interest in a URL. */
struct parts {
    char *url; /* with a slash at its end, without query or fragment */
    char *host;
};

static void release_parts(struct parts *p)
{
    free(p->url);
    free(p->host);
}

/* Takes `text` apart; its path is kept if `with_path`. */
static bool take_apart(const char *text, bool with_path, struct parts *p)
{
    CURLU *url = curl_url();
    char *whole = NULL;
    char *host = NULL;
    struct buffer b;

    *p = (struct parts){0};
    bool ok = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
              (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) &&
              (with_path || curl_url_set(url, CURLUPART_PATH, "/", 0) == CURLUE_OK) &&
              curl_url_set(url, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
              curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK &&
              strlen(whole) < URL_BYTES_MAX;
    if (ok) {
        buffer_init(&b, URL_BYTES_MAX + 1);
        buffer_append_string(&b, whole);
        if (whole[strlen(whole) - 1] != '/')
            buffer_append_char(&b, '/');
        buffer_append_char(&b, '\0');
        p->url = xstrdup(b.data);
        p->host = xstrdup(host);
        buffer_release(&b);
    }
    curl_free(whole);
    curl_free(host);
    curl_url_cleanup(url);
    return ok;
}

static const char *given_url(const char *variable, const struct aws_profile *profile)
{
    const char *url = aws_profile_env(variable);

    if (!url)
        url = aws_profile_env("AWS_ENDPOINT_URL");
    return url ? url : profile->values[AWS_PROFILE_ENDPOINT_URL];
}

static char *given_region(const struct aws_profile *profile)
{
    const char *region = aws_profile_env("AWS_REGION");

    if (!region)
        region = aws_profile_env("AWS_DEFAULT_REGION");
    if (!region)
        region = profile->values[AWS_PROFILE_REGION];
    return region ? xstrdup(region) : NULL;
}

int aws_endpoint_find(struct aws_endpoint *endpoint, const char *variable, const char *resource_url,
                      struct errbuf *err)
{
    struct aws_profile profile;
    struct parts resource = {0};
    struct parts given = {0};
    const char *url;
    int error = aws_profile_load(&profile, err);

    *endpoint = (struct aws_endpoint){0};
    if (error)
        return error;
    url = given_url(variable, &profile);
    if (!take_apart(resource_url, false, &resource)) {
        error = errbuf_fail(err, LM_EINVAL, "\"%s\" is not an http or https URL", resource_url);
        goto out;
    }
    if (url && !take_apart(url, true, &given)) {
        error =
            errbuf_fail(err, LM_EINVAL, "%s: \"%s\" is not an http or https URL", variable, url);
        goto out;
    }
    endpoint->url = xstrdup(url ? given.url : resource.url);
    endpoint->region = region_of_host(url ? given.host : resource.host);
    if (!endpoint->region)
        endpoint->region = given_region(&profile);
    if (!endpoint->region)
        endpoint->region = region_of_host(resource.host);
    if (!endpoint->region) {
        error = errbuf_fail(err, LM_EINVAL, "no AWS region is known: set AWS_REGION");
        aws_endpoint_release(endpoint);
    }
out:
    release_parts(&given);
    release_parts(&resource);
    aws_profile_release(&profile);
    return error;
}

void aws_endpoint_release(struct aws_endpoint *endpoint)
{
    free(endpoint->url);
    free(endpoint->region);
    *endpoint = (struct aws_endpoint){0};
}
