/* RETENTION_DAYS_BY_LEVEL: how long logs of some levels are kept. */
#ifndef LOGMILL_WORKER_LEVEL_RULES_H
#define LOGMILL_WORKER_LEVEL_RULES_H

#include "base/errbuf.h"
#include "base/slice.h"

enum { LEVEL_RULES_MAX = 16, LEVEL_RULES_DAYS_MAX = 1000000 };

struct level_rule {
    struct slice level; /* without case */
    unsigned days;      /* at least 1 */
};

struct level_rules {
    struct level_rule items[LEVEL_RULES_MAX];
    size_t len;
};

/*
 * Reads "debug:3,info:30": the levels become views of `text`. NULL and an empty text: no rules.
 * LM_EINVAL, with `err` saying what is wrong, if it is none, or names a level twice.
 */
int level_rules_parse(const char *text, struct level_rules *rules,
                      struct errbuf *err) LM_MUST_CHECK;

#endif
