/*
 * The credentials of the process as they are now: found once at the start, and, if they expire,
 * found again in good time by a thread of its own. A failure there leaves those that are in use;
 * nobody ever waits for a refresh. Thread-safe.
 */
#ifndef LOGMILL_AWS_IDENTITY_H
#define LOGMILL_AWS_IDENTITY_H

#include "aws/credentials.h"

struct aws_identity;

/* All zeroes are the defaults. */
struct aws_identity_options {
    struct aws_credentials_options find; /* without `stop` */
    unsigned retry_ms;                   /* after a failed refresh at first; it doubles */
};

/* Looks for credentials (blocks). NULL with `err` filled if there are none. */
struct aws_identity *aws_identity_new(const struct aws_identity_options *options,
                                      struct errbuf *err);
void aws_identity_free(struct aws_identity *id);

/* The credentials to sign with now; they live until they are given back. */
const struct aws_credentials *aws_identity_acquire(struct aws_identity *id);
void aws_identity_give_back(struct aws_identity *id, const struct aws_credentials *credentials);

/*
 * `refused` were refused by a service: they are looked for again in a second (later if that has
 * failed), for what an administrator has changed. Does nothing if others are in use already.
 */
void aws_identity_doubt(struct aws_identity *id, const struct aws_credentials *refused);

/* Why the last refresh failed; an empty text if it did not. */
void aws_identity_trouble(struct aws_identity *id, struct errbuf *text);

#endif
