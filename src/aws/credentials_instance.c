/* EC2 instance metadata, version 2: a token first, then the role's name, then its credentials. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/credentials_sources.h"
#include "base/buffer.h"
#include "fetch/fetch.h"

enum {
    TIMEOUT_MS = 1000, /* of one request: the service is on the same machine, or nowhere */
    ATTEMPTS = 3,
    HEADER_BYTES_MAX = 1024,
    ROLE_BYTES_MAX = 256,
};

static const char *base_url(void)
{
    const char *given = aws_profile_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_profile_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (given)
        return given;
    return mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]"
                                                 : "http://169.254.169.254";
}

/* One request, tried again after a time-out or a failure of the service's. 200 is success. */
static int ask(const struct aws_credentials_options *options, const char *method, const char *path,
               const char *header, struct buffer *answer, struct errbuf *err)
{
    const char *base = base_url();
    size_t base_len = strlen(base);
    char url[AWS_CREDENTIALS_URL_MAX];
    struct fetch fetch = {
        .method = method,
        .url = url,
        .ca_file = aws_profile_env("AWS_CA_BUNDLE"),
        .headers = {header},
        .timeout_ms = TIMEOUT_MS,
        .direct = true,
        .stop = options->stop,
    };
    long status = 0;
    int error = 0;

    while (base_len > 0 && base[base_len - 1] == '/')
        base_len--;
    snprintf(url, sizeof(url), "%.*s%s", (int)base_len, base, path);
    for (int i = 0; i < ATTEMPTS; i++) {
        buffer_clear(answer);
        error = fetch_run(&fetch, answer, &status, err);
        if (!error && status == 200)
            return 0;
        if (!error)
            error = errbuf_fail(err, LM_EUNAVAILABLE, "HTTP %ld", status);
        if (error == LM_ESTOPPED || error == LM_ETIMEOUT || (status >= 400 && status < 500))
            break;
    }
    return error;
}

/* The answer's first line, if it is one of printable characters. */
static bool take_word(const struct buffer *answer, char *word, size_t size)
{
    size_t len = 0;

    while (len < answer->len && isgraph((unsigned char)answer->data[len]))
        len++;
    if (len == 0 || len >= size)
        return false;
    memcpy(word, answer->data, len);
    word[len] = '\0';
    return true;
}

static int find(const struct aws_credentials_options *options, struct buffer *answer,
                struct aws_credentials *c, struct errbuf *err)
{
    static const char path[] = "/latest/meta-data/iam/security-credentials/";
    static const char token_name[] = "X-aws-ec2-metadata-token: ";
    char header[HEADER_BYTES_MAX] = "X-aws-ec2-metadata-token-ttl-seconds: 21600";
    char role_path[sizeof(path) + ROLE_BYTES_MAX];
    int error = ask(options, "PUT", "/latest/api/token", header, answer, err);

    if (error)
        return error;
    memcpy(header, token_name, sizeof(token_name));
    if (!take_word(answer, header + sizeof(token_name) - 1,
                   sizeof(header) - sizeof(token_name) + 1))
        return errbuf_fail(err, LM_EUNAVAILABLE, "no token was given");
    error = ask(options, NULL, path, header, answer, err);
    if (error)
        return error;
    memcpy(role_path, path, sizeof(path));
    if (!take_word(answer, role_path + sizeof(path) - 1, ROLE_BYTES_MAX))
        return errbuf_fail(err, LM_EUNAVAILABLE, "the instance has no role");
    error = ask(options, NULL, role_path, header, answer, err);
    return error ? error : aws_credentials_from_json(buffer_slice(answer), "Token", c, err);
}

int aws_credentials_instance_find(const struct aws_credentials_options *options,
                                  struct aws_credentials *c, struct errbuf *err)
{
    const char *disabled = aws_profile_env("AWS_EC2_METADATA_DISABLED");
    struct errbuf reason = ERRBUF_INIT;
    struct buffer answer;

    if (disabled && strcasecmp(disabled, "true") == 0)
        return LM_ENOTFOUND;
    buffer_init(&answer, AWS_CREDENTIALS_ANSWER_MAX);
    buffer_reserve(&answer, AWS_CREDENTIALS_ANSWER_MAX);
    int error = find(options, &answer, c, &reason);
    if (error)
        errbuf_set(err,
                   "no AWS credentials: none are configured (AWS_ACCESS_KEY_ID, AWS_PROFILE, …), "
                   "and instance metadata gives none: %s",
                   reason.text);
    if (answer.data)
        explicit_bzero(answer.data, answer.capacity);
    buffer_release(&answer);
    c->source = "instance metadata";
    return error;
}
