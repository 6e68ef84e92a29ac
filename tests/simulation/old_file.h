/* A logs.db as an older logmill has left it: a log is a row. */
#ifndef LOGMILL_SIMULATION_OLD_FILE_H
#define LOGMILL_SIMULATION_OLD_FILE_H

#include "base/errbuf.h"
#include "record/record.h"

/* Makes the file in `directory`, with `records` stored in batches of `batch`. */
int old_file_make(const char *directory, const struct record *records, size_t n, size_t batch,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
