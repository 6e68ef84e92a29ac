/*
 * How many logs there are per minute and level, kept beside them:
 *
 *   writer ──► counts_added (what each transaction added, or took away: a row) ──keeper──► counts
 *
 * Always true, in every snapshot: the numbers of counts and counts_added together are those of the
 * logs since counting.counted_from, unless counts_missed has a row. For whoever changes `logs` adds
 * the difference within the same transaction, and nobody changes what others wait for:
 *
 *   append, and the logs among repeats that are new    the writer, in its statement
 *   DELETE (expiring, erasing, by hand)                a trigger, with the logs that were deleted
 *   INSERT, UPDATE, TRUNCATE by others; an older       a trigger, which knows nothing but that it
 *   logmill                                            happened: counts_missed
 *   a partition dropped or emptied by ourselves        store_postgres_counts_write_correction
 *   a partition changed by others, by its own name     nobody: `logmill store recount`
 *
 * To count logs, those of an older schema or all anew, is to add by how much the counts are wrong:
 * as long as the logs and the counts are looked at in one snapshot, that is right whatever goes on
 * beside. So counted_from moves down, from the end of time on, by one such correction after the
 * other.
 *
 * Of an hour COUNTED_LEVELS_MAX levels are told apart, as they are spelled. Those that come when it
 * has as many are counted as level NULL, as long as there are any, in `counts`; in counts_added
 * each has its name, but for names of more than STORE_STATS_LEVEL_BYTES_MAX.
 */
#ifndef LOGMILL_STORE_POSTGRES_COUNTS_H
#define LOGMILL_STORE_POSTGRES_COUNTS_H

#include <stdint.h>

#include "base/buffer.h"
#include "record/record.h"

/* From here on minutes and hours are counted, whatever the session's time zone. */
#define STORE_POSTGRES_COUNTS_ORIGIN "'0001-01-01 00:00:00+00'"
#define STORE_POSTGRES_COUNTS_MINUTE(time)                                                         \
    "date_bin('1 minute', " time ", " STORE_POSTGRES_COUNTS_ORIGIN ")"
/* A level as counts_added has it. */
#define STORE_POSTGRES_COUNTS_LEVEL(level)                                                         \
    "CASE WHEN octet_length(" level ") <= 1024 THEN " level " END"

/* As an SQL statement within another: adds the logs of `rows`, which has their times and levels. */
#define STORE_POSTGRES_COUNTS_ADD(rows)                                                            \
    "INSERT INTO counts_added (minutes, levels, numbers) "                                         \
    "SELECT array_agg(minute), array_agg(name), array_agg(n) FROM ("                               \
    "SELECT " STORE_POSTGRES_COUNTS_MINUTE(                                                        \
        "\"timestamp\"") " AS minute, " STORE_POSTGRES_COUNTS_LEVEL("level") " AS name, count(*) " \
                                                                             "AS n FROM " rows     \
                                                                             " GROUP BY 1, 2) AS " \
                                                                             "counted HAVING "     \
                                                                             "count(*) > 0"

enum { STORE_POSTGRES_COUNTED_LEVELS_MAX = 64 };

static const int64_t STORE_POSTGRES_MINUTE_US = INT64_C(60) * 1000000;

/* The start of the minute of `us`. */
int64_t store_postgres_counts_minute(int64_t us);

struct store_postgres_count;

/* Scratch space for counting a batch. */
struct store_postgres_counts {
    struct store_postgres_count *items;
    size_t capacity;
    uint32_t *slots; /* a hash table: numbers of items, from 1 */
    size_t slots_len;
};

void store_postgres_counts_release(struct store_postgres_counts *c);

/* Appends what `records`, at least one, add: minutes, levels and numbers, as three values of SQL.
 */
void store_postgres_counts_write(struct store_postgres_counts *c, struct buffer *sql,
                                 const struct record *records, size_t n);

/*
 * Appends the SQL statement that makes the counts of [from_us, before_us), whole minutes, those of
 * the logs that there are.
 */
void store_postgres_counts_write_correction(struct buffer *sql, int64_t from_us, int64_t before_us);

#endif
