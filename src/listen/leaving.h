/*
 * What of a receiver goes to another process, and comes from one: its sockets, and the connections
 * of its clients, who often never connect again. Of a connection the next process has to know what
 * stream.h keeps between two reads:
 *
 *   8 bits: 1 (version), 8: has_waited, 16: bytes of the session, 2 × 64: bits, 64: number,
 *   64: arrival, session, bytes that were read and not used
 *
 * all in network order but for the session, which is the format's own, and its bits, which stay as
 * they are in memory: both processes are of one machine. A format whose session changes gives it
 * another size.
 */
#ifndef LOGMILL_LISTEN_LEAVING_H
#define LOGMILL_LISTEN_LEAVING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "formats/stream.h"

struct stream_left {
    bool has_waited;
    uint64_t bits[2];
    uint64_t number;
    int64_t arrival_us;
    struct slice session;
    struct slice bytes;
};

/* Appends it to `state`, which says by its error if there was no room. */
void stream_left_write(const struct stream_left *s, struct buffer *state);

/*
 * Reads it; session and bytes lie in `state`. False: it is none, or not of a format with sessions
 * of `session_bytes`.
 */
bool stream_left_read(struct stream_left *s, struct slice state, size_t session_bytes);

#endif
