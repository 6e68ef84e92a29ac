/*
 * What blocks had to say to questions that were asked lately: of each block how many logs match,
 * for each combination of values of the fields that were asked for. Whoever asks again (a page that
 * refreshes itself, the next bucket of the same chart) adds these up, and opens only what is new.
 *
 * Blocks never change; one of which logs were erased is not kept, nor is one with many values.
 * Shared by all readers of a process, in bounded memory: the question that was not asked for the
 * longest time is forgotten first. Without memory there is just none. Thread-safe but for sums,
 * which are their callers'.
 */
#ifndef LOGMILL_STORE_SQLITE_TALLIES_H
#define LOGMILL_STORE_SQLITE_TALLIES_H

#include <pthread.h>
#include <stdbool.h>

#include "query/batch.h"
#include "query/tree.h"

enum {
    TALLIES_MAX = 32,              /* questions */
    TALLIES_BYTES_MAX = 16 << 20,  /* of all of them */
    TALLY_ROWS_MAX = 256,          /* combinations of a block … */
    TALLY_COMBINATIONS_MAX = 4096, /* … and of a question */
    TALLY_TEXT_MAX = 256,          /* bytes of a value */
};

struct tally;

struct tallies {
    pthread_mutex_t lock;
    struct tally *each[TALLIES_MAX];
    size_t len;
    size_t bytes;
    size_t bytes_max; /* smaller in tests */
    uint64_t asked;
};

void tallies_init(struct tallies *t);
void tallies_release(struct tallies *t); /* nobody has a question any more */

/*
 * The question what `fields` are in the logs that match `query` (NULL: all), until it is given
 * back. NULL: nothing is kept of such a one, or there is no room.
 */
struct tally *tallies_ask(struct tallies *t, const struct log_fields *fields,
                          const struct query *query);
void tallies_give_back(struct tallies *t, struct tally *tally); /* NULL does nothing */

/* Logs of blocks, added up by combination. Zeroes at the start. */
struct tally_sum {
    uint64_t *counts; /* of each combination by its number … */
    uint32_t *met;    /* … and those that are not 0 */
    size_t met_len, capacity;
    int64_t time_us; /* that all have, … */
    bool any_time;   /* … unless none is asked for */
};

void tally_sum_release(struct tally_sum *sum);

/* Adds what is known of a block to the sum; false: nothing is. */
bool tallies_recall(struct tallies *t, struct tally *tally, int64_t block, struct tally_sum *sum);

/* Whether it would. */
bool tallies_know(struct tallies *t, const struct tally *tally, int64_t block);

/* Keeps what a block has, and adds it to the sum; false: neither. */
bool tallies_note(struct tallies *t, struct tally *tally, int64_t block,
                  const struct log_batch *batch, struct tally_sum *sum);

/*
 * Calls `fn` with the sum as a batch, if there is anything in it, and empties it. LM_ENOMEM, or
 * what `fn` returned.
 */
int tallies_hand_out(struct tallies *t, struct tally *tally, struct tally_sum *sum,
                     log_batch_fn *fn, void *ctx) LM_MUST_CHECK;

#endif
