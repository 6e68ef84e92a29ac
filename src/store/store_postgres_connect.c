#include "store/store_postgres_connect.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "store/store_postgres_conn.h"

struct store_postgres_connect {
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
    for (size_t i = 0; c->address.keywords[i]; i++)
        free(c->address.values[i]);
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

static int start(struct store_postgres_connect *c)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attributes, connect_main, c);
    pthread_attr_destroy(&attributes);
    return error;
}

struct store_postgres_connect *
store_postgres_connect_new(const struct store_postgres_address *address)
{
    struct store_postgres_connect *c = xcalloc(1, sizeof(*c));

    if (pipe2(c->fds, O_CLOEXEC)) {
        free(c);
        return NULL;
    }
    for (size_t i = 0; address->keywords[i]; i++) {
        c->address.keywords[i] = address->keywords[i];
        c->address.values[i] = xstrdup(address->values[i]);
    }
    atomic_init(&c->owners, 2);
    if (start(c)) {
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
    PGconn *pg = c->pg;

    c->pg = NULL;
    return pg;
}

void store_postgres_connect_free(struct store_postgres_connect *c)
{
    if (c)
        drop(c);
}
