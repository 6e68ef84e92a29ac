#include "worker/level_rules.h"

#include <string.h>

#include "base/int_parse.h"
#include "base/text.h"

static int check_new(const struct level_rules *rules, struct slice level, struct errbuf *err)
{
    if (rules->len == LEVEL_RULES_MAX)
        return errbuf_fail(err, LM_EINVAL, "more than %d levels", LEVEL_RULES_MAX);
    for (size_t i = 0; i < rules->len; i++)
        if (text_equal_nocase(rules->items[i].level, level))
            return errbuf_fail(err, LM_EINVAL, "\"%.*s\": the level is there twice", (int)level.len,
                               level.data);
    return 0;
}

static bool parse_days(struct slice text, unsigned *days)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > LEVEL_RULES_DAYS_MAX)
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *days = (unsigned)number;
    return text.len > 0 && number >= 1 && number <= LEVEL_RULES_DAYS_MAX;
}

/* Levels may hold colons: the last one counts. */
static int parse_rule(struct slice text, struct level_rules *rules, struct errbuf *err)
{
    const char *colon = text.len ? memrchr(text.data, ':', text.len) : NULL;
    struct level_rule rule;

    if (!colon || colon == text.data)
        return errbuf_fail(err, LM_EINVAL, "\"%.*s\": not a level and its days, as in debug:3",
                           (int)text.len, text.data);
    rule.level = slice_of(text.data, (size_t)(colon - text.data));
    if (!parse_days(slice_of(colon + 1, text.len - rule.level.len - 1), &rule.days))
        return errbuf_fail(err, LM_EINVAL, "\"%.*s\": the days are a number from 1 to %d",
                           (int)text.len, text.data, LEVEL_RULES_DAYS_MAX);
    int error = check_new(rules, rule.level, err);
    if (!error)
        rules->items[rules->len++] = rule;
    return error;
}

int level_rules_parse(const char *text, struct level_rules *rules, struct errbuf *err)
{
    rules->len = 0;
    while (text && *text) {
        text += strspn(text, " "); /* that people write after a comma */
        size_t len = strcspn(text, ",");
        int error = parse_rule(slice_of(text, len), rules, err);

        if (error)
            return error;
        text += len;
        if (*text != ',')
            continue;
        text++;
        if (!*text)
            return errbuf_fail(err, LM_EINVAL, "nothing behind the last comma");
    }
    return 0;
}
