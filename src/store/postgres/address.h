/* Where PostgreSQL is, and who we are to it. */
#ifndef LOGMILL_STORE_POSTGRES_ADDRESS_H
#define LOGMILL_STORE_POSTGRES_ADDRESS_H

#include "base/errbuf.h"

/* A role of the database; `user` NULL or empty: none. */
struct store_postgres_role {
    const char *user;
    const char *password;
};

/* What is NULL or empty is left to libpq: PGHOST and its like, ~/.pgpass, service files, defaults.
 */
struct store_postgres_options {
    const char *url; /* a connection URI or string of libpq; the others go before its parts */
    const char *host;
    const char *port;
    const char *name;
    const char *user;
    const char *password;
    unsigned silence_ms; /* 0: 60 000 */
    const char *indexes; /* that the keeper makes: see indexes.h */
    /*
     * Roles that store_migrate() makes, by whoever logs in: see roles.h. They are not
     * copied, and outlive the store.
     */
    struct store_postgres_role writer, reader;
};

enum { STORE_POSTGRES_PARAMETERS_MAX = 24 };

/* What PQconnectdbParams takes, ended by a keyword of NULL. */
struct store_postgres_address {
    const char *keywords[STORE_POSTGRES_PARAMETERS_MAX]; /* static */
    char *values[STORE_POSTGRES_PARAMETERS_MAX];
    unsigned silence_ms;
};

/* Copies the options. LM_EINVAL, with nothing to release, if libpq does not understand them. */
int store_postgres_address_init(struct store_postgres_address *a,
                                const struct store_postgres_options *o,
                                struct errbuf *err) LM_MUST_CHECK;
void store_postgres_address_copy(struct store_postgres_address *to,
                                 const struct store_postgres_address *from);
void store_postgres_address_release(struct store_postgres_address *a);

#endif
