/* The flags that choose logs, as parameters of the API. */
#ifndef LOGMILL_CLI_FILTERS_H
#define LOGMILL_CLI_FILTERS_H

#include "base/buffer.h"
#include "cli/flags.h"

/* What the flag --`name` says, relative to now or not. 0, or LM_EINVAL with what is allowed. */
int filters_read_time(const char *name, const char *text, int64_t *us,
                      struct errbuf *err) LM_MUST_CHECK;

/* A length of time, at least a second: 90, 90s, 5m, 1h, 1d, 1w. 0 or LM_EINVAL. */
int filters_read_seconds(const char *text, uint64_t *seconds) LM_MUST_CHECK;

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
