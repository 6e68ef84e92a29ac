/* RETENTION_DAYS_BY_LEVEL as it is written, rightly and wrongly. */
#include "worker/level_rules.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"

static void levels_have_their_days(void **state)
{
    struct level_rules rules;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(level_rules_parse("debug:3, Info:30,a:b:1000000", &rules, &err), 0);
    assert_int_equal(rules.len, 3);
    assert_true(slice_equal(rules.items[0].level, slice_of_string("debug")));
    assert_int_equal(rules.items[0].days, 3);
    assert_true(slice_equal(rules.items[1].level, slice_of_string("Info")));
    assert_int_equal(rules.items[1].days, 30);
    assert_true(slice_equal(rules.items[2].level, slice_of_string("a:b")));
    assert_int_equal(rules.items[2].days, 1000000);
}

static void nothing_is_no_rule(void **state)
{
    struct level_rules rules;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(level_rules_parse(NULL, &rules, &err), 0);
    assert_int_equal(rules.len, 0);
    assert_int_equal(level_rules_parse("", &rules, &err), 0);
    assert_int_equal(rules.len, 0);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"debug", "\"debug\": not a level and its days, as in debug:3"},
        {"debug=3", "\"debug=3\": not a level and its days, as in debug:3"},
        {":3", "\":3\": not a level and its days, as in debug:3"},
        {"debug:", "\"debug:\": the days are a number from 1 to 1000000"},
        {"debug:0", "\"debug:0\": the days are a number from 1 to 1000000"},
        {"debug:-1", "\"debug:-1\": the days are a number from 1 to 1000000"},
        {"debug:3d", "\"debug:3d\": the days are a number from 1 to 1000000"},
        {"debug:1000001", "\"debug:1000001\": the days are a number from 1 to 1000000"},
        {"debug:99999999999999999999", "the days are a number"},
        {"debug:3, info:4,DEBUG:5", "\"DEBUG\": the level is there twice"},
        {"debug:3,", "nothing behind the last comma"},
        {",debug:3", "\"\": not a level and its days"},
        {"a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,k:1,l:1,m:1,n:1,o:1,p:1,q:1", "more than 16"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct level_rules rules;
        struct errbuf err = ERRBUF_INIT;

        assert_int_equal(level_rules_parse(cases[i].text, &rules, &err), LM_EINVAL);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_their_days),
        cmocka_unit_test(nothing_is_no_rule),
        cmocka_unit_test(what_is_wrong_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
