/* GET /logs, /logs/stats, /logs/{id} and /logs/tail: what the rooms read and tail do. */
#include "api/internal.h"
#include "read/list.h"
#include "read/one.h"
#include "read/stats.h"

void read_routes_list(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_list_get(&t->reads, req);
}

void read_routes_stats(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_stats_get(&t->reads, req);
}

void read_routes_one(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    read_one_get(&t->reads, req);
}

void read_routes_tail(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    tail_start(&t->hub, req);
}
