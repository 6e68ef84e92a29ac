/*
 * Rows of a block → a survey (query/survey.h): which fields they have, by their columns, so that no
 * log is built. Says of each log what survey_add says. One thread at a time.
 */
#ifndef LOGMILL_BLOCK_SURVEY_H
#define LOGMILL_BLOCK_SURVEY_H

#include "block/reader.h"
#include "query/survey.h"

struct block_surveyor;

struct block_surveyor *block_surveyor_new(void);
void block_surveyor_free(struct block_surveyor *b); /* NULL does nothing */

/*
 * Adds the rows from `from` to before `to` whose bits are set, but for `*others`, a set: logs of
 * which columns do not tell, which the caller adds. It lives until the surveyor is asked again.
 * LM_EIO (damaged) before anything was added; LM_ENOMEM. `*survey_error`: the survey's, if it is
 * that which failed, which then is of no use.
 */
int block_survey(struct block_surveyor *b, struct block_reader *r, const uint64_t *rows,
                 uint32_t from, uint32_t to, struct survey *s, const uint64_t **others,
                 int *survey_error, struct errbuf *err) LM_MUST_CHECK;

#endif
