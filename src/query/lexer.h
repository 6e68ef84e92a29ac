/*
 * The signs of the query language (query/language.h): words, texts in quotes, names, regular
 * expressions. What a function does not find, it leaves where it is.
 */
#ifndef LOGMILL_QUERY_LEXER_H
#define LOGMILL_QUERY_LEXER_H

#include <stdbool.h>

#include "base/slice.h"

struct lexer {
    struct slice text;
    size_t at;  /* bytes before what comes next */
    char *room; /* for texts that are not there as such; … */
};

/* … of `len` bytes: */
static inline size_t lexer_room(size_t len)
{
    return 2 * len;
}

bool lexer_is_blank(char c);

void lexer_skip_blanks(struct lexer *l);

/* The next is `c`; … a blank, a closing parenthesis, or the end. */
bool lexer_sees(const struct lexer *l, char c);
bool lexer_sees_end_of_term(const struct lexer *l);

/* The next is ::, which is a part of a text. */
bool lexer_sees_colons(const struct lexer *l);

bool lexer_take(struct lexer *l, char c);

/* The next is all of `word`, which is one of the language: AND and the like. */
bool lexer_sees_word(const struct lexer *l, const char *word);
bool lexer_take_word(struct lexer *l, const char *word);

/* A word of the language. */
bool lexer_is_reserved(struct slice word);

/* All before a blank, ( ) " or one of `ends`; empty if there is nothing before it. */
struct slice lexer_word(struct lexer *l, const char *ends);

/* The next is a quote. False if it is not closed; else `*text` is what is in it, without escapes.
 */
bool lexer_quoted(struct lexer *l, struct slice *text);

/* `*text` is a regular expression, without its slashes, in which `\/` has become `/`. */
bool lexer_regex(struct lexer *l, struct slice *text);

/*
 * A name and the colon behind it. `*plain`: how many bytes of it stood before the first quote.
 * What begins with a digit, or is followed by :: or ://, is no name but a part of a text: of times,
 * addresses, names of C++.
 */
bool lexer_name(struct lexer *l, struct slice *name, size_t *plain);

#endif
