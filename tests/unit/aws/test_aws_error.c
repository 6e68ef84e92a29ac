#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "aws/error.h"

static void check(long status, const char *body, enum aws_error_kind kind, const char *type,
                  const char *part)
{
    struct errbuf text = ERRBUF_INIT;
    struct aws_error e;

    aws_error_read(&e, status, slice_of_string(body), &text);
    assert_int_equal(e.kind, kind);
    assert_string_equal(e.type, type);
    if (!strstr(text.text, part))
        fail_msg("\"%s\" has no \"%s\"", text.text, part);
    assert_null(strchr(text.text, '\n'));
    assert_null(strstr(text.text, "secret"));
}

static void each_kind_is_known_by_its_type_or_status(void **state)
{
    check(400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"no\"}",
          AWS_ERROR_MISSING, "QueueDoesNotExist", "no such queue");
    check(400, "{\"__type\":\"AWS.SimpleQueueService.NonExistentQueue\"}", AWS_ERROR_MISSING,
          "NonExistentQueue", "no such queue");
    check(400, "{\"__type\":\"ThrottlingException\",\"Message\":\"Rate exceeded\"}",
          AWS_ERROR_TRANSIENT, "ThrottlingException", "Rate exceeded");
    check(403, "{\"__type\":\"ExpiredTokenException\",\"message\":\"secret\"}", AWS_ERROR_EXPIRED,
          "ExpiredTokenException", "expired");
    check(403, "{\"__type\":\"AccessDenied\",\"message\":\"User is not authorized\"}",
          AWS_ERROR_FORBIDDEN, "AccessDenied", "do not allow");
    check(400, "{\"__type\":\"InvalidParameterValue\",\"message\":\"Value x\"}", AWS_ERROR_REFUSED,
          "InvalidParameterValue", "Value x");
    check(503, "<html>", AWS_ERROR_TRANSIENT, "", "HTTP 503");
    check(500, "", AWS_ERROR_TRANSIENT, "", "HTTP 500");
    check(429, "{}", AWS_ERROR_TRANSIENT, "", "HTTP 429");
    check(501, "{}", AWS_ERROR_REFUSED, "", "HTTP 501");
    check(403, "[]", AWS_ERROR_IDENTITY, "", "credentials are wrong");
}

static void what_is_told_of_a_signature_is_not_passed_on(void **state)
{
    check(403,
          "{\"__type\":\"SignatureDoesNotMatch\",\"message\":\"The Canonical String should have "
          "been\\nx-amz-security-token:secret\"}",
          AWS_ERROR_IDENTITY, "SignatureDoesNotMatch", "credentials are wrong");
    check(403,
          "{\"__type\":\"SignatureDoesNotMatch\",\"message\":\"Credential should be scoped to a "
          "valid region. \"}",
          AWS_ERROR_IDENTITY, "SignatureDoesNotMatch", "region is wrong");
    check(403,
          "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: x is now "
          "earlier than y\"}",
          AWS_ERROR_IDENTITY, "InvalidSignatureException", "clock");
    check(400, "{\"__type\":\"Other\",\"message\":\"first\\nsecret\"}", AWS_ERROR_REFUSED, "Other",
          "first");
}

static void a_long_message_is_cut_between_characters(void **state)
{
    char body[2048] = "{\"__type\":\"Other\",\"message\":\"x";
    struct errbuf text = ERRBUF_INIT;
    struct aws_error e;

    for (int i = 0; i < 300; i++)
        strncat(body, "\xc3\xbc", sizeof(body) - strlen(body) - 1);
    strncat(body, "\"}", sizeof(body) - strlen(body) - 1);
    aws_error_read(&e, 400, slice_of_string(body), &text);
    size_t len = strlen(text.text);
    assert_in_range(len, 150, 300);
    assert_int_equal((unsigned char)text.text[len - 1], 0xbc);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(each_kind_is_known_by_its_type_or_status),
        cmocka_unit_test(what_is_told_of_a_signature_is_not_passed_on),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
    };

    return cmocka_run_group_tests_name("aws_error", cases, NULL, NULL);
}
