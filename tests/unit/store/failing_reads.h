/* Reads of files that fail for a while: the disk, and not what it holds. */
#ifndef LOGMILL_TESTS_FAILING_READS_H
#define LOGMILL_TESTS_FAILING_READS_H

#include <stdbool.h>
#include <sys/types.h>

/* From the `n`-th read of SQLite on, by this process, each fails. */
void failing_reads_from(unsigned n);

/* Each that begins at `offset`, of a page of a file, fails. */
void failing_reads_of(off_t offset);

/* No longer. Returns whether one has failed. */
bool failing_reads_end(void);

#endif
