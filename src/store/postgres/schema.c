/*
 * The schema, as steps from one version to the next. A step that was ever released is never
 * changed. All that are missing are done in one transaction, under a lock, so that any number of
 * processes may start at once.
 *
 * Going back: the row of the last step may say in logmill_schema.compatible_since which version a
 * program must know to use the schema. One that knows it leaves a newer schema alone and uses it;
 * without that number all versions have to be known. Who adds a step that only adds (a table, an
 * index, a column with a default) leaves COMPATIBLE_SINCE as it is; who adds one that older
 * programs cannot live with sets it to the new number of steps.
 *
 * How time is cut into partitions: days.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/postgres/days.h"
#include "store/postgres/internal.h"

static const char *const steps[] = {
    "CREATE TABLE logs (\n"
    "    \"timestamp\" timestamptz NOT NULL,\n"
    "    id uuid NOT NULL,\n"
    "    level text NOT NULL,\n"
    "    message text NOT NULL,\n"
    "    attributes jsonb,\n"
    "    PRIMARY KEY (\"timestamp\", id)\n"
    ") PARTITION BY RANGE (\"timestamp\");\n"
    "COMMENT ON TABLE logs IS\n"
    "    'Log messages that logmill stored, partitioned by day (UTC)';\n"
    "COMMENT ON COLUMN logs.\"timestamp\" IS\n"
    "    'When it happened, to the microsecond; by default when logmill received it';\n"
    "COMMENT ON COLUMN logs.id IS\n"
    "    'UUIDv7: begins with the milliseconds of timestamp; (timestamp, id) is unique';\n"
    "COMMENT ON COLUMN logs.level IS\n"
    "    'Severity as it was sent: compare lower(level)';\n"
    "COMMENT ON COLUMN logs.message IS 'The text of the log';\n"
    "COMMENT ON COLUMN logs.attributes IS\n"
    "    'All other fields that were sent, as an object; NULL where there are none';\n"
    /* What is older than the days that get partitions. Rows here never stand in their way. */
    "DO $$ BEGIN\n"
    "    EXECUTE format('CREATE TABLE logs_past PARTITION OF logs '\n"
    "                   'FOR VALUES FROM (MINVALUE) TO (%L)',\n"
    "                   to_char(now() AT TIME ZONE 'UTC' - interval '" STORE_POSTGRES_DAYS_BACK_TEXT
    " days', 'YYYY-MM-DD') || ' 00:00:00+00');\n"
    "END $$;\n"
    "CREATE TABLE logs_default PARTITION OF logs DEFAULT;\n"
    "COMMENT ON TABLE logs_past IS\n"
    "    'Logs that were older than the days with partitions when logmill was set up';\n"
    "COMMENT ON TABLE logs_default IS\n"
    "    'Logs of days without a partition, such as those from the future';\n",
    "CREATE TABLE arrivals (\n"
    "    \"transaction\" xid8 NOT NULL DEFAULT pg_current_xact_id(),\n"
    "    sequence bigint GENERATED ALWAYS AS IDENTITY,\n"
    "    stored timestamptz NOT NULL DEFAULT now(),\n"
    "    timestamps timestamptz[] NOT NULL,\n"
    "    ids uuid[] NOT NULL,\n"
    "    PRIMARY KEY (\"transaction\", sequence)\n"
    ");\n"
    /* Keys hardly shrink, and trying to cost more than all else of this row. */
    "ALTER TABLE arrivals ALTER COLUMN timestamps SET STORAGE EXTERNAL,\n"
    "    ALTER COLUMN ids SET STORAGE EXTERNAL;\n"
    "COMMENT ON TABLE arrivals IS\n"
    "    'What each transaction of the last hour stored: a live tail follows it';\n"
    "COMMENT ON COLUMN arrivals.timestamps IS 'With ids: the keys of the logs';\n",
    /* One row; what it holds: struct store_clock. */
    "CREATE TABLE retention_clock (\n"
    "    believed timestamptz NOT NULL,\n"
    "    claimed timestamptz,\n"
    "    doubted interval NOT NULL DEFAULT '0'\n"
    ");\n"
    "INSERT INTO retention_clock (believed)\n"
    "    SELECT least(coalesce(max(stored), now()), now()) FROM arrivals;\n"
    "COMMENT ON TABLE retention_clock IS\n"
    "    'By which time RETENTION_DAYS deletes: a jump is believed after a day of running';\n"
    "COMMENT ON COLUMN retention_clock.claimed IS 'A time that the clock claims, in doubt';\n",
    /* The ids of logs from before 1970 have no time to search by. They are all in logs_past. */
    "DO $$ BEGIN\n"
    "    IF to_regclass('logs_past') IS NOT NULL THEN\n"
    "        CREATE INDEX logs_before_1970 ON logs_past (id)\n"
    "            WHERE \"timestamp\" < '1970-01-01 00:00:00+00';\n"
    "    END IF;\n"
    "END $$;\n",
    /* Of logs that were deleted on purpose. A BRIN index: the rows come in the order of `deleted`.
     */
    "CREATE TABLE tombstones (\n"
    "    \"timestamp\" timestamptz NOT NULL,\n"
    "    id uuid NOT NULL,\n"
    "    deleted timestamptz NOT NULL DEFAULT now(),\n"
    "    PRIMARY KEY (\"timestamp\", id)\n"
    ");\n"
    "CREATE INDEX tombstones_deleted ON tombstones USING brin (deleted);\n"
    "COMMENT ON TABLE tombstones IS\n"
    "    'Keys of logs that `logmill delete` deleted: a message that comes again does not bring "
    "them "
    "back';\n"
    "CREATE TABLE erasures (number bigint NOT NULL);\n"
    "INSERT INTO erasures VALUES (0);\n"
    "COMMENT ON TABLE erasures IS\n"
    "    'One row: counts up when logs are deleted by a filter. Who erases and who stores again "
    "wait "
    "for it';\n",
    /*
     * Logs per minute and level (counts.c). What is deleted is counted by a trigger, whoever does
     * it; of what others insert or change it can only be known that they did, since a trigger that
     * looked at rows would slow down each COPY. None fires for what is done to a partition by its
     * own name.
     */
    "CREATE TABLE counts_added (\n"
    "    minutes timestamptz[] NOT NULL,\n"
    "    levels text[] NOT NULL,\n"
    "    numbers bigint[] NOT NULL\n"
    ");\n"
    "CREATE TABLE counts (\n"
    "    hour timestamptz NOT NULL,\n"
    "    level text,\n"
    "    minutes smallint[] NOT NULL,\n"
    "    numbers bigint[] NOT NULL\n"
    ");\n"
    "CREATE INDEX counts_hour ON counts (hour);\n"
    "CREATE TABLE counting (counted_from timestamptz NOT NULL);\n"
    "CREATE TABLE counts_missed (noticed timestamptz NOT NULL DEFAULT now());\n"
    "COMMENT ON TABLE counts_added IS\n"
    "    'What each transaction added to the numbers of logs per minute and level, or took from "
    "them: "
    "together with counts they are those of all logs since counting.counted_from';\n"
    "COMMENT ON TABLE counts IS\n"
    "    'Logs per minute and level, a row for each hour and level: what was in counts_added';\n"
    "COMMENT ON COLUMN counts.level IS\n"
    "    'As it was sent; NULL: the many others of this hour, together';\n"
    "COMMENT ON COLUMN counts.minutes IS 'Of the hour, with numbers: those that have logs';\n"
    "COMMENT ON TABLE counting IS\n"
    "    'One row: logs from this time on are counted; older ones will be, in the background';\n"
    "COMMENT ON TABLE counts_missed IS\n"
    "    'A row here: logs were changed past logmill, so that all are to be counted anew';\n"
    "CREATE FUNCTION logmill_count_deleted() RETURNS trigger LANGUAGE plpgsql\n"
    "SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN\n"
    "    INSERT INTO counts_added (minutes, levels, numbers)\n"
    "    SELECT array_agg(minute), array_agg(name), array_agg(-n) FROM (\n"
    "        SELECT date_bin('1 minute', \"timestamp\", '0001-01-01 00:00:00+00') AS minute,\n"
    "            CASE WHEN octet_length(level) <= 1024 THEN level END AS name, count(*) AS n\n"
    "        FROM deleted WHERE \"timestamp\" >= '0001-01-01 00:00:00+00'\n"
    "        AND \"timestamp\" < '10000-01-01 00:00:00+00' GROUP BY 1, 2) AS c\n"
    "    HAVING count(*) > 0;\n"
    "    RETURN NULL;\n"
    "END $$;\n"
    "CREATE FUNCTION logmill_count_missed() RETURNS trigger LANGUAGE plpgsql\n"
    "SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN\n"
    "    INSERT INTO counts_missed DEFAULT VALUES;\n"
    "    RETURN NULL;\n"
    "END $$;\n"
    "CREATE TRIGGER logmill_deleted AFTER DELETE ON logs REFERENCING OLD TABLE AS deleted\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION logmill_count_deleted();\n"
    "CREATE TRIGGER logmill_inserted AFTER INSERT ON logs FOR EACH STATEMENT\n"
    "    WHEN (current_setting('logmill.counts', true) IS DISTINCT FROM 'on')\n"
    "    EXECUTE FUNCTION logmill_count_missed();\n"
    "CREATE TRIGGER logmill_updated AFTER UPDATE OF \"timestamp\", level ON logs\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION logmill_count_missed();\n"
    "CREATE TRIGGER logmill_truncated AFTER TRUNCATE ON logs\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION logmill_count_missed();\n"
    "INSERT INTO counting SELECT CASE WHEN EXISTS (SELECT FROM logs) THEN 'infinity'\n"
    "    ELSE '-infinity' END::timestamptz;\n",
};

enum { COMPATIBLE_SINCE = 4 };

static int known_version(void)
{
    return (int)(sizeof(steps) / sizeof(steps[0]));
}

/*
 * The version that a program must know for a schema of `version`, which is newer than ours. A row's
 * own JSON has no such member if the table has no such column.
 */
static int check_compatible(struct store_postgres_conn *c, int64_t version, struct errbuf *err)
{
    int64_t since = 0;
    int error = store_postgres_conn_number(
        c,
        "SELECT coalesce((to_jsonb(s) ->> 'compatible_since')::int, version) "
        "FROM logmill_schema s ORDER BY version DESC LIMIT 1",
        &since, err);

    if (error || since <= known_version())
        return error;
    return errbuf_fail(err, LM_EINVAL,
                       "the schema in PostgreSQL has version %" PRId64
                       ", made by a newer logmill; this one knows versions up to %d",
                       version, known_version());
}

/*
 * The version that the database has; 0 if there is none. Not by to_regclass(), which within a
 * transaction may not see what others committed since it began.
 */
static int read_version(struct store_postgres_conn *c, int64_t *version, struct errbuf *err)
{
    int error = store_postgres_conn_number(
        c,
        "SELECT count(*) FROM pg_class WHERE relname = 'logmill_schema' AND relnamespace IN "
        "(SELECT oid FROM pg_namespace WHERE nspname = ANY (current_schemas(false)))",
        version, err);

    if (!error && *version != 0)
        error =
            store_postgres_conn_number(c, "SELECT max(version) FROM logmill_schema", version, err);
    if (!error && *version > known_version())
        error = check_compatible(c, *version, err);
    return error;
}

int store_postgres_schema_check(struct store_postgres_conn *c, struct errbuf *err)
{
    int64_t version;
    int error = read_version(c, &version, err);

    if (!error && version < known_version())
        error = errbuf_fail(err, LM_EUNAVAILABLE,
                            "the schema in PostgreSQL has version %" PRId64
                            ", and %d is needed: run `logmill migrate`",
                            version, known_version());
    return error;
}

static int run_step(struct store_postgres_conn *c, int64_t version, struct errbuf *err)
{
    char note[128];
    int error = store_postgres_conn_exec(c, steps[version], NULL, err);

    if (error)
        return error;
    snprintf(note, sizeof(note), "INSERT INTO logmill_schema(version) VALUES (%" PRId64 ")",
             version + 1);
    return store_postgres_conn_exec(c, note, NULL, err);
}

/* Tells programs that know fewer versions that they may use the schema. */
static int tell_compatible(struct store_postgres_conn *c, struct errbuf *err)
{
    char sql[256];

    if (COMPATIBLE_SINCE == known_version())
        return 0;
    snprintf(sql, sizeof(sql),
             "ALTER TABLE logmill_schema ADD COLUMN IF NOT EXISTS compatible_since int;\n"
             "UPDATE logmill_schema SET compatible_since = %d WHERE version = %d",
             COMPATIBLE_SINCE, known_version());
    return store_postgres_conn_exec(c, sql, NULL, err);
}

/* Called within a transaction that holds the lock. */
static int run_steps(struct store_postgres_conn *c, struct errbuf *err)
{
    int64_t version;
    int error = read_version(c, &version, err);

    if (!error && version == 0)
        error = store_postgres_conn_exec(
            c,
            "CREATE TABLE logmill_schema (\n"
            "    version int PRIMARY KEY,\n"
            "    applied timestamptz NOT NULL DEFAULT now()\n"
            ");\n"
            "COMMENT ON TABLE logmill_schema IS 'Versions of logmill''s tables in this schema';\n"
            "COMMENT ON COLUMN logmill_schema.version IS 'Number of the step';\n"
            "COMMENT ON COLUMN logmill_schema.applied IS 'When it was done';\n",
            NULL, err);
    if (!error && version >= known_version()) /* another has done it */
        return 0;
    while (!error && version < known_version())
        error = run_step(c, version++, err);
    return error ? error : tell_compatible(c, err);
}

static bool makes_roles(const struct store_postgres *s)
{
    return store_postgres_role_is_wanted(&s->writer) || store_postgres_role_is_wanted(&s->reader);
}

int store_postgres_schema_migrate(struct store *base, const struct store_patience *patience,
                                  struct errbuf *err)
{
    struct store_postgres *s = (struct store_postgres *)base;
    struct store_postgres_conn c;
    int64_t version;
    int error;

    store_postgres_conn_init(&c, &s->address);
    error = store_postgres_conn_open(&c, STORE_POSTGRES_WRITER_SETUP, err);
    if (!error)
        error = store_postgres_pooler_check(&c, err);
    /* First without a lock: a role that may not write has nothing to do if all is done. */
    if (!error)
        error = read_version(&c, &version, err);
    if (error || (version >= known_version() && !makes_roles(s)))
        goto out;
    if (patience)
        error = store_postgres_conn_be_patient(&c, patience, err);
    if (!error)
        error = store_postgres_conn_exec(
            &c, "BEGIN; SET LOCAL statement_timeout = 0; " STORE_POSTGRES_TAKE_LOCK, NULL, err);
    if (!error)
        error = store_postgres_roles_begin(&c, &s->writer, &s->reader, err);
    if (!error)
        error = run_steps(&c, err);
    if (!error)
        error = store_postgres_roles_end(&c, &s->reader, err);
    if (!error)
        error = store_postgres_conn_exec(&c, "COMMIT", NULL, err);
out:
    store_postgres_conn_close(&c); /* and what is not committed is undone */
    return error;
}
