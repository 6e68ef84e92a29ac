#include "query/parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

enum { SHOWN_MAX = 40 };

int parser_shown(struct slice text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    return (int)len;
}

static size_t characters(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return n;
}

bool parser_refuse(struct parser *p, struct slice met, const char *allowed, const char *format, ...)
{
    struct query_mistake *m = p->mistake;
    size_t offset = (size_t)(met.data - p->lexer.text.data);
    va_list args;

    *m = (struct query_mistake){.position = characters(slice_of(p->lexer.text.data, offset)),
                                .offset = offset,
                                .len = met.len};
    va_start(args, format);
    vsnprintf(m->message, sizeof(m->message), format, args);
    va_end(args);
    /* What was cut may have ended within a character. */
    m->message[utf8_valid_prefix(slice_of_string(m->message))] = '\0';
    snprintf(m->allowed, sizeof(m->allowed), "%s", allowed);
    return false;
}

struct slice parser_next(const struct parser *p)
{
    struct lexer ahead = p->lexer;
    size_t start = ahead.at;

    if (start < ahead.text.len && lexer_word(&ahead, "").len == 0)
        for (ahead.at++; ahead.at < ahead.text.len &&
                         ((unsigned char)ahead.text.data[ahead.at] & 0xc0) == 0x80;)
            ahead.at++;
    return slice_of(ahead.text.data + start, ahead.at - start);
}

bool parser_expected(struct parser *p, const char *expected, const char *allowed)
{
    struct slice met = parser_next(p);
    int len = parser_shown(met);

    if (met.len == 0)
        return parser_refuse(p, met, allowed, "expected %s, met the end", expected);
    if (lexer_is_blank(*met.data))
        return parser_refuse(p, met, allowed, "expected %s, met a blank", expected);
    return parser_refuse(p, met, allowed, "expected %s, met %.*s%s", expected, len, met.data,
                         (size_t)len < met.len ? "…" : "");
}

bool parser_add(struct parser *p, struct slice source, const struct query_node *test)
{
    struct query_builder *b = &p->builder;

    if (b->tests == QUERY_TESTS_MAX)
        return parser_refuse(p, source, "", "more than %d terms", QUERY_TESTS_MAX);
    if (test->test == QUERY_REGEX && b->regexes == QUERY_REGEX_MAX)
        return parser_refuse(p, source, "", "more than %d regular expressions", QUERY_REGEX_MAX);
    query_builder_test(b, test);
    return true;
}
