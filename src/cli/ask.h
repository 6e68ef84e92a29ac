/*
 * The words of a command line that are a query in the language (query/language.h):
 * `logmill query 'level:>=error service:pay since:2h'`.
 */
#ifndef LOGMILL_CLI_ASK_H
#define LOGMILL_CLI_ASK_H

#include "base/buffer.h"
#include "base/errbuf.h"

/*
 * Appends the query that the `n` words are, with a blank between them, as it is to be sent: read
 * here, so that a mistake is shown before anything is done, and `yesterday` is that of local time.
 * Nothing, if they ask for nothing. Returns 0, LM_ENOMEM, or LM_EINVAL with what is wrong in `err`,
 * which ask_show_mistake shows in its place.
 */
int ask_append(struct buffer *b, char *const *words, int n, struct errbuf *err) LM_MUST_CHECK;

/* If the last ask_append found a mistake: writes the query to stderr, and a caret below it. */
void ask_show_mistake(char *const *words, int n);

#endif
