#include "query/term.h"

#include <stdio.h>

#include "base/timestamp.h"
#include "base/uuid7.h"
#include "query/levels.h"
#include "query/number.h"
#include "query/regex.h"

static const int64_t DAY_US = INT64_C(86400) * 1000000;

/* ---- What a name stands for ---- */

#define WILDCARDS_ALLOWED "*, a word, a text in quotes, either with a * at an end, "
#define LISTS_ALLOWED "(… OR …)"
#define MOMENTS_ALLOWED "a date and time as 2026-01-31T10:00:00Z, a day as 2026-01-31, or "

static const struct term_field FIELDS[] = {
    {{"message", 7},
     QUERY_MESSAGE,
     TERM_NO_BOUND,
     false,
     WILDCARDS_ALLOWED "/a regular expression/, " LISTS_ALLOWED},
    {{"pattern", 7},
     QUERY_MESSAGE,
     TERM_NO_BOUND,
     true,
     "*, the pattern of a message, in quotes as \"took <*> ms\", " LISTS_ALLOWED},
    {{"level", 5},
     QUERY_LEVEL,
     TERM_NO_BOUND,
     false,
     "*, a word, a text in quotes, either with a * at one end, > >= < <= and a level, [level TO "
     "level], " LISTS_ALLOWED},
    {{"timestamp", 9},
     QUERY_TIMESTAMP,
     TERM_NO_BOUND,
     false,
     "> >= < <= and a time, [time TO time], a time, " LISTS_ALLOWED},
    {{"id", 2}, QUERY_ID, TERM_NO_BOUND, false, "the UUID of a log, *, " LISTS_ALLOWED},
    {{"any", 3}, QUERY_ANY, TERM_NO_BOUND, false, "a word, a text in quotes, *, " LISTS_ALLOWED},
    {{"since", 5}, QUERY_TIMESTAMP, TERM_SINCE, false, MOMENTS_ALLOWED RELATIVE_TIME_FORMS},
    {{"until", 5}, QUERY_TIMESTAMP, TERM_UNTIL, false, MOMENTS_ALLOWED RELATIVE_TIME_FORMS},
};

enum { FIELDS_LEN = sizeof(FIELDS) / sizeof(*FIELDS) };

static const struct term_field ATTRIBUTE = {
    .field = QUERY_ATTRIBUTE,
    .allowed = WILDCARDS_ALLOWED "> >= < <= and a number, [number TO number], /a regular "
                                 "expression/, " LISTS_ALLOWED};

const struct term_field TERM_NAMELESS = {.field = QUERY_MESSAGE};

const char TERM_ALLOWED[] =
    "a word, a text in quotes, NAME:VALUE, /a regular expression/, ( … ), - or NOT "
    "before any of them";

static bool is_nameless(const struct term_field *f)
{
    return f == &TERM_NAMELESS;
}

bool term_is_ours(struct slice name)
{
    for (size_t i = 0; i < FIELDS_LEN; i++)
        if (slice_equal(name, FIELDS[i].name))
            return true;
    return false;
}

struct term_field term_field_of(struct slice name, size_t plain)
{
    static const struct slice prefix = {"attr.", 5};
    struct term_field attribute = ATTRIBUTE;

    for (size_t i = 0; plain == name.len && i < FIELDS_LEN; i++)
        if (slice_equal(name, FIELDS[i].name))
            return FIELDS[i];
    attribute.name = name;
    if (plain >= prefix.len && name.len > prefix.len &&
        slice_equal(slice_of(name.data, prefix.len), prefix))
        attribute.name = slice_of(name.data + prefix.len, name.len - prefix.len);
    return attribute;
}

/* ---- Tests of values ---- */

/* `f` cannot be compared with a value of this form. */
static bool wrong_form(struct parser *p, const struct term_field *f, const struct value *v)
{
    int len = parser_shown(v->source);

    return parser_refuse(p, v->source, f->allowed, "%.*s cannot be %.*s%s", parser_shown(f->name),
                         f->name.data, len, v->source.data, (size_t)len < v->source.len ? "…" : "");
}

/* Where in the query byte `offset` of its regular expression stands, of which \/ became /. */
static struct slice place_in_regex(const struct value *v, size_t offset)
{
    size_t at = 1;

    for (; offset > 0 && at < v->source.len; offset--)
        at += v->source.data[at] == '\\' && v->source.data[at + 1] == '/' ? 2 : 1;
    return slice_of(v->source.data + at, at < v->source.len);
}

/* Adds `node` if its text is an expression that can be run. */
static bool add_regex(struct parser *p, const struct value *v, const struct query_node *node)
{
    struct errbuf reason = ERRBUF_INIT;
    size_t offset;
    int error = regex_check(node->text, &offset, &reason);

    if (error == LM_EINVAL)
        return parser_refuse(p, place_in_regex(v, offset), "",
                             "the regular expression is wrong: %s", reason.text);
    p->error = error;
    return !error && parser_add(p, v->source, node);
}

static bool add_attribute(struct parser *p, const struct term_field *f, const struct value *v)
{
    struct query_node node = {.field = QUERY_ATTRIBUTE, .path = f->name, .text = v->text};
    static const enum query_test tests[2][2] = {{QUERY_EQUALS, QUERY_BEGINS},
                                                {QUERY_ENDS, QUERY_CONTAINS}};
    bool has_wildcards = v->any_before || v->any_after;

    node.test = v->form == VALUE_REGEX ? QUERY_REGEX : tests[v->any_before][v->any_after];
    if (node.test == QUERY_REGEX)
        return add_regex(p, v, &node);
    if (has_wildcards && v->text.len == 0)
        return wrong_form(p, f, v);
    return parser_add(p, v->source, &node);
}

/* Numbers as text are compared by all who answer within the limits of a string. */
static bool read_number(struct parser *p, const struct value_bound *bound, struct number *n)
{
    return !bound->text.data || number_parse_string(bound->text, n) ||
           parser_refuse(
               p, bound->source,
               "a number as 500, -1.5 or 2e3, of at most 64 characters and exponents up to 400",
               "expected a number, met %.*s", parser_shown(bound->source), bound->source.data);
}

static bool backwards(struct parser *p, const struct value *v)
{
    return parser_refuse(p, v->source, "",
                         "the range has nothing in it: its beginning is after its end");
}

static bool add_numbers(struct parser *p, const struct term_field *f, const struct value *v)
{
    struct number low;
    struct number high;

    if (!read_number(p, &v->low, &low) || !read_number(p, &v->high, &high))
        return false;
    if (v->low.text.data && v->high.text.data && number_compare(&low, &high) > 0)
        return backwards(p, v);
    return parser_add(p, v->source,
                      &(struct query_node){.field = QUERY_ATTRIBUTE,
                                           .test = QUERY_RANGE,
                                           .path = f->name,
                                           .low = v->low.text,
                                           .high = v->high.text,
                                           .low_included = v->low.included,
                                           .high_included = v->high.included});
}

static bool add_level(struct parser *p, const struct term_field *f, const struct value *v)
{
    enum query_test test = v->any_before ? QUERY_ENDS : v->any_after ? QUERY_BEGINS : QUERY_EQUALS;

    if (v->form == VALUE_REGEX || (v->any_before && v->any_after) ||
        (test != QUERY_EQUALS && v->text.len == 0))
        return wrong_form(p, f, v);
    return parser_add(p, v->source,
                      &(struct query_node){.field = QUERY_LEVEL, .test = test, .text = v->text});
}

static bool check_severity(struct parser *p, const struct value_bound *bound)
{
    return !bound->text.data || level_severity(bound->text) != LEVEL_WITHOUT_SEVERITY ||
           parser_refuse(p, bound->source,
                         "trace, debug, info, notice, warning, error, critical, alert, emergency",
                         "%.*s is no level that is more or less than others",
                         parser_shown(bound->source), bound->source.data);
}

static bool add_severities(struct parser *p, const struct value *v)
{
    if (!check_severity(p, &v->low) || !check_severity(p, &v->high))
        return false;
    if (v->low.text.data && v->high.text.data &&
        level_severity(v->low.text) > level_severity(v->high.text))
        return backwards(p, v);
    return parser_add(p, v->source,
                      &(struct query_node){.field = QUERY_LEVEL,
                                           .test = QUERY_RANGE,
                                           .low = v->low.text,
                                           .high = v->high.text,
                                           .low_included = v->low.included,
                                           .high_included = v->high.included});
}

/* The message, which holds a text: for that, a * at its ends says nothing but with a name. */
static bool add_message(struct parser *p, const struct term_field *f, const struct value *v)
{
    struct query_node node = {.field = QUERY_MESSAGE, .test = QUERY_HOLDS, .text = v->text};

    if (f->is_pattern) {
        node.test = QUERY_PATTERN;
        if (v->form != VALUE_TEXT || v->any_before || v->any_after)
            return wrong_form(p, f, v);
        return parser_add(p, v->source, &node);
    }
    if (v->form == VALUE_REGEX) {
        node.test = QUERY_REGEX;
        return add_regex(p, v, &node);
    }
    if (!is_nameless(f) && v->any_before != v->any_after)
        node.test = v->any_before ? QUERY_ENDS : QUERY_BEGINS;
    if (v->text.len == 0)
        return parser_refuse(p, v->source, TERM_ALLOWED, "expected a text that is not empty");
    return parser_add(p, v->source, &node);
}

static bool add_any(struct parser *p, const struct term_field *f, const struct value *v)
{
    if (v->form == VALUE_REGEX)
        return wrong_form(p, f, v);
    if (v->text.len == 0)
        return parser_refuse(p, v->source, f->allowed, "expected a text that is not empty");
    return parser_add(
        p, v->source,
        &(struct query_node){.field = QUERY_ANY, .test = QUERY_HOLDS, .text = v->text});
}

static bool add_id(struct parser *p, const struct term_field *f, const struct value *v)
{
    struct errbuf reason = ERRBUF_INIT;
    struct uuid id;

    if (v->form != VALUE_TEXT || v->any_before || v->any_after)
        return wrong_form(p, f, v);
    if (uuid_parse(v->text, &id, &reason))
        return parser_refuse(p, v->source, f->allowed, "expected the UUID of a log: %s",
                             reason.text);

    char *text = p->lexer.room;

    p->lexer.room += UUID_TEXT_LEN;
    uuid_format(&id, text);
    return parser_add(p, v->source,
                      &(struct query_node){.field = QUERY_ID,
                                           .test = QUERY_EQUALS,
                                           .text = slice_of(text, UUID_TEXT_LEN)});
}

/* ---- Times ---- */

/* A time, or a day, which is all its times. */
struct moment {
    int64_t us, end_us; /* end_us is behind it */
};

/* Those that are named as days: today has as many hours as it has in the zone. */
static int64_t end_of(struct parser *p, struct slice text, int64_t us)
{
    static const struct slice today = {"today", 5};
    static const struct slice yesterday = {"yesterday", 9};
    int64_t end_us;

    if (text.len == 10 && text.data[4] == '-' && text.data[7] == '-')
        return us + DAY_US;
    if (!slice_equal_ascii_nocase(text, today) && !slice_equal_ascii_nocase(text, yesterday))
        return us + 1;
    if (relative_time_parse(today, us + DAY_US + DAY_US / 2, p->zone, &end_us))
        return us + DAY_US;
    return end_us;
}

static bool read_moment(struct parser *p, struct slice source, struct slice text, struct moment *m)
{
    struct timestamp_error error = {0};
    int result = relative_time_parse(text, p->now_us, p->zone, &m->us);

    if (result == LM_EINVAL)
        result = timestamp_parse_text(text, &m->us, &error);
    else if (result)
        snprintf(error.reason, sizeof(error.reason), "outside the years 1 to 9999");
    if (result)
        return parser_refuse(p, source, MOMENTS_ALLOWED RELATIVE_TIME_FORMS, "expected a time: %s",
                             error.reason);
    m->end_us = end_of(p, text, m->us);
    return true;
}

static bool add_times(struct parser *p, const struct value *v, int64_t low_us, int64_t high_us)
{
    return parser_add(
        p, v->source,
        &(struct query_node){
            .field = QUERY_TIMESTAMP, .test = QUERY_RANGE, .low_us = low_us, .high_us = high_us});
}

static bool add_timestamp(struct parser *p, const struct term_field *f, const struct value *v)
{
    struct moment m;

    if (v->form != VALUE_TEXT || v->any_before || v->any_after)
        return wrong_form(p, f, v);
    if (!read_moment(p, v->source, v->text, &m))
        return false;
    if (f->bound == TERM_SINCE)
        return add_times(p, v, m.us, INT64_MAX);
    if (f->bound == TERM_UNTIL)
        return add_times(p, v, INT64_MIN, m.us);
    return add_times(p, v, m.us, m.end_us);
}

static bool add_time_range(struct parser *p, const struct term_field *f, const struct value *v)
{
    struct moment low;
    struct moment high;
    int64_t low_us = INT64_MIN;
    int64_t high_us = INT64_MAX;

    if (f->bound)
        return wrong_form(p, f, v);
    if (v->low.text.data) {
        if (!read_moment(p, v->low.source, v->low.text, &low))
            return false;
        low_us = v->low.included ? low.us : low.end_us;
    }
    if (v->high.text.data) {
        if (!read_moment(p, v->high.source, v->high.text, &high))
            return false;
        high_us = v->high.included ? high.end_us : high.us;
    }
    return low_us <= high_us ? add_times(p, v, low_us, high_us) : backwards(p, v);
}

/* ---- Terms ---- */

static bool add_exists(struct parser *p, const struct term_field *f, const struct value *v)
{
    bool is_attribute = f->field == QUERY_ATTRIBUTE;

    return parser_add(p, v->source,
                      &(struct query_node){.field = f->field,
                                           .test = QUERY_EXISTS,
                                           .path = is_attribute ? f->name : slice_of(NULL, 0)});
}

static bool add_range(struct parser *p, const struct term_field *f, const struct value *v)
{
    switch (f->field) {
    case QUERY_ATTRIBUTE:
        return add_numbers(p, f, v);
    case QUERY_LEVEL:
        return add_severities(p, v);
    case QUERY_TIMESTAMP:
        return add_time_range(p, f, v);
    default:
        return wrong_form(p, f, v);
    }
}

bool term_add(struct parser *p, const struct term_field *f, const struct value *v)
{
    if (value_is_all(v) && !f->bound)
        return add_exists(p, f, v);
    if (v->form == VALUE_RANGE)
        return add_range(p, f, v);
    switch (f->field) {
    case QUERY_MESSAGE:
        return add_message(p, f, v);
    case QUERY_LEVEL:
        return add_level(p, f, v);
    case QUERY_TIMESTAMP:
        return add_timestamp(p, f, v);
    case QUERY_ID:
        return add_id(p, f, v);
    case QUERY_ATTRIBUTE:
        return add_attribute(p, f, v);
    case QUERY_ANY:
        return add_any(p, f, v);
    }
    return false;
}
