#include "cache/redis/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"

struct redis_resolve {
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned references; /* the owner's, and that of a lookup under way */
    bool running;        /* a lookup is under way */
    bool answered;       /* the last one has ended, and nobody has taken its answer yet */
    int code;            /* of getaddrinfo */
    struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX];
    size_t addresses_len;
    char *host;
    char port[sizeof("65535")];
};

struct redis_resolve *redis_resolve_new(const char *host, unsigned port)
{
    struct redis_resolve *r = xcalloc(1, sizeof(*r));

    pthread_mutex_init(&r->lock, NULL);
    monotonic_cond_init(&r->done);
    r->references = 1;
    r->host = xstrdup(host);
    snprintf(r->port, sizeof(r->port), "%u", port % 65536);
    return r;
}

/* Called with the lock held, which is let go of. */
static void drop_reference(struct redis_resolve *r)
{
    bool last = --r->references == 0;

    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->lock);
    free(r->host);
    free(r);
}

void redis_resolve_free(struct redis_resolve *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    drop_reference(r);
}

static int get_addresses(const char *host, const char *port, int flags,
                         struct redis_resolve_address *addresses, size_t *n)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, port, &hints, &list);

    *n = 0;
    for (struct addrinfo *a = list; code == 0 && a && *n < REDIS_RESOLVE_ADDRESSES_MAX;
         a = a->ai_next) {
        memcpy(&addresses[*n].address, a->ai_addr, a->ai_addrlen);
        addresses[(*n)++].len = a->ai_addrlen;
    }
    if (list)
        freeaddrinfo(list);
    return code == 0 && *n == 0 ? EAI_NONAME : code;
}

static void *lookup_main(void *arg)
{
    struct redis_resolve *r = arg;
    struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX];
    size_t n;
    int code = get_addresses(r->host, r->port, AI_ADDRCONFIG, addresses, &n);

    pthread_mutex_lock(&r->lock);
    r->code = code;
    memcpy(r->addresses, addresses, n * sizeof(addresses[0]));
    r->addresses_len = n;
    r->running = false;
    r->answered = true;
    pthread_cond_broadcast(&r->done);
    drop_reference(r);
    return NULL;
}

/* Called with the lock held. */
static int start_lookup(struct redis_resolve *r)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, lookup_main, r))
        return LM_ENOMEM;
    pthread_detach(thread);
    r->references++;
    r->running = true;
    return 0;
}

static int take_answer(struct redis_resolve *r, struct redis_resolve_address *addresses, size_t *n,
                       struct errbuf *err)
{
    r->answered = false;
    if (r->code)
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot find the address of %s: %s", r->host,
                           gai_strerror(r->code));
    memcpy(addresses, r->addresses, r->addresses_len * sizeof(addresses[0]));
    *n = r->addresses_len;
    return 0;
}

int redis_resolve_lookup(struct redis_resolve *r, uint64_t deadline_us,
                         struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX],
                         size_t *n, struct errbuf *err)
{
    int error = 0;

    if (get_addresses(r->host, r->port, AI_NUMERICHOST, addresses, n) == 0)
        return 0;
    pthread_mutex_lock(&r->lock);
    if (!r->running && !r->answered)
        error = start_lookup(r);
    while (!error && r->running && clock_monotonic_us() < deadline_us)
        monotonic_cond_wait(&r->done, &r->lock, deadline_us);
    if (error)
        errbuf_set(err, "cannot start a thread");
    else if (r->running)
        error = errbuf_fail(err, LM_ETIMEOUT, "the address of %s was not found in time", r->host);
    else
        error = take_answer(r, addresses, n, err);
    pthread_mutex_unlock(&r->lock);
    return error;
}
