/* What is wrong with a query (query/language.h), for people: where, what was met, what is allowed.
 */
#ifndef LOGMILL_QUERY_MISTAKE_H
#define LOGMILL_QUERY_MISTAKE_H

#include <stddef.h>

struct query_mistake {
    size_t position;    /* characters (code points) before it */
    size_t offset, len; /* the same in bytes; of what was met: 0 at the end */
    char message[256];  /* "expected a value right after level:, met the end" */
    char allowed[256];  /* "a word, a text in quotes, …"; "" if the message says it */
};

#endif
