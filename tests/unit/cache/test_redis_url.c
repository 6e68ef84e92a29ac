#include <string.h>

#include "../cmocka_all.h"
#include "cache/redis/url.h"

static void assert_text(const char *got, const char *expected)
{
    if (expected)
        assert_string_equal(got, expected);
    else
        assert_null(got);
}

static void every_form_is_read(void **state)
{
    static const struct {
        const char *text;
        struct redis_url url;
    } cases[] = {
        {"redis://h", {.host = "h", .port = 6379, .name = "h:6379"}},
        {"redis://h:7000/5", {.host = "h", .port = 7000, .db = 5, .name = "h:7000"}},
        {"redis://h/", {.host = "h", .port = 6379, .name = "h:6379"}},
        {"rediss://u:p@h", {true, NULL, "h", 6379, "u", "p", 0, "h:6379"}},
        {"redis://:p@h", {.host = "h", .port = 6379, .password = "p", .name = "h:6379"}},
        {"redis://u%40x:p%3a%2F%25@h",
         {.host = "h", .port = 6379, .user = "u@x", .password = "p:/%", .name = "h:6379"}},
        {"redis://u:p@ss:w/rd@h",
         {.host = "h", .port = 6379, .user = "u", .password = "p@ss:w/rd", .name = "h:6379"}},
        {"redis://:@h", {.host = "h", .port = 6379, .name = "h:6379"}},
        {"redis://[::1]:7000", {.host = "::1", .port = 7000, .name = "[::1]:7000"}},
        {"redis://[::1]", {.host = "::1", .port = 6379, .name = "[::1]:6379"}},
        {"unix:///run/r.sock", {.path = "/run/r.sock", .name = "/run/r.sock"}},
        {"unix://u:p@/a%20b", {.path = "/a b", .user = "u", .password = "p", .name = "/a b"}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct redis_url *expected = &cases[i].url;
        struct errbuf err = ERRBUF_INIT;
        struct redis_url u;

        if (redis_url_parse(cases[i].text, &u, &err))
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(u.tls, expected->tls);
        assert_int_equal(u.port, expected->port);
        assert_int_equal(u.db, expected->db);
        assert_text(u.path, expected->path);
        assert_text(u.host, expected->host);
        assert_text(u.user, expected->user);
        assert_text(u.password, expected->password);
        assert_text(u.name, expected->name);
        redis_url_release(&u);
    }
}

static void what_is_wrong_is_said_without_the_secret(void **state)
{
    static const char *const cases[][2] = {
        {"", "redis://"},
        {"http://secret@h", "redis://"},
        {"redis://", "no host"},
        {"redis:///3", "no host"},
        {"redis://:secret@", "no host"},
        {"redis://u:secret@:6379", "no host"},
        {"redis://secret@h", "user:password"},
        {"redis://u:secret%4@h", "%-encoded"},
        {"redis://u:secret%00@h", "%-encoded"},
        {"redis://u%zz:secret@h", "%-encoded"},
        {"redis://u:secret@h:0", "port"},
        {"redis://u:secret@h:65536", "port"},
        {"redis://u:secret@h:", "port"},
        {"redis://u:secret@h:12x", "port"},
        {"redis://u:secret@[::1", "\"]\""},
        {"redis://u:secret@[::1]7", "port"},
        {"redis://u:secret@h/x", "database"},
        {"redis://u:secret@h/1?timeout=3", "database"},
        {"redis://u:secret@h/70000", "database"},
        {"unix://", "path"},
        {"unix://u:secret@", "path"},
        {"unix:///", "path"},
        {"unix://relative", "path"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        struct redis_url u;

        if (redis_url_parse(cases[i][0], &u, &err) != LM_EINVAL)
            fail_msg("%s was taken", cases[i][0]);
        if (!strstr(err.text, cases[i][1]) || strstr(err.text, "secret"))
            fail_msg("%s: %s", cases[i][0], err.text);
    }
}

static void a_host_that_is_too_long_is_refused(void **state)
{
    char text[REDIS_URL_HOST_MAX + sizeof("redis://")] = "redis://";
    struct errbuf err = ERRBUF_INIT;
    struct redis_url u;

    memset(text + 8, 'h', REDIS_URL_HOST_MAX);
    assert_int_equal(redis_url_parse(text, &u, &err), LM_EINVAL);
    text[sizeof(text) - 2] = '\0';
    assert_int_equal(redis_url_parse(text, &u, &err), 0);
    redis_url_release(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(what_is_wrong_is_said_without_the_secret),
        cmocka_unit_test(a_host_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
