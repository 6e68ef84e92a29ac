/*
 * Which fields logs have: what is known of logs that are made by a rule, however they are split,
 * merged and sent; and what is said of what had to be left out.
 */
#include "query/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/survey_table.h"

#include "../cmocka_all.h"

enum { OUT_MAX = 64 << 20, LOGS = 2000, PARTS = 5 };

static struct survey *new_survey(void)
{
    struct survey *s = survey_new(NULL);

    assert_non_null(s);
    return s;
}

static void add(struct survey *s, const char *level, const char *attributes)
{
    const struct record r = {.level = slice_of_string(level),
                             .message = SLICE_LITERAL("m"),
                             .attributes = slice_of_string(attributes)};

    assert_int_equal(survey_add(s, &r), 0);
}

static const char *answer_of(struct survey *s, size_t top)
{
    static struct buffer b;

    buffer_release(&b);
    buffer_init(&b, OUT_MAX);
    assert_int_equal(survey_append_answer(s, &b, top), 0);
    buffer_append_char(&b, '\0');
    assert_int_equal(buffer_error(&b), 0);
    return b.data;
}

/* Of `s`, the first field of that path; a text that lives until the next call. */
static const char *field_of(struct survey *s, const char *path, size_t top)
{
    static char field[8192];
    char head[128];
    const char *answer = answer_of(s, top), *at, *end;

    snprintf(head, sizeof(head), "{\"path\":\"%s\",", path);
    at = strstr(answer, head);
    if (!at) {
        fail_msg("no field %s in %s", path, answer);
        return "";
    }
    end = strstr(at + strlen(head), "{\"path\":");
    snprintf(field, sizeof(field), "%.*s", end ? (int)(end - at - 1) : (int)strlen(at), at);
    return field;
}

static void assert_field(struct survey *s, const char *path, const char *rest)
{
    const char *field = field_of(s, path, 3);

    if (!strstr(field, rest))
        fail_msg("%s is not in %s", rest, field);
}

static void fields_have_their_logs_types_and_values(void **state)
{
    struct survey *s = new_survey();

    (void)state;
    add(s, "INFO",
        "{\"a\":{\"b\":1,\"c\":[1.0,\"1\",true]},\"a.b\":\"x\",\"d\":{},\"e\":[],\"level\":null}");
    add(s, "info", "{\"a\":{\"b\":1e0,\"c\":[{\"n\":1},{\"n\":2},[{\"n\":1}]]}}");
    add(s, "warn", "");
    assert_field(s, "level",
                 "\"logs\":3,\"types\":{\"string\":3},\"distinct\":2,\"values\":[{\"value\":"
                 "\"info\",\"count\":2},{\"value\":\"warn\",\"count\":1}],\"approximate\":null}");
    assert_field(s, "attr.level", "\"logs\":1,\"types\":{\"null\":1},\"distinct\":1");
    assert_field(s, "a.b",
                 "\"logs\":2,\"types\":{\"string\":1,\"number\":2},\"distinct\":2,\"values\":[{"
                 "\"value\":\"1\",\"count\":2},{\"value\":\"x\",\"count\":1}]");
    assert_field(s, "a.c",
                 "\"logs\":1,\"types\":{\"string\":1,\"number\":1,\"boolean\":1},\"distinct\":2,"
                 "\"values\":[{\"value\":\"1\",\"count\":1},{\"value\":\"true\",\"count\":1}]");
    assert_field(s, "a.c.n", "\"logs\":1,\"types\":{\"number\":1},\"distinct\":2");
    assert_field(s, "d", "\"types\":{\"object\":1},\"distinct\":1,\"values\":[{\"value\":\"{…}\"");
    assert_field(s, "e", "\"types\":{\"array\":1},\"distinct\":1,\"values\":[{\"value\":\"[]\"");
    assert_null(strstr(answer_of(s, 3), "\"path\":\"a\""));
    assert_non_null(strstr(answer_of(s, 3), "],\"approximate\":null"));
    survey_free(s);
}

static void what_is_too_deep_or_too_long_for_a_path_is_an_object(void **state)
{
    struct survey *s = new_survey();
    char deep[4096] = "";

    (void)state;
    for (int i = 0; i < 40; i++)
        strcat(deep, "{\"o\":");
    strcat(deep, "1");
    for (int i = 0; i < 40; i++)
        strcat(deep, "}");
    add(s, "info", deep);
    assert_non_null(strstr(answer_of(s, 3), ".o.o\",\"logs\":1,\"types\":{\"object\":1}"));
    snprintf(deep, sizeof(deep), "{\"%01020d\":{\"long\":1}}", 7);
    add(s, "info", deep);
    assert_non_null(strstr(answer_of(s, 3), "0007\",\"logs\":1,\"types\":{\"object\":1}"));
    survey_free(s);
}

/* Log number `i` of a rule: some fields in all, some in few, some that no two share. */
static void add_log(struct survey *s, unsigned i)
{
    char attributes[512];

    snprintf(attributes, sizeof(attributes),
             "{\"id\":\"%u\",\"service\":\"s%u\",\"http\":{\"status\":%u},\"tags\":[\"a\",\"t%u\"],"
             "\"rare%u\":%u}",
             i, i % 3, 200 + i % 7 * 50, i % 11, i % 40, i);
    add(s, i % 4 ? "info" : "error", attributes);
}

static void send_to(struct survey *to, const struct survey *from)
{
    struct errbuf err = ERRBUF_INIT;
    struct buffer b;

    buffer_init(&b, OUT_MAX);
    survey_append_state(from, &b);
    assert_int_equal(buffer_error(&b), 0);
    if (survey_merge_state(to, buffer_slice(&b), &err))
        fail_msg("%s", err.text);
    buffer_release(&b);
}

static void parts_merge_to_the_whole_however_they_are_split(void **state)
{
    struct survey *whole = new_survey(), *parts[PARTS], *merged = new_survey(),
                  *sent = new_survey();
    char *expected;

    (void)state;
    for (int i = 0; i < PARTS; i++)
        parts[i] = new_survey();
    for (unsigned i = 0; i < LOGS / 10; i++) {
        add_log(whole, i);
        add_log(parts[random() % PARTS], i);
    }
    expected = strdup(answer_of(whole, 100));
    for (int i = 0; i < PARTS; i++) {
        assert_int_equal(survey_merge(merged, parts[i]), 0);
        send_to(sent, parts[PARTS - 1 - i]);
    }
    for (int i = 0; i < PARTS; i++)
        survey_free(parts[i]);
    assert_string_equal(answer_of(merged, 100), expected);
    assert_string_equal(answer_of(sent, 100), expected);
    assert_int_equal(survey_total(sent), LOGS / 10);
    free(expected);
    survey_free(whole);
    survey_free(merged);
    survey_free(sent);
}

static uint64_t number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    if (!at)
        fail_msg("no %s in %s", name, text);
    return strtoull(at + strlen(name), NULL, 10);
}

/* A true count is between the one that is told and that with its error. */
static void assert_bounds(struct survey *s)
{
    const char *service = field_of(s, "service", 1);
    uint64_t logs = number_behind(service, "\"logs\":"), error = 0;

    if (strstr(service, "logs_error"))
        error = number_behind(service, "\"logs_error\":");
    assert_in_range(LOGS, logs, logs + error);
}

static void what_is_left_out_is_bounded_and_told(void **state)
{
    struct survey *s = new_survey(), *other = new_survey();
    const char *id;

    (void)state;
    s->fields_max = other->fields_max = 12;
    s->values_max = other->values_max = 20;
    for (unsigned i = 0; i < LOGS; i++)
        add_log(i % 2 ? s : other, i);
    send_to(s, other);
    assert_bounds(s);
    assert_true(dictionary_len(&s->paths) <= s->fields_max);
    assert_true(number_behind(answer_of(s, 3), "],\"approximate\":{\"unseen_count\":") > 0);
    id = field_of(s, "id", 100);
    assert_non_null(strstr(id, "\"distinct\":true"));
    uint64_t distinct = number_behind(id, "\"distinct\":");
    assert_in_range(distinct, LOGS * 9 / 10, LOGS * 11 / 10);
    assert_true(number_behind(id, "\"unseen_count\":") >= 1);
    for (uint32_t i = 0; i < dictionary_len(&s->paths); i++)
        assert_true(dictionary_len(&survey_field_at(s, i)->values) <= 2 * s->values_max);
    survey_free(s);
    survey_free(other);
}

/* Values of many logs at once: most are met once, two in each part. */
static void what_is_added_at_once_is_bounded_in_the_same_way(void **state)
{
    enum { VALUES = 1000, ADDED = 50, OFTEN = 2 };
    static char texts[VALUES][16];
    static struct survey_value values[VALUES];
    struct survey *s = new_survey();
    const char *id;

    (void)state;
    for (unsigned part = 0; part < ADDED; part++) {
        for (unsigned i = 0; i < VALUES; i++) {
            unsigned id_of = i < OFTEN ? i : part * VALUES + i;
            int len = snprintf(texts[i], sizeof(texts[i]), "%06u", id_of);

            values[i] = (struct survey_value){slice_of(texts[i], (size_t)len), LOG_VALUE_STRING,
                                              i < OFTEN ? 10 + i : 1};
        }
        survey_add_logs(s, VALUES + 19);
        assert_int_equal(survey_add_values(s, SLICE_LITERAL("id"), values, VALUES), 0);
    }
    assert_int_equal(survey_total(s), ADDED * (VALUES + 19));
    id = field_of(s, "id", 2);
    assert_int_equal(number_behind(id, "\"logs\":"), ADDED * (VALUES + 19));
    assert_int_equal(number_behind(id, "\"string\":"), ADDED * (VALUES + 19));
    assert_in_range(number_behind(id, "\"distinct\":"), ADDED * VALUES * 9 / 10,
                    ADDED * VALUES * 11 / 10);
    assert_non_null(strstr(id, "[{\"value\":\"000001\",\"count\":550},"
                               "{\"value\":\"000000\",\"count\":500}]"));
    assert_int_equal(number_behind(id, "\"count_error\":"), 0);
    assert_in_range(number_behind(id, "\"unseen_count\":"), 1, ADDED);
    survey_free(s);
}

static void memory_is_bounded_and_given_back(void **state)
{
    struct ledger ledger;
    struct survey *s;
    char attributes[1024];

    (void)state;
    ledger_init(&ledger, 64 << 20);
    s = survey_new(ledger_account(&ledger, LEDGER_READS));
    assert_non_null(s);
    s->bytes_max = 1 << 20;
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(attributes, sizeof(attributes), "{\"f%u\":\"%0200u\",\"always\":1}", i % 500, i);
        add(s, "info", attributes);
    }
    assert_true(s->charged <= 2 << 20);
    assert_non_null(strstr(field_of(s, "always", 1), "\"logs\":20000,"));
    survey_free(s);
    assert_int_equal(ledger_used(&ledger), 0);
}

static void no_text_that_is_no_state_is_taken(void **state)
{
    struct survey *from = new_survey();
    struct buffer b;

    (void)state;
    for (unsigned i = 0; i < 50; i++)
        add_log(from, i);
    buffer_init(&b, OUT_MAX);
    survey_append_state(from, &b);
    for (int i = 0; i < 4000; i++) {
        struct survey *to = new_survey();
        struct errbuf err = ERRBUF_INIT;
        size_t at = (size_t)random() % b.len;
        char kept = b.data[at];

        b.data[at] = "0123456789[]{},:\"-.e\\x"[random() % 22];
        int error = survey_merge_state(to, buffer_slice(&b), &err);
        assert_true(!error || (error == LM_EINVAL && err.text[0]));
        if (error)
            assert_int_equal(survey_total(to), 0);
        else
            (void)answer_of(to, 3);
        b.data[at] = kept;
        survey_free(to);
    }
    buffer_release(&b);
    survey_free(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_logs_types_and_values),
        cmocka_unit_test(what_is_too_deep_or_too_long_for_a_path_is_an_object),
        cmocka_unit_test(parts_merge_to_the_whole_however_they_are_split),
        cmocka_unit_test(what_is_left_out_is_bounded_and_told),
        cmocka_unit_test(what_is_added_at_once_is_bounded_in_the_same_way),
        cmocka_unit_test(memory_is_bounded_and_given_back),
        cmocka_unit_test(no_text_that_is_no_state_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
