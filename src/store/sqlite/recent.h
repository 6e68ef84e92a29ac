/*
 * The recent logs, as a reader keeps them in memory from one call to the next: the keys of all,
 * ascending, and of the rows of the table `recent` that were needed lately their bytes. Rows are
 * read once; that some of them have gone or changed is the caller's to see (sequence.changes), who
 * then begins anew by recent_clear.
 *
 * Memory: RECENT_KEPT_BYTES of texts and one row, and 40 bytes a log, of which the writer keeps
 * some thousand.
 */
#ifndef LOGMILL_STORE_SQLITE_RECENT_H
#define LOGMILL_STORE_SQLITE_RECENT_H

#include "block/block.h"
#include "sqlite/db.h"

enum { RECENT_KEPT_BYTES = 2 << 20 };

struct recent_log {
    struct log_key key;
    uint32_t row;   /* in recent.rows */
    uint32_t at;    /* where it begins in the row's bytes */
    uint16_t level; /* in recent.levels, or RECENT_LEVELS_MAX: look into the log */
};

/* A row of the table. */
struct recent_batch {
    int64_t last;        /* its number: that of its last log */
    uint32_t logs;       /* that it should have, … */
    uint32_t lost;       /* … of which so many cannot be read, … */
    struct log_key low;  /* … which are of this range */
    struct log_key high; /* both inclusive */
    char *bytes;         /* NULL: not kept */
    size_t len;
    uint64_t
        used; /* when its bytes were last asked for, in calls; not kept the longest ago: goes */
};

enum { RECENT_LEVELS_MAX = 64 }; /* distinct ones that are told without looking into the logs */

struct recent {
    struct recent_batch *rows; /* ascending by `last` */
    size_t rows_len, rows_capacity;
    struct recent_log *logs; /* ascending by key */
    size_t logs_len, logs_capacity;
    uint64_t lost; /* of all rows */
    size_t kept_bytes;
    uint64_t calls;
    struct slice levels[RECENT_LEVELS_MAX]; /* owned */
    size_t levels_len;
};

/* All zeroes: an empty one. */
void recent_clear(struct recent *recent); /* frees all */

/* Reads the rows after the last that is known, in the transaction of `db` that is open. */
int recent_gain(struct recent *recent, struct sqlite_db *db, struct errbuf *err) LM_MUST_CHECK;

/* How many have a key below `key`: those before that place. */
size_t recent_below(const struct recent *recent, const struct log_key *key);

/* The log; its texts live until the next call of this or of recent_bytes. */
int recent_record(struct recent *recent, struct sqlite_db *db, const struct recent_log *log,
                  struct record *record, struct errbuf *err) LM_MUST_CHECK;

/* The bytes of a row (block/raw.h), which live as long. */
int recent_bytes(struct recent *recent, struct sqlite_db *db, size_t row, struct slice *bytes,
                 struct errbuf *err) LM_MUST_CHECK;

#endif
