/* The memory that forms of lines (line_format.h) read with, and what a line does not say itself. */
#ifndef LOGMILL_FORMATS_LINE_MEMORY_H
#define LOGMILL_FORMATS_LINE_MEMORY_H

#include <stdint.h>

#include "base/buffer.h"
#include "formats/syslog.h"
#include "json/reader.h"

/* It belongs to one thread. */
struct line_memory {
    int64_t now_us;                 /* for times without a year */
    int64_t (*ahead_s)(int64_t us); /* of UTC, for times without a zone; NULL: they are UTC */
    struct syslog syslog;
    struct json_doc outer, inner;     /* of a line, and of the text in it */
    struct buffer message, attribute; /* without their escapes */
    size_t nul_characters;            /* U+0000 of JSON that became U+FFFD */
};

void line_memory_init(struct line_memory *m);
void line_memory_release(struct line_memory *m);

#endif
