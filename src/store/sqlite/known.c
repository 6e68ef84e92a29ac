#include "store/sqlite/known.h"

#include <string.h>

#include "base/check.h"
#include "block/raw.h"

_Static_assert(LOG_KEY_BYTES == 24, "the statements here name it");

/* Counts the commits that this connection has made or seen. */
static uint32_t data_version(struct sqlite_db *db)
{
    uint32_t version = 0;

    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

/* The numbers of the one row of `sql`; NULL counts as 0. */
static int read_numbers(struct sqlite_db *db, const char *sql, int64_t *numbers, int n,
                        struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        error = sqlite_db_error(db, rc, err);
    for (int i = 0; !error && i < n; i++)
        numbers[i] = sqlite3_column_int64(stmt, i);
    sqlite3_reset(stmt);
    return error;
}

static void raise_highest(struct known *k, const struct log_key *key)
{
    if (!k->is_any || log_key_compare(&k->highest, key) < 0)
        k->highest = *key;
    k->is_any = true;
}

/* Raises `highest` to the key that `sql` gives, if any: packed, or a time and an id. */
static int raise_by(struct known *k, struct sqlite_db *db, const char *sql, int64_t parameter,
                    struct errbuf *err)
{
    struct log_key key;
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    if (error)
        return error;
    if (sqlite3_bind_parameter_count(stmt) > 0)
        sqlite3_bind_int64(stmt, 1, parameter);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == LOG_KEY_BYTES) {
        log_key_unpack_ordered(sqlite3_column_blob(stmt, 0), &key);
        raise_highest(k, &key);
    } else if (rc == SQLITE_ROW && sqlite3_column_count(stmt) == 2 &&
               sqlite3_column_bytes(stmt, 1) == sizeof(key.id.bytes)) {
        key.timestamp_us = sqlite3_column_int64(stmt, 0);
        memcpy(key.id.bytes, sqlite3_column_blob(stmt, 1), sizeof(key.id.bytes));
        raise_highest(k, &key);
    } else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        error = sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

/* Of rows of which the highest key is damaged: by those of their logs. */
static int raise_by_damaged(struct known *k, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc;
    int error =
        sqlite_db_statement(db, "SELECT logs FROM recent WHERE length(highest) <> 24", &stmt, err);

    if (error)
        return error;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct slice logs = sqlite_db_column_text(stmt, 0);
        struct block_row row;

        while (block_raw_next(&logs, &row, NULL) == 0)
            raise_highest(k, &row.record.key);
    }
    if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Of what is recent, only rows after `last_row` can be higher than what was known. */
static int read_highest(struct known *k, struct sqlite_db *db, struct errbuf *err)
{
    static const char *const queries[] = {
        "SELECT max(highest) FROM recent WHERE last > ? AND length(highest) = 24",
        "SELECT max(last) FROM segments",
        "SELECT max(last) FROM tombstones",
        "SELECT timestamp, id FROM logs ORDER BY timestamp DESC, id DESC LIMIT 1",
    };
    int error = 0;

    for (size_t i = 0; !error && i < sizeof(queries) / sizeof(queries[0]); i++)
        error = raise_by(k, db, queries[i], k->last_row, err);
    return error ? error : raise_by_damaged(k, db, err);
}

static int count_recent(struct known *k, struct sqlite_db *db, struct errbuf *err)
{
    int64_t numbers[4];
    int error = read_numbers(db,
                             "SELECT min(last), max(last), sum(rows), sum(length(logs)) "
                             "FROM recent",
                             numbers, 4, err);

    if (error)
        return error;
    k->first_row = numbers[0];
    k->last_row = numbers[1];
    k->rows = (uint64_t)numbers[2];
    k->bytes = (uint64_t)numbers[3];
    return 0;
}

int known_count_kept(struct known *k, struct sqlite_db *db, uint64_t left, uint64_t left_bytes,
                     struct errbuf *err)
{
    int error = count_recent(k, db, err);

    k->kept_rows = k->rows > left ? k->rows - left : 0;
    k->kept_bytes = k->bytes > left_bytes ? k->bytes - left_bytes : 0;
    return error;
}

/* What has become less was sealed or deleted by somebody else. */
static int refresh_recent(struct known *k, struct sqlite_db *db, uint64_t keep_rows,
                          struct errbuf *err)
{
    int64_t first_row = k->first_row;
    uint64_t rows = k->rows;
    int error = count_recent(k, db, err);

    if (error || (k->is_known && k->first_row == first_row && k->rows >= rows))
        return error;
    k->kept_rows = k->rows < keep_rows ? k->rows : keep_rows;
    k->kept_bytes = k->rows > 0 ? k->bytes / k->rows * k->kept_rows : 0;
    return 0;
}

static int read_all(struct known *k, struct sqlite_db *db, uint64_t keep_rows, struct errbuf *err)
{
    int64_t numbers[4];
    int error = read_numbers(db,
                             "SELECT last, (SELECT min(last) FROM recent), "
                             "(SELECT max(last) FROM recent), changes FROM sequence",
                             numbers, 4, err);

    if (error)
        return error;
    if (!k->is_known)
        *k = (struct known){0};
    error = read_highest(k, db, err);
    if (!error && (!k->is_known || numbers[1] != k->first_row || numbers[2] != k->last_row ||
                   numbers[3] != k->changes))
        error = refresh_recent(k, db, keep_rows, err);
    if (error)
        return error;
    k->changes = numbers[3];
    k->end = (uint64_t)(numbers[0] > numbers[2] ? numbers[0] : numbers[2]);
    k->is_known = true;
    return 0;
}

int known_refresh(struct known *k, struct sqlite_db *db, uint64_t keep_rows, struct errbuf *err)
{
    if (k->is_known && k->version == data_version(db)) {
        CHECKED(known_check(k, db));
        return 0;
    }
    int error = read_all(k, db, keep_rows, err);
    if (error)
        k->is_known = false;
    return error;
}

void known_commit(struct known *k, struct sqlite_db *db)
{
    k->version = data_version(db);
}

void known_check(const struct known *k, struct sqlite_db *db)
{
    struct known file = {0};

    if (read_all(&file, db, 0, NULL) != 0)
        return; /* a fault on purpose */
    CHECK(file.end == k->end && file.first_row == k->first_row && file.last_row == k->last_row);
    CHECK(file.rows <= k->rows && file.bytes <= k->bytes); /* others may have deleted some */
    CHECK(k->is_any || !file.is_any);
    CHECK(!file.is_any || log_key_compare(&file.highest, &k->highest) <= 0);
}
