/*
 * Where a failing function puts its human detail: one line, lower case, cause first, naming what is
 * allowed. Passed by the caller, who decides what becomes of it; library code never prints.
 */
#ifndef LOGMILL_BASE_ERRBUF_H
#define LOGMILL_BASE_ERRBUF_H

#include "base/error.h"

enum { ERRBUF_SIZE = 512 };

struct errbuf {
    char text[ERRBUF_SIZE]; /* always terminated */
};

#define ERRBUF_INIT {.text = ""}

/* Sets the text of `err` (which may be NULL: nothing is done), cutting what does not fit. */
void errbuf_set(struct errbuf *err, const char *format, ...) LM_PRINTF(2, 3);

/* As errbuf_set, and returns `error`: `return errbuf_fail(err, LM_EIO, "cannot read %s", path);` */
int errbuf_fail(struct errbuf *err, int error, const char *format, ...) LM_PRINTF(3, 4);

#endif
