/*
 * What the sources of credentials share; nobody else includes it. Each fills `c` and returns 0, or
 * LM_ENOTFOUND where it is not configured, or another error that ends the search.
 */
#ifndef LOGMILL_AWS_CREDENTIALS_INTERNAL_H
#define LOGMILL_AWS_CREDENTIALS_INTERNAL_H

#include "aws/credentials.h"
#include "aws/profile.h"
#include "base/slice.h"

enum {
    AWS_CREDENTIALS_ANSWER_MAX = 64 << 10, /* bytes that a source may answer */
    AWS_CREDENTIALS_URL_MAX = 2048,
    AWS_CREDENTIALS_HTTP_TIMEOUT_MS = 5000,
};

int aws_credentials_process_find(const struct aws_credentials_options *options,
                                 const struct aws_profile *profile, struct aws_credentials *c,
                                 struct errbuf *err);

/* Where `profile` is not NULL, what it says; else what the environment says. */
int aws_credentials_sts_find(const struct aws_credentials_options *options,
                             const struct aws_profile *profile, struct aws_credentials *c,
                             struct errbuf *err);
int aws_credentials_container_find(const struct aws_credentials_options *options,
                                   struct aws_credentials *c, struct errbuf *err);
int aws_credentials_instance_find(const struct aws_credentials_options *options,
                                  struct aws_credentials *c, struct errbuf *err);

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
