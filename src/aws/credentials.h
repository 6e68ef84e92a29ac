/*
 * The credentials of AWS requests, and what a search for them is told. Where they come from:
 * credentials_chain.h. No secret is ever part of an error's text.
 */
#ifndef LOGMILL_AWS_CREDENTIALS_H
#define LOGMILL_AWS_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"

struct aws_credentials {
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* NULL: none */
    int64_t expires_us;  /* wall clock; 0: never */
    const char *source;  /* "the environment", …; static */
};

/* Frees what is in `c`, and wipes it before. */
void aws_credentials_release(struct aws_credentials *c);

/* All zeroes are the defaults. */
struct aws_credentials_options {
    const char *region;       /* whose security token service to ask; NULL: the global one */
    const atomic_bool *stop;  /* ends the search once true */
    const char *container_at; /* for tests, in place of http://169.254.170.2 */
    unsigned process_timeout_ms;
};

/*
 * Reads {"AccessKeyId":…, "SecretAccessKey":…, "Expiration":…} with the session token under the
 * name `token_name`. Returns 0 or LM_EUNAVAILABLE with `err` telling what is missing.
 */
int aws_credentials_from_json(struct slice text, const char *token_name, struct aws_credentials *c,
                              struct errbuf *err);

/* Sets the expiry from RFC 3339 text. Returns 0 or LM_EUNAVAILABLE. */
int aws_credentials_set_expiry(struct aws_credentials *c, struct slice text, struct errbuf *err);

/* A copy as a string, which aws_credentials_release wipes. */
char *aws_credentials_copy(struct slice text);

#endif
