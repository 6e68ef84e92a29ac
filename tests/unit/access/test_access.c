#include "access/access.h"

#include <string.h>

#include "../cmocka_all.h"
#include "access/guesses.h"
#include "access/keys.h"
#include "access/sites.h"

static struct errbuf err;

static struct access *make(const char *hosts, const char *origins)
{
    struct access *a = access_new(
        &(struct access_options){
            .hosts = hosts, .origins = origins, .anonymous = ANONYMOUS_WRITE | ANONYMOUS_READ},
        &err);

    assert_non_null(a);
    return a;
}

static struct http_admission ask(const struct access *a, const struct http_head *head)
{
    struct http_admission admission = {.answer_headers = access_answer_headers(a)};

    access_admit(a, head, &admission);
    return admission;
}

static unsigned status_of_host(const char *hosts, const char *host)
{
    struct access *a = make(hosts, NULL);
    unsigned status = ask(a, &(struct http_head){.host = slice_of_string(host)}).status;

    access_free(a);
    return status;
}

static bool says(struct http_admission admission, const char *line)
{
    struct slice s = admission.answer_headers;

    return s.len > 0 && memmem(s.data, s.len, line, strlen(line));
}

static void a_name_that_was_pointed_here_is_refused(void **state)
{
    static const char *const refused[] = {
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "127.0.0.1x",
        "[::1].evil",
        "",
        "256.0.0.1",
        "1.2.3.4.5",
        "1..2.3",
        "1.2.3.",
        ".1.2.3",
        "1111.0.0.1",
        "1.2.3",
        "0x7f000001",
        "evil.example.",
        ".localhost",
        "[::1",
        "127.0.0.1@evil.example",
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (status_of_host(NULL, refused[i]) != 421)
            fail_msg("\"%s\" was let in", refused[i]);
}

static void addresses_and_localhost_are_always_let_in(void **state)
{
    static const char *const taken[] = {
        "127.0.0.1",      "127.0.0.1:8000",   "10.1.2.3",        "[::1]",
        "[::1]:8000",     "[2001:db8::1]:80", "localhost",       "localhost:8000",
        "LocalHost:8000", "localhost.",       "app.localhost:1",
    };

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (status_of_host(NULL, taken[i]))
            fail_msg("\"%s\" was refused", taken[i]);
}

static void hosts_that_are_named_are_let_in(void **state)
{
    static const char hosts[] = "logs.example.com, *.corp.example";

    assert_int_equal(status_of_host(hosts, "logs.example.com"), 0);
    assert_int_equal(status_of_host(hosts, "LOGS.example.com:443"), 0);
    assert_int_equal(status_of_host(hosts, "a.b.corp.example"), 0);
    assert_int_equal(status_of_host(hosts, "corp.example"), 421);
    assert_int_equal(status_of_host(hosts, "xcorp.example"), 421);
    assert_int_equal(status_of_host(hosts, "x.logs.example.com"), 421);
    assert_int_equal(status_of_host("*", "anything.example"), 0);
}

static const struct http_route page = {.needs = ACCESS_ANY, .flags = HTTP_ROUTE_PAGE};
static const struct http_route data = {.needs = ACCESS_READ};

static struct http_head cross_site(const struct http_route *route, const char *mode,
                                   const char *dest)
{
    return (struct http_head){.route = route,
                              .is_get = true,
                              .host = SLICE_LITERAL("localhost"),
                              .fetch_site = SLICE_LITERAL("cross-site"),
                              .fetch_mode = slice_of_string(mode),
                              .fetch_dest = slice_of_string(dest)};
}

static void of_another_site_only_a_link_to_a_page_is_followed(void **state)
{
    struct access *a = make(NULL, NULL);
    struct http_head head = cross_site(&page, "navigate", "document");

    assert_int_equal(ask(a, &head).status, 0);
    head.is_get = false; /* a form that posts */
    assert_int_equal(ask(a, &head).status, 403);
    head = cross_site(&data, "navigate", "document");
    assert_int_equal(ask(a, &head).status, 403);
    head = cross_site(&page, "navigate", "iframe");
    assert_int_equal(ask(a, &head).status, 403);
    head = cross_site(&data, "no-cors", "image");
    assert_int_equal(ask(a, &head).status, 403);
    head = cross_site(NULL, "cors", "empty");
    assert_int_equal(ask(a, &head).status, 403);
    head.fetch_site = SLICE_LITERAL("same-origin");
    assert_int_equal(ask(a, &head).status, 0);
    head.fetch_site = SLICE_LITERAL("none"); /* typed by a person */
    assert_int_equal(ask(a, &head).status, 0);
    access_free(a);
}

/* As a browser sends it that is not over https: without Sec-Fetch-Site. */
static void what_another_page_sends_is_refused_by_its_origin(void **state)
{
    struct access *a = make(NULL, "https://app.example");
    struct http_head head = {.route = &data, .host = SLICE_LITERAL("localhost:8000")};

    assert_int_equal(ask(a, &head).status, 0); /* a program */
    head.origin = SLICE_LITERAL("http://evil.example");
    assert_int_equal(ask(a, &head).status, 403);
    head.origin = SLICE_LITERAL("null");
    assert_int_equal(ask(a, &head).status, 403);
    head.origin = SLICE_LITERAL("file://localhost:8000"); /* nobody's, whatever is behind it */
    assert_int_equal(ask(a, &head).status, 403);
    head.origin = SLICE_LITERAL("http://localhost:9000"); /* "same-site", with another port */
    head.fetch_site = SLICE_LITERAL("same-site");
    assert_int_equal(ask(a, &head).status, 403);
    head.is_get = true; /* whose answer that page cannot read */
    assert_int_equal(ask(a, &head).status, 0);
    head.is_get = false;
    head.origin = SLICE_LITERAL("http://localhost:8000");
    assert_int_equal(ask(a, &head).status, 0);
    head.origin = SLICE_LITERAL("https://app.example");
    assert_int_equal(ask(a, &head).status, 0);
    access_free(a);
}

static void origins_that_are_named_may_ask_and_read(void **state)
{
    struct access *a = make(NULL, "https://app.example, http://localhost:3000");
    struct http_head head = cross_site(&data, "cors", "empty");
    struct http_admission admission;

    head.origin = SLICE_LITERAL("https://app.example");
    admission = ask(a, &head);
    assert_int_equal(admission.status, 0);
    assert_true(says(admission, "Access-Control-Allow-Origin: https://app.example\r\n"));
    assert_true(says(admission, "Vary: Origin\r\n"));
    assert_true(says(admission, "Cross-Origin-Resource-Policy: cross-origin\r\n"));
    assert_true(says(admission, "X-Content-Type-Options: nosniff\r\n"));

    head.origin = SLICE_LITERAL("http://app.example");
    admission = ask(a, &head);
    assert_int_equal(admission.status, 403);
    assert_false(says(admission, "Access-Control-Allow-Origin"));
    assert_true(says(admission, "Vary: Origin\r\n"));
    head.origin = SLICE_LITERAL("null");
    assert_int_equal(ask(a, &head).status, 403);
    access_free(a);
}

static void the_question_beforehand_is_answered(void **state)
{
    struct access *a = make(NULL, "https://app.example");
    struct http_head head = {.is_options = true,
                             .host = SLICE_LITERAL("localhost"),
                             .origin = SLICE_LITERAL("https://app.example"),
                             .asks_method = SLICE_LITERAL("POST")};
    struct http_admission admission = ask(a, &head);

    assert_int_equal(admission.status, 204);
    assert_true(says(admission, "Access-Control-Allow-Origin: https://app.example\r\n"));
    assert_true(says(admission, "Access-Control-Allow-Methods: GET, POST\r\n"));
    assert_true(
        says(admission, "Access-Control-Allow-Headers: authorization, x-api-key, content-type,"));
    assert_true(says(admission, "Access-Control-Max-Age: 7200\r\n"));
    head.origin = SLICE_LITERAL("https://other.example");
    assert_int_equal(ask(a, &head).status, 0); /* 405, and the browser does not go on */
    access_free(a);
}

/* Else its page could not tell why, nor when to come again. */
static void what_pages_of_other_origins_are_refused_with_they_may_read(void **state)
{
    static const char line[] = "{\"name\":\"a\",\"role\":\"read\",\"sha256\":\""
                               "0000000000000000000000000000000000000000000000000000000000000000"
                               "\"}\n";
    struct keys *keys = keys_of(slice_of_string(line), &err);
    struct access_options options = {.origins = "https://app.example", .keys = keys};
    struct http_head head = cross_site(&data, "cors", "empty");
    struct http_admission admission;
    char guess[] = "Bearer lm_0";

    assert_non_null(keys);
    head.origin = SLICE_LITERAL("https://app.example");
    head.client = 1;
    struct access *a = access_new(&options, &err);
    admission = ask(a, &head);
    assert_int_equal(admission.status, 401);
    assert_true(says(admission, "Access-Control-Allow-Origin: https://app.example\r\n"));
    assert_true(says(admission, "WWW-Authenticate: Bearer realm=\"logmill\"\r\n"));
    assert_false(says(admission, "Basic"));
    head.authorization = slice_of_string(guess);
    for (int i = 0; i < GUESSES_MAX; i++, guess[sizeof(guess) - 2]++)
        assert_int_equal(ask(a, &head).status, 401);
    admission = ask(a, &head);
    assert_int_equal(admission.status, 429);
    assert_true(says(admission, "Access-Control-Allow-Origin: https://app.example\r\n"));
    assert_true(says(admission, "Retry-After: 60\r\n"));
    access_free(a);
    keys_free(keys);

    head.authorization = slice_of(NULL, 0);
    options = (struct access_options){.origins = "https://app.example",
                                      .anonymous = ANONYMOUS_READ,
                                      .anonymous_places = {[PLACE_CONNECTION] = 1}};
    a = access_new(&options, &err);
    admission = ask(a, &head);
    assert_int_equal(admission.status, 0);
    access_left(admission.holder);
    struct http_admission first = ask(a, &head);
    admission = ask(a, &head);
    assert_int_equal(admission.status, 429);
    assert_true(says(admission, "Access-Control-Allow-Origin: https://app.example\r\n"));
    assert_true(says(admission, "Retry-After: 1\r\n"));
    access_left(first.holder);
    access_free(a);
}

static void any_origin_may_be_allowed(void **state)
{
    struct access *a = make(NULL, "*");
    struct http_head head = cross_site(&data, "cors", "empty");
    struct http_admission admission;

    head.origin = SLICE_LITERAL("https://any.example");
    admission = ask(a, &head);
    assert_int_equal(admission.status, 0);
    assert_true(says(admission, "Access-Control-Allow-Origin: *\r\n"));
    access_free(a);
}

/* An origin is what a rebinding page would need, too: its name does not make its Host right. */
static void an_allowed_origin_does_not_make_a_host_allowed(void **state)
{
    struct access *a = make(NULL, "https://app.example");
    struct http_head head = {.host = SLICE_LITERAL("app.example"),
                             .origin = SLICE_LITERAL("https://app.example")};

    assert_int_equal(ask(a, &head).status, 421);
    access_free(a);
}

static void wrong_settings_are_named(void **state)
{
    static const char *const hosts[] = {"http://logs.example", "logs.example:8000", "*.", "a/b",
                                        "a*.example"};
    static const char *const origins[] = {
        "app.example",    "https://app.example/",  "https://",
        "://app.example", "https://*.example.com", "*, https://app.example"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        assert_null(access_new(&(struct access_options){.hosts = hosts[i]}, &err));
        assert_non_null(strstr(err.text, "ALLOWED_HOSTS"));
    }
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        assert_null(access_new(&(struct access_options){.origins = origins[i]}, &err));
        assert_non_null(strstr(err.text, "CORS_ORIGINS"));
    }
}

static void the_longest_answer_headers_fit(void **state)
{
    char origin[SITES_ORIGIN_BYTES_MAX + 1] = "https://";
    struct http_head head;
    struct access *a;

    memset(origin + 8, 'x', sizeof(origin) - 9);
    origin[sizeof(origin) - 1] = '\0';
    a = make(NULL, origin);
    head = cross_site(&data, "cors", "empty");
    head.origin = slice_of_string(origin);
    assert_true(says(ask(a, &head), "Retry-After\r\n"));
    head.is_options = true;
    head.asks_method = SLICE_LITERAL("POST");
    assert_true(says(ask(a, &head), "Max-Age: 7200\r\n"));
    access_free(a);
}

static bool allows(const struct access *a, const char *origin, const char *host)
{
    return access_allows_origin(a, slice_of_string(origin), slice_of_string(host));
}

static void an_origin_is_allowed_that_is_its_own_or_named(void **state)
{
    struct access *a = make("*", "https://app.example");

    assert_true(access_allows_origin(a, slice_of(NULL, 0), SLICE_LITERAL("h")));
    assert_true(allows(a, "http://127.0.0.1:8000", "127.0.0.1:8000"));
    assert_true(allows(a, "https://LOGS.example", "logs.example"));
    assert_true(allows(a, "https://app.example", "logs.example"));
    assert_false(allows(a, "http://127.0.0.1:8000", "127.0.0.1:8001"));
    assert_false(allows(a, "http://evil.example", "logs.example"));
    assert_false(allows(a, "null", "null"));
    assert_false(allows(a, "", ""));
    assert_false(access_allows_origin(a, SLICE_LITERAL("http://h"), slice_of(NULL, 0)));
    access_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_was_pointed_here_is_refused),
        cmocka_unit_test(addresses_and_localhost_are_always_let_in),
        cmocka_unit_test(hosts_that_are_named_are_let_in),
        cmocka_unit_test(of_another_site_only_a_link_to_a_page_is_followed),
        cmocka_unit_test(what_another_page_sends_is_refused_by_its_origin),
        cmocka_unit_test(origins_that_are_named_may_ask_and_read),
        cmocka_unit_test(the_question_beforehand_is_answered),
        cmocka_unit_test(what_pages_of_other_origins_are_refused_with_they_may_read),
        cmocka_unit_test(any_origin_may_be_allowed),
        cmocka_unit_test(an_allowed_origin_does_not_make_a_host_allowed),
        cmocka_unit_test(an_origin_is_allowed_that_is_its_own_or_named),
        cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(the_longest_answer_headers_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
