/*
 * The sources that the chain asks, each in a file of its own. Each fills `c` and returns 0, or
 * LM_ENOTFOUND if it is not configured, or another error that ends the search.
 */
#ifndef LOGMILL_AWS_CREDENTIALS_SOURCES_H
#define LOGMILL_AWS_CREDENTIALS_SOURCES_H

#include "aws/credentials.h"
#include "aws/profile.h"

enum {
    AWS_CREDENTIALS_ANSWER_MAX = 64 << 10, /* bytes that a source may answer */
    AWS_CREDENTIALS_URL_MAX = 2048,
    AWS_CREDENTIALS_HTTP_TIMEOUT_MS = 5000,
};

int aws_credentials_process_find(const struct aws_credentials_options *options,
                                 const struct aws_profile *profile, struct aws_credentials *c,
                                 struct errbuf *err);

/* If `profile` is not NULL, what it says; else what the environment says. */
int aws_credentials_sts_find(const struct aws_credentials_options *options,
                             const struct aws_profile *profile, struct aws_credentials *c,
                             struct errbuf *err);
int aws_credentials_container_find(const struct aws_credentials_options *options,
                                   struct aws_credentials *c, struct errbuf *err);
int aws_credentials_instance_find(const struct aws_credentials_options *options,
                                  struct aws_credentials *c, struct errbuf *err);

#endif
