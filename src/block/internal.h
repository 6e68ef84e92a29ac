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
#include "block/numbers.h"

struct block_reader;

/* How the texts of a column are kept. Whatever the kind, the texts come back byte for byte. */
enum column_kind {
    COLUMN_CONSTANT,   /* all are entries[0] */
    COLUMN_DICTIONARY, /* entries[code], codes in `numbers` */
    COLUMN_INTEGER,    /* decimal digits of int64_t, no leading zeros; or zero-padded to `digits` */
    COLUMN_DECIMAL,    /* int64_t / 10^scale, with `least` to `scale` digits behind the point */
    COLUMN_HEX,        /* exactly `digits` hexadecimal digits, of one case */
    COLUMN_UUID,       /* 36 characters, lower case */
    COLUMN_TEXT,       /* texts as they are */
    COLUMN_TEMPLATES,  /* constant texts with slots; of messages and strings of attributes */
};

struct templates;

struct column {
    enum column_kind kind;
    uint32_t len;                /* how many texts */
    const struct slice *entries; /* CONSTANT: 1, DICTIONARY: entries_len, each another; TEXT: len */
    uint32_t entries_len;
    struct numbers numbers; /* DICTIONARY: codes; INTEGER, DECIMAL: int64_t as uint64_t */
    int64_t min, max;       /* INTEGER, DECIMAL: of the numbers */
    uint8_t digits;         /* INTEGER: 0, or how many each has; HEX: how many each has */
    uint8_t scale, least;   /* DECIMAL; trailing zeros are left out down to `least` digits */
    bool is_upper;          /* HEX */
    const char *bytes;      /* HEX, UUID: (digits + 1) / 2 or 16 a text, the first digit in the high
                               half of the first byte */
    const struct templates *templates; /* TEMPLATES */
};

enum { COLUMN_ROOM = 64 }; /* bytes of the longest text of a number, hex or uuid column */

/* The text at `i` < c->len of any kind but TEMPLATES, a view of the block or of `room`. */
struct slice column_text(const struct column *c, size_t i, char room[COLUMN_ROOM]);

/* ---- Templates ---- */

/*
 * A text is pieces[0], text of slot 0, pieces[1], …, pieces[slots]. Templates with slots of the
 * same sort share a pool: the texts of slot k of all of them, in the order of the texts, are one
 * column.
 *
 * The pieces of all templates follow one another in memory, with nothing in between: one search
 * goes through all of them. No cut between a piece and a slot is before a byte from 0x80 to 0xbf,
 * so a folded text is its folded parts.
 */

/* What can be in a slot: known before its texts are. */
enum slot_sort {
    SLOT_DIGITS, /* 0 to 9, one or more */
    SLOT_HEX,    /* 0 to 9, a to f, A to F, one or more */
    SLOT_TEXT,   /* any, also nothing */
};

struct template
{
    const struct slice *pieces; /* slots + 1 */
    uint32_t slots;
    uint32_t pool;
    uint32_t len; /* how many texts have it */
};

struct template_pool {
    const uint8_t *sorts;         /* enum slot_sort, one a slot */
    const struct column *columns; /* one a slot; NULL before block_pool */
    uint32_t slots;
    uint32_t len; /* texts of each */
};

struct templates {
    const struct template *templates;
    uint32_t templates_len;
    const struct template_pool *pools;
    uint32_t pools_len;
    const uint16_t *codes;  /* of each text, its template … */
    const uint32_t *places; /* … and where in its pool's columns its slots are */
};

/* ---- What a reader has ---- */

/*
 * The messages, one a row. Of TEMPLATES the pools' columns need not be there yet: those of a pool
 * are read by block_pool.
 */
int block_messages(struct block_reader *r, const struct column **messages,
                   struct errbuf *err) LM_MUST_CHECK;
int block_pool(struct block_reader *r, const struct templates *t, uint32_t pool,
               struct errbuf *err) LM_MUST_CHECK;

/* What kind of JSON the values of an attribute in a column are. */
enum block_json { BLOCK_JSON_STRING, BLOCK_JSON_NUMBER, BLOCK_JSON_LITERAL };

/* The values of a top-level attribute that are of one kind of JSON. */
struct block_values {
    enum block_json json;
    /* Strings without their quotes, as JSON has them (escapes are not undone). May be TEMPLATES. */
    const struct column *column;
    /* Which rows have one (select.h): their values follow one another in the column. NULL: all. */
    const uint64_t *rows;
};

struct block_attribute {
    struct block_values values[3];
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

#endif
