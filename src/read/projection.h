/*
 * Which attributes of logs are wanted: `fields` of GET /logs. Of what a path (query/path.h) leads
 * to all stays, with what it is within; nothing else does.
 */
#ifndef LOGMILL_READ_PROJECTION_H
#define LOGMILL_READ_PROJECTION_H

#include <stdbool.h>

#include "base/ledger.h"
#include "query/batch.h"
#include "record/record.h"
#include "json/reader.h"

enum { PROJECTION_FIELDS_MAX = 64 };

struct projection {
    bool asked; /* false: all attributes stay */
    struct log_field items[PROJECTION_FIELDS_MAX];
    size_t len;
    char *paths; /* which the items point into, if not NULL */
    struct json_doc doc;
    struct buffer text;
};

/* All stays; all zero is the same. */
void projection_init(struct projection *p);
void projection_release(struct projection *p);

/* What its items point into is copied, and `account` charged for what it makes. 0, LM_ENOMEM or
 * LM_EBUSY. */
int projection_own(struct projection *p, struct account *account) LM_MUST_CHECK;

/*
 * Leaves what is wanted of r->attributes, until the next call or projection_release. 0, LM_ENOMEM
 * or LM_EBUSY.
 */
int projection_apply(struct projection *p, struct record *r) LM_MUST_CHECK;

/* Copies what the paths of `n` fields point to, into one allocation; NULL: no memory. */
char *projection_copy_paths(struct log_field *items, size_t n);

#endif
