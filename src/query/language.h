/*
 * The language in which people ask: what stands in the page's bar, behind `logmill query`, and in
 * the parameter `query`. docs/query.md has it for them.
 *
 *     timeout  "pool exhausted"            the message holds it, without case
 *     level:error  level:>=warning         equal, without case and by either name; by severity
 *     service:pay  service:(pay OR cart)   an attribute; one of
 *     http.status:>=500  ms:[5 TO 9.5]     by value: > >= < <= [a TO b] {a TO b} and mixed; * in
 *                                          place of a bound: none
 *     host:web-*  mail:*@example.org       wildcards at the ends; x:*a* holds
 *     trace_id:*  -trace_id:*              there, not there
 *     /time.?out \d+/  path:/^\/api/       regular expressions (query/regex.h)
 *     any:4711                             in the message or any attribute
 *     message:x  id:…  timestamp:>=2026-01-01  since:2h  until:yesterday
 *                                          ours; attr.since:x reaches an attribute of that name
 *     a b   a AND b   a OR b   NOT a   -a   ( … )
 *     "strange name":x                     a name with signs; \" and \\ in quotes
 *
 *     query   = [ or ]                     nothing: every log
 *     or      = and *( "OR" and )
 *     and     = not *( ["AND"] not )       not so in values: whether OR was meant is not known
 *     not     = *( "NOT" / "-" ) primary   the - with nothing behind it; no sign in values (x:-5)
 *     primary = "(" or ")" / text / regex / name ":" value
 *     value   = "(" or ")" / range / comparison / text / regex     with values for primaries
 *     text    = word / quoted / ["*"] quoted ["*"]
 *     name    = 1*( word / quoted )        begins with no digit
 *     range   = ( "[" / "{" ) bound "TO" bound ( "]" / "}" )
 *     bound   = "*" / word / quoted
 *
 * AND, OR, NOT and TO are words of the language in capitals alone, and where they can be meant; in
 * quotes they are texts, as are &&, || and comparisons that stand alone, which are refused
 * otherwise. A word ends at a blank, at ( ) " and, before the value, at `:`; a * in its middle is
 * refused. `12:30`, `a::b` and `http://x` are words (query/lexer.h). In quotes \" is ", and \\ is
 * \; other backslashes are themselves. A name in quotes is always that of an attribute.
 *
 * What begins with / is a regular expression if a / ends it before a blank, ")" or the end; else it
 * is a word (path:/api/users). \/ in it is a /. A / in it without a backslash may be followed by no
 * blank, up to its end: `path:/api/users path:/x/` has one expression.
 *
 * A day alone (2026-01-31, today) is all of it, but in since: and until:, which are its beginning.
 */
#ifndef LOGMILL_QUERY_LANGUAGE_H
#define LOGMILL_QUERY_LANGUAGE_H

#include "base/buffer.h"
#include "base/relative_time.h"
#include "query/mistake.h"
#include "query/tree.h"

enum { QUERY_PARENTHESES_MAX = 40 }; /* within each other; of the tree: QUERY_DEPTH_MAX */

/*
 * Parses `text`: `*q` has one reference, or is NULL if nothing is asked for. Relative times count
 * from now_us; `zone` says where midnight is, NULL: UTC (base/relative_time.h).
 * Returns 0; LM_EINVAL with `mistake`; or LM_ENOMEM. In time linear in the text but for what a
 * regular expression takes to compile.
 */
int query_parse(struct slice text, int64_t now_us, relative_time_zone_fn *zone, struct query **q,
                struct query_mistake *mistake) LM_MUST_CHECK;

/*
 * Appends a text that parses to the same tree (query_equal), whenever that is: times are absolute.
 * For NULL nothing. A tree that query_parse did not make may have what the language cannot say:
 * then it is a text of the same meaning or one that is refused, as is one that is too long.
 */
void query_print(struct buffer *b, const struct query *q);

#endif
