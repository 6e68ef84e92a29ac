/*
 * Logs made by chance: such as programs write, and all odd ones that may be sent. The texts live as
 * long as the struct store_logs that they were made in.
 */
#ifndef LOGMILL_TESTS_STORE_LOGS_H
#define LOGMILL_TESTS_STORE_LOGS_H

#include "base/buffer.h"
#include "dice.h"
#include "query/filter.h"

struct store_logs {
    struct record *items;
    size_t len;
    size_t capacity;
    struct store_logs_text *texts; /* all that the items' texts are in */
};

void store_logs_release(struct store_logs *l); /* all zeroes again */

/* Adds a log; the texts are copied. `attributes` may be NULL. */
struct record *store_logs_add(struct store_logs *l, const struct log_key *key, const char *level,
                              const char *message, const char *attributes);
struct record *store_logs_add_slices(struct store_logs *l, const struct record *record);

/* Of what kind the logs of store_logs_add_random are. */
struct store_logs_kind {
    int64_t from_us, to_us; /* their times lie between these, most … */
    bool any_time;          /* … or one in eight anywhere in the calendar */
    bool spelled;           /* attributes spelled in ways that not every store keeps */
    size_t large_bytes;     /* one in a few hundred has a text as large as this; 0: none */
};

struct record *store_logs_add_random(struct store_logs *l, struct dice *dice,
                                     const struct store_logs_kind *kind);

/*
 * A filter by chance, that some of those logs match: its texts are views of constants and of
 * `sample`, a log (NULL: none), of which it takes some. Time bounds are left open.
 */
void store_logs_random_filter(struct log_filter *f, struct dice *dice, const struct record *sample);

#endif
