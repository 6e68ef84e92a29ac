/* Logs on standard output: for people, as JSON, as CSV, or their messages alone. */
#ifndef LOGMILL_CLI_SHOW_H
#define LOGMILL_CLI_SHOW_H

#include <yyjson.h>

#include "base/buffer.h"
#include "cli/flags.h"

enum show_form { SHOW_PRETTY, SHOW_JSON, SHOW_CSV, SHOW_MESSAGE };

struct show {
    enum show_form form;
    bool is_terminal; /* nothing may control it */
    bool has_color;
    bool is_local; /* times as the clock on the wall has them */
};

/* From the flags output, color and local, and from what standard output is. */
void show_init(struct show *show, const struct flags *flags);

/* Appends the line of names that CSV begins with; nothing for other forms. */
void show_append_head(const struct show *show, struct buffer *b);

/* Appends a log, an object read with YYJSON_READ_NUMBER_AS_RAW, with a newline. */
void show_append(const struct show *show, struct buffer *b, yyjson_val *log);

/* Writes bytes to standard output. Returns 0, LM_EIO, or LM_ESTOPPED (`err` empty) if
   its reader has gone. */
int show_write(struct slice bytes, struct errbuf *err) LM_MUST_CHECK;

#endif
