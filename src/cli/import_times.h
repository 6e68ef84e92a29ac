/*
 * The times that `import` gave to inputs without any: the change of a file, which is another one as
 * soon as the file has grown or was copied. So it is remembered, by what the input begins with, in
 * the file $XDG_STATE_HOME/logmill/import-times (~/.local/state if that is not set), a line
 * each:
 *
 *   LENGTH HASH MICROSECONDS    of the input's first bytes as they were then
 */
#ifndef LOGMILL_CLI_IMPORT_TIMES_H
#define LOGMILL_CLI_IMPORT_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"

enum {
    IMPORT_TIMES_HEAD = 64 << 10, /* bytes that an input is known by, at most */
    IMPORT_TIMES_BYTES = 1 << 20, /* of the file; past that the older half is forgotten */
};

/*
 * Finds the remembered time of the input that begins with `head` (all of it if it is shorter
 * than IMPORT_TIMES_HEAD), hashed on from `seed`. False if there is none.
 */
bool import_times_find(uint64_t seed, struct slice head, int64_t *us);

/* Remembers a time. Returns 0, or LM_EIO with `err` set. */
int import_times_add(uint64_t seed, struct slice head, int64_t us,
                     struct errbuf *err) LM_MUST_CHECK;

#endif
