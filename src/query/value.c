#include "query/value.h"

static bool not_closed(struct parser *p, size_t start)
{
    return parser_refuse(p, slice_of(p->lexer.text.data + start, 1), "",
                         "the quote is not closed; within quotes, \\\" is a quote");
}

/* A text in quotes, or what `ends` does not end. False with a mistake. */
static bool read_text(struct parser *p, const char *ends, struct slice *text)
{
    size_t start = p->lexer.at;

    if (!lexer_sees(&p->lexer, '"')) {
        *text = lexer_word(&p->lexer, ends);
        return true;
    }
    return lexer_quoted(&p->lexer, text) || not_closed(p, start);
}

/* A word of which a * at the ends stands for anything. */
static bool read_word(struct parser *p, struct value *v)
{
    struct slice word = lexer_word(&p->lexer, "");

    if (word.len > 1 && word.data[0] == '*') {
        v->any_before = true;
        word = slice_of(word.data + 1, word.len - 1);
    }
    if (word.len > 0 && word.data[word.len - 1] == '*') {
        v->any_after = true;
        word.len--;
    }
    v->text = word;

    const char *star = word.len ? memchr(word.data, '*', word.len) : NULL;

    return !star ||
           parser_refuse(p, slice_of(star, 1), "",
                         "a * stands for anything at the beginning and at the end alone; in "
                         "quotes it is itself; within: /a.*b/");
}

/* A word or a text in quotes, with a * at its ends. */
static bool read_wildcards(struct parser *p, struct value *v)
{
    struct lexer *l = &p->lexer;
    bool quote_follows = l->at + 1 < l->text.len && l->text.data[l->at + 1] == '"';

    if (lexer_sees(l, '*') && quote_follows)
        v->any_before = lexer_take(l, '*');
    if (!lexer_sees(l, '"'))
        return read_word(p, v);
    if (!read_text(p, "", &v->text))
        return false;
    v->any_after = lexer_take(l, '*');
    return true;
}

/* A bound of a range, of which a * is none. */
static bool read_bound(struct parser *p, const char *ends, struct value_bound *bound)
{
    size_t start = p->lexer.at;
    bool is_quoted = lexer_sees(&p->lexer, '"');

    if (!read_text(p, ends, &bound->text))
        return false;
    bound->source = parser_source(p, start);
    if (bound->source.len == 0)
        return parser_expected(p, "a bound",
                               "a number, level or time; * for none; texts with blanks in "
                               "quotes");
    if (!is_quoted && slice_equal(bound->text, SLICE_LITERAL("*")))
        bound->text = slice_of(NULL, 0);
    return true;
}

/* > >= < <= have been seen. */
static bool read_comparison(struct parser *p, struct value *v)
{
    struct lexer *l = &p->lexer;
    struct value_bound *bound = lexer_sees(l, '>') ? &v->low : &v->high;

    v->form = VALUE_RANGE;
    l->at++;
    bound->included = lexer_take(l, '=');
    if (!read_bound(p, "", bound))
        return false;
    return bound->text.data ||
           parser_refuse(p, bound->source, "",
                         "expected a bound; a value that is there at all is NAME:*");
}

/* [a TO b], of which { and } are without the bounds themselves. */
static bool read_range(struct parser *p, struct value *v)
{
    static const char FORMS[] = "[a TO b], {a TO b} without a and b, * for no bound; in quotes all "
                                "of it is a text";
    struct lexer *l = &p->lexer;
    size_t start = l->at;

    v->form = VALUE_RANGE;
    v->low.included = lexer_take(l, '[') || !lexer_take(l, '{');
    lexer_skip_blanks(l);
    if (!read_bound(p, "]}", &v->low))
        return false;
    lexer_skip_blanks(l);
    if (!lexer_take_word(l, "TO"))
        return parser_expected(p, "TO", FORMS);
    lexer_skip_blanks(l);
    if (!read_bound(p, "]}", &v->high))
        return false;
    lexer_skip_blanks(l);
    v->high.included = lexer_take(l, ']');
    if (!v->high.included && !lexer_take(l, '}'))
        return parser_expected(p, "] or }", FORMS);
    if (!v->low.text.data && !v->high.text.data)
        return parser_refuse(
            p, parser_source(p, start), "",
            "one of the bounds has to be there; a value that is there at all is NAME:*");
    /* Of no bound nothing is included. */
    v->low.included &= !!v->low.text.data;
    v->high.included &= !!v->high.text.data;
    return true;
}

bool value_read(struct parser *p, bool nameless, struct value *v)
{
    struct lexer *l = &p->lexer;
    size_t start = l->at;
    bool read = true;

    *v = (struct value){.form = VALUE_TEXT};
    if (lexer_regex(l, &v->text))
        v->form = VALUE_REGEX;
    else if (!nameless && (lexer_sees(l, '>') || lexer_sees(l, '<')))
        read = read_comparison(p, v);
    else if (!nameless && (lexer_sees(l, '[') || lexer_sees(l, '{')))
        read = read_range(p, v);
    else
        read = read_wildcards(p, v);
    v->source = parser_source(p, start);
    return read;
}

bool value_is_all(const struct value *v)
{
    return slice_equal(v->source, SLICE_LITERAL("*"));
}
