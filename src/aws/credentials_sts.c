/* Web identity: a token in a file, exchanged for credentials at the security token service. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_sources.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "fetch/fetch.h"

enum { FORM_BYTES_MAX = 128 << 10 };

/* The text of the first element `name`: of a known document without attributes or nesting there. */
static struct slice xml_text(struct slice xml, const char *name)
{
    char open[64];
    char close[64];
    const char *start, *end;
    int open_len = snprintf(open, sizeof(open), "<%s>", name);
    int close_len = snprintf(close, sizeof(close), "</%s>", name);

    start = memmem(xml.data, xml.len, open, (size_t)open_len);
    if (!start)
        return slice_of(NULL, 0);
    start += open_len;
    end = memmem(start, xml.len - (size_t)(start - xml.data), close, (size_t)close_len);
    return end ? slice_of(start, (size_t)(end - start)) : slice_of(NULL, 0);
}

static void append_parameter(struct buffer *form, const char *name, struct slice value)
{
    char *escaped = curl_easy_escape(NULL, value.len > 0 ? value.data : "", (int)value.len);

    buffer_appendf(form, "&%s=", name);
    if (escaped) {
        buffer_append_string(form, escaped);
        explicit_bzero(escaped, strlen(escaped));
    }
    curl_free(escaped);
}

static void make_url(const struct aws_credentials_options *options,
                     char url[AWS_CREDENTIALS_URL_MAX])
{
    const char *given = aws_profile_env("AWS_ENDPOINT_URL_STS");

    if (!given)
        given = aws_profile_env("AWS_ENDPOINT_URL");
    if (given)
        snprintf(url, AWS_CREDENTIALS_URL_MAX, "%s", given);
    else if (options->region)
        snprintf(url, AWS_CREDENTIALS_URL_MAX, "https://sts.%s.amazonaws.com%s/", options->region,
                 strncmp(options->region, "cn-", 3) == 0 ? ".cn" : "");
    else
        snprintf(url, AWS_CREDENTIALS_URL_MAX, "https://sts.amazonaws.com/");
}

static int read_answer(struct slice xml, long status, struct aws_credentials *c, struct errbuf *err)
{
    struct slice key = xml_text(xml, "AccessKeyId");
    struct slice secret = xml_text(xml, "SecretAccessKey");
    struct slice token = xml_text(xml, "SessionToken");
    struct slice expiry = xml_text(xml, "Expiration");

    if (status != 200) {
        struct slice code = xml_text(xml, "Code");

        return errbuf_fail(err, LM_EUNAVAILABLE, "AssumeRoleWithWebIdentity: HTTP %ld %.*s", status,
                           SLICE_ARG(code));
    }
    if (key.len == 0 || secret.len == 0 || token.len == 0)
        return errbuf_fail(err, LM_EUNAVAILABLE,
                           "AssumeRoleWithWebIdentity: the answer holds no credentials");
    c->access_key_id = aws_credentials_copy(key);
    c->secret_access_key = aws_credentials_copy(secret);
    c->session_token = aws_credentials_copy(token);
    return aws_credentials_set_expiry(c, expiry, err);
}

/* The request is not signed: the token is what proves who asks. */
static int exchange(const struct aws_credentials_options *options, const struct buffer *form,
                    struct aws_credentials *c, struct errbuf *err)
{
    char url[AWS_CREDENTIALS_URL_MAX];
    struct fetch fetch = {
        .url = url,
        .body = buffer_slice(form),
        .ca_file = aws_profile_env("AWS_CA_BUNDLE"),
        .timeout_ms = AWS_CREDENTIALS_HTTP_TIMEOUT_MS,
        .stop = options->stop,
    };
    struct errbuf reason = ERRBUF_INIT;
    struct buffer answer;
    long status = 0;

    make_url(options, url);
    buffer_init(&answer, AWS_CREDENTIALS_ANSWER_MAX);
    buffer_reserve(&answer, AWS_CREDENTIALS_ANSWER_MAX);
    int error = fetch_run(&fetch, &answer, &status, &reason);
    if (error)
        errbuf_set(err, "AssumeRoleWithWebIdentity: %s", reason.text);
    else
        error = read_answer(buffer_slice(&answer), status, c, err);
    if (answer.data)
        explicit_bzero(answer.data, answer.capacity);
    buffer_release(&answer);
    return error;
}

int aws_credentials_sts_find(const struct aws_credentials_options *options,
                             const struct aws_profile *profile, struct aws_credentials *c,
                             struct errbuf *err)
{
    const char *file = profile ? profile->values[AWS_PROFILE_WEB_IDENTITY_TOKEN_FILE]
                               : aws_profile_env("AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *role =
        profile ? profile->values[AWS_PROFILE_ROLE_ARN] : aws_profile_env("AWS_ROLE_ARN");
    const char *session = profile ? profile->values[AWS_PROFILE_ROLE_SESSION_NAME]
                                  : aws_profile_env("AWS_ROLE_SESSION_NAME");
    char made_up[48];
    struct buffer form;
    char *token = NULL;

    if (!file)
        return LM_ENOTFOUND;
    if (!role)
        return errbuf_fail(err, LM_EINVAL,
                           "there is a web identity token file, but no role: set "
                           "AWS_ROLE_ARN");
    if (!session) {
        snprintf(made_up, sizeof(made_up), "logmill-%lld", (long long)clock_wall_us());
        session = made_up;
    }
    int error = aws_profile_read_file(file, &token, err);
    if (error)
        return error == LM_ENOTFOUND ? LM_EUNAVAILABLE : error; /* it may be put there yet */
    token[strcspn(token, "\r\n")] = '\0';

    buffer_init(&form, FORM_BYTES_MAX);
    buffer_append_string(&form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
    append_parameter(&form, "RoleArn", slice_of_string(role));
    append_parameter(&form, "RoleSessionName", slice_of_string(session));
    append_parameter(&form, "WebIdentityToken", slice_of_string(token));
    error = buffer_error(&form) ? errbuf_fail(err, LM_EINVAL, "%s is too large", file)
                                : exchange(options, &form, c, err);
    if (form.data)
        explicit_bzero(form.data, form.capacity);
    buffer_release(&form);
    aws_profile_free_text(token);
    c->source = "web identity";
    return error;
}
