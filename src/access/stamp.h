/*
 * The attributes that a key sets (grant.set), put into each log that is sent
 * with it: whatever the log says of them goes away, under each name by which a
 * query could find it (query/path.h): of a.b the attribute a.b, and b in a. So
 * nobody who has only such a key can make a log that another's readers
 * (grant.only) take for theirs. One of a thread.
 */
#ifndef LOGMILL_ACCESS_STAMP_H
#define LOGMILL_ACCESS_STAMP_H

#include "access/grant.h"
#include "base/ledger.h"
#include "record/record.h"
#include "json/reader.h"

struct stamp {
    struct json_doc doc;
    struct buffer attributes, other; /* charged to the account; `other` while names go away */
};

void stamp_init(struct stamp *s, struct account *account);
void stamp_release(struct stamp *s);

/* What a large log has made large is not kept. */
void stamp_rest(struct stamp *s);

/*
 * Sets `to` to `r` with the attributes of `g` (NULL: `r` as it is), until the
 * next call. Returns 0; LM_EDATA: it is larger than RECORD_BYTES_MAX then;
 * LM_ENOMEM; or LM_EBUSY: no room in the account.
 */
int stamp_apply(struct stamp *s, const struct grant *g, const struct record *r,
                struct record *to) LM_MUST_CHECK;

#endif
