#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "aws/endpoint.h"

static int clear_environment(void **state)
{
    static const char *const names[] = {"AWS_REGION",       "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS",
                                        "AWS_PROFILE",      "HOME"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    return 0;
}

static void check(const char *queue_url, const char *url, const char *region)
{
    struct aws_endpoint endpoint;
    struct errbuf err = ERRBUF_INIT;

    if (aws_endpoint_find(&endpoint, "AWS_ENDPOINT_URL_SQS", queue_url, &err))
        fail_msg("%s: %s", queue_url, err.text);
    assert_string_equal(endpoint.url, url);
    assert_string_equal(endpoint.region, region);
    aws_endpoint_release(&endpoint);
}

static void fails(const char *queue_url, const char *text)
{
    struct aws_endpoint endpoint;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(aws_endpoint_find(&endpoint, "AWS_ENDPOINT_URL_SQS", queue_url, &err),
                     LM_EINVAL);
    assert_non_null(strstr(err.text, text));
}

static void a_queue_of_amazons_names_host_and_region_itself(void **state)
{
    check("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/",
          "eu-west-1");
    check("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "https://sqs.cn-north-1.amazonaws.com.cn/",
          "cn-north-1");
    check("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q",
          "https://sqs-fips.us-gov-west-1.amazonaws.com/", "us-gov-west-1");
    check("https://sqs.eu-west-1.api.aws/1/q", "https://sqs.eu-west-1.api.aws/", "eu-west-1");
    check("https://eu-west-2.queue.amazonaws.com/1/q", "https://eu-west-2.queue.amazonaws.com/",
          "eu-west-2");
    check("https://queue.amazonaws.com/1/q", "https://queue.amazonaws.com/", "us-east-1");
    check("https://vpce-0a-b.sqs.us-west-2.vpce.amazonaws.com/1/q",
          "https://vpce-0a-b.sqs.us-west-2.vpce.amazonaws.com/", "us-west-2");
}

static void the_region_of_amazons_host_is_the_only_right_one(void **state)
{
    setenv("AWS_REGION", "us-east-1", 1);
    check("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/",
          "eu-west-1");
}

static void another_host_takes_the_region_of_the_environment(void **state)
{
    fails("http://127.0.0.1:9324/0/q", "AWS_REGION");
    fails("https://amazonaws.com.example.com/0/q", "AWS_REGION");
    setenv("AWS_DEFAULT_REGION", "us-east-2", 1);
    check("http://127.0.0.1:9324/0/q?a=b", "http://127.0.0.1:9324/", "us-east-2");
    setenv("AWS_REGION", "us-east-1", 1);
    check("http://[::1]:9324/0/q", "http://[::1]:9324/", "us-east-1");
}

static void the_environment_names_the_endpoint(void **state)
{
    setenv("AWS_ENDPOINT_URL", "http://one:1", 1);
    check("https://sqs.eu-west-1.amazonaws.com/1/q", "http://one:1/", "eu-west-1");
    setenv("AWS_ENDPOINT_URL_SQS", "http://two:2/sqs", 1);
    check("https://sqs.eu-west-1.amazonaws.com/1/q", "http://two:2/sqs/", "eu-west-1");
    setenv("AWS_ENDPOINT_URL_SQS", "two", 1);
    fails("https://sqs.eu-west-1.amazonaws.com/1/q", "AWS_ENDPOINT_URL_SQS");
    setenv("AWS_ENDPOINT_URL_SQS", "file:///etc/passwd", 1);
    fails("https://sqs.eu-west-1.amazonaws.com/1/q", "http or https");
}

#define CASE(name) cmocka_unit_test_setup(name, clear_environment)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_queue_of_amazons_names_host_and_region_itself),
        CASE(the_region_of_amazons_host_is_the_only_right_one),
        CASE(another_host_takes_the_region_of_the_environment),
        CASE(the_environment_names_the_endpoint),
    };

    return cmocka_run_group_tests_name("aws_endpoint", cases, NULL, NULL);
}
