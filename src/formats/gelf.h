/*
 * GELF, the Graylog Extended Log Format, 1.0 and 1.1: one message, an object of JSON, plain or
 * packed with zlib or gzip, which its first bytes tell (a Content-Encoding is wrong with some
 * clients). Over HTTP it is the body of a request; over UDP a datagram or the chunks of one put
 * together, over TCP what is before a zero byte.
 *
 *   short_message   the message; full_message if that is missing
 *   full_message    an attribute, unless it says the same
 *   timestamp       seconds; what is no time stays an attribute
 *   level           0 to 7, as syslog has them
 *   _name           the attribute name; with its _ if it is one that GELF has, too (_host)
 *   version         left out; all else are attributes
 *
 * A message has nothing that tells it from others: one that comes again is stored again.
 */
#ifndef LOGMILL_FORMATS_GELF_H
#define LOGMILL_FORMATS_GELF_H

#include "formats/format.h"
#include "formats/stream.h"

enum { GELF_MESSAGE_MAX = 16 << 20 }; /* bytes of a message that was packed, when it is no more */

extern const struct format gelf_message;
extern const struct stream_format gelf_stream;   /* over TCP: never packed */
extern const struct stream_format gelf_datagram; /* over UDP: may be packed, and in chunks */

#endif
