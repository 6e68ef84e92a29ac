/*
 * What there is to say of a set of sockets (net/given.h) besides the descriptors: their names, and
 * the states of connections. The descriptors travel beside it (SCM_RIGHTS), in any order: an entry
 * knows its own by the numbers that fstat(2) tells of it, which no other open one has.
 *
 *   "logmill sockets 1\n", 32 bits: entries; then each:
 *   64 bits: device, 64: inode, 8: is_held, 8: length of the name, 32: of the state, name, state
 */
#ifndef LOGMILL_NET_GIVEN_TABLE_H
#define LOGMILL_NET_GIVEN_TABLE_H

#include "base/slice.h"
#include "net/given.h"

/* Makes a file without a name (memfd_create(2)) that holds the table of `g`. -1 with `err` filled.
 */
int given_table_write(const struct given *g, struct errbuf *err);

/*
 * Gives those of `g` that have an entry in `table` their names and states. Those without keep what
 * they have; entries without a descriptor are left out. Returns 0; or LM_EINVAL with `err` filled
 * if it is no such table, and some of `g` may have got theirs.
 */
int given_table_apply(struct given *g, struct slice table, struct errbuf *err) LM_MUST_CHECK;

/* The same from a file as given_table_write makes it. LM_ENOMEM, LM_EIO. */
int given_table_read(struct given *g, int fd, struct errbuf *err) LM_MUST_CHECK;

#endif
