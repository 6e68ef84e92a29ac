#include "query/language.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "query/term.h"

enum { OPEN_EACH = 3 /* nodes that are open for each parenthesis: OR, AND, NOT */ };

static_assert(OPEN_EACH * (QUERY_PARENTHESES_MAX + 1) <= QUERY_OPEN_MAX, "the builder's limit");

static bool no_value(struct parser *p, const struct term_field *f)
{
    char expected[96];

    snprintf(expected, sizeof(expected), "a value right after %.*s:", parser_shown(f->name),
             f->name.data);
    return parser_expected(p, expected, f->allowed);
}

/* The value of `f`, or a term without a name. */
static bool parse_value(struct parser *p, const struct term_field *f)
{
    bool nameless = f == &TERM_NAMELESS;
    struct value v;

    if (lexer_sees_end_of_term(&p->lexer) || lexer_sees(&p->lexer, '('))
        return no_value(p, f);
    if (!value_read(p, nameless, &v))
        return false;
    if (nameless && lexer_is_reserved(v.source))
        return parser_refuse(p, v.source, TERM_ALLOWED, "expected a term, met %.*s",
                             SLICE_ARG(v.source));
    if (!nameless && !lexer_sees_end_of_term(&p->lexer))
        return parser_expected(p, "a blank or the end after the value",
                               "a text that holds blanks, quotes or parentheses stands in quotes");
    return term_add(p, f, &v);
}

/* ---- AND, OR, NOT ---- */

/* Of terms if `f` is NULL, else of values of `f`. Calls itself for each parenthesis. */
static bool parse_or(struct parser *p, const struct term_field *f);

/* The next is an opening parenthesis. */
static bool parse_parentheses(struct parser *p, const struct term_field *f)
{
    size_t start = p->lexer.at++;

    if (p->parentheses == QUERY_PARENTHESES_MAX)
        return parser_refuse(p, slice_of(p->lexer.text.data + start, 1), "",
                             "more than %d parentheses within each other", QUERY_PARENTHESES_MAX);
    if (++p->parentheses > p->deepest) {
        p->deepest = p->parentheses;
        p->deepest_at = start;
    }
    if (!parse_or(p, f))
        return false;
    if (!lexer_take(&p->lexer, ')'))
        return parser_expected(p, f ? "OR, AND or )" : ")", "");
    p->parentheses--;
    return true;
}

static bool parse_term(struct parser *p)
{
    struct lexer *l = &p->lexer;
    size_t start = l->at;
    struct slice name;
    size_t plain;

    if (lexer_sees_end_of_term(l))
        return parser_expected(p, "a term", TERM_ALLOWED);
    if (lexer_sees(l, ':') && !lexer_sees_colons(l))
        return parser_expected(p, "a name before the colon", "NAME:VALUE; in quotes it is a text");
    if (lexer_sees(l, '/') || !lexer_name(l, &name, &plain))
        return parse_value(p, &TERM_NAMELESS);
    if (plain && memchr(name.data, '*', plain))
        return parser_refuse(p, parser_source(p, start), "",
                             "a name has no *; in quotes it is itself");

    struct term_field f = term_field_of(name, plain);

    if (!lexer_sees(l, '(') || f.bound)
        return parse_value(p, &f);
    return parse_parentheses(p, &f) &&
           (lexer_sees_end_of_term(l) || parser_expected(p, "a blank or the end after )", ""));
}

static bool parse_primary(struct parser *p, const struct term_field *f)
{
    if (lexer_sees(&p->lexer, '('))
        return parse_parentheses(p, f);
    if (!f)
        return parse_term(p);
    if (lexer_sees_end_of_term(&p->lexer) || lexer_is_reserved(parser_next(p)))
        return parser_expected(p, "a value", f->allowed);
    return parse_value(p, f);
}

/* NOT, or in front of a term, not of a value, which may be a number, a - with nothing between. */
static bool take_not(struct parser *p, const struct term_field *f)
{
    struct lexer ahead = p->lexer;

    if (lexer_take_word(&p->lexer, "NOT")) {
        lexer_skip_blanks(&p->lexer);
        return true;
    }
    return !f && lexer_take(&ahead, '-') && !lexer_sees_end_of_term(&ahead) &&
           lexer_take(&p->lexer, '-');
}

static bool parse_not(struct parser *p, const struct term_field *f)
{
    bool is_not = false;

    while (take_not(p, f))
        is_not = !is_not;
    if (is_not)
        query_builder_open(&p->builder, QUERY_NOT);
    if (!parse_primary(p, f))
        return false;
    if (is_not)
        query_builder_close(&p->builder);
    lexer_skip_blanks(&p->lexer);
    return true;
}

/* Terms may stand beside each other, values may not: whether OR was meant is not known. */
static bool goes_on(struct parser *p, const struct term_field *f)
{
    struct lexer *l = &p->lexer;

    if (lexer_take_word(l, "AND")) {
        lexer_skip_blanks(l);
        return true;
    }
    return !f && l->at < l->text.len && !lexer_sees(l, ')') && !lexer_sees_word(l, "OR");
}

static bool parse_and(struct parser *p, const struct term_field *f)
{
    query_builder_open(&p->builder, QUERY_AND);
    do
        if (!parse_not(p, f))
            return false;
    while (goes_on(p, f));
    query_builder_close(&p->builder);
    return true;
}

static bool parse_or(struct parser *p, const struct term_field *f)
{
    query_builder_open(&p->builder, QUERY_OR);
    do {
        lexer_skip_blanks(&p->lexer);
        if (!parse_and(p, f))
            return false;
    } while (lexer_take_word(&p->lexer, "OR"));
    query_builder_close(&p->builder);
    return true;
}

/* What no log can have is not sought: stores need not know it. */
static bool is_text(struct parser *p)
{
    struct slice text = p->lexer.text;
    size_t valid = utf8_valid_prefix(text);
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;

    if (valid < text.len)
        return parser_refuse(p, slice_of(text.data + valid, 1), "", "a byte that is not UTF-8");
    return !nul || parser_refuse(p, slice_of(nul, 1), "", "the character U+0000, which no log has");
}

static bool parse_all(struct parser *p)
{
    struct lexer *l = &p->lexer;

    if (l->text.len > QUERY_TEXT_MAX) {
        return parser_refuse(p,
                             slice_of(l->text.data + QUERY_TEXT_MAX, l->text.len - QUERY_TEXT_MAX),
                             "", "longer than %d bytes", QUERY_TEXT_MAX);
    }
    if (!is_text(p))
        return false;
    lexer_skip_blanks(l);
    if (l->at == l->text.len)
        return true;
    return parse_or(p, NULL) && (l->at == l->text.len || parser_expected(p, "( before )", ""));
}

int query_parse(struct slice text, int64_t now_us, relative_time_zone_fn *zone, struct query **q,
                struct query_mistake *mistake)
{
    char *room = xmalloc(lexer_room(text.len));
    struct parser p = {.lexer = {.text = text.data ? text : SLICE_LITERAL(""), .room = room},
                       .now_us = now_us,
                       .zone = zone,
                       .mistake = mistake};
    int error;

    *q = NULL;
    query_builder_init(&p.builder);
    if (parse_all(&p)) {
        error = query_builder_finish(&p.builder, q);
    } else {
        query_builder_release(&p.builder);
        error = p.error ? p.error : LM_EINVAL;
    }
    if (error == LM_ETOOBIG) {
        parser_refuse(&p, slice_of(p.lexer.text.data + p.deepest_at, 1), "",
                      "AND, OR and NOT more than %d deep within each other", QUERY_DEPTH_MAX);
        error = LM_EINVAL;
    }
    free(room);
    return error;
}
