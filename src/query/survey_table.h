/* Inside of a survey. Internal to query/. */
#ifndef LOGMILL_QUERY_SURVEY_TABLE_H
#define LOGMILL_QUERY_SURVEY_TABLE_H

#include <stdint.h>

#include "query/batch.h"
#include "query/dictionary.h"
#include "query/distinct.h"
#include "query/survey.h"
#include "json/reader.h"

/* In how many logs something is. */
struct survey_count {
    uint64_t logs;
    uint64_t lacks; /* it may be in so many more */
    uint64_t last;  /* the number of the last one */
};

struct survey_field {
    struct survey_count in;
    struct survey_count types[LOG_VALUE_TYPES];
    struct distinct distinct;
    struct dictionary values;
    struct buffer counts; /* struct survey_count: of each of them */
    uint64_t bound;       /* a value that is not there may be in so many logs */
};

/* What a path is of: the tags of the paths. */
enum { SURVEY_ATTRIBUTE, SURVEY_LEVEL };

struct survey {
    uint64_t total;
    uint64_t number; /* of the log that is being added */
    struct dictionary paths;
    struct buffer fields; /* struct survey_field: of each of them */
    uint64_t bound;       /* a field that is not there may be in so many logs */
    struct json_doc doc;
    struct buffer path, text; /* of the value that is being looked at */
    size_t grown;             /* bytes, about, since it was settled */
    struct account *account;
    size_t charged;
    size_t fields_max, values_max, bytes_max; /* smaller in tests */
};

struct survey_field *survey_field_at(const struct survey *s, uint32_t number);
struct survey_count *survey_count_at(const struct survey_field *f, uint32_t number);

/* The field of this path, which is made if there is none; NULL: no memory. A view until another is
 * made. */
struct survey_field *survey_field_of(struct survey *s, struct slice path, uint32_t kind);

/* The same for its count of a value. */
struct survey_count *survey_value_of(struct survey *s, struct survey_field *f, struct slice text);

/* Leaves out what is too much, and charges what is used. */
int survey_settle(struct survey *s) LM_MUST_CHECK;

/*
 * The numbers of all values of a field, or of all fields (`f` NULL), those in the most logs first,
 * then by their texts: the caller frees them. NULL: no memory.
 */
uint32_t *survey_ranking(const struct survey *s, const struct survey_field *f);

#endif
