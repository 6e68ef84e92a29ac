/* Links from values: what is one, and that no value can lead anywhere but behind its host. */
#include "api/links.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"

static void assert_made(const char *text, char *const *environment, const char *json)
{
    struct errbuf err = ERRBUF_INIT;
    struct buffer b;

    buffer_init(&b, LINKS_BYTES_MAX);
    assert_int_equal(links_append(&b, text, environment, &err), 0);
    assert_int_equal(links_append(NULL, text, environment, &err), 0);
    buffer_append_char(&b, '\0');
    assert_string_equal(b.data, json);
    buffer_release(&b);
}

static void assert_refused(const char *text, const char *said)
{
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(links_append(NULL, text, NULL, &err), LM_EINVAL);
    if (!strstr(err.text, said))
        fail_msg("%s: %s", text, err.text);
}

static void links_are_of_the_setting_and_of_variables(void **state)
{
    char *const environment[] = {"HOME=/root", "LINK_trace_id=http://t/?a=1&b={value}",
                                 "LINK_x=",    "LINKS=ignored",
                                 "LINK_",      NULL};

    (void)state;
    assert_made(NULL, NULL, "{}");
    assert_made(" \n", environment, "{\"trace_id\":\"http://t/?a=1&b={value}\"}");
    assert_made("user.id=https://u:8443/{value}/{value}\n  größe=https://u/#{value}", environment,
                "{\"user.id\":\"https://u:8443/{value}/{value}\",\"größe\":\"https://u/#{value}\","
                "\"trace_id\":\"http://t/?a=1&b={value}\"}");
}

static void what_is_no_link_is_refused(void **state)
{
    (void)state;
    assert_refused("https://u/{value}", "LINKS: https://u/{value}: it should be NAME=URL");
    assert_refused("=https://u/{value}", "the path of an attribute has 1 to 256 bytes");
    assert_refused("a=", "a URL begins with https:// or http://");
    assert_refused("a=javascript:alert({value})", "LINKS: a: a URL begins with https://");
    assert_refused("a=HTTPS://u/{value}", "a URL begins with https://");
    assert_refused("a=//u/{value}", "a URL begins with https://");
    assert_refused("a={value}", "a URL begins with https://");
    assert_refused("a=https://u/", "a URL has {value}");
    assert_refused("a=https://{value}", "names its host");
    assert_refused("a=https://{value}.u/{value}", "names its host");
    assert_refused("a=https://u.{value}/{value}", "names its host");
    assert_refused("a=https://u:{value}/{value}", "names its host");
    assert_refused("a=https://me:secret@u/{value}", "without a user");
    assert_refused("a=https:///{value}", "names its host");
    assert_refused("a=https://u\\{value}", "ASCII characters");
    assert_refused("a=https://u/ü/{value}", "ASCII characters");
    assert_refused("a=https://u/{value} a=https://v/{value}", "LINKS: a: there is another link");
    assert_refused("\xff=https://u/{value}", "LINKS: …: the path of an attribute is UTF-8");
}

static void they_are_bounded(void **state)
{
    char text[8192] = "";
    size_t len = 0;

    (void)state;
    for (int i = 0; i < LINKS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "n%d=https://u/{value} ", i);
    assert_int_equal(links_append(NULL, text, NULL, NULL), 0);
    snprintf(text + len, sizeof(text) - len, "last=https://u/{value}");
    assert_refused(text, "LINKS: last: there may be at most 64 links");
    len = (size_t)snprintf(text, sizeof(text), "a=https://u/{value}");
    memset(text + len, 'x', LINKS_URL_MAX);
    text[len + LINKS_URL_MAX] = '\0';
    assert_refused(text, "LINKS: a: a URL has at most 1024 bytes");
    memset(text, 'n', LINKS_NAME_MAX + 1);
    snprintf(text + LINKS_NAME_MAX + 1, 40, "=https://u/{value}");
    assert_refused(text, "1 to 256 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_of_the_setting_and_of_variables),
        cmocka_unit_test(what_is_no_link_is_refused),
        cmocka_unit_test(they_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
