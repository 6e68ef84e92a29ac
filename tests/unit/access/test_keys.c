#include "access/keys.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"

static struct errbuf err;
static char path[4096];

static void write_file(const char *text, size_t len, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* Another file in its place, as a writer who takes care does. */
static void replace_file(struct slice text)
{
    (void)unlink(path);
    write_file(text.data, text.len, 0600);
}

/* Appends the line of a key and sets its text. */
static void append_key(struct buffer *b, const char *name, const char *rest,
                       char text[KEY_TEXT_SIZE])
{
    uint8_t digest[KEY_DIGEST_BYTES];

    assert_int_equal(key_make(text, &err), 0);
    assert_true(key_digest(slice_of_string(text), digest));
    buffer_appendf(b, "{\"name\":\"%s\",\"role\":\"%s,\"sha256\":\"", name, rest);
    for (int i = 0; i < KEY_DIGEST_BYTES; i++)
        buffer_appendf(b, "%02x", digest[i]);
    buffer_append_string(b, "\"}\n");
}

/* ---- Lines ---- */

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LINE(rest) "{\"name\":\"pay\",\"role\":\"write\",\"sha256\":\"" DIGEST "\"" rest "}"
#define READER(rest) "{\"name\":\"pay\",\"role\":\"read\",\"sha256\":\"" DIGEST "\"" rest "}"

static void a_line_that_is_written_is_read_as_it_was(void **state)
{
    static const char *const lines[] = {
        LINE(""),
        LINE(",\"set\":{\"service\":\"pay \\\"x\\\"\",\"team.name\":\"\"}"),
        LINE(",\"added\":\"2026-11-29T00:00:00Z\",\"expires\":\"2027-01-31T12:00:00.000001Z\""),
        LINE(",\"rate\":5000,\"bytes\":1000000000000"),
        LINE(",\"connections\":1000000"),
        "{\"name\":\"pay\",\"role\":\"write\",\"certificate\":\"pay.example, \\\"x\\\"\"}",
        READER(",\"connections\":20,\"scans\":3,\"tails\":1"),
        READER(",\"only\":\"service:pay (level:error OR \\\"a \\\\\\\" b\\\")\""),
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct grant *g, *again;
        struct buffer b;

        assert_int_equal(grant_parse(slice_of_string(lines[i]), &g, &err), 0);
        buffer_init(&b, 1 << 20);
        grant_append_line(&b, g);
        assert_int_equal(b.data[b.len - 1], '\n');
        assert_int_equal(grant_parse(buffer_slice(&b), &again, &err), 0);
        assert_true(grant_equal(g, again));
        buffer_release(&b);
        grant_unref(g);
        grant_unref(again);
    }
}

static void a_line_that_is_wrong_says_what_is_allowed(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"{\"name\":\"pay\"", "cut off"},
        {"[]", "a JSON object"},
        {"{\"name\":\"pay\",\"role\":\"write\"}", "\"sha256\" is missing"},
        {"{\"role\":\"write\",\"sha256\":\"" DIGEST "\"}", "\"name\" is missing"},
        {"{\"name\":\"pay\",\"sha256\":\"" DIGEST "\"}", "\"role\" is missing"},
        {"{\"name\":\"a b\"}", "1 to 64 letters"},
        {"{\"name\":\"\"}", "1 to 64 letters"},
        {"{\"name\":\"x\",\"name\":\"y\"}", "stands once"},
        {"{\"role\":\"root\"}", "write, read or admin"},
        {"{\"sha256\":\"00\"}", "64 hexadecimal digits"},
        {"{\"sha256\":\"" DIGEST "00\"}", "64 hexadecimal digits"},
        {"{\"scope\":1}", "allowed are sha256, certificate, name"},
        {LINE(",\"expires\":\"soon\""), "a time such as"},
        {LINE(",\"set\":[]"), "up to 16 attributes"},
        {LINE(",\"set\":{\"a\":1}"), "texts"},
        {LINE(",\"set\":{\"a\":\"\\u0000\"}"), "without NUL"},
        {LINE(",\"set\":{\"\":\"b\"}"), "texts"},
        {LINE(",\"set\":{\"a\":\"b\",\"a\":\"c\"}"), "each attribute once"},
        {LINE(",\"rate\":0"), "1 to 1000000000000"},
        {LINE(",\"rate\":\"5\""), "a whole number a second"},
        {LINE(",\"bytes\":1000000000001"), "a whole number a second"},
        {READER(",\"rate\":5"), "whose role is write or admin"},
        {LINE(",\"certificate\":\"a\""), "either \"sha256\" or \"certificate\""},
        {"{\"certificate\":\"\"}", "1 to 255 bytes"},
        {"{\"certificate\":\"a\\u0000b\"}", "1 to 255 bytes"},
        {"{\"certificate\":1}", "1 to 255 bytes"},
        {LINE(",\"connections\":0"), "\"connections\": allowed is a whole number, 1 to 1000000"},
        {LINE(",\"connections\":1000001"), "\"connections\": allowed is"},
        {LINE(",\"scans\":1"), "whose role is read or admin"},
        {LINE(",\"tails\":1"), "whose role is read or admin"},
        {LINE(",\"only\":\"a\""), "whose role is read"},
        {READER(",\"set\":{\"a\":\"b\"}"), "whose role is write"},
        {READER(",\"only\":\"(a\""), "\"only\": "},
        {READER(",\"only\":\"\""), "asks for something"},
        {READER(",\"only\":\"since:2h\""), "without times"},
        {READER(",\"only\":\"a (b OR NOT timestamp:>2026-01-01)\""), "without times"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct grant *g;
        struct errbuf why = ERRBUF_INIT;

        assert_int_equal(grant_parse(slice_of_string(cases[i].line), &g, &why), LM_EINVAL);
        if (!strstr(why.text, cases[i].says))
            fail_msg("%s: %s", cases[i].line, why.text);
    }
}

/* ---- The file ---- */

static int make_path(void **state)
{
    *state = temp_directory_new();
    snprintf(path, sizeof(path), "%s/keys", (const char *)*state);
    return 0;
}

static int remove_path(void **state)
{
    temp_directory_free(*state);
    return 0;
}

static void keys_of_the_file_are_found_and_no_others(void **state)
{
    char pay[KEY_TEXT_SIZE], shop[KEY_TEXT_SIZE], other[KEY_TEXT_SIZE];
    struct buffer b;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "# keys\n\n");
    append_key(&b, "pay", "write\"", pay);
    append_key(&b, "shop", "read\"", shop);
    replace_file(buffer_slice(&b));

    struct keys *k = keys_open(path, &err);

    assert_non_null(k);
    assert_int_equal(keys_len(k), 2);

    struct grant *g = keys_find(k, slice_of_string(pay));

    assert_string_equal(g->name, "pay");
    assert_true(grant_holds(g, 0));
    grant_unref(g);
    g = keys_find(k, slice_of_string(shop));
    assert_int_equal(g->role, GRANT_READ);
    grant_unref(g);
    assert_int_equal(key_make(other, &err), 0);
    assert_null(keys_find(k, slice_of_string(other)));
    assert_null(keys_find(k, slice_of(NULL, 0)));
    keys_free(k);
    buffer_release(&b);
}

/* Secrets of containers are root's with mode 0444, credentials of systemd root's with 0440. */
static void a_file_that_is_lent_may_be_read_by_others_but_written_by_none(void **state)
{
    static const struct {
        unsigned mode;
        bool is_taken;
    } rows[] = {{0400, true},  {0440, true},  {0444, true},  {0644, true},
                {0664, false}, {0646, false}, {0420, false}, {0402, false}};
    char key[KEY_TEXT_SIZE];
    struct buffer b;

    if (geteuid() != 0) /* nobody else can lend us one */
        skip();
    buffer_init(&b, 1 << 20);
    append_key(&b, "pay", "write\"", key);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        (void)unlink(path);
        write_file(b.data, b.len, rows[i].mode);
        assert_int_equal(chown(path, 12345, 12345), 0);

        struct keys *k = keys_open(path, &err);

        assert_int_equal(!!k, rows[i].is_taken);
        if (!k)
            assert_non_null(strstr(err.text, "others must not write it; allowed is 0644, since it "
                                             "is the file of user 12345 (chmod 644)"));
        keys_free(k);
    }
    (void)unlink(path);
    buffer_release(&b);
}

static void keys_of_a_text_hold_and_its_last_line_need_not_end(void **state)
{
    char texts[5][KEY_TEXT_SIZE];
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (size_t i = 0; i < 5; i++) { /* 5 of them are more than half of a small table */
        append_key(&b, "pay", "write\"", texts[i]);

        struct keys *k = keys_of(slice_of(b.data, b.len - 1), &err);

        assert_non_null(k);
        assert_int_equal(keys_len(k), i + 1);
        for (size_t n = 0; n <= i; n++) {
            struct grant *g = keys_find(k, slice_of_string(texts[n]));

            assert_non_null(g);
            grant_unref(g);
        }
        keys_free(k);
    }
    assert_null(keys_of(slice_of_string("# none\n{\"name\":1}"), &err));
    assert_non_null(strstr(err.text, "line 2: "));
    buffer_release(&b);
}

static void a_file_that_is_wrong_is_refused_by_its_line(void **state)
{
    char key[KEY_TEXT_SIZE];
    struct buffer b;

    buffer_init(&b, 1 << 20);
    append_key(&b, "pay", "write\"", key);
    write_file(b.data, b.len, 0640);
    assert_null(keys_open(path, &err));
    assert_non_null(strstr(err.text, "chmod 600"));
    write_file(b.data, b.len - 1, 0600);
    assert_null(keys_open(path, &err));
    assert_non_null(strstr(err.text, "half written"));
    write_file("", 0, 0600);
    assert_null(keys_open(path, &err));
    assert_non_null(strstr(err.text, "half written"));

    size_t len = b.len;

    buffer_append(&b, b.data, len);
    write_file(b.data, b.len, 0600);
    assert_null(keys_open(path, &err));
    assert_non_null(strstr(err.text, "line 2: the same key as that of \"pay\""));
    buffer_truncate(&b, len);
    buffer_append_string(&b, "{\n");
    write_file(b.data, b.len, 0600);
    assert_null(keys_open(path, &err));
    assert_non_null(strstr(err.text, "line 2: no JSON"));
    (void)unlink(path);
    assert_null(keys_open(path, &err));
    buffer_release(&b);
}

static void a_change_is_taken_over_and_a_bad_one_is_not(void **state)
{
    char pay[KEY_TEXT_SIZE], shop[KEY_TEXT_SIZE];
    struct buffer both, one;

    buffer_init(&both, 1 << 20);
    buffer_init(&one, 1 << 20);
    append_key(&one, "pay", "write\"", pay);
    buffer_append_slice(&both, buffer_slice(&one));
    append_key(&both, "shop", "read\"", shop);
    replace_file(buffer_slice(&both));

    struct keys *k = keys_open(path, &err);
    struct grant *of_pay = keys_find(k, slice_of_string(pay));
    struct grant *of_shop = keys_find(k, slice_of_string(shop));

    /* Half of it: the keys before go on to hold, also when that is looked at again. */
    replace_file(slice_of(both.data, both.len - 20));
    assert_int_equal(keys_refresh(k, &err), LM_EINVAL);
    assert_int_equal(keys_refresh(k, &err), 0);
    assert_int_equal(keys_len(k), 2);
    assert_true(grant_holds(of_shop, 0));

    replace_file(buffer_slice(&one));
    assert_int_equal(keys_refresh(k, &err), 0);
    assert_null(keys_find(k, slice_of_string(shop)));
    assert_false(grant_holds(of_shop, 0)); /* whoever has it still is told */

    struct grant *again = keys_find(k, slice_of_string(pay));

    assert_ptr_equal(again, of_pay); /* what did not change goes on */
    assert_true(grant_holds(again, 0));
    grant_unref(again);
    grant_unref(of_pay);
    grant_unref(of_shop);
    keys_free(k);
    buffer_release(&both);
    buffer_release(&one);
}

/* Names of certificates are no secret: nobody is let in by sending one. */
static void a_certificate_is_found_by_its_name_and_by_no_text(void **state)
{
    const struct slice line =
        SLICE_LITERAL("{\"name\":\"till\",\"role\":\"write\",\"certificate\":\"till 7\"}\n");
    uint8_t digest[KEY_DIGEST_BYTES], of_text[KEY_DIGEST_BYTES];
    struct keys *k;
    struct grant *g;

    replace_file(line);
    k = keys_open(path, &err);
    assert_non_null(k);
    g = keys_find_certificate(k, SLICE_LITERAL("till 7"));
    assert_string_equal(g->name, "till");
    assert_true(grant_certificate_digest(SLICE_LITERAL("till 7"), digest));
    assert_memory_equal(g->digest, digest, sizeof(digest));
    grant_unref(g);
    assert_null(keys_find_certificate(k, SLICE_LITERAL("till 8")));
    assert_null(keys_find_certificate(k, SLICE_LITERAL("till")));
    assert_null(keys_find_certificate(k, slice_of(NULL, 0)));
    assert_null(keys_find(k, SLICE_LITERAL("till 7")));
    assert_null(keys_find(k, SLICE_LITERAL("till")));
    assert_null(keys_find(k, SLICE_LITERAL("certificate:till 7")));
    assert_true(key_digest(SLICE_LITERAL("certificate:till 7"), of_text));
    assert_memory_not_equal(of_text, digest, sizeof(digest));
    keys_free(k);
}

/* One key, whose line has `rest` besides. */
static void write_key(const char *text, const char *rest)
{
    uint8_t digest[KEY_DIGEST_BYTES];
    struct buffer b;

    buffer_init(&b, 1 << 20);
    assert_true(key_digest(slice_of_string(text), digest));
    buffer_appendf(&b, "{\"name\":\"pay\",%s,\"sha256\":\"", rest);
    for (int i = 0; i < KEY_DIGEST_BYTES; i++)
        buffer_appendf(&b, "%02x", digest[i]);
    buffer_append_string(&b, "\"}\n");
    replace_file(buffer_slice(&b));
    buffer_release(&b);
}

/* Rotating a key, and changing its limits, ends nothing that is under way with it. */
static void who_is_at_work_by_a_key_goes_on_when_its_end_or_limits_change(void **state)
{
    static const char *const same[] = {
        "\"role\":\"write\",\"expires\":\"1970-01-01T00:00:02Z\",\"rate\":7,\"bytes\":9,"
        "\"connections\":3",
        "\"role\":\"write\",\"added\":\"2026-11-29T00:00:00Z\"",
    };
    static const char *const others[] = {
        "\"role\":\"admin\"",
        "\"role\":\"write\",\"set\":{\"a\":\"b\"}",
        "\"role\":\"write\",\"set\":{\"a\":\"c\"}",
        "\"role\":\"read\",\"only\":\"a\"",
        "\"role\":\"read\",\"only\":\"b\"",
        "\"role\":\"read\"",
    };
    char key[KEY_TEXT_SIZE];

    assert_int_equal(key_make(key, &err), 0);
    write_key(key, "\"role\":\"write\"");

    struct keys *k = keys_open(path, &err);
    struct grant *g = keys_find(k, slice_of_string(key));

    write_key(key, same[0]);
    assert_int_equal(keys_refresh(k, &err), 0);
    assert_true(grant_holds(g, 1999999));
    assert_false(grant_holds(g, 2000000)); /* but for the end that is said now */
    assert_int_equal(g->may.logs.per_s, 7);
    assert_int_equal(g->may.bytes.per_s, 9);
    assert_int_equal(g->places[PLACE_CONNECTION].max, 3);
    write_key(key, same[1]);
    assert_int_equal(keys_refresh(k, &err), 0);
    assert_true(grant_holds(g, INT64_MAX - 1));
    assert_int_equal(g->may.logs.per_s, 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        write_key(key, others[i]);
        assert_int_equal(keys_refresh(k, &err), 0);
        assert_false(grant_holds(g, 0));
        grant_unref(g);
        g = keys_find(k, slice_of_string(key));
        assert_true(grant_holds(g, 0));
    }
    grant_unref(g);
    keys_free(k);
}

static void a_key_ends_when_it_expires(void **state)
{
    char key[KEY_TEXT_SIZE];
    struct buffer b;

    buffer_init(&b, 1 << 20);
    append_key(&b, "pay", "write\",\"expires\":\"1970-01-01T00:00:01Z\"", key);
    replace_file(buffer_slice(&b));

    struct keys *k = keys_open(path, &err);
    struct grant *g = keys_find(k, slice_of_string(key));

    assert_true(grant_holds(g, 999999));
    assert_false(grant_holds(g, 1000000));
    grant_unref(g);
    keys_free(k);
    buffer_release(&b);
}

struct lookers {
    struct keys *keys;
    const char *key;
    atomic_bool over;
};

static void *look_on(void *ctx)
{
    struct lookers *l = ctx;

    while (!atomic_load(&l->over)) {
        struct grant *g = keys_find(l->keys, slice_of_string(l->key));

        if (!g || strcmp(g->name, "stays") != 0)
            return "not found";
        grant_unref(g);
    }
    return NULL;
}

static void who_looks_never_meets_a_set_that_is_gone(void **state)
{
    enum { KEYS = 10000, CHANGES = 12 };
    char key[KEY_TEXT_SIZE], others[KEY_TEXT_SIZE];
    struct buffer b;
    pthread_t threads[3];

    buffer_init(&b, 1 << 30);
    append_key(&b, "stays", "write\"", key);
    for (int i = 1; i < KEYS; i++)
        append_key(&b, "other", "read\"", others);
    replace_file(buffer_slice(&b));

    struct lookers l = {.keys = keys_open(path, &err), .key = key};

    assert_non_null(l.keys);
    assert_int_equal(keys_len(l.keys), KEYS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_on, &l), 0);
    for (int i = 0; i < CHANGES; i++) {
        append_key(&b, "more", "read\"", others);
        replace_file(buffer_slice(&b));
        assert_int_equal(keys_refresh(l.keys, &err), 0);
    }
    atomic_store(&l.over, true);
    for (int i = 0; i < 3; i++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(keys_len(l.keys), KEYS + CHANGES);
    keys_free(l.keys);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_is_written_is_read_as_it_was),
        cmocka_unit_test(a_line_that_is_wrong_says_what_is_allowed),
        cmocka_unit_test_setup_teardown(keys_of_the_file_are_found_and_no_others, make_path,
                                        remove_path),
        cmocka_unit_test_setup_teardown(
            a_file_that_is_lent_may_be_read_by_others_but_written_by_none, make_path, remove_path),
        cmocka_unit_test(keys_of_a_text_hold_and_its_last_line_need_not_end),
        cmocka_unit_test_setup_teardown(a_file_that_is_wrong_is_refused_by_its_line, make_path,
                                        remove_path),
        cmocka_unit_test_setup_teardown(a_change_is_taken_over_and_a_bad_one_is_not, make_path,
                                        remove_path),
        cmocka_unit_test_setup_teardown(
            who_is_at_work_by_a_key_goes_on_when_its_end_or_limits_change, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_certificate_is_found_by_its_name_and_by_no_text,
                                        make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_key_ends_when_it_expires, make_path, remove_path),
        cmocka_unit_test_setup_teardown(who_looks_never_meets_a_set_that_is_gone, make_path,
                                        remove_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
