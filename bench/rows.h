/*
 * Rows for the loops of bench/: the logs of a corpus (bench/corpus.py) as records, made before a
 * clock starts.
 */
#ifndef LOGMILL_BENCH_ROWS_H
#define LOGMILL_BENCH_ROWS_H

#include <stddef.h>

#include "record/record.h"

struct rows {
    struct record *records; /* ascending, a microsecond apart, from now on, if not timed */
    size_t len;
    char *texts; /* what their slices show, each with a NUL behind it */
};

/*
 * `len` records from the NDJSON file `corpus`, from its start again if it has fewer lines. Ends
 * the program if the file cannot be read or is not valid.
 */
void rows_init(struct rows *rows, const char *corpus, size_t len);

/* The same, of a corpus whose logs ascend by their own times, which they keep: all of it. */
void rows_init_timed(struct rows *rows, const char *corpus);
void rows_release(struct rows *rows);

/* CPU time of this process so far. */
double rows_cpu_seconds(void);

#endif
