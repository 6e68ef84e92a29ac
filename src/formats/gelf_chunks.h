/*
 * GELF messages that come in chunks, several datagrams each: 1e 0f, 8 bytes of an id, the index of
 * the chunk, their number (up to GELF_CHUNKS_MAX), and its part of the message, which may be packed
 * as a whole. They come in any order, and twice.
 *
 * A table of those that wait: GELF_CHUNKED_MAX messages with GELF_CHUNKED_BYTES_MAX together, each
 * for GELF_CHUNKED_MS. Where there is no room, the oldest is given up. A message is known by its id
 * and its sender, so that nobody can disturb those of others.
 *
 * Belongs to one thread.
 */
#ifndef LOGMILL_FORMATS_GELF_CHUNKS_H
#define LOGMILL_FORMATS_GELF_CHUNKS_H

#include "formats/stream.h"

enum {
    GELF_CHUNKS_MAX = 128,
    GELF_CHUNKED_MS = 5000,
    GELF_CHUNKED_MAX = 1024,
    GELF_CHUNKED_BYTES_MAX = 4 << 20
};

extern const struct stream_joiner gelf_chunks;

#endif
