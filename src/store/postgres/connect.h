/*
 * Connecting to PostgreSQL on a thread of its own: looking up names, TLS and the server's greeting
 * may each take long, and libpq can be told to stop in none of them. Whoever waits can; the attempt
 * then goes on by itself, and is there for the next who wants it.
 */
#ifndef LOGMILL_STORE_POSTGRES_CONNECT_H
#define LOGMILL_STORE_POSTGRES_CONNECT_H

#include <libpq-fe.h>

#include "store/postgres/address.h"

struct store_postgres_connect;

/* Begins. NULL if there are no threads, descriptors or memory left. Copies the address. */
struct store_postgres_connect *
store_postgres_connect_new(const struct store_postgres_address *address);

/* Readable from when the attempt has ended, however it did. */
int store_postgres_connect_fd(const struct store_postgres_connect *c);

/* Once it has ended: what PQconnectdbParams returned, which is the caller's now. */
PGconn *store_postgres_connect_take(struct store_postgres_connect *c);

/* At any time; never waits. NULL does nothing. */
void store_postgres_connect_free(struct store_postgres_connect *c);

#endif
