/*
 * The query string of a URL, as browsers and HTTP clients write it
 * (https://url.spec.whatwg.org/#urlencoded-parsing): name=value&…, "+" is a space, %XX a byte.
 */
#ifndef LOGMILL_HTTP_QUERY_STRING_H
#define LOGMILL_HTTP_QUERY_STRING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

enum { QUERY_STRING_PARAMS_MAX = 128 };

struct query_param {
    struct slice name;
    struct slice value;
};

struct query_string {
    struct query_param params[QUERY_STRING_PARAMS_MAX]; /* in order of appearance */
    size_t len;
    struct buffer text; /* what the params point into */
};

/*
 * Decodes `query`. Invalid UTF-8 becomes U+FFFD, as Python's parse_qsl does. Returns 0,
 * LM_ETOOBIG if there are more than QUERY_STRING_PARAMS_MAX, or LM_ENOMEM. Release in any case.
 */
int query_string_parse(struct query_string *q, struct slice query) LM_MUST_CHECK;
void query_string_release(struct query_string *q);

/* The last value of `name` (as FastAPI takes for a parameter that is not a list), or data NULL. */
struct slice query_string_last(const struct query_string *q, const char *name);

#endif
