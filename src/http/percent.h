/* %XX, as in paths and query strings (https://url.spec.whatwg.org/#percent-decode). */
#ifndef LOGMILL_HTTP_PERCENT_H
#define LOGMILL_HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/*
 * Writes `s` with each %XX made the byte it stands for (and "+" a space, if `plus_is_space`) to
 * `out`, which has room for s.len bytes and may be s.data. A "%" that two hex digits do not follow
 * stays as it is. Returns the bytes written.
 */
size_t percent_decode(char *out, struct slice s, bool plus_is_space);

#endif
