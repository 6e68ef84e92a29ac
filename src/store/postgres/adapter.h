/*
 * The store in PostgreSQL 15 or later. Logs are in one table, `logs`, partitioned by day, PRIMARY
 * KEY(timestamp, id), attributes as jsonb; beside it are `arrivals` (the order of storing),
 * `tombstones` and `erasures` (what was deleted by a filter), `counts`, `counts_added`, `counting`
 * and `counts_missed` (counts.h), `retention_clock`, `logmill_schema`.
 *
 * Nothing connects before the first call that needs to, and whatever loses its connection connects
 * anew with the next call: a server that is away, restarts, fails over, is read-only or has no
 * connection left makes calls fail, and nothing else. No call waits for ever: a server that says
 * nothing for silence_ms counts as gone.
 *
 * What comes back differs from what was sent in this: attributes are as jsonb keeps them (members
 * ordered by the length of their names, then by bytes; numbers without exponent, so that 1e2 is
 * 100, while 1.0 stays 1.0), written without white space. A number past what a double holds, which
 * jsonb would spell out in thousands of digits, is kept as a string of its JSON text.
 *
 * "Without case" is lower() under the database's collation, or, if that one knows no Unicode
 * (C, POSIX), under one that does.
 *
 * The schema belongs to store_migrate(). The role needs CREATE on the schema that comes first in
 * its search_path (and TEMPORARY on the database, as everyone has by default) and nothing more; a
 * role that only reads needs SELECT on `logs`, on `arrivals` to follow, and, or these are made of
 * the logs, on the tables of counts for counts.
 */
#ifndef LOGMILL_STORE_POSTGRES_ADAPTER_H
#define LOGMILL_STORE_POSTGRES_ADAPTER_H

#include "store/postgres/address.h"
#include "store/store.h"

/* Copies the options, but for the roles. NULL with `err` if they cannot be understood; `err` never
 * holds a secret.
 */
struct store *store_postgres_new(const struct store_postgres_options *options, struct errbuf *err);

/* LM_EINVAL if `indexes` is nothing that options may have under this name: why. */
int store_postgres_check_indexes(const char *indexes, struct errbuf *err) LM_MUST_CHECK;

/* LM_EINVAL if the options' roles make no sense: `err` names the settings, and no password. */
int store_postgres_check_roles(const struct store_postgres_options *options,
                               struct errbuf *err) LM_MUST_CHECK;

#endif
