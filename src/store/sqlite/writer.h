/* The writer, for the files that make it up. */
#ifndef LOGMILL_STORE_SQLITE_WRITER_H
#define LOGMILL_STORE_SQLITE_WRITER_H

#include "store/sqlite/expire.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/known.h"
#include "store/sqlite/recent_store.h"
#include "store/sqlite/repeats.h"
#include "store/sqlite/seal.h"

struct store_sqlite_writer {
    struct store_writer base;
    struct store_sqlite *s;
    struct sqlite_db db; /* closed after an input/output error, opened again by the next call */
    struct known known;
    struct repeats *repeats;
    struct expire_pass expire_pass;
    struct store_sqlite_eraser *eraser; /* NULL: it has not erased yet */
    struct recent_store recent;
    struct block_row *batch; /* new logs of a batch that is sealed at once */
    size_t batch_capacity;
    size_t waited_for; /* logs of a batch that was refused for what is in it: its parts come now */
    uint64_t seal_again_us; /* not before this, by the monotonic clock: sealing failed */
};

/* Begins a transaction; opens the file if need be. */
int store_sqlite_writer_begin(struct store_sqlite_writer *w, struct errbuf *err) LM_MUST_CHECK;

/* Ends what it began: commits if nothing has failed so far, or undoes all. Returns `error`, or that
 * of the commit. */
int store_sqlite_writer_end(struct store_sqlite_writer *w, int error,
                            struct errbuf *err) LM_MUST_CHECK;

#endif
