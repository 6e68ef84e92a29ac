/* Texts as parts of a URL: %XX for all but the unreserved characters of RFC 3986. */
#ifndef LOGMILL_BASE_URL_ESCAPE_H
#define LOGMILL_BASE_URL_ESCAPE_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends `text`, any bytes, so that it means itself in a path's segment or in a query string. */
void url_escape_append(struct buffer *b, struct slice text);

#endif
