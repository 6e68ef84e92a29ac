/*
 * Where the values of some attributes lead, for the page to make links of them: the setting LINKS,
 * NAME=URL with white space between, and variables of the environment LINK_NAME=URL. A name is the
 * path of an attribute; a URL is of http or https, and has {value} in its path, query or fragment
 * alone, so that no value changes where a link leads to but for what is behind its host.
 */
#ifndef LOGMILL_API_LINKS_H
#define LOGMILL_API_LINKS_H

#include "base/buffer.h"
#include "base/errbuf.h"

enum {
    LINKS_MAX = 64,
    LINKS_NAME_MAX = 256,
    LINKS_URL_MAX = 1024,
    LINKS_BYTES_MAX = 1 << 18 /* as JSON */
};

/*
 * Appends all of them to `b` (NULL: they are only checked) as an object of JSON. `text` and
 * `environment` (which ends with NULL) may be NULL. 0, or LM_EINVAL with which of them is wrong,
 * and what is allowed; or the buffer's error.
 */
int links_append(struct buffer *b, const char *text, char *const *environment,
                 struct errbuf *err) LM_MUST_CHECK;

/* What a variable LINK_NAME is of: its "NAME=URL"; NULL: it is none, or not set. */
const char *links_variable(const char *entry);

#endif
