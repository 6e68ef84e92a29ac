#include "aws/credentials_chain.h"

#include "aws/credentials_sources.h"
#include "aws/profile.h"
#include "base/xalloc.h"

static int find_in_environment(struct aws_credentials *c, struct errbuf *err)
{
    const char *key = aws_profile_env("AWS_ACCESS_KEY_ID");
    const char *secret = aws_profile_env("AWS_SECRET_ACCESS_KEY");
    const char *token = aws_profile_env("AWS_SESSION_TOKEN");

    if (!key && !secret)
        return LM_ENOTFOUND;
    if (!key || !secret)
        return errbuf_fail(err, LM_EINVAL, "%s is set, but %s is not",
                           key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                           key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    c->access_key_id = xstrdup(key);
    c->secret_access_key = xstrdup(secret);
    c->session_token = token ? xstrdup(token) : NULL;
    c->source = "the environment";
    return 0;
}

static int find_keys_in_profile(const struct aws_profile *p, struct aws_credentials *c,
                                struct errbuf *err)
{
    const char *key = p->values[AWS_PROFILE_ACCESS_KEY_ID];
    const char *secret = p->values[AWS_PROFILE_SECRET_ACCESS_KEY];
    const char *token = p->values[AWS_PROFILE_SESSION_TOKEN];

    if (!key && !secret)
        return LM_ENOTFOUND;
    if (!key || !secret)
        return errbuf_fail(err, LM_EINVAL,
                           "profile \"%s\" has only one of aws_access_key_id and "
                           "aws_secret_access_key",
                           p->name);
    c->access_key_id = xstrdup(key);
    c->secret_access_key = xstrdup(secret);
    c->session_token = token ? xstrdup(token) : NULL;
    c->source = "the shared AWS files";
    return 0;
}

/* A profile that asks for what is not done here is named, if nothing else is configured. */
static int refuse_other_kinds(const struct aws_profile *p, struct errbuf *err)
{
    enum aws_profile_setting kinds[] = {AWS_PROFILE_SOURCE_PROFILE, AWS_PROFILE_CREDENTIAL_SOURCE,
                                        AWS_PROFILE_SSO_SESSION, AWS_PROFILE_SSO_START_URL};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (p->values[kinds[i]])
            return errbuf_fail(
                err, LM_EINVAL,
                "profile \"%s\" takes a role or single sign-on, which is not done here; give it "
                "credential_process = aws configure export-credentials --profile …",
                p->name);
    }
    return LM_ENOTFOUND;
}

static int find_in_profile(const struct aws_credentials_options *options,
                           const struct aws_profile *p, struct aws_credentials *c,
                           struct errbuf *err)
{
    int error = find_keys_in_profile(p, c, err);

    if (error == LM_ENOTFOUND)
        error = aws_credentials_sts_find(options, p, c, err);
    if (error == LM_ENOTFOUND)
        error = aws_credentials_process_find(options, p, c, err);
    return error;
}

/* A profile may have been chosen for its region alone. */
static int find_beyond_profile(const struct aws_credentials_options *options,
                               const struct aws_profile *p, struct aws_credentials *c,
                               struct errbuf *err)
{
    int error = aws_credentials_sts_find(options, NULL, c, err);

    if (error == LM_ENOTFOUND)
        error = aws_credentials_container_find(options, c, err);
    if (error == LM_ENOTFOUND)
        error = refuse_other_kinds(p, err);
    if (error == LM_ENOTFOUND)
        error = aws_credentials_instance_find(options, c, err);
    return error;
}

int aws_credentials_chain_find(const struct aws_credentials_options *options,
                               struct aws_credentials *c, struct errbuf *err)
{
    struct aws_profile profile;

    *c = (struct aws_credentials){0};
    int error = find_in_environment(c, err);
    if (error != LM_ENOTFOUND)
        return error;
    error = aws_profile_load(&profile, err);
    if (error)
        return error;
    error = find_in_profile(options, &profile, c, err);
    if (error == LM_ENOTFOUND)
        error = find_beyond_profile(options, &profile, c, err);
    aws_profile_release(&profile);
    if (error == LM_ENOTFOUND)
        errbuf_set(err, "no AWS credentials: none in the environment (AWS_ACCESS_KEY_ID), the "
                        "shared AWS files, nor of web identity, a container or an instance");
    if (error)
        aws_credentials_release(c);
    return error;
}
