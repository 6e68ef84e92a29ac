/* The routes that read logs: what the rooms read and tail do. */
#include "api/internal.h"
#include "read/around.h"
#include "read/list.h"
#include "read/one.h"
#include "read/stats.h"

void read_routes_list(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    if (read_around_is_asked(req))
        read_around_get(&t->reads, req);
    else
        read_list_get(&t->reads, req);
}

void read_routes_stats(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_stats_get(&t->reads, req);
}

void read_routes_patterns(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_stats_get_patterns(&t->reads, req);
}

void read_routes_fields(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_stats_get_fields(&t->reads, req);
}

void read_routes_values(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_stats_get_values(&t->reads, req);
}

void read_routes_one(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_one_get(&t->reads, req);
}

void read_routes_tail(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    tail_start(&t->hub, t->api->access, req);
}
