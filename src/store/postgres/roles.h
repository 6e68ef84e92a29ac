/*
 * Roles to work by, made by one that may make roles (CREATEROLE; no superuser need be), such as the
 * master user of a managed database: a writer, which owns logmill's tables, and a reader, which may
 * read them and nothing else. https://www.postgresql.org/docs/current/user-manag.html
 */
#ifndef LOGMILL_STORE_POSTGRES_ROLES_H
#define LOGMILL_STORE_POSTGRES_ROLES_H

#include <stdbool.h>

#include "base/errbuf.h"
#include "store/postgres/conn.h"

/* LM_EINVAL if they make no sense: `err` names the setting, and never holds a password. */
int store_postgres_roles_check(const struct store_postgres_role *writer,
                               const struct store_postgres_role *reader,
                               struct errbuf *err) LM_MUST_CHECK;

/*
 * Within a transaction, under the lock of the schema: makes the roles that are not there, sets
 * their passwords (as SCRAM's verifiers: the server never sees one), hands all tables of logmill's
 * to the writer and goes on as it, so that what is made from here on is its own. Who calls stays
 * a member of it, so that a program that still logs in as before goes on.
 */
int store_postgres_roles_begin(struct store_postgres_conn *c,
                               const struct store_postgres_role *writer,
                               const struct store_postgres_role *reader,
                               struct errbuf *err) LM_MUST_CHECK;

/* At the end of the same transaction: the reader may read all tables, and those that will be. */
int store_postgres_roles_end(struct store_postgres_conn *c,
                             const struct store_postgres_role *reader,
                             struct errbuf *err) LM_MUST_CHECK;

static inline bool store_postgres_role_is_wanted(const struct store_postgres_role *role)
{
    return role->user && *role->user;
}

#endif
