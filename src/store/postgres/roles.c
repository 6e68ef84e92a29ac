#include "store/postgres/roles.h"

#include <string.h>

#include "base/buffer.h"

enum { SETTINGS_MAX = 16 * 1024 };

/* For each table that is handed over: queries that began before hold it up, and those after wait.
 */
#define LOCK_TIMEOUT "5s"

int store_postgres_roles_check(const struct store_postgres_role *writer,
                               const struct store_postgres_role *reader, struct errbuf *err)
{
    const struct store_postgres_role *const roles[] = {writer, reader};
    static const char *const names[] = {"WRITER", "READER"};

    for (int i = 0; i < 2; i++) {
        const char *password = roles[i]->password;

        if (store_postgres_role_is_wanted(roles[i]) == (password && *password))
            continue;
        return errbuf_fail(err, LM_EINVAL,
                           "DATABASE_%s_USER and DATABASE_%s_PASS are needed together", names[i],
                           names[i]);
    }
    if (store_postgres_role_is_wanted(writer) && store_postgres_role_is_wanted(reader) &&
        strcmp(writer->user, reader->user) == 0)
        return errbuf_fail(err, LM_EINVAL,
                           "DATABASE_WRITER_USER and DATABASE_READER_USER are the same role, "
                           "\"%s\": who only reads is to be another",
                           reader->user);
    return 0;
}

/* ---- What the SQL below is about ---- */

/* Appends set_config() of a setting that lasts until the transaction ends. */
static int append_setting(struct buffer *sql, struct store_postgres_conn *c, const char *name,
                          const char *value, struct errbuf *err)
{
    char *quoted = PQescapeLiteral(c->pg, value, strlen(value));

    if (!quoted)
        return store_postgres_conn_lost(c, err);
    buffer_appendf(sql, "SELECT set_config('%s', %s, true);", name, quoted);
    PQfreemem(quoted);
    return 0;
}

/* Of no verifier is anything left when this is over: what failed is rolled back. */
static int set(struct store_postgres_conn *c, const char *user, const char *verifier,
               struct errbuf *err)
{
    struct buffer sql;
    int error;

    buffer_init(&sql, SETTINGS_MAX);
    error = append_setting(&sql, c, "logmill.user", user, err);
    if (!error)
        error = append_setting(&sql, c, "logmill.verifier", verifier, err);
    buffer_append_char(&sql, '\0');
    if (!error && buffer_error(&sql))
        error = errbuf_fail(err, LM_EINVAL, "the name of a role for the database is too long");
    if (!error)
        error = store_postgres_conn_exec(c, sql.data, NULL, err);
    buffer_release(&sql);
    return error;
}

/* ---- SQL ---- */

#define OF_LOGMILL                                                                                 \
    "c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())\n"           \
    "AND c.relkind IN ('r', 'p') AND (c.oid IN (\n"                                                \
    "    SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('logs'))\n"                \
    "OR c.relname IN ('logs', 'arrivals', 'retention_clock', 'tombstones', 'erasures',\n"          \
    "    'counts', 'counts_added', 'counting', 'counts_missed', 'logmill_schema'))\n"

static const char make[] =
    "DO $$ DECLARE name text := current_setting('logmill.user'); BEGIN\n"
    "    IF name = current_user THEN\n"
    "        RAISE 'role \"%\" is the one that migrates: who works is to be another', name;\n"
    "    END IF;\n"
    "    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN\n"
    "        EXECUTE format('CREATE ROLE %I', name);\n"
    "    END IF;\n"
    "    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', name,\n"
    "                   current_setting('logmill.verifier'));\n"
    "    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);\n"
    "END $$";

static const char hand_over[] =
    "SET LOCAL lock_timeout = '" LOCK_TIMEOUT "';\n"
    "DO $$ DECLARE name text := current_setting('logmill.user'); it record; BEGIN\n"
    "    EXECUTE format('GRANT %I TO CURRENT_USER', name);\n"
    "    EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', current_schema(), name);\n"
    "    FOR it IN SELECT 'TABLE' AS kind, c.oid::regclass::text AS what FROM pg_class c\n"
    "        WHERE " OF_LOGMILL
    "        AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = name)\n"
    "        UNION ALL SELECT 'FUNCTION', p.oid::regprocedure::text FROM pg_proc p\n"
    "        WHERE p.pronamespace = (SELECT oid FROM pg_namespace\n"
    "                                WHERE nspname = current_schema())\n"
    "        AND p.proname IN ('logmill_count_deleted', 'logmill_count_missed')\n"
    "        AND p.proowner <> (SELECT oid FROM pg_roles WHERE rolname = name)\n"
    "    LOOP\n"
    "        EXECUTE format('ALTER %s %s OWNER TO %I', it.kind, it.what, name);\n"
    "    END LOOP;\n"
    "    EXECUTE format('SET LOCAL ROLE %I', name);\n"
    "END $$;\n"
    "RESET lock_timeout";

static const char let_read[] =
    "DO $$ DECLARE name text := current_setting('logmill.user'); it record; BEGIN\n"
    "    FOR it IN SELECT c.oid::regclass AS what FROM pg_class c WHERE " OF_LOGMILL "    LOOP\n"
    "        EXECUTE format('GRANT SELECT ON %s TO %I', it.what, name);\n"
    "    END LOOP;\n"
    "    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO %I',\n"
    "                   current_schema(), name);\n"
    "END $$";

/* ---- Roles ---- */

static int make_role(struct store_postgres_conn *c, const struct store_postgres_role *role,
                     struct errbuf *err)
{
    char *verifier = PQencryptPasswordConn(c->pg, role->password, role->user, "scram-sha-256");
    int error;

    if (!verifier)
        return store_postgres_conn_lost(c, err);
    error = set(c, role->user, verifier, err);
    if (!error)
        error = store_postgres_conn_exec(c, make, NULL, err);
    PQfreemem(verifier);
    return error;
}

int store_postgres_roles_begin(struct store_postgres_conn *c,
                               const struct store_postgres_role *writer,
                               const struct store_postgres_role *reader, struct errbuf *err)
{
    int error = 0;

    if (store_postgres_role_is_wanted(reader))
        error = make_role(c, reader, err);
    if (error || !store_postgres_role_is_wanted(writer))
        return error;
    error = make_role(c, writer, err);
    return error ? error : store_postgres_conn_exec(c, hand_over, NULL, err);
}

int store_postgres_roles_end(struct store_postgres_conn *c,
                             const struct store_postgres_role *reader, struct errbuf *err)
{
    int error;

    if (!store_postgres_role_is_wanted(reader))
        return 0;
    error = set(c, reader->user, "", err);
    return error ? error : store_postgres_conn_exec(c, let_read, NULL, err);
}
