/*
 * A place in the order in which logs were stored, which is not that of their timestamps: a log may
 * come late. Each log has one, and places only ever grow. All zero: before the first that is known.
 */
#ifndef LOGMILL_STORE_POSITION_H
#define LOGMILL_STORE_POSITION_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct store_position {
    uint64_t transaction;
    uint64_t sequence;
    uint32_t index;
};

/* <0, 0, >0 as `a` comes before, is, or comes after `b`. */
int store_position_compare(const struct store_position *a, const struct store_position *b);

/*
 * As text, TRANSACTION-SEQUENCE-INDEX in digits: clients keep it (Last-Event-ID) and send it back
 * years later, so it never changes. Parsing takes numbers of at most 18 digits, the last one of 32
 * bits: else LM_EINVAL.
 */
void store_position_append(struct buffer *b, const struct store_position *p);
int store_position_parse(struct slice text, struct store_position *p) LM_MUST_CHECK;

#endif
