/*
 * Where the credentials of AWS requests come from. Looked for as the AWS SDKs do, in this order;
 * the first source that is configured decides, and its failure is not passed over:
 *
 *   environment         AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   shared files        the profile's keys, web identity, or credential_process (profile.h)
 *   web identity        AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME
 *   container           AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI, with
 *                       AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or …_TOKEN
 *   instance metadata   version 2 only; AWS_EC2_METADATA_DISABLED, …_SERVICE_ENDPOINT(_MODE)
 *
 * No secret is ever part of an error's text.
 */
#ifndef LOGMILL_AWS_CREDENTIALS_CHAIN_H
#define LOGMILL_AWS_CREDENTIALS_CHAIN_H

#include "aws/credentials.h"

/*
 * Looks for credentials; blocks for seconds if a source does, credential_process for a minute at
 * most. Returns 0, LM_ENOTFOUND if no source is configured, LM_EINVAL if one is but wrongly,
 * LM_EUNAVAILABLE or LM_ETIMEOUT if it cannot be asked or gives none, or LM_ESTOPPED.
 */
int aws_credentials_chain_find(const struct aws_credentials_options *options,
                               struct aws_credentials *c, struct errbuf *err) LM_MUST_CHECK;

#endif
