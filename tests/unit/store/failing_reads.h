/* Reads of files that fail for a while: the disk, and not what it holds. */
#ifndef LOGMILL_TESTS_FAILING_READS_H
#define LOGMILL_TESTS_FAILING_READS_H

#include <stdbool.h>

/* From the `n`-th read of SQLite on, by this process, each fails. */
void failing_reads_from(unsigned n);

/* No longer. Returns whether one has failed. */
bool failing_reads_end(void);

#endif
