/*
 * Where a service is asked, and in which region.
 *
 * URL: AWS_ENDPOINT_URL_<SERVICE>, else AWS_ENDPOINT_URL, else the profile's endpoint_url, else the
 * host that a resource's own URL names. Region: that of the URL if it is one of Amazon's (there
 * no other can be right), else AWS_REGION, AWS_DEFAULT_REGION, the profile's region, or that of the
 * resource's URL.
 */
#ifndef LOGMILL_AWS_ENDPOINT_H
#define LOGMILL_AWS_ENDPOINT_H

#include "base/errbuf.h"

struct aws_endpoint {
    char *url; /* ends with a slash */
    char *region;
};

/*
 * `variable` is AWS_ENDPOINT_URL_SQS or the like; `resource_url` a queue's URL.
 * Returns 0, or LM_EINVAL if a URL is none or no region is known.
 */
int aws_endpoint_find(struct aws_endpoint *endpoint, const char *variable, const char *resource_url,
                      struct errbuf *err) LM_MUST_CHECK;

void aws_endpoint_release(struct aws_endpoint *endpoint);

#endif
