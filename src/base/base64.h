/* Base64 (RFC 4648, section 4), with its padding. */
#ifndef LOGMILL_BASE_BASE64_H
#define LOGMILL_BASE_BASE64_H

#include "base/buffer.h"
#include "base/slice.h"

/* Appends the text of `bytes`. */
void base64_append(struct buffer *b, struct slice bytes);

/* Appends the bytes of `text`. Returns 0, or LM_EINVAL, when some of them may have been. */
int base64_append_decoded(struct buffer *b, struct slice text) LM_MUST_CHECK;

#endif
