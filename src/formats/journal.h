/*
 * systemd's journal export format, as systemd-journal-upload sends it: entries with an empty line
 * between them, of fields that are lines NAME=value, or NAME, a line feed, the length in 64 bits of
 * little endian, and that many bytes.
 *
 *   MESSAGE               the message
 *   PRIORITY              the level, of 0 to 7 as syslog has them
 *   __REALTIME_TIMESTAMP  the time, in microseconds
 *   __CURSOR              what the id is derived from: an entry that comes again is the same log
 *   __…                   left out; they are the entry's place in the journal
 *
 * All other fields are attributes, their values texts. Of a field that an entry has several times
 * the last value is kept. An entry that can never be a log is left out and counted: a client that
 * is refused ends, and begins again with the same one.
 *
 * An upload is open for hours: journal_read is given what came, in any pieces.
 */
#ifndef LOGMILL_FORMATS_JOURNAL_H
#define LOGMILL_FORMATS_JOURNAL_H

#include "base/errbuf.h"
#include "formats/format.h"

enum {
    JOURNAL_ENTRY_MAX = 16 << 20, /* bytes of an entry; one that has more is left out */
    JOURNAL_FIELD_MAX = 768 << 20 /* as systemd's: a field that says more is none */
};

/* A body that is an upload from its beginning to its end. */
extern const struct format journal_upload;

/* An upload; what it holds of an entry that has not come whole is charged to `account` (may be
 * NULL). */
struct journal_reader;
struct journal_reader *journal_reader_new(struct account *account);
void journal_reader_free(struct journal_reader *r);

/* Begins a new upload. */
void journal_reader_reset(struct journal_reader *r);

/*
 * Reads the next bytes of an upload and hands the entries that are whole to `sink`; `counts` grows.
 * Returns 0; LM_EINVAL if it is no journal (`why` says it in one line): nothing more of it can be
 * read; LM_ENOMEM; LM_EBUSY; or the error of the sink.
 */
int journal_read(struct journal_reader *r, struct slice bytes, record_sink *sink, void *ctx,
                 struct format_counts *counts, struct errbuf *why) LM_MUST_CHECK;

/* The upload is over: the same for its last entry, which need not have an empty line behind it. */
int journal_finish(struct journal_reader *r, record_sink *sink, void *ctx,
                   struct format_counts *counts, struct errbuf *why) LM_MUST_CHECK;

#endif
