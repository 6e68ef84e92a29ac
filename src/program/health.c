#include "program/health.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "fetch/fetch.h"

enum { URL_SIZE = 512, BODY_MAX = 4096 };

int health_ask(const struct health *h, struct errbuf *err)
{
    bool is_ipv6 = strchr(h->host, ':'), asks_who = false;
    struct errbuf reason = ERRBUF_INIT;
    struct buffer body;
    char url[URL_SIZE];
    long status = 0;
    int len, error;

    len = snprintf(url, sizeof(url), "%s://%s%s%s:%llu/health", h->is_tls ? "https" : "http",
                   is_ipv6 ? "[" : "", h->host, is_ipv6 ? "]" : "", (unsigned long long)h->port);
    if (len < 0 || (size_t)len >= sizeof(url))
        return errbuf_fail(err, LM_EUNAVAILABLE, "HOST is too long");
    buffer_init(&body, BODY_MAX);
    error = fetch_run(&(struct fetch){.url = url,
                                      .timeout_ms = HEALTH_TIMEOUT_MS,
                                      .direct = true,
                                      .is_unverified = h->is_tls,
                                      .asks_who = &asks_who},
                      &body, &status, &reason);
    buffer_release(&body);
    if (error && h->needs_certificate && asks_who)
        return 0;
    if (error)
        return errbuf_fail(err, error, "%s: %s", url, reason.text);
    if (status != 200)
        return errbuf_fail(err, LM_EUNAVAILABLE, "%s: answered %ld", url, status);
    return 0;
}
