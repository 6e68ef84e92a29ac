/*
 * From the text of a queue message to records, whoever has sent it: a batch of ours (version.h), a
 * bare log, or an array of logs, both in JSON. A log follows the rules of record/rules.h; of
 * limits.h only RECORD_STORED_DEPTH_MAX is looked at. U+0000 in texts becomes U+FFFD. A reader
 * belongs to one thread and reuses its memory: nothing is allocated per log once warm.
 */
#ifndef LOGMILL_MESSAGE_READER_H
#define LOGMILL_MESSAGE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "record/record.h"

struct message_reader;

struct message_reader *message_reader_new(void);
void message_reader_free(struct message_reader *r);

/* Lets go of what message_reader_read has handed out since the last reset. */
void message_reader_reset(struct message_reader *r);

/* A message, as the queue gives it. */
struct message_source {
    struct slice body;
    struct slice id; /* the queue's name for it, the same at every delivery */
    int64_t sent_us;
    bool ours_alone; /* of a queue to which nobody else writes: version 2 is believed there alone */
};

/*
 * An item that is no log: its JSON text (or nothing, if it is nested beyond all measure) and one
 * line that says why. Both live until the call returns. Returns 0 to go on.
 */
typedef int message_reject(struct slice item, const char *reason, void *ctx);

/*
 * Hands the logs of `m` to `sink`, in order, and what is no log to `reject`. A log without an id
 * gets one derived from the message's and its index, and without a timestamp sent_us, so that a
 * redelivery gives the same records. Slices that `sink` gets live until message_reader_reset, as
 * long as the body does, so that a worker can collect the records of many messages; the record
 * itself is to be copied. Returns 0; LM_EINVAL with `reason` filled if the whole message cannot be
 * understood (nothing was handed over); LM_ENOMEM; or the error of a callback, which ends the
 * reading.
 */
int message_reader_read(struct message_reader *r, const struct message_source *m, record_sink *sink,
                        message_reject *reject, void *ctx, struct errbuf *reason) LM_MUST_CHECK;

#endif
