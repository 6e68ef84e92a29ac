/*
 * Columns of texts, each of one kind. Whatever the kind, the texts come back byte for byte.
 * Internal to block/.
 */
#ifndef LOGMILL_BLOCK_COLUMN_H
#define LOGMILL_BLOCK_COLUMN_H

#include "block/numbers.h"

/* How the texts of a column are kept. The numbers are those of the format. */
enum column_kind {
    COLUMN_CONSTANT,   /* all are entries[0] */
    COLUMN_DICTIONARY, /* entries[code], codes in `numbers` */
    COLUMN_INTEGER,    /* decimal digits of int64_t, no leading zeros; or zero-padded to `digits` */
    COLUMN_DECIMAL,    /* int64_t / 10^scale, with `least` to `scale` digits behind the point */
    COLUMN_HEX,        /* exactly `digits` hexadecimal digits, of one case */
    COLUMN_UUID,       /* 36 characters, of one case */
    COLUMN_TEXT,       /* texts as they are */
    COLUMN_TEMPLATES,  /* constant texts with slots (template.h) */
};

struct templates;

struct column {
    enum column_kind kind;
    uint32_t len;                /* how many texts */
    const struct slice *entries; /* CONSTANT: 1, DICTIONARY: entries_len, each another; TEXT: len */
    uint32_t entries_len;
    struct numbers numbers; /* DICTIONARY: codes; INTEGER, DECIMAL: int64_t as uint64_t */
    int64_t min, max;       /* INTEGER, DECIMAL: no number is below or above */
    uint8_t digits;         /* INTEGER: 0, or how many each has; HEX: how many each has */
    uint8_t scale, least;   /* DECIMAL; trailing zeros are left out down to `least` digits */
    bool is_upper;          /* HEX, UUID */
    const char *bytes;      /* HEX, UUID: (digits + 1) / 2 or 16 a text, the first digit in the high
                               half of the first byte */
    const struct templates *templates; /* TEMPLATES */
};

enum { COLUMN_ROOM = 64 }; /* bytes of the longest text of a number, hex or uuid column */

/* The text at `i` < c->len of any kind but TEMPLATES: a view of the block or of `room`. */
struct slice column_text(const struct column *c, size_t i, char room[COLUMN_ROOM]);

const char *column_kind_name(enum column_kind kind);

/* ---- Writing ---- */

struct column_writer {
    struct stream_writer *streams;
    struct numbers_writer numbers;
    struct buffer bytes;
    uint64_t *values;
    size_t values_capacity;
    uint32_t *places; /* of a dictionary's hash table: number of an entry and 1 */
    size_t places_capacity;
    struct slice *entries;
    size_t entries_len, entries_capacity;
    enum column_kind kind; /* of what was written last; of a dictionary, `entries` are its texts */
    uint32_t *counts;      /* of each entry */
    size_t counts_capacity;
    bool no_memory;
};

void column_writer_init(struct column_writer *w, struct stream_writer *streams);
void column_writer_release(struct column_writer *w);

/* LM_ENOMEM if memory has run out since the last call. */
int column_writer_error(struct column_writer *w) LM_MUST_CHECK;

/* Writes texts[0..n) as a constant or a dictionary. */
void column_write_dictionary(struct column_writer *w, const struct slice *texts, size_t n);

/* Writes them as what they are, if they are of any kind but text; false: nothing was written. */
bool column_try(struct column_writer *w, const struct slice *texts, size_t n);

/* Writes them as texts. */
void column_write_text(struct column_writer *w, const struct slice *texts, size_t n);

/* ---- Reading ---- */

/* A column in the directory. */
struct column_stored {
    enum column_kind kind;
    uint32_t len, entries_len;
    uint8_t digits, scale, least;
    bool is_upper;
    struct slice constant;
    struct numbers_stored numbers; /* those of the column, or lengths of TEXT */
    struct numbers_stored lengths; /* of the entries of a DICTIONARY */
    struct stream bytes;           /* of entries, texts, HEX, UUID */
};

/*
 * Takes a column of `len` texts off the directory; of TEMPLATES only the kind. False: damaged.
 */
bool column_take(struct stream_reader *r, uint32_t len, struct column_stored *s);

/* Makes it ready, unless it is of TEMPLATES; `what` names it when it is damaged. */
int column_load(struct stream_reader *r, const struct column_stored *s, const char *what,
                struct column *c, struct errbuf *err) LM_MUST_CHECK;

size_t column_bytes(const struct stream_reader *r, const struct column_stored *s);

#endif
