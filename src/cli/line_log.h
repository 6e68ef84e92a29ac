/*
 * One log of a line: a member of an NDJSON body that POST /logs takes, with a newline. Which it is,
 * and where it begins, is in the reader (log_input, log_number): line_log_begin.
 */
#ifndef LOGMILL_CLI_LINE_LOG_H
#define LOGMILL_CLI_LINE_LOG_H

#include <yyjson.h>

#include "cli/line_reader.h"

enum { LINE_PIECE_MAX = 128 << 10 }; /* of plain text in one log; longer ones become several logs */

/* The log that comes begins at line `number` of `in`, which was read at `read_us`
 * (line_part). */
void line_log_begin(struct line_reader *r, struct line_input *in, uint64_t number, int64_t read_us);

/* Appends `text`, an object of JSON that is not empty and was read as `log`. Returns 0; LM_EDATA
 * with `err` set, if the server would refuse it; or LM_ENOMEM. */
int line_log_json(struct buffer *b, struct line_reader *r, struct slice text, yyjson_val *log,
                  struct errbuf *err) LM_MUST_CHECK;

/* Other bits of ids of what is read as JSON: line_input_id. */
static const uint64_t LINE_LOG_OF_JSON = UINT64_C(0x9e3779b97f4a7c15);

/* Appends what a form has read of `text`: the reader's draft. Returns 0; LM_EDATA if it is more
 * than a log may be; or LM_ENOMEM. */
int line_log_draft(struct buffer *b, struct line_reader *r, uint64_t bits,
                   struct slice text) LM_MUST_CHECK;

/* What of a line's text a log is. */
struct line_piece {
    struct slice text; /* at most LINE_PIECE_MAX bytes */
    size_t at;         /* in it */
    uint32_t part;     /* of several; 0: all of it */
};

/* How many bytes of `text` one log takes: never a part of a character. */
size_t line_log_piece_len(struct slice text);

/* Appends a text, which is no more than that; `head` (NULL: none) is what it begins with. */
void line_log_text(struct buffer *b, struct line_reader *r, const struct line_piece *piece,
                   const struct text_head *head);

#endif
