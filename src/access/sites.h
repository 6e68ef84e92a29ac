/*
 * From which hosts and pages requests may come (access/access.h says why): ALLOWED_HOSTS and
 * CORS_ORIGINS. Never changes, any thread. Internal to access/.
 */
#ifndef LOGMILL_ACCESS_SITES_H
#define LOGMILL_ACCESS_SITES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "base/slice.h"

enum { SITES_NAMES_MAX = 64, SITES_ORIGIN_BYTES_MAX = 128 };

/* One of those that are allowed, with the lines of answers to its pages. */
struct site_origin {
    struct slice name;       /* "https://app.example" */
    struct buffer answer;    /* the lines of its answers */
    struct buffer unknown;   /* of those that ask for a key */
    struct buffer soon;      /* of those that ask to come again in a moment */
    struct buffer later;     /* or in a minute */
    struct buffer preflight; /* and of the answer to the question beforehand */
};

struct sites {
    bool any_host;
    struct slice hosts[SITES_NAMES_MAX];
    size_t hosts_len;
    bool any_origin; /* then origins[0] is "*" */
    struct site_origin origins[SITES_NAMES_MAX];
    size_t origins_len;
};

/* The texts are as access_new has them, and must outlive it. 0, LM_EINVAL, LM_ETOOBIG, LM_ENOMEM,
 * with `err` naming the setting and what is wrong. */
int sites_init(struct sites *s, const char *hosts, const char *origins,
               struct errbuf *err) LM_MUST_CHECK;
void sites_release(struct sites *s);

/* `header` is Host, with a port or not. */
bool sites_allow_host(const struct sites *s, struct slice header);

/* NULL: it is not allowed; data NULL: there is none. */
const struct site_origin *sites_find_origin(const struct sites *s, struct slice name);

/* As access_allows_origin. */
bool sites_allow_origin(const struct sites *s, struct slice origin, struct slice host);

/* What a browser says of whoever asks: our page, or a person who typed an address. Of browsers that
 * say nothing of it the cookie's SameSite=Strict has to do. */
bool sites_is_own(struct slice fetch_site, struct slice origin, struct slice host);

#endif
