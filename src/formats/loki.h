/*
 * Loki's push: protobuf in a snappy block, whatever the headers say, and JSON in its two forms.
 * What becomes what, and how clients take which answer: docs/receiving.md.
 *
 * The two share the kind of memory: what one's memory_new has made the other may use.
 */
#ifndef LOGMILL_FORMATS_LOKI_H
#define LOGMILL_FORMATS_LOKI_H

#include "formats/format.h"

/* Bytes of a push, when decompressed. */
enum { LOKI_PUSH_BYTES_MAX = 64 << 20 };

extern const struct format loki_protobuf;
extern const struct format loki_json;

#endif
