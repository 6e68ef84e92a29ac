/*
 * Bytes of an input as lines of UTF-8. By how it begins, an input is
 *
 *   UTF-8 or UTF-16, with or (UTF-8 alone) without a byte order mark, and in that
 *   lines; or CSV as logmill writes it; or an array of objects, as in an answer of GET /logs; or
 *   systemd's journal in its export format (formats/journal.h): each row, object, entry becomes a
 *   line of JSON
 *
 * or something else, such as a compressed file, which is refused by its name.
 */
#ifndef LOGMILL_CLI_DECODER_H
#define LOGMILL_CLI_DECODER_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "cli/csv_rows.h"
#include "cli/json_array.h"
#include "formats/journal.h"

struct decoder {
    enum { DECODER_UNKNOWN, DECODER_UTF8, DECODER_UTF16LE, DECODER_UTF16BE } charset;
    enum { DECODER_BEGIN, DECODER_LINES, DECODER_CSV, DECODER_ARRAY, DECODER_JOURNAL } shape;
    struct buffer raw;  /* too few bytes to tell what they are */
    struct buffer text; /* in UTF-8, likewise */
    unsigned high;      /* the first half of a UTF-16 character, or 0 */
    struct csv_rows csv;
    struct json_array array;
    struct journal_reader *journal; /* NULL until it is one */
};

/* `is_plain`: only the charset is looked at, all lines are lines. */
void decoder_init(struct decoder *d, bool is_plain);
void decoder_release(struct decoder *d);

/*
 * Appends to `out` what `bytes`, the next ones (`is_last`: the last), are. What cannot be told
 * apart yet waits for the next call. Returns 0, LM_EDATA with `err` set, or LM_ENOMEM.
 */
int decoder_feed(struct decoder *d, struct slice bytes, bool is_last, struct buffer *out,
                 struct errbuf *err) LM_MUST_CHECK;

/* True if the lines are JSON, whatever they look like. */
bool decoder_is_json(const struct decoder *d);

/* True if they are the entries of a journal, whose ids were made here. */
bool decoder_is_journal(const struct decoder *d);

#endif
