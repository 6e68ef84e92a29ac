/* What the sessions of those that write have in common, as SQL. */
#ifndef LOGMILL_STORE_POSTGRES_SESSION_H
#define LOGMILL_STORE_POSTGRES_SESSION_H

/*
 * Whatever the role's defaults: a commit that is answered is on the disk (a default stronger than
 * `on` stays), no transaction fails for others that run beside it, and times and arrays that are
 * written as text mean what they say. logmill.counts tells the triggers of `logs` that this session
 * counts what it inserts (counts.c).
 */
#define STORE_POSTGRES_WRITER_SETUP                                                                \
    "SELECT set_config('synchronous_commit', 'on', false) "                                        \
    "WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write'); "            \
    "SET default_transaction_isolation = 'read committed'; SET logmill.counts = 'on'; "            \
    "SET TIME ZONE 'UTC'; SET datestyle = 'ISO'; SET array_nulls = 'on'"

/*
 * Advisory locks ("logmill" and one more, as numbers): who changes the schema, who expires, who
 * keeps the counts, who makes indexes.
 */
#define STORE_POSTGRES_TAKE_LOCK "SELECT pg_advisory_xact_lock(30521787492691052)"
#define STORE_POSTGRES_EXPIRE_LOCK "30521787492691053"
#define STORE_POSTGRES_KEEPER_LOCK "30521787492691054"
#define STORE_POSTGRES_INDEXES_LOCK "30521787492691055"

#endif
