#include "store/postgres/connect.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"

struct store_postgres_connect {
    pthread_t thread;
    bool joined;
    atomic_int owners; /* the thread and its maker: the last one frees */
    struct store_postgres_address address;
    PGconn *_Atomic pg;
    int fds[2]; /* a pipe: the thread closes its end when it is done */
};

static void drop(struct store_postgres_connect *c)
{
    if (atomic_fetch_sub(&c->owners, 1) > 1)
        return;
    PQfinish(c->pg);
    store_postgres_address_release(&c->address);
    close(c->fds[0]);
    free(c);
}

static void *connect_main(void *arg)
{
    struct store_postgres_connect *c = arg;
    const char *const *values = (const char *const *)c->address.values;

    c->pg = PQconnectdbParams(c->address.keywords, values, 1);
    close(c->fds[1]);
    drop(c);
    return NULL;
}

struct store_postgres_connect *
store_postgres_connect_new(const struct store_postgres_address *address)
{
    struct store_postgres_connect *c = xcalloc(1, sizeof(*c));

    if (pipe2(c->fds, O_CLOEXEC)) {
        free(c);
        return NULL;
    }
    store_postgres_address_copy(&c->address, address);
    atomic_init(&c->owners, 2);
    if (pthread_create(&c->thread, NULL, connect_main, c)) {
        close(c->fds[1]);
        atomic_init(&c->owners, 1);
        drop(c);
        return NULL;
    }
    return c;
}

int store_postgres_connect_fd(const struct store_postgres_connect *c)
{
    return c->fds[0];
}

PGconn *store_postgres_connect_take(struct store_postgres_connect *c)
{
    PGconn *pg;

    pthread_join(c->thread, NULL); /* its last steps, in which OpenSSL frees what it kept for it */
    c->joined = true;
    pg = c->pg;
    c->pg = NULL;
    return pg;
}

void store_postgres_connect_free(struct store_postgres_connect *c)
{
    if (!c)
        return;
    if (!c->joined)
        pthread_detach(c->thread);
    drop(c);
}
