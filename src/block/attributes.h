/*
 * Attributes as columns: one for each path of names and kind of JSON value, and of each object and
 * array which members it has, in which order. What is no JSON, or is spelled as we never spell it,
 * stays a text. Internal to block/.
 *
 * In the directory: of each log (numbers) whether it has none, an object or a text; varint texts,
 * and the texts (template.h); varint columns; of each varint parent, varint kind, name and varint
 * values; then of each what is in it: of objects and arrays varint 2 * layouts + permuted, the
 * layouts (stream: of each varint members and varint number of each), of each value its layout
 * (numbers) and, if permuted, the order of its members (stream); of all others texts.
 *
 * Column 0 is that of the objects themselves. An object's members are columns whose parent it is;
 * an array's elements are, too, without a name.
 */
#ifndef LOGMILL_BLOCK_ATTRIBUTES_H
#define LOGMILL_BLOCK_ATTRIBUTES_H

#include "block/block.h"
#include "block/info.h"
#include "block/internal.h"

enum attributes_kind {
    ATTRIBUTES_STRING,  /* without its quotes */
    ATTRIBUTES_NUMBER,  /* without a point … */
    ATTRIBUTES_DECIMAL, /* … or with one: apart, each is a column of its own kind */
    ATTRIBUTES_LITERAL, /* true, false, null */
    ATTRIBUTES_OBJECT,
    ATTRIBUTES_ARRAY,
    ATTRIBUTES_RAW,    /* JSON that is not taken apart */
    ATTRIBUTES_MEMBER, /* a member with its name: there are too many names for columns */
    ATTRIBUTES_KINDS
};

/* What a log has. */
enum attributes_row { ATTRIBUTES_NONE, ATTRIBUTES_TREE, ATTRIBUTES_TEXT };

enum {
    ATTRIBUTES_PERMUTED_MAX = 64, /* members of an object whose order is kept apart from them */
    ATTRIBUTES_DEPTH_MAX = 512,   /* levels of nesting of what is not a text as a whole */
    /* Columns with all that are not of a name: of elements, and of members without a column. */
    ATTRIBUTES_COLUMNS_MAX = 4 * BLOCK_COLUMNS_MAX,
};

/* ---- Writing ---- */

struct attributes_writer;

struct attributes_writer *attributes_writer_new(struct column_writer *columns,
                                                struct template_writer *templates);
void attributes_writer_free(struct attributes_writer *w); /* NULL does nothing */

/* Writes the attributes of n logs; adds their values to `hashes`, if there are. 0 or LM_ENOMEM. */
int attributes_writer_write(struct attributes_writer *w, const struct slice *texts, size_t n,
                            struct block_hashes *hashes) LM_MUST_CHECK;

/* ---- Reading ---- */

struct attributes_reader;

/* Takes the attributes of so many rows off the directory. */
int attributes_reader_take(struct stream_reader *r, uint32_t rows, struct attributes_reader **a,
                           struct errbuf *err) LM_MUST_CHECK;

/* Appends the attributes of a row. */
int attributes_reader_append(struct stream_reader *r, struct attributes_reader *a, size_t row,
                             struct buffer *b, struct errbuf *err) LM_MUST_CHECK;

/* As block_columns_len, block_share and so on. */
uint32_t attributes_paths_columns(const struct attributes_reader *a);
enum block_share attributes_paths_share(const struct attributes_reader *a, uint32_t number,
                                        const struct block_path *path);
void attributes_paths_spell(const struct attributes_reader *a, uint32_t number, struct buffer *b);
size_t attributes_paths_values(const struct attributes_reader *a, uint32_t number);
int attributes_paths_scalars(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                             struct block_values *v, struct errbuf *err) LM_MUST_CHECK;
int attributes_paths_lift(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                          const uint64_t *places, uint64_t *rows, struct errbuf *err) LM_MUST_CHECK;
int attributes_paths_lower(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                           const uint64_t *rows, uint64_t *places,
                           struct errbuf *err) LM_MUST_CHECK;
int attributes_paths_is_single(struct stream_reader *r, struct attributes_reader *a,
                               uint32_t number, bool *is_single, struct errbuf *err) LM_MUST_CHECK;
bool attributes_paths_is_array(const struct attributes_reader *a, uint32_t number);
int attributes_paths_lift_empty(struct stream_reader *r, struct attributes_reader *a,
                                uint32_t number, uint64_t *rows, struct errbuf *err) LM_MUST_CHECK;
int attributes_paths_texts(struct stream_reader *r, struct attributes_reader *a, uint64_t *rows,
                           struct errbuf *err) LM_MUST_CHECK;

/* As block_columns, or if it `measures` block_measure. */
struct block_telling {
    block_column_fn *fn;
    void *ctx;
    bool measures;
};

int attributes_reader_tell(struct stream_reader *r, struct attributes_reader *a,
                           const struct block_telling *telling, struct errbuf *err) LM_MUST_CHECK;

#endif
