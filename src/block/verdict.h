/* What is known of a block without opening it, by its head. */
#ifndef LOGMILL_BLOCK_VERDICT_H
#define LOGMILL_BLOCK_VERDICT_H

#include "block/head.h"

/* No log of such a block matches; some may; or every one does, the time bounds apart. The order is
 * that of logic: AND is the least, OR the greatest. */
enum block_verdict { BLOCK_NONE, BLOCK_SOME, BLOCK_ALL };

#endif
