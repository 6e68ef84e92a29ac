/* What came out of a parse, kept for the tests to look at. */
#ifndef LOGMILL_TESTS_KEPT_RECORDS_H
#define LOGMILL_TESTS_KEPT_RECORDS_H

#include <stddef.h>

#include "record/record.h"

enum { KEPT_MAX = 100 };
struct kept {
    struct record records[KEPT_MAX]; /* their slices are copies, and terminated */
    size_t records_len;
    char *rejects[KEPT_MAX]; /* "ITEM: REASON" */
    size_t rejects_len;
    int fail_at; /* kept_sink returns LM_EFULL for the record of this index; -1: never */
};

/* A record_sink and a message_reject; `ctx` is a struct kept. */
int kept_sink(const struct record *r, void *ctx);
int kept_reject(struct slice item, const char *reason, void *ctx);

void kept_forget(struct kept *k);

#endif
