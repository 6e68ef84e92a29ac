/*
 * Syslog over sockets: how messages are told apart (syslog.h reads one).
 *
 * In a datagram there is one. In a stream (RFC 6587, and what is sent besides) the first message of
 * a connection decides, message by message:
 *
 *   COUNT SP MSG    octet counting: digits, a space and "<". A count may be cut anywhere.
 *   MSG LF          A line that does not begin with "<PRI>" belongs to the message before it, if
 *                   that had a PRI: syslog-ng's network(), logger and log4j2 send the line feeds
 *                   that a message holds as they are. So the last message that has come is whole
 *                   when the next one begins, or nothing has come for STREAM_WAIT_MS. Then one is
 *                   whole without its line feed, too, unless the client has ended one with it:
 *                   there are those which have it between messages alone.
 *   MSG NUL         Python's SysLogHandler; line feeds stay in the message.
 *   MSG             No framing at all (winston-syslog and log4j2 unless told otherwise): what has
 *                   waited is whole, and a PRI with the version or the time of a head behind it
 *                   begins another message.
 *
 * Empty messages, which keep connections open, are none. A connection that begins with a zlib
 * stream (rsyslog's compression.mode) or with TLS is closed, for a reason that can be read.
 *
 * Nothing is left out for its length: a message of more than SYSLOG_MESSAGE_MAX is taken in pieces,
 * each a log of the same level, with the attribute "part", from 1 on; so is what a connection ends
 * within. No log of syslog has an identity: what is sent twice is stored twice.
 */
#ifndef LOGMILL_FORMATS_SYSLOG_FRAMES_H
#define LOGMILL_FORMATS_SYSLOG_FRAMES_H

#include "formats/stream.h"

/* Bytes of a message: as many as agents send unless told otherwise (rsyslog 8 KiB, Docker 16,
 * syslog-ng 64), and as a datagram holds. */
enum { SYSLOG_MESSAGE_MAX = 64 * 1024 };

extern const struct stream_format syslog_stream;
extern const struct stream_format syslog_datagram; /* no session */

#endif
