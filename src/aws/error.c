#include "aws/error.h"

#include <ctype.h>
#include <string.h>

#include "json/writer.h"

enum { MESSAGE_BYTES_MAX = 200 };

static const struct {
    const char *type;
    enum aws_error_kind kind;
} known[] = {
    {"Throttling", AWS_ERROR_TRANSIENT},
    {"ThrottlingException", AWS_ERROR_TRANSIENT},
    {"ThrottledException", AWS_ERROR_TRANSIENT},
    {"RequestThrottled", AWS_ERROR_TRANSIENT},
    {"RequestThrottledException", AWS_ERROR_TRANSIENT},
    {"RequestLimitExceeded", AWS_ERROR_TRANSIENT},
    {"TooManyRequestsException", AWS_ERROR_TRANSIENT},
    {"SlowDown", AWS_ERROR_TRANSIENT},
    {"KmsThrottled", AWS_ERROR_TRANSIENT},
    {"OverLimit", AWS_ERROR_TRANSIENT},
    {"RequestTimeout", AWS_ERROR_TRANSIENT},
    {"RequestTimeoutException", AWS_ERROR_TRANSIENT},
    {"InternalError", AWS_ERROR_TRANSIENT},
    {"InternalFailure", AWS_ERROR_TRANSIENT},
    {"ServiceUnavailable", AWS_ERROR_TRANSIENT},
    {"ExpiredToken", AWS_ERROR_EXPIRED},
    {"ExpiredTokenException", AWS_ERROR_EXPIRED},
    {"InvalidClientTokenId", AWS_ERROR_IDENTITY},
    {"InvalidAccessKeyId", AWS_ERROR_IDENTITY},
    {"UnrecognizedClientException", AWS_ERROR_IDENTITY},
    {"SignatureDoesNotMatch", AWS_ERROR_IDENTITY},
    {"InvalidSignatureException", AWS_ERROR_IDENTITY},
    {"IncompleteSignature", AWS_ERROR_IDENTITY},
    {"IncompleteSignatureException", AWS_ERROR_IDENTITY},
    {"MissingAuthenticationToken", AWS_ERROR_IDENTITY},
    {"MissingAuthenticationTokenException", AWS_ERROR_IDENTITY},
    {"InvalidSecurity", AWS_ERROR_IDENTITY},
    {"RequestExpired", AWS_ERROR_IDENTITY},
    {"AuthFailure", AWS_ERROR_IDENTITY},
    {"AccessDenied", AWS_ERROR_FORBIDDEN},
    {"AccessDeniedException", AWS_ERROR_FORBIDDEN},
    {"OptInRequired", AWS_ERROR_FORBIDDEN},
    {"KmsAccessDenied", AWS_ERROR_SETUP},
    {"KmsDisabled", AWS_ERROR_SETUP},
    {"KmsInvalidKeyUsage", AWS_ERROR_SETUP},
    {"KmsInvalidState", AWS_ERROR_SETUP},
    {"KmsNotFound", AWS_ERROR_SETUP},
    {"KmsOptInRequired", AWS_ERROR_SETUP},
    {"InvalidAddress", AWS_ERROR_SETUP},
    {"UnsupportedOperation", AWS_ERROR_SETUP},
    {"QueueDoesNotExist", AWS_ERROR_MISSING},
    {"NonExistentQueue", AWS_ERROR_MISSING},
};

static enum aws_error_kind kind_of(const char *type, long status)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].type, type) == 0)
            return known[i].kind;
    }
    if (status == 501) /* an action that this server does not have */
        return AWS_ERROR_REFUSED;
    if (status >= 500 || status == 429 || status == 408)
        return AWS_ERROR_TRANSIENT;
    return status == 401 || status == 403 ? AWS_ERROR_IDENTITY : AWS_ERROR_REFUSED;
}

/* "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue": the last part.
 */
static void take_type(struct aws_error *e, struct slice text)
{
    size_t start = text.len;
    size_t len;

    while (start > 0 &&
           (isalnum((unsigned char)text.data[start - 1]) || text.data[start - 1] == '_'))
        start--;
    len = text.len - start;
    if (len >= sizeof(e->type))
        len = sizeof(e->type) - 1;
    if (len > 0)
        memcpy(e->type, text.data + start, len);
    e->type[len] = '\0';
}

/* The service's own words, up to the first line's end. */
static struct slice first_line(struct slice message)
{
    size_t len = 0;

    while (len < message.len && len < MESSAGE_BYTES_MAX && (unsigned char)message.data[len] >= 0x20)
        len++;
    while (len > 0 && len < message.len && ((unsigned char)message.data[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    return slice_of(message.data, len);
}

/*
 * What the service says about a signature is left out: it may repeat the request, session token
 * included.
 */
static const char *hint(const struct aws_error *e, struct slice message)
{
    switch (e->kind) {
    case AWS_ERROR_EXPIRED:
        return "the AWS credentials have expired";
    case AWS_ERROR_IDENTITY:
        if (memmem(message.data, message.len, "scoped", 6))
            return "the AWS region is wrong";
        if (memmem(message.data, message.len, "xpired", 6) ||
            memmem(message.data, message.len, "not yet current", 15))
            return "the clock of this machine is wrong";
        return "the AWS credentials are wrong";
    case AWS_ERROR_FORBIDDEN:
        return "the AWS credentials do not allow it";
    case AWS_ERROR_MISSING:
        return "there is no such queue in this region and account";
    default:
        return NULL;
    }
}

void aws_error_read(struct aws_error *e, long status, struct slice body, struct errbuf *text)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct slice message = json_text(yyjson_obj_get(root, "message"));

    if (!message.data)
        message = json_text(yyjson_obj_get(root, "Message"));
    if (!message.data)
        message = slice_of_string("");
    take_type(e, json_text(yyjson_obj_get(root, "__type")));
    e->kind = kind_of(e->type, status);
    const char *told = hint(e, message);
    message = first_line(message);
    if (told)
        errbuf_set(text, "%s (HTTP %ld %s)", told, status, e->type);
    else
        errbuf_set(text, "HTTP %ld %s%s%.*s", status, e->type, message.len > 0 ? ": " : "",
                   SLICE_ARG(message));
    yyjson_doc_free(doc);
}
