/*
 * What is in an opened block, for who decides conditions in it (select.c): columns of texts, each
 * of one kind; messages as templates; attributes by path. Everything here is decoded when it is
 * first asked for, lives until the reader opens another block, and never changes. Functions return
 * 0, LM_EIO (damaged) or LM_ENOMEM. Internal to block/.
 */
#ifndef LOGMILL_BLOCK_INTERNAL_H
#define LOGMILL_BLOCK_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/error.h"
#include "base/slice.h"
#include "block/head.h"
#include "block/template.h"

struct block_reader;

/*
 * The messages, one a row. Of TEMPLATES the codes and the pools' columns need not be there yet:
 * the former are read by block_codes, those of a pool by block_pool.
 */
int block_messages(struct block_reader *r, const struct column **messages,
                   struct errbuf *err) LM_MUST_CHECK;
int block_codes(struct block_reader *r, const struct templates *t,
                struct errbuf *err) LM_MUST_CHECK;
int block_pool(struct block_reader *r, const struct templates *t, uint32_t pool,
               struct errbuf *err) LM_MUST_CHECK;

/* Sets `b` to the text at `i` of a column of TEMPLATES: of messages, or of an attribute. */
int block_column_text(struct block_reader *r, const struct column *column, size_t i,
                      struct buffer *b, struct errbuf *err) LM_MUST_CHECK;

/* The head it was opened with, without its levels. */
const struct block_head *block_head_of(const struct block_reader *r);

/* What kind of JSON the values of an attribute in a column are; or texts that are none: messages.
 */
enum block_json { BLOCK_JSON_STRING, BLOCK_JSON_NUMBER, BLOCK_JSON_LITERAL, BLOCK_JSON_NONE };

/* Values of an attribute, all of one kind of JSON. */
struct block_values {
    enum block_json json;
    /* Strings without their quotes, as JSON has them (escapes are not undone). May be TEMPLATES. */
    const struct column *column;
    uint32_t number; /* the reader's own name for it */
};

/* ---- Attributes by path (query/path.h) ---- */

struct block_path {
    struct slice spelled; /* as json_append_string has it, without quotes */
    bool is_name;         /* has too many dots to be a path: of a top-level attribute alone */
};

/* What a column of attributes has of what is at a path. */
enum block_share {
    BLOCK_APART,      /* nothing */
    BLOCK_SCALARS,    /* its values are some of them: block_scalars */
    BLOCK_CONTAINERS, /* its values are some of them: objects; arrays, of which there may be more */
    BLOCK_LONG_ARRAYS, /* arrays that are not taken apart: there are values, … */
    BLOCK_HIDDEN,      /* … or there may be, of which only block_record tells what they are */
};

/* How many columns there are, by number; and what `number` has: path NULL: of all scalars. */
uint32_t block_columns_len(const struct block_reader *r);
enum block_share block_share(const struct block_reader *r, uint32_t number,
                             const struct block_path *path);

/* Appends the path of a column that is not the first, as its names are spelled. */
void block_spell_path(const struct block_reader *r, uint32_t number, struct buffer *b);

/* How many values it has. */
size_t block_values_len(const struct block_reader *r, uint32_t number);

/* Makes the values of scalars ready. */
int block_scalars(struct block_reader *r, uint32_t number, struct block_values *v,
                  struct errbuf *err) LM_MUST_CHECK;

/* Adds to `rows` those with one of `places` of the column; NULL: of all its values. */
int block_lift(struct block_reader *r, uint32_t number, const uint64_t *places, uint64_t *rows,
               struct errbuf *err) LM_MUST_CHECK;

/* Whether no row has two values of the column: then they are in the order of their rows. */
int block_is_single(struct block_reader *r, uint32_t number, bool *is_single,
                    struct errbuf *err) LM_MUST_CHECK;

/* Of containers: whether they are arrays; adds to `rows` those with one that has no elements. */
bool block_is_array(const struct block_reader *r, uint32_t number);
int block_lift_empty(struct block_reader *r, uint32_t number, uint64_t *rows,
                     struct errbuf *err) LM_MUST_CHECK;

/* The other way: sets `places` to those that belong to `rows`. */
int block_lower(struct block_reader *r, uint32_t number, const uint64_t *rows, uint64_t *places,
                struct errbuf *err) LM_MUST_CHECK;

/* Adds to `rows` those of which nothing is in columns: block_record tells what is in them. */
int block_strange_rows(struct block_reader *r, uint64_t *rows, struct errbuf *err) LM_MUST_CHECK;

#endif
