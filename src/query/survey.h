/*
 * Which fields logs have: in how many logs each is, of which types its values are, how many
 * distinct ones there are, and which are met most. Fed with logs, in any order; surveys merge, also
 * as a text that went to a client and back (the state).
 *
 * Fields are paths (query/path.h) to what is no object and no array, to empty ones, and to what is
 * too deep or too long for a path; and the level. The values of an array are values of its path.
 *
 * Exact for up to SURVEY_FIELDS_MAX fields with up to SURVEY_VALUES_MAX values each, and
 * SURVEY_BYTES_MAX bytes. Past that those with the fewest logs go, half of them each time, and the
 * highest count that went is remembered (Misra and Gries): what is met later may lack so many.
 * Distinct values: distinct.h.
 *
 * Values are told apart as in groups (query/aggregate.h), by the first SURVEY_TEXT_MAX bytes of
 * long ones. One thread at a time.
 */
#ifndef LOGMILL_QUERY_SURVEY_H
#define LOGMILL_QUERY_SURVEY_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "query/batch.h"
#include "record/record.h"

enum {
    SURVEY_FIELDS_MAX = 1000,
    SURVEY_VALUES_MAX = 256, /* of a field */
    SURVEY_BYTES_MAX = 16 << 20,
    SURVEY_TEXT_MAX = 256, /* bytes of a value */
    SURVEY_PATH_MAX = 1024,
    SURVEY_TOP_MAX = 100,               /* values of a field in an answer */
    SURVEY_STATE_BYTES_MAX = 128 << 20, /* of a state that is read */
};

struct survey;

/* Without logs. Memory is charged to `account` (NULL: to none). NULL: no memory. */
struct survey *survey_new(struct account *account);
void survey_free(struct survey *s); /* NULL does nothing */

/* 0, LM_ENOMEM or LM_EBUSY (of the account); after an error it is of no use. */
int survey_add(struct survey *s, const struct record *r) LM_MUST_CHECK;

/*
 * The same in parts, of many logs at once: so many logs; the levels of each of them, lower-cased;
 * and of one field, whose path is exactly this one, the values that some of them have, one each.
 * No two values are equal in text and type; numbers are in the form of number_append. Fail as
 * survey_add.
 */
struct survey_value {
    struct slice text;
    enum log_value_type type;
    uint32_t logs;
};

void survey_add_logs(struct survey *s, uint64_t logs);
int survey_add_levels(struct survey *s, const struct survey_value *values, size_t n) LM_MUST_CHECK;
int survey_add_values(struct survey *s, struct slice path, const struct survey_value *values,
                      size_t n) LM_MUST_CHECK;

/* Adds all that is in `other`. Fails as survey_add. */
int survey_merge(struct survey *s, const struct survey *other) LM_MUST_CHECK;

uint64_t survey_total(const struct survey *s); /* logs */
size_t survey_fields(const struct survey *s);  /* … and fields */

/* Calls `fn` for the path of each attribute of which all values are known, at most `most`. */
typedef void survey_path_fn(struct slice path, void *ctx);
void survey_tell_few(const struct survey *s, size_t most, survey_path_fn *fn, void *ctx);

/* Leaves `keep` values of each field of which not all are known, as if there were no room for more.
 * LM_ENOMEM: it is of no use. */
int survey_trim(struct survey *s, size_t keep) LM_MUST_CHECK;

/* Appends it as JSON, for survey_merge_state of any build that has the same version of it. */
void survey_append_state(const struct survey *s, struct buffer *b);

/*
 * Adds what survey_append_state wrote. `json` may be anything: LM_EINVAL, with what is wrong in
 * `err`, and nothing has changed. Else fails as survey_add.
 */
int survey_merge_state(struct survey *s, struct slice json, struct errbuf *err) LM_MUST_CHECK;

/*
 * Appends the members of an answer, `"total":…,"fields":[{"path":…,"logs":…,"types":{…},
 * "distinct":…,"values":[{"value":…,"count":…},…],"approximate":…},…],"approximate":…`: the fields
 * in the most logs first, of each the `top` values in the most logs. In docs/api.md. 0, LM_ENOMEM
 * or LM_EBUSY.
 */
int survey_append_answer(struct survey *s, struct buffer *b, size_t top) LM_MUST_CHECK;

#endif
