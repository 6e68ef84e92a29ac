/* Messages of version 2 (version.h), both ends. Internal to message/. */
#ifndef LOGMILL_MESSAGE_PACKED_H
#define LOGMILL_MESSAGE_PACKED_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "record/record.h"

enum { PACKED_HEAD_LEN = 3 + 16 + 1 };

/* Appends the head, whose checksum comes last. */
void packed_begin(struct buffer *b);

void packed_append(struct buffer *b, const struct record *r);

/* Puts the checksum into the head of `text`, which is complete. */
void packed_seal(char *text, size_t len);

/* Whether `text` says that it is of this version. */
bool packed_is(struct slice text);

/*
 * Checks the head of `text`, and takes it off. Returns 0, or LM_EINVAL with `reason` filled: the
 * text is not what was written.
 */
int packed_open(struct slice *text, struct errbuf *reason) LM_MUST_CHECK;

/*
 * Reads the log at the start of `rest`, which is not empty, into `r`, whose slices are views of it,
 * and takes it off. Returns 0, or LM_EINVAL.
 */
int packed_next(struct slice *rest, struct record *r) LM_MUST_CHECK;

#endif
