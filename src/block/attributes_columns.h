/*
 * The columns of attributes, as far as they have been made ready: what attributes_reader.c and
 * attributes_paths.c share. Internal to them.
 */
#ifndef LOGMILL_BLOCK_ATTRIBUTES_COLUMNS_H
#define LOGMILL_BLOCK_ATTRIBUTES_COLUMNS_H

#include "block/attributes.h"

/* Which values of a column belong to which value of its parent. */
struct ranks {
    bool is_each;           /* to each exactly one; else: */
    const uint64_t *bits;   /* a bit for each that has one, if none has more; else NULL */
    const uint32_t *before; /* how many come before 64 of the parent's, or before each */
};

struct layout {
    const uint32_t *members; /* numbers of columns */
    const uint32_t *nths;    /* of each how many of the same column come before it */
    uint32_t len;
};

struct attribute_column {
    uint32_t parent;
    enum attributes_kind kind;
    struct slice name;
    uint32_t len;
    struct template_column *texts; /* of all but objects and arrays; of those: */
    bool is_permuted;
    uint32_t layouts_len;
    struct stream meta, order;
    struct numbers_stored stored_codes;
    /* Made ready: */
    bool is_loaded;
    struct ranks ranks;
    struct slice lead; /* what stands before a value: comma, name, quote */
    struct layout *layouts;
    struct numbers codes;
    const unsigned char *orders;
    const uint32_t *order_starts; /* of each value, where its order begins */
};

struct attributes_reader {
    uint32_t rows;
    struct numbers_stored stored_kinds; /* enum attributes_row */
    uint32_t texts_len;
    struct template_column *texts;
    struct attribute_column *columns;
    uint32_t columns_len;
    /* Made ready: */
    const uint32_t *places; /* of each row, its place among those of its kind; NULL: not yet */
    struct numbers kinds;
    const uint64_t *trees; /* rows that are trees; NULL: not yet, or all */
};

static inline bool attributes_is_container(enum attributes_kind kind)
{
    return kind == ATTRIBUTES_OBJECT || kind == ATTRIBUTES_ARRAY;
}

/* Makes ready what each row has, and its place among those of its kind. */
int attributes_reader_load_rows(struct stream_reader *r, struct attributes_reader *a,
                                struct errbuf *err) LM_MUST_CHECK;

/* Makes a column ready, whose parent is. */
int attributes_reader_load_column(struct stream_reader *r, struct attributes_reader *a,
                                  uint32_t number, struct errbuf *err) LM_MUST_CHECK;

#endif
