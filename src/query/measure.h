/*
 * What is known of one field over some logs, so far as it is asked for: in how many it is, the sum
 * and the extremes of its numbers, their percentiles, how many distinct values it has. Measures of
 * different logs merge.
 *
 * Numbers are JSON's, and strings that are numbers (query/number.h); others do not count where
 * numbers do. Sums are doubles, with compensation: within some of their last bits, whatever the
 * order. One beyond a double counts as the largest double there.
 */
#ifndef LOGMILL_QUERY_MEASURE_H
#define LOGMILL_QUERY_MEASURE_H

#include "query/batch.h"
#include "query/distinct.h"
#include "query/levels.h"
#include "query/quantiles.h"

/* What is asked for, as bits. */
enum {
    MEASURE_NUMBERS = 1,   /* sum and extremes */
    MEASURE_QUANTILES = 2, /* … and percentiles */
    MEASURE_DISTINCT = 4,
    MEASURE_TIMES = 8,    /* the first and the last, of the timestamp */
    MEASURE_LEVELS = 16,  /* logs of each severity */
    MEASURE_EXAMPLE = 32, /* one of its texts, whichever came first */
};

enum { MEASURE_TEXT_MAX = 31 };

/* An extreme as it was written; of longer numbers that of the nearest double. */
struct measure_number {
    double number;
    uint8_t len; /* 0: none */
    char text[MEASURE_TEXT_MAX];
};

struct measure {
    uint64_t logs;            /* that have the field */
    uint64_t numbers;         /* numbers, several of a log too */
    double sum, compensation; /* which are to be added */
    struct measure_number min, max;
    int64_t first_us, last_us; /* where logs > 0 */
    struct quantiles quantiles;
    struct distinct distinct;
    uint64_t *levels; /* of MEASURE_LEVELS_LEN; NULL: none yet */
    char *example;    /* NULL: none yet */
    size_t example_len;
};

/* Severities (query/levels.h), and all other levels. */
enum { MEASURE_LEVELS_LEN = LEVEL_SEVERITIES + 1, MEASURE_OTHER_LEVEL = LEVEL_SEVERITIES };

/* A value, made ready for measures: it is that for all logs that have it. */
struct measured {
    bool is_number;
    int32_t place; /* quantiles_place */
    struct measure_number number;
    uint64_t hash;        /* distinct_hash */
    unsigned level;       /* a place in measure.levels */
    struct slice example; /* as long as what it was made of */
};

/* `asked`: what of it will be needed. Its `example` is the caller's to set. */
void measured_init(struct measured *m, const struct log_value *value, unsigned asked);

/* The same of integer / 10^decimals, whose text is written to `room`. */
enum { MEASURED_INTEGER_ROOM = 24 };
struct slice measured_integer(int64_t integer, unsigned decimals, char room[MEASURED_INTEGER_ROOM]);

void measure_release(struct measure *m); /* all zero is one of no logs */

/* `logs` logs have this value, besides others maybe: m->logs is the caller's. 0 or LM_ENOMEM. */
int measure_add(struct measure *m, const struct measured *value, uint64_t logs,
                unsigned asked) LM_MUST_CHECK;

/*
 * The same of a number, integer / 10^decimals. `*done` false: nothing has changed, for what is
 * asked of it needs its text (measured_integer).
 */
int measure_add_integer(struct measure *m, int64_t integer, unsigned decimals, uint64_t logs,
                        unsigned asked, bool *done) LM_MUST_CHECK;

void measure_add_time(struct measure *m, int64_t time_us, uint64_t logs);

int measure_merge(struct measure *m, const struct measure *other, unsigned asked) LM_MUST_CHECK;

/* Of what is read from elsewhere. 0 or LM_ENOMEM. */
int measure_set_example(struct measure *m, struct slice example) LM_MUST_CHECK;
int measure_add_level(struct measure *m, unsigned level, uint64_t logs) LM_MUST_CHECK;

/* Bytes, without itself. */
size_t measure_memory(const struct measure *m);

double measure_sum(const struct measure *m);

/* <0, 0, >0 by value; neither is without a text. */
int measure_number_compare(const struct measure_number *a, const struct measure_number *b);

#endif
