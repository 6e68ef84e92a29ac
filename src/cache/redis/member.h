/*
 * A log as a member of the cache's sorted set, in bytes whose order (memcmp) is the order of logs:
 *
 *   24 key, as log_key_pack_ordered writes it
 *   4  length of level, big endian
 *   4  length of message, big endian
 *   …  level, message, attributes
 *
 * The byte after the key is never 0xff, since no level is that long; so the members of one key are
 * those from the key up to the key followed by 0xff.
 */
#ifndef LOGMILL_CACHE_REDIS_MEMBER_H
#define LOGMILL_CACHE_REDIS_MEMBER_H

#include "base/buffer.h"
#include "base/error.h"
#include "record/record.h"

enum { CACHE_MEMBER_HEAD_LEN = LOG_KEY_BYTES + 8 };

size_t cache_member_len(const struct record *r);

void cache_member_append(struct buffer *b, const struct record *r);

/* Reads a member; the slices of `r` point into it. LM_EINVAL if it is none. */
int cache_member_decode(struct slice member, struct record *r) LM_MUST_CHECK;

#endif
