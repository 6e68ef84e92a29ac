/* The flags that choose logs, as parameters of the API. */
#ifndef LOGMILL_CLI_FILTERS_H
#define LOGMILL_CLI_FILTERS_H

#include "base/buffer.h"
#include "cli/flags.h"

/* Appends "name=value", percent-encoded, after a "?" or "&" as `b` needs. */
void filters_append_param(struct buffer *b, const char *name, struct slice value);

/*
 * Appends what the flags since, until, level, text, attr and not-… say, and, if the command has no
 * settings besides, the query that its words are (cli/ask.h). A relative time is made absolute,
 * with the midnights of local time (base/relative_time.h). Returns 0, LM_EINVAL or LM_ENOMEM.
 */
int filters_append(struct buffer *b, const struct flags *flags, struct errbuf *err) LM_MUST_CHECK;

/* Appends the query that the words are. */
int filters_append_query(struct buffer *b, char *const *words, int n,
                         struct errbuf *err) LM_MUST_CHECK;

/*
 * What filters_append would return, for a command line to be refused before anything is done. A
 * mistake in a query is shown on stderr in its place.
 */
int filters_check(const struct flags *flags, struct errbuf *err) LM_MUST_CHECK;

#endif
