#include "http/router.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct router {
    struct router_path *paths; /* fixed ones first, then patterns by precedence */
    size_t paths_len;
    char allow_any[ROUTER_ALLOW_SIZE];
};

static bool is_param(struct slice segment)
{
    return segment.len >= 2 && segment.data[0] == '{' && segment.data[segment.len - 1] == '}';
}

/* Adds `method` to a list of the form "GET, POST", once. False if it does not fit. */
static bool allow_add(char *list, size_t size, const char *method)
{
    size_t len = strlen(list);
    size_t method_len = strlen(method);

    for (const char *p = list; *p != '\0';) {
        size_t n = strcspn(p, ",");

        if (n == method_len && memcmp(p, method, n) == 0)
            return true;
        p += n + strspn(p + n, ", ");
    }
    int n = snprintf(list + len, size - len, "%s%s", len > 0 ? ", " : "", method);
    return n >= 0 && (size_t)n < size - len;
}

/* Splits a pattern into its segments; leaves segments_len 0 for a fixed path. */
static int split_pattern(struct router_path *p, struct errbuf *err)
{
    if (!memchr(p->pattern.data, '{', p->pattern.len))
        return 0;
    size_t params = 0;
    const char *end = p->pattern.data + p->pattern.len;
    for (const char *at = p->pattern.data; at < end;) {
        const char *begin = at + 1; /* after the slash */
        const char *slash = memchr(begin, '/', (size_t)(end - begin));

        at = slash ? slash : end;
        if (p->segments_len == ROUTER_SEGMENTS_MAX)
            return errbuf_fail(err, LM_ETOOBIG, "route %s has more than %d segments",
                               p->pattern.data, ROUTER_SEGMENTS_MAX);
        struct slice segment = slice_of(begin, (size_t)(at - begin));
        if (is_param(segment) && ++params > HTTP_PATH_PARAMS_MAX)
            return errbuf_fail(err, LM_ETOOBIG, "route %s has more than %d parameters",
                               p->pattern.data, HTTP_PATH_PARAMS_MAX);
        p->segments[p->segments_len++] = segment;
    }
    return 0;
}

/* The entry of exactly this pattern, made if there is none yet. */
static struct router_path *path_of(struct router *r, const char *pattern, struct errbuf *err)
{
    struct slice text = slice_of_string(pattern);

    for (size_t i = 0; i < r->paths_len; i++) {
        if (slice_equal(r->paths[i].pattern, text))
            return &r->paths[i];
    }
    if (text.len == 0 || text.data[0] != '/') {
        errbuf_set(err, "route \"%s\" does not begin with a slash", pattern);
        return NULL;
    }
    struct router_path *p = &r->paths[r->paths_len];
    p->pattern = text;
    if (split_pattern(p, err) < 0)
        return NULL;
    r->paths_len++;
    return p;
}

static int add_route(struct router *r, const struct http_route *route, struct errbuf *err)
{
    struct router_path *p = path_of(r, route->path, err);

    if (!p)
        return LM_EINVAL;
    if (p->methods_len == ROUTER_METHODS_MAX)
        return errbuf_fail(err, LM_ETOOBIG, "route %s has more than %d methods", route->path,
                           ROUTER_METHODS_MAX);
    p->methods[p->methods_len] = slice_of_string(route->method);
    p->routes[p->methods_len++] = route;
    bool fits = allow_add(r->allow_any, sizeof(r->allow_any), route->method);
    if (fits && strcmp(route->method, "GET") == 0)
        fits = allow_add(r->allow_any, sizeof(r->allow_any), "HEAD");
    return fits ? 0 : errbuf_fail(err, LM_ETOOBIG, "too many methods for %s", route->path);
}

/* Fixed paths before patterns; of two patterns, the one with the earlier fixed segment first. */
static int compare_paths(const void *left, const void *right)
{
    const struct router_path *a = left, *b = right;

    if ((a->segments_len == 0) != (b->segments_len == 0))
        return a->segments_len == 0 ? -1 : 1;
    size_t n = a->segments_len < b->segments_len ? a->segments_len : b->segments_len;
    for (size_t i = 0; i < n; i++) {
        if (is_param(a->segments[i]) != is_param(b->segments[i]))
            return is_param(a->segments[i]) ? 1 : -1;
    }
    return 0;
}

struct router *router_new(const struct http_route *routes, struct errbuf *err)
{
    size_t len = 0;

    while (routes && routes[len].method)
        len++;
    struct router *r = xcalloc(1, sizeof(*r));
    r->paths = xcalloc(len + 1, sizeof(*r->paths));
    for (size_t i = 0; i < len; i++) {
        if (add_route(r, &routes[i], err) < 0) {
            router_free(r);
            return NULL;
        }
    }
    qsort(r->paths, r->paths_len, sizeof(*r->paths), compare_paths);
    return r;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    free(r->paths);
    free(r);
}

static bool match_pattern(const struct router_path *p, struct slice path,
                          struct slice params[HTTP_PATH_PARAMS_MAX], size_t *params_len)
{
    size_t found = 0;
    const char *at = path.data;
    const char *end = path.data + path.len;

    for (size_t i = 0; i < p->segments_len; i++) {
        if (at == end || *at != '/')
            return false;
        const char *begin = ++at;
        const char *slash = memchr(begin, '/', (size_t)(end - begin));
        at = slash ? slash : end;
        struct slice segment = slice_of(begin, (size_t)(at - begin));
        if (!is_param(p->segments[i])) {
            if (!slice_equal(segment, p->segments[i]))
                return false;
        } else if (segment.len == 0) {
            return false;
        } else {
            params[found++] = segment;
        }
    }
    *params_len = found;
    return at == end;
}

const struct http_route *router_path_route(const struct router_path *p, struct slice method)
{
    for (size_t i = 0; i < p->methods_len; i++) {
        if (slice_equal(p->methods[i], method))
            return p->routes[i];
    }
    if (slice_equal(method, SLICE_LITERAL("HEAD")))
        return router_path_route(p, SLICE_LITERAL("GET"));
    return NULL;
}

static bool matches(const struct router_path *p, struct slice path,
                    struct slice params[HTTP_PATH_PARAMS_MAX], size_t *params_len)
{
    *params_len = 0;
    return p->segments_len == 0 ? slice_equal(p->pattern, path)
                                : match_pattern(p, path, params, params_len);
}

const struct router_path *router_find(const struct router *r, struct slice path,
                                      struct slice method,
                                      struct slice params[HTTP_PATH_PARAMS_MAX], size_t *params_len)
{
    const struct router_path *first = NULL;

    for (size_t i = 0; i < r->paths_len; i++) {
        const struct router_path *p = &r->paths[i];

        if (!matches(p, path, params, params_len))
            continue;
        if (router_path_route(p, method))
            return p;
        if (!first)
            first = p;
    }
    *params_len = 0;
    if (first)
        matches(first, path, params, params_len);
    return first;
}

void router_allow(const struct router *r, struct slice path, char list[ROUTER_ALLOW_SIZE])
{
    struct slice params[HTTP_PATH_PARAMS_MAX];
    size_t params_len;

    list[0] = '\0';
    for (size_t i = 0; i < r->paths_len; i++) {
        const struct router_path *p = &r->paths[i];

        if (!matches(p, path, params, &params_len))
            continue;
        for (size_t k = 0; k < p->methods_len; k++) {
            allow_add(list, ROUTER_ALLOW_SIZE, p->routes[k]->method);
            if (strcmp(p->routes[k]->method, "GET") == 0)
                allow_add(list, ROUTER_ALLOW_SIZE, "HEAD");
        }
    }
}

const char *router_allow_any(const struct router *r)
{
    return r->allow_any;
}
