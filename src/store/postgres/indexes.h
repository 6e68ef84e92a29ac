/*
 * Indexes that the owner may ask for (DATABASE_INDEXES), on the partitions of days:
 *
 *   message      GIN of trigrams, which serves ILIKE (the extension pg_trgm)
 *   attributes   GIN of names and values, which serves paths such as predicates.c writes
 *   levels       B-tree of the keys of logs that are no mere information, in the order of pages
 *
 * The first two, which make storing much dearer, on days that are over; the third also on those
 * that are written, or will be.
 *
 * The keeper makes them, a day at a time, the newest first, CONCURRENTLY, by a connection of its
 * own: neither writers nor readers wait, and the counts are folded meanwhile. An index is known by
 * its name. What is left of one that came to no end is dropped, and it is made anew.
 */
#ifndef LOGMILL_STORE_POSTGRES_INDEXES_H
#define LOGMILL_STORE_POSTGRES_INDEXES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/postgres/conn.h"

enum store_postgres_index {
    STORE_POSTGRES_INDEX_MESSAGE,
    STORE_POSTGRES_INDEX_ATTRIBUTES,
    STORE_POSTGRES_INDEX_LEVELS,
    STORE_POSTGRES_INDEX_KINDS
};

/* How the name of a day's index ends, and that as a pattern: logs_20261125_logmill_message. */
#define STORE_POSTGRES_INDEX_NAMES "'^logs_[0-9]{8}_logmill_(message|attributes|levels)$'"

/*
 * Of which logs `levels` has the keys: all but those of the levels below "warning", as these are
 * usually spelled, the most usual one first. A query has the same condition beside its own, by
 * which the planner knows that the index has all that it looks for.
 */
#define STORE_POSTGRES_INDEX_LEVELS_CONDITION                                                      \
    "level <> ALL ('{info,INFO,Info,debug,DEBUG,Debug,trace,TRACE,Trace,notice,NOTICE,Notice}')"

/*
 * Reads "message,attributes": a bit for each (1 << kind). NULL and an empty text: none. LM_EINVAL,
 * with `err` saying what is allowed, if it is something else.
 */
int store_postgres_indexes_parse(const char *text, unsigned *wanted,
                                 struct errbuf *err) LM_MUST_CHECK;

/* Makes them. Belongs to one thread. */
struct store_postgres_indexes {
    struct store_postgres_conn conn;
    unsigned wanted;
    bool is_building;                              /* a statement runs on `conn` */
    bool is_drop;                                  /* it takes away what is left of one */
    char name[64];                                 /* of the index that is made */
    uint64_t began_us, next_us;                    /* monotonic; 0: at once */
    uint64_t later_us[STORE_POSTGRES_INDEX_KINDS]; /* that kind cannot be made before */
    unsigned said;                                 /* of which kinds it was said that they cannot */
};

void store_postgres_indexes_init(struct store_postgres_indexes *x,
                                 const struct store_postgres_address *address, unsigned wanted);
void store_postgres_indexes_release(struct store_postgres_indexes *x);

/*
 * Goes on, and waits for no index. What fails is told as a diagnostic, and tried again after an
 * hour (RETRY_MS). Returns false if there is nothing to do for now.
 */
bool store_postgres_indexes_step(struct store_postgres_indexes *x);

#endif
