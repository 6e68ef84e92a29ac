/*
 * Answers that come in parts where they take long (GET /logs/stats, /logs/fields, …), merged by the
 * code that made them, and shown as a table, CSV or JSON: what the commands have in common that ask
 * for such.
 */
#ifndef LOGMILL_CLI_PARTS_H
#define LOGMILL_CLI_PARTS_H

#include <yyjson.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "cli/flags.h"
#include "cli/sheet.h"

/* One of them; `ctx` is its own. */
struct parts_kind {
    const char *list; /* the member that such an answer has, an array */

    /* Before anything is asked: is the command line right? 0 or LM_EINVAL. */
    int (*check)(void *ctx, struct errbuf *err);

    /* Appends the path and the parameters that no other has. */
    void (*append_path)(void *ctx, struct buffer *path);

    /* Adds the state of a part, JSON. */
    int (*merge)(void *ctx, struct slice state, struct errbuf *err);
    uint64_t (*total)(void *ctx); /* logs, so far */

    /* Appends the members of the merged answer. */
    int (*append_answer)(void *ctx, struct buffer *b);

    /* Appends an answer, read with YYJSON_READ_NUMBER_AS_RAW, as a table or as CSV. */
    void (*append_rows)(void *ctx, yyjson_val *root, struct buffer *out, bool is_table);
};

enum { PARTS_ANSWER_BYTES_MAX = 256 << 20 };

/* Asks, merges and shows. Returns the exit status. */
int parts_run(const struct flags *flags, const struct parts_kind *kind, void *ctx);

/* Appends what was put together, as a table or as CSV. */
void parts_append_sheet(const struct sheet *t, struct buffer *out, bool is_table);

/* Says on stderr what an answer's `approximate` means, if it says anything. */
void parts_say_approximate(const char *command, yyjson_val *root);

/* Appends a value of an answer, that is a text or a number, or `none` for null. */
struct slice parts_text(yyjson_val *value, struct slice none);

/* A number of an answer. */
uint64_t parts_number(yyjson_val *value);

#endif
