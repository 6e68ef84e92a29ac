/*
 * What is in an opened block, for who decides conditions in it (select.c): columns of texts, each
 * of one kind; messages as templates; attributes by name. Everything here is decoded when it is
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

/* What kind of JSON the values of an attribute in a column are. */
enum block_json { BLOCK_JSON_STRING, BLOCK_JSON_NUMBER, BLOCK_JSON_LITERAL };

/* Values of a top-level attribute, all of one kind of JSON. */
struct block_values {
    enum block_json json;
    /* Strings without their quotes, as JSON has them (escapes are not undone). May be TEMPLATES. */
    const struct column *column;
    uint32_t number; /* the reader's own name for it */
};

enum { BLOCK_VALUES_MAX = 4 }; /* columns of one attribute: of numbers there may be two */

struct block_attribute {
    struct block_values values[BLOCK_VALUES_MAX];
    size_t values_len;
    /*
     * Rows of which only block_record tells what the attribute is; NULL: none. Rows that are in
     * none of these sets do not have it, or it is an array or object. Among them (in `values` or
     * not) are all rows whose string is not spelled as json_append_string spells it
     * (block_string_is_plain), or one of whose names is not.
     */
    const uint64_t *unknown;
};

/*
 * The top-level attribute `name` (its characters, escapes undone; of several with the same name
 * the first).
 */
int block_attribute(struct block_reader *r, struct slice name, struct block_attribute *attribute,
                    struct errbuf *err) LM_MUST_CHECK;

/* Which rows have one of the values: they follow one another in the column. NULL: all have. */
int block_rows_of(struct block_reader *r, const struct block_values *v, const uint64_t **rows,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
