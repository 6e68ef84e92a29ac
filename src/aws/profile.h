/*
 * The settings of one profile of the shared AWS files: AWS_PROFILE (or "default") in
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE (~/.aws/config). What both
 * have, the former decides.
 */
#ifndef LOGMILL_AWS_PROFILE_H
#define LOGMILL_AWS_PROFILE_H

#include <stdbool.h>

#include "base/errbuf.h"

/* X(symbol, name in the file) */
#define AWS_PROFILE_SETTINGS(X)                                                                    \
    X(AWS_PROFILE_REGION, "region")                                                                \
    X(AWS_PROFILE_ENDPOINT_URL, "endpoint_url")                                                    \
    X(AWS_PROFILE_ACCESS_KEY_ID, "aws_access_key_id")                                              \
    X(AWS_PROFILE_SECRET_ACCESS_KEY, "aws_secret_access_key")                                      \
    X(AWS_PROFILE_SESSION_TOKEN, "aws_session_token")                                              \
    X(AWS_PROFILE_CREDENTIAL_PROCESS, "credential_process")                                        \
    X(AWS_PROFILE_ROLE_ARN, "role_arn")                                                            \
    X(AWS_PROFILE_ROLE_SESSION_NAME, "role_session_name")                                          \
    X(AWS_PROFILE_WEB_IDENTITY_TOKEN_FILE, "web_identity_token_file")                              \
    X(AWS_PROFILE_SOURCE_PROFILE, "source_profile")                                                \
    X(AWS_PROFILE_CREDENTIAL_SOURCE, "credential_source")                                          \
    X(AWS_PROFILE_SSO_SESSION, "sso_session")                                                      \
    X(AWS_PROFILE_SSO_START_URL, "sso_start_url")

enum aws_profile_setting {
#define AWS_PROFILE_ENUM(symbol, name) symbol,
    AWS_PROFILE_SETTINGS(AWS_PROFILE_ENUM)
#undef AWS_PROFILE_ENUM
        AWS_PROFILE_SETTINGS_LEN
};

struct aws_profile {
    char *name;
    bool chosen; /* by AWS_PROFILE */
    bool found;
    char *values[AWS_PROFILE_SETTINGS_LEN]; /* NULL if not set */
};

/*
 * Reads the files; one that is not there counts as empty. Returns 0, or LM_EINVAL if AWS_PROFILE
 * names a profile that neither has, or a file cannot be read.
 */
int aws_profile_load(struct aws_profile *p, struct errbuf *err) LM_MUST_CHECK;

/* Frees what is in `p`, and wipes it before: there are secrets among it. */
void aws_profile_release(struct aws_profile *p);

/*
 * All of a small file (1 MiB at most), as text to be freed with aws_profile_free_text.
 * Returns 0, LM_ENOTFOUND or LM_EINVAL.
 */
int aws_profile_read_file(const char *path, char **text, struct errbuf *err) LM_MUST_CHECK;

/* Wipes and frees `text`; NULL does nothing. */
void aws_profile_free_text(char *text);

/* The value of environment variable `name`, or NULL if it is not set or empty. */
const char *aws_profile_env(const char *name);

#endif
