/*
 * Where the credentials of AWS requests come from. Looked for as the AWS SDKs do, in this order;
 * the first source that is configured decides, and its failure is not passed over:
 *
 *   environment         AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   shared files        the profile's keys, web identity, or credential_process (aws_profile.h)
 *   web identity        AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME
 *   container           AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI, with
 *                       AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or …_TOKEN
 *   instance metadata   version 2 only; AWS_EC2_METADATA_DISABLED, …_SERVICE_ENDPOINT(_MODE)
 *
 * No secret is ever part of an error's text.
 */
#ifndef LOGMILL_AWS_CREDENTIALS_H
#define LOGMILL_AWS_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"

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
 * Looks for credentials; blocks for seconds where a source does. Returns 0, LM_ENOTFOUND where no
 * source is configured, LM_EINVAL where one is but wrongly, LM_EUNAVAILABLE where it cannot be
 * asked or gives none, or LM_ESTOPPED.
 */
int aws_credentials_find(const struct aws_credentials_options *options, struct aws_credentials *c,
                         struct errbuf *err) LM_MUST_CHECK;

#endif
