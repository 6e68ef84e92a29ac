/* The background work of the embedded store (store/store.h): what is done when. */
#ifndef LOGMILL_STORE_SQLITE_KEEPER_H
#define LOGMILL_STORE_SQLITE_KEEPER_H

#include "store/store.h"

struct store_keeper *store_sqlite_keeper_new(struct store *base, struct errbuf *err);
void store_sqlite_keeper_free(struct store_keeper *base);
int store_sqlite_keeper_step(struct store_keeper *base, bool at_once, unsigned *wait_ms,
                             struct errbuf *err);

/* Logs that a keeper has compacted, as often as it did, for tests to count. */
uint64_t store_sqlite_keeper_rows(const struct store_keeper *base);

#endif
