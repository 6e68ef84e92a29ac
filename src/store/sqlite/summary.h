/*
 * Summaries: what whole cold segments have to say, so that nobody has to open their blocks for it.
 * Made with the segment, in a row of the table summaries of two pieces:
 *
 *   counts  of attributes with few values: how many logs of each block have which level and which
 *           value, together
 *   fields  the survey (query/survey.h) of all of its logs, without a filter
 *
 * A trigger removes the row as soon as anything of its segment changes: leading blocks that go, and
 * rows that are marked as erased, also by an older logmill. So a summary that is there is of all
 * logs of its segment, and no value of what was deleted stays in it. One that is not there, is
 * missing nobody: the columns say the same.
 *
 * A piece, compressed by zstd, behind the number of its bytes and before a checksum. `counts`, all
 * numbers varints, texts behind their lengths: version (1); levels, the text of each; fields, and
 * of each how many bytes follow, path, values (type and text of each), blocks, of each 1 if it
 * tells; combinations, of each its level, 0 (no such field) or value + 1, and its logs in each
 * block that tells. `fields`: the survey's state.
 */
#ifndef LOGMILL_STORE_SQLITE_SUMMARY_H
#define LOGMILL_STORE_SQLITE_SUMMARY_H

#include "block/head.h"
#include "query/batch.h"
#include "query/matcher.h"
#include "query/survey.h"
#include "sqlite/db.h"

enum {
    SUMMARY_BLOCKS_MAX = 64,        /* of a segment */
    SUMMARY_FIELDS_MAX = 32,        /* attributes that are counted; the first ones that are met */
    SUMMARY_VALUES_MAX = 64,        /* of one, in a segment */
    SUMMARY_LEVELS_MAX = 32,        /* of a segment */
    SUMMARY_SURVEY_FIELDS_MAX = 64, /* a segment with more of them has no survey */
    SUMMARY_SURVEY_VALUES = 64,     /* kept of a field that has too many for all to be kept */
    SUMMARY_SHARE = 400,            /* a piece has at most a 400th of the bytes of its segment … */
    SUMMARY_BYTES_MIN = 4096,       /* … or so many */
    SUMMARY_PLAIN_BYTES_MAX = 4 << 20 /* before it is compressed */
};

/* ---- Making one ---- */

struct summary_maker;

struct summary_maker *summary_maker_new(void);
void summary_maker_free(struct summary_maker *m);  /* NULL does nothing */
void summary_maker_begin(struct summary_maker *m); /* anew */

/* Adds the segment's next block. Without memory, and if it is damaged, there will be no summary. */
void summary_maker_add(struct summary_maker *m, const struct block_head *head, struct slice bytes);

/* Stores it for a segment with so many bytes, within the transaction that stores that. */
int summary_store(struct sqlite_db *db, struct summary_maker *m, int64_t segment, uint64_t bytes,
                  struct errbuf *err) LM_MUST_CHECK;

/* ---- Reading one: damage is as if there were none; LM_ENOMEM, LM_EIO of the file ---- */

/* The counts of one attribute in one segment. */
struct summary_counts;

/* `*counts` is NULL where none are kept. */
int summary_counts_read(struct sqlite_db *db, int64_t segment, struct slice path,
                        struct summary_counts **counts, struct errbuf *err) LM_MUST_CHECK;
void summary_counts_free(struct summary_counts *c); /* NULL does nothing */

/*
 * What the block at `place` of the segment has to say to `fields`, levels and that attribute, as a
 * batch of logs that match (NULL: all), with `time_us` for their time; it lives until the next
 * call.
 * `*tells` is false if that is not known. `matcher` asks for nothing but summary_can_judge.
 */
int summary_counts_batch(struct summary_counts *c, uint32_t place, const struct log_fields *fields,
                         const struct log_matcher *matcher, int64_t time_us,
                         struct log_batch *batch, bool *tells, struct errbuf *err) LM_MUST_CHECK;

/* The same of all blocks of the segment together, if each of them tells. */
int summary_counts_all(struct summary_counts *c, const struct log_fields *fields,
                       const struct log_matcher *matcher, struct log_batch *batch,
                       struct errbuf *err) LM_MUST_CHECK;
bool summary_counts_tell_all(const struct summary_counts *c);

/* Whether `fields` are levels and one attribute, *path, and nothing else decides whether a log
 * matches `query` (NULL: all do). */
bool summary_can_judge(const struct log_fields *fields, const struct query *query,
                       struct slice *path);

/* Adds the segment's survey to `to`; false: there is none. `*survey_error`: as block_survey. */
int summary_survey_add(struct sqlite_db *db, int64_t segment, struct survey *to, bool *is_there,
                       int *survey_error, struct errbuf *err) LM_MUST_CHECK;

int summary_has_survey(struct sqlite_db *db, int64_t segment, bool *has,
                       struct errbuf *err) LM_MUST_CHECK;

/* Whether both pieces of the row that is there can be read; true if there is none. */
int summary_verify(struct sqlite_db *db, int64_t segment, bool *is_whole,
                   struct errbuf *err) LM_MUST_CHECK;

#endif
