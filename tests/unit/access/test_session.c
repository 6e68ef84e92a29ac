#include "access/session.h"

#include <string.h>

#include "../cmocka_all.h"

static struct errbuf err;

struct made {
    char key[KEY_TEXT_SIZE];
    uint8_t digest[KEY_DIGEST_BYTES];
    char room[SESSION_TEXT_MAX];
    struct slice text;
};

static void seal(struct made *m, int64_t made_us)
{
    struct buffer b;

    buffer_init_over(&b, m->room, sizeof(m->room));
    assert_int_equal(session_append(&b, slice_of_string(m->key), m->digest, made_us), 0);
    m->text = buffer_slice(&b);
}

static void make(struct made *m, int64_t made_us)
{
    assert_int_equal(key_make(m->key, &err), 0);
    assert_true(key_digest(slice_of_string(m->key), m->digest));
    seal(m, made_us);
}

static void what_was_sealed_is_opened_by_its_digest_alone(void **state)
{
    struct made one, two;
    struct session s;
    uint8_t begin[KEY_BEGIN_BYTES];

    make(&one, 1234567890123456);
    make(&two, 1);
    assert_true(session_begin(one.text, begin));
    assert_memory_equal(begin, one.digest, KEY_BEGIN_BYTES);
    assert_true(session_open(one.text, one.digest, &s));
    assert_int_equal(s.made_us, 1234567890123456);
    assert_true(slice_equal(s.key, slice_of_string(one.key)));
    assert_false(session_open(one.text, two.digest, &s));
    assert_false(session_open(two.text, one.digest, &s));
    /* Nothing of the key or its digest is to be seen but what finds it, and no two are the same. */
    assert_null(memmem(one.text.data, one.text.len, one.key, 8));

    char before[SESSION_TEXT_MAX];

    memcpy(before, one.room, sizeof(before));
    seal(&one, 1234567890123456);
    assert_memory_not_equal(before, one.room, one.text.len);
}

static void a_sign_that_is_changed_opens_nothing(void **state)
{
    struct made m;
    struct session s;

    make(&m, 1);
    for (size_t i = 0; i < m.text.len; i++) {
        char was = m.room[i];

        /* The last signs before the padding have bits that stand for nothing. */
        if (m.room[m.text.len - 1] == '=' && i + 3 >= m.text.len)
            break;
        m.room[i] = was == 'A' ? 'B' : 'A';
        if (session_open(m.text, m.digest, &s))
            fail_msg("sign %zu may be another", i);
        m.room[i] = was;
        assert_false(session_open(slice_of(m.text.data, i), m.digest, &s));
    }
    assert_true(session_open(m.text, m.digest, &s));
}

static void a_key_may_be_as_long_as_the_limit_says(void **state)
{
    char key[SESSION_KEY_MAX + 1], room[SESSION_TEXT_MAX];
    uint8_t digest[KEY_DIGEST_BYTES];
    struct session s;
    struct buffer b;

    memset(key, 'x', sizeof(key));
    buffer_init_over(&b, room, sizeof(room));
    assert_int_equal(session_append(&b, slice_of(key, sizeof(key)), digest, 1), LM_ETOOBIG);
    assert_int_equal(session_append(&b, slice_of(key, 0), digest, 1), LM_ETOOBIG);
    assert_true(key_digest(slice_of(key, SESSION_KEY_MAX), digest));
    assert_int_equal(session_append(&b, slice_of(key, SESSION_KEY_MAX), digest, 1), 0);
    assert_true(session_open(buffer_slice(&b), digest, &s));
    assert_int_equal(s.key.len, SESSION_KEY_MAX);
}

static void a_session_of_another_key_with_this_digest_is_none(void **state)
{
    struct made m;
    struct session s;

    /* Who has read the file of keys knows the digest, not the key. */
    make(&m, 1);
    memset(m.key + 10, 'x', 5);
    seal(&m, 1);
    assert_false(session_open(m.text, m.digest, &s));
}

static void the_name_has_the_port(void **state)
{
    static const struct {
        const char *host;
        bool is_https;
        const char *name;
    } cases[] = {
        {"localhost:8000", false, "logmill-8000"},
        {"localhost:8000", true, "__Host-logmill-8000"},
        {"logs.example.com", true, "__Host-logmill"},
        {"[::1]:80", false, "logmill-80"},
        {"[::1]", false, "logmill"},
        {"127.0.0.1", false, "logmill"},
        {"h:123456", false, "logmill"},
        {"8000", false, "logmill"},
        {"h:", false, "logmill"},
        {"", false, "logmill"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char room[SESSION_NAME_MAX];
        struct slice name =
            session_cookie_name(room, slice_of_string(cases[i].host), cases[i].is_https);

        if (!slice_equal(name, slice_of_string(cases[i].name)))
            fail_msg("%s: %.*s", cases[i].host, (int)name.len, name.data);
    }
}

static void assert_cookie(const char *header, const char *expected)
{
    struct slice rest = slice_of_string(header);
    struct slice value = session_next_cookie(&rest, SLICE_LITERAL("logmill"));

    if (expected ? !slice_equal(value, slice_of_string(expected)) : !!value.data)
        fail_msg("\"%s\": \"%.*s\"", header, (int)value.len, value.data ? value.data : "");
}

static void the_cookies_of_the_name_are_found_in_turn(void **state)
{
    assert_cookie("logmill=a", "a");
    assert_cookie("x=y; logmill=a=b==; logmill=c", "a=b==");
    assert_cookie("x=y;logmill=a ;z", "a");
    assert_cookie("logmill=", "");
    assert_cookie("logmill", "");
    assert_cookie("xlogmill=a; logmill2=b; Logmill=c", NULL);
    assert_cookie("", NULL);
    assert_cookie(";;;", NULL);

    struct slice rest = SLICE_LITERAL("logmill=a; x=y; logmill=b");
    assert_true(
        slice_equal(session_next_cookie(&rest, SLICE_LITERAL("logmill")), SLICE_LITERAL("a")));
    assert_true(
        slice_equal(session_next_cookie(&rest, SLICE_LITERAL("logmill")), SLICE_LITERAL("b")));
    assert_null(session_next_cookie(&rest, SLICE_LITERAL("logmill")).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_is_opened_by_its_digest_alone),
        cmocka_unit_test(a_sign_that_is_changed_opens_nothing),
        cmocka_unit_test(a_key_may_be_as_long_as_the_limit_says),
        cmocka_unit_test(a_session_of_another_key_with_this_digest_is_none),
        cmocka_unit_test(the_name_has_the_port),
        cmocka_unit_test(the_cookies_of_the_name_are_found_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
