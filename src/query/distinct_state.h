/*
 * Distinct values as a text: `{"hashes":"…"}`, of eight bytes each, or `{"registers":"…"}`, in
 * base64. Part of the states of aggregates and surveys. Internal to query/.
 */
#ifndef LOGMILL_QUERY_DISTINCT_STATE_H
#define LOGMILL_QUERY_DISTINCT_STATE_H

#include <yyjson.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "query/distinct.h"

void distinct_append_state(const struct distinct *d, struct buffer *b);

/* Adds what that wrote, which may be anything. 0, LM_ENOMEM, or LM_EINVAL with what is wrong in
 * `err`. */
int distinct_read_state(struct distinct *d, yyjson_val *value, struct errbuf *err) LM_MUST_CHECK;

#endif
