/*
 * What the parts of the parser of queries (query/language.h) share: where it is, the tree so far,
 * and how it says what is wrong. Functions return bool: false, *mistake says why.
 */
#ifndef LOGMILL_QUERY_PARSER_H
#define LOGMILL_QUERY_PARSER_H

#include "base/relative_time.h"
#include "query/lexer.h"
#include "query/mistake.h"
#include "query/tree.h"

struct parser {
    struct lexer lexer;
    struct query_builder builder;
    int64_t now_us;
    relative_time_zone_fn *zone;
    struct query_mistake *mistake;
    int error;            /* LM_ENOMEM: this is why, and not a mistake */
    unsigned parentheses; /* that are open; … */
    unsigned deepest;     /* … at most, and where */
    size_t deepest_at;
};

/* The bytes from `start` to where the lexer is. */
static inline struct slice parser_source(const struct parser *p, size_t start)
{
    return slice_of(p->lexer.text.data + start, p->lexer.at - start);
}

/* The word, or the sign, that comes next; empty at the end. */
struct slice parser_next(const struct parser *p);

/* `met`: the part of the text that is wrong. Returns false. */
bool parser_refuse(struct parser *p, struct slice met, const char *allowed, const char *format, ...)
    LM_PRINTF(4, 5);

/* The same: something else than `expected` comes next. */
bool parser_expected(struct parser *p, const char *expected, const char *allowed);

/* How many bytes of `text` a message shows: whole characters. */
int parser_shown(struct slice text);

/* Adds a test to the tree, of what stands at `source`. */
bool parser_add(struct parser *p, struct slice source, const struct query_node *test);

#endif
