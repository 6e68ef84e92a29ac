/*
 * A log's key: (timestamp, id) is its identity and its order, everywhere. The forms in which it is
 * kept and sent are here, each with both its ends. All are promises: files, queues, caches and
 * clients hold them.
 */
#ifndef LOGMILL_RECORD_KEY_H
#define LOGMILL_RECORD_KEY_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/uuid7.h"

struct log_key {
    int64_t timestamp_us; /* since 1970, UTC */
    struct uuid id;
};

/* <0, 0, >0 as `a` comes before, is, or comes after `b` in ascending order. */
int log_key_compare(const struct log_key *a, const struct log_key *b);

/* The lowest key that a log of that time can have: its id has the time, and no other bits. */
struct log_key log_key_lowest(int64_t timestamp_us);

enum {
    LOG_KEY_BYTES = 8 + 16,
    LOG_KEY_CURSOR_LEN = 32, /* characters */
};

/* As bytes: the timestamp, big-endian, then the id. */
void log_key_pack(const struct log_key *key, char out[LOG_KEY_BYTES]);
void log_key_unpack(const char in[LOG_KEY_BYTES], struct log_key *key);

/* The same with the timestamp raised by 2^63: memcmp orders these bytes as the keys are. */
void log_key_pack_ordered(const struct log_key *key, char out[LOG_KEY_BYTES]);
void log_key_unpack_ordered(const char in[LOG_KEY_BYTES], struct log_key *key);

/*
 * As a cursor, which names a log to continue after: opaque to users, of characters that need no
 * escaping in a URL (base64url, RFC 4648, section 5, of the bytes of log_key_pack). Parsing takes
 * exactly what formatting writes for the key of some log: else LM_EINVAL.
 */
void log_key_format_cursor(const struct log_key *key, char out[LOG_KEY_CURSOR_LEN]);
int log_key_parse_cursor(struct slice text, struct log_key *key) LM_MUST_CHECK;

#endif
