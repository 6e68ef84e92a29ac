/*
 * Which handler a method and a path belong to. Built once from the route table, then only read, by
 * all threads. Fixed paths are tried first, then the patterns, those with a fixed segment before
 * those with {…} in the same place; one that lacks the method leaves it to those after it.
 */
#ifndef LOGMILL_HTTP_ROUTER_H
#define LOGMILL_HTTP_ROUTER_H

#include "base/errbuf.h"
#include "base/slice.h"
#include "http/http.h"

enum {
    ROUTER_METHODS_MAX = 8,   /* on one path */
    ROUTER_SEGMENTS_MAX = 16, /* in one path */
    ROUTER_ALLOW_SIZE = 128   /* of a list of all methods of a table */
};

/* All that is served on one path. */
struct router_path {
    struct slice pattern;
    struct slice segments[ROUTER_SEGMENTS_MAX]; /* of a pattern; one that begins with { takes any */
    size_t segments_len;                        /* 0: a fixed path */
    struct slice methods[ROUTER_METHODS_MAX];
    const struct http_route *routes[ROUTER_METHODS_MAX];
    size_t methods_len;
};

struct router;

/*
 * Builds a router of `routes` (ended by a NULL method), which must outlive it.
 * NULL with `err` filled if the table breaks one of the limits above.
 */
struct router *router_new(const struct http_route *routes, struct errbuf *err);
void router_free(struct router *r);

/*
 * The first entry that matches `path` (as sent) and has `method`; if none has, the first that
 * matches; or NULL. `params` gets the text that each {…} took, which points into `path`, and
 * `*params_len` their number.
 */
const struct router_path *router_find(const struct router *r, struct slice path,
                                      struct slice method,
                                      struct slice params[HTTP_PATH_PARAMS_MAX],
                                      size_t *params_len);

/* The route of `method` there, that of GET for HEAD, or NULL. */
const struct http_route *router_path_route(const struct router_path *p, struct slice method);

/* The methods of all entries that match `path`, as "GET, HEAD, POST". */
void router_allow(const struct router *r, struct slice path, char list[ROUTER_ALLOW_SIZE]);

/* Every method that some path takes, for Allow if the path is not known. */
const char *router_allow_any(const struct router *r);

#endif
