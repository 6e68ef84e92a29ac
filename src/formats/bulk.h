/*
 * Elasticsearch's _bulk: a line that says what to do, then a line with the document, for each log.
 * "create" and "index" are taken, and documents are what members.h knows; "update" and "delete" are
 * refused, item by item. What came of each item is in the answer, in order, whether it was taken or
 * not: a document that can never be a log keeps no other out. A body whose lines cannot be told
 * from each other is refused as a whole.
 *
 * An item's _index, or that of the path, becomes the attribute _index. Its _id (with the index) is
 * what the log's id is derived from: the same document with a time of its own, sent again, is the
 * same log. Documents without an _id are known if their request comes again (repeats.h).
 *
 * When the logs cannot be stored now, the connection is to be closed: each answer there is would
 * lose them at one of the clients or make it send copies.
 */
#ifndef LOGMILL_FORMATS_BULK_H
#define LOGMILL_FORMATS_BULK_H

#include "formats/format.h"

enum {
    BULK_INDEX_MAX = 255, /* bytes of an index's name and of an _id, as Elasticsearch has them: */
    BULK_ID_MAX = 512,    /* an answer repeats both for each item */
    BULK_HOLD_MS = 4000,  /* of its clients the patience with an answer, where there is the least */
};

extern const struct format bulk_format;

#endif
