#include "store/postgres/counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "store/store.h"

enum {
    SLOTS_FACTOR = 2, /* of the records of a batch, at least */
    SLOTS_MIN = 64,
    RECENT = 8,            /* of what is counted, looked at before the hash table is asked */
    CORRECTION_ROW = 4096, /* minutes and levels of one row of counts_added */
};

int64_t store_postgres_counts_minute(int64_t us)
{
    int64_t past = us % STORE_POSTGRES_MINUTE_US;

    return us - (past < 0 ? past + STORE_POSTGRES_MINUTE_US : past);
}

/* ---- Of a batch ---- */

struct store_postgres_count {
    int64_t minute_us;
    struct slice level; /* a view of the first record's; data NULL: it has no name */
    uint64_t n;
};

void store_postgres_counts_release(struct store_postgres_counts *c)
{
    free(c->items);
    free(c->slots);
    *c = (struct store_postgres_counts){0};
}

/* What PostgreSQL would refuse is refused with its log: here it must not break the statement. */
static struct slice name_of(struct slice level)
{
    bool has_name = level.len <= STORE_STATS_LEVEL_BYTES_MAX &&
                    (level.len == 0 || !memchr(level.data, '\0', level.len)) && utf8_valid(level);

    if (!has_name)
        return (struct slice){0};
    return level.len == 0 ? SLICE_LITERAL("") : level;
}

static void make_room(struct store_postgres_counts *c, size_t n)
{
    size_t slots_len = SLOTS_MIN;

    while (slots_len < n * SLOTS_FACTOR)
        slots_len *= 2;
    if (slots_len > c->slots_len) {
        free(c->slots);
        c->slots = xcalloc(slots_len, sizeof(*c->slots));
        c->slots_len = slots_len;
    } else {
        memset(c->slots, 0, c->slots_len * sizeof(*c->slots));
    }
    c->items = array_reserve(c->items, &c->capacity, n, sizeof(*c->items));
}

static bool is_of(const struct store_postgres_count *count, int64_t minute_us, struct slice level)
{
    return count->minute_us == minute_us && !count->level.data == !level.data &&
           slice_equal(count->level, level);
}

/* Most logs of a batch are of a minute and a level that came just before: these need no search. */
static bool count_again(struct store_postgres_count *items, size_t len, const struct record *r)
{
    for (size_t i = len; i > 0 && len - i < RECENT; i--) {
        struct store_postgres_count *item = &items[i - 1];
        uint64_t past_us = (uint64_t)r->key.timestamp_us - (uint64_t)item->minute_us;

        if (past_us < (uint64_t)STORE_POSTGRES_MINUTE_US && item->level.data &&
            slice_equal(item->level, r->level)) {
            item->n++;
            return true;
        }
    }
    return false;
}

/* Counts the records into c->items; returns how many these are. */
static size_t count(struct store_postgres_counts *c, const struct record *records, size_t n)
{
    size_t len = 0;

    make_room(c, n);
    for (size_t i = 0; i < n; i++) {
        if (count_again(c->items, len, &records[i]))
            continue;
        int64_t minute_us = store_postgres_counts_minute(records[i].key.timestamp_us);
        struct slice level = name_of(records[i].level);
        size_t at = hash_mix(hash_bytes(HASH_BASIS, level) ^ (uint64_t)minute_us);

        for (at %= c->slots_len; c->slots[at]; at = (at + 1) % c->slots_len)
            if (is_of(&c->items[c->slots[at] - 1], minute_us, level))
                break;
        if (!c->slots[at]) {
            c->items[len] = (struct store_postgres_count){minute_us, level, 0};
            c->slots[at] = (uint32_t)++len;
        }
        c->items[c->slots[at] - 1].n++;
    }
    return len;
}

/* As an element of an array within E'…'. */
static void append_level(struct buffer *sql, struct slice level)
{
    if (!level.data) {
        buffer_append_string(sql, "NULL");
        return;
    }
    buffer_append_char(sql, '"');
    for (size_t i = 0; i < level.len; i++) {
        if (level.data[i] == '"' || level.data[i] == '\\')
            buffer_append_string(sql, "\\\\"); /* the array's backslash */
        if (level.data[i] == '\\' || level.data[i] == '\'')
            buffer_append_char(sql, level.data[i]); /* the string's: some servers take no \' */
        buffer_append_char(sql, level.data[i]);
    }
    buffer_append_char(sql, '"');
}

void store_postgres_counts_write(struct store_postgres_counts *c, struct buffer *sql,
                                 const struct record *records, size_t n)
{
    size_t len = count(c, records, n);

    buffer_append_string(sql, "'{");
    for (size_t i = 0; i < len; i++) {
        buffer_append_string(sql, i > 0 ? "," : "");
        timestamp_append(sql, c->items[i].minute_us);
    }
    buffer_append_string(sql, "}', E'{");
    for (size_t i = 0; i < len; i++) {
        buffer_append_string(sql, i > 0 ? "," : "");
        append_level(sql, c->items[i].level);
    }
    buffer_append_string(sql, "}', '{");
    for (size_t i = 0; i < len; i++)
        buffer_appendf(sql, "%s%llu", i > 0 ? "," : "", (unsigned long long)c->items[i].n);
    buffer_append_string(sql, "}'");
}

/* ---- Corrections ---- */

static void append_time(struct buffer *sql, const char *before, int64_t us)
{
    buffer_append_string(sql, before);
    if (us <= TIMESTAMP_MAX_US)
        timestamp_append(sql, us);
    else
        buffer_append_string(sql, "10000-01-01 00:00:00+00");
    buffer_append_char(sql, '\'');
}

static void append_range(struct buffer *sql, const char *column, int64_t from_us, int64_t before_us)
{
    buffer_append_string(sql, column);
    append_time(sql, " >= '", from_us);
    buffer_append_string(sql, " AND ");
    buffer_append_string(sql, column);
    append_time(sql, " < '", before_us);
}

void store_postgres_counts_write_correction(struct buffer *sql, int64_t from_us, int64_t before_us)
{
    buffer_append_string(
        sql, "INSERT INTO counts_added (minutes, levels, numbers) "
             "SELECT array_agg(minute), array_agg(name), array_agg(n) FROM ("
             "SELECT minute, name, sum(n)::bigint AS n, row_number() OVER () AS place FROM ("
             "SELECT " STORE_POSTGRES_COUNTS_MINUTE(
                 "\"timestamp\"") " AS minute, " STORE_POSTGRES_COUNTS_LEVEL("level") " AS name, "
                                                                                      "count(*) AS "
                                                                                      "n FROM logs "
                                                                                      "WHERE ");
    append_range(sql, "\"timestamp\"", from_us, before_us);
    buffer_append_string(sql, " GROUP BY 1, 2 UNION ALL SELECT hour + minute * interval '1 minute',"
                              " level, -number FROM counts, unnest(minutes, numbers) AS c(minute, "
                              "number) WHERE ");
    append_time(sql, "hour > timestamptz '", from_us);
    append_time(sql, " - interval '1 hour' AND hour < '", before_us);
    buffer_append_string(sql, " AND ");
    append_range(sql, "hour + minute * interval '1 minute'", from_us, before_us);
    buffer_append_string(sql,
                         " UNION ALL SELECT minute, level, -number FROM counts_added, "
                         "unnest(minutes, levels, numbers) AS a(minute, level, number) WHERE ");
    append_range(sql, "minute", from_us, before_us);
    buffer_appendf(sql,
                   ") AS together GROUP BY 1, 2 HAVING sum(n) <> 0) AS wrong GROUP BY place / %d",
                   CORRECTION_ROW);
}
