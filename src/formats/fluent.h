/*
 * Fluent's forward protocol, version 1: fluentd, Fluent Bit, Docker's fluentd driver and loggers
 * (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1).
 *
 *   Message                    [tag, time, record, option?]
 *   Forward                    [tag, [[time, record], …], option?]
 *   PackedForward              [tag, bytes of [time, record] one after the other, option?]
 *   CompressedPackedForward    the same in gzip, of one or more members: {"compressed": "gzip"}
 *   nil                        a sign of life
 *
 * A message with {"chunk": …} is answered by {"ack": the same}, and its logs have ids that are
 * derived from the chunk, the tag, the events' bytes and their places: what is sent again is stored
 * once if its events have times of their own. An event that can never be a log is left out, and
 * acknowledged with the others. Of a message that holds more than is unpacked the beginning is
 * taken, but it is not acknowledged, and ends the connection; without a chunk it does not.
 *
 * With a shared key the two ends show each other that they know it (HELO, PING, PONG), before which
 * no event is taken. Users and passwords, which may come with a PING, are not looked at.
 *
 * Parts of a line that Docker cut wait for each other as bytes of the stream, and with them what
 * comes behind, if they come as messages without a chunk. With one their sender waits for the
 * answer to each: then they are logs of their own, with the attributes that say what they are.
 */
#ifndef LOGMILL_FORMATS_FLUENT_H
#define LOGMILL_FORMATS_FLUENT_H

#include "formats/stream.h"

enum {
    FLUENT_MESSAGE_MAX = 16 << 20,  /* bytes of a message, and of an event that comes packed */
    FLUENT_UNPACKED_MAX = 64 << 20, /* bytes of a message's events when they are unpacked */
    FLUENT_EVENTS_MAX = 1 << 20,    /* of a message: 64 KiB of gzip can hold 20 millions of them */
    FLUENT_PING_MAX = 4096,         /* bytes of what comes before the key was shown */
    FLUENT_CHUNK_MAX = 256,         /* bytes of a chunk's name; fluentd's have 24 */
    FLUENT_PARTED_MAX = 4,          /* lines of a connection of which parts are missing */
};

/* Its memory is one thread's. The setup's texts are to outlive it. */
extern const struct stream_format fluent_forward;

#endif
